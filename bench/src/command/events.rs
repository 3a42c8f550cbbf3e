//! `events`: one publisher to 1, 100 and 10,000 subscribers, each with a connection of its own: zsvc by subscriptions, zsvc by its PUB
//! socket, and a PUB socket of libzmq.
//!
//! The publisher sends a burst, which every queue on the way has room for; once all of it has arrived everywhere, it sends the
//! next. So nothing is dropped, and the rate is that of deliveries: events times subscribers. The subscribers of PUB sockets are plain
//! connections, which count the messages that they read: ten thousand sockets of libzmq are more than a process may have.

mod plain;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use zsvc::{Channel, Delivery, Publisher};

use self::plain::listen_to;
use super::child::this_program;
use crate::Failure;
use crate::process::{Child, Listening};
use crate::statistics::to_f64;
use crate::system::Tick;

/// Publishes events to many subscribers.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Numbers of subscribers.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 100, 10_000])]
    subscribers: Vec<u32>,
    /// Duration of each measurement, in seconds.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Size of an event's payload in bytes.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(..=65_536))]
    size: u32,
    /// Measures only this one.
    #[arg(long, value_enum)]
    by: Option<By>,
}

/// How events are carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum By {
    /// Subscriptions of zsvc.
    Zsvc,
    /// The PUB socket of zsvc.
    ZsvcPub,
    /// A PUB socket of libzmq.
    Libzmq,
}

/// The process that publishes.
#[derive(Debug, Args)]
pub(crate) struct Publish {
    by: By,
    #[arg(long)]
    size: u32,
}

/// The process with all subscribers.
#[derive(Debug, Args)]
pub(crate) struct Subscribe {
    by: By,
    endpoint: String,
    #[arg(long)]
    count: u32,
    /// Number of events of a burst.
    #[arg(long)]
    burst: u32,
}

/// What has arrived at all subscribers.
struct Arrivals {
    deliveries: AtomicU64,
    /// Number of deliveries of a burst to all.
    of_burst: u64,
    /// Told whenever a burst has arrived everywhere: a clock would be looked at too late, or for nothing.
    burst: Notify,
}

impl Arrivals {
    /// Counts deliveries.
    fn add(&self, number: u64) {
        let before = self.deliveries.fetch_add(number, Ordering::Relaxed);
        if before / self.of_burst != (before + number) / self.of_burst {
            self.burst.notify_one();
        }
    }
}

/// What a process of subscribers says: a number of events has arrived at all of them.
#[derive(Debug, Serialize, Deserialize)]
struct Arrived {
    events: u64,
}

/// The topic that all subscribe to.
const SYMBOL: &str = "ACME";
/// Most deliveries of a burst.
const BURST_DELIVERIES: u32 = 50_000;
/// Most events of a burst.
const MAX_BURST: u32 = 500;
/// Time that anything may take that is waited for.
const TIMEOUT: Duration = Duration::from_mins(2);

/// Measures all ways with all numbers of subscribers, and prints the rates.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    for count in &arguments.subscribers {
        for by in By::value_variants().iter().filter(|by| arguments.by.is_none_or(|only| only == **by)) {
            let rate = measure(arguments, *by, *count)?;
            println!("{count} subscribers, {}: {rate:.0} deliveries/s", name(*by));
        }
    }
    Ok(())
}

