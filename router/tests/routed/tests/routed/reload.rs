//! Another configuration is taken over while calls are in flight.

use zsvc::curve::SecretKey;
use zsvc::{Cause, Code, Outcome};
use zsvc_routed::{ANY_PORT, Routing, Worker, holding, run};
use zsvc_router::{Config, Grant, Scope};

#[test]
fn workers_come_and_go_without_a_lost_call() {
    run(async {
        let (first, second) = (Worker::start(), Worker::start());
        let router = Routing::to([first.listed("first", 10)]);
        router.has_up(1).await;
        let client = router.client().await;
        let held = holding(&client, "gate");
        first.journal.has("gate began").await;
        let config = Config::new().listen(ANY_PORT).worker(second.listed("second", 10));
        let changes = router.handle.reload(config).await.unwrap();
        assert_eq!((changes.added, changes.removed), (vec!["second".to_owned()], vec!["first".to_owned()]));
        assert!(changes.need_restart.is_empty(), "{:?}", changes.need_restart);
        router
            .sees(|workers| workers.iter().any(|worker| worker.name == "first" && worker.is_draining))
            .await;
        assert_eq!(client.echo(vec![1]).await.unwrap(), vec![1]);
        first.journal.open("gate");
        held.await.unwrap().unwrap();
        router.sees(|workers| workers.iter().all(|worker| worker.name == "second")).await;
    });
}

#[test]
fn grants_hold_from_the_next_call_on() {
    run(async {
        let worker = Worker::start();
        let config = |call: Option<&str>| {
            let config = Config::new().listen(ANY_PORT).worker(worker.listed("one", 10));
            call.into_iter()
                .filter_map(Scope::read)
                .fold(config, |config, scope| config.grant(Grant { call: vec![scope], ..Grant::default() }))
        };
        let router = Routing::of(config(Some("probe.v1.Probe/echo")));
        router.has_up(1).await;
        let client = router.client().await;
        client.echo(vec![1]).await.unwrap();
        let refused = client.look().await.unwrap_err();
        assert_eq!(
            (refused.code(), refused.outcome()),
            (Code::Unauthenticated, Outcome::NotSent),
            "{refused}"
        );
        assert_eq!(refused.cause(), Some(Cause::Forbidden));
        router.handle.reload(config(Some("probe.v1.Probe/look"))).await.unwrap();
        client.look().await.unwrap();
        assert_eq!(client.echo(vec![1]).await.unwrap_err().code(), Code::Unauthenticated);
        router.handle.reload(config(None)).await.unwrap();
        client.echo(vec![1]).await.unwrap();
    });
}

#[test]
fn a_key_that_has_changed_is_told() {
    run(async {
        let config = |byte: u8| Config::new().listen(ANY_PORT).worker_key(SecretKey::from_bytes(&[byte; 32]));
        let router = Routing::of(config(1));
        let same = router.handle.reload(config(1)).await.unwrap();
        assert!(same.need_restart.is_empty(), "{:?}", same.need_restart);
        let other = router.handle.reload(config(2)).await.unwrap();
        assert_eq!(other.need_restart, ["key_file"]);
    });
}
