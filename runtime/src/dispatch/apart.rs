//! [`Apart`]: a handler that is begun on a thread of its own, since it may keep that thread.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::oneshot::{self, Receiver};
use tokio::time::Instant;

use super::dispatcher::HandlerLayer;
use super::handler::{First, Handler, PendingAnswer, poll_once, run};
use super::handling::Handling;
use super::incoming::{Incoming, Service};
use super::promptness::Promptness;
use crate::holdup::on_a_thread_of_its_own;
use crate::status::{Cause, Status};

/// What it takes to begin a handler.
pub(super) struct Apart {
    pub(super) service: Arc<dyn Service>,
    pub(super) layer: Option<Arc<dyn HandlerLayer>>,
    /// Index of the method among those of the service.
    pub(super) method: usize,
    pub(super) answer: PendingAnswer,
}

/// A handler after its first poll, or why there is none.
type Begun = Result<First, Status>;

impl Apart {
    /// Reads the parameters of a call, and runs its handler until it completes or its deadline passes: up to where it first waits on
    /// one of tokio's threads for code that blocks, so that no worker is held up, and then in this task. `promptness` is told how long
    /// that took.
    ///
    /// If this is dropped before there is a thread, the handler is not begun.
    pub(super) async fn run_first_poll_apart(self, call: Incoming, promptness: Option<Arc<Promptness>>) {
        let Self { service, layer, method, mut answer } = self;
        let deadline = call.deadline();
        let begin_apart = move |_| {
            let since = Instant::now();
            let begun = Self::begin(service, layer, method, call);
            if let Some(promptness) = promptness {
                promptness.took(since.elapsed());
            }
            (since, begun)
        };
        let Some((since, begun)) = on_blocking_thread(begin_apart).await else {
            // The runtime shuts down, and the answer says that the call was dropped.
            return;
        };
        answer.began(since);
        match begun {
            Err(why) => answer.turn_away(why),
            Ok(First::Done(done)) => answer.set(done),
            Ok(First::Waits(work)) => run(Handler::new(work, deadline, answer)).await,
        }
    }

    /// Reads the parameters of a call, and runs its handler, all of it on one of tokio's threads for code that blocks.
    ///
    /// If this is dropped, the handler is not begun, or is dropped where it next waits.
    pub(super) async fn run_apart(self, call: Incoming) {
        on_blocking_thread(|dropped| block_on(unless_dropped(self.run(call), dropped))).await;
    }

    async fn run(mut self, call: Incoming) {
        let deadline = call.deadline();
        self.answer.began(Instant::now());
        match Self::begin(self.service, self.layer, self.method, call) {
            Err(why) => self.answer.turn_away(why),
            Ok(First::Done(done)) => self.answer.set(done),
            Ok(First::Waits(work)) => run(Handler::new(work, deadline, self.answer)).await,
        }
    }

    fn begin(
        service: Arc<dyn Service>,
        layer: Option<Arc<dyn HandlerLayer>>,
        method: usize,
        call: Incoming,
    ) -> Begun {
        let deadline = call.deadline();
        // The call may have waited for a thread.
        if deadline.is_some_and(|at| at <= Instant::now()) {
            return Err(late());
        }
        let handling = match layer {
            None => Handling::by(&*service, method, call),
            Some(layer) => layer.surround(service, method, call),
        };
        Ok(poll_once(handling.begin()?, deadline))
    }
}

/// Returns the status of a call whose time was up before its handler began.
pub(super) fn late() -> Status {
    let why = Status::deadline_exceeded("the deadline passed while the call waited to run");
    why.caused_by(Cause::Deadline).not_sent()
}

/// Runs code on one of tokio's threads for code that blocks. If this is dropped before there is a thread, the code does not run;
/// after that, the receiver is closed. Returns `None` if the runtime shuts down. Must be called within a tokio runtime.
async fn on_blocking_thread<T: Send + 'static>(
    run: impl FnOnce(Receiver<()>) -> T + Send + 'static,
) -> Option<T> {
    let (kept, mut dropped) = oneshot::channel();
    let thread = tokio::task::spawn_blocking(move || {
        let is_dropped = dropped.try_recv() == Err(TryRecvError::Closed);
        (!is_dropped).then(|| on_a_thread_of_its_own(|| run(dropped)))
    });
    // Its panics are caught where it is polled.
    let done = thread.await.ok().flatten();
    drop(kept);
    done
}

async fn unless_dropped(handler: impl Future<Output = ()>, dropped: Receiver<()>) {
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
