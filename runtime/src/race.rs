//! [`race`]: two futures, of which one is of interest once the other is not done before it.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;

/// Returns the output of the first future, or `None` if the second is done before it. The first is polled first.
///
/// # Cancel safety
/// As that of both futures; the one that was not done is dropped, if it was handed in by value.
pub(crate) async fn race<F: Future + Unpin>(mut first: F, second: impl Future) -> Option<F::Output> {
    let mut second = pin!(second);
    poll_fn(|context| match Pin::new(&mut first).poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => second.as_mut().poll(context).map(|_| None),
    })
    .await
}
