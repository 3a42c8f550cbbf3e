//! `half-open`: handshakes that never end, and calls over another connection before and meanwhile.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use clap::Args;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use super::child::{Drive, Serve};
use crate::Failure;
use crate::load::Window;
use crate::measure::{CALL_TIMEOUT, Measure, Task};
use crate::process::{Child, Server};
use crate::sample::Reading;
use crate::statistics::to_f64;
use crate::system::System;

/// Begins handshakes that never end, and measures calls before and meanwhile.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Number of connections, each of which is made anew when the server has cut it off. Fewer where the system allows fewer descriptors
    /// for a process, which is said.
    #[arg(default_value_t = 10_000)]
    connections: usize,
    /// Number of addresses that they come from, in turn.
    #[arg(long, default_value_t = 16)]
    addresses: u8,
    /// Duration of each measurement in seconds.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
}

/// Descriptors that a process needs beside those of its connections.
const SPARE_DESCRIPTORS: usize = 200;
/// Time that all of them may take to be there.
const MAX_WAIT: Duration = Duration::from_mins(1);

/// Measures, attacks, measures again, and prints both.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let descriptors = usize::try_from(rlimit::increase_nofile_limit(u64::MAX)?)?;
    let count = arguments.connections.min(descriptors.saturating_sub(SPARE_DESCRIPTORS));
    if count < arguments.connections {
        println!("{count} connections: a process may have {descriptors} descriptors");
    }
    let server = Server::start(Serve::command(System::Zsvc)?)?;
    let length = Duration::from_secs(arguments.seconds);
    let task = Task {
        measure: Measure::Latency,
        endpoint: server.listening.endpoint.clone(),
        control: server.listening.control,
        server: server.process(),
        window: Window { warm_up: Duration::from_millis(200), length },
    };
    tell("before", &latency(&task)?);
    let (memory, files) = (task.server.memory()?, open_files(&task)?);
    let address: SocketAddr =
        task.endpoint.strip_prefix("tcp://").ok_or("connections need an endpoint with `tcp://`")?.parse()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let mut attack = JoinSet::new();
    for nth in 0..count {
        attack.spawn_on(half_open(address, nth, arguments.addresses), runtime.handle());
    }
    let held = most_files(&task)?.saturating_sub(files);
    let per_connection = to_f64(task.server.memory()?.saturating_sub(memory)) / to_f64(held.max(1) as u64);
    println!("{held} of {count} handshakes under way, {per_connection:.0} bytes of the server each");
    tell("meanwhile", &latency(&task)?);
    runtime.shutdown_background();
    Ok(())
}

fn latency(task: &Task) -> Result<Vec<Reading>, Failure> {
    let time = (task.window.warm_up + task.window.length) * 4;
    Child::start(Drive::command(System::Zsvc, task)?)?.rest(CALL_TIMEOUT + time)
}

fn tell(when: &str, readings: &[Reading]) {
    for reading in readings {
        println!("{when}: {} {:.1} {}", reading.name, reading.value, reading.unit);
    }
}

fn open_files(task: &Task) -> Result<usize, Failure> {
    Ok(std::fs::read_dir(format!("/proc/{}/fd", task.server.0))?.count())
}

/// Waits until the server takes no more connections. Returns the number of its files then.
fn most_files(task: &Task) -> Result<usize, Failure> {
    let began = Instant::now();
    let mut before = open_files(task)?;
    while began.elapsed() < MAX_WAIT {
        std::thread::sleep(Duration::from_millis(500));
        let now = open_files(task)?;
        if now <= before {
            return Ok(now);
        }
        before = now;
    }
    Err("the connections do not come to an end".into())
}

/// Connects, says half of a greeting, and does so again whenever the server has cut the connection.
async fn half_open(server: SocketAddr, nth: usize, addresses: u8) {
    loop {
        if let Ok(mut stream) = connect(server, nth, addresses).await {
            let _ = stream.write_all(b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01NULL").await;
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn connect(server: SocketAddr, nth: usize, addresses: u8) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    let last = u8::try_from(nth % usize::from(addresses.max(1))).unwrap_or(0);
    socket.bind((Ipv4Addr::new(127, 3, 0, last), 0).into())?;
    socket.connect(server).await
}
