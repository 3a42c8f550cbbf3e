//! A server of `Ledger` in a process of its own, for tests that do to it what happens to processes.
//!
//! It says `serving at ENDPOINT`, drains when it is asked to end (`SIGTERM`), and then says `out`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use zsvc::Server;
use zsvc_faults::faults::v1::LedgerServer;
use zsvc_faults::{Book, Keeper};

/// Serves `Ledger`.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where.
    #[arg(long, default_value = "tcp://127.0.0.1:*")]
    bind: String,
    /// The file that keys are written into.
    #[arg(long)]
    book: PathBuf,
    /// After how many milliseconds a silent client is given up.
    #[arg(long)]
    peer_timeout: Option<u64>,
    /// After how many milliseconds of silence a connection is asked for a sign of life.
    #[arg(long)]
    heartbeat: Option<u64>,
    /// For how many milliseconds calls in flight may go on after it was asked to end.
    #[arg(long)]
    grace: Option<u64>,
    /// Worker threads, if not one per core.
    #[arg(long)]
    threads: Option<usize>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = arguments.threads {
        builder.worker_threads(threads);
    }
    builder.enable_all().build()?.block_on(serve(arguments))
}

async fn serve(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let keeper = Keeper::new(Book::open(&arguments.book)?);
    let tally = keeper.tally();
    let mut builder = Server::builder().service(LedgerServer::new(keeper)).bind(arguments.bind);
    if let Some(timeout) = arguments.peer_timeout {
        builder = builder.peer_timeout(Duration::from_millis(timeout));
    }
    if let Some(interval) = arguments.heartbeat {
        builder = builder.heartbeat(Duration::from_millis(interval));
    }
    if let Some(grace) = arguments.grace {
        builder = builder.grace(Duration::from_millis(grace));
    }
    // Handlers panic by the hundred when they are asked to; the tests look at what calls come to.
    std::panic::set_hook(Box::new(|_| {}));
    let mut terminate = signal(SignalKind::terminate())?;
    let server = builder.listen()?;
    tally.tell_of(server.counters());
    println!("serving at {}", server.endpoints()[0]);
    server.serve_until(terminate.recv()).await?;
    println!("out");
    Ok(())
}
