//! [`FuzzedClient`]: a client without a socket, to which a fuzzer passes messages. See [`crate::fuzzing`].

use std::sync::Arc;
use std::task::Waker;

use bytes::Bytes;

use super::Channel;
use crate::clock;
use crate::connection::{ChannelCounters, Config, Connection, Endpoints, Link};
use crate::wire::Batch;

/// A client to which a fuzzer passes messages and events.
pub struct FuzzedClient {
    connection: Arc<Connection>,
    channel: Channel,
    wakers: Vec<Waker>,
}

impl Default for FuzzedClient {
    fn default() -> Self {
        Self::new()
    }
}

impl FuzzedClient {
    /// Creates a connected client with the default settings.
    #[must_use]
    pub fn new() -> Self {
        let (config, counters) = (Config::default(), Arc::<ChannelCounters>::default());
        let connection =
            Connection::new("fuzzed".to_owned(), config.clone(), Arc::clone(&counters), Link::Monitored);
        let channel = Channel::of(Endpoints::new(vec![Arc::clone(&connection)], config, counters));
        let mut this = Self { connection, channel, wakers: Vec::new() };
        this.connect();
        this
    }

    /// Returns the client's channel.
    #[must_use]
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// Takes a message from the server: a batch, and the frames before it that belong to it.
    pub fn receive(&mut self, batch: &[u8], frames: &[Bytes]) {
        match Batch::attach(Bytes::copy_from_slice(batch), frames.to_vec()) {
            Ok(batch) => {
                let mut at = Some(0);
                while let Some(from) = at {
                    at = self.connection.handle_message(
                        &batch,
                        from,
                        &mut self.wakers,
                        usize::MAX,
                        clock::now(),
                    );
                }
            }
            Err(malformed) => self.connection.handle_unreadable(&malformed, &mut self.wakers),
        }
        self.wake();
    }

    /// Reports that the connection is up.
    pub fn connect(&mut self) {
        self.connection.handle_connected(&mut self.wakers);
        self.wake();
    }

    /// Reports that the connection is lost.
    pub fn disconnect(&mut self) {
        self.connection.handle_disconnected(&mut self.wakers);
        self.wake();
    }

    /// Does what is due by the clock.
    pub fn check(&mut self) {
        let _ = self.connection.handle_timeout(clock::now(), &mut self.wakers);
        self.wake();
    }

    /// Returns the messages that the client has to send.
    pub fn messages(&mut self) -> Vec<Vec<u8>> {
        let mut messages = Vec::new();
        while let Some(message) = self.connection.poll_transmit(&mut self.wakers) {
            messages.push(message.batch().to_vec());
        }
        self.wake();
        messages
    }

    fn wake(&mut self) {
        self.wakers.drain(..).for_each(Waker::wake);
    }
}
