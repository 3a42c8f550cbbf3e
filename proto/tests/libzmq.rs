//! The ZMTP machine against libzmq, over TCP: both directions, NULL and PLAIN, frames of every kind of length, heartbeats.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use zsvc_proto::zmtp::{
    Config, Connection, Credentials, Event, FrameHeader, Heartbeat, Mechanism, Peer, SocketType, Transmit,
};

/// After this long, a test has failed.
const HANGS: Duration = Duration::from_secs(20);

/// A socket with a connection of ours on it.
struct Ours {
    stream: TcpStream,
    connection: Connection,
}

impl Ours {
    fn new(stream: TcpStream, socket_type: SocketType, mechanism: Mechanism) -> Self {
        stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let config = Config {
            socket_type,
            routing_id: b"ours".as_slice().into(),
            mechanism,
            max_frame_bytes: 1 << 24,
            max_frames: 100,
            handshake_timeout: HANGS,
            heartbeat: Some(Heartbeat { interval: Duration::from_millis(50), timeout: HANGS }),
        };
        Self { stream, connection: Connection::new(config, Instant::now()) }
    }

    fn accept(listener: &TcpListener, mechanism: Mechanism) -> Self {
        Self::new(listener.accept().unwrap().0, SocketType::Router, mechanism)
    }

    /// Returns the next event that is not about credentials, which are judged by whether the password is `secret`.
    fn next(&mut self) -> Event {
        let began = Instant::now();
        let mut buffer = [0; 4096];
        loop {
            while let Some(Transmit::Handshake(bytes) | Transmit::Command(bytes)) =
                self.connection.poll_transmit()
            {
                self.stream.write_all(&bytes).unwrap();
            }
            match self.connection.poll_event() {
                Some(Event::Credentials(credentials)) if credentials.password() == &b"secret"[..] => {
                    self.connection.accept(&credentials);
                    continue;
                }
                Some(Event::Credentials(_)) => {
                    self.connection.deny();
                    continue;
                }
                Some(event) => return event,
                None => {}
            }
            assert!(began.elapsed() < HANGS, "nothing comes");
            match self.stream.read(&mut buffer) {
                Ok(length) => {
                    let taken = self.connection.handle_bytes(Instant::now(), &buffer[..length]);
                    assert_eq!(taken, length, "few frames come at a time");
                }
                Err(_) => self.connection.handle_timeout(Instant::now()),
            }
        }
    }

    fn ready(&mut self) -> Peer {
        match self.next() {
            Event::Ready(peer) => *peer,
            other => panic!("{other:?}"),
        }
    }

    fn message(&mut self) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        loop {
            let Event::Frame { body, has_more } = self.next() else { panic!("a frame was expected") };
            frames.push(body.to_vec());
            if !has_more {
                return frames;
            }
        }
    }

    fn send(&mut self, frames: &[Vec<u8>]) {
        for (index, frame) in frames.iter().enumerate() {
            let mut bytes = Vec::new();
            FrameHeader::message(frame.len(), index + 1 < frames.len()).write(&mut bytes);
            bytes.extend_from_slice(frame);
            self.stream.write_all(&bytes).unwrap();
        }
    }
}

fn messages() -> Vec<Vec<Vec<u8>>> {
    let frame = |length: usize| vec![u8::try_from(length % 251).unwrap(); length];
    vec![
        vec![frame(0)],
        vec![frame(1), frame(0), frame(255)],
        vec![frame(256)],
        vec![frame(70_000), frame(3), frame(1_000_000)],
    ]
}

fn theirs(socket_type: zmq::SocketType) -> zmq::Socket {
    theirs_of(&zmq::Context::new(), socket_type)
}

fn theirs_of(context: &zmq::Context, socket_type: zmq::SocketType) -> zmq::Socket {
    let socket = context.socket(socket_type).unwrap();
    let millis = i32::try_from(HANGS.as_millis()).unwrap();
    socket.set_rcvtimeo(millis).unwrap();
    socket.set_sndtimeo(millis).unwrap();
    socket.set_linger(0).unwrap();
    socket.set_heartbeat_ivl(30).unwrap();
    socket.set_heartbeat_ttl(5_000).unwrap();
    socket
}

fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("tcp://{}", listener.local_addr().unwrap());
    (listener, endpoint)
}

