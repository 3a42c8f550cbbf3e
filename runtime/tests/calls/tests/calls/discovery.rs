//! Servers that are found by what they serve: channels follow a registry, and servers are listed while they take calls.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use tokio::sync::watch;
use zsvc::discovery::{Announce, Announcement, Discover, Found, FoundServer, Withdrawal};
use zsvc::{Channel, ChannelBuilder, Code, ConnectionState, Outcome, ServeError, Server};
use zsvc_calls::Probe;
use zsvc_calls::probe::v1::{ProbeClient, ProbeServer};

use crate::support::{ANY_PORT, Running, free_endpoint, on_one_thread};

const PROBE: &str = "probe.v1.Probe";

/// A registry in this process, which fails when a test says so.
#[derive(Debug, Clone, Default)]
struct Board(Arc<watch::Sender<Listed>>);

#[derive(Debug, Clone, Default)]
struct Listed {
    /// Servers with their services, by instance.
    servers: BTreeMap<String, (Vec<String>, Vec<String>)>,
    /// Why nothing can be asked for.
    broken: Option<&'static str>,
    /// Number of requests that have failed.
    failures: usize,
}

impl Board {
    fn breaks(&self, why: Option<&'static str>) {
        self.0.send_modify(|listed| listed.broken = why);
    }

    async fn becomes(&self, is: impl FnMut(&Listed) -> bool) -> Listed {
        self.0.subscribe().wait_for(is).await.unwrap().clone()
    }

    /// Waits until this many servers are listed.
    async fn has(&self, servers: usize) -> Listed {
        self.becomes(|listed| listed.servers.len() == servers).await
    }

    /// Lists a server by hand, as another program might.
    fn list(&self, instance: &str, endpoints: &[&str]) {
        let endpoints = endpoints.iter().map(|&endpoint| endpoint.to_owned()).collect();
        self.insert(instance, vec![PROBE.to_owned()], endpoints);
    }

    fn insert(&self, instance: &str, services: Vec<String>, endpoints: Vec<String>) {
        self.0.send_modify(|listed| drop(listed.servers.insert(instance.to_owned(), (services, endpoints))));
    }

    fn remove(&self, instance: &str) {
        self.0.send_modify(|listed| drop(listed.servers.remove(instance)));
    }

    fn fails(&self) -> io::Result<()> {
        let Some(why) = self.0.borrow().broken else { return Ok(()) };
        self.0.send_modify(|listed| listed.failures += 1);
        assert_ne!(why, "panic", "the registry panics where the test says so");
        Err(io::Error::other(why))
    }

    fn channel(&self) -> ChannelBuilder {
        Channel::builder().discover(self.clone(), PROBE)
    }
}

impl Announce for Board {
    async fn announce(&self, server: &Announcement, withdrawal: Withdrawal) -> io::Result<()> {
        self.fails()?;
        self.insert(server.instance(), server.services().to_vec(), server.endpoints().to_vec());
        withdrawal.requested().await;
        self.remove(server.instance());
        Ok(())
    }
}

impl Discover for Board {
    async fn follow(&self, service: &str, found: &Found) -> io::Result<()> {
        let mut changes = self.0.subscribe();
        loop {
            self.fails()?;
            let listed = changes.borrow_and_update().servers.clone();
            let mut servers = Vec::new();
            for (instance, (services, endpoints)) in listed {
                if services.iter().any(|name| name == service) {
                    servers.push(FoundServer { instance, endpoints });
                }
            }
            found.set(servers);
            changes.changed().await.map_err(io::Error::other)?;
        }
    }
}

/// Waits until the channel is connected to exactly these servers.
async fn connected_to(channel: &Channel, servers: &[&Running]) {
    let mut watch = channel.watch();
    let mut expected: Vec<_> = servers.iter().map(|server| server.endpoint().to_owned()).collect();
    expected.sort();
    loop {
        let ready = channel.states().into_iter().filter(|state| state.state == ConnectionState::Ready);
        let mut up: Vec<_> = ready.map(|state| state.endpoint).collect();
        up.sort();
        if up == expected {
            return;
        }
        watch.changed().await.unwrap();
    }
}

#[test]
fn servers_are_listed_while_they_take_calls_and_channels_follow() {
    on_one_thread(async {
        let board = Board::default();
        let announced = |server: zsvc::ServerBuilder| server.announce(board.clone());
        let one = Running::with(announced);
        let channel = board.channel().connect().await.unwrap();
        connected_to(&channel, &[&one]).await;
        let other = Running::with(announced);
        connected_to(&channel, &[&one, &other]).await;
        let listed = board.has(2).await;
        let (services, endpoints) = listed.servers.values().find(|(_, at)| at[0] == one.endpoint()).unwrap();
        assert_eq!(services.join(" "), "probe.v1.Clock probe.v1.Probe");
        assert_eq!(endpoints.len(), 1);

        let probe = ProbeClient::new(channel.clone());
        assert_eq!(probe.echo("x").await.unwrap(), "x");
        one.stop().await;
        assert_eq!(board.has(1).await.servers.len(), 1);
        connected_to(&channel, &[&other]).await;
        assert_eq!(probe.echo("x").await.unwrap(), "x");
        other.stop().await;
        board.has(0).await;
    });
}

