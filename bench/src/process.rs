//! Servers and clients in separate processes. Each has a deadline, and is killed when dropped. Its standard error is
//! kept for the error message in case it fails.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::Failure;
use crate::usage::Process;

/// A child of this process.
pub(crate) struct Child {
    process: std::process::Child,
    lines: Receiver<String>,
    said: Arc<Mutex<String>>,
    listener: Option<JoinHandle<()>>,
}

impl Child {
    /// Starts the process.
    pub(crate) fn start(mut command: Command) -> Result<Self, Failure> {
        let mut process =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let (sender, lines) = mpsc::channel();
        if let Some(stdout) = process.stdout.take() {
            // The thread ends with the child's output, or when the receiver of the lines was dropped.
            thread::spawn(move || {
                BufReader::new(stdout).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
            });
        }
        let said = Arc::<Mutex<String>>::default();
        let listener = process.stderr.take().map(|stderr| {
            let said = Arc::clone(&said);
            thread::spawn(move || keep(stderr, &said))
        });
        Ok(Self { process, lines, said, listener })
    }

    /// Returns the process.
    pub(crate) fn process(&self) -> Process {
        Process(self.process.id())
    }

    /// Writes a line to the child's standard input.
    pub(crate) fn say(&mut self, line: &str) -> Result<(), Failure> {
        let input = self.process.stdin.as_mut().ok_or("the child has no standard input")?;
        Ok(writeln!(input, "{line}")?)
    }

    /// Returns the next line that the child prints; `None` if it ended successfully.
    pub(crate) fn line<T: DeserializeOwned>(&mut self, deadline: Instant) -> Result<Option<T>, Failure> {
        match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                serde_json::from_str(&line).map(Some).map_err(|_| format!("unexpected output: {line}").into())
            }
            Err(RecvTimeoutError::Timeout) => Err(self.failure("it was killed, since it took too long")),
            Err(RecvTimeoutError::Disconnected) => self.end().map(|()| None),
        }
    }

    /// Returns all lines that the child prints until it ends.
    pub(crate) fn rest<T: DeserializeOwned>(&mut self, timeout: Duration) -> Result<Vec<T>, Failure> {
        let deadline = Instant::now() + timeout;
        let mut all = Vec::new();
        while let Some(line) = self.line(deadline)? {
            all.push(line);
        }
        Ok(all)
    }

    /// Waits for the end of the child, whose output has ended.
    fn end(&mut self) -> Result<(), Failure> {
        let status = self.process.wait()?;
        if status.success() { Ok(()) } else { Err(self.failure(&format!("it ended with {status}"))) }
    }

    fn failure(&mut self, what: &str) -> Failure {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        match said.trim() {
            "" => what.into(),
            said => format!("{what}, and said: {said}").into(),
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // The error when the process has already ended is expected.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Size in bytes of the beginning of a child's standard error that is kept; whole lines, so slightly more.
const MAX_STDERR_BYTES: usize = 4 << 10;

fn keep(stream: impl Read, said: &Mutex<String>) {
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.len() < MAX_STDERR_BYTES {
            said.push_str(&line);
            said.push('\n');
        }
    }
}

/// What a server prints once it listens.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Listening {
    /// Endpoint for clients.
    pub endpoint: String,
    /// Address of the control thread, if the server has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<SocketAddr>,
}

/// Time that a server may take to start listening. Generous, since a slow machine is not a failure.
const START_TIMEOUT: Duration = Duration::from_mins(1);

/// A server in a separate process.
pub(crate) struct Server {
    child: Child,
    /// Addresses at which the server listens.
    pub listening: Listening,
}

impl Server {
    /// Starts the server, and waits until it listens.
    pub(crate) fn start(command: Command) -> Result<Self, Failure> {
        let mut child = Child::start(command)?;
        let listening =
            child.line(Instant::now() + START_TIMEOUT)?.ok_or("the server ended before it listened")?;
        Ok(Self { child, listening })
    }

    /// Returns the process.
    pub(crate) fn process(&self) -> Process {
        self.child.process()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Result<Child, Failure> {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Child::start(command)
    }

    #[test]
    fn lines_are_read_until_a_child_ends() -> Result<(), Failure> {
        assert_eq!(shell("echo 1; echo 2")?.rest::<u32>(START_TIMEOUT)?, [1, 2]);
        Ok(())
    }

    #[test]
    fn a_failure_tells_what_the_child_said() -> Result<(), Failure> {
        let failure = shell("echo no luck >&2; exit 3")?.rest::<u32>(START_TIMEOUT).expect_err("it failed");
        assert_eq!(failure.to_string(), "it ended with exit status: 3, and said: no luck");
        Ok(())
    }

    #[test]
    fn a_child_that_hangs_is_killed() -> Result<(), Failure> {
        let failure = shell("exec sleep 600")?.rest::<u32>(Duration::from_millis(50)).expect_err("it hangs");
        assert_eq!(failure.to_string(), "it was killed, since it took too long");
        Ok(())
    }

    #[test]
    fn a_server_tells_where_it_listens() -> Result<(), Failure> {
        let mut command = Command::new("sh");
        command.args(["-c", r#"echo '{"endpoint": "tcp://127.0.0.1:7100"}'; exec sleep 600"#]);
        let server = Server::start(command)?;
        assert_eq!(
            (server.listening.endpoint.as_str(), server.listening.control),
            ("tcp://127.0.0.1:7100", None)
        );
        Ok(())
    }
}
