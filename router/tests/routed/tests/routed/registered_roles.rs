//! Methods with roles at workers that register: the router has the roles that the worker gives it, once it has proved its key.

use zsvc::curve::{CurveClient, CurveServer, SecretKey};
use zsvc::{Channel, Code, Identity, Mechanism, Register, Retry, ServeError, Server};
use zsvc_calls::vault::v1::{VaultClient, VaultMock, VaultServer};
use zsvc_routed::{ANY_PORT, Routing, listed, run};
use zsvc_router::{Config, Grant, Router, RouterError, Scope};

fn key(byte: u8) -> SecretKey {
    SecretKey::from_bytes(&[byte; 32])
}

/// Returns a router with a key, where everybody may call and serve.
fn router() -> Routing {
    let grant = Grant { call: vec![Scope::All], serve: vec![Scope::All], ..Grant::default() };
    Routing::of(Config::new().listen(ANY_PORT).curve(CurveServer::new(key(1)).any_client()).grant(grant))
}

fn at(router: &Routing) -> Register {
    Register::at(&router.endpoint).curve(CurveClient::new(key(1).public_key(), key(2)))
}

/// Starts a worker whose methods have roles. They tell who calls.
fn serve(register: Register) -> Result<(), ServeError> {
    let vault = VaultMock::new()
        .on_look(|context| {
            let caller = context.identity().map(|it| (it.name().to_owned(), it.mechanism(), it.key()));
            async move { Ok(format!("{caller:?}")) }
        })
        .on_time(|_| async { Ok(7) });
    let server = Server::builder().service(VaultServer::new(vault)).register(register).listen()?;
    tokio::spawn(server.serve());
    Ok(())
}

async fn client(router: &Routing) -> VaultClient {
    router.has_up(1).await;
    let curve = CurveClient::new(key(1).public_key(), key(3));
    let channel = Channel::builder().endpoint(&router.endpoint).curve(curve).retry(Retry::none());
    VaultClient::new(channel.connect().await.expect("the router listens"))
}

#[test]
fn a_router_calls_what_the_roles_let_it_that_a_worker_gives_it() {
    run(async {
        let router = router();
        serve(at(&router).router(Identity::new("front").with_role("clerk"))).expect("it may start");
        let client = client(&router).await;
        let expected = ("front".to_owned(), Mechanism::Curve, Some(key(1).public_key()));
        assert_eq!(client.look().await.unwrap(), format!("{:?}", Some(expected)));
        assert_eq!(client.time().await.unwrap(), 7);
        let status = client.watch().await.unwrap().next().await.expect("it ends").unwrap_err();
        assert_eq!(status.code(), Code::PermissionDenied, "{status}");
    });
}

#[test]
fn a_router_that_denies_plaintext_sends_none_to_workers_on_other_machines() {
    run(async {
        let to = |endpoint: &str| {
            let config = Config::new().listen(ANY_PORT).deny_plaintext();
            Router::bind(config.worker(listed(endpoint, "w", 1))).map(drop)
        };
        to("tcp://127.0.0.1:7100").expect("nothing leaves this machine");
        for endpoint in ["tcp://192.0.2.1:7100", "tcp://worker.example:7100"] {
            let why = to(endpoint).unwrap_err();
            assert!(matches!(&why, RouterError::Worker { name, .. } if name == "w"), "{why}");
            assert!(why.to_string().contains("`public_key_file`"), "{why}");
        }
    });
}

#[test]
fn a_worker_with_roles_starts_only_where_somebody_may_have_one() {
    run(async {
        let router = router();
        for unknown in [at(&router), at(&router).router(Identity::new("front").with_role("guest"))] {
            let why = serve(unknown).unwrap_err();
            assert!(matches!(why, ServeError::UnknownClients { .. }), "{why}");
        }
        let without_key = Register::at(&router.endpoint).router(Identity::new("front").with_role("clerk"));
        let why = serve(without_key).unwrap_err();
        assert!(matches!(why, ServeError::Curve { .. }), "{why}");
        assert!(why.to_string().contains("`Register::curve`"), "{why}");
    });
}
