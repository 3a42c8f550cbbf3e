//! Credit that the server has granted and that streams do not have yet. Credit is the server's to give, and it may give
//! any number of bytes and then read none: it bounds nothing here. So a stream whose items find no room in the outbox
//! has its credit taken back until there is room, and its sender waits.

use std::sync::Arc;

use super::sending::MAX_WAITING_BYTES;
use super::session::Session;
use crate::flow::OutboundStream;

/// Size in bytes of the outbox below which streams have credit again: there is room for more than one message then.
/// They lose it at [`MAX_WAITING_BYTES`]; each may then add what it has gathered, and one item.
const GIVE_BACK_BELOW_BYTES: usize = MAX_WAITING_BYTES / 2;

impl Session {
    /// Takes credit for the client's stream of a call.
    pub(super) fn credit(&mut self, id: u32, bytes: u64) {
        let Some(outbound) = self.calls.get(id).and_then(|call| call.streams.outbound.as_ref()) else {
            return;
        };
        if self.outbox.len() < MAX_WAITING_BYTES {
            self.wakers.extend(outbound.grant(bytes));
        } else {
            self.withhold(id, bytes);
        }
    }

    /// Takes a stream's credit back if there is no room for its items.
    #[inline]
    pub(super) fn check_room_for_items(&mut self, id: u32, stream: &Arc<OutboundStream>) {
        if self.outbox.len() >= MAX_WAITING_BYTES {
            self.withhold(id, stream.take_back_credit());
        }
    }

    /// Forgets the credit of a call that has ended: its id may be another's later.
    #[inline]
    pub(super) fn forget_withheld(&mut self, id: u32) {
        if !self.withheld.is_empty() {
            self.withheld.remove(&id);
        }
    }

    #[cold]
    fn withhold(&mut self, id: u32, bytes: u64) {
        let withheld = self.withheld.entry(id).or_default();
        *withheld = withheld.saturating_add(bytes);
    }

    /// Gives streams their credit if there is room for their items.
    #[inline]
    pub(super) fn give_back_credit(&mut self) {
        if !self.withheld.is_empty() && self.outbox.len() < GIVE_BACK_BELOW_BYTES {
            self.give_back_all();
        }
    }

    #[cold]
    fn give_back_all(&mut self) {
        for (id, bytes) in self.withheld.drain() {
            if let Some(outbound) = self.calls.get(id).and_then(|call| call.streams.outbound.as_ref()) {
                self.wakers.extend(outbound.grant(bytes));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};
    use std::time::Instant;

    use bytes::Bytes;

    use super::super::tests::{begin_stream, receive, session, woken};
    use super::*;
    use crate::codec::Blob;
    use crate::flow::Pushed;
    use crate::wire::{INITIAL_CREDIT, Item, ItemHead};

    /// Sends items of 10,000 bytes for as long as the stream takes them. Returns their number.
    fn send_all(session: &mut Session, id: u32, stream: &Arc<OutboundStream>) -> usize {
        let (id, value) = (u64::from(id), Bytes::from(vec![7; 10_000]));
        for sent in 0..10_000 {
            let item = Item::encode::<Blob, Bytes>(&ItemHead::new(id), &value).unwrap();
            match stream.poll_push(&Context::from_waker(Waker::noop()), &mut Some(item)) {
                Poll::Ready(Ok(Pushed::Flush(item))) => assert!(session.flush(id, stream, item).is_ok()),
                Poll::Pending => return sent,
                other @ Poll::Ready(_) => panic!("{other:?}"),
            }
        }
        panic!("there is no end to what waits")
    }

    #[test]
    fn a_server_that_grants_credit_and_does_not_read_makes_senders_wait() {
        let (mut session, now) = (session(), Instant::now());
        let stream = Arc::new(OutboundStream::new(INITIAL_CREDIT));
        let id = begin_stream(&mut session, Arc::clone(&stream), now);
        // As much credit as there can be, and once more.
        let credit = [&[1][..], &[0x93, 7, 1, 0xcf], &[0x7f; 8], &[0x93, 7, 1, 0xcf], &[0x7f; 8]].concat();
        receive(&mut session, &credit, now);
        let sent = send_all(&mut session, id, &stream);
        assert!((400..450).contains(&sent), "{sent}");
        receive(&mut session, &credit, now);
        assert_eq!(send_all(&mut session, id, &stream), 0, "more credit is no room");
        woken(&mut session);

        let mut left = 0;
        while session.outbox.len() >= GIVE_BACK_BELOW_BYTES {
            assert_eq!(woken(&mut session), 0);
            left += session.poll_transmit().expect("it waits").len();
        }
        assert!(left > GIVE_BACK_BELOW_BYTES - 200_000 && session.withheld.is_empty());
        assert_ne!(woken(&mut session), 0, "the sender");
        assert!(send_all(&mut session, id, &stream) > 200);
        assert!(session.outbox.len() < MAX_WAITING_BYTES + 20_000);
    }

    #[test]
    fn nothing_is_kept_of_a_call_that_has_ended() {
        let (mut session, now) = (session(), Instant::now());
        let stream = Arc::new(OutboundStream::new(u64::from(u32::MAX)));
        let id = begin_stream(&mut session, Arc::clone(&stream), now);
        send_all(&mut session, id, &stream);
        assert!(!session.withheld.is_empty());
        session.abandon(id, "given up");
        assert!(session.withheld.is_empty());
    }
}
