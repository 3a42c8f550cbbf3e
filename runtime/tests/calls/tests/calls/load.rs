//! Many at once: calls, clients, tasks, threads, and streams among them.

use bytes::Bytes;
use futures_util::future::{join_all, try_join_all};
use futures_util::{StreamExt, stream};
use tokio::sync::oneshot;
use zsvc_calls::probe::v1::{ClockClient, ProbeClient};

use crate::support::{Running, on_one_thread, on_threads};

#[test]
fn twenty_thousand_calls_at_once_from_many_tasks() {
    on_threads(async {
        let server = Running::start();
        let clock = ClockClient::connect(server.endpoint()).await.unwrap();
        let tasks = (0..200_u64).map(|task| {
            let clock = clock.clone();
            tokio::spawn(async move {
                let numbers = task * 100..(task + 1) * 100;
                let answers = try_join_all(numbers.clone().map(|number| clock.tick(number))).await.unwrap();
                assert!(answers.into_iter().eq(numbers), "answers have got mixed up");
            })
        });
        for task in join_all(tasks).await {
            task.unwrap();
        }
        assert_eq!(server.counters.calls(), 20_000);
    });
}

/// More calls than a client may have in flight: the others wait.
#[test]
fn more_calls_than_may_be_in_flight() {
    on_one_thread(async {
        let server = Running::with(|server| server.max_calls_per_peer(50));
        let probe = server.client_with(|channel| channel.max_calls(50)).await;
        let answers = try_join_all((0..2_000_u32).map(|number| probe.echo(number.to_be_bytes().to_vec())));
        let answers = answers.await.unwrap();
        assert!(answers.iter().zip(0_u32..).all(|(answer, number)| answer[..] == number.to_be_bytes()));
    });
}

#[test]
fn sixty_four_clients() {
    on_threads(async {
        let server = Running::start();
        let endpoint = server.endpoint().to_owned();
        let clients = (0..64_u64).map(|client| {
            let endpoint = endpoint.clone();
            tokio::spawn(async move {
                let clock = ClockClient::connect(endpoint).await.unwrap();
                for number in 0..20 {
                    assert_eq!(clock.tick(client * 1_000 + number).await, Ok(client * 1_000 + number));
                }
            })
        });
        for client in join_all(clients).await {
            client.unwrap();
        }
    });
}

async fn one_of_each(probe: ProbeClient, task: u64) {
    let name = format!("task {task}");
    let items = stream::iter(0..task);
    let echo = probe.echo(name.clone());
    let sum = probe.sum(&name, items);
    let count = async { probe.count(task).await.unwrap().count().await };
    let mirrored = async {
        let (sink, back) = probe.mirror(&name).await.unwrap();
        let send = async {
            sink.send_all(stream::iter((0..task).map(|_| Bytes::from_static(b"item")))).await.unwrap();
            sink.finish();
        };
        tokio::join!(back.count(), send).0
    };
    let (echo, sum, count, mirrored) = tokio::join!(echo, sum, count, mirrored);
    assert_eq!((echo.unwrap(), sum.unwrap()), (Bytes::from(name), task * (task.max(1) - 1) / 2));
    assert_eq!((count as u64, mirrored as u64), (task, task));
}

#[test]
fn streams_and_calls_mixed_over_one_connection() {
    on_threads(async {
        let server = Running::start();
        let probe = server.client().await;
        let tasks: Vec<_> = (0..100).map(|task| tokio::spawn(one_of_each(probe.clone(), task))).collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
}

#[test]
fn calls_from_threads_outside_of_the_runtime() {
    on_threads(async {
        let server = Running::start();
        let probe = server.client().await;
        let threads = (0..4_u8).map(|thread| {
            let probe = probe.clone();
            let (ends, ended) = oneshot::channel();
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                for _ in 0..50 {
                    let echoed = runtime.block_on(probe.echo(vec![thread])).unwrap();
                    assert_eq!(echoed[..], [thread]);
                }
                ends.send(()).expect("the test waits");
            });
            ended
        });
        // Not joined: the test's time limit could not end that.
        try_join_all(threads.collect::<Vec<_>>()).await.expect("no thread panics");
    });
}