#[test]
fn a_dealer_of_libzmq_talks_to_our_router() {
    let (listener, endpoint) = listen();
    let dealer = theirs(zmq::DEALER);
    dealer.set_identity(b"theirs").unwrap();
    dealer.connect(&endpoint).unwrap();
    let mut router = Ours::accept(&listener, Mechanism::Null);
    let peer = router.ready();
    assert_eq!((peer.socket_type, &peer.routing_id[..]), (SocketType::Dealer, &b"theirs"[..]));
    for message in messages() {
        dealer.send_multipart(&message, 0).unwrap();
        assert_eq!(router.message(), message);
        router.send(&message);
        assert_eq!(dealer.recv_multipart(0).unwrap(), message);
    }
}

#[test]
fn our_dealer_talks_to_a_router_of_libzmq_and_is_alive_while_it_says_nothing() {
    let router = theirs(zmq::ROUTER);
    router.set_heartbeat_timeout(200).unwrap();
    router.bind("tcp://127.0.0.1:*").unwrap();
    let endpoint = router.get_last_endpoint().unwrap().unwrap();
    let stream = TcpStream::connect(endpoint.strip_prefix("tcp://").unwrap()).unwrap();
    let mut dealer = Ours::new(stream, SocketType::Dealer, Mechanism::Null);
    assert_eq!(dealer.ready().socket_type, SocketType::Router);
    // Its pings come every 30 ms, and it gives a peer up that leaves one unanswered for 200 ms. The answers go out
    // while `next` waits.
    router.set_rcvtimeo(0).unwrap();
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(600) {
        dealer.connection.handle_timeout(Instant::now());
        while let Some(Transmit::Handshake(bytes) | Transmit::Command(bytes)) =
            dealer.connection.poll_transmit()
        {
            dealer.stream.write_all(&bytes).unwrap();
        }
        let mut buffer = [0; 4096];
        if let Ok(length) = dealer.stream.read(&mut buffer) {
            assert!(length > 0, "it has given us up");
            dealer.connection.handle_bytes(Instant::now(), &buffer[..length]);
        }
        assert_eq!(dealer.connection.poll_event(), None);
    }
    router.set_rcvtimeo(i32::try_from(HANGS.as_millis()).unwrap()).unwrap();
    for message in messages() {
        dealer.send(&message);
        let received = router.recv_multipart(0).unwrap();
        assert_eq!((&received[0][..], &received[1..]), (&b"ours"[..], &message[..]));
        router.send_multipart(&received, 0).unwrap();
        assert_eq!(dealer.message(), message);
    }
}

#[test]
fn plain_is_spoken_by_both() {
    for password in ["secret", "wrong"] {
        let (listener, endpoint) = listen();
        let dealer = theirs(zmq::DEALER);
        dealer.set_plain_username(Some("ada")).unwrap();
        dealer.set_plain_password(Some(password)).unwrap();
        dealer.connect(&endpoint).unwrap();
        let mut router = Ours::accept(&listener, Mechanism::PlainServer);
        match router.next() {
            Event::Ready(peer) => {
                assert_eq!((password, peer.username.as_deref()), ("secret", Some(&b"ada"[..])));
            }
            Event::Failed(error) => assert_eq!(
                (password, error.to_string()),
                ("wrong", "the peer's credentials were refused".to_owned())
            ),
            other => panic!("{other:?}"),
        }
    }
    let context = zmq::Context::new();
    let judge = theirs_of(&context, zmq::REP);
    judge.bind("inproc://zeromq.zap.01").unwrap();
    let router = theirs_of(&context, zmq::ROUTER);
    router.set_plain_server(true).unwrap();
    router.bind("tcp://127.0.0.1:*").unwrap();
    let endpoint = router.get_last_endpoint().unwrap().unwrap();
    let stream = TcpStream::connect(endpoint.strip_prefix("tcp://").unwrap()).unwrap();
    let credentials = Credentials::new("ada", "secret").unwrap();
    let mut dealer = Ours::new(stream, SocketType::Dealer, Mechanism::PlainClient(credentials));
    let judging = std::thread::spawn(move || accept_one(&judge));
    assert_eq!(dealer.ready().socket_type, SocketType::Router);
    assert_eq!(judging.join().unwrap(), [b"ada".to_vec(), b"secret".to_vec()]);
    dealer.send(&[b"hello".to_vec()]);
    assert_eq!(router.recv_multipart(0).unwrap(), [b"ours".to_vec(), b"hello".to_vec()]);
}

/// Accepts the next client that libzmq asks about, by ZAP (RFC 27). Returns its name and password.
fn accept_one(judge: &zmq::Socket) -> Vec<Vec<u8>> {
    let request = judge.recv_multipart(0).unwrap();
    let (number, credentials) = (&request[1], request[6..].to_vec());
    let reply: [&[u8]; 6] = [b"1.0", number, b"200", b"OK", &credentials[0], b""];
    judge.send_multipart(reply, 0).unwrap();
    credentials
}
