//! Clients without `async`, for programs that have no runtime of tokio and want none: with the feature `blocking`.
//!
//! Generated clients are the same. What they return is a value until it is awaited, or [waited for](Wait::wait); streams are [iterators](items),
//! or call a function for [each item](for_each). Connections are kept by one thread of this crate's, which is shared by the program.
//!
//! ```no_run
//! # mod market { pub mod v1 {
//! # #[derive(Clone)] pub struct TapeClient(zsvc::Channel);
//! # impl TapeClient {
//! #     pub fn new(channel: zsvc::Channel) -> Self { Self(channel) }
//! #     pub fn last(&self, _: &str) -> std::future::Ready<Result<u64, zsvc::Status>> { std::future::ready(Ok(1)) }
//! # } } }
//! # fn main() -> Result<(), zsvc::Status> {
//! use market::v1::TapeClient;
//! use zsvc::blocking::{self, Wait};
//!
//! let tape = TapeClient::new(blocking::connect("tcp://127.0.0.1:7100")?);
//! let trade = tape.last("ACME").wait()?;
//! # Ok(())
//! # }
//! ```
//!
//! A thread that waits does nothing else, so waiting in `async` code would hold up a runtime: it panics there. In a program that has a runtime of tokio,
//! wait on threads of `std::thread`, or in `tokio::task::spawn_blocking`.
//!
//! A program that ends does not wait for what is queued: after one-way calls, `channel.close(within).wait()` does.

use std::fmt;
use std::pin::{Pin, pin};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use futures_core::Stream;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;

use crate::channel::{Channel, ChannelBuilder};
use crate::fork::{Owned, PerProcess};
use crate::status::Status;

/// The runtime that keeps connections.
static RUNTIME: PerProcess<OnceLock<Owned<Runtime>>> = PerProcess::new();

/// Returns the runtime, which is started when it is first asked for.
fn runtime() -> Result<&'static Runtime, Status> {
    let shared = RUNTIME.get(OnceLock::new);
    if let Some(runtime) = shared.get() {
        return Ok(runtime);
    }
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(1).thread_name("zsvc-blocking").enable_all();
    let started = builder.build().map_err(|error| {
        let why = format!("the system has no thread for the connections of blocking clients: {error}");
        Status::unavailable(why).not_sent()
    })?;
    // Of threads that start one at the same time, the first wins. The others' have no tasks.
    Ok(shared.get_or_init(|| Owned::new(started)))
}

/// Connects to one endpoint, with the default settings, and waits until the server has answered.
///
/// # Errors
/// As for [`ChannelBuilder::connect`]; `unavailable` if the system has no thread for connections.
///
/// # Panics
/// In `async` code, as [`Wait::wait`].
#[track_caller]
pub fn connect(endpoint: impl Into<String>) -> Result<Channel, Status> {
    connect_by(Channel::builder().endpoint(endpoint))
}

/// Connects with other settings, and waits until a server has answered.
///
/// # Errors
/// As for [`connect`].
///
/// # Panics
/// In `async` code, as [`Wait::wait`].
#[track_caller]
pub fn connect_by(builder: ChannelBuilder) -> Result<Channel, Status> {
    let _entered = runtime()?.enter();
    builder.connect().wait()
}

/// Waiting for calls, for items that are sent, and for any other future.
pub trait Wait: IntoFuture + Sized {
    /// Keeps this thread until the future is done, and returns its output.
    ///
    /// # Panics
    /// In `async` code that tokio runs, which would be held up: the message says that the thread drives asynchronous tasks. Await the future there. Any
    /// other thread may wait, also one of `spawn_blocking`.
    #[track_caller]
    fn wait(self) -> Self::Output {
        // Where tokio is, it tells whether this thread runs tasks, and panics if so.
        if let Ok(handle) = Handle::try_current() {
            return handle.block_on(self.into_future());
        }
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let (mut future, mut context) = (pin!(self.into_future()), Context::from_waker(&waker));
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                return output;
            }
            thread::park();
        }
    }
}

impl<F: IntoFuture> Wait for F {}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Returns an iterator over the items of a stream, each of which keeps the thread until it is there. Dropping it cancels the call.
pub fn items<S: Stream + Unpin>(stream: S) -> Items<S> {
    Items(stream)
}

/// The items of a stream. See [`items`].
#[derive(Debug)]
#[must_use = "an iterator does nothing until it is asked for items"]
pub struct Items<S>(S);

impl<S: Stream + Unpin> Iterator for Items<S> {
    type Item = S::Item;

    fn next(&mut self) -> Option<S::Item> {
        next(&mut self.0).wait()
    }
}

async fn next<S: Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
    std::future::poll_fn(|context| Pin::new(&mut *stream).poll_next(context)).await
}

/// Returns a stream of an iterator's items, for calls that take one: `tape.import("desk", blocking::stream(trades))`. The iterator
/// is asked on the thread that waits for the call, and may block; a deadline that passes meanwhile is told after its next item.
pub fn stream<I: IntoIterator>(items: I) -> impl Stream<Item = I::Item> + Unpin
where
    I::IntoIter: Unpin,
{
    Iterated(items.into_iter())
}

struct Iterated<I>(I);

impl<I: Iterator + Unpin> Stream for Iterated<I> {
    type Item = I::Item;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<I::Item>> {
        Poll::Ready(self.0.next())
    }
}

/// Calls a function for each item of a stream, on a thread of its own, one after the other, while the program goes on. The function may block.
/// A panic of it ends the stream, and is told by [`Callback::wait`].
///
/// # Errors
/// `unavailable`: the system has no thread for it.
pub fn for_each<S>(stream: S, each: impl FnMut(S::Item) + Send + 'static) -> Result<Callback, Status>
where
    S: Stream + Unpin + Send + 'static,
    S::Item: Send + 'static,
{
    Ok(Callback(Some(runtime()?.spawn(call_each(stream, each)))))
}

async fn call_each<S>(mut stream: S, mut each: impl FnMut(S::Item) + Send + 'static)
where
    S: Stream + Unpin,
    S::Item: Send + 'static,
{
    while let Some(item) = next(&mut stream).await {
        // Not on the runtime's only worker, which has the connections to keep.
        let called = tokio::task::spawn_blocking(move || {
            each(item);
            each
        });
        each = match called.await {
            Ok(each) => each,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // The process ends.
            Err(_) => return,
        };
    }
}

/// A stream whose items a function is [called for](for_each). Dropping this cancels the call; the function may be called for one item more.
#[must_use = "the stream ends when this is dropped"]
pub struct Callback(Option<JoinHandle<()>>);

impl Callback {
    /// Waits until the stream has ended, and the function was called for each of its items.
    ///
    /// # Panics
    /// Panics as the function did, if it did.
    pub fn wait(mut self) {
        if let Some(Err(error)) = self.0.take().map(Wait::wait)
            && error.is_panic()
        {
            std::panic::resume_unwind(error.into_panic());
        }
    }

    /// Reports whether the stream has ended, and the function was called for each of its items.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.0.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

impl Drop for Callback {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callback").field("is_over", &self.is_over()).finish()
    }
}
