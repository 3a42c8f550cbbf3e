//! The measured systems, one file each: the server, and the client as the measures use it.

mod bare;
mod capnp;
mod idle;
mod keys;
mod nginx;
mod routed;
mod tarpc;
mod tonic;
mod zsvc;

use std::net::SocketAddr;
use std::process::Command;

use clap::ValueEnum;
use tokio::runtime::{Builder, Runtime};

use crate::Failure;
use crate::measure::{Measure, Task, calls, streams};
use crate::process::Listening;
use crate::python::Peer;
use crate::sample::Reading;

pub(crate) use idle::{echo_batch, hold};
pub(crate) use zsvc::{EchoClient as ZsvcClient, Tick};

/// A system. The names are those on the command line and in readings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum System {
    /// zsvc on tokio's multi-thread runtime, as `#[tokio::main]` configures it.
    Zsvc,
    /// zsvc on tokio's current-thread runtime.
    ZsvcCurrent,
    /// zsvc on libzmq in place of its own engine, on the multi-thread runtime.
    ZsvcLibzmq,
    /// zsvc on the multi-thread runtime, whose server has no services by itself, and so counts and times no calls.
    ZsvcBareServer,
    /// zsvc on the multi-thread runtime, with CURVE.
    ZsvcCurve,
    /// zsvc behind its router, in a process of its own.
    ZsvcRouted,
    /// The same with four workers.
    ZsvcRouted4,
    /// Sockets of libzmq.
    Bare,
    /// Sockets of libzmq with CURVE, where the libzmq that this program is linked with has it.
    BareCurve,
    /// tonic on the multi-thread runtime.
    Tonic,
    /// tonic on the current-thread runtime.
    TonicCurrent,
    /// tonic behind nginx, where that is on the machine.
    TonicNginx,
    /// The same with four workers.
    TonicNginx4,
    /// tarpc on the multi-thread runtime.
    Tarpc,
    /// tarpc on the current-thread runtime.
    TarpcCurrent,
    /// Cap'n Proto, which has a current-thread runtime only.
    Capnp,
    /// zerorpc, in Python.
    Zerorpc,
    /// Sockets of libzmq, in Python.
    Pyzmq,
}

