//! [`PeerOutgoing`]: how the streams of one call write to its client.

use std::sync::Arc;

use super::running::Peer;
use crate::flow::OutboundStream;
use crate::session::server::CallKey;
use crate::stream::Outgoing;
use crate::wire::Item;

/// The way from the streams of one call to its client. What they write after the call has ended is dropped.
#[derive(Debug)]
pub(crate) struct PeerOutgoing {
    pub(crate) peer: Arc<Peer>,
    pub(crate) key: CallKey,
}

impl Outgoing for PeerOutgoing {
    fn grant(&self, _: u64, bytes: u64) {
        self.peer.with(|session| session.grant(self.key, bytes));
    }

    fn announce(&self, _: u64, stream: &Arc<OutboundStream>) {
        self.peer.with(|session| session.announce(self.key, stream));
    }

    fn flush(&self, _: u64, stream: &Arc<OutboundStream>, last: Option<Item>) {
        self.peer.with(|session| session.flush(self.key, stream, last));
    }

    fn notify_now(&self) {
        self.peer.notify();
    }

    /// Does nothing: a handler's stream ends with its handler.
    fn finish(&self, _: u64, _: &OutboundStream) {}

    /// Does nothing: a handler's stream ends with its handler, so nothing is cancelled when its sink is dropped.
    fn abandon(&self, _: u64) {}

    fn max_body(&self) -> usize {
        self.peer.shared().config.session.max_body
    }
}
