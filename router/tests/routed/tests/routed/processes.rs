//! Worker processes that the router starts and watches.

use std::path::PathBuf;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use zsvc_routed::{ANY_PORT, Routing, Worker, free_endpoint, holding, listed, run};
use zsvc_router::{Config, Event, WorkerProcess};

/// Starts a router that runs a script of the shell as a worker process, and returns what happens.
fn running(script: &str) -> (Routing, UnboundedReceiver<Event>) {
    let (tell, told) = unbounded_channel();
    let config = Config::new().listen(ANY_PORT).process(process("script", script));
    (Routing::of(config.observe(move |event| drop(tell.send(event.clone())))), told)
}

fn process(name: &str, script: &str) -> WorkerProcess {
    let command = ["sh", "-c", script].map(str::to_owned).to_vec();
    WorkerProcess { name: name.to_owned(), command, folder: PathBuf::new() }
}

#[test]
fn what_a_process_writes_has_its_name_and_it_ends_before_the_router() {
    run(async {
        let (router, mut told) = running("echo ready; exec sleep 600");
        assert!(
            matches!(told.recv().await, Some(Event::ProcessStarted { name, id }) if name == "script" && id > 0)
        );
        let said = told.recv().await;
        assert_eq!(said, Some(Event::ProcessSays { name: "script".to_owned(), line: "ready".to_owned() }));
        router.stop().await;
        let ended = told.recv().await;
        assert!(
            matches!(&ended, Some(Event::ProcessEnded { pause: None, why, .. }) if why.contains("15")),
            "{ended:?}"
        );
    });
}

#[test]
fn a_process_is_in_a_group_of_its_own_so_ctrl_c_reaches_the_router_alone() {
    run(async {
        let (_router, mut told) = running("ps -o pgid= -p $$; exec sleep 600");
        let Some(Event::ProcessStarted { id, .. }) = told.recv().await else { panic!("it can be started") };
        let Some(Event::ProcessSays { line, .. }) = told.recv().await else { panic!("it writes a line") };
        assert_eq!(line.trim(), id.to_string());
    });
}

#[test]
fn a_process_that_ends_is_started_again() {
    run(async {
        let (_router, mut told) = running("exit 3");
        let mut pauses = Vec::new();
        while pauses.len() < 3 {
            if let Some(Event::ProcessEnded { pause, why, .. }) = told.recv().await {
                assert!(why.contains("exit status: 3"), "{why}");
                pauses.extend(pause);
            }
        }
        assert!(pauses.is_sorted() && pauses[0] < pauses[2], "{pauses:?}");
    });
}

#[test]
fn a_program_that_is_not_there_is_told() {
    run(async {
        let (tell, mut told) = unbounded_channel();
        let command = vec!["/nowhere/worker".to_owned()];
        let process = WorkerProcess { name: "none".to_owned(), command, folder: PathBuf::new() };
        let config = Config::new().listen(ANY_PORT).process(process);
        let _router = Routing::of(config.observe(move |event: &Event| drop(tell.send(event.clone()))));
        let ended = told.recv().await;
        assert!(
            matches!(&ended, Some(Event::ProcessEnded { why, .. }) if why.starts_with("can't be started")),
            "{ended:?}"
        );
    });
}

#[test]
fn changed_processes_are_replaced_one_after_the_other() {
    run(async {
        let endpoints = [("one", free_endpoint()), ("two", free_endpoint())];
        let config = |script: &str| {
            endpoints.iter().fold(Config::new().listen(ANY_PORT), |config, (name, endpoint)| {
                config.process(process(name, script)).worker(listed(endpoint, name, 10))
            })
        };
        let (tell, mut told) = unbounded_channel();
        let router =
            Routing::of(config("exec sleep 600").observe(move |event| drop(tell.send(event.clone()))));
        for _ in 0..2 {
            while !matches!(told.recv().await, Some(Event::ProcessStarted { .. })) {}
        }
        let changes = router.handle.reload(config("exec sleep 601")).await.unwrap();
        assert_eq!((changes.added.len(), changes.removed.len()), (2, 2), "{changes:?}");
        // The workers themselves are here, and each comes up once its process has started.
        let (mut seen, mut workers) = (Vec::new(), Vec::new());
        while seen.len() < 6 {
            match told.recv().await {
                Some(Event::ProcessEnded { name, pause: None, .. }) => seen.push((name, "ended")),
                Some(Event::ProcessStarted { name, .. }) => {
                    let endpoint = endpoints.iter().find(|(other, _)| *other == name);
                    workers.push(Worker::with(&endpoint.unwrap().1, |server| server));
                    seen.push((name, "started"));
                }
                Some(Event::WorkerUp { name }) => seen.push((name, "up")),
                Some(_) => {}
                None => panic!("the router is gone: {seen:?}"),
            }
        }
        let steps: Vec<_> = seen.iter().map(|(_, step)| *step).collect();
        assert_eq!(steps, ["ended", "started", "up", "ended", "started", "up"], "{seen:?}");
        assert!(seen[..3].iter().all(|(name, _)| *name == seen[0].0), "{seen:?}");
        assert!(seen[3..].iter().all(|(name, _)| *name == seen[3].0), "{seen:?}");
    });
}

#[test]
fn no_process_is_started_while_the_router_drains() {
    run(async {
        let folder = std::env::temp_dir().join(format!("zsvc-routed-process-{}", std::process::id()));
        let script = format!("until [ -e '{}' ]; do sleep 0.02; done; exit 3", folder.display());
        let worker = Worker::start();
        let (tell, mut told) = unbounded_channel();
        let config = Config::new().listen(ANY_PORT).process(process("script", &script));
        let config = config.worker(worker.listed("one", 10));
        let router = Routing::of(config.observe(move |event| drop(tell.send(event.clone()))));
        router.has_up(1).await;
        let (client, handle) = (router.client().await, router.handle.clone());
        let held = holding(&client, "gate");
        worker.journal.has("gate began").await;
        let stopping = tokio::spawn(router.stop());
        while client.echo(vec![1]).await.is_ok() {}
        std::fs::write(&folder, "").unwrap();
        let ended = loop {
            if let Some(Event::ProcessEnded { why, pause, .. }) = told.recv().await {
                break (why, pause);
            }
        };
        std::fs::remove_file(&folder).unwrap();
        assert!(ended.0.contains("exit status: 3") && ended.1.is_none(), "{ended:?}");
        assert_eq!(handle.calls().0, 1, "it drains still");
        worker.journal.open("gate");
        held.await.unwrap().unwrap();
        stopping.await.unwrap();
        while let Some(event) = told.recv().await {
            assert!(!matches!(event, Event::ProcessStarted { .. }), "{event}");
        }
    });
}
