//! CURVE on the engine `libzmq`, where the libzmq that this program is linked with has it. That of the `zmq` crate has not; `.ci/run` links the
//! system's for these tests, where there is one.

use std::time::Duration;

use bytes::Bytes;
use zsvc::curve::{Access, Client, CurveClient, CurveServer, SecretKey, generate};
use zsvc::{Channel, ChannelBuilder, Code, Engine, HandshakeFailure, Identity, ServeError, Server};
use zsvc_calls::Probe;
use zsvc_calls::probe::v1::{ProbeClient, ProbeServer};

use crate::support::{ANY_PORT, Running, free_endpoint, on_threads};

/// The engines of a server and of its client, one of which is libzmq.
const PAIRS: [[Engine; 2]; 3] =
    [[Engine::Libzmq, Engine::Libzmq], [Engine::Libzmq, Engine::Zmtp], [Engine::Zmtp, Engine::Libzmq]];

fn has_curve() -> bool {
    let has_curve = zmq::has("curve") == Some(true);
    let is_needed = std::env::var_os("ZSVC_TESTS_NEED_CURVE").is_some();
    assert!(has_curve || !is_needed, "this libzmq has no CURVE");
    has_curve
}

fn keys() -> [SecretKey; 3] {
    [(); 3].map(|()| generate().expect("the system has random bytes"))
}

fn serving(endpoint: &str, engine: Engine, server: &SecretKey, client: &SecretKey) -> Running {
    let desk = Identity::new("desk");
    let curve = CurveServer::new(server.clone()).allow_as(client.public_key(), desk);
    Running::of(Probe::default(), |builder| builder.engine(engine).bind(endpoint).curve(curve))
}

fn channel(server: &Running, engine: Engine) -> ChannelBuilder {
    Channel::builder().endpoint(server.endpoint()).engine(engine)
}

#[test]
fn a_libzmq_without_curve_is_told_before_anything_is_sent() {
    if has_curve() {
        return;
    }
    on_threads(async {
        let [server_key, key, _] = keys();
        let curve = CurveServer::new(server_key.clone()).any_client();
        let server = Server::builder().service(ProbeServer::new(Probe::default())).bind(ANY_PORT);
        let told = server.engine(Engine::Libzmq).curve(curve).listen().map(drop).unwrap_err();
        assert!(told.to_string().contains("has no CURVE"), "{told}");
        assert!(told.to_string().contains("use the engine `zmtp`"), "{told}");
        let curve = CurveClient::new(server_key.public_key(), key);
        let channel = Channel::builder().endpoint("tcp://127.0.0.1:9").engine(Engine::Libzmq).curve(curve);
        let told = channel.connect_lazy().map(drop).unwrap_err();
        assert_eq!(told.code(), Code::InvalidArgument);
        assert!(told.to_string().contains("use the engine `zmtp`"), "{told}");
    });
}

#[test]
fn clients_are_let_in_by_their_keys_and_known_by_them() {
    if !has_curve() {
        return;
    }
    on_threads(async {
        let [server_key, key, _] = keys();
        for [server, client] in PAIRS {
            for endpoint in [ANY_PORT, &free_endpoint()] {
                let server = serving(endpoint, server, &server_key, &key);
                let curve = CurveClient::new(server_key.public_key(), key.clone());
                let channel = channel(&server, client).curve(curve).connect().await;
                let probe = ProbeClient::new(channel.expect("the keys are right"));
                assert_eq!(probe.look().await.unwrap().key, Some(key.public_key().to_string()));
                for size in [0, 200, 32 * 1024, 300_000] {
                    let body = Bytes::from(vec![7; size]);
                    assert_eq!(probe.echo(body.clone()).await, Ok(body));
                }
                server.stop().await;
            }
        }
    });
}

#[test]
fn clients_without_the_right_keys_are_not_let_in() {
    if !has_curve() {
        return;
    }
    on_threads(async {
        let [server_key, key, other] = keys();
        for [engine, client] in PAIRS {
            let server = serving(ANY_PORT, engine, &server_key, &key);
            let refused = async |builder: ChannelBuilder| {
                let builder = builder.fail_fast().connect_timeout(Duration::from_secs(10));
                builder.connect().await.map(drop).expect_err("it is refused");
            };
            let with = |server_key: &SecretKey, key: &SecretKey| {
                channel(&server, client).curve(CurveClient::new(server_key.public_key(), key.clone()))
            };
            refused(with(&server_key, &other)).await;
            refused(with(&other, &key)).await;
            refused(channel(&server, client)).await;
            while server.counters.refused_connections_for(HandshakeFailure::Denied) == 0 {
                tokio::task::yield_now().await;
            }
            assert_eq!(server.counters.calls(), 0);
            assert!(with(&server_key, &key).connect().await.is_ok());
        }
    });
}

#[test]
fn a_server_with_keys_is_followed_by_another_at_its_endpoint() {
    if !has_curve() {
        return;
    }
    on_threads(async {
        let [server_key, key, _] = keys();
        let server = serving(ANY_PORT, Engine::Libzmq, &server_key, &key);
        let endpoint = server.endpoint().to_owned();
        let curve = CurveClient::new(server_key.public_key(), key.clone());
        let channel = channel(&server, Engine::Libzmq).curve(curve).connect().await.unwrap();
        let probe = ProbeClient::new(channel);
        server.stop().await;
        let _server = serving(&endpoint, Engine::Libzmq, &server_key, &key);
        let filled = probe.fill(3).deadline(Duration::from_secs(15)).await;
        assert_eq!(filled.map(|filled| filled.len()), Ok(3));
    });
}

#[test]
fn clients_that_come_and_go_are_not_taken_on_libzmq() {
    if !has_curve() {
        return;
    }
    on_threads(async {
        let [server_key, key, _] = keys();
        let access = Access::new([Client::new("desk").key(key.public_key())]).unwrap();
        let server = Server::builder().service(ProbeServer::new(Probe::default())).bind(ANY_PORT);
        let curve = CurveServer::new(server_key).access(access);
        let told = server.engine(Engine::Libzmq).curve(curve).listen().map(drop).unwrap_err();
        assert!(told.to_string().contains("use the engine `zmtp` for `access`"), "{told}");
    });
}

/// Its context is its own, and nothing in the process could connect to it.
#[test]
fn such_a_server_has_no_endpoint_within_the_process() {
    if !has_curve() {
        return;
    }
    on_threads(async {
        let curve = CurveServer::new(keys()[0].clone()).any_client();
        let server = Server::builder().service(ProbeServer::new(Probe::default())).bind("inproc://keys");
        let told = server.engine(Engine::Libzmq).curve(curve).listen().map(drop).unwrap_err();
        assert!(matches!(told, ServeError::Curve { .. }) && told.to_string().contains("`inproc`"), "{told}");
    });
}
