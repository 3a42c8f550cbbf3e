//! [`Exporter`]: the numbers of this process for Prometheus, over HTTP.
//!
//! The crate `metrics-exporter-prometheus` holds and writes the numbers. Its own listener is not used: it takes any number of connections,
//! waits for each without end, and brings an HTTP framework along. What is needed of HTTP is one request without a body: [`http`].

mod http;
mod recorder;

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::MissedTickBehavior;

use recorder::Numbers;

/// Maximum number of connections at a time. The next ones wait in the system's queue.
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
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let mut upkeep = tokio::time::interval(UPKEEP_PAUSE);
        upkeep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = upkeep.tick() => self.numbers.forget_old(),
                (place, stream) = self.accept(&places) => {
                    let (numbers, max_time) = (self.numbers.clone(), self.max_time);
                    tokio::spawn(async move {
                        // One that is slow is closed; a peer that is gone has no use for the reason.
                        let _ = tokio::time::timeout(max_time, http::answer(stream, &numbers)).await;
                        drop(place);
                    });
                }
            }
        }
    }

    /// Returns the next connection, once there is a place for it.
    async fn accept(&self, places: &Arc<Semaphore>) -> (impl Send + use<>, TcpStream) {
        loop {
            // The semaphore is never closed.
            let place = Arc::clone(places).acquire_owned().await.ok();
            match self.listener.accept().await {
                Ok((stream, _)) => return (place, stream),
                // There is no descriptor for it, or it is gone already.
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
    }
}

#[cfg(test)]
mod tests;
