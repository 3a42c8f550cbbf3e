//! Links by themselves, without drivers.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;

use bytes::Bytes;

use super::link::{LinkRules, Route};
use super::server::repeated;
use super::*;
use crate::codec::Blob;
use crate::dispatch::{Handling, Incoming, Service};
use crate::driver::{Core, ServerDriver};
use crate::flush::DriverNotify;
use crate::identity::Identity;
use crate::method::{Method, MethodKind};
use crate::peer::Config;
use crate::session::server::Answer;
use crate::status::Status;
use crate::transport::{Arrival, ClientTransport, LinkEvent, Routed, SendWindow, Sent, ServerTransport};
use crate::users_bytes::users_bytes;
use crate::wire::{Item, ItemHead, Message, Outbox, RecordBuilder};

fn message(byte: u8) -> Message {
    vec![byte].into()
}

/// Returns the next message at a server, by its first byte, with its route.
fn arrived(server: &mut MemoryServer) -> Option<(Vec<u8>, u8)> {
    match server.receive().unwrap()? {
        Arrival::Message { route, message } => Some((route.to_vec(), message.batch.unwrap().bytes()[0])),
        Arrival::PeerLost { route } => Some((route.to_vec(), 0)),
        Arrival::RouteTooLong | Arrival::Refused(_) | Arrival::Proved(_) | Arrival::Closed => {
            panic!("routes are short")
        }
    }
}

fn network() -> (Arc<SimNetwork>, MemoryServer, MemoryClient) {
    let network = SimNetwork::new();
    let server = network.listen(Box::new(|_| false));
    let mut client = network.connect(None);
    assert_eq!(client.event(), Ok(Some(LinkEvent::Connected)));
    (network, server, client)
}

fn send(client: &mut MemoryClient, byte: u8) -> bool {
    matches!(client.send(message(byte)), Ok(Sent::Yes))
}

#[tokio::test(start_paused = true)]
async fn messages_are_delayed_in_order_or_lost() {
    let (network, mut server, mut client) = network();
    network.change_rules(|rules| rules.to_server.delay = Duration::from_secs(1));
    assert!(send(&mut client, 1));
    network.change_rules(|rules| rules.to_server.delay = Duration::ZERO);
    assert!(send(&mut client, 2));
    network.change_rules(|rules| rules.to_server.loses = true);
    assert!(send(&mut client, 3));
    assert_eq!(arrived(&mut server), None);
    tokio::time::advance(Duration::from_secs(1)).await;
    let [first, second, third] = [(); 3].map(|()| arrived(&mut server));
    assert_eq!([first.clone().unwrap().1, second.unwrap().1], [1, 2]);
    assert_eq!(third, None);
    let (route, _) = first.unwrap();
    assert!(matches!(server.send(&route, message(4), None), Ok(Routed::Yes)));
    assert_eq!(client.receive().unwrap().unwrap().bytes, 1);
}