#[test]
fn a_server_is_off_the_list_while_it_still_drains() {
    on_one_thread(async {
        let board = Board::default();
        let server = Running::with(|server| server.announce(board.clone()));
        let probe = ProbeClient::new(board.channel().connect().await.unwrap());
        let held = tokio::spawn(probe.hold("a"));
        server.journal.has("a began").await;
        let journal = server.journal.clone();
        let stopped = tokio::spawn(server.stop());
        board.has(0).await;
        assert!(!held.is_finished(), "the call goes on");
        journal.open("a");
        assert_eq!(held.await.unwrap().unwrap(), "a");
        stopped.await.unwrap();
    });
}

#[test]
fn what_is_known_holds_while_the_registry_fails() {
    on_one_thread(async {
        let board = Board::default();
        let server = Running::with(|server| server.announce(board.clone()));
        let channel = board.channel().connect().await.unwrap();
        for why in ["it is down", "panic"] {
            board.breaks(Some(why));
            let failures = board.0.borrow().failures;
            board.becomes(|listed| listed.failures > failures).await;
            assert_eq!(ProbeClient::new(channel.clone()).echo("x").await.unwrap(), "x", "{why}");
            board.breaks(None);
        }
        let other = Running::with(|server| server.announce(board.clone()));
        connected_to(&channel, &[&server, &other]).await;
    });
}

#[test]
fn a_registry_that_has_lost_its_memory_ends_no_connection() {
    on_one_thread(async {
        let board = Board::default();
        let server = Running::start();
        board.list("1", &[server.endpoint()]);
        let channel = board.channel().connect().await.unwrap();
        board.remove("1");
        // Another channel is told of the same list, and so knows that the list was told.
        let told = board.channel().fail_fast().connect().await.unwrap_err();
        assert!(told.message().contains("no server has announced `probe.v1.Probe`"), "{told}");
        assert_eq!(ProbeClient::new(channel).echo("x").await.unwrap(), "x");
    });
}

#[test]
fn calls_wait_for_a_server_or_say_why_there_is_none() {
    on_one_thread(async {
        let board = Board::default();
        let channel = board.channel().connect_lazy().unwrap();
        let waiting = tokio::spawn(ProbeClient::new(channel).echo("x"));
        let server = Running::with(|server| server.announce(board.clone()));
        assert_eq!(waiting.await.unwrap().unwrap(), "x");
        drop(server);

        let broken = Board::default();
        broken.breaks(Some("nothing is there"));
        let status = broken.channel().fail_fast().connect().await.unwrap_err();
        assert_eq!((status.code(), status.outcome()), (Code::Unavailable, Outcome::NotSent));
        assert!(status.message().contains("its registry can't be asked: nothing is there"), "{status}");
    });
}

#[test]
fn the_first_endpoint_that_can_be_used_is() {
    on_one_thread(async {
        let (board, server) = (Board::default(), Running::start());
        board.list("1", &["http://tape.example", "tcp://*:7100", server.endpoint(), "tcp://127.0.0.1:1"]);
        board.list("2", &[]);
        board.list("3", &["nonsense"]);
        let channel = board.channel().connect().await.unwrap();
        connected_to(&channel, &[&server]).await;
        assert_eq!(ProbeClient::new(channel).echo("x").await.unwrap(), "x");
    });
}

#[test]
fn a_server_is_announced_where_clients_can_connect() {
    on_one_thread(async {
        let server = |endpoint: &str| {
            let server = Server::builder().service(ProbeServer::new(Probe::default()));
            server.bind(endpoint).announce(Board::default())
        };
        for endpoint in ["tcp://*:*", "tcp://0.0.0.0:*", "tcp://[::]:*", "inproc://announced"] {
            let Err(ServeError::Announce { reason }) = server(endpoint).listen() else {
                panic!("{endpoint} was announced");
            };
            assert!(reason.contains("call `advertise`") || reason.contains("or `advertise`"), "{reason}");
        }
        let error = server(ANY_PORT).advertise("tcp://tape.example").listen().unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("can't announce the server: clients can't connect to `tcp://tape.example`"),
            "{error}"
        );
        server("tcp://*:*").advertise("tcp://tape.example:7100").listen().unwrap();
        server(&free_endpoint()).listen().unwrap();
    });
}
