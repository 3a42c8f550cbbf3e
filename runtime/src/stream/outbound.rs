//! The sending half of a stream: the credit that it has, those who wait for more, and small items on their way out.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::time::Instant;

use super::Outgoing;
use crate::bell::{OVERDUE, give_way};
use crate::status::Status;
use crate::wire::{Item, Outbox};

/// The sending half of a stream, between [`super::Sink`] and the socket's owner, which hears of credit and comes for items.
///
/// Small items gather here, so that each takes this lock, for which hardly anyone contends, and not that of its peer. Whoever
/// takes both takes that of the peer first.
#[derive(Debug)]
pub(crate) struct Outbound {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The bytes that may still be sent.
    credit: i64,
    /// The bytes that were.
    sent: u64,
    /// The call is over, and why nothing can be sent any more.
    closed: Option<Status>,
    /// Everyone who waits for credit.
    wakers: Vec<Waker>,
    /// Items that the owner has not come for, laid end to end.
    items: Vec<u8>,
    /// Since when the owner has known that it is to come for items, or since when a sender has given way to it.
    announced: Option<Instant>,
    /// How many items were sent since then.
    count: u32,
    /// A sender has given way, and was not asked again: nobody sends before it.
    giving_way: bool,
}

/// An item on its way into a stream.
#[derive(Debug)]
pub(crate) struct Unsent {
    item: Item,
    /// It has given way to the owner.
    gave_way: bool,
}

impl Unsent {
    pub(crate) fn new(item: Item) -> Self {
        Self { item, gave_way: false }
    }
}

/// So many bytes of items don't wait for the owner to come for them.
const FULL: usize = 4 * 1024;
/// Room for the first of them.
const FIRST: usize = 256;
/// Items of more bytes than this don't gather.
const SMALL: usize = 1024;
/// After so many items, or fewer, the clock is looked at.
const LOOK: u32 = 64;

/// What is to be done once a small item was taken.
#[derive(Debug, PartialEq, Eq)]
enum Taken {
    /// Nothing: the owner knows.
    Well,
    /// It is the first: the owner is to know.
    First,
    /// There are enough for a record.
    Full,
}

impl Outbound {
    /// A stream with so many bytes of credit.
    pub(crate) fn new(credit: u64) -> Self {
        Self {
            state: Mutex::new(State {
                credit: i64::try_from(credit).unwrap_or(i64::MAX),
                sent: 0,
                closed: None,
                wakers: Vec::new(),
                items: Vec::new(),
                announced: None,
                count: 0,
                giving_way: false,
            }),
        }
    }

    #[inline]
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics while it holds the lock; the state is whole in any case.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bytes for which credit was taken so far.
    pub(crate) fn sent(&self) -> u64 {
        self.lock().sent
    }

    /// The receiver can take so many bytes more. Whom to wake once no lock is held.
    #[must_use]
    pub(crate) fn grant(&self, bytes: u64) -> Vec<Waker> {
        let mut state = self.lock();
        state.credit = state.credit.saturating_add_unsigned(bytes);
        std::mem::take(&mut state.wakers)
    }

    /// Nothing can be sent any more, and what the owner has not come for never will be. Only the first call counts. Whom to
    /// wake once no lock is held.
    #[must_use]
    pub(crate) fn close(&self, why: Status) -> Vec<Waker> {
        let mut state = self.lock();
        state.closed.get_or_insert(why);
        state.items = Vec::new();
        std::mem::take(&mut state.wakers)
    }

    /// Sends an item as soon as there is credit for it. Not to be asked again then.
    ///
    /// # Errors
    /// The call is over.
    #[inline]
    pub(crate) fn poll_send(
        self: &Arc<Self>,
        context: &Context<'_>,
        outgoing: &dyn Outgoing,
        id: u64,
        unsent: &mut Option<Unsent>,
    ) -> Poll<Result<(), Status>> {
        let Some(next) = unsent else { return Poll::Ready(Ok(())) };
        let mut state = self.lock();
        if let Some(why) = &state.closed {
            return Poll::Ready(Err(why.clone()));
        }
        if state.gives_way(&mut next.gave_way) {
            drop(state);
            outgoing.hurry();
            give_way(context);
            return Poll::Pending;
        }
        if !state.has_credit(context) {
            return Poll::Pending;
        }
        let Some(Unsent { item, .. }) = unsent.take() else { return Poll::Ready(Ok(())) };
        state.take_credit(item.len());
        if item.len() > SMALL {
            drop(state);
            outgoing.flush(id, self, Some(item));
            return Poll::Ready(Ok(()));
        }
        let taken = state.take(item.body());
        drop(state);
        item.recycle();
        match taken {
            Taken::Well => {}
            Taken::First => outgoing.announce(id, self),
            Taken::Full => outgoing.flush(id, self, None),
        }
        Poll::Ready(Ok(()))
    }