impl System {
    /// Returns all systems.
    pub(crate) fn all() -> &'static [Self] {
        Self::value_variants()
    }

    /// Returns the name.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Returns the Python peer of this system, if it is one.
    pub(crate) fn python(self) -> Option<Peer> {
        match self {
            Self::Zerorpc => Some(Peer::Zerorpc),
            Self::Pyzmq => Some(Peer::Pyzmq),
            _ => None,
        }
    }

    /// Returns what this system lacks where it can't be measured.
    pub(crate) fn lacks(self) -> Option<&'static str> {
        match self {
            Self::BareCurve if zmq::has("curve") != Some(true) => {
                Some("the libzmq of this program has no CURVE; see README.md")
            }
            Self::TonicNginx | Self::TonicNginx4 if !nginx::is_here() => {
                Some("nginx can't be had; in Debian, it is in the package `nginx-light`")
            }
            _ => None,
        }
    }

    /// Reports whether the measure is taken of this system.
    pub(crate) fn takes(self, measure: Measure) -> bool {
        use Measure as M;
        let [zsvc, bare, capnp, tonic] = [
            matches!(self, Self::Zsvc | Self::ZsvcCurrent | Self::ZsvcLibzmq),
            self == Self::Bare,
            self == Self::Capnp,
            matches!(self, Self::Tonic | Self::TonicCurrent),
        ];
        if matches!(self, Self::ZsvcCurve | Self::BareCurve) {
            return matches!(measure, M::Latency | M::InFlight64 | M::Payload1m);
        }
        let is_routed = matches!(self, Self::ZsvcRouted | Self::ZsvcRouted4);
        if is_routed || matches!(self, Self::TonicNginx | Self::TonicNginx4) {
            return matches!(
                measure,
                M::Latency | M::InFlight64 | M::SyncClients | M::ServerStream64 | M::Payload1m
            ) || is_routed && measure == M::Idle1000;
        }
        if self == Self::ZsvcBareServer {
            return matches!(
                measure,
                M::Latency | M::InFlight64 | M::InFlight1000 | M::ServerStream64 | M::ClientStream64
            );
        }
        match measure {
            M::Latency | M::InFlight8 | M::InFlight64 | M::InFlight1000 | M::SyncClients | M::ColdStart => {
                true
            }
            M::Cpu | M::Payload1k | M::Payload64k | M::Payload1m => self.python().is_none(),
            M::Trade | M::Allocations => self.python().is_none() && !bare,
            M::OneWay => zsvc || bare,
            M::ServerStream64
            | M::ServerStream4k
            | M::ClientStream64
            | M::ClientStream4k
            | M::Bidi64
            | M::Bidi4k
            | M::StreamTrade => zsvc || tonic || capnp,
            M::Idle1000 => {
                matches!(self, Self::Zsvc | Self::ZsvcLibzmq | Self::Bare | Self::Tonic | Self::Tarpc)
            }
            M::Idle10000 => matches!(self, Self::Zsvc | Self::ZsvcLibzmq | Self::Bare),
            M::Build => matches!(self, Self::Zsvc | Self::Tonic),
        }
    }

    /// Returns the runtime for its server and its client.
    pub(crate) fn runtime(self) -> Result<Runtime, Failure> {
        let mut builder = match self {
            Self::ZsvcCurrent | Self::TonicCurrent | Self::TarpcCurrent | Self::Capnp => {
                Builder::new_current_thread()
            }
            _ => Builder::new_multi_thread(),
        };
        Ok(builder.enable_all().build()?)
    }

    /// Sets the environment of a process of this system.
    pub(crate) fn configure(self, command: &mut Command) {
        let engine = match self {
            Self::Zsvc
            | Self::ZsvcCurrent
            | Self::ZsvcBareServer
            | Self::ZsvcCurve
            | Self::ZsvcRouted
            | Self::ZsvcRouted4 => "zmtp",
            Self::ZsvcLibzmq => "libzmq",
            _ => return,
        };
        command.env("ZSVC_ENGINE", engine);
    }

    /// Serves until the process ends.
    pub(crate) fn serve(self) -> Result<(), Failure> {
        match self {
            Self::Bare => bare::serve(false),
            Self::BareCurve => bare::serve(true),
            Self::Zsvc | Self::ZsvcCurrent | Self::ZsvcLibzmq => {
                self.runtime()?.block_on(zsvc::serve(|server| server))
            }
            Self::ZsvcBareServer => self.runtime()?.block_on(zsvc::serve(zsvc::without_own_services)),
            Self::ZsvcCurve => {
                self.runtime()?.block_on(zsvc::serve(|server| server.curve(keys::of_server())))
            }
            Self::ZsvcRouted => routed::serve(1),
            Self::ZsvcRouted4 => routed::serve(4),
            Self::Tonic | Self::TonicCurrent => self.runtime()?.block_on(tonic::serve()),
            Self::TonicNginx => nginx::serve(1),
            Self::TonicNginx4 => nginx::serve(4),
            Self::Tarpc | Self::TarpcCurrent => self.runtime()?.block_on(tarpc::serve()),
            Self::Capnp => self.runtime()?.block_on(capnp::serve()),
            Self::Zerorpc | Self::Pyzmq => Err(IN_PYTHON.into()),
        }
    }

    /// Takes the measure that the task names.
    pub(crate) fn drive(self, task: Task) -> Result<Vec<Reading>, Failure> {
        match self {
            Self::Bare => bare::drive(&task, false),
            Self::BareCurve => bare::drive(&task, true),
            Self::Zsvc
            | Self::ZsvcCurrent
            | Self::ZsvcLibzmq
            | Self::ZsvcBareServer
            | Self::ZsvcRouted
            | Self::ZsvcRouted4 => self.run(zsvc::drive(task)),
            Self::ZsvcCurve => self.run(calls::<zsvc::Encrypted>(task)),
            Self::Tonic | Self::TonicCurrent | Self::TonicNginx | Self::TonicNginx4 => {
                self.run(streams::<tonic::TonicClient>(task))
            }
            Self::Tarpc | Self::TarpcCurrent => self.run(calls::<tarpc::TarpcClient>(task)),
            Self::Capnp => self.run(streams::<capnp::CapnpClient>(task)),
            Self::Zerorpc | Self::Pyzmq => Err(IN_PYTHON.into()),
        }
    }

    /// Runs a future in a task, as user code mostly is: `block_on` polls its own future outside of the workers.
    fn run<T: Send + 'static>(
        self,
        work: impl Future<Output = Result<T, Failure>> + Send + 'static,
    ) -> Result<T, Failure> {
        self.runtime()?.block_on(async { tokio::spawn(work).await? })
    }
}

const IN_PYTHON: &str = "this system is a Python program; see `python/`";

/// Prints the endpoints for the parent process.
fn announce(endpoint: &str, control: Option<SocketAddr>) -> Result<(), Failure> {
    println!("{}", serde_json::to_string(&Listening { endpoint: endpoint.to_owned(), control })?);
    Ok(())
}
