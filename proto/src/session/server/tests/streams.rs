//! What streams write to a client, and take from it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use super::super::{Answer, CallKey, DropReason};
use super::{Client, call, error};
use crate::codec::Plain;
use crate::flow::{OutboundStream, Pushed};
use crate::status::{Code, Outcome, Status};
use crate::wire::{Item, ItemHead};

/// Sends an item of one byte, as a sink does. Returns whether its call goes on.
fn send(client: &mut Client, key: CallKey, stream: &Arc<OutboundStream>, item: u64) -> bool {
    let item = Item::encode::<Plain, u64>(&ItemHead::new(key.id()), &item).unwrap();
    match stream.poll_push(&Context::from_waker(Waker::noop()), &mut Some(item)) {
        Poll::Ready(Ok(Pushed::First)) => client.session.announce(key, stream),
        Poll::Ready(Ok(Pushed::Flush(item))) => client.session.flush(key, stream, item),
        Poll::Ready(Ok(Pushed::Gathered)) => {}
        Poll::Ready(Err(_)) | Poll::Pending => return false,
    }
    true
}

fn stream(client: &mut Client, id: u8) -> (CallKey, Arc<OutboundStream>) {
    let key = client.receive(&[call(id, "t.Odd/both")])[0];
    (key, client.session.open_outbound(key, 100_000))
}

#[test]
fn items_that_have_gathered_count_among_what_was_dropped() {
    let mut client = Client::new(|_| ());
    let (key, outbound) = stream(&mut client, 1);
    assert!(send(&mut client, key, &outbound, 1) && send(&mut client, key, &outbound, 2));
    client.session.close(&Status::unavailable("gone"), DropReason::ServerEnded);
    assert_eq!(client.counts().dropped(DropReason::ServerEnded), 1, "a record of both");
    assert!(!send(&mut client, key, &outbound, 3));
}

#[test]
fn a_client_that_does_not_read_small_items_gets_no_more_of_them() {
    let mut client = Client::new(|config| config.max_waiting_per_peer = Some(50));
    let ((key, outbound), other) = (stream(&mut client, 1), client.open(2));
    client.reply(other, 200);
    assert!(send(&mut client, key, &outbound, 1));
    assert!(!client.session.is_in_flight(key));
    assert!(!send(&mut client, key, &outbound, 2), "its call has failed");
    assert_eq!(client.session.take_effects().ended.len(), 1);
}

#[test]
fn items_that_have_gathered_come_before_the_end_of_their_call_and_never_in_another() {
    let client = &mut Client::new(|_| ());
    let (key, outbound) = stream(client, 1);
    assert!(send(client, key, &outbound, 1) && send(client, key, &outbound, 2));
    assert_eq!(client.told(), ["items of 1: [1, 2]"]);
    assert!(send(client, key, &outbound, 3));
    assert!(client.session.answer(key, Answer::End).is_ok());
    assert_eq!(client.told(), ["items of 1: [3]", "End { id: 1 }"]);
    assert!(!send(client, key, &outbound, 4));

    let (key, outbound) = stream(client, 1);
    assert!(send(client, key, &outbound, 5));
    client.session.fail(key, &Status::deadline_exceeded("too late"));
    assert_eq!(client.told(), ["items of 1: [5]", &*error(1, Code::DeadlineExceeded, Outcome::Executed)]);

    let (key, outbound) = stream(client, 1);
    assert!(send(client, key, &outbound, 6));
    client.cancel(1);
    let (key, outbound) = stream(client, 1);
    assert!(send(client, key, &outbound, 7));
    assert_eq!(client.told(), ["items of 1: [7]"], "those of a call that was cancelled are not sent");
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn readers_are_woken_without_the_lock_and_items_without_credit_end_their_call() {
    let mut client = Client::new(|_| ());
    let key = client.receive(&[call(1, "t.Odd/both")])[0];
    let (inbound, count) = (client.session.open_inbound(key, 2), Arc::new(Count::default()));
    let waker = Waker::from(Arc::clone(&count));
    assert!(inbound.poll_chunk(&Context::from_waker(&waker)).is_pending());
    let items = vec![0x93, 5, 1, 0xc4, 3, 1, 2, 3];
    client.receive(std::slice::from_ref(&items));
    assert_eq!(count.0.load(Ordering::Relaxed), 0, "it is woken later");
    client.session.take_effects().run();
    assert_eq!(count.0.load(Ordering::Relaxed), 1);
    client.receive(&[items]);
    assert_eq!(client.told(), [error(1, Code::ResourceExhausted, Outcome::MaybeExecuted)]);
    assert_eq!(client.session.take_effects().ended.len(), 1);
}
