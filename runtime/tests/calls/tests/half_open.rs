//! What a server takes for a connection whose handshake is under way: counted in the allocator, by how far the peer has come. Anything can
//! connect, so this is what an attacker gets for a file descriptor.
//!
//! The test is a separate process, since all of its memory is counted. The peers are bare TCP connections, which take none.

use std::alloc::{GlobalAlloc, Layout, System};
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicIsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use zsvc::auth::{Authenticate, Authenticator, Claim, Grant};
use zsvc::curve::{CurveServer, SecretKey, generate};
use zsvc::{Engine, Server, ServerBuilder, Status};
use zsvc_calls::probe::v1::ProbeServer;
use zsvc_calls::{Probe, Watchdog};
use zsvc_proto::zmtp::curve::{Client, ENTROPY_BYTES, Entropy};
use zsvc_proto::zmtp::{Config, Connection, Mechanism, SocketType, Transmit};

/// Counts what is allocated and not freed, by its size.
struct Counting;

/// Unit of sizes in bytes, that of the C library's allocator.
const UNIT: usize = 16;
/// Sizes up to here are counted apart.
const SIZES: usize = 256;
static LIVE: [AtomicIsize; SIZES] = [const { AtomicIsize::new(0) }; SIZES];

fn slot(layout: Layout) -> &'static AtomicIsize {
    &LIVE[(layout.size() / UNIT).min(SIZES - 1)]
}

// SAFETY: everything is the system's; what is counted has no influence on it.
#[allow(unsafe_code, reason = "an allocator that counts")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        slot(layout).fetch_add(bytes_of(layout), Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        slot(layout).fetch_sub(bytes_of(layout), Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Returns what the C library's allocator takes for it, but for what it loses to alignment: 8 bytes more, in units.
fn bytes_of(layout: Layout) -> isize {
    isize::try_from((layout.size() + 8).next_multiple_of(UNIT)).unwrap_or(isize::MAX)
}

/// Number of peers of each kind.
const PEERS: usize = 500;
/// Time after which the test hangs.
const TEST_TIMEOUT: Duration = Duration::from_mins(2);

/// How far a peer comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The peer says nothing.
    Silent,
    /// The peer has said its greeting.
    Greeted,
    /// The peer has said a part of its next command.
    Halfway,
    /// The peer has been given a cookie, by a server with keys.
    Welcomed,
    /// The program is asked about the peer, which has proved its key.
    Asked,
}

/// Never answers.
struct Silence;

impl Authenticate for Silence {
    async fn authenticate(&self, _: Claim) -> Result<Grant, Status> {
        std::future::pending().await
    }
}

/// Peers that have come as far as they do, and stay there.
struct Peers {
    address: String,
    /// The keys of the server and of a client that it lets in, if it has keys.
    keys: Option<(SecretKey, SecretKey)>,
}

impl Peers {
    fn connect(&self, stage: Stage) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).expect("the server is up");
        stream.set_read_timeout(Some(TEST_TIMEOUT / 2)).expect("the socket has the option");
        let mut machine = self.machine();
        // The server says this at once.
        read(&mut stream, &mut machine, 64);
        let said = transmit(&mut machine);
        let (greeting, command) = said.split_at(64);
        match stage {
            Stage::Silent => {}
            Stage::Greeted => stream.write_all(greeting).expect("the server takes it"),
            Stage::Halfway => {
                let some = [greeting, &command[..command.len() - 1]].concat();
                stream.write_all(&some).expect("the server takes it");
            }
            Stage::Welcomed => {
                stream.write_all(&said).expect("the server takes it");
                read(&mut stream, &mut machine, 170);
            }
            Stage::Asked => {
                stream.write_all(&said).expect("the server takes it");
                read(&mut stream, &mut machine, 170);
                stream.write_all(&transmit(&mut machine)).expect("the server takes it");
            }
        }
        stream
    }

    fn machine(&self) -> Connection {
        let mechanism = match &self.keys {
            None => Mechanism::Null,
            Some((server, own)) => {
                let entropy = Entropy::take(&mut [7; ENTROPY_BYTES]);
                Mechanism::CurveClient(Client::new(server.public_key(), own.clone().into(), &entropy))
            }
        };
        let config = Config {
            socket_type: SocketType::Dealer,
            routing_id: bytes::Bytes::new(),
            mechanism,
            max_frame_bytes: 1_024,
            max_frames: 1,
            handshake_timeout: TEST_TIMEOUT,
            heartbeat: None,
        };
        Connection::new(config, Instant::now())
    }
}

