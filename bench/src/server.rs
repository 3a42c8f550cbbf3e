//! Servers in processes of their own.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use clap::ValueEnum;

use crate::System;

/// A running server. Dropped, it is killed.
pub struct ServerProcess {
    child: Child,
    /// Where it listens.
    pub endpoint: String,
}

impl ServerProcess {
    /// Starts one, and waits until it listens.
    pub fn start(system: System) -> Self {
        let name = system.to_possible_value().expect("no system is hidden").get_name().to_owned();
        let mut child = Command::new(std::env::current_exe().expect("this program has a path"))
            .args(["serve", &name])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program starts once more");
        let mut endpoint = String::new();
        let stdout = child.stdout.take().expect("it was piped");
        BufReader::new(stdout).read_line(&mut endpoint).expect("the server prints its endpoint");
        Self { child, endpoint: endpoint.trim().to_owned() }
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
