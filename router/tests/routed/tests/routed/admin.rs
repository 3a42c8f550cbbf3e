//! What a router tells of itself, and the orders that it takes.

use zsvc::health::HealthClient;
use zsvc::{Channel, Code, Delivery, Error, Outcome};
use zsvc_calls::exchange::v1::Price;
use zsvc_routed::{ANY_PORT, PROBE, Routing, Worker, holding, run};
use zsvc_router::admin::{AdminClient, AdminError, WorkerState};
use zsvc_router::{Config, Grant, Scope};

use crate::published::{channel, live, next, price, schema};
use crate::relayed::Floor;

fn granted(call: &[&str]) -> Config {
    let call = call.iter().filter_map(|scope| Scope::read(scope)).collect();
    Config::new().listen(ANY_PORT).admin().grant(Grant { call, ..Grant::default() })
}

async fn admin_of(router: &Routing) -> AdminClient {
    AdminClient::new(Channel::connect(&router.endpoint).await.expect("the router listens"))
}

#[test]
fn a_router_tells_its_workers_routes_clients_and_numbers() {
    run(async {
        let worker = Worker::start();
        let config = granted(&["*", "zsvc.router.v1.Admin"]).worker(worker.listed("one", 10));
        let router = Routing::of(config);
        router.has_up(2).await;
        let (client, admin) = (router.client().await, admin_of(&router).await);
        let held = holding(&client, "gate");
        worker.journal.has("gate began").await;
        let workers = admin.workers().await.unwrap();
        assert_eq!(workers.len(), 1, "{workers:?}");
        let one = &workers[0];
        assert_eq!(
            (one.name.as_str(), one.state, one.in_flight, one.capacity),
            ("one", WorkerState::Up, 1, 10)
        );
        assert_eq!((one.services.as_slice(), one.draining), (&[PROBE.to_owned()][..], false));
        let listed = admin.routes().await.unwrap();
        assert_eq!(listed.len(), 1, "{listed:?}");
        assert_eq!((listed[0].service.as_str(), listed[0].workers, listed[0].live), (PROBE, 1, 1));
        let clients = admin.clients(1).await.unwrap();
        assert_eq!((clients.len(), clients[0].calls), (1, 1));
        assert!(clients[0].address.as_ref().unwrap().starts_with("127.0.0.1:"), "{clients:?}");
        let numbers = admin.read().await.unwrap();
        assert_eq!((numbers.workers, numbers.clients, numbers.waiting), (1, 2, 0));
        assert!(numbers.counted["forwarded"] >= 4, "{numbers:?}");
        worker.journal.open("gate");
        held.await.unwrap().unwrap();
    });
}

#[test]
fn a_router_tells_which_events_it_has_who_publishes_them_and_what_it_keeps() {
    run(async {
        let (floor, second) = (Floor::new(), Floor::new());
        let _workers = (floor.start(), second.start());
        let scope = |text: &str| vec![Scope::read(text).unwrap()];
        let grant = Grant {
            call: [scope("*"), scope("zsvc.router.v1.Admin")].concat(),
            subscribe: scope("*"),
            publish: scope("exchange.v1.Fill/publish"),
            ..Grant::default()
        };
        let config = Config::new().listen(ANY_PORT).admin().events(schema()).grant(grant);
        let config = config.relay(Scope::Method("exchange.v1.Price/subscribe".to_owned()));
        let router = Routing::of(config.worker(second.listed("two")).worker(floor.listed("one")));
        router.has_up(4).await;
        let (channel, admin) = (channel(&router).await, admin_of(&router).await);
        let mut prices = live::<Price>(&channel, &[]).await;
        for (symbol, cents) in [("ACME", 1), ("INIT", 2), ("ACME", 3)] {
            floor.prices.send(&price(symbol, cents)).unwrap();
            assert_eq!(next(&mut prices).await, Delivery::Event(price(symbol, cents)));
        }
        let listed = admin.routes().await.unwrap();
        let of =
            |name: &str| listed.iter().find(|route| route.service == format!("exchange.v1.{name}")).unwrap();
        let (route, event) = (of("Price"), of("Price").event.as_ref().unwrap());
        assert_eq!((route.workers, route.live), (2, 2));
        assert_eq!((event.relayed, event.published, event.subscribers), (true, false, 1));
        assert_eq!(event.publishers, ["one", "two"]);
        assert_eq!((event.sent, event.kept, event.kept_bytes > 0), (3, 2, true), "the last of each symbol");
        let (route, event) = (of("Fill"), of("Fill").event.as_ref().unwrap());
        assert_eq!((route.workers, event.relayed, event.published, event.subscribers), (0, false, true, 0));
        assert_eq!(event.publishers, [""; 0]);
        // Passed on as calls are.
        assert_eq!(of("Halt").event, None);
        let names: Vec<_> = listed.iter().map(|route| route.service.as_str()).collect();
        assert!(names.is_sorted(), "{names:?}");
    });
}

#[test]
fn a_worker_that_is_drained_gets_no_calls_until_it_is_resumed() {
    run(async {
        let (first, second) = (Worker::start(), Worker::start());
        let config = granted(&["*", "zsvc.router.v1.*"]);
        let router =
            Routing::of(config.worker(first.listed("first", 10)).worker(second.listed("second", 10)));
        router.has_up(3).await;
        let (client, admin) = (router.client().await, admin_of(&router).await);
        admin.drain("first").await.unwrap();
        for _ in 0..20 {
            client.note("while drained").await.unwrap();
        }
        client.echo(vec![1]).await.unwrap();
        while second.journal.count("while drained") < 20 {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        assert_eq!(first.journal.count("while drained"), 0);
        assert!(admin.workers().await.unwrap()[0].draining);
        admin.resume("first").await.unwrap();
        admin.drain("second").await.unwrap();
        client.note("resumed").await.unwrap();
        first.journal.has("resumed").await;
        for name in ["third", "zsvc.router"] {
            let Err(Error::Declared(AdminError::NoSuchWorker { name: told })) = admin.drain(name).await
            else {
                panic!("there is no worker `{name}` to be drained");
            };
            assert_eq!(told, name);
        }
    });
}

#[test]
fn the_router_itself_is_granted_by_name_alone() {
    run(async {
        let router = Routing::of(granted(&["*"]));
        router.has_up(1).await;
        let Err(Error::Declared(_) | Error::Status(_)) = admin_of(&router).await.drain("x").await else {
            panic!("it is not granted");
        };
        let status = admin_of(&router).await.read().await.unwrap_err();
        assert_eq!((status.code(), status.outcome()), (Code::Unauthenticated, Outcome::NotSent), "{status}");
        // Whether it is well may be asked by all.
        let health = HealthClient::new(Channel::connect(&router.endpoint).await.unwrap());
        assert_eq!(health.check("").await.unwrap(), zsvc::health::Status::Serving);
    });
}

#[test]
fn a_router_that_drains_says_that_it_is_not_well_and_ends() {
    run(async {
        let router = Routing::of(granted(&["*"]));
        router.has_up(1).await;
        let health = HealthClient::new(Channel::connect(&router.endpoint).await.unwrap());
        let mut watched = health.watch("").await.unwrap();
        let next = |item: Option<_>| item.map(|item: Result<_, _>| item.unwrap());
        assert_eq!(next(watched.next().await), Some(zsvc::health::Status::Serving));
        router.stop().await;
        assert_eq!(next(watched.next().await), Some(zsvc::health::Status::NotServing));
    });
}
