//! Links by themselves, without drivers.

use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use super::*;
use crate::transport::{Arrival, ClientTransport, LinkEvent, Routed, Sent, ServerTransport};
use crate::wire::Message;

fn message(byte: u8) -> Message {
    vec![byte].into()
}

/// Returns the next message at a server, by its first byte, with its route.
fn arrived(server: &mut MemoryServer) -> Option<(Vec<u8>, u8)> {
    match server.receive().unwrap()? {
        Arrival::Message { route, message } => Some((route.to_vec(), message.batch.unwrap().bytes()[0])),
        Arrival::PeerLost { route } => Some((route.to_vec(), 0)),
        Arrival::RouteTooLong => panic!("routes are short"),
    }
}

fn network() -> (Arc<SimNetwork>, MemoryServer, MemoryClient) {
    let network = SimNetwork::new();
    let server = network.listen(Box::new(|_| false));
    let mut client = network.connect();
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
    let mut client = network.connect_alone();
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
