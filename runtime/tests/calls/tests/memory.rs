//! Memory under attack: 1,000 clients ask for as much as they may and never read. The server takes no more memory
//! than its settings allow, drops the clients that it must, counts what that costs, and serves clients that read as
//! usual.
//!
//! The test is a separate process, since the memory of this process is measured. The clients are bare TCP connections
//! that speak just enough of ZMTP, so almost none of that memory is theirs.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use zsvc::{Dropped, Server, ServerBuilder};
use zsvc_calls::memory::peak;
use zsvc_calls::probe::v1::{ProbeClient, ProbeServer};
use zsvc_calls::{Probe, Watchdog};

const CLIENTS: usize = 1_000;
/// Time after which the test hangs.
const TEST_TIMEOUT: Duration = Duration::from_mins(2);
/// Number of times that each client makes its calls.
const ROUNDS: usize = 30;
/// Memory that the server may use for clients that do not read, in bytes.
const MAX_UNREAD_BYTES: usize = 32 << 20;

/// Returns the settings of a careful user whose server many clients can reach.
fn builder() -> ServerBuilder {
    Server::builder()
        .service(ProbeServer::new(Probe::default()))
        .bind("tcp://127.0.0.1:*")
        .max_message_size(16 << 10)
        .max_calls_per_peer(2)
        .stream_window(64 << 10)
        .max_waiting_per_peer(512 << 10)
        .max_waiting(MAX_UNREAD_BYTES)
}

/// Opens a connection that has announced its socket type and made its calls. It reads only the greeting, for which
/// libzmq waits before it continues, and nothing more.
fn connect(address: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("the server is up");
    // The runtime waits for this thread, also when the test has failed.
    stream.set_read_timeout(Some(TEST_TIMEOUT / 2)).expect("the socket has the option");
    stream.set_write_timeout(Some(TEST_TIMEOUT / 2)).expect("the socket has the option");
    let greeting = [&[0xff][..], &[0; 8], &[0x7f, 3, 0], b"NULL", &[0; 16], &[0; 32]].concat();
    stream.write_all(&greeting).expect("the server takes it");
    stream.read_exact(&mut [0; 64]).expect("the server greets, too");
    let ready = [&b"\x05READY\x0bSocket-Type"[..], &[0, 0, 0, 6], b"DEALER"].concat();
    let said = [frame(4, &ready), frame(0, &calls()).repeat(ROUNDS)].concat();
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

/// Returns a batch with calls of `pour`, each of endless items of 15 KiB with unlimited credit.
fn calls() -> Vec<u8> {
    let mut batch = vec![1];
    for id in 1..=2 {
        batch.extend([0x97, 1, id, 0xb3]);
        batch.extend(b"probe.v1.Probe/pour");
        batch.extend([0xc4, 12, 0x93, 0xa0, 0xce, 0xff, 0xff, 0xff, 0xff, 0xce, 0, 0, 0x3c, 0]);
        batch.extend([0xc0, 0xc0, 0xcf, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    }
    batch
}

#[test]
fn a_thousand_clients_that_do_not_read_take_no_more_memory_than_is_said() {
    let _watchdog = Watchdog::of_this_test(2 * TEST_TIMEOUT);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let test = async { tokio::time::timeout(TEST_TIMEOUT, slow_readers()).await.expect("the test hangs") };
    runtime.expect("the system has descriptors for a runtime").block_on(test);
}

async fn slow_readers() {
    let builder = builder();
    let worst = builder.worst_case_memory(CLIENTS);
    let server = builder.listen().expect("any port will do");
    let (endpoint, counters) = (server.endpoints()[0].clone(), server.counters());
    tokio::spawn(server.serve());
    let reader = ProbeClient::connect(&endpoint).await.expect("the server is up");
    let before = peak();
    let address = endpoint.strip_prefix("tcp://").expect("it is TCP").to_owned();
    let crowd = move || (0..CLIENTS).map(|_| connect(&address)).collect::<Vec<_>>();
    let crowd = tokio::task::spawn_blocking(crowd).await.expect("all of them connect");
    // Meanwhile, and for some time after, clients that read are served.
    let mut answers = 0;
    while answers < 50 || counters.dropped(Dropped::NotRead) == 0 || peak() - before < MAX_UNREAD_BYTES as u64
    {
        reader.echo("still here").await.expect("who reads is served");
        answers += 1;
    }
    let taken = peak() - before;
    println!("{} MiB, of {} MiB that are said", taken >> 20, worst >> 20);
    assert!(worst < 4 << 30, "{worst} bytes: that would say nothing");
    assert!(taken <= worst, "{taken} bytes, and {worst} are said");
    drop(crowd);
}
