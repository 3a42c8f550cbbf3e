//! `crowd`: very many connections to one server, each of which has made a call, and calls over another connection meanwhile.
//!
//! With `--heartbeats`, it also looks for calls that wait while the server pings all of them at once, and while all of them die at
//! once, as after a partition of the network.

use std::io::{ErrorKind, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::{Args, ValueEnum};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use super::child::{Drive, HoldRaw, Serve};
use crate::Failure;
use crate::load::Window;
use crate::measure::{CALL_TIMEOUT, Measure, Task};
use crate::process::{Child, Server};
use crate::statistics::to_f64;
use crate::system::{System, ZsvcClient, echo_batch};

/// Holds very many connections to one server.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Number of connections. Fewer where the system allows fewer descriptors for a process, which is said.
    #[arg(default_value_t = 180_000)]
    connections: usize,
    /// The system, one that speaks the protocol of zsvc.
    #[arg(long, value_enum, default_value_t = System::Zsvc)]
    system: System,
    /// Measures calls one at a time for 45 s meanwhile, in which all connections have been silent for as long.
    #[arg(long, value_enum)]
    heartbeats: Option<Peers>,
}

/// What the peers at the other end of the connections do when they are pinged.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Peers {
    /// Answer.
    Answer,
    /// Say nothing any more, and are given up.
    StaySilent,
    /// End their connections all at once, in the middle of the 45 s.
    Leave,
}

/// Descriptors that a process needs beside those of its connections.
const SPARE_DESCRIPTORS: usize = 200;
/// Connections of one source address; it has 28,000 ports by default.
const PER_ADDRESS: usize = 20_000;
/// Connections that one process makes at a time.
const AT_A_TIME: usize = 64;
/// Time that each connection may take, at the slowest.
const TIME_PER_CONNECTION: Duration = Duration::from_millis(2);

/// Opens the connections, and prints what they cost.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let descriptors = usize::try_from(rlimit::increase_nofile_limit(u64::MAX)?)?;
    let possible = descriptors.saturating_sub(SPARE_DESCRIPTORS);
    let count = arguments.connections.min(possible);
    if count < arguments.connections {
        println!(
            "{count} connections in place of {}: a process may have {descriptors} descriptors",
            arguments.connections
        );
    }
    let server = Server::start(Serve::command(arguments.system)?)?;
    let task = Task {
        measure: Measure::InFlight1000,
        endpoint: server.listening.endpoint.clone(),
        control: server.listening.control,
        server: server.process(),
        window: Window { warm_up: Duration::from_millis(500), length: Duration::from_secs(2) },
    };
    let without = rate(arguments.system, &task)?;
    let before = task.server.memory()?;
    let started = Instant::now();
    let holders = hold(&task.endpoint, count, possible, arguments.heartbeats)?;
    let took = started.elapsed();
    let memory = task.server.memory()?;
    let with = rate(arguments.system, &task)?;
    let idle = idle_cpu(&task)?;
    let waits = arguments.heartbeats.map(|peers| waits(peers, &task.endpoint, holders)).transpose()?;
    let per_connection = to_f64(memory.saturating_sub(before)) / to_f64(count as u64);
    println!("{count} connections, each with a call, in {:.1} s", took.as_secs_f64());
    println!("server: {} MiB, {per_connection:.0} bytes a connection", memory >> 20);
    println!(
        "1,000 calls in flight over another: {with:.0} a second, {:.2} of {without:.0} without them",
        with / without
    );
    println!("CPU of the idle server: {:.2} % of a core", idle * 100.0);
    if let Some(mut waits) = waits {
        waits.sort_unstable();
        let at = |part: usize| waits[(waits.len() - 1) * part / 1000].as_secs_f64() * 1000.0;
        println!(
            "{} calls one at a time meanwhile: {:.2} ms (p50), {:.1} ms (p99), {:.1} ms (p99.9), {:.1} ms (longest)",
            waits.len(),
            at(500),
            at(990),
            at(999),
            at(1000)
        );
    }
    Ok(())
}

/// Has every connection make a call at once, and then returns how long each call of another client takes, for longer than the server
/// needs to ping the others and to give them up.
fn waits(peers: Peers, endpoint: &str, mut holders: Vec<Child>) -> Result<Vec<Duration>, Failure> {
    const WINDOW: Duration = Duration::from_secs(45);
    const PAUSE: Duration = Duration::from_millis(1);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let client = ZsvcClient::connect(endpoint).await?;
        for holder in &mut holders {
            holder.say("")?;
        }
        // Those calls are many at once, too, but are not what is looked at.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let (began, mut waits) = (Instant::now(), Vec::new());
        while began.elapsed() < WINDOW {
            if matches!(peers, Peers::Leave) && began.elapsed() > WINDOW / 2 {
                holders.clear();
            }
            let called = Instant::now();
            client.echo(Bytes::from_static(&[7; 64])).await?;
            waits.push(called.elapsed());
            tokio::time::sleep(PAUSE).await;
        }
        Ok(waits)
    })
}

