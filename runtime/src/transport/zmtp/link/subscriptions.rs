//! What arrives on a connection of a PUB socket.

use bytes::Bytes;
use zsvc_proto::zmtp::Event;

use super::Link;

impl Link {
    /// Returns the next subscription that has arrived at a publisher: its bytes, and whether they are wanted.
    pub(in super::super) fn receive_subscription(&mut self) -> Option<(Bytes, bool)> {
        loop {
            self.take_events();
            if let Event::Subscription { prefix, is_wanted } = self.next.take()? {
                return Some((prefix, is_wanted));
            }
        }
    }
}