#[tokio::test(start_paused = true)]
async fn a_link_that_is_cut_comes_up_under_another_route() {
    let (network, mut server, mut client) = network();
    assert!(send(&mut client, 1));
    let (before, _) = arrived(&mut server).unwrap();
    assert!(send(&mut client, 2));
    network.cut();
    assert!(!send(&mut client, 3), "it comes back to its sender");
    assert_eq!(client.event(), Ok(Some(LinkEvent::Disconnected)));
    assert_eq!(client.event(), Ok(None));
    assert_eq!(
        arrived(&mut server),
        Some((before.clone(), 0)),
        "the server is told, and what was on its way is gone"
    );
    assert!(matches!(server.send(&before, message(4), None), Ok(Routed::Unreachable(Some(_)))));
    tokio::time::advance(client.min_reconnect()).await;
    assert_eq!(client.event(), Ok(Some(LinkEvent::Connected)));
    assert!(send(&mut client, 5));
    let (after, byte) = arrived(&mut server).unwrap();
    assert!(after != before && byte == 5);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_stopped_or_replaced_ends() {
    let (network, mut first, mut client) = network();
    let mut second = network.listen(Box::new(|_| false));
    assert!(first.receive().is_err());
    drop(first);
    assert_eq!(client.event(), Ok(Some(LinkEvent::Disconnected)));
    tokio::time::advance(client.min_reconnect()).await;
    assert_eq!(client.event(), Ok(Some(LinkEvent::Connected)));
    assert!(send(&mut client, 1) && arrived(&mut second).is_some());
    network.crash();
    assert!(second.receive().is_err());
    assert_eq!(client.event(), Ok(Some(LinkEvent::Disconnected)));
    tokio::time::advance(client.min_reconnect()).await;
    assert_eq!(client.event(), Ok(None), "no server is there");
}

#[tokio::test(start_paused = true)]
async fn what_a_server_sent_last_arrives_before_its_links_go_down() {
    let (network, mut server, mut client) = network();
    assert!(send(&mut client, 1));
    let (route, _) = arrived(&mut server).unwrap();
    network.change_rules(|rules| rules.to_client.delay = Duration::from_secs(1));
    assert!(matches!(server.send(&route, message(2), None), Ok(Routed::Yes)));
    drop(server);
    assert!(!send(&mut client, 3));
    assert!(client.receive().unwrap().is_none());
    assert_eq!(client.event(), Ok(None));
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(client.receive().unwrap().is_some() && client.receive().unwrap().is_none());
    assert_eq!(client.event(), Ok(Some(LinkEvent::Disconnected)));
}

#[tokio::test(start_paused = true)]
async fn a_server_ends_with_its_only_client() {
    let network = SimNetwork::new();
    let mut server = network.listen(Box::new(|_| false));
    let mut client = network.connect_alone(None);
    assert_eq!(client.event(), Ok(None), "it is up from the start");
    assert!(send(&mut client, 1));
    drop(client);
    let [first, second] = [(); 2].map(|()| arrived(&mut server).map(|(_, byte)| byte));
    assert_eq!([first, second], [Some(1), Some(0)], "what it has sent, and then its end");
    assert!(server.receive().is_err());
}

#[tokio::test(start_paused = true)]
async fn drivers_are_woken_by_what_concerns_them() {
    let (_network, mut server, mut client) = network();
    let mut context = Context::from_waker(Waker::noop());
    assert!(server.poll_changed(&mut context).is_pending());
    assert!(send(&mut client, 1));
    assert!(server.poll_changed(&mut context).is_ready());
    let (route, _) = arrived(&mut server).unwrap();
    assert!(
        client.poll_changed(&mut context).is_pending() && client.poll_happened(&mut context).is_pending()
    );
    assert!(matches!(server.send(&route, message(2), None), Ok(Routed::Yes)));
    assert!(client.poll_changed(&mut context).is_ready() && client.has_changed().unwrap());
}

#[tokio::test(start_paused = true)]
async fn clients_are_served_in_turn() {
    let (network, mut server, mut busy) = network();
    let mut other = network.connect(None);
    assert_eq!(other.event(), Ok(Some(LinkEvent::Connected)));
    assert!([1, 1, 1].map(|byte| send(&mut busy, byte)) == [true; 3] && send(&mut other, 2));
    let bytes = [(); 4].map(|()| arrived(&mut server).unwrap().1);
    assert_eq!(bytes, [1, 2, 1, 1]);
    assert!(send(&mut busy, 1) && send(&mut busy, 1));
    drop(other);
    let bytes = [(); 3].map(|()| arrived(&mut server).unwrap().1);
    assert_eq!(bytes, [0, 1, 1], "nor does the end of a link wait for others' messages");
}

#[tokio::test(start_paused = true)]
async fn the_link_of_a_client_that_is_gone_is_removed() {
    let links = |network: &SimNetwork| network.with(|state| state.links());
    // The server reads nothing any more.
    let (network, mut server, mut client) = network();
    assert!(send(&mut client, 1));
    let (route, _) = arrived(&mut server).unwrap();
    assert!(send(&mut client, 2));
    drop(client);
    assert!(matches!(server.send(&route, message(3), None), Ok(Routed::Yes)));
    assert_eq!(links(&network), 1, "what it has sent is still there");
    drop(server);
    assert_eq!(links(&network), 0);

    // The server has ended before the client.
    let mut server = network.listen(Box::new(|_| false));
    let mut client = network.connect(None);
    assert_eq!(client.event(), Ok(Some(LinkEvent::Connected)));
    assert!(send(&mut client, 1));
    let (route, _) = arrived(&mut server).unwrap();
    assert!(send(&mut client, 2));
    assert!(matches!(server.send(&route, message(3), None), Ok(Routed::Yes)));
    drop(server);
    assert_eq!(links(&network), 1, "what the server has sent is still there");
    drop(client);
    assert_eq!(links(&network), 0);

    // It is removed with its last message.
    let mut server = network.listen(Box::new(|_| false));
    let mut client = network.connect(None);
    assert_eq!(client.event(), Ok(Some(LinkEvent::Connected)));
    assert!(send(&mut client, 1));
    drop(client);
    assert_eq!([(); 2].map(|()| arrived(&mut server).unwrap().1), [1, 0]);
    assert_eq!(links(&network), 0);
}

#[tokio::test(start_paused = true)]
async fn a_receipt_is_dropped_with_its_message_or_when_that_has_arrived() {
    let (network, mut server, mut client) = network();
    assert!(send(&mut client, 1));
    let (route, _) = arrived(&mut server).unwrap();
    let mut window = SendWindow::new(Arc::new(DriverNotify::new()));
    let mut answer = |window: &mut SendWindow| server.send(&route, message(2), window.count(LARGE_BYTES));
    let in_flight = |window: &SendWindow| (0..3).rfind(|count| window.is_full(count * LARGE_BYTES as u64));
    assert!([(); 2].map(|()| answer(&mut window)).iter().all(|sent| matches!(sent, Ok(Routed::Yes))));
    assert_eq!(in_flight(&window), Some(2), "the client has taken nothing");
    assert!(client.receive().unwrap().is_some());
    assert_eq!(in_flight(&window), Some(1));
    network.cut();
    assert_eq!(in_flight(&window), None);
    assert!(matches!(answer(&mut window), Ok(Routed::Unreachable(Some(_)))));
    assert_eq!(in_flight(&window), None);
}

/// Both ends of a network, and messages whose bytes are a user's.
struct UsersNetwork {
    network: Arc<SimNetwork>,
    server: MemoryServer,
    client: MemoryClient,
    route: Vec<u8>,
    dropped: Arc<AtomicUsize>,
}

impl UsersNetwork {
    fn new() -> Self {
        let (network, mut server, mut client) = network();
        assert!(send(&mut client, 1));
        let (route, _) = arrived(&mut server).unwrap();
        Self { network, server, client, route, dropped: Arc::default() }
    }

    fn message(&self) -> Message {
        let network = Arc::clone(&self.network);
        let bytes = users_bytes(&self.dropped, move || network.change_rules(|_| ()));
        let mut outbox = Outbox::default();
        outbox.push_item(1, Item::encode::<Blob, _>(&ItemHead::new(1), &bytes).unwrap());
        outbox.take().unwrap()
    }

    fn send_both_ways(&mut self) {
        let [call, answer] = [(); 2].map(|()| self.message());
        assert!(matches!(self.client.send(call), Ok(Sent::Yes)));
        assert!(matches!(self.server.send(&self.route, answer, None), Ok(Routed::Yes)));
    }

    fn dropped(&self) -> usize {
        self.dropped.load(Ordering::Relaxed)
    }
}

#[tokio::test(start_paused = true)]
async fn what_never_arrives_is_not_dropped_under_the_lock() {
    let mut users = UsersNetwork::new();
    users.network.change_rules(|rules| (rules.to_server.loses, rules.to_client.loses) = (true, true));
    users.send_both_ways();
    assert_eq!(users.dropped(), 2, "lost");
    users.network.change_rules(|rules| *rules = LinkRules::default());
    users.send_both_ways();
    users.network.cut();
    assert_eq!(users.dropped(), 4, "cut off");
    let again = users.message();
    assert!(matches!(users.server.send(&repeated(Route::default()), again, None), Ok(Routed::Yes)));
    assert_eq!(users.dropped(), 5, "the answer to a call that arrived again");

    let mut users = UsersNetwork::new();
    users.send_both_ways();
    users.network.crash();
    assert_eq!(users.dropped(), 2, "the server was stopped");

    let mut users = UsersNetwork::new();
    users.send_both_ways();
    let UsersNetwork { server, client, dropped, .. } = users;
    drop(client);
    assert_eq!(dropped.load(Ordering::Relaxed), 1, "the client is gone");
    drop(server);
    assert_eq!(dropped.load(Ordering::Relaxed), 2, "and so is the server");
}

/// A service that answers its calls, whose ids are 1, 2 and so on, with a large body each.
struct Large(AtomicU64);

const LARGE_BYTES: usize = 400_000;

impl Service for Large {
    fn methods(&self) -> &'static [Method] {
        const METHODS: [Method; 1] = [Method::new("t.Large/get", MethodKind::Unary)];
        &METHODS
    }

    fn dispatch(&self, _: usize, _: Incoming) -> Result<Handling, Status> {
        let id = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        let body = Bytes::from(vec![7; LARGE_BYTES]);
        let reply = RecordBuilder::reply::<Blob, Bytes>(id, &body).unwrap();
        Ok(Handling::of(std::future::ready(Answer::Reply(reply))))
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_is_sent_no_more_than_may_be_in_flight() {
    let (network, config) = (SimNetwork::new(), Config::default());
    // And one message more, with its header.
    let max = usize::try_from(config.max_in_flight()).unwrap() + LARGE_BYTES + 100;
    let core = Core::new(vec![Arc::new(Large(AtomicU64::new(0)))], config).unwrap();
    tokio::spawn(ServerDriver::new(network.listen(Box::new(|_| false)), core));
    let mut client = network.connect(None);
    assert_eq!(client.event(), Ok(Some(LinkEvent::Connected)));
    for id in 1..=10 {
        let call = [&[1, 0x94, 1, id, 0xab], &b"t.Large/get"[..], &[0xc4, 1, 0x90]].concat();
        assert!(matches!(client.send(call.into()), Ok(Sent::Yes)));
    }
    let mut received = 0;
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let mut at_once = 0;
        while let Some(message) = client.receive().unwrap() {
            at_once += message.bytes;
        }
        assert!(at_once <= max, "{at_once} bytes were in flight");
        received += at_once;
    }
    assert!(received >= 10 * LARGE_BYTES, "the rest comes once there is room");
}

/// Returns who has sent the next message at a server.
fn sender(server: &mut MemoryServer) -> Option<String> {
    match server.receive().unwrap()? {
        Arrival::Message { message, .. } => message.identity.map(|identity| identity.name().to_owned()),
        _ => None,
    }
}

#[tokio::test(start_paused = true)]
async fn messages_come_with_the_identity_that_their_client_s_program_gives() {
    let network = SimNetwork::new();
    let mut server = network.listen(Box::new(|_| true));
    let [mut alice, mut bob] = ["alice", "bob"].map(|name| network.connect(Some(Identity::new(name))));
    let mut other = network.connect(None);
    for client in [&mut alice, &mut bob, &mut other] {
        assert_eq!(client.event(), Ok(Some(LinkEvent::Connected)));
        assert!(send(client, 1));
    }
    let names = [(); 3].map(|()| sender(&mut server));
    assert_eq!(names, [Some("alice".to_owned()), Some("bob".to_owned()), None]);

    network.cut();
    while server.receive().unwrap().is_some() {}
    tokio::time::advance(alice.min_reconnect()).await;
    while alice.event().unwrap().is_some() {}
    assert!(send(&mut alice, 1));
    drop(alice);
    assert_eq!(
        sender(&mut server).as_deref(),
        Some("alice"),
        "also over another link, and of one that is gone"
    );
}

#[tokio::test(start_paused = true)]
async fn what_arrives_twice_comes_from_the_same_client_and_from_no_other() {
    let network = SimNetwork::new();
    let mut server = network.listen(Box::new(|_| true));
    network.change_rules(|rules| rules.repeats = true);
    let mut clients = ["alice", "bob"].map(|name| (name, network.connect(Some(Identity::new(name)))));
    let mut routes = BTreeSet::new();
    for (name, client) in &mut clients {
        while client.event().unwrap().is_some() {}
        let call = [&[1, 0x94, 1, 1, 0xab], &b"t.Large/get"[..], &[0xc4, 1, 0x90]].concat();
        assert!(matches!(client.send(call.into()), Ok(Sent::Yes)));
        for _ in 0..2 {
            let Some(Arrival::Message { route, message }) = server.receive().unwrap() else {
                panic!("{name}")
            };
            assert_eq!(message.identity.as_ref().map(Identity::name), Some(*name));
            routes.insert(route.to_vec());
        }
    }
    assert_eq!(routes.len(), 4, "each is a client of its own: {routes:?}");
}
