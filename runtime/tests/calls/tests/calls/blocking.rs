//! Handlers that block their thread, or compute for long: they hold up neither each other nor other calls.

use std::time::Duration;

use futures_util::stream;
use zsvc::{Code, Outcome};
use zsvc_calls::Probe;
use zsvc_calls::probe::v1::ProbeClient;

use crate::support::{ANY_PORT, Running, on_one_thread, on_threads, run};

/// Far longer than a call takes to reach its handler on a busy machine, and short enough to wait for.
const SOON: Duration = Duration::from_secs(1);

/// Makes a call of `meet` that blocks its thread in vain.
async fn blocks_alone(server: &Running, probe: &ProbeClient) {
    // Beforehand: the handler may block the test's thread.
    server.journal.open("alone");
    assert_eq!(probe.meet("alone", 2).await, Ok(false));
}

/// The first is begun where its call was received, as all handlers are that do not block.
#[test]
fn handlers_of_one_client_block_their_threads_at_the_same_time_once_one_has_blocked() {
    on_threads(async {
        let server = Running::start();
        let probe = server.client().await;
        blocks_alone(&server, &probe).await;
        let met = tokio::join!(probe.meet("two", 2), probe.meet("two", 2));
        assert_eq!((met.0.unwrap(), met.1.unwrap()), (true, true));
    });
}

#[test]
fn a_blocking_method_holds_up_neither_its_own_calls_nor_others() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client().await;
        let first = probe.meet_apart("two", 2);
        let others = async {
            server.journal.has("two met").await;
            assert_eq!(probe.echo("x").await.unwrap(), "x");
            probe.note("while it blocks").await.unwrap();
            server.journal.has("while it blocks").await;
            probe.meet_apart("two", 2).await
        };
        let (first, second) = tokio::join!(first, others);
        assert_eq!((first.unwrap(), second.unwrap()), (true, true));
        probe.note_apart("unheard").await.unwrap();
        server.journal.has("unheard").await;
    });
}

#[test]
fn a_blocking_method_is_called_as_any_other() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client().await;
        assert_eq!(probe.sum_apart(stream::iter(1..=1_000)).await.unwrap(), 500_500);
        let status = probe.blow_up_apart().await.unwrap_err();
        assert_eq!((status.code(), status.outcome()), (Code::Internal, Outcome::MaybeExecuted));
        server.journal.open("a");
        assert_eq!(probe.hold_apart("a").await.unwrap(), "a");
    });
}

#[test]
fn a_blocking_handler_that_waits_is_dropped_with_its_call_and_at_its_deadline() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client().await;
        let call = tokio::spawn(probe.hold_apart("a"));
        server.journal.has("a began").await;
        call.abort();
        server.journal.has("a dropped").await;
        let status = probe.hold_apart("b").deadline(SOON).await.unwrap_err();
        assert_eq!((status.code(), status.outcome()), (Code::DeadlineExceeded, Outcome::MaybeExecuted));
        server.journal.has("b dropped").await;
    });
}

/// As happens where one server calls another that calls it back, or a library blocks on a future.
#[test]
fn a_blocking_handler_may_block_on_a_call_of_another_handler() {
    on_one_thread(async {
        let next = Running::start();
        let probe = Probe { behind: Some(next.client().await), ..Probe::default() };
        let server = Running::of(probe, |server| server.bind(ANY_PORT));
        let probe = server.client().await;
        let blocked = tokio::spawn(probe.block_on_behind("a"));
        next.journal.has("a began").await;
        assert_eq!(probe.echo("x").await.unwrap(), "x");
        next.journal.open("a");
        assert_eq!(blocked.await.unwrap().unwrap(), "a");
    });
}

#[test]
fn a_handler_whose_call_is_over_before_there_is_a_thread_does_not_run() {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    run(runtime.max_blocking_threads(1), async {
        let server = Running::start();
        let probe = server.client().await;
        let first = tokio::spawn(probe.meet_apart("first", 2));
        server.journal.has("first met").await;
        let status = probe.hold_apart("late").deadline(SOON).await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded);
        // The server's clock begins later than the client's, so it is the cancellation that counts, which comes before this.
        assert_eq!(probe.echo("x").await.unwrap(), "x");
        server.journal.open("first");
        assert!(!first.await.unwrap().unwrap());
        server.journal.open("next");
        assert_eq!(probe.hold_apart("next").await.unwrap(), "next");
        assert_eq!(server.journal.count("late began"), 0);
        // So it is where the server has found out that the method blocks.
        blocks_alone(&server, &probe).await;
        let second = tokio::spawn(probe.meet("second", 2));
        server.journal.has("second met").await;
        let status = probe.meet("later", 1).deadline(SOON).await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded);
        assert_eq!(probe.echo("x").await.unwrap(), "x");
        server.journal.open("second");
        assert!(!second.await.unwrap().unwrap());
        assert!(probe.meet("last", 1).await.unwrap());
        assert_eq!(server.journal.count("later met"), 0);
    });
}
