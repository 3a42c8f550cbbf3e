//! Worker processes that the router starts, watches and stops.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use crate::event::{Event, Observer, Tries};

/// A worker process that the router starts, and starts again when it has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerProcess {
    /// What logs call it.
    pub name: String,
    /// The program, and its arguments.
    pub command: Vec<String>,
    /// The folder in which it runs; that of the router if empty.
    pub folder: PathBuf,
}

/// The processes of a router. They are killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Processes {
    observer: Observer,
    by_name: HashMap<String, Running>,
    /// The permit to replace a process: one at a time. Closed once no process is started any more.
    turn: Arc<Semaphore>,
    tasks: JoinSet<()>,
}

#[derive(Debug)]
struct Running {
    /// Once there is to be none, it stays so.
    wanted: watch::Sender<Wanted>,
    /// Told by its end once the process has ended, and none is to be.
    ended: oneshot::Receiver<()>,
}

/// What is to run under a name.
#[derive(Debug, Clone)]
struct Wanted {
    process: Option<WorkerProcess>,
    /// Time that the process before has to end.
    grace: Duration,
}

/// Time between the end of a process and its next start, the first time. It doubles each time in a row, up to [`MAX_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Longest time between the end of a process and its next start.
const MAX_PAUSE: Duration = Duration::from_secs(30);
/// A process that has run for this long is not one that fails at its start.
const GOOD_RUN: Duration = Duration::from_secs(30);
/// Time that a process has besides the grace time of its calls.
const EXTRA_GRACE: Duration = Duration::from_secs(3);
/// How long the next process to be replaced waits for the worker of the one before to be up.
const UP_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest line that is passed on in one piece, in bytes.
const MAX_LINE_BYTES: usize = 4_096;

impl Processes {
    pub(crate) fn new(observer: Observer) -> Self {
        let turn = Arc::new(Semaphore::new(1));
        Self { observer, by_name: HashMap::new(), turn, tasks: JoinSet::new() }
    }

    /// Takes these processes in place of all that there are. Those that are the same go on; those that are others are replaced one after the
    /// other, each once the one before has ended. Returns the names of those that are to start, and of those that are to stop.
    pub(crate) fn replace(
        &mut self,
        processes: Vec<WorkerProcess>,
        grace: Duration,
    ) -> (Vec<String>, Vec<String>) {
        let (mut added, mut removed) = (Vec::new(), Vec::new());
        for (name, running) in &self.by_name {
            let is_wanted = processes.iter().any(|process| process.name == *name);
            if !is_wanted && running.is_wanted() {
                running.wanted.send_replace(Wanted { process: None, grace });
                removed.push(name.clone());
            }
        }
        for process in processes {
            let name = process.name.clone();
            match self.by_name.get(&name).filter(|running| running.is_wanted()) {
                Some(running) if running.wanted.borrow().process.as_ref() == Some(&process) => continue,
                Some(running) => {
                    running.wanted.send_replace(Wanted { process: Some(process), grace });
                    removed.push(name.clone());
                }
                None => self.add(process, grace),
            }
            added.push(name);
        }
        // Names that come no more are forgotten.
        self.by_name.retain(|_, running| running.is_wanted() || !running.has_ended());
        (added, removed)
    }

    fn add(&mut self, process: WorkerProcess, grace: Duration) {
        let name = process.name.clone();
        let (wanted, receiver) = watch::channel(Wanted { process: Some(process), grace });
        let (end, ended) = oneshot::channel();
        let before = self.by_name.insert(name, Running { wanted, ended });
        let watcher =
            Watcher { observer: self.observer.clone(), turn: Arc::clone(&self.turn), wanted: receiver };
        self.tasks.spawn(async move {
            if let Some(before) = before {
                let _ = before.ended.await;
            }
            watcher.watch_over().await;
            drop(end);
        });
    }

    /// Has no process started any more.
    pub(crate) fn hold(&self) {
        self.turn.close();
    }

