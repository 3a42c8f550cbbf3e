//! [`Process`]: a server or client in a separate process, which can be killed, stopped and terminated.

use std::io;
use std::process::{ExitStatus, Stdio};

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// A process that reports its progress on standard output. It is killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

/// A signal to a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Ends the process at once (`SIGKILL`).
    Kill,
    /// Suspends all threads of the process (`SIGSTOP`).
    Stop,
    /// Resumes a stopped process (`SIGCONT`).
    Continue,
    /// Asks the process to end (`SIGTERM`).
    Terminate,
}

impl Process {
    /// Starts a program with arguments.
    ///
    /// # Errors
    /// The program can't be started.
    pub fn run(program: &str, arguments: &[&str]) -> io::Result<Self> {
        let mut child =
            Command::new(program).args(arguments).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let output = child.stdout.take().ok_or_else(|| io::Error::other("its output was asked for"))?;
        Ok(Self { child, lines: BufReader::new(output).lines() })
    }

    /// Returns the process id; `None` once the process has ended and was waited for.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Returns what follows `start` in the next line that begins with it.
    ///
    /// # Errors
    /// The process has ended, or its output is not UTF-8.
    pub async fn says(&mut self, start: &str) -> io::Result<String> {
        while let Some(line) = self.lines.next_line().await? {
            if let Some(rest) = line.strip_prefix(start) {
                return Ok(rest.to_owned());
            }
        }
        Err(io::Error::other(format!("the process ended before it said `{start}`")))
    }

    /// Sends a signal to the process.
    ///
    /// # Errors
    /// The process has already ended, or `kill(1)` can't be run.
    pub async fn signal(&self, signal: Signal) -> io::Result<()> {
        let id = self.child.id().ok_or_else(|| io::Error::other("the process has ended"))?;
        let name = match signal {
            Signal::Kill => "-KILL",
            Signal::Stop => "-STOP",
            Signal::Continue => "-CONT",
            Signal::Terminate => "-TERM",
        };
        let status = Command::new("kill").args([name, &id.to_string()]).status().await?;
        if status.success() { Ok(()) } else { Err(io::Error::other(format!("kill {name}: {status}"))) }
    }

    /// Waits until the process has ended.
    ///
    /// # Errors
    /// The system can't report its status.
    pub async fn ended(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }
}
