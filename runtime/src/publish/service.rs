//! A [`Publisher`] as a service with one method, and the handler of a subscription.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use super::publisher::{Membership, Publisher, Shared};
use crate::context::Context;
use crate::declaration::Event;
use crate::dispatch::{Handling, Incoming, Service};
use crate::events::{EventType, Notice, TooSlow};
use crate::method::Method;
use crate::schema::ServiceSchema;
use crate::status::{Cause, Status};
use crate::stream::Sink;

/// A publisher is offered as a service whose only method is that of its event, `package.Event/subscribe`.
impl<E: Event> Service for Publisher<E> {
    fn methods(&self) -> &'static [Method] {
        self.shared().event().methods()
    }

    fn schema(&self) -> Option<&'static ServiceSchema> {
        E::schema()
    }

    fn dispatch(&self, _: usize, call: Incoming) -> Result<Handling, Status> {
        subscription(self.shared(), call, std::future::ready(Ok(())))
    }
}

/// Starts the handler of a subscription, which begins once `ready` is, and holds what that returns until it ends.
pub(super) fn subscription<G: Send + 'static>(
    shared: &Arc<Shared>,
    call: Incoming,
    ready: impl Future<Output = Result<G, Status>> + Send + 'static,
) -> Result<Handling, Status> {
    let (context, request, sink, call) = call.subscription()?;
    let event = shared.event();
    let wanted = request
        .filter
        .of(event)
        .map_err(|wrong| Status::invalid_argument(wrong.to_string()).caused_by(Cause::BadValue))?;
    let shared = Arc::clone(shared);
    call.handle(async move {
        let _held = ready.await?;
        let identity = context.identity().cloned();
        deliver(shared.join(wanted, request.since, identity)?, sink, context, event).await
    })
}

/// Sends a subscriber what waits for it, until the server drains or the subscriber does not keep up.
///
/// # Errors
/// The stream never ends well: the status says why it has ended.
async fn deliver(
    mut membership: Membership,
    sink: Sink<Notice>,
    context: Context,
    event: &'static EventType,
) -> Result<(), Status> {
    let mailbox = Arc::clone(&membership.mailbox);
    let (mut draining, begun) = (context.draining(), context.draining());
    let mut drained = pin!(draining.wait());
    let mut has_drained = false;
    loop {
        let notice = if let Some(earlier) = poll_fn(|task| membership.poll_earlier(task)).await? {
            earlier
        } else {
            let next = poll_fn(|task| match mailbox.poll_next(task) {
                Poll::Ready(next) => Poll::Ready(Some(next)),
                Poll::Pending if has_drained => Poll::Ready(None),
                Poll::Pending => drained.as_mut().poll(task).map(|()| None),
            });
            let Some(next) = next.await else { return Err(going_away()) };
            next.map_err(|TooSlow| too_slow(event))?
        };
        let notice = notice.within(sink.max_body());
        let mut send = pin!(sink.send(notice));
        let taken = poll_fn(|task| {
            if let Poll::Ready(sent) = send.as_mut().poll(task) {
                return Poll::Ready(Ok(sent));
            }
            // A subscriber without credit is no reason to gather events that come after the beginning of the drain.
            if !has_drained && drained.as_mut().poll(task).is_ready() {
                has_drained = true;
                membership.leave();
            }
            mailbox.poll_over(task).map(|TooSlow| Err(too_slow(event)))
        });
        taken.await??;
        // What waits by then is sent within the grace time, and nothing comes after it.
        if begun.has_begun() {
            membership.leave();
        }
    }
}

#[cold]
fn going_away() -> Status {
    Status::unavailable("the server is about to shut down, and the subscription with it")
}

/// Not `resource_exhausted`, which says that the same may work later: that is for the subscriber to decide.
#[cold]
fn too_slow(event: &EventType) -> Status {
    let name = event.name();
    Status::aborted(format!(
        "the subscriber did not keep up with `{name}`, whose `@slow(disconnect)` ends the subscription then; subscribe again, read \
         faster, or ask for fewer keys"
    ))
}
