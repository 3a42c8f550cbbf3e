//! Bare sockets that act as peers, for tests of peers that violate the protocol.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// Time in milliseconds after which a socket gives up.
const SOCKET_TIMEOUT_MS: i32 = 15_000;

/// Returns a DEALER that is not connected.
fn unconnected() -> zmq::Socket {
    let dealer = zmq::Context::new().socket(zmq::DEALER).unwrap();
    dealer.set_linger(0).unwrap();
    dealer.set_rcvtimeo(SOCKET_TIMEOUT_MS).unwrap();
    dealer.set_sndtimeo(SOCKET_TIMEOUT_MS).unwrap();
    dealer
}

/// Returns a DEALER that is connected to a server.
pub(crate) fn dealer(endpoint: &str) -> zmq::Socket {
    let dealer = unconnected();
    dealer.connect(endpoint).unwrap();
    dealer
}

/// Like [`dealer`], with small receive buffers: what it takes without being asked is little, and not up to a thousand messages.
pub(crate) fn narrow_dealer(endpoint: &str) -> zmq::Socket {
    let dealer = unconnected();
    dealer.set_rcvhwm(1).unwrap();
    dealer.set_rcvbuf(64 * 1024).unwrap();
    dealer.connect(endpoint).unwrap();
    dealer
}

/// Returns a batch with one call of `hold`, whose id is 1.
pub(crate) fn call_of_hold(name: &str) -> Vec<u8> {
    call_of("hold", name)
}

/// Returns a batch with one call, whose id is 1, of a method that takes a name.
pub(crate) fn call_of(method: &str, name: &str) -> Vec<u8> {
    let method = format!("probe.v1.Probe/{method}");
    [&[1], record(0xcc, &[1], &method, &short(0xa0, name), &[]).as_slice()].concat()
}

/// Returns a batch with calls of `fill`, all in one message.
pub(crate) fn calls_of_fill(calls: u16, size: u32) -> Vec<u8> {
    let size = [&[0xce], size.to_be_bytes().as_slice()].concat();
    let mut batch = vec![1];
    for id in 1..=calls {
        batch.extend(record(0xcd, &id.to_be_bytes(), "probe.v1.Probe/fill", &size, &[]));
    }
    batch
}

/// Returns a batch with one call of `pour` of endless items, and credit for more than there is.
pub(crate) fn call_of_pour(name: &str, size: u32) -> Vec<u8> {
    let number = |number: u32| [&[0xce], number.to_be_bytes().as_slice()].concat();
    let parameters = [short(0xa0, name), number(u32::MAX), number(size)].concat();
    // No deadline, no metadata, and credit.
    let credit = [&[0xc0, 0xc0, 0xcf], (u64::MAX / 2).to_be_bytes().as_slice()].concat();
    [&[1], record(0xcc, &[1], "probe.v1.Probe/pour", &parameters, &credit).as_slice()].concat()
}

/// Returns the record of a call: its id with the marker of its encoding, and its parameters, as elements of an array.
fn record(marker: u8, id: &[u8], method: &str, parameters: &[u8], tail: &[u8]) -> Vec<u8> {
    let (elements, parameter_count) = if tail.is_empty() { (0x94, 0x91) } else { (0x97, 0x93) };
    let mut record = vec![elements, 1, marker];
    record.extend(id);
    record.extend([0xd9, u8::try_from(method.len()).expect("names are short")]);
    record.extend(method.as_bytes());
    record.extend([0xc4, u8::try_from(parameters.len() + 1).expect("they are short"), parameter_count]);
    record.extend(parameters);
    record.extend(tail);
    record
}

/// Returns the encoding of a string of up to 31 bytes.
fn short(marker: u8, text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).ok().filter(|length| *length < 32);
    let length = length.expect("a longer string has another form");
    [&[marker | length], text.as_bytes()].concat()
}

/// Threads that call as fast as they can, whatever the answers are, until this is dropped.
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
