//! A client of `Ledger` in a process of its own, for tests that do to it what happens to processes.
//!
//! It says `ready` once its call has reached the server.

use bytes::Bytes;
use clap::{Parser, ValueEnum};
use futures_util::stream;
use zsvc_faults::faults::v1::LedgerClient;

/// Calls `Ledger`.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where.
    #[arg(long)]
    connect: String,
    /// What to do there.
    #[arg(long)]
    part: Part,
}

/// What a client does.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Part {
    /// Reads a stream without an end.
    Watch,
    /// Opens a stream without an end and never reads it.
    Hoard,
    /// Sends an item, and never the end.
    Dawdle,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Arguments { connect, part } = Arguments::parse();
    let ledger = LedgerClient::connect(connect).await?;
    match part {
        Part::Watch => {
            let mut items = ledger.watch(u64::MAX, 64).await?;
            let first = items.next().await;
            println!("ready {}", first.is_some());
            while let Some(item) = items.next().await {
                item?;
            }
        }
        Part::Hoard => {
            let mut items = ledger.watch(u64::MAX, 64).await?;
            let first = items.next().await;
            println!("ready {}", first.is_some());
            std::future::pending::<()>().await;
        }
        Part::Dawdle => {
            let endless = stream::once(async { Bytes::from_static(&[7; 64]) });
            let endless = futures_util::StreamExt::chain(endless, stream::pending());
            println!("ready");
            ledger.gather(0, endless).no_deadline().await?;
        }
    }
    Ok(())
}
