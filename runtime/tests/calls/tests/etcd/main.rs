//! The registry in etcd, with a real one: `cargo test -p zsvc-calls --features etcd --test etcd`. Needs the program `etcd` on the
//! `PATH`; Debian has it in the package `etcd-server`.

mod cluster;

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use zsvc::discovery::Etcd;
use zsvc::{Channel, ConnectionState, ServeError, Server};
use zsvc_calls::Probe;
use zsvc_calls::probe::v1::{ProbeClient, ProbeServer};

use cluster::Cluster;

const PROBE: &str = "probe.v1.Probe";
/// Time after which a test hangs. etcd takes a second to start, and a lease of two seconds has to run out.
const TEST_TIMEOUT: Duration = Duration::from_mins(1);

fn test<F: Future>(run: F) -> F::Output {
    let _watchdog = zsvc_calls::Watchdog::of_this_test(2 * TEST_TIMEOUT);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async { tokio::time::timeout(TEST_TIMEOUT, run).await.expect("the test hangs") })
}

/// A server that is announced.
struct Announced {
    endpoint: String,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), ServeError>>,
}

impl Announced {
    fn start(etcd: &Etcd) -> Self {
        let server = Server::builder().service(ProbeServer::new(Probe::default()));
        let server = server.bind("tcp://127.0.0.1:*").announce(etcd.clone()).listen().unwrap();
        let endpoint = server.endpoints()[0].clone();
        let (stop, stopped) = oneshot::channel();
        Self { endpoint, stop, task: tokio::spawn(server.serve_until(stopped)) }
    }

    async fn stop(self) {
        drop(self.stop);
        self.task.await.unwrap().unwrap();
    }

    /// Stops without a word, as a process that is killed.
    fn kill(self) {
        self.task.abort();
    }
}

/// Waits until the channel is connected to exactly these servers.
async fn connected_to(channel: &Channel, servers: &[&Announced]) {
    let mut watch = channel.watch();
    let mut expected: Vec<_> = servers.iter().map(|server| server.endpoint.clone()).collect();
    expected.sort();
    loop {
        let ready = channel.states().into_iter().filter(|state| state.state == ConnectionState::Ready);
        let mut up: Vec<_> = ready.map(|state| state.endpoint).collect();
        up.sort();
        if up == expected {
            return;
        }
        watch.changed().await.unwrap();
    }
}

#[test]
fn servers_are_found_and_followed() {
    test(async {
        let cluster = Cluster::start().await;
        let etcd = cluster.registry();
        let one = Announced::start(&etcd);
        let channel = Channel::builder().discover(etcd.clone(), PROBE).connect().await.unwrap();
        let other = Announced::start(&etcd);
        connected_to(&channel, &[&one, &other]).await;
        let keys = cluster.keys("/zsvc/services/").await;
        assert_eq!(keys.len(), 2, "{keys:?}");
        assert!(keys.iter().all(|key| key.starts_with("/zsvc/services/probe.v1.Probe/")), "{keys:?}");
        let endpoint = one.endpoint.clone();
        one.stop().await;
        // Its entry went as it stopped, long before its lease would have run out.
        assert_eq!(cluster.keys("/zsvc/services/").await.len(), 1);
        connected_to(&channel, &[&other]).await;
        assert!(
            !channel
                .states()
                .iter()
                .any(|state| state.endpoint == endpoint && state.state == ConnectionState::Ready)
        );
        assert_eq!(ProbeClient::new(channel).echo("x").await.unwrap(), "x");
        other.stop().await;
    });
}

#[test]
fn the_entry_of_a_server_that_was_killed_goes() {
    test(async {
        let cluster = Cluster::start().await;
        let etcd = cluster.registry().ttl(Duration::from_secs(2));
        let server = Announced::start(&etcd);
        cluster.has_keys("/zsvc/services/", 1).await;
        server.kill();
        cluster.has_keys("/zsvc/services/", 0).await;
    });
}

#[test]
fn a_lease_that_has_run_out_is_replaced() {
    test(async {
        let cluster = Cluster::start().await;
        let etcd = cluster.registry().ttl(Duration::from_secs(2));
        let server = Announced::start(&etcd);
        cluster.has_keys("/zsvc/services/", 1).await;
        // As if the process had stood still for longer than its lease.
        cluster.revoke_all_leases().await;
        assert!(cluster.keys("/zsvc/services/").await.is_empty());
        cluster.has_keys("/zsvc/services/", 1).await;
        server.stop().await;
        assert!(cluster.keys("/zsvc/services/").await.is_empty());
    });
}

#[test]
fn what_is_known_holds_while_etcd_is_gone() {
    test(async {
        let mut cluster = Cluster::start().await;
        let etcd = cluster.registry();
        let server = Announced::start(&etcd);
        let channel = Channel::builder().discover(etcd.clone(), PROBE).connect().await.unwrap();
        cluster.stop();
        let probe = ProbeClient::new(channel.clone());
        for _ in 0..20 {
            assert_eq!(probe.echo("x").await.unwrap(), "x");
        }
        // A server that starts meanwhile serves, and is listed once etcd is back.
        let other = Announced::start(&etcd);
        assert_eq!(ProbeClient::connect(&*other.endpoint).await.unwrap().echo("y").await.unwrap(), "y");
        cluster.start_again().await;
        connected_to(&channel, &[&server, &other]).await;
    });
}

