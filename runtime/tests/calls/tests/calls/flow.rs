//! Flow control: a slow reader stops only its own sender, within its window. Also how streams end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use zsvc::{Code, Outcome};

use crate::raw;
use crate::support::{Running, on_one_thread, on_threads};

/// Default windows of streams in bytes: of streams that a server sends, and of those that a client sends.
const SERVER_WINDOW: usize = 1024 * 1024;
const CLIENT_WINDOW: usize = 256 * 1024;

#[test]
fn a_reader_that_stops_stops_only_its_own_sender() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client().await;
        let mut slow = probe.pour("slow", 10_000, 1_000).await.unwrap();
        let fast = probe.pour("fast", 2_000, 1_000).await.unwrap();
        assert_eq!(fast.count().await, 2_000);
        for _ in 0..50 {
            probe.echo("x").await.unwrap();
        }
        let accepted = server.journal.count("slow accepted");
        assert!((1..=SERVER_WINDOW / 1_000 + 1).contains(&accepted), "{accepted} items were accepted");
        assert_eq!(server.journal.count("slow done"), 0);
        // The stream continues where it stopped.
        let mut read = 0;
        while let Some(item) = slow.next().await {
            assert_eq!(item.unwrap().len(), 1_000);
            read += 1;
        }
        assert_eq!(read, 10_000);
        server.journal.has("slow done").await;
    });
}

#[test]
fn a_handler_that_does_not_read_stops_only_its_client() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client().await;
        let sent = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&sent);
        let items = stream::iter(0..5_000).map(move |_| {
            counter.fetch_add(1, Ordering::SeqCst);
            Bytes::from(vec![7; 1_000])
        });
        let slow = tokio::spawn(probe.hold_items("slow", items));
        server.journal.has("slow began").await;
        assert_eq!(probe.sum("fast", stream::iter(0..100_000)).await, Ok(99_999 * 50_000));
        let sent = sent.load(Ordering::SeqCst);
        assert!((1..=CLIENT_WINDOW / 1_000 + 2).contains(&sent), "{sent} items were taken from the client");
        server.journal.open("slow");
        assert_eq!(slow.await.unwrap(), Ok(5_000 * 1_000));
    });
}

#[test]
fn a_window_may_be_as_small_as_a_byte() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client_with(|channel| channel.stream_window(1)).await;
        let items: Vec<_> = probe.pour("a", 5, 50_000).await.unwrap().collect().await;
        assert!(items.len() == 5 && items.into_iter().all(|item| item.unwrap().len() == 50_000));
        let mut stalled = probe.pour("b", 5, 50_000).await.unwrap();
        server.journal.has("b accepted").await;
        probe.echo("x").await.unwrap();
        assert_eq!(server.journal.count("b accepted"), 1);
        assert!(stalled.next().await.is_some());
        server.journal.has_times("b accepted", 2).await;
    });
}

#[test]
fn large_values_pass_in_every_direction() {
    on_threads(async {
        let server = Running::start();
        let probe = server.client().await;
        for size in [1 << 20, 15 << 20] {
            let body = Bytes::from(vec![7; size]);
            assert!(probe.echo(body.clone()).await.unwrap() == body, "{size} bytes differ");
            let (sink, mut back) = probe.mirror("mirror").await.unwrap();
            sink.send(body.clone()).await.unwrap();
            sink.finish();
            assert!(back.next().await.unwrap().unwrap() == body, "{size} bytes differ");
            assert!(back.next().await.is_none());
        }
    });
}

/// A sender that computes between items and never waits still gets them sent.
#[test]
fn items_are_sent_although_their_sender_keeps_the_thread() {
    let test = async || {
        let server = Running::start();
        let (sink, mut back) = server.client().await.mirror("a").await.unwrap();
        let arrived = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&arrived);
        let reader = tokio::spawn(async move {
            back.next().await.unwrap().unwrap();
            told.store(true, Ordering::Release);
            // Dropping the answers would cancel the call.
            back
        });
        let began = Instant::now();
        while !arrived.load(Ordering::Acquire) {
            sink.send(Bytes::from_static(b"x")).await.unwrap();
            let work = Instant::now();
            while work.elapsed() < Duration::from_millis(2) {}
            assert!(began.elapsed() < Duration::from_secs(10), "nothing has come back");
        }
        sink.finish();
        drop(reader.await.unwrap());
    };
    on_one_thread(test());
    on_threads(test());
}

