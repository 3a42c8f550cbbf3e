//! [`OverlapPermit`]: permission to run for calls of a method that does not run twice at a time. The later call waits,
//! replaces the earlier one, or is not made, as [`crate::Overlap`] says. Calls of other methods need no permit.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker, ready};

use tokio::runtime::Handle;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

use super::connection::Connection;
use crate::clock::Timer;
use crate::method::{Method, Overlap};
use crate::session::Deadline;
use crate::status::{Cause, Status};

/// The methods of a channel that do not run twice at a time, by name. Bounded by the number of methods.
#[derive(Debug, Default)]
pub(crate) struct Overlaps(Mutex<HashMap<&'static str, Arc<Lane>>>);

/// The calls of one method.
#[derive(Debug)]
struct Lane {
    /// Lets one call run at a time, in the order in which they came.
    one: Arc<Semaphore>,
    /// The newest call of a method whose calls replace each other.
    latest: Mutex<Weak<Running>>,
}

/// The permit of one call, or its wait for one. Dropping this lets the next call run.
pub(crate) enum OverlapPermit {
    /// Another call runs.
    Waiting(Waiting),
    /// This call runs alone.
    Alone { _permit: OwnedSemaphorePermit },
    /// This call runs until another replaces it.
    Latest(Arc<Running>),
}

type Permit = Pin<Box<dyn Future<Output = Result<OwnedSemaphorePermit, AcquireError>> + Send + Sync>>;

/// The wait for the permit, within the call's deadline.
pub(crate) struct Waiting {
    permit: Permit,
    deadline: Option<(Deadline, Timer)>,
}

/// A call that may be replaced.
#[derive(Debug)]
pub(crate) struct Running(Mutex<Stage>);

#[derive(Debug)]
enum Stage {
    /// The call was not sent yet, or is about to be sent again. Holds the task to wake.
    Starting(Option<Waker>),
    InFlight(Arc<Connection>, u32),
    Replaced,
}

impl Overlaps {
    fn lane(&self, method: &Method) -> Arc<Lane> {
        // Nothing panics while the lock is held but for lack of memory.
        let mut lanes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lane = lanes.entry(method.name()).or_insert_with(|| {
            Arc::new(Lane { one: Arc::new(Semaphore::new(1)), latest: Mutex::new(Weak::new()) })
        });
        Arc::clone(lane)
    }

    /// Begins a call. Returns `None` if calls of the method may overlap.
    ///
    /// # Errors
    /// Another call of the method runs, and this one is not to be made.
    #[inline]
    pub(crate) fn begin(
        &self,
        method: &Method,
        deadline: Option<Deadline>,
        runtime: Option<&Handle>,
    ) -> Result<Option<Box<OverlapPermit>>, Status> {
        let permit = match method.overlap() {
            Overlap::Parallel => return Ok(None),
            Overlap::Queue => {
                let permit = Box::pin(Arc::clone(&self.lane(method).one).acquire_owned());
                let deadline = deadline.map(|deadline| (deadline, Timer::until(deadline.at, runtime)));
                OverlapPermit::Waiting(Waiting { permit, deadline })
            }
            Overlap::Ignore => match Arc::clone(&self.lane(method).one).try_acquire_owned() {
                Ok(permit) => OverlapPermit::Alone { _permit: permit },
                Err(_) => return Err(ignored(method)),
            },
            Overlap::Replace => OverlapPermit::Latest(self.lane(method).replace(method)),
        };
        Ok(Some(Box::new(permit)))
    }
}

fn ignored(method: &Method) -> Status {
    let what = format!("an earlier call of `{}` still runs", method.name());
    Status::aborted(what).caused_by(Cause::Overlap).not_sent()
}

fn replaced(method: &str) -> Status {
    Status::cancelled(format!("replaced by a newer call of `{method}`")).caused_by(Cause::Overlap)
}

impl Lane {
    /// Puts a new call in the place of the one before.
    fn replace(&self, method: &Method) -> Arc<Running> {
        let new = Arc::new(Running(Mutex::new(Stage::Starting(None))));
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *latest, Arc::downgrade(&new));
        drop(latest);
        if let Some(before) = before.upgrade() {
            before.set_replaced(method.name());
        }
        new
    }
}

impl Running {
    fn lock(&self) -> MutexGuard<'_, Stage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the call, since a newer one replaces it.
    fn set_replaced(&self, method: &str) {
        // No task is woken, and no other lock taken, under this one.
        let stage = std::mem::replace(&mut *self.lock(), Stage::Replaced);
        match stage {
            Stage::Starting(waker) => waker.into_iter().for_each(Waker::wake),
            Stage::InFlight(connection, id) => {
                connection.cancel_call(id, replaced(method).maybe_executed());
            }
            Stage::Replaced => {}
        }
    }
}

