//! [`Items`]: what each call of a benchmark sends as its stream.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use zsvc::dynamic::RawValue;

/// The items that each call sends: some that were read before, one after the other, from the first again after the last.
#[derive(Debug)]
pub(crate) struct Items {
    values: Arc<[RawValue]>,
    per_call: u64,
    /// Number of items that all calls have taken to be sent.
    sent: Arc<AtomicU64>,
}

impl Items {
    pub(crate) fn new(values: Arc<[RawValue]>, per_call: u64) -> Self {
        Self { values, per_call, sent: Arc::default() }
    }

    /// Returns the number of items of one call.
    pub(crate) fn per_call(&self) -> u64 {
        self.per_call
    }

    /// Returns the number of items that all calls have taken to be sent.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Returns the stream of one call.
    pub(crate) fn stream(&self) -> OneStream {
        OneStream {
            values: Arc::clone(&self.values),
            taken: 0,
            length: self.per_call,
            sent: Arc::clone(&self.sent),
        }
    }
}

/// The stream of one call, whose items are there at once.
pub(crate) struct OneStream {
    values: Arc<[RawValue]>,
    taken: u64,
    length: u64,
    sent: Arc<AtomicU64>,
}

impl zsvc::Stream for OneStream {
    type Item = RawValue;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<RawValue>> {
        if self.taken >= self.length {
            return Poll::Ready(None);
        }
        // Without any value, there is none to send.
        let next = self.taken.checked_rem(self.values.len() as u64).unwrap_or(0);
        let item = usize::try_from(next).ok().and_then(|next| self.values.get(next).cloned());
        self.taken += 1;
        self.sent.fetch_add(u64::from(item.is_some()), Ordering::Relaxed);
        Poll::Ready(item)
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;
    use zsvc::Stream as _;

    /// Returns the first bytes of the items of one call.
    fn taken(items: &Items) -> Vec<u8> {
        let (mut stream, mut all) = (pin!(items.stream()), Vec::new());
        let mut context = Context::from_waker(std::task::Waker::noop());
        while let Poll::Ready(Some(item)) = stream.as_mut().poll_next(&mut context) {
            all.push(item.into_bytes()[0]);
        }
        all
    }

    #[test]
    fn each_call_sends_the_items_from_the_first_on_in_turns() {
        let values = [1, 2, 3].map(|byte| RawValue::new(vec![byte].into()));
        let items = Items::new(values.into(), 5);
        assert_eq!((taken(&items), taken(&items)), (vec![1, 2, 3, 1, 2], vec![1, 2, 3, 1, 2]));
        assert_eq!(items.sent(), 10);
        let none = Items::new(Arc::default(), 5);
        assert_eq!((taken(&none), none.sent()), (vec![], 0));
    }
}