    /// Hands out what has gathered, for a sender that has more. `true`: the owner is to be told that it is to come.
    pub(super) fn flush(&self, take: impl FnOnce(&[u8])) -> bool {
        let state = &mut *self.lock();
        state.hand_out(take);
        state.announce()
    }

    /// Queues what has gathered in the stream of this call, for the owner, who knows of nothing more then.
    pub(crate) fn collect(&self, outbox: &mut Outbox, id: u64) {
        let state = &mut *self.lock();
        state.announced = None;
        state.hand_out(|items| outbox.push_items(id, items));
    }
}

impl State {
    /// Whether there is credit; if not, the caller hears when there is some.
    #[inline]
    fn has_credit(&mut self, context: &Context<'_>) -> bool {
        if self.credit > 0 {
            return true;
        }
        if !self.wakers.iter().any(|waker| waker.will_wake(context.waker())) {
            self.wakers.push(context.waker().clone());
        }
        false
    }

    #[inline]
    fn take_credit(&mut self, bytes: usize) {
        self.credit = self.credit.saturating_sub_unsigned(bytes as u64);
        self.sent += bytes as u64;
        self.count = self.count.wrapping_add(1);
    }

    #[inline]
    fn take(&mut self, item: &[u8]) -> Taken {
        if self.items.capacity() == 0 {
            self.items.reserve(FIRST);
        }
        self.items.extend_from_slice(item);
        if self.items.len() >= FULL {
            Taken::Full
        } else if self.announce() {
            Taken::First
        } else {
            Taken::Well
        }
    }

    /// The buffer stays, for what comes next: it is a small one, and another thread than the sender's would give it back.
    #[inline]
    fn hand_out(&mut self, take: impl FnOnce(&[u8])) {
        if !self.items.is_empty() {
            take(&self.items);
            self.items.clear();
        }
    }

    /// The owner is told now, if it does not know. Whether it did not.
    #[inline]
    fn announce(&mut self) -> bool {
        let first = self.announced.is_none();
        if first {
            (self.announced, self.count) = (Some(Instant::now()), 1);
        }
        first
    }

    /// Whether a sender is to give way: the owner's visit is overdue, or another has given way that is to send before this one.
    #[inline]
    fn gives_way(&mut self, gave_way: &mut bool) -> bool {
        if *gave_way {
            self.giving_way = false;
            return false;
        }
        let look = self.count.is_power_of_two() || self.count.is_multiple_of(LOOK);
        if look && self.announced.is_some_and(|since| since.elapsed() >= OVERDUE) {
            // Again after as long, if it has not come by then.
            (self.announced, self.count) = (Some(Instant::now()), 1);
            self.giving_way = true;
        }
        *gave_way = self.giving_way;
        *gave_way
    }
}

