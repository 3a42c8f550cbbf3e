//! [`Apart`]: a handler that is begun in a task of its own, since it may keep its thread.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::dispatcher::HandlerLayer;
use super::handler::{Handler, PendingAnswer, run};
use super::handling::{Handling, Work};
use super::incoming::{Incoming, Service};
use super::promptness::Promptness;
use crate::session::server::Answer;
use crate::status::{Cause, Status};

/// What it takes to begin a handler.
pub(super) struct Apart {
    pub(super) service: Arc<dyn Service>,
    pub(super) layer: Option<Arc<dyn HandlerLayer>>,
    /// Index of the method among those of the service.
    pub(super) method: usize,
    pub(super) promptness: Arc<Promptness>,
    pub(super) answer: PendingAnswer,
}

impl Apart {
    /// Reads the parameters of a call, and runs its handler until it completes or its deadline passes.
    pub(super) async fn run(mut self, call: Incoming) {
        let (began, deadline) = (Instant::now(), call.deadline());
        // The task may have waited for a thread.
        if deadline.is_some_and(|at| at <= began) {
            return self.answer.turn_away(late());
        }
        let handling = match self.layer {
            None => Handling::by(&*self.service, self.method, call),
            Some(layer) => layer.surround(self.service, self.method, call),
        };
        match handling.begin() {
            Err(why) => {
                self.promptness.took(began.elapsed());
                self.answer.turn_away(why);
            }
            Ok(work) => {
                let work = Box::pin(FirstPoll { work, timing: Some((began, self.promptness)) });
                run(Handler::new(work, deadline, self.answer)).await;
            }
        }
    }
}

/// Returns the status of a call whose time was up before its handler began.
pub(super) fn late() -> Status {
    let why = Status::deadline_exceeded("the deadline passed while the call waited to run");
    why.caused_by(Cause::Deadline).not_sent()
}

/// A handler whose first poll is timed, from a time on.
struct FirstPoll {
    work: Work,
    timing: Option<(Instant, Arc<Promptness>)>,
}

impl Future for FirstPoll {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Answer> {
        let polled = self.work.as_mut().poll(context);
        if let Some((began, promptness)) = self.timing.take() {
            promptness.took(began.elapsed());
        }
        polled
    }
}

/// Runs a handler on one of tokio's threads for code that blocks. If this is dropped, the handler is not begun, or is dropped where
/// it next waits. Must be called within a tokio runtime.
pub(super) async fn on_blocking_thread(handler: impl Future<Output = ()> + Send + 'static) {
    let (kept, dropped) = oneshot::channel::<()>();
    let runtime = Handle::current();
    let thread = tokio::task::spawn_blocking(move || {
        let _entered = runtime.enter();
        block_on(unless_dropped(handler, dropped));
    });
    // Its panics are caught where it is polled.
    let _ = thread.await;
    drop(kept);
}

async fn unless_dropped(handler: impl Future<Output = ()>, dropped: oneshot::Receiver<()>) {
    let (mut handler, mut dropped) = (pin!(handler), pin!(dropped));
    poll_fn(|context| {
        if dropped.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        handler.as_mut().poll(context)
    })
    .await;
}

/// Runs a future on this thread. Unlike tokio's function, it lets the future's code call tokio's.
fn block_on(future: impl Future<Output = ()>) {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let (mut future, mut context) = (pin!(future), Context::from_waker(&waker));
    while future.as_mut().poll(&mut context).is_pending() {
        thread::park();
    }
}
