//! Every kind of method passes, with bodies of every size, and every worker gets its part.

use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::{TryStreamExt, stream};
use zsvc_routed::{Routing, Worker, run, run_on_one_thread};
use zsvc_router::forwarder::Limits;

#[test]
fn every_kind_of_method_passes() {
    run(async {
        let worker = Worker::start();
        let router = Routing::to([worker.listed("one", 100)]);
        router.has_up(1).await;
        let client = router.client().await;

        assert_eq!(client.echo(Bytes::from_static(b"hello")).await.unwrap(), "hello");
        let counted: Vec<u64> = client.count(1_000).await.unwrap().try_collect().await.unwrap();
        assert_eq!(counted, (0..1_000).collect::<Vec<_>>());
        let sum = client.sum("all", stream::iter(1..=1_000_u64)).await.unwrap();
        assert_eq!(sum, 500_500);
        let items: Vec<Bytes> = (0..100_u8).map(|byte| vec![byte; 1_000].into()).collect();
        let (sink, back) = client.mirror("m").await.unwrap();
        let sent = async {
            for item in &items {
                sink.send(item.clone()).await.unwrap();
            }
            sink.finish();
        };
        let ((), came) = tokio::join!(sent, back.try_collect::<Vec<Bytes>>());
        assert_eq!(came.unwrap(), items);
        client.note("noted").await.unwrap();
        worker.journal.has("noted").await;
        assert_eq!(router.calls(), 0);
    });
}

#[test]
fn bodies_of_every_size_arrive_as_they_were() {
    run(async {
        let worker = Worker::start();
        let router = Routing::to([worker.listed("one", 100)]);
        router.has_up(1).await;
        let client = router.client().await;
        for size in [0, 1, 100, 16 * 1024 - 1, 16 * 1024, 32 * 1024, 64 * 1024, 1024 * 1024, 15 * 1024 * 1024]
        {
            let body: Bytes =
                (0..size).map(|index| u8::try_from(index % 251).unwrap()).collect::<Vec<u8>>().into();
            assert_eq!(client.echo(body.clone()).await.unwrap(), body, "{size} bytes");
        }
    });
}

#[test]
fn a_stream_that_is_not_read_stops_at_its_credit_and_no_other() {
    run(async {
        let worker = Worker::start();
        let router = Routing::to([worker.listed("one", 100)]);
        router.has_up(1).await;
        let client = router.client().await;
        let mut idle = client.pour("idle", 10_000, 10_000).await.unwrap();
        let busy: Vec<Bytes> = client.pour("busy", 1_000, 10_000).await.unwrap().try_collect().await.unwrap();
        assert_eq!(busy.len(), 1_000);
        // Now all that was granted is read, and the rest, which was held back by the worker.
        let mut read = 0;
        while let Some(item) = idle.next().await {
            item.unwrap();
            read += 1;
        }
        assert_eq!(read, 10_000);
    });
}

#[test]
fn calls_spread_over_workers() {
    run(async {
        let workers = [Worker::start(), Worker::start(), Worker::start(), Worker::start()];
        let router = Routing::to(
            workers.iter().zip(["a", "b", "c", "d"]).map(|(worker, name)| worker.listed(name, 100)),
        );
        router.has_up(4).await;
        let client = router.client().await;
        let held = (0..200).map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.hold("gate").await })
        });
        let held: Vec<_> = held.collect();
        router.sees(|workers| workers.iter().map(|worker| worker.in_flight).sum::<u32>() == 200).await;
        router.sees(|workers| workers.iter().all(|worker| (40..=60).contains(&worker.in_flight))).await;
        for worker in &workers {
            worker.journal.open("gate");
        }
        for call in held {
            call.await.unwrap().unwrap();
        }
    });
}

/// Each is a message of its own, and a task sends up to 64 at a time: what is left is sent without anything new to tell of it.
#[test]
fn more_messages_at_once_than_are_sent_in_a_turn_all_arrive() {
    run_on_one_thread(async {
        let worker = Worker::start();
        let limits = Limits { max_unsent_per_worker: 64 * 1024 * 1024, ..Limits::default() };
        let router = Routing::with(limits, [worker.listed("one", 1_000)]);
        router.has_up(1).await;
        let client = router.client().await;
        let calls = (0..500).map(|number: u32| {
            let (client, mut body) = (client.clone(), vec![0; 20 * 1024]);
            body[..4].copy_from_slice(&number.to_be_bytes());
            async move { assert_eq!(client.echo(body.clone()).await.unwrap(), body, "{number}") }
        });
        join_all(calls).await;
        assert_eq!(router.calls(), 0);
    });
}