/// Starts as many processes as the descriptors ask for, and waits until all connections have made a call.
fn hold(endpoint: &str, count: usize, most: usize, peers: Option<Peers>) -> Result<Vec<Child>, Failure> {
    let deadline = Instant::now() + CALL_TIMEOUT + TIME_PER_CONNECTION * u32::try_from(count)?;
    let mut holders = Vec::new();
    for first in (0..count).step_by(most.min(PER_ADDRESS)) {
        let own = (count - first).min(most.min(PER_ADDRESS));
        holders.push(Child::start(HoldRaw::command(
            endpoint,
            first,
            own,
            matches!(peers, Some(Peers::Answer)),
        )?)?);
    }
    for holder in &mut holders {
        holder.line::<bool>(deadline)?.ok_or("a process that holds connections has ended")?;
    }
    Ok(holders)
}

fn rate(system: System, task: &Task) -> Result<f64, Failure> {
    let time = (task.window.warm_up + task.window.length) * 4;
    let readings: Vec<crate::sample::Reading> =
        Child::start(Drive::command(system, task)?)?.rest(CALL_TIMEOUT + time)?;
    Ok(readings.first().ok_or("the client printed no rate")?.value)
}

/// Returns the part of a core that the server takes while nothing calls it.
fn idle_cpu(task: &Task) -> Result<f64, Failure> {
    const WINDOW: Duration = Duration::from_secs(5);
    let before = task.server.cpu()?;
    std::thread::sleep(WINDOW);
    Ok(task.server.cpu()?.saturating_sub(before).as_secs_f64() / WINDOW.as_secs_f64())
}

/// Opens connections by hand, makes a call over each, and holds them until standard input ends. For each line of standard input, makes
/// another call over each.
pub(crate) fn hold_raw(endpoint: &str, first: usize, count: usize, answer: bool) -> Result<(), Failure> {
    let server: SocketAddr =
        endpoint.strip_prefix("tcp://").ok_or("connections need an endpoint with `tcp://`")?.parse()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut opening = JoinSet::new();
        let mut connections = Vec::with_capacity(count);
        for index in first..first + count {
            if opening.len() >= AT_A_TIME
                && let Some(opened) = opening.join_next().await
            {
                connections.push(Arc::new(opened??));
            }
            opening.spawn(open(server, index));
        }
        while let Some(opened) = opening.join_next().await {
            connections.push(Arc::new(opened??));
        }
        if answer {
            for connection in &connections {
                tokio::spawn(answer_pings(Arc::clone(connection)));
            }
        }
        writeln!(std::io::stdout(), "true")?;
        let mut lines = BufReader::new(tokio::io::stdin()).lines();
        while lines.next_line().await?.is_some() {
            let call = call();
            for connection in &connections {
                // All fits: nothing has been sent for a while.
                connection.try_write(&call)?;
            }
        }
        Ok(())
    })
}

/// Reads all that comes, and answers pings. Ends with the connection.
async fn answer_pings(connection: Arc<TcpStream>) -> Result<(), Failure> {
    const COMMAND: u8 = 4;
    let mut unread = Vec::new();
    loop {
        connection.readable().await?;
        match connection.try_read_buf(&mut unread) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error.into()),
        }
        while let [flags, length, rest @ ..] = &unread[..]
            && let Some((body, rest)) = rest.split_at_checked(usize::from(*length))
        {
            // The name, and a time to live of 2 bytes, before the context.
            if *flags == COMMAND && body.starts_with(b"\x04PING") {
                let pong = [b"\x04PONG", body.get(7..).unwrap_or_default()].concat();
                connection.try_write(&[&[COMMAND, pong.len().to_le_bytes()[0]], &pong[..]].concat())?;
            }
            unread = rest.to_vec();
        }
    }
}

/// Returns a message with one call.
fn call() -> Vec<u8> {
    let call = echo_batch();
    [&[0, call.len().to_le_bytes()[0]], &call[..]].concat()
}

/// Opens a connection, shakes hands as a DEALER, and makes a call.
async fn open(server: SocketAddr, index: usize) -> Result<TcpStream, Failure> {
    let socket = TcpSocket::new_v4()?;
    // Also a port of a connection that an earlier run has just closed.
    socket.set_reuseaddr(true)?;
    let [.., high, low] = (index / PER_ADDRESS + 257).to_be_bytes();
    socket.bind((Ipv4Addr::new(127, 2, high, low), 0).into())?;
    let mut stream = socket.connect(server).await?;
    stream.set_nodelay(true)?;
    let mut greeting = [0; 64];
    greeting[..12].copy_from_slice(b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01");
    greeting[12..16].copy_from_slice(b"NULL");
    stream.write_all(&greeting).await?;
    stream.read_exact(&mut greeting).await?;
    stream.write_all(b"\x04\x1c\x05READY\x0bSocket-Type\0\0\0\x06DEALER").await?;
    frame(&mut stream).await?;
    stream.write_all(&call()).await?;
    // An answer, and no command: heartbeats come later.
    if frame(&mut stream).await?.is_empty() {
        return Err("the answer is empty".into());
    }
    Ok(stream)
}

/// Reads a frame of up to 255 bytes.
async fn frame(stream: &mut TcpStream) -> Result<Vec<u8>, Failure> {
    let mut header = [0; 2];
    stream.read_exact(&mut header).await?;
    let mut body = vec![0; usize::from(header[1])];
    stream.read_exact(&mut body).await?;
    Ok(body)
}