#[test]
fn empty_items_are_items() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client().await;
        assert_eq!(probe.pour("a", 100_000, 0).await.unwrap().count().await, 100_000);
        let (sink, back) = probe.mirror("b").await.unwrap();
        let send = async {
            sink.send_all(stream::repeat(Bytes::new()).take(1_000)).await.unwrap();
            sink.finish();
        };
        let (count, ()) = tokio::join!(back.count(), send);
        assert_eq!(count, 1_000);
    });
}

#[test]
fn a_stream_without_items_ends() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client().await;
        assert!(probe.count(0).await.unwrap().next().await.is_none());
        let (sink, mut back) = probe.mirror("a").await.unwrap();
        sink.finish();
        assert!(back.next().await.is_none());
        server.journal.has("a done").await;
    });
}

#[test]
fn a_handler_may_answer_before_it_has_read_everything() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client().await;
        // The stream has no end: the answer ends the call.
        assert_eq!(probe.sum_first(3, stream::iter(5_u64..)).await, Ok(18));
        let quiet = stream::iter([1_u64, 2]).chain(stream::pending());
        assert_eq!(probe.sum_first(2, quiet).await, Ok(3));
        assert_eq!(probe.sum_first(0, stream::pending()).await, Ok(0));
    });
}

#[test]
fn a_sink_says_that_the_call_is_over() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client().await;
        let (sink, mut back) = probe.mirror_first(1, "a").await.unwrap();
        sink.send(Bytes::from_static(b"x")).await.unwrap();
        assert_eq!(back.next().await.unwrap().unwrap(), "x");
        assert!(back.next().await.is_none());
        let status = sink.send(Bytes::new()).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::Cancelled, "the server has ended the call"));
    });
}

/// By a `?`, a timeout or an abort of the sending task: an incomplete stream must not be taken for a complete one.
#[test]
fn a_sink_that_is_dropped_unfinished_cancels_its_call() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client().await;
        let (sink, mut back) = probe.mirror("a").await.unwrap();
        sink.send(Bytes::from_static(b"x")).await.unwrap();
        assert_eq!(back.next().await.unwrap().unwrap(), "x");
        drop(sink);
        let status = back.next().await.unwrap().unwrap_err();
        assert_eq!((status.code(), status.outcome()), (Code::Cancelled, Outcome::MaybeExecuted));
        assert!(status.message().contains("`finish`"), "{status}");
        assert!(back.next().await.is_none());
        server.journal.has("a dropped").await;
        assert_eq!(server.journal.count("a done"), 0);
    });
}

#[test]
fn a_client_task_that_panics_with_a_sink_does_not_complete_its_stream() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client().await;
        let (sink, mut back) = probe.mirror("a").await.unwrap();
        let task = tokio::spawn(async move {
            sink.send(Bytes::from_static(b"x")).await.unwrap();
            panic!("as the test wants");
        });
        assert!(task.await.unwrap_err().is_panic());
        server.journal.has("a dropped").await;
        assert_eq!(server.journal.count("a done"), 0);
        let end = loop {
            if let Err(status) = back.next().await.unwrap() {
                break status;
            }
        };
        assert_eq!((end.code(), end.outcome()), (Code::Cancelled, Outcome::MaybeExecuted));
    });
}

#[test]
fn a_panic_of_the_item_source_does_not_complete_its_stream() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client().await;
        let items = stream::iter(0_u64..).map(|number| if number < 3 { number } else { panic!("as wanted") });
        assert!(tokio::spawn(probe.sum("a", items)).await.unwrap_err().is_panic());
        // The server may have received the call or not. If it did, the stream must not end as if it were complete.
        probe.echo("x").await.unwrap();
        assert_eq!(server.journal.count("a done"), 0);
    });
}

