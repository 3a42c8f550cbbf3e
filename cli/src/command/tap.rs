//! `zsvc tap --listen ADDRESS --endpoint ENDPOINT`

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::Write as _;
use std::rc::Rc;
use std::time::{Duration, Instant};

use clap::Args;
use tokio::net::TcpListener;
use zsvc_codegen::reason;

use super::Outcome;
use crate::live::caller::Caller;
use crate::live::failure::{Failure, shown};
use crate::live::items::{Lines, read_all};
use crate::live::known::{Known, SchemaFiles};
use crate::live::output::Output;
use crate::live::reflection::Reflection;
use crate::live::run::{Stop, run, unless_interrupted};
use crate::live::target::{Connected, Target};
use crate::tap::conversation::{Side, Told};
use crate::tap::proxy::{self, Event, Tell};
use crate::tap::recording;

/// The arguments of `tap`.
#[derive(Debug, Args)]
pub(crate) struct Tap {
    /// Address to listen at, for clients; at port 0 the system chooses one.
    #[arg(short, long, value_name = "ENDPOINT", default_value = "tcp://127.0.0.1:7101")]
    listen: String,
    /// Shows only what is of methods whose full name has this text; may be given several times.
    #[arg(short, long, value_name = "TEXT")]
    filter: Vec<String>,
    /// Shows pings, credit and connections, too.
    #[arg(short, long)]
    all: bool,
    /// Writes what passes into a file, a line of JSON each.
    #[arg(long, value_name = "FILE", conflicts_with = "replay")]
    record: Option<std::path::PathBuf>,
    /// Makes the calls of a recording again, at the pace at which they were made, and prints their answers. Nothing is listened to.
    #[arg(long, value_name = "FILE")]
    replay: Option<String>,
    #[command(flatten)]
    schema: SchemaFiles,
    #[command(flatten)]
    target: Target,
}

impl Tap {
    /// Shows what passes, until it is interrupted; or makes calls of a recording again.
    pub(crate) fn run(self) -> Outcome {
        let json = self.target.json;
        run(json, async {
            match &self.replay {
                Some(path) => self.replay(path).await,
                None => tokio::task::LocalSet::new().run_until(self.tap()).await,
            }
        })
    }

    async fn tap(&self) -> Result<(), Stop> {
        let endpoint = self.target.endpoint()?;
        let to = address(&endpoint)?;
        let known = match self.schema.read()? {
            Some(known) => Some(known),
            None => self.ask().await?,
        };
        // Connections may outlive everything but the process.
        let known: Option<&'static Known> = known.map(|known| &*Box::leak(Box::new(known)));
        let listener = TcpListener::bind(address(&self.listen)?).await.map_err(|error| {
            Failure::unusable(format!("`{}` can't be bound: {}", shown(&self.listen), reason(&error)))
                .help("choose another by `--listen`")
        })?;
        let bound = listener.local_addr().map_err(|error| Failure::unusable(reason(&error)))?;
        let output = Output::new();
        if !self.target.json {
            output.line(&format!("tap of {} at tcp://{bound}", shown(&endpoint)))?;
        }
        let (closed, is_closed) = (Rc::new(tokio::sync::Notify::new()), Rc::new(Cell::new(false)));
        let tell = self.teller(output, Rc::clone(&closed), Rc::clone(&is_closed))?;
        unless_interrupted(async {
            tokio::select! {
                () = proxy::serve(listener, to, known, tell) => Ok(()),
                () = closed.notified() => Err(Stop::Closed),
            }
        })
        .await
    }

    /// Asks the server for the schemas of all its services, which are one only if they are of the same files.
    async fn ask(&self) -> Result<Option<Known>, Stop> {
        // A server that can't be reached ends the command, and one that tells no schema does not.
        let connected = self.target.connect().await?;
        match connected.until_interrupted(all_schemas).await {
            Ok(known) => Ok(Some(known)),
            // Sizes and methods are seen without a schema.
            Err(Stop::Failed(failure)) => {
                failure.note("shown", "methods and sizes alone").tell(false);
                Ok(None)
            }
            Err(stop) => Err(stop),
        }
    }

    /// Returns what tells of records: to standard output, and to the recording.
    fn teller(
        &self,
        output: Output,
        closed: Rc<tokio::sync::Notify>,
        is_closed: Rc<Cell<bool>>,
    ) -> Result<Tell, Failure> {
        let record = self.record.as_ref().map(|path| {
            File::create(path).map_err(|error| {
                Failure::unusable(format!("`{}` can't be written: {}", path.display(), reason(&error)))
                    .help("check the path")
            })
        });
        let record = RefCell::new(record.transpose()?);
        let (filter, all, json, began) = (self.filter.clone(), self.all, self.target.json, Instant::now());
        Ok(Rc::new(move |connection, event| {
            let seconds = began.elapsed().as_secs_f64();
            let line = match event {
                Event::Told(told) if !all && is_minor(told) => return,
                Event::Told(told) if !passes(&filter, told) => return,
                Event::Told(told) => {
                    let line = recording::line(seconds, connection, told);
                    if let Some(file) = record.borrow_mut().as_mut() {
                        // What can't be recorded is still shown.
                        let _ = writeln!(file, "{line}");
                    }
                    if json { line } else { human(seconds, connection, told) }
                }
                Event::Note(side, note) => format!("{seconds:9.3} #{connection} {} {note}", arrow(*side)),
                Event::Opened(address) if all => format!("{seconds:9.3} #{connection} opened by {address}"),
                Event::Closed if all => format!("{seconds:9.3} #{connection} closed"),
                Event::Failed(why) => format!("{seconds:9.3} #{connection} failed: {}", shown(why)),
                Event::Opened(_) | Event::Closed => return,
            };
            let is_line = matches!(event, Event::Told(_));
            if (is_line || !json) && !is_closed.get() && output.line(&line).is_err() {
                is_closed.set(true);
                closed.notify_one();
            }
        }))
    }

