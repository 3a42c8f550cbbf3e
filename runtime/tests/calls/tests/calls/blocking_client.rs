//! Clients without `async`: threads that wait, streams as iterators, and functions that are called for each item.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use zsvc::blocking::{Wait, connect, connect_by, for_each, items, stream};
use zsvc::{Channel, Code, Outcome, Status};
use zsvc_calls::probe::v1::ProbeClient;

use crate::support::{Running, TEST_TIMEOUT, on_one_thread, on_threads};

/// Far longer than a call takes to reach its handler on a busy machine, and short enough to wait for.
const SOON: Duration = Duration::from_secs(1);

/// Runs a part of a program that knows no runtime, on a thread of its own, while the server of the test goes on.
async fn program<T: Send + 'static>(
    server: &Running,
    run: impl FnOnce(ProbeClient) -> T + Send + 'static,
) -> T {
    let endpoint = server.endpoint().to_owned();
    let (sender, done) = tokio::sync::oneshot::channel();
    let thread = thread::spawn(move || {
        let returned = run(ProbeClient::new(connect(endpoint).expect("the server answers")));
        _ = sender.send(returned);
    });
    match done.await {
        Ok(returned) => returned,
        Err(_) => std::panic::resume_unwind(thread.join().expect_err("it has panicked")),
    }
}

#[test]
fn every_kind_of_method_can_be_waited_for() {
    on_one_thread(async {
        let server = Running::start();
        let seen = program(&server, |probe| {
            let echo = probe.echo(vec![1, 2]).wait()?;
            let sum = probe.sum("s", stream(1..=4)).wait()?;
            let count: Vec<u64> = items(probe.count(3).wait()?).collect::<Result<_, _>>()?;
            let (sink, answers) = probe.mirror("m").wait()?;
            let sending = thread::spawn(move || {
                for number in 0..200_u8 {
                    sink.send(vec![number].into()).wait()?;
                }
                sink.finish();
                Ok::<_, Status>(())
            });
            let mirrored = items(answers).collect::<Result<Vec<_>, _>>()?.len();
            sending.join().expect("no panic")?;
            probe.note("bye").wait()?;
            probe.channel().clone().close(TEST_TIMEOUT).wait()?;
            Ok::<_, Status>((echo.to_vec(), sum, count, mirrored))
        });
        assert_eq!(seen.await.unwrap(), (vec![1, 2], 10, vec![0, 1, 2], 200));
        server.journal.has("bye").await;
    });
}

#[test]
fn a_deadline_ends_a_wait_and_the_handler() {
    on_one_thread(async {
        // Its own answer at the deadline may find the program gone.
        let server = Running::start().lossy();
        let status = program(&server, |probe| probe.hold("a").deadline(SOON).wait().unwrap_err()).await;
        assert_eq!((status.code(), status.outcome()), (Code::DeadlineExceeded, Outcome::MaybeExecuted));
        server.journal.has("a dropped").await;
        let status = program(&server, |probe| {
            let mut items = items(probe.hold_stream("b").deadline(SOON).wait().unwrap());
            assert!(items.next().unwrap().is_ok());
            items.next().unwrap().unwrap_err()
        });
        assert_eq!(status.await.code(), Code::DeadlineExceeded);
        server.journal.has("b dropped").await;
    });
}

#[test]
fn dropped_items_and_dropped_callbacks_cancel_their_calls() {
    on_one_thread(async {
        let server = Running::start();
        let held = program(&server, |probe| {
            let mut held = items(probe.hold_stream("items").wait().unwrap());
            assert!(held.next().unwrap().is_ok());
            let (sender, first) = mpsc::channel();
            let called = probe.hold_stream("callback").wait().unwrap();
            let called = for_each(called, move |item| drop(sender.send(item))).unwrap();
            assert!(first.recv_timeout(TEST_TIMEOUT).unwrap().is_ok());
            (held, called)
        });
        let (held, called) = held.await;
        assert!(!called.is_over());
        drop(held);
        server.journal.has("items dropped").await;
        drop(called);
        server.journal.has("callback dropped").await;
    });
}

#[test]
fn a_function_may_make_calls_and_learns_how_its_stream_ends() {
    on_one_thread(async {
        let server = Running::start();
        let seen = program(&server, |probe| {
            let (sender, receiver) = mpsc::channel();
            let numbers = probe.break_off(3).wait().unwrap();
            let each = move |item: Result<u64, _>| {
                drop(sender.send(item.map(|_| probe.echo(vec![7]).wait().map(|body| body.len()))));
            };
            for_each(numbers, each).unwrap().wait();
            receiver.iter().collect::<Vec<_>>()
        });
        let seen = seen.await;
        assert_eq!(seen.len(), 4);
        assert!(seen[..3].iter().all(|item| matches!(item, Ok(Ok(1)))), "{seen:?}");
        assert!(matches!(&seen[3], Err(zsvc::Error::Declared(_))), "{seen:?}");
    });
}

