//! `zsvc bench METHOD [PARAMETERS]`

use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use zsvc::dynamic::RawValue;
use zsvc_dynamic::duration;
use zsvc_dynamic::find::FoundMethod;
use zsvc_idl::schema::{MethodKind, Type};

use super::Outcome;
use super::call::Parameters;
use crate::bench::load::Load;
use crate::bench::plot;
use crate::bench::result::Measured;
use crate::bench::stream::Items;
use crate::live::caller::{Caller, of_schema};
use crate::live::failure::Failure;
use crate::live::items::{Lines, shown_name};
use crate::live::known::{Known, SchemaFiles};
use crate::live::output::Output;
use crate::live::reflection::Reflection;
use crate::live::run::{Stop, run};
use crate::live::target::{Connected, Target};

/// The arguments of `bench`.
#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// The method. One operation is one call, with all of its streams, which have to end.
    #[arg(value_name = "METHOD")]
    method: String,
    #[command(flatten)]
    params: Parameters,
    /// Number of callers, each of which makes one call at a time; with `--rate`, the maximum number of calls in flight.
    #[arg(short, long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    concurrency: u32,
    /// Calls per second that are due, whatever the server does; each is measured from when it was due. Without it, each caller calls
    /// again once it was answered.
    #[arg(short, long, value_name = "R", value_parser = rate)]
    rate: Option<f64>,
    /// How long calls are made.
    #[arg(short = 'D', long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    duration: Duration,
    /// How long calls are made before, which are not measured.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration)]
    warmup: Duration,
    /// How long a call may take, in place of the method's own deadline.
    #[arg(short, long, value_name = "TIME", value_parser = duration)]
    deadline: Option<Duration>,
    /// Writes a plot of the times by percentile.
    #[arg(long, value_name = "FILE")]
    svg: Option<std::path::PathBuf>,
    /// The items of the method's stream, a line of JSON each: a file, or `-` for standard input. Each call sends them in turns.
    #[arg(long, value_name = "FILE")]
    items: Option<String>,
    /// Number of items that each call sends, of a method that takes a stream; 100 without it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    stream_length: Option<u64>,
    #[command(flatten)]
    schema: SchemaFiles,
    #[command(flatten)]
    target: Target,
}

/// Number of items that each call sends, where none is given.
const STREAM_LENGTH: u64 = 100;

/// Maximum size of all items together, as they are on the wire.
const MAX_ITEMS_BYTES: usize = 256 * 1024 * 1024;

/// Reads calls per second.
fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "it is a number of calls per second".to_owned())?;
    if (0.001..=10_000_000.0).contains(&rate) {
        Ok(rate)
    } else {
        Err("it is between 0.001 and 10 million".to_owned())
    }
}

impl Bench {
    /// Makes calls for some time, and prints how long they took.
    pub(crate) fn run(self) -> Outcome {
        run(self.target.json, self.bench())
    }

    async fn bench(&self) -> Result<(), Stop> {
        let files = self.schema.read()?;
        self.target.with_server(async |connected| self.over(connected, files).await).await
    }

    async fn over(&self, connected: &Connected, files: Option<Known>) -> Result<(), Stop> {
        let (known, name) = match files {
            Some(known) => (known, self.method.clone()),
            None => Known::of_method(&Reflection::new(&connected.channel), &self.method).await?,
        };
        let method = known.method(&name)?;
        let item_type = self.item_type(&method)?;
        let json = self.params.json(&known, &method)?;
        let caller = Caller::new(&connected.channel, &known.schema);
        let params = caller.params(&method, &json).map_err(|error| self.params.wrong(&error))?;
        let items = match item_type {
            Some(ty) => Some(self.items(&caller, ty).await?),
            None => None,
        };
        let load = |rate| Load {
            channel: connected.channel.clone(),
            method: of_schema(&method),
            params: params.clone(),
            items: items
                .as_ref()
                .map(|items| Items::new(Arc::clone(items), self.stream_length.unwrap_or(STREAM_LENGTH))),
            deadline: self.deadline,
            concurrency: self.concurrency as usize,
            rate,
        };
        if !self.warmup.is_zero() {
            load(None).run(self.warmup, |_| {}).await;
        }
        let bar = ProgressBar::new(self.duration, self.target.json);
        let measured = load(self.rate).run(self.duration, |elapsed| bar.draw(elapsed)).await;
        drop(bar);
        self.tell(&measured)
    }

