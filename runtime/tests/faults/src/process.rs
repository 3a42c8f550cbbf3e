//! [`Process`]: a server or client in a process of its own, which can be killed, stopped and told to end.

use std::io;
use std::process::{ExitStatus, Stdio};

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// A process that says on its standard output how far it has come. It is killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

/// What may be done to a process from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// It ends at once, and does nothing more.
    Kill,
    /// It stands still, all threads of it.
    Stop,
    /// It goes on where it stood.
    Continue,
    /// It is asked to end.
    Terminate,
}

impl Process {
    /// Runs a program with arguments.
    ///
    /// # Errors
    /// It can't be run.
    pub fn run(program: &str, arguments: &[&str]) -> io::Result<Self> {
        let mut child =
            Command::new(program).args(arguments).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let output = child.stdout.take().ok_or_else(|| io::Error::other("its output was asked for"))?;
        Ok(Self { child, lines: BufReader::new(output).lines() })
    }

    /// Its id; none once it has ended and somebody has waited for that.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// What follows `start` in the next line that begins with it.
    ///
    /// # Errors
    /// The process has ended, or written what is no text.
    pub async fn says(&mut self, start: &str) -> io::Result<String> {
        while let Some(line) = self.lines.next_line().await? {
            if let Some(rest) = line.strip_prefix(start) {
                return Ok(rest.to_owned());
            }
        }
        Err(io::Error::other(format!("the process ended before it said `{start}`")))
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// It has ended already, or `kill(1)` can't be run.
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

    /// Waits until it has ended.
    ///
    /// # Errors
    /// The system can't tell.
    pub async fn ended(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }
}
