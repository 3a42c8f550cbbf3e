//! [`Serving`]: a server of `Ledger` as the main task of a process.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use zsvc::{Engine, Server};

use crate::faults::v1::LedgerServer;
use crate::{Book, Keeper};

/// How and where to serve `Ledger`.
#[derive(Debug, Args)]
pub struct Serving {
    /// Endpoint to bind.
    #[arg(long, default_value = "tcp://127.0.0.1:*")]
    bind: String,
    /// File to which keys are written.
    #[arg(long)]
    book: PathBuf,
    /// Maximum size of a message in bytes.
    #[arg(long)]
    message_size: Option<usize>,
    /// Milliseconds after which a silent client is dropped.
    #[arg(long)]
    peer_timeout: Option<u64>,
    /// Milliseconds of silence after which a connection is sent a heartbeat.
    #[arg(long)]
    heartbeat: Option<u64>,
    /// Milliseconds that calls in flight get to end after the server was asked to stop.
    #[arg(long)]
    grace: Option<u64>,
    /// Engine that carries messages; by default that of the environment.
    #[arg(long, value_parser = engine)]
    engine: Option<Engine>,
    /// Maximum number of connections in their handshake, of one address and in all.
    #[arg(long, num_args = 2)]
    max_handshakes: Option<Vec<usize>>,
    /// Number of worker threads; one per core by default.
    #[arg(long)]
    threads: Option<usize>,
}

fn engine(name: &str) -> Result<Engine, String> {
    let found = [Engine::Zmtp, Engine::Libzmq].into_iter().find(|engine| engine.name() == name);
    found.ok_or_else(|| "an engine is `zmtp` or `libzmq`".to_owned())
}

impl Serving {
    /// Serves until the process is asked to end (`SIGTERM`), then drains. Prints `serving at ENDPOINT`, and `out` at
    /// the end.
    ///
    /// # Errors
    /// The book can't be opened, the endpoint can't be bound, or the socket failed.
    pub fn run(self) -> Result<(), Box<dyn std::error::Error>> {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        if let Some(threads) = self.threads {
            builder.worker_threads(threads);
        }
        builder.enable_all().build()?.block_on(self.serve())
    }

    async fn serve(self) -> Result<(), Box<dyn std::error::Error>> {
        let keeper = Keeper::new(Book::open(&self.book)?);
        let tally = keeper.tally();
        let mut builder = Server::builder().service(LedgerServer::new(keeper)).bind(self.bind);
        if let Some(engine) = self.engine {
            builder = builder.engine(engine);
        }
        if let Some(bytes) = self.message_size {
            builder = builder.max_message_size(bytes);
        }
        if let Some(timeout) = self.peer_timeout {
            builder = builder.peer_timeout(Duration::from_millis(timeout));
        }
        if let Some(interval) = self.heartbeat {
            builder = builder.heartbeat(Duration::from_millis(interval));
        }
        if let Some(grace) = self.grace {
            builder = builder.grace(Duration::from_millis(grace));
        }
        if let Some([per_address, all]) = self.max_handshakes.as_deref() {
            builder = builder.max_handshakes(*per_address, *all);
        }
        // Handlers panic by the hundred on request; the tests check the results of the calls.
        std::panic::set_hook(Box::new(|_| {}));
        let mut terminate = signal(SignalKind::terminate())?;
        let server = builder.listen()?;
        tally.tell_of(server.counters());
        println!("serving at {}", server.endpoints()[0]);
        server.serve_until(terminate.recv()).await?;
        println!("out");
        Ok(())
    }
}
