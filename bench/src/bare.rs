//! The floor: DEALER and ROUTER, one message per call, nothing around it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::{PAYLOAD, Sample};

/// Echoes until it is killed.
pub fn serve() {
    let context = zmq::Context::new();
    let router = context.socket(zmq::ROUTER).expect("a socket");
    router.set_sndhwm(0).expect("no bound");
    router.set_rcvhwm(0).expect("no bound");
    router.bind("tcp://127.0.0.1:*").expect("a free port");
    println!("{}", router.get_last_endpoint().expect("it is bound").expect("it is text"));
    loop {
        let mut route = zmq::Message::new();
        let mut payload = zmq::Message::new();
        router.recv(&mut route, 0).expect("a route");
        router.recv(&mut payload, 0).expect("a payload");
        router.send(route, zmq::SNDMORE).expect("the route is sent");
        router.send(payload, 0).expect("the payload is sent");
    }
}

/// Keeps so many messages in flight for so long.
pub fn measure(endpoint: &str, in_flight: usize, time: Duration) -> Sample {
    let context = zmq::Context::new();
    let dealer = context.socket(zmq::DEALER).expect("a socket");
    dealer.set_sndhwm(0).expect("no bound");
    dealer.set_rcvhwm(0).expect("no bound");
    dealer.set_linger(0).expect("no linger");
    dealer.connect(endpoint).expect("the server is there");
    let payload = [7; PAYLOAD];
    let mut sent = VecDeque::with_capacity(in_flight);
    let mut times = Vec::new();
    let send = |sent: &mut VecDeque<Instant>| {
        dealer.send(&payload[..], 0).expect("a message is sent");
        sent.push_back(Instant::now());
    };
    (0..in_flight).for_each(|_| send(&mut sent));
    let start = Instant::now();
    while start.elapsed() < time {
        let mut answer = zmq::Message::new();
        dealer.recv(&mut answer, 0).expect("an answer");
        times.push(sent.pop_front().expect("one was in flight").elapsed().as_secs_f64() * 1e6);
        send(&mut sent);
    }
    Sample { rate: times.len() as f64 / start.elapsed().as_secs_f64(), median: crate::median(&mut times) }
}
