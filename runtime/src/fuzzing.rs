//! A client and a server without sockets, for the fuzzer in `fuzz/wire`. Compiled only with `--cfg fuzzing`, which only a fuzzer
//! sets.

use bytes::Bytes;
use tokio::time::Instant;

pub use crate::channel::FuzzedClient;
use crate::driver::Core;
use crate::server::{ServeError, ServerBuilder};
use crate::wire::{Batch, Reader};

/// A server that is fed bytes.
pub struct FuzzedServer {
    core: Core,
}

impl FuzzedServer {
    /// Creates a server with the services and bounds of a builder. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// Two services have a method of the same name.
    pub fn new(server: ServerBuilder) -> Result<Self, ServeError> {
        Ok(Self { core: server.into_core()? })
    }

    /// Takes a message from the client of this route: a batch, and the frames before it that belong to it.
    pub fn receive(&mut self, route: &[u8], batch: &[u8], frames: &[Bytes]) {
        match Batch::attach(Bytes::copy_from_slice(batch), frames.to_vec()) {
            Ok(batch) => self.core.receive(route, None, batch),
            Err(malformed) => self.core.refuse(route, None, &malformed),
        };
    }

    /// Does what is due by the clock: asks clients for signs of life, and ends calls of those without any.
    pub fn check(&mut self) {
        self.core.peers.check(Instant::now());
    }

    /// Reports that the client of this route is gone.
    pub fn lose(&mut self, route: &[u8]) {
        self.core.peers.lose_by(route);
    }

    /// Returns the messages that the server has to send, each with its route.
    pub fn messages(&mut self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let messages = self.core.take_messages().into_iter();
        messages.map(|(peer, message)| (peer.route().to_vec(), message.batch().to_vec())).collect()
    }

    /// Returns the number of calls in flight.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.core.shared.sessions.calls()
    }
}

/// Reports whether every record of a message can be read.
#[must_use]
pub fn is_readable(batch: &[u8]) -> bool {
    let Ok(mut reader) = Reader::new(batch) else { return false };
    loop {
        match reader.next() {
            Ok(Some(_)) => {}
            Ok(None) => return true,
            Err(_) => return false,
        }
    }
}
