//! Workers that come and go under load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use zsvc_routed::{Routing, Worker, free_endpoint, run};
use zsvc_router::forwarder::WorkerState;

/// Four workers are stopped and started again, one after the other, while calls are made without a pause. None fails: what a worker
/// has is finished, and what it has not goes elsewhere.
#[test]
fn a_rolling_restart_fails_no_call() {
    run(async {
        let mut workers: Vec<_> = (0..4).map(|_| Worker::with(&free_endpoint(), |server| server)).collect();
        let names = ["a", "b", "c", "d"];
        let router = Routing::to(workers.iter().zip(names).map(|(worker, name)| worker.listed(name, 100)));
        router.has_up(4).await;
        let client = router.patient_client().await;
        let (is_over, made) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let callers: Vec<_> = (0..16_u8)
            .map(|number| {
                let (client, is_over, made) = (client.clone(), Arc::clone(&is_over), Arc::clone(&made));
                tokio::spawn(async move {
                    while !is_over.load(Ordering::Relaxed) {
                        client.echo(vec![number]).await.expect("no call fails");
                        made.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        for index in 0..4 {
            let worker = workers.remove(0);
            let endpoint = worker.endpoint.clone();
            worker.stop().await;
            router.sees(|workers| workers[index].state != WorkerState::Up).await;
            let before = made.load(Ordering::Relaxed);
            while made.load(Ordering::Relaxed) < before + 200 {
                assert!(callers.iter().all(|caller| !caller.is_finished()), "a call has failed");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            workers.push(Worker::with(&endpoint, |server| server));
            router.has_up(4).await;
        }
        is_over.store(true, Ordering::Relaxed);
        for caller in callers {
            caller.await.unwrap();
        }
    });
}