    /// Returns the type of the items that each call sends, if the method takes a stream. What makes no sense to be measured is refused.
    fn item_type<'k>(&self, method: &FoundMethod<'k>) -> Result<Option<&'k Type>, Failure> {
        let name = &method.name;
        match (&method.method.kind, &self.items) {
            (MethodKind::OneWay, _) => {
                let message = format!("`{name}` is one-way: no answer tells when a call of it is over");
                Err(Failure::unusable(message).help("choose a method that answers"))
            }
            (MethodKind::ClientStream(stream, _) | MethodKind::Bidirectional(stream, _), Some(items)) => {
                if items == "-" && self.params.are_standard_input() {
                    let message = "standard input can't be both the parameters and the items of the stream";
                    return Err(Failure::unusable(message)
                        .help("give the parameters as an argument, or the items by `--items FILE`"));
                }
                Ok(Some(&stream.item))
            }
            (MethodKind::ClientStream(..) | MethodKind::Bidirectional(..), None) => Err(Failure::unusable(
                format!("`{name}` takes a stream, and no items are given"),
            )
            .help(
                "give `--items FILE`: lines of JSON, which each call sends in turns; `-` is standard input",
            )),
            (_, Some(_)) => {
                Err(Failure::unusable(format!("`{name}` takes no stream, and `--items` is given")))
            }
            (_, None) if self.stream_length.is_some() => {
                Err(Failure::unusable(format!("`{name}` takes no stream, and `--stream-length` is given")))
            }
            (_, None) => Ok(None),
        }
    }

    /// Reads the items before anything is measured.
    async fn items(&self, caller: &Caller<'_>, ty: &Type) -> Result<Arc<[RawValue]>, Failure> {
        let path = self.items.as_deref().unwrap_or("-");
        let (mut lines, mut items, mut bytes) = (Lines::open(path)?, Vec::new(), 0);
        while let Some(line) = lines.next().await {
            let item = caller.item(ty, line?)?;
            bytes += item.clone().into_bytes().len();
            items.push(item);
            if bytes > MAX_ITEMS_BYTES {
                let message =
                    format!("the items of {} have more than {} MiB", shown_name(path), MAX_ITEMS_BYTES >> 20);
                return Err(Failure::unusable(message).help("fewer will do: each call sends them in turns"));
            }
        }
        if items.is_empty() {
            return Err(Failure::unusable(format!("{} has no items", shown_name(path)))
                .help("write at least one, as a line of JSON"));
        }
        Ok(items.into())
    }

    /// Prints what was measured, and draws it if that is wanted.
    fn tell(&self, measured: &Measured) -> Result<(), Stop> {
        if let Some(path) = &self.svg {
            std::fs::write(path, plot::svg(measured)).map_err(|error| {
                Failure::unusable(format!("`{}` can't be written: {error}", path.display()))
                    .help("check the path")
            })?;
        }
        let output = Output::new();
        if self.target.json {
            output.line(&measured.json().to_string())?;
        } else {
            measured.lines().iter().try_for_each(|line| output.line(line))?;
        }
        Ok(())
    }
}

/// How much of the time is over, drawn on a terminal. Its line is cleared at the end, and by an interruption, too.
struct ProgressBar {
    duration: Duration,
    is_shown: bool,
}

impl ProgressBar {
    fn new(duration: Duration, as_json: bool) -> Self {
        Self { duration, is_shown: std::io::stderr().is_terminal() && !as_json }
    }

    fn draw(&self, elapsed: Duration) {
        if !self.is_shown {
            return;
        }
        let part = (elapsed.as_secs_f64() / self.duration.as_secs_f64()).clamp(0.0, 1.0);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 40")]
        let full = (part * 40.0) as usize;
        eprint(&format!("\r[{}{}] {:.0} s", "#".repeat(full), " ".repeat(40 - full), elapsed.as_secs_f64()));
    }
}

impl Drop for ProgressBar {
    fn drop(&mut self) {
        if self.is_shown {
            eprint("\r\x1b[K");
        }
    }
}

fn eprint(text: &str) {
    // Without a terminal there is no one to see it.
    let _ = std::io::stderr().write_all(text.as_bytes());
}