    /// Stops all processes, and waits for their end.
    pub(crate) async fn stop(mut self, grace: Duration) {
        self.hold();
        for running in self.by_name.values() {
            running.wanted.send_replace(Wanted { process: None, grace });
        }
        while self.tasks.join_next().await.is_some() {}
    }
}

impl Running {
    fn is_wanted(&self) -> bool {
        self.wanted.borrow().process.is_some()
    }

    fn has_ended(&mut self) -> bool {
        !matches!(self.ended.try_recv(), Err(oneshot::error::TryRecvError::Empty))
    }
}

/// Sees to it that what is wanted under a name runs.
struct Watcher {
    observer: Observer,
    turn: Arc<Semaphore>,
    wanted: watch::Receiver<Wanted>,
}

/// How the run of a process is over.
enum Over {
    /// The process has ended by itself, or could not be started.
    Ended(String),
    /// The process was stopped for another to run, which has the permit until its worker is up.
    Replaced(OwnedSemaphorePermit),
    /// The process was stopped for good.
    Stopped,
}

impl Watcher {
    /// Runs processes, one after the other, until none is to run.
    async fn watch_over(mut self) {
        let mut pauses = Pauses::default();
        let mut turn = None;
        while let Some(process) = self.process() {
            if self.turn.is_closed() {
                self.changed().await;
                continue;
            }
            let began = Instant::now();
            match self.run(&process, turn.take()).await {
                Over::Ended(why) => {
                    let pause = pauses.after(began.elapsed());
                    if self.rest(&process, why, pause).await {
                        pauses = Pauses::default();
                    }
                }
                Over::Replaced(its_turn) => {
                    pauses = Pauses::default();
                    turn = Some(its_turn);
                }
                Over::Stopped => return,
            }
        }
    }

    /// Returns what is to run.
    fn process(&mut self) -> Option<WorkerProcess> {
        self.wanted.borrow_and_update().process.clone()
    }

    /// Waits until something else may be wanted.
    async fn changed(&mut self) {
        if self.wanted.changed().await.is_err() {
            // The router is gone, and this task will be.
            std::future::pending::<()>().await;
        }
    }

    /// Runs a process until its end.
    async fn run(&mut self, process: &WorkerProcess, turn: Option<OwnedSemaphorePermit>) -> Over {
        if let Some(turn) = turn {
            tokio::spawn(keep_until_up(turn, process.name.clone(), self.observer.tries()));
        }
        let mut child = match start(process, &self.observer) {
            Ok(child) => child,
            Err(error) => return Over::Ended(format!("can't be started: {error}")),
        };
        let turn = loop {
            let wanted = self.process();
            let may_replace = wanted.as_ref().is_some_and(|wanted| wanted != process);
            if wanted.is_none() {
                break None;
            }
            let its_turn = Arc::clone(&self.turn);
            tokio::select! {
                status = child.wait() => return Over::Ended(told(status)),
                () = self.changed() => {}
                // While no process is started any more, this one runs for as long as it may.
                Ok(turn) = its_turn.acquire_owned(), if may_replace => break Some(turn),
            }
        };
        let grace = self.wanted.borrow().grace;
        let why = told(end(&mut child, grace).await);
        self.observer.tell(|| Event::ProcessEnded { name: process.name.clone(), why, pause: None });
        turn.map_or(Over::Stopped, Over::Replaced)
    }

    /// Waits before a process that has ended is started again. Returns whether another one, or none, is to run in its place.
    async fn rest(&mut self, process: &WorkerProcess, why: String, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        let pause = (!self.turn.is_closed()).then_some(pause);
        self.observer.tell(|| Event::ProcessEnded { name: process.name.clone(), why, pause });
        while self.process().as_ref() == Some(process) {
            tokio::select! {
                () = sleep_until(until) => return false,
                () = self.changed() => {}
            }
        }
        true
    }
}

