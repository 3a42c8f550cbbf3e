//! `zsvc stats [--watch]`

use std::io::Write as _;
use std::time::Duration;

use clap::Args;
use serde_json::json;
use zsvc_dynamic::duration;

use super::Outcome;
use crate::live::caller::{CallFailure, Caller};
use crate::live::failure::Failure;
use crate::live::output::{Closed, Output};
use crate::live::reflection::{builtin, builtin_method};
use crate::live::run::{Stop, run};
use crate::live::snapshot::Snapshot;
use crate::live::target::{Connected, Target};

/// The arguments of `stats`.
#[derive(Debug, Args)]
pub(crate) struct Stats {
    /// Prints the numbers again after each interval; on a terminal, in the place of those before.
    #[arg(short, long)]
    watch: bool,
    /// Time between two prints, 100 ms at least.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration)]
    interval: Duration,
    /// Prints the methods of the services that every server has by itself, too.
    #[arg(short, long)]
    all: bool,
    #[command(flatten)]
    target: Target,
}

/// Clears a terminal from the cursor on, once that is at the top.
const TOP: &str = "\x1b[H\x1b[J";
/// Shows another screen of a terminal without a cursor, and the first one again.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";

/// A screen of the terminal for a table that is printed again and again. The screen before is back once this is dropped.
struct Screen;

impl Screen {
    fn enter() -> Self {
        write(ENTER);
        Self
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        write(LEAVE);
    }
}

fn write(text: &str) {
    // Without a terminal there is no one to see it.
    let _ = std::io::stdout().write_all(text.as_bytes()).and_then(|()| std::io::stdout().flush());
}

impl Stats {
    /// Prints what a server has done, method by method.
    pub(crate) fn run(self) -> Outcome {
        run(self.target.json, self.stats())
    }

    async fn stats(&self) -> Result<(), Stop> {
        self.target.with_server(async |connected| self.ask(connected).await).await
    }

    async fn ask(&self, connected: &Connected) -> Result<(), Stop> {
        let caller = Caller::new(&connected.channel, builtin());
        let output = Output::new();
        if !self.watch {
            let method = builtin_method("zsvc.stats.v1.Stats/read")?;
            let answer = caller.unary(&method, "{}").await.map_err(untold)?;
            self.print(&answer, None, output)?;
            return Ok(());
        }
        let method = builtin_method("zsvc.stats.v1.Stats/watch")?;
        let params = json!({ "interval": format!("{}s", self.interval.as_secs_f64()) }).to_string();
        let mut answers = caller.server_stream(&method, &params).await.map_err(untold)?;
        let is_live = output.is_terminal() && !self.target.json;
        let _screen = is_live.then(Screen::enter);
        let mut before = None;
        while let Some(answer) = answers.next().await {
            if is_live {
                write(TOP);
            }
            before = self.print(&answer.map_err(untold)?, before.as_ref(), output)?;
        }
        Ok(())
    }

    /// Prints the numbers of one moment, and the rates since those before.
    fn print(
        &self,
        answer: &str,
        before: Option<&Snapshot>,
        output: Output,
    ) -> Result<Option<Snapshot>, Stop> {
        if self.target.json {
            output.line(answer)?;
            return Ok(None);
        }
        let snapshot: Snapshot = serde_json::from_str(answer).map_err(|error| {
            Failure::unusable(format!(
                "the server tells its numbers in a form that this version can't read: {error}"
            ))
        })?;
        let lines = snapshot.table(before, self.all);
        lines.iter().try_for_each(|line| output.line(line)).map_err(|Closed| Stop::Closed)?;
        Ok(Some(snapshot))
    }
}

/// Returns what is told where a server does not tell its numbers.
fn untold(failure: CallFailure) -> Failure {
    match failure.code() {
        Some(zsvc::Code::Unimplemented) => Failure::unusable("the server has no `zsvc.stats.v1.Stats`")
            .help("turn it on where the server is built"),
        Some(zsvc::Code::PermissionDenied | zsvc::Code::Unauthenticated) => failure
            .into_failure()
            .help("this server tells its numbers to clients alone that it knows: give `--key FILE`"),
        _ => failure.into_failure(),
    }
}
