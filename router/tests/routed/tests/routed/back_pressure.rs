//! Streams whose reader does not keep up slow their sender down, and end well.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use zsvc_routed::{Routing, Worker, run};
use zsvc_router::forwarder::Limits;

/// Far more is streamed than may wait at the router. The handler begins to read when the test says so, and until then the caller waits.
#[test]
fn a_stream_to_a_worker_that_does_not_read_yet_waits_at_its_caller() {
    run(async {
        let worker = Worker::start();
        let limits = Limits { max_unsent_per_worker: 64 * 1024, ..Limits::default() };
        let router = Routing::with(limits, [worker.listed("one", 10)]);
        router.has_up(1).await;
        let client = router.client().await;
        let uploads = (0..4).map(|_| {
            let items = stream::repeat(Bytes::from(vec![7; 10_000])).take(2_000);
            client.hold_items("gate", items).deadline(Duration::from_secs(15))
        });
        let uploads: Vec<_> = uploads.map(tokio::spawn).collect();
        worker.journal.has("gate began").await;
        worker.journal.open("gate");
        for upload in uploads {
            assert_eq!(upload.await.unwrap().unwrap(), 20_000_000);
        }
        assert_eq!(router.counters().ended, 0);
    });
}

/// Many streams at a time, over one connection whose room at the router is less than their credit together.
#[test]
fn many_streams_to_one_caller_share_its_room() {
    run(async {
        let worker = Worker::start();
        let limits = Limits { max_unsent_per_caller: 256 * 1024, ..Limits::default() };
        let router = Routing::with(limits, [worker.listed("one", 100)]);
        router.has_up(1).await;
        let client = router.client().await;
        let counting: Vec<_> = (0..50)
            .map(|_| {
                let client = client.clone();
                tokio::spawn(async move {
                    let counted: Vec<u64> = client.count(20_000).await.unwrap().try_collect().await.unwrap();
                    counted.len()
                })
            })
            .collect();
        for counted in counting {
            assert_eq!(counted.await.unwrap(), 20_000);
        }
        assert_eq!(router.counters().ended, 0);
    });
}
