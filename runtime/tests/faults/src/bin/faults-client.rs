//! A client of `Ledger` in a separate process, which tests can kill, stop and continue.
//!
//! It prints `ready` once its call has reached the server.

use std::time::Duration;

use bytes::Bytes;
use clap::{Parser, ValueEnum};
use futures_util::stream;
use tokio::signal::unix::{SignalKind, signal};
use zsvc::Channel;
use zsvc_faults::faults::v1::LedgerClient;

/// Calls `Ledger`.
#[derive(Debug, Parser)]
struct Arguments {
    /// Endpoint of the server.
    #[arg(long)]
    connect: String,
    /// What to do.
    #[arg(long)]
    part: Part,
}

/// What a client does.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Part {
    /// Reads an endless stream.
    Watch,
    /// Opens an endless stream and never reads it.
    Hoard,
    /// Sends an item, and never ends the stream.
    Dawdle,
    /// Connects, makes no call, and blocks its thread for a second after `SIGTERM`, so that it receives nothing.
    Daze,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Arguments { connect, part } = Arguments::parse();
    let mut runtime = match part {
        Part::Daze => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    runtime.enable_all().build()?.block_on(play(&connect, part))
}

async fn play(connect: &str, part: Part) -> Result<(), Box<dyn std::error::Error>> {
    if let Part::Daze = part {
        let channel = Channel::builder().endpoint(connect).heartbeat(Duration::from_millis(100));
        let mut cue = signal(SignalKind::terminate())?;
        let _channel = channel.connect_lazy()?;
        cue.recv().await;
        println!("dazed");
        // Blocks the only thread.
        std::thread::sleep(Duration::from_secs(1));
        return Ok(());
    }
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
        Part::Daze => {}
    }
    Ok(())
}
