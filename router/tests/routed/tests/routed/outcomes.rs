//! What callers are told where a call can't be given to a worker, or its worker is gone, is exact.

use std::time::Duration;

use zsvc::{Cause, Code, Outcome};
use zsvc_routed::{Routing, Worker, free_endpoint, holding, run};
use zsvc_router::forwarder::Limits;

#[test]
fn a_call_that_a_lost_worker_had_may_have_run() {
    run(async {
        let worker = Worker::start();
        let router = Routing::to([worker.listed("one", 10)]);
        router.has_up(1).await;
        let client = router.client().await;
        let held = holding(&client, "gate");
        worker.journal.has("gate began").await;
        worker.kill().await;
        let status = held.await.unwrap().unwrap_err();
        assert_eq!(
            (status.code(), status.outcome()),
            (Code::Unavailable, Outcome::MaybeExecuted),
            "{status}"
        );
        assert!(status.message().contains("`one`"), "{status}");
    });
}

#[test]
fn calls_wait_for_a_worker_that_comes_back() {
    run(async {
        let worker = Worker::with(&free_endpoint(), |server| server);
        let router = Routing::to([worker.listed("one", 10)]);
        router.has_up(1).await;
        let client = router.client().await;
        let endpoint = worker.endpoint.clone();
        worker.stop().await;
        router.has_up(0).await;
        let waiting = tokio::spawn({
            let client = client.clone();
            async move { client.echo(vec![7]).await }
        });
        router.has_queued(1).await;
        let _worker = Worker::with(&endpoint, |server| server);
        assert_eq!(waiting.await.unwrap().unwrap(), vec![7]);
    });
}

#[test]
fn calls_past_the_capacity_wait_and_past_the_queue_are_refused() {
    run(async {
        let worker = Worker::start();
        let limits = Limits { max_queued: 4, ..Limits::default() };
        let router = Routing::with(limits, [worker.listed("one", 1)]);
        router.has_up(1).await;
        let client = router.client().await;
        let hold = |name: &'static str| {
            let client = client.clone();
            tokio::spawn(async move { client.hold(name).await })
        };
        let running = hold("a");
        worker.journal.has("a began").await;
        let waiting: Vec<_> = (0..3).map(|_| hold("b")).collect();
        router.has_queued(3).await;
        let status = loop {
            // The last quarter of the queue is kept for callers with few calls in it.
            if let Ok(Err(status)) = tokio::time::timeout(Duration::from_millis(200), client.hold("b")).await
            {
                break status;
            }
        };
        assert_eq!(
            (status.code(), status.outcome()),
            (Code::ResourceExhausted, Outcome::NotSent),
            "{status}"
        );
        assert!(status.cause() == Some(Cause::Overloaded) && status.retry_after().is_some(), "{status}");
        worker.journal.open("a");
        worker.journal.open("b");
        running.await.unwrap().unwrap();
        for call in waiting {
            call.await.unwrap().unwrap();
        }
    });
}

#[test]
fn a_call_whose_deadline_passes_in_the_queue_was_not_sent() {
    run(async {
        let worker = Worker::start();
        let router = Routing::to([worker.listed("one", 1)]);
        router.has_up(1).await;
        let client = router.client().await;
        let running = holding(&client, "a");
        worker.journal.has("a began").await;
        let late = client.hold("b").deadline(Duration::from_millis(50)).await.unwrap_err();
        assert_eq!(late.code(), Code::DeadlineExceeded, "{late}");
        // The router learns of it by the cancel, or by its own clock.
        router.has_queued(0).await;
        worker.journal.open("a");
        running.await.unwrap().unwrap();
        assert_eq!(worker.journal.count("b began"), 0);
    });
}

#[test]
fn a_service_that_no_worker_has_is_told_at_once() {
    run(async {
        let router = Routing::to([]);
        let status = router.client().await.echo(vec![1]).await.unwrap_err();
        assert_eq!((status.code(), status.outcome()), (Code::Unimplemented, Outcome::NotSent), "{status}");
        assert_eq!(status.cause(), Some(Cause::NoSuchMethod));
    });
}

#[test]
fn a_router_that_drains_finishes_what_it_has_and_refuses_the_rest() {
    run(async {
        let worker = Worker::start();
        let router = Routing::to([worker.listed("one", 10)]);
        router.has_up(1).await;
        let client = router.client().await;
        let held = holding(&client, "gate");
        worker.journal.has("gate began").await;
        let stopping = tokio::spawn(router.stop());
        let refused = loop {
            match client.echo(vec![1]).await {
                Ok(_) => tokio::time::sleep(Duration::from_millis(2)).await,
                Err(status) => break status,
            }
        };
        assert_eq!((refused.code(), refused.outcome()), (Code::Unavailable, Outcome::NotSent), "{refused}");
        worker.journal.open("gate");
        held.await.unwrap().unwrap();
        stopping.await.unwrap();
    });
}

#[test]
fn dropping_a_call_cancels_it_at_the_worker() {
    run(async {
        let worker = Worker::start();
        let router = Routing::to([worker.listed("one", 10)]);
        router.has_up(1).await;
        let client = router.client().await;
        let held = holding(&client, "gate");
        worker.journal.has("gate began").await;
        held.abort();
        worker.journal.has("gate dropped").await;
        router.sees(|workers| workers[0].in_flight == 0).await;
    });
}

#[test]
fn a_caller_that_is_gone_cancels_its_calls() {
    run(async {
        let worker = Worker::start();
        let router = Routing::to([worker.listed("one", 10)]);
        router.has_up(1).await;
        let client = router.client().await;
        let stream = client.hold_stream("gate").await.unwrap();
        worker.journal.has("gate began").await;
        drop((stream, client));
        worker.journal.has("gate dropped").await;
        assert_eq!(router.calls(), 0);
    });
}