fn name(by: By) -> String {
    by.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

fn measure(arguments: &Arguments, by: By, count: u32) -> Result<f64, Failure> {
    let (name, size, count_text) = (name(by), arguments.size.to_string(), count.to_string());
    let mut publisher = Child::start(this_program(["publish-events", &name, "--size", &size])?)?;
    let said = publisher.line::<Listening>(Instant::now() + TIMEOUT)?;
    let endpoint = said.ok_or("the publisher has ended")?.endpoint;
    let burst = (BURST_DELIVERIES / count).clamp(1, MAX_BURST);
    let mut command = this_program(["subscribe-events", &name, &endpoint, "--count", &count_text])?;
    command.args(["--burst", &burst.to_string()]);
    let mut subscribers = Child::start(command)?;
    let mut arrived = |events: u64| -> Result<(), Failure> {
        loop {
            let line = subscribers.line::<Arrived>(Instant::now() + TIMEOUT)?;
            if line.ok_or("the subscribers have ended")?.events >= events {
                return Ok(());
            }
        }
    };
    // All are connected, and then have heard of an event: PUB does not tell when it has heard of a subscription.
    arrived(0)?;
    std::thread::sleep(Duration::from_millis(500));
    let (mut events, mut began) = (0, Instant::now());
    let mut before = 0;
    let length = Duration::from_secs(arguments.seconds);
    while events == 0 || began.elapsed() < length {
        publisher.say(&burst.to_string())?;
        events += u64::from(burst);
        arrived(events)?;
        if before == 0 {
            // The first burst warms up.
            (before, began) = (events, Instant::now());
        }
    }
    Ok(to_f64((events - before) * u64::from(count)) / began.elapsed().as_secs_f64())
}

impl Publish {
    /// Publishes as many events as each line of standard input says.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let payload = Bytes::from(vec![7; self.size as usize]);
        match self.by {
            By::Zsvc | By::ZsvcPub => self.by_zsvc(payload),
            By::Libzmq => by_libzmq(&payload),
        }
    }

    fn by_zsvc(&self, payload: Bytes) -> Result<(), Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let _entered = runtime.enter();
        let ticks = Publisher::new();
        let server = zsvc::Server::builder().events(&ticks).bind("tcp://127.0.0.1:*");
        let server = server.publish("tcp://127.0.0.1:*").max_handshakes(20_000, 20_000).listen()?;
        let endpoints = if self.by == By::Zsvc { server.endpoints() } else { server.published_at() };
        listening(&endpoints[0])?;
        runtime.spawn(server.serve());
        let tick = Tick { symbol: SYMBOL.to_owned(), payload };
        // By a thread of its own, as for libzmq: tokio reads standard input by another thread, with two switches for each line.
        for line in std::io::stdin().lines() {
            for _ in 0..line?.parse::<u32>()? {
                ticks.send(&tick)?;
            }
        }
        Ok(())
    }
}

fn listening(endpoint: &str) -> Result<(), Failure> {
    println!("{}", serde_json::to_string(&Listening { endpoint: endpoint.to_owned(), control: None })?);
    Ok(())
}

fn by_libzmq(payload: &[u8]) -> Result<(), Failure> {
    let context = zmq::Context::new();
    let socket = context.socket(zmq::PUB)?;
    socket.set_backlog(10_000)?;
    // It hears late of what was read, and would drop events of a burst for which there is room.
    socket.set_sndhwm(0)?;
    socket.bind("tcp://127.0.0.1:*")?;
    listening(&socket.get_last_endpoint()?.map_err(|_| "an endpoint that is no text")?)?;
    let topic = format!("ticks.v1.Tick/{SYMBOL}/");
    for line in std::io::stdin().lines() {
        for number in 0..line?.parse::<u64>()? {
            socket.send_multipart([topic.as_bytes(), &number.to_be_bytes(), payload], 0)?;
        }
    }
    Ok(())
}

impl Subscribe {
    /// Connects, says so, and then says how many events have arrived everywhere, after each burst.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(async {
            let of_burst = u64::from(self.burst) * u64::from(self.count);
            let arrivals =
                Arc::new(Arrivals { deliveries: AtomicU64::new(0), of_burst, burst: Notify::new() });
            let mut tasks = JoinSet::new();
            for _ in 0..self.count {
                let arrivals = Arc::clone(&arrivals);
                match self.by {
                    By::Zsvc => {
                        let channel = Channel::connect(&self.endpoint).await?;
                        let asked = channel.subscribe::<Tick>().symbol(SYMBOL);
                        let subscription = asked.await?;
                        tasks.spawn(count_events(subscription, arrivals));
                    }
                    By::ZsvcPub | By::Libzmq => {
                        let topic = format!("ticks.v1.Tick/{SYMBOL}/");
                        tasks.spawn(listen_to(self.endpoint.clone(), topic, arrivals).await?);
                    }
                }
            }
            loop {
                let events = arrivals.deliveries.load(Ordering::Relaxed) / u64::from(self.count);
                println!("{}", serde_json::to_string(&Arrived { events })?);
                tokio::select! {
                    () = arrivals.burst.notified() => {}
                    Some(ended) = tasks.join_next() => {
                        ended??;
                        return Err("a subscription has ended".into());
                    }
                }
            }
        })
    }
}

async fn count_events(
    mut subscription: zsvc::Subscription<Tick>,
    arrivals: Arc<Arrivals>,
) -> Result<(), Failure> {
    while let Some(delivery) = subscription.next().await {
        match delivery? {
            Delivery::Event(_) => arrivals.add(1),
            Delivery::Missed(count) => return Err(format!("missed {count:?} events").into()),
            _ => {}
        }
    }
    Ok(())
}
