//! CURVE between this crate's engine and libzmq, in the wheel of pyzmq: both directions, right keys and wrong ones, and peers that do not
//! encrypt.

use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use zsvc::curve::{Access, Client, CurveClient, CurveServer, SecretKey, generate};
use zsvc::{Channel, ChannelBuilder, Engine, HandshakeFailure};
use zsvc_calls::market::v1::TapeClient;
use zsvc_calls::shapes::v1::{Shape, ShapesClient};
use zsvc_calls::vault::v1::{VaultMock, VaultServer};

use crate::floor::trade;
use crate::python::{Script, assert_calls_all};
use crate::rig::{Serving, TIMEOUT, assert_no_panics, run};

/// The keys of a server, of a client, and of another program.
pub(crate) struct Keys {
    pub(crate) server: SecretKey,
    pub(crate) client: SecretKey,
    pub(crate) other: SecretKey,
}

pub(crate) fn keys() -> Keys {
    let [server, client, other] = [(); 3].map(|()| generate().expect("the system has random bytes"));
    Keys { server, client, other }
}

/// Starts a server that lets the client in.
pub(crate) fn serving(keys: &Keys) -> Serving {
    let curve = CurveServer::new(keys.server.clone()).allow(keys.client.public_key());
    Serving::with(|server| server.engine(Engine::Zmtp).curve(curve))
}

/// Starts a script that has a key of its own, and knows a server's.
pub(crate) fn client(script: &str, endpoint: &str, own: &SecretKey, server: &SecretKey) -> Script {
    let (own, server) = (own.to_z85(), server.public_key().to_string());
    Script::with(script, endpoint, &[("CURVE_SECRET", own.as_str()), ("CURVE_SERVER", &server)])
}

#[test]
fn a_python_client_calls_every_kind_of_method_over_an_encrypted_connection() {
    let keys = keys();
    let server = serving(&keys);
    let mut dealer = client("tape_client.py", &server.endpoint, &keys.client, &keys.server);
    assert_calls_all(&server, &mut dealer);
    let mut request = client("curve_req.py", &server.endpoint, &keys.client, &keys.server);
    assert_eq!([request.line(), request.line()], ["answered"; 2]);
    assert_eq!((server.counters.unreadable_batches(), server.counters.refused_connections()), (0, 0));
    assert_no_panics();
}

/// Waits until a server has counted a connection that it has refused: it does so in its own time.
fn is_counted(server: &Serving, reason: HandshakeFailure) {
    let began = Instant::now();
    while server.counters.refused_connections_for(reason) == 0 {
        assert!(began.elapsed() < TIMEOUT, "{reason:?}");
        std::thread::yield_now();
    }
}

#[test]
fn python_clients_without_the_right_keys_are_refused_and_counted() {
    let keys = keys();
    let server = serving(&keys);
    let refused = |mut script: Script, reason: HandshakeFailure| {
        assert_eq!(script.line(), "refused", "{reason:?}");
        is_counted(&server, reason);
    };
    let with_keys = |own, server_key| client("curve_refused.py", &server.endpoint, own, server_key);
    refused(with_keys(&keys.client, &keys.other), HandshakeFailure::Keys);
    refused(with_keys(&keys.other, &keys.server), HandshakeFailure::Denied);
    // libzmq closes the connection itself where the mechanisms differ, before it has said which its own is.
    assert_eq!(Script::with("curve_refused.py", &server.endpoint, &[]).line(), "refused");
    assert_eq!(with_keys(&keys.client, &keys.server).line(), "connected");
    assert_eq!(server.counters.calls(), 0);
}

/// A server that encrypts is not talked to in the clear, and one that does not is not taken for one that does.
#[test]
fn a_python_client_with_keys_is_refused_by_a_server_without() {
    let keys = keys();
    let server = Serving::with(|server| server.engine(Engine::Zmtp));
    let mut script = client("curve_refused.py", &server.endpoint, &keys.client, &keys.server);
    assert_eq!(script.line(), "refused");
    assert_eq!(server.counters.calls(), 0);
}

/// Each is answered, and none with what was meant for the other.
#[test]
fn a_client_that_claims_the_routing_id_of_another_takes_nothing_from_it() {
    let keys = keys();
    let curve = CurveServer::new(keys.server.clone()).any_client();
    let server = Serving::with(|server| server.engine(Engine::Zmtp).curve(curve));
    let claiming = |own: &SecretKey| {
        let (own, known) = (own.to_z85(), keys.server.public_key().to_string());
        let variables = [("CURVE_SECRET", own.as_str()), ("CURVE_SERVER", &known), ("ROUTING_ID", "desk")];
        Script::with("curve_req.py", &server.endpoint, &variables)
    };
    let mut both = [claiming(&keys.client), claiming(&keys.other)];
    for _ in 0..2 {
        assert_eq!(both.each_mut().map(Script::line), ["answered"; 2]);
    }
    assert_eq!((server.counters.calls(), server.counters.unreadable_batches()), (4, 0));
    assert_no_panics();
}

