//! Observers of a window: CPU time, allocations and memory of the client, which is this process, and of the server.

use std::time::Duration;

use super::Task;
use crate::control::Control;
use crate::load::{Observer, Rate};
use crate::sample::Reading;
use crate::statistics::to_f64;
use crate::usage::Process;
use crate::{Failure, allocator};

/// CPU time of client and server in a window.
pub(crate) struct Cpu {
    processes: [Process; 2],
    time: Duration,
}

impl Cpu {
    /// Observes this process and the server of the task.
    pub(crate) fn of(task: &Task) -> Self {
        Self { processes: [Process::this(), task.server], time: Duration::ZERO }
    }

    fn now(&self) -> Result<Duration, Failure> {
        let [client, server] = self.processes;
        Ok(client.cpu()? + server.cpu()?)
    }

    /// Returns the CPU time per call.
    pub(crate) fn reading(&self, name: String, rate: Rate) -> Reading {
        Reading::new(name, self.time.as_secs_f64() * 1e6 / to_f64(rate.count.max(1)), "µs")
    }
}

impl Observer for Cpu {
    fn begin(&mut self) -> Result<(), Failure> {
        self.time = self.now()?;
        Ok(())
    }

    fn end(&mut self) -> Result<(), Failure> {
        self.time = self.now()?.saturating_sub(self.time);
        Ok(())
    }
}

/// Allocations of client and server in a window.
pub(super) struct Allocations {
    control: Control,
    client: u64,
    server: u64,
}

impl Allocations {
    /// Observes this process and the server of the task.
    pub(super) fn of(task: &Task) -> Result<Self, Failure> {
        Ok(Self { control: task.control()?, client: 0, server: 0 })
    }

    /// Returns the number of allocations per counted call or item.
    pub(super) fn readings(&self, name: &str, rate: Rate) -> [Reading; 2] {
        let each = |side: &str, count: u64| {
            Reading::new(format!("{name} {side}"), to_f64(count) / to_f64(rate.count.max(1)), "allocations")
        };
        [each("client", self.client), each("server", self.server)]
    }
}

impl Observer for Allocations {
    fn begin(&mut self) -> Result<(), Failure> {
        self.control.begin()?;
        allocator::begin();
        Ok(())
    }

    fn end(&mut self) -> Result<(), Failure> {
        self.client = allocator::end();
        self.server = self.control.end()?;
        Ok(())
    }
}

/// Growth of the peak memory of client and server.
pub(crate) struct Peaks {
    processes: [Process; 2],
    before: [u64; 2],
}

impl Peaks {
    /// Starts from the current memory.
    pub(crate) fn begin(task: &Task) -> Result<Self, Failure> {
        let processes = [Process::this(), task.server];
        Ok(Self { processes, before: [processes[0].memory()?, processes[1].memory()?] })
    }

    /// Returns the growth, in payloads per call in flight.
    pub(crate) fn readings(&self, task: &Task) -> Result<Vec<Reading>, Failure> {
        let payloads = to_f64((task.measure.size() * task.measure.in_flight()) as u64);
        let sides = ["client", "server"].into_iter().zip(self.processes).zip(self.before);
        sides
            .map(|((side, process), before)| {
                let growth = process.peak_memory()?.saturating_sub(before);
                let name = format!("{} memory {side}", task.measure.name());
                Ok(Reading::new(name, to_f64(growth) / payloads, "messages/call"))
            })
            .collect()
    }
}