#[test]
fn a_cluster_that_has_lost_its_memory_is_told_anew() {
    test(async {
        let mut cluster = Cluster::start().await;
        let etcd = cluster.registry().ttl(Duration::from_secs(2));
        let server = Announced::start(&etcd);
        let channel = Channel::builder().discover(etcd.clone(), PROBE).connect().await.unwrap();
        cluster.stop();
        cluster.forget();
        cluster.start_again().await;
        assert_eq!(ProbeClient::new(channel.clone()).echo("x").await.unwrap(), "x");
        cluster.has_keys("/zsvc/services/", 1).await;
        let other = Announced::start(&etcd);
        connected_to(&channel, &[&server, &other]).await;
    });
}

#[test]
fn a_compacted_history_is_read_anew() {
    test(async {
        let cluster = Cluster::start().await;
        let etcd = cluster.registry();
        let server = Announced::start(&etcd);
        let channel = Channel::builder().discover(etcd.clone(), PROBE).connect().await.unwrap();
        for at in 0..50 {
            cluster.put(&format!("/other/{at}"), "x").await;
        }
        cluster.compact().await;
        let other = Announced::start(&etcd);
        connected_to(&channel, &[&server, &other]).await;
    });
}

#[test]
fn entries_of_other_programs_are_read_and_nonsense_is_left_out() {
    test(async {
        let cluster = Cluster::start().await;
        let server = Server::builder().service(ProbeServer::new(Probe::default()));
        let server = server.bind("tcp://127.0.0.1:*").listen().unwrap();
        let endpoint = server.endpoints()[0].clone();
        tokio::spawn(server.serve());
        let of_server = format!(r#"{{"endpoints":["{endpoint}"],"zone":"a"}}"#);
        for (key, value) in [("a", &*of_server), ("b", "nonsense"), ("c", "{}"), ("d", r#"{"endpoints":[]}"#)]
        {
            cluster.put(&format!("/mine/services/{PROBE}/{key}"), value).await;
        }
        let etcd = cluster.registry().prefix("/mine");
        let channel = Channel::builder().discover(etcd, PROBE).connect().await.unwrap();
        assert_eq!(ProbeClient::new(channel.clone()).echo("x").await.unwrap(), "x");
        assert_eq!(channel.states().iter().filter(|state| state.endpoint.starts_with("tcp://")).count(), 1);
    });
}

#[test]
fn the_next_server_of_etcd_is_asked_where_one_is_gone() {
    test(async {
        let cluster = Cluster::start().await;
        let etcd = Etcd::new(["http://127.0.0.1:1", cluster.endpoint()]);
        let server = Announced::start(&etcd);
        let channel = Channel::builder().discover(etcd, PROBE).connect().await.unwrap();
        connected_to(&channel, &[&server]).await;
    });
}

#[test]
fn users_and_passwords_of_etcd_are_taken() {
    test(async {
        let cluster = Cluster::start().await;
        cluster.protect("root", "secret").await;
        let status =
            Channel::builder().discover(cluster.registry(), PROBE).fail_fast().connect().await.unwrap_err();
        assert!(
            status.message().contains("its registry can't be asked: etcd at http://127.0.0.1:"),
            "{status}"
        );
        let wrong = cluster.registry().user("root", "wrong");
        let status = Channel::builder().discover(wrong, PROBE).fail_fast().connect().await.unwrap_err();
        assert!(status.message().contains("authentication failed"), "{status}");
        assert!(!status.message().contains("wrong"), "{status}");
        let etcd = cluster.registry().user("root", "secret");
        let server = Announced::start(&etcd);
        let channel = Channel::builder().discover(etcd, PROBE).connect().await.unwrap();
        connected_to(&channel, &[&server]).await;
    });
}

#[test]
fn an_etcd_that_can_not_be_asked_is_told() {
    test(async {
        let etcd = Etcd::new(["http://127.0.0.1:1"]);
        let status = Channel::builder().discover(etcd, PROBE).fail_fast().connect().await.unwrap_err();
        assert!(
            status.message().contains("etcd at http://127.0.0.1:1") && status.message().contains("refused"),
            "{status}"
        );
        let none =
            Channel::builder().discover(Etcd::new([] as [String; 0]), PROBE).fail_fast().connect().await;
        assert!(none.unwrap_err().message().contains("no server of etcd was given"));
        let https = Channel::builder()
            .discover(Etcd::new(["https://127.0.0.1:1"]), PROBE)
            .fail_fast()
            .connect()
            .await;
        let told = https.unwrap_err();
        assert!(told.message().contains("https://127.0.0.1:1"), "{told}");
    });
}
