//! What handlers write to streams, by the sinks that they hold.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::{cancel, core, error, open, receive, told};
use crate::codec::Plain;
use crate::dispatch::{Peer, PeerOutgoing};
use crate::flow::OutboundStream;
use crate::session::server::Answer;
use crate::stream::{Outgoing, SinkHalf, Unsent};
use crate::wire::{Item, ItemHead};
use crate::{Code, Outcome, Status};

#[tokio::test]
async fn a_handler_says_nothing_of_another_call_with_the_id_of_its_own() {
    let core = &mut core(|_| ());
    receive(core, b"a", &[]);
    let peer = core.peers.of(b"a");
    let earlier = open(&peer, 1);
    cancel(&peer, 1);
    let later = open(&peer, 1);
    let outgoing = PeerOutgoing { peer: Arc::clone(&peer), key: earlier };
    let outbound = Arc::new(OutboundStream::new(100));
    outgoing.flush(1, &outbound, Some(Item::encode::<Plain, u64>(&ItemHead::new(1), &7).unwrap()));
    outgoing.grant(1, 100);
    peer.fail(earlier, &Status::deadline_exceeded("too late"));
    peer.answer(earlier, Answer::End);
    assert_eq!(told(core), Vec::<String>::new());
    peer.answer(later, Answer::End);
    assert_eq!(told(core), ["End { id: 1 }"]);
}

/// Sends an item of one byte, which gathers until it is collected.
fn send(outgoing: &PeerOutgoing, outbound: &Arc<OutboundStream>, item: u64) -> bool {
    let (peer, key) = (Arc::clone(&outgoing.peer), outgoing.key);
    let half = SinkHalf::new(Arc::clone(outbound), Arc::new(PeerOutgoing { peer, key }), key.id());
    let mut item = Unsent::new(Item::encode::<Plain, u64>(&ItemHead::new(1), &item).unwrap());
    matches!(half.poll_send(&Context::from_waker(Waker::noop()), &mut item), Poll::Ready(Ok(())))
}

/// A stream of a client's call with the id 1.
fn stream(peer: &Arc<Peer>) -> (PeerOutgoing, Arc<OutboundStream>) {
    let key = open(peer, 1);
    let outbound = peer.with(|session| session.open_outbound(key, 100_000));
    (PeerOutgoing { peer: Arc::clone(peer), key }, outbound)
}

#[tokio::test(start_paused = true)]
async fn items_that_have_gathered_come_before_the_end_of_their_call_and_never_in_another() {
    let core = &mut core(|_| ());
    receive(core, b"a", &[]);
    let peer = core.peers.of(b"a");
    let (outgoing, outbound) = stream(&peer);
    assert!(send(&outgoing, &outbound, 1) && send(&outgoing, &outbound, 2));
    assert_eq!(told(core), ["items of 1: [1, 2]"], "the driver collects them");
    assert!(send(&outgoing, &outbound, 3));
    peer.answer(outgoing.key, Answer::End);
    assert_eq!(told(core), ["items of 1: [3]", "End { id: 1 }"]);
    assert!(!send(&outgoing, &outbound, 4));

    let (outgoing, outbound) = stream(&peer);
    assert!(send(&outgoing, &outbound, 5));
    peer.fail(outgoing.key, &Status::deadline_exceeded("too late"));
    assert_eq!(told(core), ["items of 1: [5]", &*error(1, Code::DeadlineExceeded, Outcome::Executed)]);

    let (outgoing, outbound) = stream(&peer);
    assert!(send(&outgoing, &outbound, 6));
    cancel(&peer, 1);
    let (outgoing, outbound) = stream(&peer);
    assert!(send(&outgoing, &outbound, 7));
    assert_eq!(told(core), ["items of 1: [7]"], "those of a call that was cancelled are not sent");
}
