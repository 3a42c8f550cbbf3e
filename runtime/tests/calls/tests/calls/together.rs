//! Batching: calls made together are sent together, in one ZeroMQ message.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::{join_all, try_join_all};
use tokio::sync::oneshot;
use zsvc_calls::probe::v1::ProbeClient;

use crate::relay::Relay;
use crate::support::{Running, on_one_thread, on_threads};

#[test]
fn a_hundred_calls_take_a_handful_of_messages_each_way() {
    on_one_thread(async {
        let server = Running::start();
        let relay = Relay::to(server.endpoint());
        let probe = ProbeClient::connect(relay.endpoint()).await.unwrap();
        let before = relay.messages();
        let calls = (0..100_u8).map(|number| probe.echo(vec![number]));
        let answers = try_join_all(calls).await.unwrap();
        assert!(answers.iter().enumerate().all(|(number, answer)| usize::from(answer[0]) == number));
        let after = relay.messages();
        let (there, back) = (after.0 - before.0, after.1 - before.1);
        assert!((1..=5).contains(&there), "{there} messages to the server");
        assert!((1..=5).contains(&back), "{back} messages from the server");
    });
}

#[test]
fn calls_of_many_kinds_share_a_message() {
    on_one_thread(async {
        let server = Running::start();
        let relay = Relay::to(server.endpoint());
        let probe = ProbeClient::connect(relay.endpoint()).await.unwrap();
        let before = relay.messages();
        let (echoed, counted, noted) = tokio::join!(probe.echo("x"), probe.count(0), probe.note("together"));
        assert_eq!(echoed.unwrap(), "x");
        noted.unwrap();
        assert!(counted.unwrap().next().await.is_none());
        assert_eq!(relay.messages().0 - before.0, 1);
    });
}

#[test]
fn items_that_are_ready_together_share_a_message() {
    on_one_thread(async {
        let server = Running::start();
        let relay = Relay::to(server.endpoint());
        let probe = ProbeClient::connect(relay.endpoint()).await.unwrap();
        let before = relay.messages();
        let mut numbers = probe.count(1_000).await.unwrap();
        let mut count = 0;
        while let Some(number) = numbers.next().await {
            assert_eq!(number, Ok(count));
            count += 1;
        }
        assert_eq!(count, 1_000);
        let back = relay.messages().1 - before.1;
        assert!(back <= 10, "{back} messages for a thousand items");
    });
}

/// Also many calls in one task, none of which waits for another.
#[test]
fn a_call_that_waits_does_not_delay_others() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client().await;
        let (held, waiting) = oneshot::channel();
        let slow = async {
            held.send(()).unwrap();
            probe.hold("slow").await
        };
        let quick = async {
            waiting.await.unwrap();
            for _ in 0..10 {
                probe.echo("quick").await.unwrap();
            }
            server.journal.open("slow");
        };
        let (slow, ()) = tokio::join!(slow, quick);
        assert_eq!(slow.unwrap(), "slow");
    });
}

/// More answers than are delivered at once, to callers on several threads. The server has one thread, so that the answers arrive
/// together: after one that arrives alone, tokio has no other thread wait for I/O while its caller blocks.
#[test]
fn a_caller_that_blocks_its_thread_does_not_delay_others() {
    const CALLERS: usize = 100;
    on_one_thread(async {
        let server = Running::start();
        let endpoint = server.endpoint().to_owned();
        let client = std::thread::spawn(|| on_threads(async { keep_a_thread(endpoint, CALLERS).await }));
        server.journal.has_times("a began", CALLERS).await;
        server.journal.open("a");
        tokio::task::spawn_blocking(|| client.join().unwrap()).await.unwrap();
    });
}

/// Makes calls of which the first to be answered blocks its thread until all others are answered.
async fn keep_a_thread(endpoint: String, callers: usize) {
    let probe = ProbeClient::connect(endpoint).await.unwrap();
    let answered = Arc::new(AtomicUsize::new(0));
    let callers = (0..callers).map(|_| {
        let (call, answered) = (probe.hold("a"), Arc::clone(&answered));
        tokio::spawn(async move {
            call.await.unwrap();
            let began = Instant::now();
            let first = answered.fetch_add(1, Ordering::AcqRel) == 0;
            while first && answered.load(Ordering::Acquire) < callers {
                assert!(began.elapsed() < Duration::from_secs(10), "{answered:?} were answered");
                std::thread::yield_now();
            }
        })
    });
    for caller in join_all(callers.collect::<Vec<_>>()).await {
        caller.unwrap();
    }
}
