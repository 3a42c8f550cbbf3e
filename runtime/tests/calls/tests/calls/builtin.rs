//! The services that every server has by itself: what they tell, whom, and until when.

mod schema_check;
mod stats;

use std::collections::BTreeMap;
use std::time::Duration;

use zsvc::health::{Health, HealthClient, HealthError, HealthServer, Reporter, Status};
use zsvc::reflection::{HasSchema, MethodKind, ReflectionClient, ReflectionError, ServiceInfo};
use zsvc::testing::TestServer;
use zsvc::{Cause, Channel, Code, Context, Error, Identity, Server, ServerBuilder, Timestamp};
use zsvc_calls::exchange::v1::Price;
use zsvc_calls::market::v1::{TapeClient, TapeMock, TapeServer};
use zsvc_calls::probe::v1::{ProbeClient, ProbeMock, ProbeServer};
use zsvc_calls::vault::v1::{VaultMock, VaultServer};
use zsvc_idl::schema::Schema;
use zsvc_idl::{bundle, compat};

use crate::support::{Running, on_one_thread};

const HEALTH: &str = "zsvc.health.v1.Health";
const REFLECTION: &str = "zsvc.reflection.v1.Reflection";
const STATS: &str = "zsvc.stats.v1.Stats";

/// Returns the files that a server tells of a service, whole, in the order in which they came.
async fn files(reflection: &ReflectionClient, service: &str) -> Vec<(String, String)> {
    let mut parts = reflection.schema(service).await.expect("the server is up");
    let mut files: Vec<(String, String)> = Vec::new();
    while let Some(part) = parts.next().await {
        let part = part.expect("the service is served");
        match files.last_mut().filter(|(path, _)| *path == part.path) {
            Some((_, text)) => text.push_str(&part.text),
            None => files.push((part.path, part.text)),
        }
    }
    files
}

fn compiled(files: Vec<(String, String)>) -> Schema {
    let compilation = bundle::compile(files);
    compilation.schema.unwrap_or_else(|| panic!("{:#?}", compilation.diagnostics))
}

async fn served(channel: &Channel) -> Vec<String> {
    let services = ReflectionClient::new(channel.clone()).services().await.expect("it is told");
    services.into_iter().map(|service| service.name).collect()
}

/// Returns the names and kinds of a service's methods as its schema has them.
fn methods_of(schema: &Schema, full_name: &str) -> BTreeMap<String, MethodKind> {
    let (package, name) = full_name.rsplit_once('.').expect("it has a package");
    let package = schema.packages.iter().find(|it| it.full_name() == package).expect("it is there");
    let service = package.services.iter().find(|it| it.name == name).expect("it is there");
    let kind = |kind: &zsvc_idl::schema::MethodKind| match kind {
        zsvc_idl::schema::MethodKind::Unary(_) => MethodKind::Unary,
        zsvc_idl::schema::MethodKind::ServerStream(_) => MethodKind::ServerStream,
        zsvc_idl::schema::MethodKind::ClientStream(..) => MethodKind::ClientStream,
        zsvc_idl::schema::MethodKind::Bidirectional(..) => MethodKind::Bidirectional,
        zsvc_idl::schema::MethodKind::OneWay => MethodKind::OneWay,
    };
    service.methods.iter().map(|method| (method.name.clone(), kind(&method.kind))).collect()
}

#[test]
fn a_server_tells_its_services_and_each_schema_compiles_to_the_same_methods() {
    on_one_thread(async {
        let server = Running::start();
        let reflection = ReflectionClient::connect(server.endpoint()).await.unwrap();
        let services: Vec<ServiceInfo> = reflection.services().await.unwrap();
        let names: Vec<&str> = services.iter().map(|service| service.name.as_str()).collect();
        assert_eq!(names, ["probe.v1.Clock", "probe.v1.Probe", HEALTH, REFLECTION, STATS]);
        for service in &services {
            let told: BTreeMap<_, _> =
                service.methods.iter().map(|method| (method.name.clone(), method.kind)).collect();
            let schema = compiled(files(&reflection, &service.name).await);
            assert_eq!(told, methods_of(&schema, &service.name), "{}", service.name);
            assert_eq!(service.fingerprint.as_ref().map(bytes::Bytes::len), Some(16));
        }
        assert_eq!(services[1].fingerprint.as_deref(), Some(&ProbeClient::schema().fingerprint()[..]));
        server.stop().await;
    });
}

