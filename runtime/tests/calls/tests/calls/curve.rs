//! CURVE between servers and channels of this crate. Peers of libzmq are in `wire/curve.rs`, attacks on the handshake in `zsvc-proto`.

use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use zsvc::curve::{CurveClient, CurveServer, SecretKey, generate};
use zsvc::{Channel, ChannelBuilder, Code, Engine, HandshakeFailure, Outcome, Retry, ServeError, Server};
use zsvc_calls::Probe;
use zsvc_calls::probe::v1::{ProbeClient, ProbeServer};

use crate::support::{ANY_PORT, Running, free_endpoint, on_threads};

fn keys() -> [SecretKey; 2] {
    [(); 2].map(|()| generate().expect("the system has random bytes"))
}

/// Starts a server that lets one client in.
fn serving(endpoint: &str, server: &SecretKey, client: &SecretKey) -> Running {
    let curve = CurveServer::new(server.clone()).allow(client.public_key());
    Running::of(Probe::default(), |builder| builder.engine(Engine::Zmtp).bind(endpoint).curve(curve))
}

fn channel(server: &Running) -> ChannelBuilder {
    Channel::builder().endpoint(server.endpoint()).engine(Engine::Zmtp)
}

async fn connected(server: &Running, curve: CurveClient) -> ProbeClient {
    ProbeClient::new(channel(server).curve(curve).connect().await.expect("the keys are right"))
}

/// Small messages, long ones, attachments, streams in both directions, and many at a time.
#[test]
fn calls_of_every_kind_and_size_go_over_an_encrypted_connection() {
    on_threads(async {
        let [server_key, key] = keys();
        for endpoint in [ANY_PORT, &free_endpoint()] {
            let server = serving(endpoint, &server_key, &key);
            let probe = connected(&server, CurveClient::new(server_key.public_key(), key.clone())).await;
            let seen = probe.look().await.unwrap();
            assert_eq!(seen.key, Some(key.public_key().to_string()));
            for size in [0, 1, 200, 223, 224, 32 * 1024, 300_000] {
                let body = Bytes::from(vec![7; size]);
                assert_eq!(probe.echo(body.clone()).await, Ok(body));
            }
            let many = futures_util::future::join_all((0..100).map(|size| probe.fill(size)));
            assert!(
                many.await.into_iter().zip(0_usize..).all(|(filled, size)| filled.unwrap().len() == size)
            );
            let (sink, mut back) = probe.mirror("a").await.unwrap();
            let sending = tokio::spawn(async move {
                for size in 0..50 {
                    sink.send(Bytes::from(vec![7; size * 100])).await.unwrap();
                }
                sink.finish();
            });
            for size in 0..50 {
                assert_eq!(back.next().await.unwrap().unwrap().len(), size * 100);
            }
            sending.await.unwrap();
            server.stop().await;
        }
    });
}

#[test]
fn a_message_past_the_largest_fails_its_call_and_no_other_as_in_the_clear() {
    on_threads(async {
        let [server_key, key] = keys();
        let curve = CurveServer::new(server_key.clone()).any_client();
        let set =
            |builder: zsvc::ServerBuilder| builder.engine(Engine::Zmtp).max_message_size(10_000).curve(curve);
        let server = Running::with(set).lossy();
        let probe = connected(&server, CurveClient::new(server_key.public_key(), key)).await;
        // More than four times the largest and 256 KiB: it is not kept.
        for size in [20_000, 300_000, 1_000_000] {
            let (large, small) =
                (probe.echo(Bytes::from(vec![7; size])), probe.echo(Bytes::from_static(b"small")));
            let (large, small) = tokio::join!(large, small);
            assert_eq!(large.map_err(|status| status.code()).unwrap_err(), Code::ResourceExhausted);
            assert_eq!(small, Ok(Bytes::from_static(b"small")));
        }
        assert_eq!(server.counters.refused_connections(), 0);
    });
}

#[test]
fn only_those_are_let_in_whose_keys_fit() {
    on_threads(async {
        let ([server_key, key], [other, _]) = (keys(), keys());
        let server = serving(ANY_PORT, &server_key, &key);
        let refused = async |builder: ChannelBuilder, reason: HandshakeFailure, told: &str| {
            let before = server.counters.refused_connections_for(reason);
            // On a busy machine a handshake may take longer than `connect` waits for it, which it then says.
            loop {
                let connected = builder.clone().fail_fast().connect().await;
                let status = connected.map(drop).expect_err("it is refused");
                assert_eq!(status.code(), Code::Unavailable);
                if status.to_string().contains(told) {
                    break;
                }
                assert!(status.to_string().contains("has not completed"), "{status}");
            }
            // The server counts in its own time.
            while server.counters.refused_connections_for(reason) == before {
                tokio::task::yield_now().await;
            }
        };
        let with = |server_key: &SecretKey, key: &SecretKey| {
            channel(&server).curve(CurveClient::new(server_key.public_key(), key.clone()))
        };
        refused(with(&other, &key), HandshakeFailure::Keys, "is the server's public key the right one").await;
        refused(with(&server_key, &other), HandshakeFailure::Denied, "400").await;
        refused(channel(&server), HandshakeFailure::Mechanism, "`CURVE`").await;
        let anonymous = CurveClient::anonymous(server_key.public_key()).unwrap();
        refused(channel(&server).curve(anonymous), HandshakeFailure::Denied, "400").await;
        let probe = connected(&server, CurveClient::new(server_key.public_key(), key)).await;
        assert_eq!(probe.fill(3).await.map(|filled| filled.len()), Ok(3));
        assert_eq!(server.counters.calls(), 1);
    });
}

