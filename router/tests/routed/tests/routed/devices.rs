//! Devices between the router and its peers: the unmodified `zmq_proxy`.

use std::thread::{self, JoinHandle};
use std::time::Duration;

use futures_util::TryStreamExt;
use zsvc::{Channel, Code, Outcome, Retry};
use zsvc_calls::probe::v1::ProbeClient;
use zsvc_routed::{ANY_PORT, Routing, Worker, free_endpoint, listed, run};
use zsvc_router::forwarder::WorkerState;
use zsvc_router::{Config, Grant, Scope};

/// A device in front of an endpoint, which runs until it is dropped.
struct Device {
    endpoint: String,
    control: zmq::Socket,
    running: Option<JoinHandle<()>>,
}

impl Device {
    fn before(endpoint: &str) -> Self {
        let context = zmq::Context::new();
        let socket = |kind| {
            let socket = context.socket(kind).expect("a socket");
            socket.set_linger(0).expect("libzmq has this option");
            socket
        };
        let bind = |socket: &zmq::Socket, endpoint: &str| {
            socket.bind(endpoint).expect("the endpoint is free");
            socket.get_last_endpoint().expect("it is bound").expect("it is text")
        };
        let (mut front, mut back) = (socket(zmq::ROUTER), socket(zmq::DEALER));
        let bound = bind(&front, "tcp://127.0.0.1:*");
        back.connect(endpoint).expect("the endpoint is valid");
        let (control, mut told) = (socket(zmq::PAIR), socket(zmq::PAIR));
        told.connect(&bind(&control, "inproc://control")).expect("it is bound");
        let running = thread::spawn(move || {
            zmq::proxy_steerable(&mut front, &mut back, &mut told).expect("it runs until it is told to end");
        });
        Self { endpoint: bound, control, running: Some(running) }
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        if self.control.send("TERMINATE", 0).is_ok()
            && let Some(running) = self.running.take()
        {
            let _ = running.join();
        }
    }
}

async fn client_of(endpoint: &str) -> ProbeClient {
    let channel = Channel::builder().endpoint(endpoint).retry(Retry::none()).connect().await;
    ProbeClient::new(channel.expect("a pong comes back"))
}

/// A message with the call 5 of `hold("gate")`.
fn held_call() -> Vec<u8> {
    [&[1, 0x94, 1, 5, 0xb3], &b"probe.v1.Probe/hold"[..], &[0xc4, 6, 0x91, 0xa4], b"gate"].concat()
}

/// A configuration by which silent peers are found out within a second.
fn alert() -> Config {
    let second = Duration::from_secs(1);
    Config::new().listen(ANY_PORT).peer_timeout(second).worker_timeout(second)
}

#[test]
fn calls_pass_through_devices_on_both_sides() {
    run(async {
        let worker = Worker::start();
        let inner = Device::before(&worker.endpoint);
        let router = Routing::to([listed(&inner.endpoint, "one", 10)]);
        let outer = Device::before(&router.endpoint);
        router.has_up(1).await;
        let (first, second) = (client_of(&outer.endpoint).await, client_of(&outer.endpoint).await);
        assert_eq!(first.echo(vec![1]).await.unwrap(), vec![1]);
        assert_eq!(second.echo(vec![2]).await.unwrap(), vec![2]);
        let counted: Vec<u64> = first.count(20_000).await.unwrap().try_collect().await.unwrap();
        assert_eq!(counted.len(), 20_000);
    });
}

#[test]
fn calls_of_a_caller_that_has_gone_behind_a_device_end() {
    run(async {
        let worker = Worker::start();
        let router = Routing::of(alert().worker(worker.listed("one", 10)));
        let device = Device::before(&router.endpoint);
        router.has_up(1).await;
        // A caller that makes a call, and never says anything again.
        let context = zmq::Context::new();
        let caller = context.socket(zmq::DEALER).expect("a socket");
        caller.set_linger(-1).expect("libzmq has this option");
        caller.connect(&device.endpoint).expect("the endpoint is valid");
        caller.send(held_call(), 0).expect("the message is queued");
        worker.journal.has("gate began").await;
        drop(caller);
        worker.journal.has("gate dropped").await;
        router.sees(|workers| workers[0].in_flight == 0).await;
        assert_eq!(router.calls(), 0);
    });
}

#[test]
fn a_worker_that_is_started_anew_behind_a_device_fails_what_it_had_and_goes_on() {
    run(async {
        let worker = Worker::with(&free_endpoint(), |server| server);
        let device = Device::before(&worker.endpoint);
        let router = Routing::of(alert().worker(listed(&device.endpoint, "one", 10)));
        router.has_up(1).await;
        let client = router.client().await;
        let held = tokio::spawn({
            let client = client.clone();
            async move { client.hold("gate").no_deadline().await }
        });
        worker.journal.has("gate began").await;
        let endpoint = worker.endpoint.clone();
        worker.kill().await;
        let _worker = Worker::with(&endpoint, |server| server);
        let status = held.await.unwrap().unwrap_err();
        assert_eq!(
            (status.code(), status.outcome()),
            (Code::Unavailable, Outcome::MaybeExecuted),
            "{status}"
        );
        assert_eq!(client.echo(vec![3]).await.unwrap(), vec![3]);
        router.sees(|workers| workers[0].state == WorkerState::Up && !workers[0].is_silent).await;
    });
}

#[test]
fn a_worker_behind_a_device_does_not_register_and_holds_up_nobody_there() {
    run(async {
        let worker = Worker::start();
        let open = Grant { call: vec![Scope::All], serve: vec![Scope::All], ..Grant::default() };
        let router = Routing::of(Config::new().listen(ANY_PORT).grant(open).worker(worker.listed("one", 10)));
        let device = Device::before(&router.endpoint);
        router.has_up(1).await;
        let _behind = Worker::registering(device.endpoint.as_str());
        while router.counters().refused == 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        assert_eq!(client_of(&device.endpoint).await.echo(vec![4]).await.unwrap(), vec![4]);
        router.has_up(1).await;
    });
}