#[cfg(test)]
impl Outbound {
    /// A stream in which these have gathered.
    pub(super) fn with_items(items: &[u8]) -> Self {
        let this = Self::new(0);
        this.lock().items.extend_from_slice(items);
        this
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::codec::{Blob, Form, Plain};
    use crate::wire::ItemHead;

    /// What an owner was told.
    #[derive(Default)]
    struct Told(Mutex<Vec<String>>);

    impl Told {
        fn tell(&self, what: impl Into<String>) {
            self.0.lock().unwrap().push(what.into());
        }

        fn all(&self) -> Vec<String> {
            std::mem::take(&mut *self.0.lock().unwrap())
        }
    }

    impl Outgoing for Told {
        fn record(&self, _: &mut dyn FnMut(&mut Vec<u8>)) {}

        fn announce(&self, _: u64, _: &Arc<Outbound>) {
            self.tell("announced");
        }

        fn flush(&self, _: u64, outbound: &Arc<Outbound>, last: Option<Item>) {
            let mut gathered = 0;
            let first = outbound.flush(|items| gathered = items.len());
            self.tell(format!(
                "first: {first}, gathered: {gathered}, last: {:?}",
                last.map(|item| item.len())
            ));
        }

        fn hurry(&self) {
            self.tell("hurry");
        }

        fn finish(&self, _: u64, _: &Outbound) {}

        fn abandon(&self, _: u64) {}

        fn max_body(&self) -> usize {
            usize::MAX
        }
    }

    fn unsent<F: Form<T>, T>(value: &T) -> Unsent {
        Unsent::new(Item::encode::<F, T>(&ItemHead::new(1), value).unwrap())
    }

    fn poll(outbound: &Arc<Outbound>, told: &Told, unsent: &mut Option<Unsent>) -> Poll<Result<(), Status>> {
        outbound.poll_send(&Context::from_waker(Waker::noop()), told, 1, unsent)
    }

    fn send<F: Form<T>, T>(outbound: &Arc<Outbound>, told: &Told, value: &T) {
        assert_eq!(poll(outbound, told, &mut Some(unsent::<F, T>(value))), Poll::Ready(Ok(())));
    }

    /// What the owner finds.
    fn collected(outbound: &Outbound) -> Vec<u8> {
        let mut outbox = Outbox::default();
        outbound.collect(&mut outbox, 1);
        // Version, array, kind, id, and the header of a `bin 32`.
        outbox.take().map_or_else(Vec::new, |message| message.batch()[9..].to_vec())
    }

    fn stream() -> (Arc<Outbound>, Told) {
        (Arc::new(Outbound::new(1_000_000)), Told::default())
    }

    #[tokio::test(start_paused = true)]
    async fn the_owner_is_told_once_and_comes_for_what_has_gathered() {
        let (outbound, told) = stream();
        for _ in 0..2 {
            (0..3).for_each(|_| send::<Plain, u64>(&outbound, &told, &7));
            assert_eq!(told.all(), ["announced"]);
            assert_eq!(collected(&outbound), [7, 7, 7]);
        }
        assert!(collected(&outbound).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn many_small_items_and_larger_ones_are_queued_at_once_and_in_order() {
        let (outbound, told) = stream();
        let (small, larger) = (Bytes::from(vec![7; 510]), Bytes::from(vec![7; 2_000]));
        (0..8).for_each(|_| send::<Blob, Bytes>(&outbound, &told, &small));
        assert_eq!(told.all(), ["announced", "first: false, gathered: 4104, last: None"]);
        send::<Blob, Bytes>(&outbound, &told, &small);
        send::<Blob, Bytes>(&outbound, &told, &larger);
        assert_eq!(told.all(), ["first: false, gathered: 513, last: Some(2003)"]);
        assert!(collected(&outbound).is_empty());
        send::<Blob, Bytes>(&outbound, &told, &larger);
        assert_eq!(told.all(), ["first: true, gathered: 0, last: Some(2003)"]);
    }

    /// Also when it was fast before, and as often as it takes.
    #[tokio::test(start_paused = true)]
    async fn a_sender_that_keeps_the_owner_from_coming_has_it_hurry_and_gives_way() {
        let (outbound, told) = stream();
        for before in [1, 130, 130, 600] {
            (0..before).for_each(|_| send::<Plain, u64>(&outbound, &told, &7));
            told.all();
            let mut until_it_gives_way = 0;
            loop {
                tokio::time::advance(2 * OVERDUE).await;
                let mut next = Some(unsent::<Plain, u64>(&7));
                let gave_way = poll(&outbound, &told, &mut next).is_pending();
                assert_eq!(told.all().as_slice(), if gave_way { &["hurry"][..] } else { &[] });
                until_it_gives_way += 1;
                if gave_way {
                    assert_eq!(poll(&outbound, &told, &mut next), Poll::Ready(Ok(())), "and goes on");
                    break;
                }
            }
            assert!(until_it_gives_way <= LOOK, "{until_it_gives_way} items");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_give_way_keep_their_order() {
        let (outbound, told) = stream();
        send::<Plain, u64>(&outbound, &told, &1);
        tokio::time::advance(2 * OVERDUE).await;
        let [mut second, mut third] = [&2, &3].map(|value| Some(unsent::<Plain, u64>(value)));
        assert!(poll(&outbound, &told, &mut second).is_pending());
        assert!(poll(&outbound, &told, &mut third).is_pending());
        assert!(poll(&outbound, &told, &mut second).is_ready());
        assert!(poll(&outbound, &told, &mut third).is_ready());
        assert_eq!(collected(&outbound), [1, 2, 3]);
        // One that is given up meanwhile holds nobody up.
        send::<Plain, u64>(&outbound, &told, &4);
        tokio::time::advance(2 * OVERDUE).await;
        assert!(poll(&outbound, &told, &mut Some(unsent::<Plain, u64>(&5))).is_pending());
        let mut sixth = Some(unsent::<Plain, u64>(&6));
        assert!(poll(&outbound, &told, &mut sixth).is_pending());
        assert!(poll(&outbound, &told, &mut sixth).is_ready());
        send::<Plain, u64>(&outbound, &told, &7);
        assert_eq!(collected(&outbound), [4, 6, 7]);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_kept_for_a_call_that_is_over() {
        let (outbound, told) = stream();
        send::<Plain, u64>(&outbound, &told, &7);
        assert!(outbound.close(Status::cancelled("over")).is_empty());
        assert!(collected(&outbound).is_empty());
        let sent = poll(&outbound, &told, &mut Some(unsent::<Plain, u64>(&7)));
        assert_eq!(sent, Poll::Ready(Err(Status::cancelled("over"))));
    }
}
