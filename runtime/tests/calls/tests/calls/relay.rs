//! [`Relay`]: a device between clients and a server, which counts messages and can stop forwarding them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

/// Forwards messages between a ROUTER, to which clients connect, and a DEALER, which is connected to a server: what
/// `zmq_proxy` does, with counters.
pub(crate) struct Relay {
    endpoint: String,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    /// Whether messages of clients are discarded.
    deaf: AtomicBool,
    to_server: AtomicUsize,
    to_clients: AtomicUsize,
}

/// Time in milliseconds after which a message is dropped that a server or a client does not take.
const SEND_TIMEOUT_MS: i32 = 10_000;
/// Interval at which the relay checks whether it is to stop, in milliseconds.
const POLL_INTERVAL_MS: i64 = 20;

impl Relay {
    /// Starts a relay to a server, with an endpoint of its own.
    pub(crate) fn to(server: &str) -> Self {
        let context = zmq::Context::new();
        let front = context.socket(zmq::ROUTER).unwrap();
        front.bind("tcp://127.0.0.1:*").unwrap();
        let endpoint = front.get_last_endpoint().unwrap().unwrap();
        let back = context.socket(zmq::DEALER).unwrap();
        back.connect(server).unwrap();
        for socket in [&front, &back] {
            socket.set_linger(0).unwrap();
            socket.set_sndtimeo(SEND_TIMEOUT_MS).unwrap();
        }
        let shared = Arc::new(Shared::default());
        let counts = Arc::clone(&shared);
        let thread = std::thread::spawn(move || carry(&front, &back, &counts));
        Self { endpoint, shared, thread: Some(thread) }
    }

    /// Returns the endpoint for clients.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Stops forwarding messages of clients to the server.
    pub(crate) fn turn_deaf(&self) {
        self.shared.deaf.store(true, Ordering::SeqCst);
    }

    /// Returns the numbers of forwarded messages: to the server, and to clients.
    pub(crate) fn messages(&self) -> (usize, usize) {
        let (there, back) = (&self.shared.to_server, &self.shared.to_clients);
        (there.load(Ordering::SeqCst), back.load(Ordering::SeqCst))
    }
}

fn carry(front: &zmq::Socket, back: &zmq::Socket, shared: &Shared) {
    while !shared.stop.load(Ordering::SeqCst) {
        let mut items = [front.as_poll_item(zmq::POLLIN), back.as_poll_item(zmq::POLLIN)];
        if zmq::poll(&mut items, POLL_INTERVAL_MS).is_err() {
            return;
        }
        pass(front, &shared.to_server, |frames| {
            if !shared.deaf.load(Ordering::SeqCst) {
                let _ = back.send_multipart(frames, 0);
            }
        });
        pass(back, &shared.to_clients, |frames| {
            let _ = front.send_multipart(frames, 0);
        });
    }
}

fn pass(from: &zmq::Socket, count: &AtomicUsize, on: impl Fn(Vec<Vec<u8>>)) {
    while let Ok(frames) = from.recv_multipart(zmq::DONTWAIT) {
        count.fetch_add(1, Ordering::SeqCst);
        on(frames);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
