//! Soak test: mixed calls, streams and cancellations against two servers that are killed, stopped and restarted,
//! through connections that fail in every way. At the end every call is accounted for: what its caller was told
//! agrees with what the servers wrote.
//!
//! - [`stage`]: the servers, the proxies in front of them, and the faults.
//! - [`load`]: the callers.
//! - [`account`]: how each call ended, and whether it is consistent.

mod account;
mod load;
mod stage;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand};
use zsvc::Channel;
use zsvc_faults::faults::v1::LedgerClient;
use zsvc_faults::{Serving, resident};

use account::Account;
use load::Load;
use stage::Stage;

/// Calls two servers through faulty connections, and accounts for every call.
///
/// Exit status: 0 if every call ended, everything that callers were told is true, and memory stayed flat; 1 if not.
#[derive(Debug, Parser)]
#[command(name = "soak", args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    part: Option<Part>,
    /// Duration of the run in seconds.
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// Number of concurrent callers.
    #[arg(long, default_value_t = 32)]
    callers: usize,
    /// Seed for the faults and calls. The order in which things happen also depends on the machine.
    #[arg(long)]
    seed: Option<u64>,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// Runs one of the servers. For internal use by this program.
    #[command(hide = true)]
    Serve(Serving),
}

type Failure = Box<dyn std::error::Error>;

/// Time that calls get to end after no new ones are started. All of them have deadlines, or end with their
/// connection.
const DRAIN_TIMEOUT: Duration = Duration::from_mins(1);

fn main() -> Result<ExitCode, Failure> {
    let arguments = Arguments::parse();
    if let Some(Part::Serve(serving)) = arguments.part {
        serving.run()?;
        return Ok(ExitCode::SUCCESS);
    }
    tokio::runtime::Runtime::new()?.block_on(soak(&arguments))
}

async fn soak(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let seed = arguments.seed.unwrap_or_else(|| fastrand::u64(..));
    println!("{} s with {} callers, seed {seed}", arguments.seconds, arguments.callers);
    let mut stage = Stage::set(fastrand::Rng::with_seed(seed)).await?;
    let ledger = LedgerClient::new(connect(&stage).await?);
    let account = Arc::new(Account::default());
    let load = Load::begin(&ledger, &account, arguments.callers, seed);

    let began = Instant::now();
    let (time, warm) = (Duration::from_secs(arguments.seconds), Duration::from_secs(arguments.seconds / 5));
    stage.act_for(warm).await?;
    let before = resident()?;
    stage.act_for(time.saturating_sub(began.elapsed())).await?;
    let after = resident()?;
    stage.heal();
    let all_ended = load.end(DRAIN_TIMEOUT).await;
    stage.end().await?;

    let verdict = account.check(&stage.written()?);
    let faults = stage.faults();
    println!("{faults} faults; {}", account.summary());
    println!("memory {} MiB after warming up, {} MiB at the end", before >> 20, after >> 20);
    let mut wrong = verdict;
    if !all_ended {
        wrong.push(format!("calls were still in flight {DRAIN_TIMEOUT:?} after the last fault"));
    }
    if after > before + before / 10 + MEMORY_SLACK_BYTES {
        wrong.push("memory has grown".to_owned());
    }
    for line in &wrong {
        println!("wrong: {line}");
    }
    println!("{}", if wrong.is_empty() { "every call is accounted for" } else { "some checks failed" });
    Ok(if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// How much memory may grow beyond a tenth, in bytes: faults leave more or less data in transit at any moment, and
/// the fate of every call is kept until the end, at a few bytes each.
const MEMORY_SLACK_BYTES: u64 = 24 << 20;

async fn connect(stage: &Stage) -> Result<Channel, zsvc::Status> {
    let endpoints = stage.endpoints();
    let channel = endpoints.into_iter().fold(Channel::builder(), zsvc::ChannelBuilder::endpoint);
    channel.heartbeat(stage::HEARTBEAT).connect().await
}
