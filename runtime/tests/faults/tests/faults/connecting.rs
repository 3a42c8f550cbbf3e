//! What `connect` says of an endpoint where no server of ours is, and how soon.

use std::net::TcpListener;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpSocket;
use zsvc::{Channel, ChannelBuilder, Code, Engine, Outcome, Status};
use zsvc_calls::engines;

use crate::support::{Served, run};

/// Time that a peer on the same machine has for its part of a handshake. Far more than that takes, since machines are busy.
const PLENTY: Duration = Duration::from_secs(4);

/// Returns an endpoint at which nothing listens, and the socket that keeps its port from others.
fn nothing() -> (TcpSocket, String) {
    let socket = TcpSocket::new_v4().expect("the system has descriptors");
    socket.bind(([127, 0, 0, 1], 0).into()).expect("there is a free port");
    let endpoint = format!("tcp://{}", socket.local_addr().expect("it is bound"));
    (socket, endpoint)
}

/// Binds a socket of libzmq, which is to be kept.
fn socket(context: &zmq::Context, kind: zmq::SocketType) -> (zmq::Socket, String) {
    let socket = context.socket(kind).expect("libzmq has sockets");
    socket.set_linger(0).expect("the socket has the option");
    socket.bind("tcp://127.0.0.1:*").expect("there is a free port");
    let endpoint = socket.get_last_endpoint().expect("it is bound").expect("it is text");
    (socket, endpoint)
}

fn assert_unavailable(status: &Status, endpoint: &str, expected: &str) {
    assert_eq!((status.code(), status.outcome()), (Code::Unavailable, Outcome::NotSent), "{status}");
    let message = status.message();
    assert!(message.contains(endpoint) && message.contains(expected), "{message}, not {expected}");
}

/// Returns what each engine says.
fn said(zmtp: &'static str, libzmq: &'static str) -> &'static str {
    if engines::of_channels() == Engine::Libzmq { libzmq } else { zmtp }
}

/// Returns what is said where nothing listens. libzmq does not pass on what the system says.
fn refused() -> &'static str {
    said("Connection refused", "nothing accepts the connection")
}

#[test]
fn connect_says_what_is_there_in_place_of_a_server() {
    run(async {
        let context = zmq::Context::new();
        let (kinds, no_answer) =
            ([zmq::REP, zmq::PUB, zmq::PULL, zmq::ROUTER], "speaks ZeroMQ, and has not answered within");
        let sockets = kinds.map(|kind| socket(&context, kind));
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let other = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let http = format!("tcp://{}", other.local_addr().unwrap());
        let answering = tokio::spawn(async move {
            while let Ok((mut connection, _)) = other.accept().await {
                let _ = connection.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            }
        });
        let no_handshake = "the ZeroMQ handshake";
        let (_taken, nothing) = nothing();
        let cases = [
            (sockets[0].1.clone(), said("the peer's socket is a `REP`", no_answer)),
            (sockets[1].1.clone(), said("the peer's socket is a `PUB`", no_handshake)),
            (sockets[2].1.clone(), said("the peer's socket is a `PULL`", no_handshake)),
            (sockets[3].1.clone(), no_answer),
            (
                format!("tcp://{}", silent.local_addr().unwrap()),
                "what listens there has not completed the ZeroMQ handshake yet",
            ),
            (http, said("the peer does not speak ZMTP", no_handshake)),
            (nothing, refused()),
        ];
        join_all(cases.iter().map(async |(endpoint, expected)| {
            let channel = Channel::builder().endpoint(endpoint).connect_timeout(PLENTY);
            assert_unavailable(&channel.connect().await.unwrap_err(), endpoint, expected);
        }))
        .await;
        answering.abort();
    });
}

#[test]
fn a_channel_that_fails_fast_connects_at_once_or_not_at_all() {
    run(async {
        let ((_one, one), (_other, other)) = (nothing(), nothing());
        let port = one.rsplit_once(':').expect("it has a port").1;
        for endpoints in
            [vec![one.clone()], vec![one.clone(), other], vec![format!("tcp://localhost:{port}")]]
        {
            let channel = endpoints.iter().fold(Channel::builder(), ChannelBuilder::endpoint);
            // The test has a time limit.
            let channel = channel.fail_fast().connect_timeout(Duration::MAX);
            let status = channel.connect().await.unwrap_err();
            for endpoint in endpoints {
                let endpoint = endpoint.replace("localhost", "127.0.0.1");
                assert_unavailable(&status, &endpoint, refused());
            }
        }
        let status = Channel::builder()
            .endpoint("tcp://no-such-host.invalid:1")
            .fail_fast()
            .connect_timeout(Duration::MAX);
        assert_unavailable(
            &status.connect().await.unwrap_err(),
            "tcp://no-such-host.invalid:1",
            "can't be looked up",
        );
        // One that is there is enough.
        let server = Served::start().await;
        let channel =
            Channel::builder().endpoint(one).endpoint(server.endpoint()).fail_fast().connect().await;
        channel.expect("one of the two is there");
    });
}
