//! Calls of a method that does not run twice at a time: the later one waits, takes the place of the earlier, or is not
//! made. What the words mean is in [`crate::Overlap`].
//!
//! Nothing here is touched by calls of other methods.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker, ready};

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep_until};

use super::connection::Connection;
use super::deadline::Deadline;
use crate::method::{Method, Overlap};
use crate::status::{Cause, Status};

/// The methods of a channel that do not run twice at a time, by their names. No more of them than there are methods.
#[derive(Debug, Default)]
pub(super) struct Overlaps(Mutex<HashMap<&'static str, Arc<Lane>>>);

/// What is known of one method.
#[derive(Debug)]
struct Lane {
    /// For one call at a time, in the order in which they came.
    one: Arc<Semaphore>,
    /// The call that came last, where it replaces the one before.
    latest: Mutex<Weak<Running>>,
}

/// A call on its way to its turn, or having it. Dropped, the next has its turn.
pub(super) enum Turn {
    /// Another call runs.
    Waiting(Waiting),
    /// It is this call's turn, and nobody else's.
    Alone { _permit: OwnedSemaphorePermit },
    /// It is this call's turn until another replaces it.
    Latest(Arc<Running>),
}

type Permit = Pin<Box<dyn Future<Output = Result<OwnedSemaphorePermit, AcquireError>> + Send + Sync>>;

/// What a call that waits for its turn waits for.
pub(super) struct Waiting {
    permit: Permit,
    deadline: Option<(Deadline, Pin<Box<Sleep>>)>,
}

/// A call that may be replaced.
#[derive(Debug)]
pub(super) struct Running(Mutex<Stage>);

#[derive(Debug)]
enum Stage {
    /// It was not sent yet, or is to be sent again. Whom to wake.
    Starting(Option<Waker>),
    InFlight(Arc<Connection>, u32),
    Replaced,
}

impl Overlaps {
    fn lane(&self, method: &Method) -> Arc<Lane> {
        // Nothing panics while it holds the lock but for lack of memory.
        let mut lanes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lane = lanes.entry(method.name()).or_insert_with(|| {
            Arc::new(Lane { one: Arc::new(Semaphore::new(1)), latest: Mutex::new(Weak::new()) })
        });
        Arc::clone(lane)
    }

    /// A call begins. `None` where calls of the method do not mind each other.
    ///
    /// # Errors
    /// Another call of the method runs, and this one is not to be made.
    pub(super) fn begin(
        &self,
        method: &Method,
        deadline: Option<Deadline>,
    ) -> Result<Option<Box<Turn>>, Status> {
        let turn = match method.overlap() {
            Overlap::Parallel => return Ok(None),
            Overlap::Queue => {
                let permit = Box::pin(Arc::clone(&self.lane(method).one).acquire_owned());
                let deadline = deadline.map(|deadline| (deadline, Box::pin(sleep_until(deadline.at))));
                Turn::Waiting(Waiting { permit, deadline })
            }
            Overlap::Ignore => match Arc::clone(&self.lane(method).one).try_acquire_owned() {
                Ok(permit) => Turn::Alone { _permit: permit },
                Err(_) => return Err(ignored(method)),
            },
            Overlap::Replace => Turn::Latest(self.lane(method).replace(method)),
        };
        Ok(Some(Box::new(turn)))
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
    /// Puts a new call into the place of the one before.
    fn replace(&self, method: &Method) -> Arc<Running> {
        let new = Arc::new(Running(Mutex::new(Stage::Starting(None))));
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *latest, Arc::downgrade(&new));
        drop(latest);
        if let Some(before) = before.upgrade() {
            before.be_replaced(method.name());
        }
        new
    }
}

impl Running {
    fn lock(&self) -> MutexGuard<'_, Stage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn be_replaced(&self, method: &str) {
        // Nobody is woken, and no other lock taken, under this one.
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

impl Turn {
    /// Waits until the call may be sent.
    ///
    /// # Errors
    /// It took too long, or another call has taken its place.
    pub(super) fn poll(&mut self, context: &mut Context<'_>, method: &str) -> Poll<Result<(), Status>> {
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

    /// The call was sent.
    pub(super) fn sent(&self, connection: &Arc<Connection>, id: u32, method: &str) {
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
            // Nobody closes the semaphore; if somebody did, no call could ever have its turn.
            return Poll::Ready(permit.map_err(|_| Status::internal("the line was closed").not_sent()));
        }
        if let Some((deadline, sleep)) = &mut self.deadline {
            ready!(sleep.as_mut().poll(context));
            let what = format!("an earlier call of `{method}` was not done within {:?}", deadline.after);
            return Poll::Ready(Err(Status::deadline_exceeded(what).caused_by(Cause::Deadline).not_sent()));
        }
        Poll::Pending
    }
}