#[test]
fn an_item_too_large_is_refused_and_the_stream_goes_on() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client_with(|channel| channel.max_message_size(1_000)).await;
        let (sink, mut back) = probe.mirror("a").await.unwrap();
        let status = sink.send(Bytes::from(vec![0; 1_000])).await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted);
        sink.send(Bytes::from_static(b"small")).await.unwrap();
        assert_eq!(back.next().await.unwrap().unwrap(), "small");
        // A call that takes its items from a stream can report the error only to its caller.
        let items = stream::iter([Bytes::from(vec![0; 1_000])]).chain(stream::pending());
        let status = probe.hold_items("b", items).await.unwrap_err();
        assert_eq!((status.code(), status.outcome()), (Code::ResourceExhausted, Outcome::MaybeExecuted));
    });
}

/// Received items have the same size limit as sent ones, whatever the sender's limit is.
#[test]
fn an_item_too_large_for_its_reader_ends_the_stream() {
    on_one_thread(async {
        let server = Running::with(|server| server.max_message_size(1_000));
        let (small, large) =
            (server.client_with(|channel| channel.max_message_size(500)).await, server.client().await);
        let mut items = small.pour("a", 1, 900).await.unwrap();
        let status = items.next().await.unwrap().unwrap_err();
        assert_eq!((status.code(), status.outcome()), (Code::ResourceExhausted, Outcome::MaybeExecuted));
        assert!(items.next().await.is_none());
        server.journal.open("b");
        let status = large.hold_items("b", stream::iter([Bytes::from(vec![0; 1_000])])).await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted);
    });
}

#[test]
fn a_sink_serves_many_tasks() {
    on_threads(async {
        let server = Running::start();
        let probe = server.client().await;
        let (sink, back) = probe.mirror("a").await.unwrap();
        let sink = Arc::new(sink);
        let tasks = (0..20).map(|_| {
            let sink = Arc::clone(&sink);
            tokio::spawn(async move {
                for _ in 0..50 {
                    sink.send(Bytes::from(vec![7; 1_000])).await.unwrap();
                }
            })
        });
        let tasks: Vec<_> = tasks.collect();
        let send = async {
            for task in tasks {
                task.await.unwrap();
            }
            Arc::into_inner(sink).expect("the tasks are done with it").finish();
        };
        let (count, ()) = tokio::join!(back.count(), send);
        assert_eq!(count, 1_000);
    });
}

#[test]
fn a_stream_outlives_the_client_that_it_came_from() {
    on_one_thread(async {
        let server = Running::start();
        let mut numbers = server.client().await.hold_stream("a").await.unwrap();
        assert_eq!(numbers.next().await, Some(Ok(0)));
        server.journal.open("a");
        assert_eq!(numbers.next().await, Some(Ok(1)));
        assert_eq!(numbers.next().await, None);
        let (sink, mut back) = server.client().await.mirror("b").await.unwrap();
        sink.send(Bytes::from_static(b"x")).await.unwrap();
        assert_eq!(back.next().await.unwrap().unwrap(), "x");
    });
}

/// More messages than the server sends to one client before it serves others, and more bytes than it hands to libzmq
/// at once.
#[test]
fn many_large_answers_all_arrive() {
    on_threads(async {
        let server = Running::start();
        let (probe, other) = (server.client().await, server.client().await);
        let answers = futures_util::future::join_all((0..400).map(|_| probe.fill(20_000)));
        let others = futures_util::future::join_all((0..400).map(|_| other.echo("x")));
        let (answers, others) = tokio::join!(answers, others);
        assert!(answers.into_iter().all(|answer| answer.unwrap().len() == 20_000));
        assert!(others.into_iter().all(|echoed| echoed.unwrap() == "x"));
    });
}

/// The client reads throughout, but slower than it asked for, and for longer than a client may go without reading.
#[test]
fn a_client_that_reads_slowly_is_not_dropped() {
    on_threads(async {
        let timeout = Duration::from_secs(2);
        let server = Running::with(|server| server.peer_timeout(timeout));
        let (slow, other) = (raw::narrow_dealer(server.endpoint()), server.client().await);
        slow.send(raw::calls_of_fill(500, 40_000), 0).unwrap();
        let begun = Instant::now();
        let pace = timeout * 2 / 500;
        let mut read = 0;
        while read < 500 {
            if begun.elapsed() >= pace * read && slow.recv_multipart(zmq::DONTWAIT).is_ok() {
                read += 1;
            }
            other.echo("x").await.unwrap();
        }
        assert!(begun.elapsed() > timeout);
        assert_eq!(server.counters.lost_peers(), 0);
    });
}
