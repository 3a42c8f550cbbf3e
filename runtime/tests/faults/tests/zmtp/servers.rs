//! Servers that are none, or not ours: a client says what is wrong, comes back, and its calls work once there is a server.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use zsvc::Channel;
use zsvc_faults::faults::v1::LedgerClient;

use crate::raw::{GREETING, READY_ROUTER};
use crate::support::{Served, run};
use crate::{COMMAND, LONG, MORE, command, frame, greeting_of_3_1, ready, served, zmtp};

/// An endpoint whose first connections are answered by bytes, and later ones by a server.
struct Impostor {
    endpoint: String,
    task: JoinHandle<()>,
}

impl Impostor {
    /// Says `says` on the first `number` connections, and waits until the client cuts them.
    async fn before(server: Option<&Served>, number: usize, says: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
        let endpoint = format!("tcp://{}", listener.local_addr().expect("it is bound"));
        let server = server.and_then(|server| Some(server.endpoint().strip_prefix("tcp://")?.to_owned()));
        let task = tokio::spawn(async move {
            for _ in 0..number {
                let Ok((mut client, _)) = listener.accept().await else { return };
                let said = client.write_all(&says).await;
                let cut = client.read_to_end(&mut Vec::new()).await;
                drop((said, cut));
            }
            while let (Some(server), Ok((mut client, _))) = (&server, listener.accept().await) {
                let mut server = TcpStream::connect(server).await.expect("the server listens");
                tokio::spawn(async move { copy_bidirectional(&mut client, &mut server).await });
            }
        });
        Self { endpoint, task }
    }
}

