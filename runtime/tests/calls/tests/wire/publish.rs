//! Events by a PUB socket, for plain SUBs of libzmq, in the wheel of pyzmq: topics, subscriptions that come and go, CURVE and roles.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use zsvc::curve::{Access, Client, CurveServer, generate};
use zsvc::{Engine, Identity, Publisher, Uuid};
use zsvc_calls::exchange::v1::{Fill, Halt, Price, Side};

use crate::python::Script;
use crate::rig::{Serving, TIMEOUT, assert_no_panics};

/// Returns an endpoint that no other test has: a script is to know it before the server tells.
fn endpoint() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("zsvc-pub-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    format!("ipc://{}", std::env::temp_dir().join(name).display())
}

fn price(symbol: &str, cents: u64) -> Price {
    Price { symbol: symbol.to_owned(), cents }
}

fn fill(note: Option<&str>) -> Fill {
    let account = Uuid::from_bytes([1; 16]);
    Fill { account, side: Side::Sell, is_own: true, options: -7, note: note.map(str::to_owned) }
}

/// Reports whether a line is a message that [`subscribe`] sends: it may come late.
fn is_beacon(line: &str) -> bool {
    line.ends_with(", 0]") || line.ends_with("['beacon']")
}

/// Says something to a script, and waits until it was done.
fn say(script: &mut Script, command: &str) {
    script.say(command);
    while script.line() != "said" {}
}

/// Subscribes, and waits until a message has come: PUB does not tell when it has heard of a subscription. `send` sends a beacon that passes.
fn subscribe(script: &mut Script, topic: &str, mut send: impl FnMut()) {
    say(script, &format!("+{topic}"));
    let began = Instant::now();
    while !script.line_within(Duration::from_millis(20)).is_some_and(|line| line.starts_with(topic)) {
        assert!(began.elapsed() < TIMEOUT, "nothing comes for `{topic}`");
        send();
    }
}

/// Returns the next line but for the number in it, and but for beacons.
fn line(script: &mut Script) -> String {
    let line = loop {
        let line = script.line();
        if !is_beacon(&line) {
            break line;
        }
    };
    let mut words: Vec<&str> = line.split(' ').collect();
    words.remove(1).parse::<u64>().expect("a sequence number");
    words.join(" ")
}

#[test]
fn a_plain_subscriber_gets_what_starts_like_its_topics() {
    let (prices, halts, endpoint) = (Publisher::new(), Publisher::new(), endpoint());
    let server = Serving::with(|server| server.events(&prices).events(&halts).publish(&endpoint));
    let mut script = Script::start("subscriber.py", &endpoint);
    let send = |symbol: &str, cents| prices.send(&price(symbol, cents)).expect("it can be encoded");
    subscribe(&mut script, "exchange.v1.Price/ACME/", || send("ACME", 0));
    for (symbol, cents) in [("ACMEX", 1), ("ACME", 2), ("A/C", 3), ("ACME", 4)] {
        send(symbol, cents);
    }
    halts.send(&Halt { reason: None }).expect("it can be encoded");
    assert_eq!(line(&mut script), "exchange.v1.Price/ACME/ ['ACME', 2]");
    assert_eq!(line(&mut script), "exchange.v1.Price/ACME/ ['ACME', 4]");
    subscribe(&mut script, "exchange.v1.Price/A%2FC/", || send("A/C", 0));
    say(&mut script, "-exchange.v1.Price/ACME/");
    subscribe(&mut script, "exchange.v1.Halt/", || {
        halts.send(&Halt { reason: Some("beacon".to_owned()) }).expect("it can be encoded");
    });
    send("ACME", 5);
    send("A/C", 6);
    halts.send(&Halt { reason: Some("lunch".to_owned()) }).expect("it can be encoded");
    let mut lines = [line(&mut script), line(&mut script)];
    lines.sort();
    assert_eq!(lines, ["exchange.v1.Halt/ ['lunch']", "exchange.v1.Price/A%2FC/ ['A/C', 6]"]);
    drop(script);
    assert_eq!(server.counters.refused_connections(), 0);
    assert_no_panics();
}