#[test]
fn the_schema_that_is_told_is_the_one_that_was_compiled() {
    on_one_thread(async {
        let channel = Channel::local(TapeServer::new(TapeMock::new()));
        let files = files(&ReflectionClient::new(channel), "market.v1.Tape").await;
        let paths: Vec<&str> = files.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(paths, ["market/v1/tape.svc", "money/v1/money.svc"]);
        assert!(files[0].1.contains("/// "), "docs are told");
        let own: Vec<_> = TapeClient::schema().files().map(|file| (file.path(), file.text())).collect();
        assert!(own.iter().copied().eq(files.iter().map(|(path, text)| (path.as_str(), text.as_str()))));

        let tape = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../examples/tape/svc/");
        let read = |name: &str| std::fs::read(format!("{tape}{name}")).expect("the example is there");
        let loader = ["tape.svc", "money.svc"]
            .into_iter()
            .fold(zsvc_idl::MemoryLoader::default(), |loader, name| loader.with(name, read(name)));
        let original = zsvc_idl::compile(&loader, &["tape.svc".to_owned()], &[]).schema.unwrap();
        let told = compiled(files);
        assert_eq!(compat::compare(&original, &told), []);
        assert_eq!(compat::compare(&told, &original), []);
    });
}

#[test]
fn a_server_tells_its_version_and_its_clock() {
    on_one_thread(async {
        let server = Running::start();
        let reflection = ReflectionClient::connect(server.endpoint()).await.unwrap();
        let before = Timestamp::now();
        let info = reflection.server().await.unwrap();
        assert!(before <= info.now && info.now <= Timestamp::now(), "{info:?}");
        assert_eq!((info.implementation.as_str(), info.protocol), ("rust", 1));
        assert_eq!(info.version, env!("CARGO_PKG_VERSION"), "all crates have one version");
        server.stop().await;
    });
}

#[test]
fn what_is_not_served_has_no_schema() {
    on_one_thread(async {
        let server = Running::start();
        let reflection = ReflectionClient::connect(server.endpoint()).await.unwrap();
        for name in ["probe.v1.Nothing", "", "probe.v1", &"x".repeat(1_000_000)] {
            let error = reflection.schema(name).await.unwrap().next().await.unwrap().unwrap_err();
            let Error::Declared(ReflectionError::NoSuchService { service }) = error else {
                panic!("{error}")
            };
            assert!(service.len() <= 200 && name.starts_with(&service));
        }
        server.stop().await;
    });
}

#[test]
fn each_is_off_where_the_program_says_so() {
    type Set = fn(ServerBuilder) -> ServerBuilder;
    let cases: [(Set, &[&str]); 3] = [
        (|server| server.health(false), &["probe.v1.Clock", "probe.v1.Probe", REFLECTION, STATS]),
        (|server| server.stats(false), &["probe.v1.Clock", "probe.v1.Probe", HEALTH, REFLECTION]),
        (|server| server, &["probe.v1.Clock", "probe.v1.Probe", HEALTH, REFLECTION, STATS]),
    ];
    on_one_thread(async {
        for (set, expected) in cases {
            let server = Running::with(set);
            assert_eq!(served(server.client().await.channel()).await, expected);
            server.stop().await;
        }
        let server = Running::with(|server| server.reflection(false).health(false));
        let channel = server.client().await.channel().clone();
        let reflected = ReflectionClient::new(channel.clone()).services().await.unwrap_err();
        assert_eq!((reflected.code(), reflected.cause()), (Code::Unimplemented, Some(Cause::NoSuchMethod)));
        let Err(Error::Status(checked)) = HealthClient::new(channel).check("").await else {
            panic!("it is off")
        };
        assert_eq!(checked.code(), Code::Unimplemented);
        server.stop().await;
    });
}

/// Asks a server what it is, as a client with an identity.
async fn asked(server: &TestServer, identity: Option<Identity>) -> Result<(), Code> {
    let channel = Channel::builder().endpoint(server.endpoint());
    let channel = match identity {
        Some(identity) => channel.identity(identity),
        None => channel,
    };
    let channel = channel.connect().await.expect("the server is up");
    HealthClient::new(channel.clone()).check("").await.expect("everyone may ask for its health");
    let why = |status: zsvc::Status| status.code();
    let counted = zsvc::stats::StatsClient::new(channel.clone()).read().await.map(drop).map_err(why);
    let reflection = ReflectionClient::new(channel);
    let listed = reflection.services().await.map(drop).map_err(why);
    assert_eq!(reflection.server().await.map(drop).map_err(why), listed, "all is for the same clients");
    let told = match reflection.schema(HEALTH).await.expect("the server is up").next().await {
        Some(Err(Error::Status(status))) => Err(why(status)),
        told => told.map_or(Ok(()), |part| part.map(drop).map_err(|error| panic!("{error}"))),
    };
    assert_eq!((&listed, &listed), (&told, &counted), "all is for the same clients");
    listed
}

#[test]
fn a_server_that_asks_for_identities_tells_known_clients_alone_what_it_is() {
    const UNKNOWN: Result<(), Code> = Err(Code::Unauthenticated);
    const DENIED: Result<(), Code> = Err(Code::PermissionDenied);
    let guarded = || Server::builder().service(VaultServer::new(VaultMock::new()));
    let open = || Server::builder().service(ProbeServer::new(ProbeMock::new()));
    on_one_thread(async {
        let alice = || Some(Identity::new("alice"));
        let operator = || Some(Identity::new("bob").with_role("operator"));
        for (server, unknown, known, with_role) in [
            (open(), Ok(()), Ok(()), Ok(())),
            (guarded(), UNKNOWN, Ok(()), Ok(())),
            (guarded().insecure(), Ok(()), Ok(()), Ok(())),
            (guarded().introspection_roles(["operator"]), UNKNOWN, DENIED, Ok(())),
            (open().introspection_roles(["operator"]), UNKNOWN, DENIED, Ok(())),
        ] {
            let server = TestServer::start(server).unwrap();
            assert_eq!(asked(&server, None).await, unknown);
            assert_eq!(asked(&server, alice()).await, known);
            assert_eq!(asked(&server, operator()).await, with_role);
        }
    });
}