impl OverlapPermit {
    /// Waits until the call may be sent.
    ///
    /// # Errors
    /// The deadline has passed, or a newer call has replaced this one.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>, method: &str) -> Poll<Result<(), Status>> {
        match self {
            Self::Alone { .. } => Poll::Ready(Ok(())),
            Self::Latest(running) => {
                let mut stage = running.lock();
                if matches!(*stage, Stage::Replaced) {
                    return Poll::Ready(Err(replaced(method).not_sent()));
                }
                *stage = Stage::Starting(Some(context.waker().clone()));
                Poll::Ready(Ok(()))
            }
            Self::Waiting(waiting) => {
                let permit = ready!(waiting.poll(context, method))?;
                *self = Self::Alone { _permit: permit };
                Poll::Ready(Ok(()))
            }
        }
    }

    /// Records that the call was sent, so that a newer one can cancel it.
    pub(crate) fn sent(&self, connection: &Arc<Connection>, id: u32, method: &str) {
        let Self::Latest(running) = self else { return };
        let mut stage = running.lock();
        let late = matches!(*stage, Stage::Replaced);
        if !late {
            *stage = Stage::InFlight(Arc::clone(connection), id);
        }
        drop(stage);
        if late {
            connection.cancel_call(id, replaced(method).maybe_executed());
        }
    }
}

impl Waiting {
    fn poll(
        &mut self,
        context: &mut Context<'_>,
        method: &str,
    ) -> Poll<Result<OwnedSemaphorePermit, Status>> {
        if let Poll::Ready(permit) = self.permit.as_mut().poll(context) {
            // The semaphore is never closed.
            return Poll::Ready(
                permit.map_err(|_| Status::internal("the queue of calls was closed").not_sent()),
            );
        }
        if let Some((deadline, sleep)) = &mut self.deadline {
            ready!(sleep.poll(context))?;
            let what = format!("an earlier call of `{method}` was not done within {:?}", deadline.after);
            return Poll::Ready(Err(Status::deadline_exceeded(what).caused_by(Cause::Deadline).not_sent()));
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::stream;

    use super::*;
    use crate::codec::Plain;
    use crate::method::MethodKind;
    use crate::middleware::{ClientMiddleware, ClientNext, ClientRequest, Response};
    use crate::status::Code;
    use crate::testing::TestServer;
    use crate::{Channel, Server};

    /// Methods that no server has, so that every call ends at once, with `unimplemented` unless it is one-way.
    const METHODS: [Method; 4] = [
        Method::new("t.Turns/unary", MethodKind::Unary).overlapping(Overlap::Queue),
        Method::new("t.Turns/upload", MethodKind::ClientStream).overlapping(Overlap::Queue),
        Method::new("t.Turns/one_way", MethodKind::OneWay).overlapping(Overlap::Queue),
        Method::new("t.Turns/ignored", MethodKind::Unary).overlapping(Overlap::Ignore),
    ];

    struct Handing;

    impl ClientMiddleware for Handing {
        async fn handle(&self, request: ClientRequest, mut next: ClientNext<'_>) -> Response {
            next.run(request).await
        }
    }

    /// Awaits calls of each kind which stay where they are when they are done.
    async fn call_twice(channel: &Channel) {
        let unary = |method| channel.unary::<Plain, (), Status>(method, &());
        let upload =
            || channel.client_stream::<Plain, _, u8, Plain, (), Status>(&METHODS[1], &(), stream::pending());
        let notes = [channel.one_way(&METHODS[2], &()), channel.one_way(&METHODS[2], &())];
        for mut note in notes.map(Box::pin) {
            note.as_mut().await.unwrap();
            assert_eq!(note.as_mut().await.unwrap_err().code(), Code::Internal, "it was awaited again");
        }
        let (mut first, mut second) = (pin!(upload()), pin!(upload()));
        for upload in [&mut first, &mut second] {
            assert_eq!(upload.as_mut().await.unwrap_err().code(), Code::Unimplemented);
        }
        for method in [&METHODS[0], &METHODS[3]] {
            let (mut first, mut second) = (pin!(unary(method)), pin!(unary(method)));
            for unary in [&mut first, &mut second] {
                assert_eq!(unary.as_mut().await.unwrap_err().code(), Code::Unimplemented);
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_permit_is_released_when_its_call_ends_and_not_only_when_the_future_is_dropped() {
        let server = TestServer::start(Server::builder()).unwrap();
        let channel = || Channel::builder().endpoint(server.endpoint());
        call_twice(&channel().connect().await.unwrap()).await;
        call_twice(&channel().middleware(Handing).connect().await.unwrap()).await;
    }
}
