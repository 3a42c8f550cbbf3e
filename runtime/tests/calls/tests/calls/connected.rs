//! The clients that are connected to a server, as its program sees them, and has them disconnected.

use zsvc::{Channel, Code, Identity, Peers, Server};
use zsvc_calls::Probe;
use zsvc_calls::probe::v1::{ProbeClient, ProbeServer};

use crate::relay::Relay;
use crate::support::{ANY_PORT, on_threads};

/// Starts a server that runs in a task.
fn serving(endpoint: &str) -> (Peers, String, Probe) {
    let probe = Probe::default();
    let server = Server::builder()
        .service(ProbeServer::new(probe.clone()))
        .bind(endpoint)
        .listen()
        .expect("it is free");
    let (peers, endpoint) = (server.peers(), server.endpoints()[0].clone());
    tokio::spawn(server.serve());
    (peers, endpoint, probe)
}

async fn count(peers: &Peers, count: usize) {
    while peers.all().len() != count {
        tokio::task::yield_now().await;
    }
}

#[test]
fn a_client_is_there_from_its_first_word_to_the_end_of_its_connection() {
    on_threads(async {
        let (peers, endpoint, _probe) = serving(ANY_PORT);
        assert_eq!(peers.all(), []);
        let clients = [ProbeClient::connect(&endpoint).await, ProbeClient::connect(&endpoint).await];
        count(&peers, 2).await;
        let [first, second] = clients.map(|client| client.expect("the server is up"));
        let seen: Vec<_> = peers.all().into_iter().map(|peer| peer.id.to_string()).collect();
        assert!(seen.contains(&first.look().await.expect("it answers").peer));
        if zsvc_calls::engines::of_servers() == zsvc::Engine::Zmtp {
            drop(first);
            count(&peers, 1).await;
            assert_eq!(peers.all()[0].id.to_string(), second.look().await.expect("it answers").peer);
        }
    });
}

#[test]
fn a_client_that_is_disconnected_loses_its_calls_and_may_come_back() {
    on_threads(async {
        let (peers, endpoint, probe) = serving(ANY_PORT);
        let [goes, stays] = [ProbeClient::connect(&endpoint).await, ProbeClient::connect(&endpoint).await]
            .map(|client| client.expect("the server is up"));
        let id = goes.look().await.expect("it answers").peer;
        let waiting = tokio::spawn(async move { (goes.hold("a").await, goes) });
        probe.journal.has("a began").await;
        let peer = peers.all().into_iter().find(|peer| peer.id.to_string() == id).expect("it is there");
        assert!(peers.disconnect(&peer.id));
        let (ended, goes) = waiting.await.expect("it does not panic");
        let status = ended.expect_err("it was disconnected");
        assert_eq!(status.code(), Code::Unavailable);
        assert!(status.message().contains("the server has disconnected this client"), "{status}");
        let again = goes.look().await.expect("it has come back").peer;
        assert_eq!(
            again == id,
            zsvc_calls::engines::of_servers() != zsvc::Engine::Zmtp,
            "its connection was closed, where the engine can do that"
        );
        stays.look().await.expect("it was never away");
        assert_eq!(peers.disconnect_named("another"), 0);
    });
}

/// Disconnects a client whose connection may stay, and sees what it says next served, and no other client disturbed.
async fn is_a_new_client_next(peers: &Peers, endpoint: &str, probe: &Probe) {
    let [goes, stays] = [ProbeClient::connect(endpoint).await, ProbeClient::connect(endpoint).await]
        .map(|client| client.expect("the server is up"));
    let ids = [goes.look().await.expect("it answers").peer, stays.look().await.expect("it answers").peer];
    let of = |id: &String| peers.all().into_iter().find(|peer| peer.id.to_string() == *id);
    let held = tokio::spawn(goes.hold("a"));
    let kept = tokio::spawn(stays.hold("kept"));
    probe.journal.has("a began").await;
    probe.journal.has("kept began").await;
    assert!(peers.disconnect(&of(&ids[0]).expect("it is there").id));
    held.await.expect("it does not panic").expect_err("it was disconnected");
    while goes.look().await.is_err() {
        tokio::task::yield_now().await;
    }
    goes.note("later").await.expect("it is on its way");
    probe.journal.has("later").await;
    let again = tokio::spawn(goes.hold("b"));
    probe.journal.has("b began").await;
    // The one before is out of the table: that another is disconnected has nothing to do with it.
    let third = ProbeClient::connect(endpoint).await.expect("the server is up");
    let third = of(&third.look().await.expect("it answers").peer).expect("it is there");
    assert!(peers.disconnect(&third.id));
    while peers.all().iter().any(|peer| peer.id == third.id) {
        tokio::task::yield_now().await;
    }
    probe.journal.open("b");
    probe.journal.open("kept");
    assert!(again.await.expect("it does not panic").is_ok(), "the new client keeps its calls");
    assert!(kept.await.expect("it does not panic").is_ok(), "the other client was never away");
}

#[test]
fn what_a_client_says_after_it_was_disconnected_is_served() {
    on_threads(async {
        let (peers, endpoint, probe) = serving(ANY_PORT);
        is_a_new_client_next(&peers, &endpoint, &probe).await;
    });
}

#[test]
fn what_a_client_behind_a_device_says_after_it_was_disconnected_is_served() {
    on_threads(async {
        let (peers, endpoint, probe) = serving(ANY_PORT);
        let relay = Relay::to(&endpoint);
        is_a_new_client_next(&peers, relay.endpoint(), &probe).await;
    });
}

#[test]
fn clients_are_disconnected_by_their_name() {
    if zsvc_calls::engines::of_servers() != zsvc::Engine::Zmtp || !zsvc_calls::engines::are_same() {
        return;
    }
    on_threads(async {
        let (peers, endpoint, _probe) = serving("inproc://connected");
        let connect = |name: &str| {
            let channel = Channel::builder().endpoint(&endpoint).identity(Identity::new(name));
            async { ProbeClient::new(channel.connect().await.expect("the server is up")) }
        };
        let clients = [connect("ada").await, connect("bob").await, connect("ada").await];
        count(&peers, 3).await;
        let mut names: Vec<_> =
            peers.all().into_iter().filter_map(|peer| Some(peer.identity?.name().to_owned())).collect();
        names.sort();
        assert_eq!(names, ["ada", "ada", "bob"]);
        assert_eq!(peers.disconnect_named("ada"), 2);
        for client in clients {
            // A call may be on its way as the connection is closed.
            while client.look().await.is_err() {
                tokio::task::yield_now().await;
            }
        }
    });
}