    /// Makes the calls of a recording again.
    async fn replay(&self, path: &str) -> Result<(), Stop> {
        let calls = recording::calls(&read_all(path)?).map_err(|(line, why)| {
            Failure::unusable(format!(
                "line {line} of `{}` is none of a recording: {why}",
                path.escape_debug()
            ))
            .help("`zsvc tap --record FILE` writes recordings")
        })?;
        let replayed = async |connected: &Connected| {
            let known = match self.schema.read()? {
                Some(known) => known,
                None => all_schemas(connected).await?,
            };
            let caller = Caller::new(&connected.channel, &known.schema);
            let began = Instant::now();
            let output = Output::new();
            let calls = calls.into_iter().map(|call| again(call, &caller, &known, began, output));
            // All at once, since each waits for its time.
            all_of(calls.collect()).await
        };
        self.target.with_server(replayed).await
    }
}

async fn again(
    call: recording::Recorded,
    caller: &Caller<'_>,
    known: &Known,
    began: Instant,
    output: Output,
) -> Result<(), Stop> {
    tokio::time::sleep_until((began + call.at).into()).await;
    let method = known.method(&call.method)?;
    output.line(&format!("{} {}", method.name, call.params))?;
    let items = Lines::at_times(call.items.into_iter().map(|(at, item)| (began + at, item)).collect());
    match caller.make(&method, &call.params, Some(items), output).await {
        // How one call ends is no reason to end the others.
        Err(Stop::Failed(failure)) => {
            failure.tell(false);
            Ok(())
        }
        made => made,
    }
}

/// Runs all futures until they are done, or one of them stops.
async fn all_of<F: Future<Output = Result<(), Stop>>>(futures: Vec<F>) -> Result<(), Stop> {
    let mut open: Vec<_> = futures.into_iter().map(Box::pin).collect();
    std::future::poll_fn(|context| {
        let mut at = 0;
        while at < open.len() {
            match open[at].as_mut().poll(context) {
                std::task::Poll::Ready(Ok(())) => drop(open.swap_remove(at)),
                std::task::Poll::Ready(Err(stop)) => return std::task::Poll::Ready(Err(stop)),
                std::task::Poll::Pending => at += 1,
            }
        }
        if open.is_empty() { std::task::Poll::Ready(Ok(())) } else { std::task::Poll::Pending }
    })
    .await
}

/// How long the server may take to tell all of its schemas.
const PATIENCE: Duration = Duration::from_secs(20);

async fn all_schemas(connected: &Connected) -> Result<Known, Stop> {
    let reflection = Reflection::new(&connected.channel);
    let asked = async {
        let mut files = std::collections::BTreeMap::new();
        for service in reflection.services().await? {
            files.extend(reflection.schema(&service.name).await?);
        }
        Ok::<_, Stop>(files)
    };
    let Ok(files) = tokio::time::timeout(PATIENCE, asked).await else {
        return Err(Failure::unusable("the server takes too long to tell its schemas").into());
    };
    let (schema, sources) = zsvc_dynamic::remote::compile(files?).map_err(|refused| {
        Failure::unusable(refused.to_string()).help("`--schema FILE` reads a schema from files")
    })?;
    Ok(Known { schema, sources })
}

/// Returns the address of an endpoint over TCP.
fn address(endpoint: &str) -> Result<String, Failure> {
    endpoint.strip_prefix("tcp://").map(str::to_owned).ok_or_else(|| {
        Failure::unusable(format!("`{}` is not over TCP", shown(endpoint)))
            .help("a tap is one of `tcp://HOST:PORT`")
    })
}

/// Reports whether a record is of interest only to those who look at everything.
fn is_minor(told: &Told) -> bool {
    matches!(told.kind, "ping" | "pong" | "credit" | "query")
}

fn passes(filter: &[String], told: &Told) -> bool {
    let has = |text: &String| told.method.as_ref().is_some_and(|method| method.contains(text.as_str()));
    filter.is_empty() || filter.iter().any(has)
}

const fn arrow(side: Side) -> &'static str {
    match side {
        Side::Client => "->",
        Side::Server => "<-",
    }
}

fn human(seconds: f64, connection: u64, told: &Told) -> String {
    let id = if told.id == 0 { String::new() } else { format!(" {}", told.id) };
    let method = told.method.as_deref().map(|method| format!(" {}", shown(method))).unwrap_or_default();
    let value = told.value.as_deref().map(|value| format!(" {}", shown(value))).unwrap_or_default();
    format!("{seconds:9.3} #{connection} {} {}{id}{method}{value}", arrow(told.side), told.kind)
}
