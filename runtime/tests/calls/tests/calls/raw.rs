//! Peers that are no peers of this project: bare sockets, for tests of what happens to those that misbehave.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// A DEALER that is connected to a server.
pub(crate) fn dealer(endpoint: &str) -> zmq::Socket {
    let dealer = zmq::Context::new().socket(zmq::DEALER).unwrap();
    dealer.set_linger(0).unwrap();
    dealer.connect(endpoint).unwrap();
    dealer
}

/// A batch with one call of `hold`, whose id is 1.
pub(crate) fn call_of_hold(name: &str) -> Vec<u8> {
    const METHOD: &str = "probe.v1.Probe/hold";
    let mut batch = vec![1, 0x94, 1, 1];
    batch.extend(short(0xa0, METHOD));
    // The parameters are an array of one string, in a `bin`.
    let parameters = [&[0x91], short(0xa0, name).as_slice()].concat();
    batch.extend([0xc4, parameters.len() as u8]);
    batch.extend(parameters);
    batch
}

/// A string of up to 31 bytes.
fn short(marker: u8, text: &str) -> Vec<u8> {
    assert!(text.len() < 32, "a longer string has another form");
    [&[marker | text.len() as u8], text.as_bytes()].concat()
}

/// Threads that call as fast as they can, whatever they are told, until this is dropped.
pub(crate) struct Flood {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Flood {
    pub(crate) fn of(endpoint: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let flood = || {
            let (stop, dealer) = (Arc::clone(&stop), dealer(endpoint));
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let _ = dealer.send(call_of_hold("never"), zmq::DONTWAIT);
                    while dealer.recv_bytes(zmq::DONTWAIT).is_ok() {}
                }
            })
        };
        let threads = vec![flood(), flood()];
        Self { stop, threads }
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