/// Keeps the turn until the worker of a process that was replaced is up, or has had its time.
async fn keep_until_up(turn: OwnedSemaphorePermit, name: String, mut ups: Tries) {
    let _ = timeout(UP_TIMEOUT, ups.wait_for(&name)).await;
    drop(turn);
}

fn told(status: io::Result<ExitStatus>) -> String {
    match status {
        Ok(status) => format!("ended: {status}"),
        Err(error) => format!("can't be waited for: {error}"),
    }
}

/// Starts a process, and tells so.
fn start(process: &WorkerProcess, observer: &Observer) -> io::Result<Child> {
    // Checked where the configuration was read.
    let (program, arguments) = process.command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    // What is typed at the router's terminal is for the router: it finishes calls, and stops its workers after that.
    #[cfg(unix)]
    command.process_group(0);
    if !process.folder.as_os_str().is_empty() {
        command.current_dir(&process.folder);
    }
    let mut child = command.spawn()?;
    // Before anything that it writes.
    let (name, id) = (process.name.clone(), child.id().unwrap_or(0));
    observer.tell(|| Event::ProcessStarted { name, id });
    if let Some(output) = child.stdout.take() {
        tokio::spawn(pass_lines(output, process.name.clone(), observer.clone()));
    }
    if let Some(output) = child.stderr.take() {
        tokio::spawn(pass_lines(output, process.name.clone(), observer.clone()));
    }
    Ok(child)
}

/// Asks a process to end, and kills it if it takes too long.
async fn end(child: &mut Child, grace: Duration) -> io::Result<ExitStatus> {
    ask_to_end(child);
    if let Ok(status) = timeout(grace.saturating_add(EXTRA_GRACE), child.wait()).await {
        return status;
    }
    child.start_kill()?;
    child.wait().await
}

#[cfg(unix)]
fn ask_to_end(child: &Child) {
    use rustix::process::{Pid, Signal, kill_process};
    let id = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(id) = id {
        // It may have ended by itself; it was not waited for, so the id is still its own.
        let _ = kill_process(id, Signal::TERM);
    }
}

#[cfg(not(unix))]
fn ask_to_end(_: &Child) {}

/// Passes on what a process writes, line by line.
async fn pass_lines(mut output: impl AsyncRead + Unpin, name: String, observer: Observer) {
    let (mut line, mut buffer) = (Vec::new(), [0; 1_024]);
    loop {
        let read = output.read(&mut buffer).await.unwrap_or(0);
        if read == 0 {
            break;
        }
        for byte in &buffer[..read] {
            if *byte == b'\n' || line.len() >= MAX_LINE_BYTES {
                pass_line(&mut line, &name, &observer);
            }
            if *byte != b'\n' {
                line.push(*byte);
            }
        }
    }
    if !line.is_empty() {
        pass_line(&mut line, &name, &observer);
    }
}

fn pass_line(line: &mut Vec<u8>, name: &str, observer: &Observer) {
    let text = String::from_utf8_lossy(line).trim_end().to_owned();
    line.clear();
    observer.tell(|| Event::ProcessSays { name: name.to_owned(), line: text });
}

/// How long to wait before a process is started again.
#[derive(Debug, Default)]
struct Pauses {
    /// Number of ends in a row, each soon after its start.
    soon: u32,
}

impl Pauses {
    fn after(&mut self, ran_for: Duration) -> Duration {
        if ran_for >= GOOD_RUN {
            self.soon = 0;
        }
        let pause = FIRST_PAUSE.saturating_mul(1 << self.soon.min(16)).min(MAX_PAUSE);
        self.soon += 1;
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_ends_at_once_is_started_ever_more_rarely() {
        let mut pauses = Pauses::default();
        let millis: Vec<_> = (0..11).map(|_| pauses.after(Duration::ZERO).as_millis()).collect();
        assert_eq!(millis, [100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000]);
        assert_eq!(pauses.after(GOOD_RUN), FIRST_PAUSE);
    }
}
