//! Publishing and subscribing: what is kept, what is missed, and what a subscriber does to others.

use std::fmt::Debug;
use std::sync::Arc;

use futures_util::{StreamExt, future};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use zsvc::generated::{Plain, Slow};
use zsvc::{
    Bytes, Channel, Code, Delivery, Event, Identity, Publisher, ServeError, Server, ServerBuilder, Subscribe,
    Subscription, Value,
};

use crate::by_hand::{Keys as _, Price, Secret, Strict, Tick};
use crate::support::{ANY_PORT, on_one_thread, on_threads};

/// A server that runs in a task.
pub(crate) struct Serving {
    endpoint: String,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), ServeError>>,
}

impl Serving {
    fn start(set: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Self {
        Self::at(ANY_PORT, set).expect("any port can be bound")
    }

    fn at(endpoint: &str, set: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Result<Self, ServeError> {
        let server = set(Server::builder()).bind(endpoint).listen()?;
        let endpoint = server.endpoints()[0].clone();
        let (stop, stopped) = oneshot::channel();
        Ok(Self { endpoint, stop, task: tokio::spawn(server.serve_until(stopped)) })
    }

    /// Starts a server where another one just was.
    pub(crate) async fn again(endpoint: &str, set: impl Fn(ServerBuilder) -> ServerBuilder) -> Self {
        loop {
            match Self::at(endpoint, &set) {
                Ok(server) => return server,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    }

    pub(crate) async fn channel(&self) -> Channel {
        Channel::connect(&self.endpoint).await.expect("the server is up")
    }

    pub(crate) async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }

    pub(crate) async fn stop(self) {
        drop(self.stop);
        self.task.await.expect("the server does not panic").expect("it ends well");
    }
}

/// What a test sees of an event.
pub(crate) trait Numbered: Event<Subscribe = Subscribe<Self>> + Debug {
    fn number(&self) -> u64;
}

impl Numbered for Tick {
    fn number(&self) -> u64 {
        self.number
    }
}

impl Numbered for Price {
    fn number(&self) -> u64 {
        self.number
    }
}

impl Numbered for Strict {
    fn number(&self) -> u64 {
        self.number
    }
}

impl Numbered for Secret {
    fn number(&self) -> u64 {
        self.number
    }
}

/// Reads until an item is shown as `last`. Returns all, in short: numbers of events, `-2` for missed ones, `live`.
pub(crate) async fn until<E: Numbered>(subscription: &mut Subscription<E>, last: &str) -> String {
    let mut all = Vec::new();
    while all.last().is_none_or(|item| item != last) {
        all.push(match subscription.next().await.expect("a subscription has no end") {
            Ok(Delivery::Event(event)) => event.number().to_string(),
            Ok(Delivery::Missed(count)) => count.map_or("-?".to_owned(), |count| format!("-{count}")),
            Ok(Delivery::Live) => "live".to_owned(),
            Ok(other) => panic!("{other:?} is not known"),
            Err(status) => panic!("{status} after {all:?}"),
        });
    }
    all.join(" ")
}

pub(crate) async fn subscribers<E: Event>(publisher: &Publisher<E>, count: usize) {
    while publisher.subscribers() != count {
        tokio::task::yield_now().await;
    }
}

pub(crate) fn send<E: Event>(publisher: &Publisher<E>, event: &E) {
    publisher.send(event).expect("it can be encoded");
}

#[test]
fn a_subscriber_gets_what_is_published_once_it_has_subscribed() {
    on_threads(async {
        let ticks = Publisher::new();
        let server = Serving::start(|server| server.events(&ticks));
        let channel = server.channel().await;
        send(&ticks, &Tick::new("A", 1));
        let mut all = channel.subscribe::<Tick>().await.expect("there is a publisher");
        let mut of_a = channel.subscribe::<Tick>().symbol("A").await.expect("it has symbols");
        let mut some =
            channel.subscribe::<Tick>().symbol("A").symbol("B").board(1).await.expect("and boards");
        for (number, (symbol, board)) in
            (2..).zip([("A", 1), ("B", 1), ("B", 2), ("C", 1), ("A", 2), ("A", 1)])
        {
            send(&ticks, &Tick { board, ..Tick::new(symbol, number) });
        }
        assert_eq!(until(&mut all, "7").await, "live 2 3 4 5 6 7");
        assert_eq!(until(&mut of_a, "7").await, "live 2 6 7");
        assert_eq!(until(&mut some, "7").await, "live 2 3 7");
    });
}

#[test]
fn who_joins_late_gets_the_last_of_each_key() {
    on_one_thread(async {
        let prices = Publisher::new();
        for (number, symbol) in (1..).zip(["A", "B", "A", "C"]) {
            send(&prices, &Price::new(symbol, number));
        }
        let server = Serving::start(|server| server.events(&prices));
        let channel = server.channel().await;
        let mut all = channel.subscribe::<Price>().await.expect("there is a publisher");
        let mut of_a = channel.subscribe::<Price>().symbol("A").await.expect("it has symbols");
        send(&prices, &Price::new("A", 5));
        assert_eq!(until(&mut all, "5").await, "2 3 4 live 5");
        assert_eq!(until(&mut of_a, "5").await, "3 live 5");
        assert_eq!((prices.kept(), prices.forget(&Price::new("A", 0))), (3, Ok(1)));
        let mut late = channel.subscribe::<Price>().await.expect("there is a publisher");
        assert_eq!(until(&mut late, "live").await, "2 4 live");
    });
}

#[test]
fn long_bytes_are_shared_by_all_and_arrive_whole() {
    on_threads(async {
        let ticks = Publisher::new();
        let server = Serving::start(|server| server.events(&ticks));
        let channel = server.channel().await;
        let events: Vec<Tick> = (0..4_u8)
            .map(|number| Tick {
                bytes: Bytes::from(vec![number; 40_000 * usize::from(number % 3)]),
                ..Tick::new("A", number.into())
            })
            .collect();
        let subscribe = || async { channel.subscribe::<Tick>().await.expect("there is a publisher") };
        let mut all = future::join_all((0..5).map(|_| subscribe())).await;
        for event in &events {
            send(&ticks, event);
        }
        for subscription in &mut all {
            let items: Vec<_> =
                subscription.take(5).map(|item| item.expect("the server is up")).collect().await;
            let expected = events.iter().cloned().map(Delivery::Event);
            assert_eq!(items, [Delivery::Live].into_iter().chain(expected).collect::<Vec<_>>());
        }
    });
}

#[test]
fn a_subscriber_that_does_not_read_is_told_what_it_missed_and_holds_up_no_other() {
    on_threads(async {
        const EVENTS: u64 = 3_000;
        let ticks = Publisher::builder().max_waiting(64 * 1024).build();
        let server = Serving::start(|server| server.events(&ticks));
        let bytes = Bytes::from(vec![7; 1_000]);
        let slow = server.channel().await;
        let mut slow = slow.subscribe::<Tick>().await.expect("there is a publisher");
        let channel = server.channel().await;
        let mut quick = channel.subscribe::<Tick>().await.expect("there is a publisher");
        let mut seen = 0;
        assert_eq!(until(&mut quick, "live").await, "live");
        for number in 1..=EVENTS {
            send(&ticks, &Tick { bytes: bytes.clone(), ..Tick::new("A", number) });
            if number % 30 == 0 {
                let read = until(&mut quick, &number.to_string()).await;
                seen += read.split(' ').count() as u64;
            }
        }
        assert_eq!(seen, EVENTS, "one that reads misses nothing");
        let (mut events, mut missed) = (0, 0);
        for item in until(&mut slow, &EVENTS.to_string()).await.split(' ') {
            match item.strip_prefix('-') {
                Some(count) => missed += count.parse::<u64>().expect("it is known how many"),
                None => events += u64::from(item != "live"),
            }
        }
        assert_eq!(events + missed, EVENTS, "each event came, or was told to be missing");
        assert!(missed > 500, "a stream holds 1 MiB, and 64 KiB wait: {missed}");
        let counters = ticks.counters();
        assert_eq!((counters.sent(), counters.dropped(), counters.disconnected()), (EVENTS, missed, 0));
    });
}

#[test]
fn a_slow_subscriber_gets_the_newest_of_each_key() {
    on_threads(async {
        let prices = Publisher::new();
        assert_eq!(Price::EVENT.when_slow(), Slow::Conflate);
        let server = Serving::start(|server| server.events(&prices));
        let channel = server.channel().await;
        let mut slow = channel.subscribe::<Price>().await.expect("there is a publisher");
        let bytes = Bytes::from(vec![7; 1_000]);
        for number in 1..=5_000 {
            let symbol = if number % 2 == 0 { "A" } else { "B" };
            send(&prices, &Price { bytes: bytes.clone(), ..Price::new(symbol, number) });
        }
        let read = until(&mut slow, "5000").await;
        let count = read.split(' ').count();
        assert!(read.starts_with("live ") && read.ends_with(" 4999 5000") && !read.contains('-'), "{read}");
        assert!(count < 2_500, "{count} came of which most were replaced");
    });
}

#[test]
fn a_slow_subscription_ends_where_the_schema_says_so() {
    on_threads(async {
        let events = Publisher::builder().max_waiting(10_000).build();
        let server = Serving::start(|server| server.events(&events));
        let channel = server.channel().await;
        let mut slow = channel.subscribe::<Strict>().await.expect("there is a publisher");
        let mut other = channel.subscribe::<Strict>().symbol("B").await.expect("there is a publisher");
        let bytes = Bytes::from(vec![7; 10_000]);
        for number in 1..=1_000 {
            send(&events, &Strict { bytes: bytes.clone(), ..Strict::new("A", number) });
        }
        subscribers(&events, 1).await;
        let ended = loop {
            match slow.next().await {
                Some(Ok(_)) => {}
                Some(Err(status)) => break status,
                None => panic!("it ends with the reason"),
            }
        };
        assert_eq!(ended.code(), Code::Aborted);
        assert_eq!((events.counters().dropped(), events.counters().disconnected()), (0, 1));
        assert!(ended.message().contains("did not keep up with `hand.v1.Strict`"), "{ended}");
        assert!(slow.next().await.is_none());
        send(&events, &Strict::new("B", 7));
        assert_eq!(until(&mut other, "7").await, "live 7");
    });
}

#[test]
fn a_subscriber_that_is_gone_is_forgotten() {
    on_threads(async {
        let ticks = Publisher::<Tick>::new();
        let server = Serving::start(|server| server.events(&ticks));
        let [stays, goes] = [server.channel().await, server.channel().await];
        let mut all = Vec::new();
        for channel in [&stays, &stays, &goes, &goes] {
            all.push(channel.subscribe::<Tick>().await.expect("there is a publisher"));
        }
        assert_eq!(ticks.subscribers(), 4);
        drop(all.remove(0));
        subscribers(&ticks, 3).await;
        drop(all.split_off(1));
        drop(goes);
        subscribers(&ticks, 1).await;
        send(&ticks, &Tick::new("A", 1));
        assert_eq!(until(&mut all[0], "1").await, "live 1");
    });
}

#[test]
fn filters_that_are_not_understood_are_refused() {
    on_one_thread(async {
        let ticks = Publisher::<Tick>::new();
        let server = Serving::start(|server| server.events(&ticks));
        let channel = server.channel().await;
        let subscribe = || channel.subscribe::<Tick>();
        let many = (0..1025).fold(subscribe(), Subscribe::board);
        let long = (0..70).fold(subscribe(), |subscribe, number| {
            subscribe.symbol(&format!("{number}{}", "x".repeat(1_000)))
        });
        let nested = Value::Array(vec![Value::Array(vec![]); 9]);
        for (asked, expected) in [
            (
                subscribe().key::<Plain, str>(3, "A"),
                "has no key field 3; its key fields: `symbol` (1), `board` (2)",
            ),
            (subscribe().key::<Plain, str>(u16::MAX, "A"), "has no key field 65535"),
            (subscribe().key::<Plain, u64>(1, &7), "values of `symbol`: each is a string"),
            (subscribe().key::<Plain, str>(2, "A"), "values of `board`: each is an integer"),
            (subscribe().key::<Plain, Value>(1, &nested), "values of `symbol`: each is a string"),
            (subscribe().key::<Plain, Value>(1, &Value::Nil), "values of `symbol`: each is a string"),
            (many, "more than 1024 values"),
            (long, "more than 65536 bytes"),
        ] {
            let status = asked.await.expect_err(expected);
            assert_eq!(status.code(), Code::InvalidArgument, "{status}");
            assert!(status.message().contains(expected), "{status}");
        }
        assert_eq!(ticks.subscribers(), 0);
        let unknown = channel.subscribe::<Price>().await.expect_err("it has no publisher");
        assert_eq!(unknown.code(), Code::Unimplemented);
        let clash = Server::builder().events(&ticks).events(&ticks).bind(ANY_PORT).listen();
        assert!(matches!(clash, Err(ServeError::DuplicateMethod { method: "hand.v1.Tick/subscribe" })));
    });
}

/// An identity without keys needs the server in this process.
fn within_the_process() -> Option<String> {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let is_zmtp = zsvc_calls::engines::of_servers() == zsvc::Engine::Zmtp && zsvc_calls::engines::are_same();
    is_zmtp.then(|| format!("inproc://events-{}", NEXT.fetch_add(1, Ordering::Relaxed)))
}

#[test]
fn roles_decide_who_may_subscribe_and_a_program_for_whom_an_event_is() {
    let Some(endpoint) = within_the_process() else { return };
    on_threads(async {
        let secrets = Publisher::new();
        let _server = Serving::again(&endpoint, |server| server.events(&secrets)).await;
        let connect = |identity: Identity| {
            let endpoint = endpoint.clone();
            async {
                Channel::builder().endpoint(endpoint).identity(identity).connect().await.expect("it is up")
            }
        };
        let guest = connect(Identity::new("guest")).await;
        let refused = guest.subscribe::<Secret>().await.expect_err("it has no role");
        assert_eq!(refused.code(), Code::PermissionDenied);
        let [alice, bob] = ["alice", "bob"].map(|name| connect(Identity::new(name).with_role("desk")));
        let (alice, bob) = (alice.await, bob.await);
        let mut for_alice = alice.subscribe::<Secret>().await.expect("it has the role");
        let mut for_bob = bob.subscribe::<Secret>().await.expect("it has the role");
        send(&secrets, &Secret::new("A", 1));
        let is_bob = |identity: Option<&Identity>| identity.is_some_and(|identity| identity.name() == "bob");
        secrets.to(is_bob).send(&Secret::new("A", 2)).expect("it can be encoded");
        send(&secrets, &Secret::new("A", 3));
        assert_eq!(until(&mut for_alice, "3").await, "live 1 3");
        assert_eq!(until(&mut for_bob, "3").await, "live 1 2 3");
    });
}

#[test]
fn thousands_of_subscribers_get_each_event_of_theirs() {
    on_threads(async {
        const SUBSCRIBERS: u32 = 2_000;
        let ticks = Publisher::new();
        let server = Serving::start(|server| server.events(&ticks));
        let channel = Arc::new(server.channel().await);
        let subscribe = |number: u32| {
            let channel = Arc::clone(&channel);
            async move {
                let asked = channel.subscribe::<Tick>();
                let asked = if number.is_multiple_of(2) { asked } else { asked.symbol("A").board(number) };
                asked.await.expect("there is a publisher")
            }
        };
        let all = future::join_all((0..SUBSCRIBERS).map(subscribe)).await;
        assert_eq!(ticks.subscribers(), SUBSCRIBERS as usize);
        for number in 1..=3 {
            send(&ticks, &Tick { board: 1_999, ..Tick::new("A", number) });
        }
        send(&ticks, &Tick { board: 1, ..Tick::new("A", 4) });
        let read = all.into_iter().zip(0..).map(|(mut subscription, number)| async move {
            match number {
                1 => assert_eq!(until(&mut subscription, "4").await, "live 4"),
                1_999 => assert_eq!(until(&mut subscription, "3").await, "live 1 2 3"),
                odd if odd % 2 == 1 => assert_eq!(until(&mut subscription, "live").await, "live"),
                _ => assert_eq!(until(&mut subscription, "4").await, "live 1 2 3 4"),
            }
        });
        future::join_all(read).await;
    });
}

#[test]
fn what_is_too_large_is_sent_to_no_subscriber() {
    on_one_thread(async {
        let ticks = Publisher::builder().max_event_size(1_000).build();
        let server = Serving::start(|server| server.events(&ticks));
        let channel = server.channel().await;
        let mut subscription = channel.subscribe::<Tick>().await.expect("there is a publisher");
        let large = Tick { bytes: Bytes::from(vec![0; 1_000]), ..Tick::new("A", 1) };
        let refused = ticks.send(&large).expect_err("it is too large");
        assert_eq!(refused.code(), Code::ResourceExhausted);
        assert!(refused.message().contains("and its publisher takes up to 1000"), "{refused}");
        let refused = ticks.send(&Tick::new(&"A".repeat(2_000), 2)).expect_err("its key is too long");
        assert!(refused.message().contains("key fields of the event have more than 1024 bytes"), "{refused}");
        send(&ticks, &Tick::new("A", 3));
        assert_eq!(until(&mut subscription, "3").await, "live 3");
    });
}
