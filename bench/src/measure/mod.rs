//! The measures. A client process takes a [`Measure`] according to its [`Task`] and prints the readings; [`calls`]
//! and [`streams`] take the measures of every system whose client implements [`Client`] and [`Streams`].

mod calls;
mod observe;
mod one_way;
mod streams;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use clap::ValueEnum;

use crate::Failure;
use crate::control::Control;
use crate::load::{Ticket, Window};
use crate::sample::Reading;
use crate::usage::Process;

pub(crate) use calls::{calls, latencies};
pub(crate) use observe::{Cpu, Peaks};
pub(crate) use one_way::one_way;
pub(crate) use streams::streams;

/// A measure. The names are those that `--only` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Measure {
    /// One call at a time: median and 99th percentile of its duration.
    Latency,
    /// 8 calls in flight over one connection.
    #[value(name = "in-flight-8")]
    InFlight8,
    /// 64 calls in flight over one connection.
    #[value(name = "in-flight-64")]
    InFlight64,
    /// 1,000 calls in flight over one connection.
    #[value(name = "in-flight-1000")]
    InFlight1000,
    /// CPU time of client and server per call, taken together with 64 and 1,000 calls in flight.
    Cpu,
    /// 64 calls in flight that return a struct.
    Trade,
    /// 12 clients with a connection each and one call at a time.
    SyncClients,
    /// One-way calls.
    OneWay,
    /// Items from the server, 64 bytes each.
    #[value(name = "server-stream-64")]
    ServerStream64,
    /// Items from the server, 4 KiB each.
    #[value(name = "server-stream-4k")]
    ServerStream4k,
    /// Items from the client, 64 bytes each.
    #[value(name = "client-stream-64")]
    ClientStream64,
    /// Items from the client, 4 KiB each.
    #[value(name = "client-stream-4k")]
    ClientStream4k,
    /// Items to the server and back, 64 bytes each.
    #[value(name = "bidi-64")]
    Bidi64,
    /// Items to the server and back, 4 KiB each.
    #[value(name = "bidi-4k")]
    Bidi4k,
    /// Structs from the server.
    StreamTrade,
    /// Echo of 1 KiB, 8 in flight.
    #[value(name = "payload-1k")]
    Payload1k,
    /// Echo of 64 KiB, 8 in flight.
    #[value(name = "payload-64k")]
    Payload64k,
    /// Echo of 1 MiB, 8 in flight, and the memory it needs.
    #[value(name = "payload-1m")]
    Payload1m,
    /// Rust allocations per call and per item of a stream.
    Allocations,
    /// Time from the start of a client process to its first answer.
    ColdStart,
    /// Memory of 1,000 idle connections, and their effect on other calls.
    #[value(name = "idle-1000")]
    Idle1000,
    /// Memory of 10,000 idle connections, and their effect on other calls.
    #[value(name = "idle-10000")]
    Idle10000,
    /// Time to build the generated code of a service of 200 methods, and its size.
    Build,
}

impl Measure {
    /// Returns all measures, in the order in which they are taken.
    pub(crate) fn all() -> &'static [Self] {
        Self::value_variants()
    }

    /// Returns the name on the command line and in readings.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Returns the number of calls in flight, for the measures that define one.
    pub(crate) fn in_flight(self) -> usize {
        match self {
            Self::InFlight8 | Self::Payload1k | Self::Payload64k | Self::Payload1m => 8,
            Self::InFlight64 | Self::Trade => 64,
            Self::InFlight1000 => 1_000,
            Self::SyncClients => 12,
            _ => 1,
        }
    }

    /// Returns the size of a payload or an item in bytes.
    pub(crate) fn size(self) -> usize {
        match self {
            Self::Payload1k => 1 << 10,
            Self::ServerStream4k | Self::ClientStream4k | Self::Bidi4k => 4 << 10,
            Self::Payload64k => 64 << 10,
            Self::Payload1m => 1 << 20,
            _ => 64,
        }
    }

    /// Returns the number of idle connections during the measure.
    pub(crate) fn idle(self) -> usize {
        match self {
            Self::Idle1000 => 1_000,
            Self::Idle10000 => 10_000,
            _ => 0,
        }
    }

    /// Returns a payload of the measure's size.
    pub(crate) fn payload(self) -> Bytes {
        Bytes::from(vec![7; self.size()])
    }
}

/// What a client process is to do.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    /// The measure to take.
    pub measure: Measure,
    /// Endpoint of the server.
    pub endpoint: String,
    /// Address of the server's control thread.
    pub control: Option<SocketAddr>,
    /// Process of the server.
    pub server: Process,
    /// Duration of the measure.
    pub window: Window,
}

impl Task {
    /// Connects to the server's control thread.
    pub(crate) fn control(&self) -> Result<Control, Failure> {
        let address = self.control.ok_or("this server has no control thread")?;
        Ok(Control::connect(address)?)
    }

    /// Returns the error that this measure can't be taken of a system.
    pub(crate) fn unknown<T>(&self) -> Result<T, Failure> {
        Err(format!("`{}` can't be measured of this system", self.measure.name()).into())
    }
}

/// Time after which a call that was not answered fails the process that made it.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_mins(1);

/// Reports at once that the first answer arrived, before anything is shut down. The parent process takes the time.
pub(crate) fn answered(task: &Task) -> Result<Vec<Reading>, Failure> {
    println!("{}", serde_json::to_string(&Reading::new(task.measure.name(), 0.0, "ms"))?);
    Ok(Vec::new())
}

/// A client of one system. Clones share a connection.
pub(crate) trait Client: Clone + Send + Sync + 'static {
    /// Connects to a server of the same system.
    fn connect(endpoint: &str) -> impl Future<Output = Result<Self, Failure>> + Send;

    /// Calls `echo`, and returns the length of the answer in bytes.
    fn echo(&mut self, payload: Bytes) -> impl Future<Output = Result<usize, Failure>> + Send;

    /// Calls `last`, and returns the length of the symbol in the answer, in bytes.
    fn last(&mut self, symbol: &str) -> impl Future<Output = Result<usize, Failure>> + Send;
}

/// A client of a system that has streams. Each method counts items with the ticket until it is stopped.
pub(crate) trait Streams: Client {
    /// Calls `items` and reads the stream.
    fn items(&mut self, size: usize, ticket: &Ticket) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Calls `trades` and reads the stream.
    fn trades(&mut self, ticket: &Ticket) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Calls `collect` and sends the item repeatedly. Returns the number of items that the server counted.
    fn collect(&mut self, item: Bytes, ticket: Ticket) -> impl Future<Output = Result<u64, Failure>> + Send;

    /// Calls `exchange`, sends the item repeatedly, and reads the items that come back.
    fn exchange(&mut self, item: Bytes, ticket: &Ticket) -> impl Future<Output = Result<(), Failure>> + Send;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_documented() {
        let readme = include_str!("../../README.md");
        for measure in Measure::all() {
            let name = format!("`{}`", measure.name());
            assert!(readme.contains(&name), "README.md does not know {name}");
        }
    }

    #[test]
    fn sizes_follow_the_names() {
        for measure in Measure::all() {
            let kibibytes = match measure.name().rsplit('-').next() {
                Some("1k") => 1,
                Some("4k") => 4,
                Some("64k") => 64,
                Some("1m") => 1024,
                _ => continue,
            };
            assert_eq!(measure.size(), kibibytes << 10);
        }
    }
}