impl Drop for Impostor {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What peers say that are no servers, or broken ones.
fn impostors() -> Vec<(&'static str, Vec<u8>)> {
    let greeting = greeting_of_3_1();
    let ready = ready("ROUTER", b"");
    let changed = |at: usize, bytes: &[u8]| {
        let mut greeting = greeting.clone();
        greeting[at..at + bytes.len()].copy_from_slice(bytes);
        greeting
    };
    let greeted = |bytes: &[u8]| [&greeting[..], bytes].concat();
    let after = |bytes: &[u8]| [&greeting[..], &ready, bytes].concat();
    vec![
        ("HTTP", b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
        ("TLS", b"\x15\x03\x03\0\x02\x02\x46".to_vec()),
        ("SSH", b"SSH-2.0-OpenSSH_9.6\r\n".to_vec()),
        ("zeros", vec![0; 100_000]),
        ("version 2", changed(10, &[2])),
        ("CURVE", changed(12, b"CURVE")),
        ("a refusal", greeted(&command("ERROR", b"\x07go away"))),
        ("another command", greeted(&command("WELCOME", b""))),
        ("a message too early", greeted(&frame(0, b"\x01"))),
        ("broken metadata", greeted(&command("READY", b"\x0bSocket-Type\0\0\0\x07ROUTER"))),
        ("the longest length", after(b"\x02\xff\xff\xff\xff\xff\xff\xff\xff")),
        ("unknown flags", after(b"\x80\0")),
        ("a million frames", after(&frame(MORE, b"").repeat(1_000_000))),
        ("a command inside a message", after(&[frame(MORE, b""), command("PING", b"\0\0")].concat())),
        ("an endless command", after(&[COMMAND | LONG, 0, 0, 0, 1, 0, 0, 0, 0])),
        ("a broken ping", after(&command("PING", b"\0"))),
        ("a late refusal", after(&command("ERROR", b"\x07go away"))),
        // Past ten seconds without a handshake, or without a sign of life.
        ("nothing", Vec::new()),
        ("half of a greeting", greeting[..40].to_vec()),
        ("a greeting", greeting.clone()),
        ("half of a frame and no pongs", after(&[2, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3])),
        ("a handshake and no pongs", after(b"")),
    ]
}

#[test]
fn a_client_of_what_is_no_server_comes_back_when_there_is_one() {
    run(async {
        let server = served().await;
        let calls = impostors().into_iter().map(async |(what, says)| {
            let impostor = Impostor::before(Some(&server), 1, says).await;
            let channel =
                Channel::builder().endpoint(&impostor.endpoint).heartbeat(Duration::from_millis(300));
            let ledger = LedgerClient::new(zmtp(channel).connect_lazy().expect("the endpoint is valid"));
            assert_eq!(ledger.set(1, Duration::ZERO).await, Ok(1), "{what}");
            assert_eq!(ledger.enter(2, Duration::ZERO).await, Ok(2), "{what}");
        });
        join_all(calls).await;
    });
}

/// Returns why a client does not get to a server that says this to every connection.
async fn reason(says: Vec<u8>) -> String {
    let impostor = Impostor::before(None, usize::MAX, says).await;
    let channel = Channel::builder().endpoint(&impostor.endpoint).connect_timeout(Duration::from_secs(2));
    let status = zmtp(channel).connect().await.expect_err("there is no server");
    status.message().to_owned()
}

#[test]
fn a_client_says_why_what_listens_is_no_server() {
    let greeted = |bytes: &[u8]| [&greeting_of_3_1()[..], bytes].concat();
    let mut plain = greeting_of_3_1();
    plain[12..17].copy_from_slice(b"PLAIN");
    let cases = vec![
        (b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), "the peer does not speak ZMTP"),
        (
            b"\xff\0\0\0\0\0\0\0\x01\x7f\x01".to_vec(),
            "the peer speaks ZMTP 1; version 3.0 or later is needed",
        ),
        (plain, "the peer uses the security mechanism `PLAIN`, this side `NULL`"),
        (greeted(&ready("PUB", b"")), "the peer's socket is a `PUB`, which can't talk to a `DEALER`"),
        (greeted(&ready("REQ", b"")), "the peer's socket is a `REQ`, which can't talk to a `DEALER`"),
        (greeted(&command("ERROR", b"\x07go away")), "the peer has refused the connection: go away"),
    ];
    run(async {
        join_all(cases.into_iter().map(async |(says, expected)| {
            let reason = reason(says).await;
            assert!(reason.contains(expected), "{reason}");
        }))
        .await;
    });
}

/// Carries bytes one at a time until one of the two ends.
async fn carry_singly(mut from: impl AsyncReadExt + Unpin, mut to: impl AsyncWriteExt + Unpin) {
    while let Ok(byte) = from.read_u8().await
        && to.write_u8(byte).await.is_ok()
    {
        tokio::task::yield_now().await;
    }
}

#[test]
fn a_server_that_says_everything_a_byte_at_a_time_is_as_good_as_any() {
    run(async {
        let server = served().await;
        let address = server.endpoint().strip_prefix("tcp://").unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("tcp://{}", listener.local_addr().unwrap());
        let relay = async {
            let (client, _) = listener.accept().await.unwrap();
            let server = TcpStream::connect(address).await.unwrap();
            client.set_nodelay(true).unwrap();
            server.set_nodelay(true).unwrap();
            let ((from_client, to_client), (from_server, to_server)) =
                (client.into_split(), server.into_split());
            tokio::join!(carry_singly(from_client, to_server), carry_singly(from_server, to_client));
        };
        let calls = async {
            let channel = zmtp(Channel::builder().endpoint(&endpoint)).connect().await.unwrap();
            let ledger = LedgerClient::new(channel);
            for key in 0..10 {
                assert_eq!(ledger.enter(key, Duration::ZERO).await, Ok(key));
            }
            let mut items = ledger.watch(10, 1_000).await.unwrap();
            for _ in 0..10 {
                assert_eq!(items.next().await.unwrap().unwrap().len(), 1_000);
            }
        };
        tokio::select! {
            () = relay => panic!("the client is still there"),
            () = calls => {}
        }
    });
}

/// A server of ZMTP 3.0 is not pinged, and so not taken for dead while it says nothing.
#[test]
fn a_server_of_zmtp_3_0_is_never_pinged() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("tcp://{}", listener.local_addr().unwrap());
        let channel = Channel::builder().endpoint(&endpoint).heartbeat(Duration::from_millis(10));
        let ledger = LedgerClient::new(zmtp(channel).connect_lazy().unwrap());
        let call = tokio::spawn(async move { ledger.enter(1, Duration::ZERO).await });
        let (mut connection, _) = listener.accept().await.unwrap();
        connection.write_all(&[&GREETING[..], READY_ROUTER].concat()).await.unwrap();
        let mut heard = Vec::new();
        let call_name = b"faults.v1.Ledger/enter";
        while !heard.windows(call_name.len()).any(|bytes| bytes == call_name) {
            heard.push(connection.read_u8().await.unwrap());
        }
        // The rest of the call, and nothing after it, for as long as many pings would take.
        let rest = tokio::time::timeout(Duration::from_millis(500), async {
            let mut rest = Vec::new();
            let _ = connection.read_to_end(&mut rest).await;
            rest
        });
        assert!(rest.await.is_err(), "the connection stays up");
        assert!(!heard.windows(4).any(|bytes| bytes == b"PING"));
        // A reply with the number 1.
        connection.write_all(&frame(0, b"\x01\x93\x03\x01\xc4\x01\x01")).await.unwrap();
        assert_eq!(call.await.unwrap(), Ok(1));
    });
}
