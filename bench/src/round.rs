//! One measure of one system in one round: its server, its client, and their output.

use std::collections::HashMap;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::Failure;
use crate::command::{Drive, Hold, Serve};
use crate::load::Window;
use crate::measure::{CALL_TIMEOUT, Measure, Task};
use crate::process::{Child, Server};
use crate::python::Environment;
use crate::sample::Reading;
use crate::statistics::{median, to_f64};
use crate::system::System;

/// Takes rounds, and keeps the servers running between them.
pub(crate) struct Rounds {
    window: Window,
    python: Option<Environment>,
    servers: HashMap<String, Server>,
}

impl Rounds {
    /// Returns a value without servers.
    pub(crate) fn new(window: Window, python: Option<Environment>) -> Self {
        Self { window, python, servers: HashMap::new() }
    }

    /// Takes a measure of a system once.
    pub(crate) fn take(&mut self, measure: Measure, system: System) -> Result<Vec<Reading>, Failure> {
        if has_its_own_server(measure) {
            self.end();
        }
        let task = self.task(measure, system)?;
        let readings = match measure {
            Measure::ColdStart => self.cold_start(system, &task)?,
            Measure::Idle1000 | Measure::Idle10000 => self.idle(system, &task)?,
            _ => self.drive(system, &task)?,
        };
        if readings.is_empty() { Err("the client printed no result".into()) } else { Ok(readings) }
    }

    /// Ends the servers.
    pub(crate) fn end(&mut self) {
        self.servers.clear();
    }

    fn task(&mut self, measure: Measure, system: System) -> Result<Task, Failure> {
        let server = match self.servers.remove(&system.name()) {
            Some(server) => server,
            None => Server::start(self.serve_command(system)?)?,
        };
        let listening = server.listening.clone();
        let process = server.process();
        self.servers.insert(system.name(), server);
        Ok(Task {
            measure,
            endpoint: listening.endpoint,
            control: listening.control,
            server: process,
            window: self.window,
        })
    }

    fn serve_command(&self, system: System) -> Result<Command, Failure> {
        match system.python() {
            Some(peer) => Ok(self.python.as_ref().ok_or(NO_PYTHON)?.serve(peer)),
            None => Ok(Serve::command(system)?),
        }
    }

    fn drive_command(&self, system: System, task: &Task) -> Result<Command, Failure> {
        match system.python() {
            Some(peer) => {
                let python = self.python.as_ref().ok_or(NO_PYTHON)?;
                let Window { warm_up, length } = python_window(system, task);
                Ok(python.drive(peer, &task.measure.name(), &task.endpoint, warm_up, length))
            }
            None => Ok(Drive::command(system, task)?),
        }
    }

    fn drive(&self, system: System, task: &Task) -> Result<Vec<Reading>, Failure> {
        // The client warms up and measures up to four times; the rest of the deadline is slack.
        let time = (task.window.warm_up + task.window.length) * 4;
        Child::start(self.drive_command(system, task)?)?.rest(CALL_TIMEOUT + time)
    }

    /// Measures the time from the start of a client process to its first answer, several times.
    fn cold_start(&self, system: System, task: &Task) -> Result<Vec<Reading>, Failure> {
        let mut times = Vec::new();
        for _ in 0..COLD_STARTS_PER_ROUND {
            let start = Instant::now();
            let mut child = Child::start(self.drive_command(system, task)?)?;
            let answered = child.line::<Reading>(start + CALL_TIMEOUT)?;
            times.push(start.elapsed().as_secs_f64() * 1e3);
            answered.ok_or("the client ended without an answer")?;
        }
        Ok(vec![Reading::new(task.measure.name(), median(&times), "ms")])
    }

    /// Measures the memory of a fresh server before and after the idle connections are opened, and the rate of calls
    /// over another connection meanwhile; also the rate of a fresh server without idle connections.
    fn idle(&mut self, system: System, task: &Task) -> Result<Vec<Reading>, Failure> {
        let (name, count) = (task.measure.name(), task.measure.idle());
        let without = self.rate(system, task)?;
        self.end();
        let task = self.task(task.measure, system)?;
        // Makes one call first, so that the one-time costs of the first connection are not counted.
        self.drive(system, &Task { measure: Measure::ColdStart, ..task.clone() })?;
        let before = task.server.memory()?;
        let mut holder = Child::start(Hold::command(system, &task.endpoint, count)?)?;
        let held: Option<bool> = holder.line(Instant::now() + CALL_TIMEOUT)?;
        held.ok_or("the process that holds the connections has ended")?;
        let growth = task.server.memory()?.saturating_sub(before);
        let with = self.rate(system, &task)?;
        Ok(vec![
            Reading::new(format!("{name} memory"), to_f64(growth) / to_f64(count as u64), "bytes"),
            Reading::new(format!("{name} rate"), with, "calls/s"),
            Reading::new(format!("{name} rate without"), without, "calls/s"),
        ])
    }

    /// Returns calls per second with 1,000 in flight.
    fn rate(&self, system: System, task: &Task) -> Result<f64, Failure> {
        let task = Task { measure: Measure::InFlight1000, ..task.clone() };
        let readings = self.drive(system, &task)?;
        let found = readings.iter().find(|reading| reading.name == task.measure.name());
        Ok(found.ok_or("the client printed no rate")?.value)
    }
}

/// Returns a longer window for zerorpc, which makes a few thousand calls per second. In a window in which the calls
/// in flight can't all be answered, it would complete none.
fn python_window(system: System, task: &Task) -> Window {
    let Window { warm_up, length } = task.window;
    let calls = u32::try_from(task.measure.in_flight()).unwrap_or(u32::MAX);
    match system {
        System::Zerorpc => Window {
            warm_up: warm_up.max(ZERORPC_CALL_DURATION * calls),
            length: length.max(ZERORPC_CALL_DURATION * 2 * calls),
        },
        _ => task.window,
    }
}

/// Approximate duration of a call of zerorpc.
const ZERORPC_CALL_DURATION: Duration = Duration::from_millis(1);

const NO_PYTHON: &str = "there is no Python environment";

/// Number of cold starts per round.
const COLD_STARTS_PER_ROUND: usize = 5;

/// Reports whether the measure needs a fresh server, since earlier calls would change its memory, which is what is
/// measured.
fn has_its_own_server(measure: Measure) -> bool {
    matches!(measure, Measure::Payload1m | Measure::Allocations | Measure::Idle1000 | Measure::Idle10000)
}
