//! Calls where no tokio runtime is, and after that of their channel has ended.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{Thread, park_timeout};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::time::timeout;
use zsvc::middleware::{ClientMiddleware, ClientNext, ClientRequest, Response};
use zsvc::{Cause, Channel, Code, Outcome, Retry, ServeError, Server, Status};
use zsvc_calls::probe::v1::ProbeClient;

use crate::support::{ANY_PORT, Running, TEST_TIMEOUT, watchdog};

const ENDED: &str =
    "the tokio runtime in which the channel was connected has ended; connect in one that runs on";

/// An executor without anything of tokio. Fails the test if the future is not woken in time.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    let began = Instant::now();
    loop {
        // Before the poll, which may find what nothing has told.
        let left = TEST_TIMEOUT.checked_sub(began.elapsed()).expect("the future is woken in time");
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        park_timeout(left);
    }
}

/// Waits for a future in a runtime. Fails the test if that takes too long.
fn block_on_in<F: IntoFuture>(runtime: &Runtime, future: F) -> F::Output {
    runtime.block_on(async { timeout(TEST_TIMEOUT, future).await.expect("the future completes in time") })
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("it has descriptors")
}

/// A runtime with a server and a client, whose calls are made again after a long time if they have failed.
fn serving(pause: Duration) -> (Runtime, Running, ProbeClient) {
    let runtime = runtime();
    let (server, probe) = block_on_in(&runtime, async {
        let server = Running::start().lossy();
        let retry = Retry::default().pauses(pause, pause);
        let probe = server.client_with(|channel| channel.retry(retry).middleware(Pass)).await;
        (server, probe)
    });
    (runtime, server, probe)
}

/// Waits for its call, and no longer than that may take.
struct Pass;

impl ClientMiddleware for Pass {
    async fn handle(&self, request: ClientRequest, mut next: ClientNext<'_>) -> Response {
        next.run(request).await
    }
}

/// Makes calls that wait for a time, on a channel of another runtime, or of none.
async fn wait_for_times(server: &Running, probe: &ProbeClient) {
    assert_eq!(probe.echo("x").await.unwrap(), "x");
    // It fails at first, and is made again after a pause.
    let again = probe.fail_at_first("a", 2, Code::Unavailable.number()).await;
    assert_eq!(again.unwrap(), 3);
    assert!(probe.channel().counters().retries() > 0);
    // Those of one method wait for each other.
    let first = std::thread::spawn({
        let probe = probe.clone();
        move || block_on(probe.hold_in_turn("b"))
    });
    server.journal.has("b began").await;
    let late = probe.hold_in_turn("c").deadline(Duration::from_millis(20)).await.unwrap_err();
    assert_eq!((late.code(), late.outcome()), (Code::DeadlineExceeded, Outcome::NotSent));
    server.journal.open("b");
    assert_eq!(first.join().expect("it does not panic").unwrap(), "b");
}

#[test]
fn calls_may_be_awaited_where_no_runtime_is() {
    let _watchdog = watchdog();
    let (_runtime, server, probe) = serving(Duration::from_millis(20));
    block_on(wait_for_times(&server, &probe));
}

#[test]
fn calls_may_be_awaited_in_a_runtime_without_timers() {
    let (_runtime, server, probe) = serving(Duration::from_millis(20));
    let other = tokio::runtime::Builder::new_current_thread().build().expect("it needs no descriptors");
    other.block_on(wait_for_times(&server, &probe));
}

fn assert_ended(status: &Status) {
    assert_eq!((status.code(), status.cause()), (Code::Unavailable, Some(Cause::Closed)), "{status}");
    assert_eq!(status.message(), ENDED);
}

#[test]
fn calls_of_a_channel_whose_runtime_has_ended_say_so() {
    let _watchdog = watchdog();
    let (gone, server, probe) = serving(Duration::from_secs(1_000));
    let held = std::thread::spawn({
        let probe = probe.clone();
        move || block_on(probe.hold("a").no_deadline())
    });
    let pausing = std::thread::spawn({
        let probe = probe.clone();
        move || block_on(probe.fail_at_first("b", 9, Code::Unavailable.number()).no_deadline())
    });
    block_on(server.journal.has("a began"));
    let began = Instant::now();
    while probe.channel().counters().retries() == 0 {
        assert!(began.elapsed() < TEST_TIMEOUT, "the call is made again");
        std::thread::yield_now();
    }
    drop(gone);
    assert_ended(&held.join().expect("it does not panic").unwrap_err());
    assert_ended(&pausing.join().expect("it does not panic").unwrap_err());
    let status = block_on(probe.echo("x")).unwrap_err();
    assert_ended(&status);
    assert_eq!(status.outcome(), Outcome::NotSent);
    assert_ended(&block_on_in(&runtime(), probe.echo("x")).unwrap_err());
    // One that was closed says that.
    let (runtime, _server, probe) = serving(Duration::ZERO);
    let channel = probe.channel().clone();
    block_on_in(&runtime, channel.close(Duration::from_secs(5))).unwrap();
    drop(runtime);
    assert_eq!(block_on(probe.echo("x")).unwrap_err().message(), "the channel is closed");
}

#[test]
fn connecting_and_listening_need_a_runtime() {
    let _watchdog = watchdog();
    let status = block_on(Channel::connect("tcp://127.0.0.1:1")).unwrap_err();
    assert_eq!((status.code(), status.outcome()), (Code::FailedPrecondition, Outcome::NotSent));
    assert!(
        status.message().starts_with("a channel is connected within a tokio runtime, and there is none here")
    );
    let error = Server::builder().bind(ANY_PORT).listen().map(drop).unwrap_err();
    assert_eq!(error, ServeError::NoRuntime);
    // Bound in a runtime, it is served there wherever that is awaited.
    let runtime = runtime();
    let server = {
        let _entered = runtime.enter();
        Server::builder().bind(ANY_PORT).listen().unwrap()
    };
    assert_eq!(block_on(server.serve_until(async {})), Ok(()));
}
