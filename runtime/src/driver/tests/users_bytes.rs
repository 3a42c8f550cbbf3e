//! What is dropped of a user's bytes, of a client in the same process: never under the lock of its peer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use tokio::time::Instant;

use super::{METHODS, cancel, core, open, receive};
use crate::Status;
use crate::codec::Blob;
use crate::dispatch::Peer;
use crate::peer::Progress;
use crate::session::server::{Answer, CallKey, Methods, Session};
use crate::users_bytes::users_bytes;
use crate::wire::{Batch, RecordBuilder};

/// A user's bytes, which ask something of the peer when they are dropped.
fn of_user(peer: &Arc<Peer>, dropped: &Arc<AtomicUsize>) -> Bytes {
    let peer = Arc::clone(peer);
    users_bytes(dropped, move || _ = peer.with(|session| session.waiting()))
}

#[tokio::test]
async fn what_a_client_never_reads_is_not_dropped_under_the_lock() {
    let core = &mut core(|_| ());
    receive(core, b"a", &[]);
    let (peer, dropped) = (core.peers.of(b"a"), Arc::new(AtomicUsize::new(0)));
    let answer = |id| {
        let body = of_user(&peer, &dropped);
        let key = open(&peer, id);
        peer.answer(key, Answer::Reply(RecordBuilder::reply::<Blob, Bytes>(key.id(), &body).unwrap()));
    };
    answer(1);
    peer.with(Session::shed);
    assert_eq!(dropped.load(Ordering::Relaxed), 1);
    answer(2);
    peer.with(Session::handle_disconnected);
    assert_eq!(dropped.load(Ordering::Relaxed), 2);
}

/// A message with an item of the stream of the client's call 1, which is attached.
fn attached_item(users: Bytes) -> Batch {
    Batch::attach(Bytes::from_static(&[1, 0x94, 5, 1, 0xc4, 0, 0x91, 0]), vec![users])
        .expect("a place for it")
}

#[tokio::test]
async fn what_a_handler_never_reads_is_not_dropped_under_the_lock() {
    let core = &mut core(|_| ());
    receive(core, b"a", &[]);
    let (peer, dropped) = (core.peers.of(b"a"), Arc::new(AtomicUsize::new(0)));
    let methods = Methods::new(&METHODS).expect("its methods have names of their own");
    let receive = |batch| peer.receive(Instant::now(), batch, &methods, &mut Progress::default());
    let users = || of_user(&peer, &dropped);
    let ends: [&dyn Fn(CallKey); 4] = [
        &|key| peer.answer(key, Answer::End),
        &|key| peer.fail(key, &Status::deadline_exceeded("too late")),
        &|_| cancel(&peer, 1),
        &|_| peer.with(Session::shed),
    ];
    for (end, before) in ends.iter().zip(0..) {
        let key = open(&peer, 1);
        // The handler has let go of its stream.
        drop(peer.with(|session| session.open_inbound(key, 100_000)));
        assert!(receive(attached_item(users())).is_none());
        assert_eq!(dropped.load(Ordering::Relaxed), before, "the stream keeps it");
        end(key);
        assert_eq!(dropped.load(Ordering::Relaxed), before + 1, "of end {before}");
    }
}

#[tokio::test]
async fn a_message_of_which_nothing_is_kept_is_not_dropped_under_the_lock() {
    let core = &mut core(|_| ());
    receive(core, b"a", &[]);
    let (peer, dropped) = (core.peers.of(b"a"), Arc::new(AtomicUsize::new(0)));
    let methods = Methods::new(&METHODS).expect("its methods have names of their own");
    let receive = |batch| peer.receive(Instant::now(), batch, &methods, &mut Progress::default());
    let users = || of_user(&peer, &dropped);
    assert!(receive(attached_item(users())).is_none());
    assert_eq!(dropped.load(Ordering::Relaxed), 1, "of a call that is over");
    let refused = [&[1, 0x98, 1, 1, 0xa5], &b"t.X/y"[..], &[0xc4, 0, 0, 0x80, 0, 0x91, 0]].concat();
    assert!(receive(Batch::attach(refused.into(), vec![users()]).expect("a place for it")).is_none());
    assert_eq!(dropped.load(Ordering::Relaxed), 2, "of a call that was turned away");
    peer.with(|session| session.handle_message(Instant::now().into_std(), attached_item(users())));
    peer.with(Session::handle_disconnected);
    assert_eq!(dropped.load(Ordering::Relaxed), 3, "of a client that is gone");
}
