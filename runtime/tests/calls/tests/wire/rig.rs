//! Servers and clients of the runtime, each with its own threads, so that a test can play the other side by hand.

use std::panic::PanicHookInfo;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Once};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use zsvc::{Channel, Counters, Retry, ServeError, Server, ServerBuilder};
use zsvc_calls::market::v1::{TapeClient, TapeServer};
use zsvc_calls::shapes::v1::ShapesServer;
use zsvc_calls::{Watchdog, losses};

use crate::floor::Floor;
use crate::raw::Router;

/// Time that a test waits for an expected event. Long: only a test that hangs takes it.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);

/// Time after which a test hangs that waits for one event after the other, each of which comes.
const TEST_TIMEOUT: Duration = Duration::from_mins(3);

/// Watches the test of this thread.
pub(crate) fn watchdog() -> Watchdog {
    Watchdog::of_this_test(TEST_TIMEOUT)
}

/// A server of [`Floor`] at a port of its own, which stops when it is dropped.
pub(crate) struct Serving {
    pub(crate) endpoint: String,
    pub(crate) counters: Arc<Counters>,
    notes: Receiver<String>,
    stop: Option<oneshot::Sender<()>>,
    ended: Option<JoinHandle<Result<(), ServeError>>>,
    runtime: Option<Runtime>,
    lossy: bool,
    _watchdog: Watchdog,
}

impl Serving {
    pub(crate) fn start() -> Self {
        Self::with(|server| server)
    }

    /// Starts a server with other limits than the defaults.
    pub(crate) fn with(configure: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Self {
        count_panics();
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name(THREAD)
            .enable_all()
            .build()
            .expect("the system has a thread and descriptors for a runtime");
        let (notes_in, notes) = channel();
        let floor = Arc::new(Floor { notes: notes_in });
        let builder = Server::builder()
            .service(TapeServer::from_arc(Arc::clone(&floor)))
            .service(ShapesServer::from_arc(floor))
            .bind("tcp://127.0.0.1:*");
        let entered = runtime.enter();
        let server = configure(builder).listen().expect("there is a free port");
        let (endpoint, counters) = (server.endpoints()[0].clone(), server.counters());
        let (stop, stopped) = oneshot::channel();
        let ended = runtime.spawn(server.serve_until(stopped));
        drop(entered);
        Self {
            endpoint,
            counters,
            notes,
            stop: Some(stop),
            ended: Some(ended),
            runtime: Some(runtime),
            lossy: false,
            _watchdog: watchdog(),
        }
    }

    /// Allows the server to drop something. Otherwise the test fails if it has.
    pub(crate) fn lossy(mut self) -> Self {
        self.lossy = true;
        self
    }

    /// Asks the server to stop, as its user would.
    pub(crate) fn stop(&mut self) {
        self.stop.take();
    }

    /// Waits until the server has stopped, after [`Serving::stop`].
    pub(crate) fn stopped(&mut self) -> Result<(), ServeError> {
        let (runtime, ended) = (self.runtime.as_ref(), self.ended.take());
        let (runtime, ended) = runtime.zip(ended).expect("`stopped` is called once, before the drop");
        runtime.block_on(async {
            tokio::time::timeout(TIMEOUT, ended)
                .await
                .expect("the server stops")
                .expect("the server does not panic")
        })
    }

    /// Returns the next note.
    pub(crate) fn note(&self) -> String {
        self.notes.recv_timeout(TIMEOUT).expect("a note arrives")
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if !self.lossy && !thread::panicking() {
            assert_eq!(losses(&self.counters), [], "the server has dropped something");
        }
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Runs a client against a server that is played by hand, each on its own thread.
///
/// The client's runtime has one thread, so calls made together are sent together, deterministically. The client keeps
/// running until the server side has finished.
pub(crate) fn against<C: Future<Output = ()>>(
    client: impl FnOnce(String) -> C + Send,
    server: impl FnOnce(&mut Router),
) {
    count_panics();
    let _watchdog = watchdog();
    let mut router = Router::bind();
    let endpoint = router.endpoint().to_owned();
    let (seen, wait) = oneshot::channel::<()>();
    thread::scope(|scope| {
        let client = thread::Builder::new()
            .name(CLIENT.to_owned())
            .spawn_scoped(scope, move || {
                run(async {
                    client(endpoint).await;
                    // Nothing is ever sent: the wait ends when the other end is dropped.
                    let _ = wait.await;
                });
            })
            .expect("the system has a free thread");
        server(&mut router);
        drop(seen);
        if let Err(panic) = client.join() {
            std::panic::resume_unwind(panic);
        }
    });
}

/// Runs a future on this thread, for no longer than [`TIMEOUT`].
pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("the system has descriptors for a runtime");
    runtime.block_on(async { tokio::time::timeout(TIMEOUT, future).await.expect("the future completes") })
}

/// Returns a client that has sent nothing yet: its first call has the id 1. It does not retry, so that each of its calls reports the
/// outcome of the bytes that answered it. By the schema, a call of `last` has half a second, which is short on a busy machine.
pub(crate) fn silent_client(endpoint: impl Into<String>) -> TapeClient {
    let channel = Channel::builder().endpoint(endpoint).retry(Retry::none()).connect_lazy();
    TapeClient::new(channel.expect("the endpoint is valid"))
}

/// Name of the threads on which nothing may panic.
const THREAD: &str = "zsvc-serving";
/// Name of the threads on which clients and their assertions run.
const CLIENT: &str = "zsvc-client";

static PANICS: AtomicUsize = AtomicUsize::new(0);

/// Counts the panics on threads of servers, whose runtime would hide them. A panic on a client's thread fails its
/// test anyway.
fn count_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
            if thread::current().name() == Some(THREAD) {
                PANICS.fetch_add(1, Ordering::Relaxed);
            }
            before(info);
        }));
    });
}

/// Checks that no server of this process has panicked, nor any of its handlers.
pub(crate) fn assert_no_panics() {
    assert_eq!(PANICS.load(Ordering::Relaxed), 0, "a server's thread panicked; see above");
}

/// Polls a future once, and reports whether it is pending.
pub(crate) async fn waits<F: Future + Unpin>(future: &mut F) -> bool {
    std::future::poll_fn(|context| Poll::Ready(Pin::new(&mut *future).poll(context).is_pending())).await
}