/// PLAIN sends the password so that all on the way can read it: neither side has it, and neither falls back to it.
#[test]
fn peers_of_plain_are_refused() {
    const PLAIN: [(&str, &str); 2] = [("PLAIN_USER", "ada"), ("PLAIN_PASSWORD", "secret")];
    let keys = keys();
    for server in [serving(&keys), Serving::with(|server| server.engine(Engine::Zmtp))] {
        assert_eq!(Script::with("curve_refused.py", &server.endpoint, &PLAIN).line(), "refused");
        assert_eq!(server.counters.calls(), 0);
    }
    let mut server = Script::with("tape_server.py", "tcp://127.0.0.1:*", &PLAIN);
    let endpoint = server.line();
    run(async {
        let curve = CurveClient::new(keys.server.public_key(), keys.client);
        for builder in [channel(&endpoint), channel(&endpoint).curve(curve)] {
            let builder = builder.fail_fast().connect_timeout(Duration::from_secs(10));
            builder.connect().await.expect_err("neither side changes its mechanism");
        }
    });
}

/// Starts a server in Python that lets the client in.
pub(crate) fn python_server(keys: &Keys) -> (Script, String) {
    let (own, allowed) = (keys.server.to_z85(), keys.client.public_key().to_string());
    let variables = [("CURVE_SECRET", own.as_str()), ("CURVE_ALLOWED", &allowed)];
    let mut server = Script::with("tape_server.py", "tcp://127.0.0.1:*", &variables);
    let endpoint = server.line();
    (server, endpoint)
}

pub(crate) fn channel(endpoint: &str) -> ChannelBuilder {
    Channel::builder().endpoint(endpoint).engine(Engine::Zmtp)
}

#[test]
fn a_python_server_answers_over_an_encrypted_connection() {
    let keys = keys();
    let (_server, endpoint) = python_server(&keys);
    let curve = CurveClient::new(keys.server.public_key(), keys.client);
    run(async {
        let channel = channel(&endpoint).curve(curve).connect().await.expect("the server lets it in");
        let (tape, shapes) = (TapeClient::new(channel.clone()), ShapesClient::new(channel));
        assert_eq!(tape.last("ACME").await, Ok(trade("ACME")));
        for size in [32 * 1024 - 1, 32 * 1024, 200_000] {
            let blob = Shape::Blob(vec![7; size].into());
            assert_eq!(shapes.echo(blob.clone()).await, Ok(blob));
        }
        let trades = tape.watch(vec!["INIT"; 5_000]).await.expect("the call is on its way");
        assert_eq!(trades.map(|item| assert_eq!(item, Ok(trade("INIT")))).count().await, 5_000);
        let sum = tape.import("desk", stream::iter(vec![trade("ACME"); 5_000])).await;
        assert_eq!(sum, Ok(1_500_000));
    });
}

#[test]
fn a_python_server_is_not_connected_to_without_the_right_keys() {
    let keys = keys();
    let (_server, endpoint) = python_server(&keys);
    let (right, other) = (keys.server.public_key(), keys.other.public_key());
    run(async {
        let refused = async |builder: ChannelBuilder| {
            let builder = builder.fail_fast().connect_timeout(Duration::from_secs(10));
            builder.connect().await.expect_err("it is refused").to_string()
        };
        let told = refused(channel(&endpoint).curve(CurveClient::new(other, keys.client.clone()))).await;
        assert!(told.contains("is the server's public key the right one"), "{told}");
        let told = refused(channel(&endpoint).curve(CurveClient::new(right, keys.other.clone()))).await;
        assert!(told.contains("400, this side is not let in"), "{told}");
        let told = refused(channel(&endpoint)).await;
        assert!(told.contains("does not complete the ZeroMQ handshake"), "{told}");
    });
}

#[test]
fn a_python_server_without_keys_is_not_connected_to() {
    let keys = keys();
    let mut server = Script::with("tape_server.py", "tcp://127.0.0.1:*", &[]);
    let endpoint = server.line();
    run(async {
        let curve = CurveClient::new(keys.server.public_key(), keys.client);
        let builder = channel(&endpoint).curve(curve).fail_fast().connect_timeout(Duration::from_secs(10));
        let connected = builder.connect().await;
        let told = connected.expect_err("it does not encrypt").to_string();
        assert!(told.contains("does that server use CURVE?"), "{told}");
    });
}

/// The key of a client that is let in, and may not call all.
#[test]
fn a_python_client_calls_what_its_roles_let_it_and_loses_its_connection_once_it_is_taken_out() {
    let keys = keys();
    let desk = |role: &str| Client::new("desk").key(keys.client.public_key()).role(role);
    let mock = VaultMock::new()
        .on_look(|context| {
            let name = context.identity().expect("it has a key").name().to_owned();
            async { Ok(name) }
        })
        .on_time(|_| async { Ok(7) });
    for (role, look) in [("robot", "look 7"), ("clerk", "look answered")] {
        let access = Access::new([desk(role)]).unwrap();
        let curve = CurveServer::new(keys.server.clone()).access(access.clone());
        let service = VaultServer::new(mock.clone());
        let server = Serving::with(|server| server.engine(Engine::Zmtp).curve(curve).service(service));
        let server = server.lossy();
        let mut script = client("curve_roles.py", &server.endpoint, &keys.client, &keys.server);
        assert_eq!([script.line(), script.line()], [look, "time answered"], "{role}");
        assert_eq!(server.counters.revoked_connections(), 0);
        access.remove("desk").unwrap();
        assert_eq!([script.line(), script.line()], ["lost", "refused"], "{role}");
        assert_eq!(server.counters.revoked_connections(), 1);
        is_counted(&server, HandshakeFailure::Denied);
    }
    assert_eq!((mock.look_calls(), mock.time_calls()), (1, 2));
    assert_no_panics();
}
