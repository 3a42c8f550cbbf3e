//! Endpoints with host names: a channel connects to all addresses of a name, and follows changes.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::watch;
use zsvc::{Cause, Channel, ChannelBuilder, Code, ConnectionState, Outcome, Resolve};
use zsvc_calls::probe::v1::ProbeClient;

use crate::support::{Running, on_one_thread};

const MOMENT: Duration = Duration::from_millis(1);

/// A resolver whose addresses are set by the test; counts the lookups.
#[derive(Clone)]
struct Book(watch::Sender<Vec<SocketAddr>>, watch::Sender<usize>);

impl Book {
    fn of(servers: &[&Running]) -> Self {
        let book = Self(watch::Sender::default(), watch::Sender::default());
        book.write(servers);
        book
    }

    fn write(&self, servers: &[&Running]) {
        let address = |server: &&Running| server.endpoint().strip_prefix("tcp://").unwrap().parse().unwrap();
        self.0.send_replace(servers.iter().map(address).collect());
    }

    async fn was_asked(&self, times: usize) {
        self.1.subscribe().wait_for(|asked| *asked >= times).await.unwrap();
    }

    fn channel(&self) -> ChannelBuilder {
        Channel::builder().endpoint("tcp://tape.example:7100").resolver(self.clone())
    }
}

impl Resolve for Book {
    async fn resolve(&self, name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        assert_eq!((name, port), ("tape.example", 7100));
        self.1.send_modify(|asked| *asked += 1);
        let addresses = self.0.borrow().clone();
        if addresses.is_empty() { Err(io::Error::other("no such host")) } else { Ok(addresses) }
    }
}

/// Waits until the channel has connections to exactly these servers, and all are up.
async fn connected_to(channel: &Channel, servers: &[&Running]) {
    let mut watch = channel.watch();
    let mut expected: Vec<_> = servers.iter().map(|server| server.endpoint().to_owned()).collect();
    expected.sort();
    loop {
        let states = channel.states().into_iter();
        let mut up: Vec<_> =
            states.filter(|s| s.state == ConnectionState::Ready).map(|s| s.endpoint).collect();
        up.sort();
        if up == expected {
            return;
        }
        watch.changed().await.unwrap();
    }
}

#[test]
fn calls_go_to_all_addresses_of_a_name() {
    on_one_thread(async {
        let (one, other) = (Running::start(), Running::start());
        let channel = Book::of(&[&one, &other]).channel().connect().await.unwrap();
        connected_to(&channel, &[&one, &other]).await;
        assert_eq!(channel.endpoints().collect::<Vec<_>>(), ["tcp://tape.example:7100"]);
        let probe = ProbeClient::new(channel);
        let held: Vec<_> = (0..4).map(|_| tokio::spawn(probe.hold("a"))).collect();
        // Not two each: a connection over which the channel asks for a sign of life counts as a little busier.
        for server in [&one, &other] {
            server.journal.has("a began").await;
            server.journal.open("a");
        }
        for held in held {
            held.await.unwrap().unwrap();
        }
    });
}

#[test]
fn addresses_come_and_go() {
    on_one_thread(async {
        let (one, other) = (Running::start(), Running::start());
        let book = Book::of(&[&one]);
        let channel = book.channel().lookup_interval(10 * MOMENT).connect().await.unwrap();
        let probe = ProbeClient::new(channel.clone());
        let held = tokio::spawn(probe.hold("a"));
        one.journal.has("a began").await;
        book.write(&[&one, &other]);
        connected_to(&channel, &[&one, &other]).await;
        book.write(&[&other]);
        connected_to(&channel, &[&other]).await;
        // Calls in flight end on the old connection; then that connection is closed.
        let before = one.counters.calls();
        for _ in 0..20 {
            probe.echo("x").await.unwrap();
        }
        assert_eq!(one.counters.calls(), before);
        one.journal.open("a");
        assert_eq!(held.await.unwrap().unwrap(), "a");
        let asked = *book.1.borrow();
        while channel.states().len() > 1 {
            book.was_asked(asked + 2).await;
            tokio::task::yield_now().await;
        }
    });
}

#[test]
fn a_channel_closes_well_although_an_address_has_gone() {
    on_one_thread(async {
        let (one, other) = (Running::start(), Running::start());
        let book = Book::of(&[&one]);
        let channel = book.channel().lookup_interval(10 * MOMENT).connect().await.unwrap();
        let held = tokio::spawn(ProbeClient::new(channel.clone()).hold("a"));
        one.journal.has("a began").await;
        book.write(&[&other]);
        connected_to(&channel, &[&other]).await;
        // From now on no lookup succeeds, which would forget the connection that has ended.
        book.write(&[]);
        let asked = *book.1.borrow();
        book.was_asked(asked + 2).await;
        let mut watch = channel.watch();
        one.journal.open("a");
        assert_eq!(held.await.unwrap().unwrap(), "a");
        while !channel.states().iter().any(|state| state.state == ConnectionState::Closed) {
            watch.changed().await.unwrap();
        }
        channel.close(Duration::from_secs(5)).await.unwrap();
    });
}

#[test]
fn a_name_that_can_not_be_looked_up_is_waited_for() {
    on_one_thread(async {
        let server = Running::start();
        let book = Book::of(&[]);
        let status = book.channel().connect_timeout(50 * MOMENT).connect().await.unwrap_err();
        assert_eq!((status.code(), status.outcome()), (Code::Unavailable, Outcome::NotSent));
        assert_eq!(status.cause(), Some(Cause::NeverConnected));
        assert_eq!(
            status.message(),
            "within 50ms there was no connection to `tcp://tape.example:7100`: the name can't be looked up: \
             no such host"
        );
        let channel = book.channel().connect_lazy().unwrap();
        let probe = ProbeClient::new(channel.clone());
        let late = probe.echo("x").deadline(20 * MOMENT).await.unwrap_err();
        assert_eq!(late.cause(), Some(Cause::NeverConnected));
        let waiting = tokio::spawn(probe.echo("x"));
        tokio::task::yield_now().await;
        book.write(&[&server]);
        assert_eq!(waiting.await.unwrap().unwrap(), "x");
        // A later lookup that fails removes no connection.
        book.write(&[]);
        connected_to(&channel, &[&server]).await;
        probe.echo("x").await.unwrap();
    });
}

#[test]
fn a_name_is_looked_up_again_when_its_servers_are_gone() {
    on_one_thread(async {
        let (gone, new) = (Running::start(), Running::start());
        let book = Book::of(&[&gone]);
        let channel = book.channel().lookup_interval(Duration::from_hours(1)).connect().await.unwrap();
        let probe = ProbeClient::new(channel);
        book.write(&[&new]);
        gone.kill().await;
        while new.counters.calls() == 0 {
            let _ = probe.echo("x").await;
        }
    });
}

#[test]
fn the_system_is_asked_by_default() {
    on_one_thread(async {
        let server = Running::start();
        let port = server.endpoint().rsplit_once(':').unwrap().1;
        let probe = ProbeClient::connect(format!("tcp://localhost:{port}")).await.unwrap();
        assert_eq!(probe.echo("x").await.unwrap(), "x");
    });
}
