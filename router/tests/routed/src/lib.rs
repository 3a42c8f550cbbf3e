//! What tests of the router share: workers of `Probe`, and a router in front of them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use zsvc::{Channel, Register, Retry, Server, ServerBuilder, Status};
use zsvc_calls::probe::v1::{ProbeClient, ProbeServer};
use zsvc_calls::{Journal, Probe, Watchdog};
use zsvc_router::forwarder::{Counters, Limits, NewWorker, WorkerState, WorkerView};
use zsvc_router::{Config, ListedWorker, Router, RouterHandle};

/// Time after which a test hangs.
pub const TEST_TIMEOUT: Duration = Duration::from_secs(20);
/// A local endpoint with any free port.
pub const ANY_PORT: &str = "tcp://127.0.0.1:*";
/// The service that workers answer.
pub const PROBE: &str = "probe.v1.Probe";

/// Runs a test on a runtime of several threads.
///
/// # Panics
/// The test hangs.
pub fn run<F: Future>(test: F) -> F::Output {
    run_in(tokio::runtime::Builder::new_multi_thread().worker_threads(3), test)
}

/// Begins a call of `hold` beside the test, whose handler waits until the gate of this name is open, and returns the name.
#[must_use]
pub fn holding(client: &ProbeClient, name: &'static str) -> JoinHandle<Result<String, Status>> {
    let client = client.clone();
    tokio::spawn(async move { client.hold(name).await })
}

/// Runs a test on one thread, so that each task does all that it has before the next one runs.
///
/// # Panics
/// The test hangs.
pub fn run_on_one_thread<F: Future>(test: F) -> F::Output {
    run_in(&mut tokio::runtime::Builder::new_current_thread(), test)
}

fn run_in<F: Future>(runtime: &mut tokio::runtime::Builder, test: F) -> F::Output {
    let _watchdog = Watchdog::of_this_test(2 * TEST_TIMEOUT);
    let runtime = runtime.enable_all().build().expect("the system has descriptors for a runtime");
    runtime.block_on(async { tokio::time::timeout(TEST_TIMEOUT, test).await.expect("the test hangs") })
}

/// Returns an endpoint at which a worker can be started anew: a file, and not a port, which another test might be given meanwhile.
#[must_use]
pub fn free_endpoint() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("zsvc-routed-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    format!("ipc://{}", std::env::temp_dir().join(name).display())
}

