//! The processes that `compare` starts, from both sides: how they are told what to do, and how they do it.

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

/// Is a server.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Of which system.
    system: System,
}

impl Serve {
    /// The command that starts one.
    pub(crate) fn command(system: System) -> io::Result<Command> {
        this_program(["serve", &system.name()])
    }

    /// Serves.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        thread::spawn(|| {
            // Whoever has started this process keeps its input open, and is gone when that ends.
            let _ = io::copy(&mut io::stdin(), &mut io::sink());
            process::exit(0);
        });
        self.system.serve()
    }
}

/// Is a client.
#[derive(Debug, Args)]
pub(crate) struct Drive {
    /// Of which system.
    system: System,
    /// What to measure.
    measure: Measure,
    /// Where the server listens.
    endpoint: String,
    /// The server's process.
    #[arg(long)]
    server: u32,
    /// Where the server's control thread listens.
    #[arg(long)]
    control: Option<SocketAddr>,
    /// How long to warm up, in milliseconds.
    #[arg(long)]
    warm_up: u64,
    /// How long to measure then, in milliseconds.
    #[arg(long)]
    length: u64,
}

impl Drive {
    /// The command that starts one.
    pub(crate) fn command(system: System, task: &Task) -> io::Result<Command> {
        let mut command = this_program(["drive", &system.name(), &task.measure.name(), &task.endpoint])?;
        command.args(["--server", &task.server.0.to_string()]);
        command.args(["--warm-up", &task.window.warm_up.as_millis().to_string()]);
        command.args(["--length", &task.window.length.as_millis().to_string()]);
        if let Some(control) = task.control {
            command.args(["--control", &control.to_string()]);
        }
        Ok(command)
    }

    /// Measures.
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
    /// Of which system.
    system: System,
    /// Where the server listens.
    endpoint: String,
    /// How many.
    count: usize,
}

impl Hold {
    /// The command that starts one.
    pub(crate) fn command(system: System, endpoint: &str, count: usize) -> io::Result<Command> {
        this_program(["hold", &system.name(), endpoint, &count.to_string()])
    }

    /// Holds them.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        system::hold(self.system, &self.endpoint, self.count)
    }
}

fn this_program<const N: usize>(arguments: [&str; N]) -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(arguments);
    Ok(command)
}
