//! The processes that `compare` starts, from both sides: their arguments, and what they do.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;
use std::{io, process, thread};

use clap::Args;

use crate::Failure;
use crate::load::Window;
use crate::measure::{Measure, Task};
use crate::system::{self, System};
use crate::usage::Process;

/// Runs a server.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The system to serve.
    system: System,
}

impl Serve {
    /// Returns the command that starts a server.
    pub(crate) fn command(system: System) -> io::Result<Command> {
        let mut command = this_program(["serve", &system.name()])?;
        system.configure(&mut command);
        Ok(command)
    }

    /// Serves until standard input ends.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        thread::spawn(|| {
            // The parent process keeps standard input open; the input ends when the parent does.
            let _ = io::copy(&mut io::stdin(), &mut io::sink());
            process::exit(0);
        });
        self.system.serve()
    }
}

/// Runs a client.
#[derive(Debug, Args)]
pub(crate) struct Drive {
    /// The system to measure.
    system: System,
    /// The measure to take.
    measure: Measure,
    /// Endpoint of the server.
    endpoint: String,
    /// Process id of the server.
    #[arg(long)]
    server: u32,
    /// Address of the server's control thread.
    #[arg(long)]
    control: Option<SocketAddr>,
    /// Warm-up time in milliseconds.
    #[arg(long)]
    warm_up: u64,
    /// Measured time after the warm-up, in milliseconds.
    #[arg(long)]
    length: u64,
}

impl Drive {
    /// Returns the command that starts a client.
    pub(crate) fn command(system: System, task: &Task) -> io::Result<Command> {
        let mut command = this_program(["drive", &system.name(), &task.measure.name(), &task.endpoint])?;
        system.configure(&mut command);
        command.args(["--server", &task.server.0.to_string()]);
        command.args(["--warm-up", &task.window.warm_up.as_millis().to_string()]);
        command.args(["--length", &task.window.length.as_millis().to_string()]);
        if let Some(control) = task.control {
            command.args(["--control", &control.to_string()]);
        }
        Ok(command)
    }

    /// Takes the measure, and prints the readings.
    pub(crate) fn run(self) -> Result<(), Failure> {
        let length = Duration::from_millis(self.length);
        let window = Window { warm_up: Duration::from_millis(self.warm_up), length };
        let server = Process(self.server);
        let task =
            Task { measure: self.measure, endpoint: self.endpoint, control: self.control, server, window };
        for reading in self.system.drive(task)? {
            println!("{}", serde_json::to_string(&reading)?);
        }
        Ok(())
    }
}

/// Holds idle connections.
#[derive(Debug, Args)]
pub(crate) struct Hold {
    /// The system to connect to.
    system: System,
    /// Endpoint of the server.
    endpoint: String,
    /// Number of connections.
    count: usize,
}

impl Hold {
    /// Returns the command that starts such a process.
    pub(crate) fn command(system: System, endpoint: &str, count: usize) -> io::Result<Command> {
        this_program(["hold", &system.name(), endpoint, &count.to_string()])
    }

    /// Opens the connections and holds them.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        system::hold(self.system, &self.endpoint, self.count)
    }
}

/// Holds connections that are made by hand.
#[derive(Debug, Args)]
pub(crate) struct HoldRaw {
    /// Endpoint of the server.
    endpoint: String,
    /// Number of connections that other processes have.
    first: usize,
    /// Number of connections.
    count: usize,
    /// Whether pings are answered.
    #[arg(long)]
    answer: bool,
}

impl HoldRaw {
    /// Returns the command that starts such a process.
    pub(crate) fn command(endpoint: &str, first: usize, count: usize, answer: bool) -> io::Result<Command> {
        let mut command = this_program(["hold-raw", endpoint, &first.to_string(), &count.to_string()])?;
        command.args(answer.then_some("--answer"));
        Ok(command)
    }

    /// Opens the connections and holds them.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        super::crowd::hold_raw(&self.endpoint, self.first, self.count, self.answer)
    }
}

/// Returns a command that starts this program.
pub(super) fn this_program<const N: usize>(arguments: [&str; N]) -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(arguments);
    Ok(command)
}