fn read(stream: &mut TcpStream, machine: &mut Connection, bytes: usize) {
    let mut said = vec![0; bytes];
    stream.read_exact(&mut said).expect("the server says as much");
    machine.handle_bytes(Instant::now(), &said);
}

/// Returns the greeting and the command after it.
fn transmit(machine: &mut Connection) -> Vec<u8> {
    let all = std::iter::from_fn(|| machine.poll_transmit()).map(|transmit| match transmit {
        Transmit::Handshake(bytes) | Transmit::Command(bytes) => bytes.to_vec(),
    });
    all.collect::<Vec<_>>().concat()
}

fn live() -> Vec<isize> {
    LIVE.iter().map(|bytes| bytes.load(Relaxed)).collect()
}

/// Returns the bytes of the server for each peer, and of which sizes they are.
async fn taken(peers: &Peers, stage: Stage) -> (isize, String) {
    let connect = |number| (0..number).map(|_| peers.connect(stage)).collect::<Vec<_>>();
    // Tables have grown by then.
    let warm = tokio::task::block_in_place(|| connect(PEERS));
    drop(warm);
    let settle = async || {
        let mut before = live();
        loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let now = live();
            if std::mem::replace(&mut before, now.clone()) == now {
                return now;
            }
        }
    };
    let before = settle().await;
    let crowd = tokio::task::block_in_place(|| connect(PEERS));
    let during = settle().await;
    let count = isize::try_from(PEERS).expect("it is few");
    let parts: Vec<_> = during.iter().zip(&before).map(|(now, before)| (now - before) / count).collect();
    let of = parts.iter().enumerate().filter(|(_, bytes)| **bytes != 0);
    let of = of.map(|(size, bytes)| format!("{}+: {bytes}", size * UNIT)).collect::<Vec<_>>().join(", ");
    drop(crowd);
    (parts.iter().sum(), of)
}

fn builder(curve: Option<CurveServer>) -> ServerBuilder {
    let builder = Server::builder().service(ProbeServer::new(Probe::default())).engine(Engine::Zmtp);
    let builder = builder.bind("tcp://127.0.0.1:*");
    match curve {
        Some(curve) => builder.curve(curve),
        None => builder,
    }
}

/// Bytes that each may take: a tenth more than was measured.
const MOST: [(bool, Stage, isize); 7] = [
    (false, Stage::Silent, 2_400),
    (false, Stage::Greeted, 2_400),
    (false, Stage::Halfway, 2_450),
    (true, Stage::Silent, 2_550),
    (true, Stage::Halfway, 2_750),
    (true, Stage::Welcomed, 2_550),
    (true, Stage::Asked, 3_900),
];

/// Returns a server's settings with keys that lets one client in, and asks about others where peers come that far.
fn keys_of(server: &SecretKey, client: &SecretKey, stage: Stage) -> CurveServer {
    let curve = CurveServer::new(server.clone());
    if stage == Stage::Asked {
        curve.authenticate(Authenticator::new(Silence).time_limit(Duration::from_secs(8)))
    } else {
        curve.allow(client.public_key())
    }
}

#[test]
fn a_handshake_that_is_under_way_takes_little() {
    let _watchdog = Watchdog::of_this_test(2 * TEST_TIMEOUT);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("the system has descriptors for a runtime").block_on(async {
        let mut all = String::new();
        let mut is_fine = true;
        for (has_keys, stage, most) in MOST {
            let keys = has_keys.then(|| [(); 2].map(|()| generate().expect("the system has random bytes")));
            let curve = keys.as_ref().map(|[server, own]| keys_of(server, own, stage));
            let server = builder(curve).listen().expect("any port will do");
            let address = server.endpoints()[0].strip_prefix("tcp://").expect("it is TCP").to_owned();
            let serving = tokio::spawn(server.serve());
            let keys = keys.map(|[server, own]| (server, own));
            let peers = Peers { address, keys };
            let (bytes, of) = taken(&peers, stage).await;
            writeln!(all, "{stage:?}, keys: {has_keys}: {bytes} bytes, of {most}: {of}").unwrap();
            is_fine &= bytes <= most;
            serving.abort();
        }
        println!("{all}");
        assert!(is_fine, "\n{all}");
    });
}
