//! The baseline: sockets of the `zmq` crate, one message per call, no protocol around it. DEALER and ROUTER for unary
//! calls, PUSH and PULL for one-way calls.
//!
//! DEALER and ROUTER have no high-water mark, since a ROUTER drops messages above it. PUSH and PULL keep the default.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use zmq::{Context, DEALER, Message, PULL, PUSH, ROUTER, SNDMORE, Socket};

use crate::Failure;
use crate::control::{self, RECEIVED};
use crate::load::{Meter, Rate, Ticket, Window};
use crate::measure::{self, Cpu, Measure, Peaks, Task};
use crate::sample::Reading;
use crate::statistics::to_f64;

/// Separates the endpoint of the ROUTER from that of the PULL socket in the string that clients get.
const SEPARATOR: char = ' ';

/// Serves until the process ends.
pub(crate) fn serve(is_encrypted: bool) -> Result<(), Failure> {
    let context = Context::new();
    let router = unbounded(&context, ROUTER)?;
    if is_encrypted {
        super::keys::set(&router, true)?;
    }
    let pull = context.socket(PULL)?;
    let endpoints = [bind(&router)?, bind(&pull)?].join(&SEPARATOR.to_string());
    thread::spawn(move || count(&pull));
    super::announce(&endpoints, Some(control::listen()?))?;
    echo(&router)
}

fn unbounded(context: &Context, kind: zmq::SocketType) -> Result<Socket, zmq::Error> {
    let socket = context.socket(kind)?;
    socket.set_sndhwm(0)?;
    socket.set_rcvhwm(0)?;
    Ok(socket)
}

fn bind(socket: &Socket) -> Result<String, Failure> {
    socket.bind("tcp://127.0.0.1:*")?;
    socket.get_last_endpoint()?.map_err(|_| "the endpoint from libzmq is not UTF-8".into())
}

fn echo(router: &Socket) -> Result<(), Failure> {
    loop {
        let (mut route, mut payload) = (Message::new(), Message::new());
        router.recv(&mut route, 0)?;
        router.recv(&mut payload, 0)?;
        router.send(route, SNDMORE)?;
        router.send(payload, 0)?;
    }
}

fn count(pull: &Socket) -> Result<(), zmq::Error> {
    let mut payload = Message::new();
    loop {
        pull.recv(&mut payload, 0)?;
        RECEIVED.fetch_add(1, Ordering::Relaxed);
    }
}

/// Takes the measure that the task names.
pub(crate) fn drive(task: &Task, is_encrypted: bool) -> Result<Vec<Reading>, Failure> {
    match task.measure {
        Measure::Latency => latency(task, is_encrypted),
        Measure::InFlight8 | Measure::InFlight64 | Measure::InFlight1000 => many(task, is_encrypted),
        Measure::SyncClients => sync_clients(task),
        Measure::Payload1k | Measure::Payload64k | Measure::Payload1m => payload(task, is_encrypted),
        Measure::OneWay => one_way(task),
        Measure::ColdStart => cold_start(task),
        _ => task.unknown(),
    }
}

/// A DEALER, and the payload that it sends.
struct Dealer {
    socket: Socket,
    payload: Bytes,
}

impl Dealer {
    /// Connects, and waits for a first answer.
    fn connect(task: &Task, is_encrypted: bool) -> Result<Self, Failure> {
        let socket = unbounded(&Context::new(), DEALER)?;
        socket.set_linger(0)?;
        if is_encrypted {
            super::keys::set(&socket, false)?;
        }
        socket.connect(endpoints(&task.endpoint)?.0)?;
        let mut dealer = Self { socket, payload: Bytes::from_static(&[7; 64]) };
        dealer.call()?;
        dealer.payload = task.measure.payload();
        Ok(dealer)
    }

    fn send(&self) -> Result<(), zmq::Error> {
        self.socket.send(&self.payload[..], 0)
    }

    fn receive(&self) -> Result<(), Failure> {
        let mut answer = Message::new();
        self.socket.recv(&mut answer, 0)?;
        if answer.len() == self.payload.len() {
            Ok(())
        } else {
            Err("the answer differs from the payload".into())
        }
    }

    fn call(&self) -> Result<(), Failure> {
        self.send()?;
        self.receive()
    }

    /// Sends `count` messages, and then one for each answer.
    fn keep_in_flight(&self, count: usize, ticket: &Ticket) -> Result<(), Failure> {
        for _ in 0..count {
            self.send()?;
        }
        while !ticket.stopped() {
            self.receive()?;
            ticket.count();
            self.send()?;
        }
        Ok(())
    }
}

/// Splits the string into the endpoints for unary and for one-way calls.
fn endpoints(both: &str) -> Result<(&str, &str), Failure> {
    both.split_once(SEPARATOR).ok_or_else(|| format!("expected two endpoints: {both}").into())
}

