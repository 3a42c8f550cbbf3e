//! `zsvc ping`

use std::time::{Duration, Instant};

use clap::Args;
use serde_json::json;
use zsvc_dynamic::duration;

use super::Outcome;
use crate::live::failure::Failure;
use crate::live::output::Output;
use crate::live::run::{Stop, run};
use crate::live::target::{Connected, Target};

/// The arguments of `ping`.
#[derive(Debug, Args)]
pub(crate) struct Ping {
    /// Number of pings.
    #[arg(short, long, value_name = "N", default_value_t = 4)]
    count: u32,
    /// Time from one ping to the next.
    #[arg(long, value_name = "TIME", default_value = "200ms", value_parser = duration)]
    interval: Duration,
    #[command(flatten)]
    target: Target,
}

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

impl Ping {
    /// Asks the server for signs of life, and prints how long each took.
    pub(crate) fn run(self) -> Outcome {
        run(self.target.json, self.ping())
    }

    async fn ping(&self) -> Result<(), Stop> {
        self.target.with_server(async |connected| self.all(connected).await).await
    }

    async fn all(&self, connected: &Connected) -> Result<(), Stop> {
        let output = Output::new();
        let mut times: Vec<Duration> = Vec::new();
        for number in 1..=self.count {
            if number > 1 {
                tokio::time::sleep(self.interval).await;
            }
            let began = Instant::now();
            let answer = zsvc::dynamic::ping(&connected.channel, PATIENCE).await;
            answer.map_err(|status| Failure::of_status(&status))?;
            let took = began.elapsed();
            times.push(took);
            let line = if self.target.json {
                let seconds = took.as_secs_f64();
                json!({ "endpoint": connected.endpoint, "number": number, "seconds": seconds }).to_string()
            } else {
                format!("{}: answer {number} after {}", connected.endpoint, milliseconds(took))
            };
            output.line(&line)?;
        }
        if self.target.json || times.is_empty() {
            return Ok(());
        }
        times.sort_unstable();
        let median = times[times.len() / 2];
        let (least, most) = (times[0], times[times.len() - 1]);
        output.line(&format!(
            "least {}, median {}, most {}",
            milliseconds(least),
            milliseconds(median),
            milliseconds(most)
        ))?;
        Ok(())
    }
}

fn milliseconds(time: Duration) -> String {
    format!("{:.3} ms", time.as_secs_f64() * 1e3)
}
