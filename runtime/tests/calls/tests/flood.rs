//! Memory under a flood, on the engine `zmtp`: clients send without end, calls and messages that never end, faster than a server
//! whose handlers hold up its threads reads. The server takes no more memory than its settings allow, and serves others.
//!
//! The test is a separate process, since the memory of this process is measured. The clients are bare TCP connections, so almost
//! none of that memory is theirs.

use std::io::{self, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use zsvc::middleware::{Response, ServerMiddleware, ServerNext, ServerRequest};
use zsvc::{Engine, Server, ServerBuilder, Status};
use zsvc_calls::memory::peak;
use zsvc_calls::probe::v1::{ProbeClient, ProbeServer};
use zsvc_calls::{Probe, Watchdog};

/// Number of clients that flood the server in each way.
const CLIENTS_PER_FLOOD: usize = 8;
/// Time after which the test hangs.
const TEST_TIMEOUT: Duration = Duration::from_mins(2);
/// Time for which a handler of a one-way call holds up its thread.
const HOLDUP: Duration = Duration::from_millis(2);
/// Maximum size of a body in bytes.
const MAX_BODY: usize = 16 << 10;
/// Size in bytes of the largest message that is received: see docs/operations.md, "Memory".
const MAX_RECEIVED: usize = 4 * MAX_BODY + (256 << 10);

/// Handlers that keep nothing: one-way calls block their thread, and calls of `hold` never end by themselves.
struct HoldUp;

impl ServerMiddleware for HoldUp {
    async fn handle(&self, request: ServerRequest, next: ServerNext<'_>) -> Response {
        if request.method().name().ends_with("/note") {
            std::thread::sleep(HOLDUP);
            return Status::unavailable("it was held up").into();
        }
        if request.method().name().ends_with("/hold") {
            std::future::pending::<()>().await;
        }
        next.run(request).await
    }
}

fn builder() -> ServerBuilder {
    Server::builder()
        .engine(Engine::Zmtp)
        .service(ProbeServer::new(Probe::default()))
        .middleware(HoldUp)
        .bind("tcp://127.0.0.1:*")
        .max_message_size(MAX_BODY)
        .max_calls_per_peer(4)
        .stream_window(64 << 10)
        .max_waiting_per_peer(512 << 10)
        .max_waiting(16 << 20)
}

/// Returns a frame of ZMTP, <https://rfc.zeromq.org/spec/37/>.
fn frame(flags: u8, body: &[u8]) -> Vec<u8> {
    match u8::try_from(body.len()) {
        Ok(length) => [&[flags, length], body].concat(),
        Err(_) => [&[flags | 2][..], &(body.len() as u64).to_be_bytes(), body].concat(),
    }
}

/// Returns the message of a call with one parameter of 15,000 bytes, according to docs/protocol.md.
fn call(kind: u8, id: u8, method: &str, parameter: &[u8]) -> Vec<u8> {
    let name = format!("probe.v1.Probe/{method}");
    let name_head = 0xa0 | u8::try_from(name.len()).expect("names are short");
    let body_length =
        u16::try_from(1 + parameter.len() + 15_000).expect("it is within the bound").to_be_bytes();
    let head = [&[1, 0x94, kind, id, name_head], name.as_bytes(), &[0xc5], &body_length, &[0x91], parameter];
    frame(0, &[&head.concat()[..], &[b'x'; 15_000]].concat())
}

/// What a client sends again and again, each named by what it is.
fn floods() -> Vec<(&'static str, Vec<u8>)> {
    // 15,000 bytes as `bin` and as `str`.
    let (bytes, text) = ([0xc5, 0x3a, 0x98], [0xda, 0x3a, 0x98]);
    let largest = vec![7; MAX_RECEIVED];
    let cancel = frame(0, &[1, 0x92, 8, 1]);
    vec![
        ("calls whose answers are not read", (1..100).flat_map(|id| call(1, id, "echo", &bytes)).collect()),
        ("calls that wait", (1..100).flat_map(|id| call(1, id, "hold", &text)).collect()),
        ("calls that are cancelled", [call(1, 1, "hold", &text), cancel].concat().repeat(20)),
        ("one-way calls that hold up a thread", call(2, 0, "note", &text).repeat(20)),
        ("a message without end, of large frames", frame(1, &largest)),
        ("a message without end, of small frames", frame(1, b"a").repeat(100_000)),
        ("large messages that are none", frame(0, &largest)),
        ("empty messages", frame(0, b"").repeat(100_000)),
        ("pings", frame(4, b"\x04PING\0\0").repeat(20_000)),
    ]
}

/// Sends a flood over one connection after the other, until it is told to stop. Counts the bytes that were taken.
fn flood(address: &str, what: &[u8], stop: &AtomicBool, sent: &AtomicU64) -> io::Result<()> {
    let greeting = [&[0xff][..], &[0; 8], &[0x7f, 3, 1], b"NULL", &[0; 16], &[0; 32]].concat();
    let ready = frame(4, b"\x05READY\x0bSocket-Type\0\0\0\x06DEALER");
    while !stop.load(Ordering::Relaxed) {
        let mut stream = TcpStream::connect(address)?;
        stream.set_write_timeout(Some(Duration::from_millis(200)))?;
        stream.write_all(&[&greeting[..], &ready].concat())?;
        let mut rest = what;
        while !stop.load(Ordering::Relaxed) {
            match stream.write(rest) {
                Ok(written) => {
                    sent.fetch_add(written as u64, Ordering::Relaxed);
                    rest = if written == rest.len() { what } else { &rest[written..] };
                }
                // The server reads nothing: the client tries on.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // The server has cut the connection: the client makes another.
                Err(_) => break,
            }
        }
    }
    Ok(())
}

/// A client: what it sends, how many bytes all clients of its kind have sent, and its thread.
type Client = (&'static str, Arc<AtomicU64>, JoinHandle<io::Result<()>>);

#[test]
fn clients_that_send_without_end_take_no_more_memory_than_is_said() {
    let _watchdog = Watchdog::of_this_test(2 * TEST_TIMEOUT);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let test = async { tokio::time::timeout(TEST_TIMEOUT, flooded()).await.expect("the test hangs") };
    runtime.expect("the system has descriptors for a runtime").block_on(test);
}

async fn flooded() {
    let (floods, builder) = (floods(), builder());
    let worst = builder.worst_case_memory(floods.len() * CLIENTS_PER_FLOOD);
    let server = builder.listen().expect("any port will do");
    let (endpoint, counters) = (server.endpoints()[0].clone(), server.counters());
    tokio::spawn(server.serve());
    let reader = ProbeClient::connect(&endpoint).await.expect("the server is up");
    let address = endpoint.strip_prefix("tcp://").expect("it is TCP").to_owned();
    let stop = Arc::new(AtomicBool::new(false));
    let before = peak();
    let mut crowd: Vec<Client> = Vec::new();
    for (name, what) in floods {
        let (what, sent) = (Arc::<[u8]>::from(what), Arc::<AtomicU64>::default());
        for _ in 0..CLIENTS_PER_FLOOD {
            let (what, stop, sent, address) =
                (Arc::clone(&what), Arc::clone(&stop), Arc::clone(&sent), address.clone());
            let counted = Arc::clone(&sent);
            let client = std::thread::spawn(move || flood(&address, &what, &stop, &counted));
            crowd.push((name, sent, client));
        }
    }
    let sent = || crowd.iter().step_by(CLIENTS_PER_FLOOD).map(|(_, sent, _)| sent.load(Ordering::Relaxed));
    // A client that reads is served meanwhile. Each flood is larger than what may be kept of it.
    while sent().sum::<u64>() < 12 * worst || sent().any(|sent| sent < 10 << 20) || counters.calls() < 1_000 {
        assert_eq!(reader.echo("still here").await.expect("who reads is served"), &b"still here"[..]);
    }
    let taken = peak() - before;
    for ((name, ..), sent) in crowd.iter().step_by(CLIENTS_PER_FLOOD).zip(sent()) {
        println!("{} MiB of {name}", sent >> 20);
    }
    println!("{} MiB, of {} MiB that are said", taken >> 20, worst >> 20);
    assert!(worst < 1 << 30, "{worst} bytes: that would say nothing");
    assert!(taken <= worst, "{taken} bytes, and {worst} are said");
    stop.store(true, Ordering::Relaxed);
    for (name, _, client) in crowd {
        client.join().expect("no client panics").unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}