/// Makes each of the dealers keep `count` calls in flight, in its own thread.
fn in_flight(
    dealers: Vec<Dealer>,
    count: usize,
    window: Window,
    observer: &mut impl crate::load::Observer,
) -> Result<Rate, Failure> {
    let mut meter = Meter::default();
    let work = |dealer: Dealer, ticket: Ticket| thread::spawn(move || dealer.keep_in_flight(count, &ticket));
    let threads: Vec<_> = dealers.into_iter().map(|dealer| work(dealer, meter.ticket())).collect();
    let rate = meter.watch_blocking(window, observer)?;
    for thread in threads {
        thread.join().map_err(|_| "a client's thread panicked")??;
    }
    Ok(rate)
}

fn latency(task: &Task, is_encrypted: bool) -> Result<Vec<Reading>, Failure> {
    let dealer = Dealer::connect(task, is_encrypted)?;
    times_of(&dealer, task.window.warm_up)?;
    Ok(measure::latencies(&times_of(&dealer, task.window.length)?))
}

fn times_of(dealer: &Dealer, time: Duration) -> Result<Vec<f64>, Failure> {
    let mut times = Vec::new();
    let start = Instant::now();
    while start.elapsed() < time {
        let before = Instant::now();
        dealer.call()?;
        times.push(before.elapsed().as_secs_f64() * 1e6);
    }
    Ok(times)
}

fn many(task: &Task, is_encrypted: bool) -> Result<Vec<Reading>, Failure> {
    let (measure, mut cpu) = (task.measure, Cpu::of(task));
    let rate =
        in_flight(vec![Dealer::connect(task, is_encrypted)?], measure.in_flight(), task.window, &mut cpu)?;
    let cpu = cpu.reading(format!("cpu-{}", measure.in_flight()), rate);
    Ok(vec![Reading::new(measure.name(), rate.per_second(), "calls/s"), cpu])
}

fn sync_clients(task: &Task) -> Result<Vec<Reading>, Failure> {
    let clients =
        (0..task.measure.in_flight()).map(|_| Dealer::connect(task, false)).collect::<Result<_, _>>()?;
    let rate = in_flight(clients, 1, task.window, &mut ())?;
    Ok(vec![Reading::new(task.measure.name(), rate.per_second(), "calls/s")])
}

fn payload(task: &Task, is_encrypted: bool) -> Result<Vec<Reading>, Failure> {
    let measure = task.measure;
    let dealer = Dealer::connect(task, is_encrypted)?;
    let peaks = Peaks::begin(task)?;
    let rate = in_flight(vec![dealer], measure.in_flight(), task.window, &mut ())?;
    let bytes = rate.per_second() * to_f64(measure.size() as u64);
    let mut readings = vec![Reading::new(measure.name(), bytes, "bytes/s")];
    if measure == Measure::Payload1m {
        readings.extend(peaks.readings(task)?);
    }
    Ok(readings)
}

fn one_way(task: &Task) -> Result<Vec<Reading>, Failure> {
    let push = Context::new().socket(PUSH)?;
    push.connect(endpoints(&task.endpoint)?.1)?;
    let payload = task.measure.payload();
    measure::one_way(task, |time| {
        let ticket = Ticket::for_time(time);
        while !ticket.stopped() {
            push.send(&payload[..], 0)?;
            ticket.count();
        }
        Ok(ticket.counted())
    })
}

fn cold_start(task: &Task) -> Result<Vec<Reading>, Failure> {
    let _dealer = Dealer::connect(task, false)?;
    measure::answered(task)
}

/// Opens `count` connections that have each made one call; they stay open until the socket is dropped. One socket has
/// all of them: it distributes its messages round-robin, so each connection gets one.
pub(crate) fn idle(endpoint: &str, count: usize, payload: &[u8]) -> Result<Socket, Failure> {
    let endpoint = endpoint.split(SEPARATOR).next().unwrap_or(endpoint);
    let socket = unbounded(&Context::new(), DEALER)?;
    socket.set_linger(0)?;
    for connection in 1..=count {
        socket.connect(&from_its_own_address(endpoint, connection)?)?;
        if connection % CONNECTS_PER_PAUSE == 0 {
            thread::sleep(PAUSE);
        }
    }
    for _ in 0..count {
        socket.send(payload, 0)?;
    }
    socket.set_rcvtimeo(i32::try_from(measure::CALL_TIMEOUT.as_millis())?)?;
    let mut answer = Message::new();
    for _ in 0..count {
        socket.recv(&mut answer, 0)?;
    }
    Ok(socket)
}

/// Returns the endpoint with a source address that no other connection uses: libzmq makes no second connection of a
/// DEALER to the same endpoint.
fn from_its_own_address(endpoint: &str, connection: usize) -> Result<String, Failure> {
    let target = endpoint.strip_prefix("tcp://").ok_or("idle connections need an endpoint with `tcp://`")?;
    let [.., high, low] = (connection + 256).to_be_bytes();
    Ok(format!("tcp://127.1.{high}.{low}:0;{target}"))
}

/// Number of connections that may wait to be accepted without being refused for a second; libzmq's own limit is 100.
const CONNECTS_PER_PAUSE: usize = 50;
const PAUSE: Duration = Duration::from_millis(10);
