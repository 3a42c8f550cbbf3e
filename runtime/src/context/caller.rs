//! [`Caller`]: what a [`Context`](super::Context) knows of the connection that its call came over.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::Instant;

use super::{PeerId, Signal};
use crate::metadata::MetadataValue;
use crate::session::server::CallKey;

/// The connection that a call came over. Implemented by the server's `Peer`, which a context does not know.
pub(crate) trait Caller: Send + Sync {
    /// Returns the connection's identity.
    fn id(&self) -> &PeerId;
    /// Returns the address that the connection comes from, if there is one.
    fn address(&self) -> Option<SocketAddr>;
    /// Sends a name and a value beside the answer of a call.
    ///
    /// # Errors
    /// It is more than there may be. The text says what.
    fn send_metadata(self: Arc<Self>, key: CallKey, name: &str, value: &MetadataValue) -> Result<(), String>;
    /// Announces the end of the call to `signal` if it is ended from outside its handler. Returns `false` if the call is over.
    fn watch(&self, key: CallKey, signal: &Signal, deadline: Option<Instant>) -> bool;
    /// Reports whether the client can't be reached any more.
    fn is_gone(&self) -> bool;
    /// Reports whether the client is not let in any more.
    fn is_barred(&self) -> bool;
    /// Reports whether the server takes no new calls.
    fn is_draining(&self) -> bool;
    /// Returns a receiver that becomes `true` when the server begins to drain.
    fn draining(&self) -> watch::Receiver<bool>;
}