#[test]
fn health_is_what_the_program_says_of_a_service_it_serves() {
    on_one_thread(async {
        let reporter = Reporter::new();
        let server = Running::with(|server| server.health_reporter(&reporter));
        let health = HealthClient::connect(server.endpoint()).await.unwrap();
        for service in ["", "probe.v1.Probe", HEALTH, REFLECTION, STATS] {
            let expected = if service.starts_with("zsvc.") { None } else { Some(Status::Serving) };
            assert_eq!(
                health.check(service).await.ok(),
                expected,
                "{service}: the program's services alone are told"
            );
        }
        reporter.set("probe.v1.Probe", Status::NotServing);
        assert_eq!(health.check("probe.v1.Probe").await, Ok(Status::NotServing));
        assert_eq!(health.check("probe.v1.Clock").await, Ok(Status::Serving));
        reporter.set_server(Status::NotServing);
        assert_eq!(health.check("probe.v1.Clock").await, Ok(Status::NotServing));

        let unknown = "ä".repeat(10_000);
        let error = health.check(unknown.as_str()).await.unwrap_err();
        let Error::Declared(HealthError::NoSuchService { service }) = error else { panic!("{error}") };
        assert!(service.len() <= 200 && unknown.starts_with(&service));
        server.stop().await;
    });
}

#[test]
fn a_watch_tells_each_change_and_the_end_of_the_server() {
    on_one_thread(async {
        let reporter = Reporter::new();
        let mut server =
            Running::with(|server| server.health_reporter(&reporter).grace(Duration::from_mins(1)));
        let health = HealthClient::connect(server.endpoint()).await.unwrap();
        let mut whole = health.watch("").await.unwrap();
        let mut probe = health.watch("probe.v1.Probe").await.unwrap();
        assert_eq!(whole.next().await, Some(Ok(Status::Serving)));
        assert_eq!(probe.next().await, Some(Ok(Status::Serving)));
        reporter.set("probe.v1.Clock", Status::NotServing);
        reporter.set("probe.v1.Probe", Status::NotServing);
        assert_eq!(probe.next().await, Some(Ok(Status::NotServing)));
        reporter.set("probe.v1.Probe", Status::Serving);
        assert_eq!(probe.next().await, Some(Ok(Status::Serving)));
        // The server ends long before its grace time, since the streams end by themselves.
        server.begin_to_stop();
        for stream in [&mut whole, &mut probe] {
            assert_eq!(stream.next().await, Some(Ok(Status::NotServing)));
            assert_eq!(stream.next().await, None);
        }
        server.is_out().await.unwrap();
    });
}

/// A health service of a program's own.
struct Own;

impl Health for Own {
    async fn check(&self, _: &Context, _: String) -> Result<Status, Error<HealthError>> {
        Ok(Status::NotServing)
    }

    async fn watch(&self, _: &Context, _: String, _: zsvc::Sink<Status>) -> Result<(), Error<HealthError>> {
        Ok(())
    }
}

#[test]
fn a_service_of_the_program_takes_the_place_of_one_of_the_servers_own() {
    on_one_thread(async {
        let server = Running::with(|server| server.service(HealthServer::new(Own)));
        let health = HealthClient::connect(server.endpoint()).await.unwrap();
        assert_eq!(health.check("").await, Ok(Status::NotServing));
        assert_eq!(
            served(health.channel()).await,
            ["probe.v1.Clock", "probe.v1.Probe", HEALTH, REFLECTION, STATS]
        );
        server.stop().await;
    });
}

#[test]
fn an_event_has_a_schema_without_any_service() {
    on_one_thread(async {
        let prices = zsvc::Publisher::<Price>::new();
        let server = Server::builder().events(&prices).bind("tcp://127.0.0.1:*").listen().unwrap();
        let channel = Channel::connect(server.endpoints()[0].clone());
        let serving = tokio::spawn(server.serve());
        let reflection = ReflectionClient::new(channel.await.unwrap());
        let services = reflection.services().await.unwrap();
        let price = services.iter().find(|service| service.name == "exchange.v1.Price").unwrap();
        assert_eq!(price.methods.len(), 1);
        assert_eq!(price.fingerprint.as_ref().map(bytes::Bytes::len), Some(16));
        let schema = compiled(files(&reflection, &price.name).await);
        assert!(schema.types.iter().any(|it| it.name == "Price"), "{schema:?}");
        serving.abort();
    });
}
