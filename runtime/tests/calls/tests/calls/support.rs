//! Shared code of the tests: runtimes with a time limit, and a server that is started, stopped and killed.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use zsvc::{Channel, Counters, ServeError, Server, ServerBuilder};
use zsvc_calls::probe::v1::{ClockServer, ProbeClient, ProbeServer};
use zsvc_calls::{Journal, Probe, Ticker, Watchdog, losses};

/// Time after which a test hangs.
pub(crate) const TEST_TIMEOUT: Duration = Duration::from_secs(20);

/// Watches a test that can't fail by itself after [`TEST_TIMEOUT`] if its thread is blocked.
pub(crate) fn watchdog() -> Watchdog {
    Watchdog::of_this_test(2 * TEST_TIMEOUT)
}

/// A local endpoint with any free port.
pub(crate) const ANY_PORT: &str = "tcp://127.0.0.1:*";

/// Returns a local endpoint without a listener: a file and not a port, which another test might be given meanwhile.
pub(crate) fn free_endpoint() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("zsvc-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    format!("ipc://{}", std::env::temp_dir().join(name).display())
}

/// Number of threads of [`on_threads`].
pub(crate) const THREADS: usize = 3;

/// Runs a test on a runtime of one thread.
pub(crate) fn on_one_thread<F: Future>(test: F) -> F::Output {
    run(&mut tokio::runtime::Builder::new_current_thread(), test)
}

/// Runs a test on a runtime of several threads.
pub(crate) fn on_threads<F: Future>(test: F) -> F::Output {
    run(tokio::runtime::Builder::new_multi_thread().worker_threads(THREADS), test)
}

/// Runs a test on such a runtime.
pub(crate) fn run<F: Future>(builder: &mut tokio::runtime::Builder, test: F) -> F::Output {
    let _watchdog = watchdog();
    let runtime = builder.enable_all().build().expect("the system has descriptors for a runtime");
    runtime.block_on(async { tokio::time::timeout(TEST_TIMEOUT, test).await.expect("the test hangs") })
}

/// Polls a call until it waits for something else than its turn on this thread: it is on its way by then, or waits for room. A caller lets the
/// driver and other tasks go first now and then, so a call that is polled once need not have begun.
///
/// Returns what the call ends with, if it does.
pub(crate) async fn poll_once<F: Future + Unpin>(call: &mut F) -> Option<F::Output> {
    struct IsWoken(AtomicBool);

    impl Wake for IsWoken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    let is_woken = Arc::new(IsWoken(AtomicBool::new(true)));
    while is_woken.0.swap(false, Ordering::Relaxed) {
        let waker = Waker::from(Arc::clone(&is_woken));
        if let Poll::Ready(output) = Pin::new(&mut *call).poll(&mut Context::from_waker(&waker)) {
            return Some(output);
        }
        tokio::task::yield_now().await;
    }
    None
}

/// A server of `Probe` and `Clock` that runs in a task.
pub(crate) struct Running {
    pub(crate) journal: Journal,
    pub(crate) counters: Arc<Counters>,
    endpoints: Vec<String>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<(), ServeError>>,
    /// Whether the test makes the server drop something.
    lossy: bool,
}

impl Running {
    /// Starts a server with default settings.
    pub(crate) fn start() -> Self {
        Self::with(|server| server)
    }

    /// Starts a server with other settings.
    pub(crate) fn with(set: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Self {
        Self::of(Probe::default(), |server| set(server.bind(ANY_PORT)))
    }

    /// Starts a server with the given probe, bound to the endpoints that `set` adds.
    pub(crate) fn of(probe: Probe, set: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Self {
        Self::try_of(probe, set).expect("the endpoints can be bound")
    }

    fn try_of(probe: Probe, set: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Result<Self, ServeError> {
        let journal = probe.journal.clone();
        let server = Server::builder().service(ProbeServer::new(probe)).service(ClockServer::new(Ticker));
        let server = set(server).listen()?;
        let (endpoints, counters) = (server.endpoints().to_vec(), server.counters());
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(server.serve_until(stopped));
        Ok(Self { journal, counters, endpoints, stop: Some(stop), task, lossy: false })
    }

    /// Starts a server at an endpoint that another one just left, retrying while it is in use: libzmq closes sockets
    /// in its own thread.
    pub(crate) async fn again(endpoint: &str) -> Self {
        loop {
            match Self::try_of(Probe::default(), |server| server.bind(endpoint)) {
                Ok(server) => return server,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    }

    /// Allows the server to drop something. Otherwise the test fails if it has.
    pub(crate) fn lossy(mut self) -> Self {
        self.lossy = true;
        self
    }

    /// Returns its endpoint.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoints[0]
    }

    /// Returns all its endpoints.
    pub(crate) fn endpoints(&self) -> &[String] {
        &self.endpoints
    }

    /// Connects a client with default settings.
    pub(crate) async fn client(&self) -> ProbeClient {
        ProbeClient::connect(self.endpoint()).await.expect("the server is up")
    }

    /// Connects a client whose channel has other settings.
    pub(crate) async fn client_with(
        &self,
        set: impl FnOnce(zsvc::ChannelBuilder) -> zsvc::ChannelBuilder,
    ) -> ProbeClient {
        let channel = set(Channel::builder().endpoint(self.endpoint())).connect().await;
        ProbeClient::new(channel.expect("the server is up"))
    }

    /// Asks the server to drain, and returns at once.
    pub(crate) fn begin_to_stop(&mut self) {
        drop(self.stop.take());
    }

    /// Waits until the server has stopped.
    pub(crate) async fn is_out(&mut self) -> Result<(), ServeError> {
        (&mut self.task).await.expect("the server does not panic")
    }

    /// Drains the server, and waits until it has stopped.
    pub(crate) async fn stop(mut self) {
        self.begin_to_stop();
        self.is_out().await.expect("the server ends without an error");
    }

    /// Drops the server in the middle of its work, and waits until it is gone.
    pub(crate) async fn kill(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
        if !self.lossy && !std::thread::panicking() {
            assert_eq!(losses(&self.counters), [], "the server has dropped something");
        }
    }
}
