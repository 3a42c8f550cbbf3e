//! Memory that a server has taken for clients that did not read, or that sent much, comes back once they have gone.
//!
//! The test is a separate process, since the memory of this process is measured. The clients are bare TCP connections
//! that speak just enough of ZMTP, so almost none of that memory is theirs.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use zsvc::{Engine, Server, ServerBuilder};
use zsvc_calls::Probe;
use zsvc_calls::memory::resident;
use zsvc_calls::probe::v1::{ProbeClient, ProbeServer};

const CLIENTS: usize = 200;
/// Time after which the test hangs.
const TEST_TIMEOUT: Duration = Duration::from_mins(3);
/// Time within which the memory must have come back.
const COMES_BACK_WITHIN: Duration = Duration::from_mins(1);
/// What the server must at least have taken, or the test says nothing.
const TAKEN: u64 = 128 << 20;
/// What it may keep.
const KEPT: u64 = 48 << 20;

fn builder() -> ServerBuilder {
    Server::builder()
        .service(ProbeServer::new(Probe::default()))
        .bind("tcp://127.0.0.1:*")
        .max_waiting(256 << 20)
}

/// Opens a connection that has announced its socket type and made its calls. It reads only the greeting, for which
/// libzmq waits before it continues, and nothing more.
fn connect(address: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("the server is up");
    let greeting = [&[0xff][..], &[0; 8], &[0x7f, 3, 0], b"NULL", &[0; 16], &[0; 32]].concat();
    stream.write_all(&greeting).expect("the server takes it");
    stream.read_exact(&mut [0; 64]).expect("the server greets, too");
    let ready = [&b"\x05READY\x0bSocket-Type"[..], &[0, 0, 0, 6], b"DEALER"].concat();
    let said = [frame(4, &ready), frame(0, &calls())].concat();
    stream.write_all(&said).expect("the server takes it");
    stream
}

/// Returns a frame of ZMTP, <https://rfc.zeromq.org/spec/23/>.
fn frame(flags: u8, body: &[u8]) -> Vec<u8> {
    match u8::try_from(body.len()) {
        Ok(length) => [&[flags, length], body].concat(),
        Err(_) => [&[flags | 2][..], &(body.len() as u64).to_be_bytes(), body].concat(),
    }
}

/// Returns a batch with calls of `pour`, each of endless items of some KiB with unlimited credit.
fn calls() -> Vec<u8> {
    let mut batch = vec![1];
    for id in 1..=4 {
        batch.extend([0x97, 1, id, 0xb3]);
        batch.extend(b"probe.v1.Probe/pour");
        batch.extend([0xc4, 12, 0x93, 0xa0, 0xce, 0xff, 0xff, 0xff, 0xff, 0xce, 0, 0, 4 * id, 0]);
        batch.extend([0xc0, 0xc0, 0xcf, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    }
    batch
}

#[test]
fn memory_comes_back_once_clients_that_did_not_read_have_gone() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let both = async {
        for engine in [Engine::Zmtp, Engine::Libzmq] {
            slow_readers(engine).await;
        }
    };
    let test = async { tokio::time::timeout(TEST_TIMEOUT, both).await.expect("the test hangs") };
    runtime.expect("the system has descriptors for a runtime").block_on(test);
}

async fn slow_readers(engine: Engine) {
    let server = builder().engine(engine).listen().expect("any port will do");
    let endpoint = server.endpoints()[0].clone();
    tokio::spawn(server.serve());
    let reader = ProbeClient::connect(&endpoint).await.expect("the server is up");
    reader.echo("here").await.expect("who reads is served");
    let before = resident();
    let address = endpoint.strip_prefix("tcp://").expect("it is TCP").to_owned();
    let crowd = move || (0..CLIENTS).map(|_| connect(&address)).collect::<Vec<_>>();
    let crowd = tokio::task::spawn_blocking(crowd).await.expect("all of them connect");
    while resident() < before + TAKEN {
        reader.echo("still here").await.expect("who reads is served");
    }
    drop(crowd);
    let gone = Instant::now();
    while resident().saturating_sub(before) > KEPT {
        let kept = resident().saturating_sub(before);
        assert!(gone.elapsed() < COMES_BACK_WITHIN, "{engine:?}: {kept} bytes are kept");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