#[test]
fn threads_share_a_client_and_each_waits_for_its_own_calls() {
    on_threads(async {
        let server = Running::start();
        let journal = server.journal.clone();
        let waiting = program(&server, |probe| {
            let held = (0..8).map(|number| {
                let probe = probe.clone();
                thread::spawn(move || probe.hold(format!("{number}")).wait().map_err(|status| status.code()))
            });
            let held: Vec<_> = held.collect();
            held.into_iter().map(|thread| thread.join().expect("no panic").is_ok()).collect::<Vec<_>>()
        });
        let open = async {
            // All of them wait at the same time; the last goes first.
            for number in 0..8 {
                journal.has(&format!("{number} began")).await;
            }
            for number in (0..8).rev() {
                journal.open(format!("{number}"));
                journal.has(&format!("{number} done")).await;
            }
        };
        let (held, ()) = tokio::join!(waiting, open);
        assert_eq!(held, [true; 8]);
    });
}

#[test]
fn waiting_in_async_code_is_refused_with_the_reason_and_spawn_blocking_may_wait() {
    on_threads(async {
        let server = Running::start();
        let probe = server.client().await;
        let endpoint = server.endpoint().to_owned();
        for refused in [
            catch_unwind(AssertUnwindSafe(|| probe.echo(vec![1]).wait().is_ok())),
            catch_unwind(|| connect(endpoint.as_str()).is_ok()),
        ] {
            let why = refused.expect_err("it would hold up the runtime");
            let why = why
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| why.downcast_ref::<&str>().map(|&why| why.to_owned()));
            assert!(why.as_ref().is_some_and(|why| why.contains("drive asynchronous tasks")), "{why:?}");
        }
        // The client is none the worse for it.
        assert_eq!(probe.echo(vec![2]).await.unwrap(), vec![2]);
        let waited = tokio::task::spawn_blocking(move || {
            let own = ProbeClient::new(connect(endpoint).expect("the server answers"));
            (probe.echo(vec![3]).wait().unwrap().len(), own.echo(vec![4]).wait().unwrap().len())
        });
        assert_eq!(waited.await.unwrap(), (1, 1));
    });
}

#[test]
fn a_lost_server_ends_what_threads_wait_for() {
    on_one_thread(async {
        let server = Running::start();
        let journal = server.journal.clone();
        let endpoint = server.endpoint().to_owned();
        let (sender, done) = tokio::sync::oneshot::channel();
        thread::spawn(move || {
            let probe = ProbeClient::new(connect(endpoint).expect("the server answers"));
            _ = sender.send(probe.hold("a").wait().map_err(|status| (status.code(), status.outcome())));
        });
        journal.has("a began").await;
        server.kill().await;
        assert_eq!(done.await.unwrap(), Err((Code::Unavailable, Outcome::MaybeExecuted)));
    });
}

#[test]
fn a_future_is_waited_for_across_threads() {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let sending = thread::spawn(move || sender.send(7));
    assert_eq!(receiver.wait(), Ok(7));
    assert_eq!(sending.join().unwrap(), Ok(()));
    assert_eq!(items(stream([1, 2, 3])).collect::<Vec<_>>(), [1, 2, 3]);
}

#[test]
fn a_function_is_called_for_each_item_in_order_and_may_block() {
    let (sender, receiver) = mpsc::channel();
    let each = move |item| {
        thread::sleep(Duration::from_millis(1));
        let _ = sender.send(item);
    };
    for_each(stream(0..20), each).unwrap().wait();
    assert_eq!(receiver.iter().collect::<Vec<_>>(), (0..20).collect::<Vec<_>>());
}

#[test]
fn a_panic_of_the_function_ends_the_stream_and_is_told() {
    let called = for_each(stream(0..5), |item| assert_ne!(item, 2, "as the test asked for")).unwrap();
    let panic = thread::spawn(move || called.wait()).join().unwrap_err();
    assert!(panic.downcast_ref::<String>().is_some_and(|text| text.contains("as the test asked for")));
}

#[test]
fn a_stream_ends_when_its_callback_is_dropped() {
    let (sender, receiver) = mpsc::channel();
    let called = for_each(stream(0_u64..), move |item| _ = sender.send(item)).unwrap();
    assert_eq!(receiver.recv(), Ok(0));
    drop(called);
    // The sender goes with the function, once it is not called any more.
    let end = loop {
        if let Err(end) = receiver.recv_timeout(TEST_TIMEOUT) {
            break end;
        }
    };
    assert_eq!(end, mpsc::RecvTimeoutError::Disconnected);
}

#[test]
fn a_channel_that_can_not_be_connected_says_why() {
    let status = connect_by(Channel::builder()).unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let nowhere = Channel::builder().endpoint("ipc:///nowhere/at-all").fail_fast();
    assert_eq!(connect_by(nowhere).unwrap_err().code(), Code::Unavailable);
}
