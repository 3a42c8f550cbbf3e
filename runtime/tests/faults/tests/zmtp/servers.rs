//! Servers that are none, or not ours: a client says what is wrong. That it comes back is tested for both engines, by `recovery`
//! of the other program.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use zsvc::Channel;
use zsvc_faults::faults::v1::LedgerClient;

use crate::impostor::Impostor;
use crate::raw::{GREETING, READY_ROUTER};
use crate::support::run;
use crate::{command, frame, greeting_of_3_1, ready, served, zmtp};

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
