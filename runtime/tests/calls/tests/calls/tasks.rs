//! Tasks of a server: when they start and end, and what their failures do.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use zsvc::{ServeError, Server, Task};

use crate::support::{ANY_PORT, on_threads};

const SOON: Duration = Duration::from_millis(1);

/// Serves until `stop` says so, with one task.
fn serving(task: Task, stop: oneshot::Receiver<()>) -> tokio::task::JoinHandle<Result<(), ServeError>> {
    tokio::spawn(Server::builder().task(task).bind(ANY_PORT).serve_until(stop))
}

#[test]
fn a_task_begins_with_its_server_and_ends_within_the_grace_time() {
    on_threads(async {
        let (said, mut told) = mpsc::unbounded_channel();
        let task = Task::new("polite", move |mut draining| {
            let said = said.clone();
            async move {
                said.send("begun").expect("the test listens");
                draining.wait().await;
                tokio::task::yield_now().await;
                said.send("ended").expect("the test listens");
            }
        });
        let server = Server::builder().task(task).bind(ANY_PORT).listen().expect("there is a free port");
        assert!(told.try_recv().is_err(), "it does not serve yet");
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(server.serve_until(stopped));
        assert_eq!(told.recv().await, Some("begun"));
        drop(stop);
        assert_eq!(serving.await.expect("it does not panic"), Ok(()));
        assert_eq!(told.recv().await, Some("ended"), "before the server");
        assert_eq!(told.recv().await, None, "and dropped with it");
    });
}

#[test]
fn a_task_that_does_not_end_is_dropped() {
    on_threads(async {
        let (alive, mut dropped) = mpsc::channel::<()>(1);
        let task = Task::new("stubborn", move |_| {
            let alive = alive.clone();
            async move {
                let _alive = alive;
                std::future::pending::<()>().await;
            }
        });
        let server = Server::builder().task(task).grace(SOON).bind(ANY_PORT);
        assert_eq!(server.serve_until(async {}).await, Ok(()));
        assert_eq!(dropped.recv().await, None);
    });
}

#[test]
fn a_task_that_fails_or_panics_is_started_again_until_it_is_done() {
    on_threads(async {
        let runs = Arc::new(AtomicUsize::new(0));
        let (done, mut is_done) = mpsc::channel(1);
        let task = Task::new("clumsy", {
            let runs = Arc::clone(&runs);
            move |_| {
                let (run, done) = (runs.fetch_add(1, Ordering::SeqCst), done.clone());
                assert!(run != 1, "before there is a future");
                async move {
                    match run {
                        0 => return Err("not yet"),
                        2 => panic!("in the middle"),
                        _ => done.send(()).await.expect("the test listens"),
                    }
                    Ok(())
                }
            }
        });
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = serving(task.pauses(SOON, SOON), stopped);
        assert_eq!(is_done.recv().await, Some(()));
        drop(stop);
        assert_eq!(serving.await.expect("it does not panic"), Ok(()));
        assert_eq!(runs.load(Ordering::SeqCst), 4, "it was done");
    });
}

fn broken() {
    panic!("no feed");
}

#[test]
fn a_server_ends_with_a_task_that_it_needs() {
    on_threads(async {
        for (task, expected) in [
            (Task::new("feed", |_| async { Err::<(), _>("the feed is gone") }), "the feed is gone"),
            (Task::new("feed", |_| async { broken() }), "it panicked"),
        ] {
            let (_stop, stopped) = oneshot::channel::<()>();
            let ended = serving(task.fatal(), stopped).await.expect("the server does not panic");
            let reason = expected.to_owned();
            assert_eq!(ended, Err(ServeError::Task { task: "feed".to_owned(), reason }));
        }
    });
}

#[test]
fn that_a_task_that_the_server_needs_fails_during_the_drain_is_told() {
    on_threads(async {
        let task = Task::new("feed", |mut draining| async move {
            draining.wait().await;
            Err::<(), _>("the last prices are not stored")
        });
        let server = Server::builder().task(task.fatal()).bind(ANY_PORT);
        let reason = "the last prices are not stored".to_owned();
        let ended = server.serve_until(async {}).await;
        assert_eq!(ended, Err(ServeError::Task { task: "feed".to_owned(), reason }));
    });
}
