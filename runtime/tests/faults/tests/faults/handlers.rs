//! Handlers that panic, block their threads, or never end: the rest of the server is not affected.

use std::time::Duration;

use zsvc::{Code, Outcome};

use crate::support::{Served, run, until};

#[test]
fn handlers_that_panic_fail_their_own_calls_alone() {
    run(async {
        let server = Served::start().await;
        let ledger = server.client().await;
        let others = (0..100).map(|key| ledger.enter(key, Duration::from_millis(1)));
        let panics = (0..100).map(|_| ledger.blow_up());
        let (others, panics) =
            tokio::join!(futures_util::future::join_all(others), futures_util::future::join_all(panics));
        assert!(others.into_iter().all(|answer| answer.is_ok()));
        for status in panics.into_iter().map(Result::unwrap_err) {
            assert_eq!((status.code(), status.outcome()), (Code::Internal, Outcome::MaybeExecuted));
        }
        assert_eq!(ledger.look().await.unwrap().running, 0);
    });
}

/// Threads are blocked for longer than a connection and a client may be silent. Neither is taken for dead, since
/// libzmq's own thread answers heartbeats, and a client is dropped only after it was pinged.
#[test]
fn handlers_that_hold_up_every_thread_have_nobody_taken_for_dead() {
    run(async {
        let server = Served::with(&["--heartbeat", "300", "--peer-timeout", "1500", "--threads", "2"]).await;
        let (ledger, other) = (server.client().await, server.client().await);
        let waiting = tokio::spawn(other.wait().no_deadline());
        until(&ledger, |server| server.running == 1).await.unwrap();
        let blocks = (0..4).map(|_| ledger.block(Duration::from_secs(2)));
        let blocked = futures_util::future::join_all(blocks);
        let meanwhile = ledger.enter(1, Duration::ZERO);
        let (blocked, meanwhile) = tokio::join!(blocked, meanwhile);
        assert_eq!(blocked, vec![Ok(()); 4]);
        assert_eq!(meanwhile.unwrap(), 1);
        let condition = ledger.look().await.unwrap();
        assert_eq!((condition.lost_peers, condition.dropped, condition.running), (0, 0, 1));
        assert!(!waiting.is_finished(), "neither end was taken for dead");
        waiting.abort();
        until(&ledger, |server| server.running == 0).await.unwrap();
    });
}

#[test]
fn handlers_that_never_end_end_with_their_callers() {
    run(async {
        let server = Served::start().await;
        let ledger = server.client().await;
        let late = (0..50).map(|_| ledger.wait().deadline(Duration::from_secs(2)));
        for status in futures_util::future::join_all(late).await.into_iter().map(Result::unwrap_err) {
            assert_eq!((status.code(), status.outcome()), (Code::DeadlineExceeded, Outcome::MaybeExecuted));
        }
        let given_up: Vec<_> = (0..50).map(|_| tokio::spawn(ledger.wait().no_deadline())).collect();
        until(&ledger, |server| server.running == 50).await.unwrap();
        given_up.iter().for_each(tokio::task::JoinHandle::abort);
        until(&ledger, |server| server.running == 0).await.unwrap();
    });
}
