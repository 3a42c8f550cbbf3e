//! Names of the configuration file that are checked against what workers say that they have.

use std::path::Path;

use tokio::sync::mpsc;
use zsvc::dynamic::{self, RawService, RawValue};
use zsvc::{Bytes, Channel, MethodKind, Register};
use zsvc_routed::{ANY_PORT, Routing, Worker, free_endpoint, run};
use zsvc_router::admin::AdminClient;
use zsvc_router::{Config, Event, Router, file};

/// A file in which a worker and a grant have names of their own.
fn text(endpoint: &str, services: &str, call: &str) -> String {
    format!(
        "listen = [\"{ANY_PORT}\"]\nadmin = true\n[[grant]]\ncall = [{call}, \"zsvc.router.v1.Admin\"]\nserve = [\"*\"]\n\
         [[worker]]\nname = \"one\"\nconnect = \"{endpoint}\"\nservices = [{services}]\n"
    )
}

fn parsed(text: &str) -> Config {
    file::parse(Path::new("router.toml"), text).expect("nothing is wrong without workers")
}

/// Returns what a router finds wrong when it starts.
async fn at_start(text: &str) -> String {
    let mut router = Router::bind(parsed(text)).expect("it can be bound");
    router.check_names().await.err().map_or_else(String::new, |error| error.to_string())
}

const PROBE: &str = "\"probe.v1.Probe\"";

#[test]
fn what_no_worker_has_is_told_at_the_start_with_its_place() {
    run(async {
        let worker = Worker::start();
        let right = text(&worker.endpoint, PROBE, "\"probe.v1.Probe/echo\", \"other.v1.Other/m\"");
        assert_eq!(at_start(&right).await, "");
        let services = "\"probe.v1.Probe\", \"probe.v1.Prob\"";
        let wrong = text(&worker.endpoint, services, "\"probe.v1.Probe/ecko\", \"probe.v1.Probe/subscribe\"");
        let told = at_start(&wrong).await;
        assert_eq!(
            told.lines().collect::<Vec<_>>(),
            [
                "router.toml:4:9: `probe.v1.Probe` has no method `ecko` at the worker `one`; did you mean `probe.v1.Probe/echo`?",
                "router.toml:4:32: `probe.v1.Probe` is no event at the worker `one`; write the name as in the schema of the worker",
                "router.toml:9:31: the worker `one` has no service `probe.v1.Prob`; did you mean `probe.v1.Probe`?",
            ]
        );
    });
}

#[test]
fn a_worker_that_can_not_be_reached_or_does_not_tell_says_nothing() {
    run(async {
        let silent = Worker::with(ANY_PORT, |server| server.reflection(false));
        // A connection is taken, and nothing is ever said.
        let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mute = format!("tcp://{}", mute.local_addr().unwrap());
        for endpoint in [&silent.endpoint, &mute, &free_endpoint()] {
            assert_eq!(at_start(&text(endpoint, PROBE, "\"probe.v1.Probe/ecko\"")).await, "", "{endpoint}");
        }
    });
}

#[test]
fn what_another_worker_may_have_that_can_not_be_reached_is_told_and_the_router_starts() {
    run(async {
        let (worker, other) = (Worker::start(), Worker::start());
        let named = |endpoint: &str| {
            let one = text(&worker.endpoint, PROBE, "\"probe.v1.Probe/ecko\"");
            format!("{one}[[worker]]\nname = \"two\"\nconnect = \"{endpoint}\"\nservices = [{PROBE}]\n")
        };
        let (sender, mut told) = mpsc::unbounded_channel();
        let config = parsed(&named(&free_endpoint())).observe(move |event| {
            if let Event::NameUnknown { place, .. } = event {
                let _ = sender.send(place.clone());
            }
        });
        let mut router = Router::bind(config).expect("it can be bound");
        router.check_names().await.expect("the other one may have it");
        assert_eq!(told.recv().await.as_deref(), Some("router.toml:4:9"));
        assert!(at_start(&named(&other.endpoint)).await.starts_with("router.toml:4:9: "), "neither has it");
    });
}

/// What a worker may answer that is asked what it has.
#[derive(Clone, Copy)]
enum Says {
    Nothing,
    TooMuch,
    Nonsense,
}

#[test]
fn a_hostile_answer_is_bounded_and_says_nothing() {
    run(async {
        for says in [Says::Nothing, Says::TooMuch, Says::Nonsense] {
            let name = "zsvc.reflection.v1.Reflection/services";
            let method = dynamic::method(name, MethodKind::Unary, None, false);
            let service = RawService::new(vec![method], move |_| {
                Box::pin(async move {
                    match says {
                        Says::Nothing => std::future::pending().await,
                        // A list of numbers of a byte.
                        Says::TooMuch => {
                            let list = [&[0xdd, 0, 0x20, 0, 0][..], &[1].repeat(0x20_0000)].concat();
                            Ok(Some(RawValue::new(Bytes::from(list))))
                        }
                        Says::Nonsense => Ok(Some(RawValue::new(Bytes::from_static(b"\x91\xc1")))),
                    }
                })
            });
            let worker = Worker::with(ANY_PORT, |server| server.reflection(false).service(service));
            let text = text(&worker.endpoint, PROBE, "\"probe.v1.Probe/ecko\"");
            assert_eq!(at_start(&text).await, "");
            // The worker gets calls as any other.
            let call = text.replace("ecko", "echo");
            let router = Routing::of(parsed(&call));
            assert_eq!(router.patient_client().await.echo(vec![1]).await.unwrap(), vec![1]);
        }
    });
}

#[test]
fn a_worker_that_comes_later_is_told_in_the_log_and_by_the_admin_service() {
    run(async {
        let (tell, mut told) = mpsc::unbounded_channel();
        let text = text(&free_endpoint(), PROBE, "\"probe.v1.Probe/ecko\"");
        let observed = move |event: &Event| drop(tell.send(event.clone()));
        let router = Routing::of(parsed(&text).observe(observed));
        let admin = AdminClient::new(Channel::connect(&router.endpoint).await.unwrap());
        assert_eq!(admin.mistakes().await.unwrap(), []);
        let _worker = Worker::registering(Register::at(&router.endpoint).name("late"));
        let mut name_unknown = async || loop {
            if let Event::NameUnknown { place, why } = told.recv().await.expect("the router runs") {
                return format!("{place}: {why}");
            }
        };
        let wrong = "router.toml:4:9: `probe.v1.Probe` has no method `ecko` at the worker `late`; did you mean `probe.v1.Probe/echo`?";
        assert_eq!(name_unknown().await, wrong);
        let listed = admin.mistakes().await.unwrap();
        assert_eq!((listed.len(), router.handle.mistakes().len()), (1, 1));
        assert_eq!(format!("{}: {}; {}", listed[0].place, listed[0].message, listed[0].help), wrong);
        // The names of another configuration are asked for anew.
        router.handle.reload(parsed(&text.replace("ecko", "hollow"))).await.unwrap();
        assert!(name_unknown().await.contains("no method `hollow` at the worker `late`"));
        router.handle.reload(parsed(&text.replace("ecko", "echo"))).await.unwrap();
        while !router.handle.mistakes().is_empty() {
            tokio::task::yield_now().await;
        }
        // The router forgets none of its own calls, though the last may end a bit later than its answer is there.
        while router.calls() > 0 {
            tokio::task::yield_now().await;
        }
    });
}
