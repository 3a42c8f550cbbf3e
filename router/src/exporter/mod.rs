//! [`Exporter`]: the numbers of this process for Prometheus, over HTTP.
//!
//! The crate `metrics-exporter-prometheus` holds and writes the numbers. Its own listener is not used: it takes any number of connections,
//! waits for each without end, and brings an HTTP framework along. What is needed of HTTP is one request without a body: [`http`].

mod http;
mod recorder;

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::MissedTickBehavior;

use recorder::Numbers;

/// Maximum number of connections at a time. For the next one, the oldest is closed that has not asked for anything; if all have, it waits in
/// the system's queue.
const MAX_CONNECTIONS: usize = 16;
/// Time that a connection has, if nothing else is said.
const MAX_TIME: Duration = Duration::from_secs(10);
/// Time between two looks for numbers that nothing sets any more.
const UPKEEP_PAUSE: Duration = Duration::from_secs(20);
/// Time until the system is asked again for a connection that it could not give.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// An endpoint at which Prometheus asks for numbers.
#[derive(Debug)]
pub(crate) struct Exporter {
    listener: TcpListener,
    numbers: Numbers,
    /// Time that a connection has to ask, and to read what it is answered.
    max_time: Duration,
}

impl Exporter {
    /// Listens, and has the numbers of this process recorded from here on. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// The address can't be bound, or the program records its numbers elsewhere.
    pub(crate) fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = StdListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        Ok(Self { listener, numbers: Numbers::of_this_process()?, max_time: MAX_TIME })
    }

    /// Returns the address, with the port that was chosen if any was to do.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers for as long as it is polled.
    pub(crate) async fn run(self) {
        let mut connections = Connections::default();
        let mut upkeep = tokio::time::interval(UPKEEP_PAUSE);
        upkeep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = upkeep.tick() => self.numbers.forget_old(),
                stream = self.accept(), if connections.has_room() => {
                    let (numbers, max_time) = (self.numbers.clone(), self.max_time);
                    connections.add(|asked| async move {
                        // One that is slow is closed; a peer that is gone has no use for the reason.
                        let _ = tokio::time::timeout(max_time, http::answer(stream, &numbers, &asked)).await;
                    });
                }
                Some(_) = connections.tasks.join_next() => {}
            }
        }
    }

    /// Returns the next connection.
    async fn accept(&self) -> TcpStream {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => return stream,
                // There is no descriptor for it, or it is gone already.
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
    }
}

/// The connections that there are.
#[derive(Debug, Default)]
struct Connections {
    tasks: JoinSet<()>,
    /// The oldest first, each with whether it has asked. Some may have ended.
    known: Vec<(AbortHandle, Arc<AtomicBool>)>,
}

impl Connections {
    /// Reports whether there is room for one more, which one that has not asked may have to make.
    fn has_room(&self) -> bool {
        let is_busy = |(task, asked): &&(AbortHandle, Arc<AtomicBool>)| {
            !task.is_finished() && asked.load(Ordering::Acquire)
        };
        self.known.iter().filter(is_busy).count() < MAX_CONNECTIONS
    }

    /// Adds one. If there are as many as may be, the oldest that has not asked ends.
    fn add<F: Future<Output = ()> + Send + 'static>(&mut self, answer: impl FnOnce(Arc<AtomicBool>) -> F) {
        self.known.retain(|(task, _)| !task.is_finished());
        let silent = self.known.iter().position(|(_, asked)| !asked.load(Ordering::Acquire));
        if self.known.len() >= MAX_CONNECTIONS
            && let Some(silent) = silent
        {
            self.known.remove(silent).0.abort();
        }
        let asked = Arc::new(AtomicBool::new(false));
        let task = self.tasks.spawn(answer(Arc::clone(&asked)));
        self.known.push((task, asked));
    }
}

#[cfg(test)]
mod tests;