#[test]
fn with_keys_only_those_that_are_let_in_listen_and_roles_hold() {
    let [server_key, desk, guest, stranger] = [(); 4].map(|()| generate().expect("random bytes"));
    let curve = CurveServer::new(server_key.clone())
        .allow_as(desk.public_key(), Identity::new("desk").with_role("desk"))
        .allow_as(guest.public_key(), Identity::new("guest"));
    let (prices, fills, endpoint) = (Publisher::new(), Publisher::new(), endpoint());
    let server = Serving::with(|server| {
        server.engine(Engine::Zmtp).curve(curve).events(&prices).events(&fills).publish(&endpoint)
    });
    let server_public = server_key.public_key().to_string();
    let script = |key: &zsvc::curve::SecretKey| {
        let own = key.to_z85();
        Script::with(
            "subscriber.py",
            &endpoint,
            &[("CURVE_SECRET", own.as_str()), ("CURVE_SERVER", &server_public)],
        )
    };
    let mut scripts = [script(&desk), script(&guest)];
    for script in &mut scripts {
        subscribe(script, "", || prices.send(&price("ACME", 0)).expect("it can be encoded"));
    }
    fills.send(&fill(Some("a note"))).expect("it can be encoded");
    prices.send(&price("ACME", 7)).expect("it can be encoded");
    let [at_desk, at_guest] = &mut scripts;
    let mut lines = [line(at_desk), line(at_desk)];
    lines.sort();
    let topic = "exchange.v1.Fill/2/true/01010101-0101-0101-0101-010101010101/-7/";
    assert!(lines[0].starts_with(topic), "{lines:?}");
    assert_eq!(lines[1], "exchange.v1.Price/ACME/ ['ACME', 7]");
    assert_eq!(line(at_guest), "exchange.v1.Price/ACME/ ['ACME', 7]");
    let mut refused = script(&stranger);
    say(&mut refused, "+");
    let began = Instant::now();
    while server.counters.refused_connections() == 0 {
        assert!(began.elapsed() < TIMEOUT, "it is refused");
        sleep(Duration::from_millis(5));
    }
    assert_no_panics();
}

#[test]
fn a_subscriber_that_is_taken_out_loses_its_connection_and_is_counted() {
    let [server_key, desk] = [(); 2].map(|()| generate().expect("random bytes"));
    let access = Access::new([Client::new("desk").key(desk.public_key())]).expect("it is one client");
    let curve = CurveServer::new(server_key.clone()).access(access.clone());
    let (prices, endpoint) = (Publisher::new(), endpoint());
    let server =
        Serving::with(|server| server.engine(Engine::Zmtp).curve(curve).events(&prices).publish(&endpoint));
    let (own, public) = (desk.to_z85(), server_key.public_key().to_string());
    let keys = [("CURVE_SECRET", own.as_str()), ("CURVE_SERVER", public.as_str())];
    let mut script = Script::with("subscriber.py", &endpoint, &keys);
    subscribe(&mut script, "", || prices.send(&price("ACME", 0)).expect("it can be encoded"));
    assert_eq!(server.counters.revoked_connections(), 0);
    access.remove("desk").expect("it is there");
    // It is refused as often as it comes back.
    let began = Instant::now();
    while (server.counters.revoked_connections(), server.counters.refused_connections().min(1)) != (1, 1) {
        assert!(began.elapsed() < TIMEOUT, "it is counted, and refused");
        sleep(Duration::from_millis(5));
    }
    assert_no_panics();
}

/// Returns a SUB socket of libzmq that has heard of an event.
fn listening(endpoint: &str, topic: &str, mut send: impl FnMut()) -> zmq::Socket {
    let socket = zmq::Context::new().socket(zmq::SUB).expect("a socket");
    socket.set_rcvhwm(1).expect("it is an option");
    socket.set_linger(0).expect("it is an option");
    socket.set_subscribe(topic.as_bytes()).expect("it is an option");
    socket.connect(endpoint).expect("the endpoint is valid");
    let began = Instant::now();
    while socket.poll(zmq::POLLIN, 20).expect("it can be waited for") == 0 {
        assert!(began.elapsed() < TIMEOUT, "nothing comes for `{topic}`");
        send();
    }
    socket
}

/// Returns the sequence number of the next message.
fn next(socket: &zmq::Socket) -> u64 {
    assert_eq!(socket.poll(zmq::POLLIN, 20_000), Ok(1), "there is one");
    let frames = socket.recv_multipart(0).expect("a message");
    assert_eq!(frames.len(), 3);
    u64::from_be_bytes(*frames[1].first_chunk().expect("a number"))
}

#[test]
fn a_plain_subscriber_that_does_not_read_misses_the_oldest_and_holds_up_no_other() {
    let (prices, endpoint) = (Publisher::new(), endpoint());
    let _server = Serving::with(|server| server.events(&prices).publish(&endpoint));
    let long = "x".repeat(1_000);
    let count = std::cell::Cell::new(0_u64);
    let send = |symbol: &str| {
        prices.send(&price(symbol, 0)).expect("it can be encoded");
        count.set(count.get() + 1);
    };
    let slow = listening(&endpoint, "exchange.v1.Price/", || send("A"));
    let quick = listening(&endpoint, "exchange.v1.Price/A/", || send("A"));
    for _ in 0..1_000 {
        // 20 KB that the quick one has not asked for, in events of the largest key.
        (0..20).for_each(|_| send(&long));
        send("A");
        while next(&quick) != count.get() {}
    }
    let mut seen = vec![next(&slow)];
    while seen.last() != Some(&count.get()) {
        seen.push(next(&slow));
    }
    assert!(seen.is_sorted(), "in order");
    assert!((seen.len() as u64) < count.get(), "the oldest were dropped: {} of {}", seen.len(), count.get());
}
