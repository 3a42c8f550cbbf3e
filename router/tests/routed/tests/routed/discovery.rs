//! Workers that are found, and come and go without a change of the configuration.

use std::io;

use tokio::sync::{mpsc, watch};
use zsvc::discovery::{Discover, Found, FoundServer};
use zsvc::forward::Registry;
use zsvc_routed::{ANY_PORT, PROBE, Routing, Worker, holding, run};
use zsvc_router::{Config, Discovered, Event, RouterError, Source};

/// A registry that tells what the test says, and fails while that is nothing.
struct Told(watch::Receiver<Option<Vec<String>>>);

impl Discover for Told {
    async fn follow(&self, service: &str, found: &Found) -> io::Result<()> {
        assert_eq!(service, PROBE);
        let mut told = self.0.clone();
        loop {
            let endpoints = told.borrow_and_update().clone();
            let endpoints = endpoints.ok_or_else(|| io::Error::other("the registry is gone"))?;
            found.set(endpoints.into_iter().map(|endpoint| FoundServer {
                instance: endpoint.clone(),
                endpoints: vec!["nowhere".to_owned(), endpoint],
            }));
            told.changed().await.map_err(io::Error::other)?;
        }
    }
}

fn found_in(source: Source) -> Discovered {
    Discovered {
        source,
        services: vec![PROBE.to_owned()],
        capacity: 10,
        standby: 0,
        realm: String::new(),
        public_key: None,
    }
}

#[test]
fn workers_that_are_found_come_and_go_without_a_lost_call() {
    run(async {
        let (first, second) = (Worker::start(), Worker::start());
        let (tell, told) = watch::channel(Some(vec![first.endpoint.clone()]));
        let source = Source::Registry(Registry::new(Told(told)));
        let config = || Config::new().listen(ANY_PORT).discover(found_in(source.clone()));
        let router = Routing::of(config());
        // Before it was found: it waits.
        let client = router.client().await;
        client.echo(vec![1]).await.unwrap();
        let held = holding(&client, "gate");
        first.journal.has("gate began").await;
        tell.send_replace(Some(vec![second.endpoint.clone()]));
        router.sees(|workers| workers.iter().any(|worker| worker.name == second.endpoint)).await;
        router.has_up(2).await;
        client.echo(vec![2]).await.unwrap();
        first.journal.open("gate");
        held.await.unwrap().unwrap();
        router.sees(|workers| workers.len() == 1).await;
        // What is known holds while the registry is gone, or has forgotten all; and over a reload.
        tell.send_replace(None);
        tell.send_replace(Some(Vec::new()));
        let changes = router.handle.reload(config()).await.unwrap();
        assert!(changes.added.is_empty() && changes.removed.is_empty(), "{changes:?}");
        client.echo(vec![3]).await.unwrap();
        // It is back, and so is the first worker.
        tell.send_replace(Some(vec![first.endpoint.clone(), second.endpoint.clone()]));
        router.has_up(2).await;
    });
}

#[test]
fn workers_are_found_by_a_name_in_dns() {
    run(async {
        let worker = Worker::start();
        let port = worker.endpoint.rsplit(':').next().unwrap().parse().unwrap();
        let source = Source::Dns { host: "localhost".to_owned(), port };
        let router = Routing::of(Config::new().listen(ANY_PORT).discover(found_in(source)));
        router.has_up(1).await;
        router.client().await.echo(vec![1]).await.unwrap();
    });
}

#[test]
fn a_worker_that_is_listed_is_not_taken_twice() {
    run(async {
        let worker = Worker::start();
        let (_tell, told) = watch::channel(Some(vec![worker.endpoint.clone()]));
        let source = Source::Registry(Registry::new(Told(told)));
        let config = Config::new().listen(ANY_PORT).worker(worker.listed("one", 10));
        let router = Routing::of(config.discover(found_in(source)));
        router.has_up(1).await;
        router.client().await.echo(vec![1]).await.unwrap();
        assert_eq!(router.handle.workers().len(), 1);
    });
}

#[test]
fn what_was_found_holds_over_a_changed_configuration_while_the_registry_is_gone() {
    run(async {
        let worker = Worker::start();
        let (tell, told) = watch::channel(Some(vec![worker.endpoint.clone()]));
        let source = Source::Registry(Registry::new(Told(told)));
        let config = |capacity| {
            let discovered = Discovered { capacity, ..found_in(source.clone()) };
            Config::new().listen(ANY_PORT).discover(discovered)
        };
        let (report, mut reported) = mpsc::unbounded_channel();
        let router = Routing::of(config(10).observe(move |event| drop(report.send(event.clone()))));
        router.has_up(1).await;
        let client = router.client().await;
        let mut none_found = async |reason: &str| {
            while let Some(event) = reported.recv().await {
                if matches!(&event, Event::NoneFound { why, .. } if why.contains(reason)) {
                    return;
                }
            }
        };
        // None that can be used is no word of any.
        tell.send_replace(Some(vec!["nonsense".to_owned()]));
        none_found("can be connected to").await;
        client.echo(vec![1]).await.unwrap();
        tell.send_replace(None);
        none_found("the registry is gone").await;
        let changes = router.handle.reload(config(3)).await.unwrap();
        assert_eq!(changes.changed, std::slice::from_ref(&worker.endpoint), "{changes:?}");
        assert!(changes.added.is_empty() && changes.removed.is_empty(), "{changes:?}");
        assert_eq!(router.handle.workers()[0].capacity, 3);
        client.echo(vec![2]).await.unwrap();
        // One that is refused changes nothing.
        let twice = config(4).worker(worker.listed("one", 10)).worker(worker.listed("one", 10));
        let refused = router.handle.reload(twice).await.unwrap_err();
        assert!(matches!(refused, RouterError::SameName { .. }), "{refused}");
        assert_eq!(router.handle.workers().len(), 1);
        client.echo(vec![3]).await.unwrap();
    });
}