/// A worker that runs in a task.
#[derive(Debug)]
pub struct Worker {
    /// What its handlers write, and the gates that they wait at.
    pub journal: Journal,
    /// Where it listens.
    pub endpoint: String,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Worker {
    /// Starts a worker at any free port.
    #[must_use]
    pub fn start() -> Self {
        Self::with(ANY_PORT, |server| server)
    }

    /// Starts a worker at an endpoint, with other settings.
    ///
    /// # Panics
    /// The endpoint can't be bound.
    pub fn with(endpoint: &str, set: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Self {
        Self::of(|server| set(server.bind(endpoint)))
    }

    /// Starts a worker that registers at a router, and listens nowhere.
    pub fn registering(router: impl Into<Register>) -> Self {
        Self::of(|server| server.register(router))
    }

    fn of(set: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Self {
        let probe = Probe::default();
        let journal = probe.journal.clone();
        let server = set(Server::builder().service(ProbeServer::new(probe)));
        let server = server.listen().expect("the endpoint can be bound");
        let endpoint = server.endpoints().first().cloned().unwrap_or_default();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move { server.serve_until(stopped).await.expect("its socket works") });
        Self { journal, endpoint, stop: Some(stop), task }
    }

    /// Has the worker drain, and waits for its end.
    ///
    /// # Panics
    /// Its task has panicked.
    pub async fn stop(mut self) {
        drop(self.stop.take());
        self.task.await.expect("its task ends well");
    }

    /// Ends the worker at once. Afterwards, another can listen in its place: parts of it may be dropped later than its task.
    pub async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
        is_left(&self.endpoint).await;
    }

    /// Returns the worker as a router lists it.
    #[must_use]
    pub fn listed(&self, name: &str, capacity: u32) -> ListedWorker {
        listed(&self.endpoint, name, capacity)
    }
}

/// Returns a worker at an endpoint as a router lists it.
#[must_use]
pub fn listed(endpoint: &str, name: &str, capacity: u32) -> ListedWorker {
    let (name, services) = (name.to_owned(), vec![PROBE.to_owned()]);
    let worker = NewWorker { name, services, capacity, standby: 0, realm: String::new() };
    ListedWorker { endpoint: endpoint.to_owned(), worker, public_key: None }
}

/// Waits until no one listens at a file any more.
async fn is_left(endpoint: &str) {
    if let Some(path) = endpoint.strip_prefix("ipc://") {
        while std::os::unix::net::UnixStream::connect(path).is_ok() {
            tokio::task::yield_now().await;
        }
    }
}

/// A router that runs in a task.
#[derive(Debug)]
pub struct Routing {
    /// Where callers connect.
    pub endpoint: String,
    /// Looks into the router, and changes it.
    pub handle: RouterHandle,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Routing {
    /// Starts a router in front of workers.
    pub fn to(workers: impl IntoIterator<Item = ListedWorker>) -> Self {
        Self::with(Limits::default(), workers)
    }

    /// Starts a router with other limits.
    ///
    /// # Panics
    /// The router can't be bound.
    pub fn with(limits: Limits, workers: impl IntoIterator<Item = ListedWorker>) -> Self {
        let config = Config::new().listen(ANY_PORT).limits(limits);
        Self::of(workers.into_iter().fold(config, Config::worker))
    }

    /// Starts a router as configured.
    ///
    /// # Panics
    /// The router can't be bound.
    #[must_use]
    pub fn of(config: Config) -> Self {
        let router = Router::bind(config).expect("the router can be bound");
        let (endpoint, handle) = (router.endpoints()[0].clone(), router.handle());
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move { router.serve_until(stopped).await.expect("its socket works") });
        Self { endpoint, handle, stop: Some(stop), task }
    }

    /// Returns a client of the router that makes each call once.
    ///
    /// # Panics
    /// The router does not listen.
    pub async fn client(&self) -> ProbeClient {
        let channel = Channel::builder().endpoint(&self.endpoint).retry(Retry::none()).connect().await;
        ProbeClient::new(channel.expect("the router listens"))
    }

    /// Returns a client of the router with default settings.
    ///
    /// # Panics
    /// The router does not listen.
    pub async fn patient_client(&self) -> ProbeClient {
        ProbeClient::connect(&self.endpoint).await.expect("the router listens")
    }

    /// Waits until that many workers are up.
    pub async fn has_up(&self, number: usize) {
        self.sees(|workers| {
            workers.iter().filter(|worker| worker.state == WorkerState::Up).count() == number
        })
        .await;
    }

    /// Waits until something holds of the workers.
    pub async fn sees(&self, holds: impl Fn(&[WorkerView]) -> bool) {
        while !holds(&self.handle.workers()) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Waits until that many calls wait for a worker.
    pub async fn has_queued(&self, number: usize) {
        while self.handle.calls().1 != number {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Returns what the router has counted.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.handle.counters()
    }

    /// Returns the number of calls in flight.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.handle.calls().0
    }

    /// Has the router drain, and waits for its end.
    ///
    /// # Panics
    /// Its task has panicked.
    pub async fn stop(mut self) {
        drop(self.stop.take());
        self.task.await.expect("its task ends well");
    }

    /// Ends the router at once.
    pub async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }

    /// Ends the router at once. Afterwards, another can listen at its endpoint: parts of it may be dropped later than its task.
    pub async fn kill_at(self, endpoint: &str) {
        self.kill().await;
        is_left(endpoint).await;
    }
}
