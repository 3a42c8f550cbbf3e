//! [`Stage`]: two servers in separate processes, each behind a proxy, and the faults that are applied to them.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::{Instant, sleep};
use zsvc_faults::{Book, Process, Proxy, Signal};

use crate::Failure;

/// Heartbeat interval of silent connections, short enough to find dead ones within the duration of a fault.
pub(crate) const HEARTBEAT: Duration = Duration::from_millis(500);

/// The servers, their proxies, and the state of the faults.
pub(crate) struct Stage {
    rng: fastrand::Rng,
    servers: Vec<Actor>,
    faults: Faults,
    folder: TempDir,
}

struct Actor {
    process: Process,
    endpoint: String,
    proxy: Proxy,
    book: String,
}

/// A fault.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Kill,
    Restart,
    Stop,
    Cut,
    Delay,
    Narrow,
    SwallowAnswers,
    SwallowCalls,
    HalfClose,
    Refuse,
}

const FAULTS: [Fault; 10] = [
    Fault::Kill,
    Fault::Restart,
    Fault::Stop,
    Fault::Cut,
    Fault::Delay,
    Fault::Narrow,
    Fault::SwallowAnswers,
    Fault::SwallowCalls,
    Fault::HalfClose,
    Fault::Refuse,
];

/// Number of times that each fault was applied.
#[derive(Debug, Default, Clone)]
pub(crate) struct Faults(BTreeMap<String, usize>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: usize = self.0.values().sum();
        let each: Vec<String> = self.0.iter().map(|(fault, count)| format!("{count} {fault}")).collect();
        write!(f, "{all} ({})", each.join(", "))
    }
}

impl Stage {
    pub(crate) async fn set(rng: fastrand::Rng) -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        let mut servers = Vec::new();
        for name in ["one", "other"] {
            let book = folder.path().join(name).to_string_lossy().into_owned();
            let (process, endpoint) = serve("tcp://127.0.0.1:*", &book).await?;
            let proxy = Proxy::to(&endpoint)?;
            servers.push(Actor { process, endpoint, proxy, book });
        }
        Ok(Self { rng, servers, faults: Faults::default(), folder })
    }

    /// Returns the endpoints of the proxies, to which clients connect.
    pub(crate) fn endpoints(&self) -> Vec<String> {
        self.servers.iter().map(|server| server.proxy.endpoint().to_owned()).collect()
    }

    /// Applies faults for a while, one after another, each to one of the servers.
    pub(crate) async fn act_for(&mut self, time: Duration) -> Result<(), Failure> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            sleep(Duration::from_millis(self.rng.u64(100..1_500))).await;
            let fault = FAULTS[self.rng.usize(..FAULTS.len())];
            let lasts = Duration::from_millis(self.rng.u64(100..3_000));
            let victim = self.rng.usize(..self.servers.len());
            *self.faults.0.entry(format!("{fault:?}").to_lowercase()).or_default() += 1;
            self.servers[victim].suffer(fault, lasts).await?;
        }
        Ok(())
    }

    /// Removes all faults from the connections.
    pub(crate) fn heal(&self) {
        self.servers.iter().for_each(|server| server.proxy.heal());
    }

    /// Terminates the servers gracefully.
    pub(crate) async fn end(&mut self) -> Result<(), Failure> {
        for server in &mut self.servers {
            server.process.signal(Signal::Terminate).await?;
            let status = server.process.ended().await?;
            if !status.success() {
                return Err(format!("a server ended with {status}").into());
            }
        }
        Ok(())
    }

    /// Returns how often each fault was applied.
    pub(crate) fn faults(&self) -> Faults {
        self.faults.clone()
    }

    /// Returns how often each key was written, by both servers together.
    pub(crate) fn written(&self) -> Result<BTreeMap<u64, usize>, Failure> {
        debug_assert!(self.folder.path().is_dir(), "the folder exists until the stage is dropped");
        let mut all = BTreeMap::new();
        for server in &self.servers {
            for (key, times) in Book::read(server.book.as_ref())? {
                *all.entry(key).or_default() += times;
            }
        }
        Ok(all)
    }
}

impl Actor {
    async fn suffer(&mut self, fault: Fault, lasts: Duration) -> Result<(), Failure> {
        match fault {
            Fault::Kill => self.end_and_begin(Signal::Kill, lasts).await?,
            Fault::Restart => self.end_and_begin(Signal::Terminate, lasts).await?,
            Fault::Stop => {
                self.process.signal(Signal::Stop).await?;
                sleep(lasts).await;
                self.process.signal(Signal::Continue).await?;
            }
            Fault::Cut => self.proxy.cut(),
            _ => self.suffer_link(fault, lasts).await,
        }
        Ok(())
    }

    async fn end_and_begin(&mut self, signal: Signal, between: Duration) -> Result<(), Failure> {
        self.process.signal(signal).await?;
        self.process.ended().await?;
        sleep(between).await;
        (self.process, _) = serve(&self.endpoint, &self.book).await?;
        Ok(())
    }

    async fn suffer_link(&mut self, fault: Fault, lasts: Duration) {
        self.proxy.set(|rules| match fault {
            Fault::Delay => {
                rules.to_server.delay = lasts / 10;
                rules.to_client.delay = lasts / 20;
            }
            Fault::Narrow => {
                rules.to_server.bytes_per_second = Some(1_024);
                rules.to_client.bytes_per_second = Some(1_024);
            }
            Fault::SwallowAnswers => rules.to_client.swallows = true,
            Fault::SwallowCalls => rules.to_server.swallows = true,
            Fault::HalfClose => rules.to_client.half_closed = true,
            _ => rules.refuses = true,
        });
        if let Fault::Refuse = fault {
            self.proxy.cut();
        }
        sleep(lasts).await;
        // Swallowed bytes are lost, and with them the framing of the connection: no bytes may follow on it.
        if matches!(fault, Fault::SwallowAnswers | Fault::SwallowCalls) {
            self.proxy.cut();
        }
        self.proxy.heal();
    }
}

/// Starts a server in a separate process: this program with the subcommand `serve`.
async fn serve(bind: &str, book: &str) -> Result<(Process, String), Failure> {
    let program = std::env::current_exe()?;
    let program = program.to_str().ok_or("the path of this program is not UTF-8")?;
    let arguments = ["serve", "--bind", bind, "--book", book, "--heartbeat", "500", "--peer-timeout", "3000"];
    // libzmq closes sockets in its own thread, so the port may still be in use for a while.
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let mut process = Process::run(program, &arguments)?;
        match process.says("serving at ").await {
            Ok(endpoint) => return Ok((process, endpoint)),
            Err(error) if Instant::now() > until => return Err(error.into()),
            Err(_) => {}
        }
    }
}