#[test]
fn a_server_without_keys_is_not_taken_for_one_with() {
    on_threads(async {
        let [server_key, key] = keys();
        let server = Running::with(|server| server.engine(Engine::Zmtp));
        let curve = CurveClient::new(server_key.public_key(), key);
        let builder = channel(&server).curve(curve).fail_fast().connect_timeout(Duration::from_secs(10));
        let status = builder.connect().await.expect_err("it does not encrypt");
        assert!(status.to_string().contains("security mechanism `NULL`, this side `CURVE`"), "{status}");
        assert_eq!(server.counters.calls(), 0);
    });
}

#[test]
fn any_client_is_let_in_where_the_server_says_so_and_its_key_is_known() {
    on_threads(async {
        let [server_key, _] = keys();
        let curve = CurveServer::new(server_key.clone()).any_client();
        let server = Running::with(|server| server.engine(Engine::Zmtp).curve(curve));
        let anonymous = CurveClient::anonymous(server_key.public_key()).unwrap();
        let own = anonymous.public_key().to_string();
        let seen = connected(&server, anonymous).await.look().await.unwrap();
        assert_eq!(seen.key, Some(own));
    });
}

/// Within the process there is nothing to encrypt, and no key to be told.
#[test]
fn over_inproc_nothing_is_encrypted() {
    on_threads(async {
        let [server_key, key] = keys();
        let server = serving("inproc://curve-tests", &server_key, &key);
        let plain = ProbeClient::new(channel(&server).connect().await.unwrap());
        let with_keys = connected(&server, CurveClient::new(server_key.public_key(), key)).await;
        for probe in [plain, with_keys] {
            assert_eq!(probe.look().await.unwrap().key, None);
        }
    });
}

/// Each connection has keys of its own.
#[test]
fn a_connection_that_is_lost_is_made_again_with_keys() {
    on_threads(async {
        let [server_key, key] = keys();
        let endpoint = free_endpoint();
        let server = serving(&endpoint, &server_key, &key);
        let probe = connected(&server, CurveClient::new(server_key.public_key(), key.clone())).await;
        server.stop().await;
        let _server = serving(&endpoint, &server_key, &key);
        let within = Duration::from_secs(15);
        assert_eq!(probe.fill(3).deadline(within).await.map(|filled| filled.len()), Ok(3));
    });
}

/// Passes what clients send on to a server, and the other way. Of the first connection, it changes a byte of what the client sends after
/// some bytes.
async fn changing(server: &Running, after: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("tcp://{}", listener.local_addr().unwrap());
    let address = server.endpoint().strip_prefix("tcp://").unwrap().to_owned();
    tokio::spawn(async move {
        let mut change_at = Some(after);
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(&address).await.unwrap();
            let ((mut from, mut to), (mut back, mut out)) = (client.into_split(), server.into_split());
            let mut left = change_at.take().unwrap_or(usize::MAX);
            tokio::spawn(async move {
                let mut buffer = vec![0; 4_096];
                while let Ok(read @ 1..) = from.read(&mut buffer).await {
                    if let Some(byte) = buffer[..read].get_mut(left) {
                        *byte ^= 1;
                    }
                    left = left.checked_sub(read).unwrap_or(usize::MAX);
                    if out.write_all(&buffer[..read]).await.is_err() {
                        return;
                    }
                }
            });
            tokio::spawn(async move { tokio::io::copy(&mut back, &mut to).await });
        }
    });
    endpoint
}

#[test]
fn an_encrypted_connection_whose_bytes_are_changed_on_their_way_is_cut_and_made_again() {
    on_threads(async {
        let [server_key, key] = keys();
        let server = serving(ANY_PORT, &server_key, &key);
        let endpoint = changing(&server, 20_000).await;
        let curve = CurveClient::new(server_key.public_key(), key);
        let channel =
            Channel::builder().endpoint(endpoint).engine(Engine::Zmtp).curve(curve).retry(Retry::none());
        let probe = ProbeClient::new(channel.connect().await.expect("the handshake is shorter"));
        let status = probe.echo(Bytes::from(vec![7; 30_000])).await.expect_err("it is changed");
        assert_eq!((status.code(), status.outcome()), (Code::Unavailable, Outcome::MaybeExecuted));
        assert_eq!(server.counters.calls(), 0);
        assert_eq!(probe.echo(Bytes::from(vec![7; 30_000])).await.map(|back| back.len()), Ok(30_000));
    });
}

#[test]
fn keys_that_can_not_be_used_are_told_before_anything_is_sent() {
    on_threads(async {
        let [server_key, _] = keys();
        let builder = Server::builder().service(ProbeServer::new(Probe::default())).bind(ANY_PORT);
        let without_clients = builder.engine(Engine::Zmtp).curve(CurveServer::new(server_key)).listen();
        let told = without_clients.map(|_| ()).unwrap_err();
        assert!(
            matches!(told, ServeError::Curve { .. }) && told.to_string().contains("`any_client`"),
            "{told}"
        );
    });
}
