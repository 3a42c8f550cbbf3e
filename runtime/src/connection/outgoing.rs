//! How the streams of a connection's calls write into it.

use std::sync::Arc;

use super::connection::Connection;
use crate::flow::OutboundStream;
use crate::stream::Outgoing;
use crate::wire::Item;

/// Why the answers end of a call whose items did not.
const UNFINISHED: &str = "the sink was dropped before it was finished; call `finish` to end the stream";

impl Outgoing for Connection {
    fn grant(&self, id: u64, bytes: u64) {
        let mut state = self.lock();
        state.session.grant(id, bytes);
        self.hand_over(state);
    }

    fn announce(&self, id: u64, stream: &Arc<OutboundStream>) {
        if self.lock().session.announce(id, stream) {
            self.notify.notify_deferred();
        }
    }

    fn flush(&self, id: u64, stream: &Arc<OutboundStream>, last: Option<Item>) {
        let flushed = self.lock().session.flush(id, stream, last);
        if flushed.is_ok() {
            self.notify.notify_deferred();
        }
    }

    fn notify_now(&self) {
        self.notify.notify();
    }

    fn finish(&self, id: u64, stream: &OutboundStream) {
        let mut state = self.lock();
        state.session.finish(id, stream);
        self.hand_over(state);
    }

    fn abandon(&self, id: u64) {
        // No call of this side has a longer id.
        if let Ok(id) = u32::try_from(id) {
            self.abandon_call(id, UNFINISHED);
        }
    }

    fn max_body(&self) -> usize {
        self.config.message_size
    }

    #[cfg(feature = "tracing")]
    fn runtime(&self) -> Option<&tokio::runtime::Handle> {
        self.config.runtime.as_ref()
    }
}
