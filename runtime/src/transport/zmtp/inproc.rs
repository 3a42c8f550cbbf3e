//! The names of servers within the process: `inproc://name`.

use std::collections::HashMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{DuplexStream, duplex};
use tokio::sync::mpsc;

use crate::fork::PerProcess;
use crate::identity::Identity;

/// Number of connections that may wait to be accepted.
const BACKLOG: usize = 1_024;
/// Number of bytes that each direction of a connection holds.
const PIPE_BYTES: usize = 256 * 1024;

type Names = HashMap<String, mpsc::Sender<Connection>>;
/// The server's end of a connection, and who the client is, if its program says so.
type Connection = (DuplexStream, Option<Identity>);

fn bound() -> MutexGuard<'static, Names> {
    static BOUND: PerProcess<Mutex<Names>> = PerProcess::new();
    // Nothing panics while the lock is held but for lack of memory; the map is whole in any case.
    BOUND.get(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner)
}

/// A name that a server has, until this is dropped.
#[derive(Debug)]
pub(super) struct InprocListener {
    name: String,
    connections: mpsc::Receiver<Connection>,
}

impl InprocListener {
    /// Takes a name.
    ///
    /// # Errors
    /// Another server has it.
    pub(super) fn bind(name: &str) -> io::Result<Self> {
        let (sender, connections) = mpsc::channel(BACKLOG);
        let mut names = bound();
        if names.contains_key(name) {
            return Err(io::Error::new(
                io::ErrorKind::AddrInUse,
                "another server of this process has the name",
            ));
        }
        names.insert(name.to_owned(), sender);
        Ok(Self { name: name.to_owned(), connections })
    }

    /// Is ready with the next connection.
    pub(super) fn poll_accept(&mut self, context: &mut Context<'_>) -> Poll<Connection> {
        match self.connections.poll_recv(context) {
            Poll::Ready(Some(connection)) => Poll::Ready(connection),
            // The other end is in the table for as long as this one is there.
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}

impl Drop for InprocListener {
    fn drop(&mut self) {
        bound().remove(&self.name);
    }
}

/// Connects to the server that has a name, which is told who the client is.
///
/// # Errors
/// No server has it, or too many connections wait to be accepted.
pub(super) fn connect(name: &str, identity: Option<Identity>) -> io::Result<DuplexStream> {
    let refused = |why| io::Error::new(io::ErrorKind::ConnectionRefused, why);
    let listener = bound().get(name).cloned();
    let listener = listener.ok_or_else(|| refused("no server of this process has the name"))?;
    let (own, other) = duplex(PIPE_BYTES);
    listener.try_send((other, identity)).map_err(|_| refused("too many connections wait to be accepted"))?;
    Ok(own)
}
