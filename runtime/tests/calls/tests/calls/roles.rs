//! Who may call: every method of a schema with roles is called by clients of every role and of none, over each way that carries
//! an identity.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::stream;
use tokio::sync::oneshot;
use zsvc::auth::{Authenticate, Claim, Grant};
use zsvc::curve::{Access, CurveClient, CurveServer, SecretKey, generate};
use zsvc::middleware::{
    ClientMiddleware, ClientNext, ClientRequest, Response, ServerMiddleware, ServerNext, ServerRequest,
};
use zsvc::testing::TestServer;
use zsvc::{
    Cause, Channel, Code, Counters, Dropped, Engine, Identity, Mechanism, Outcome, ServeError, Server, Status,
};
use zsvc_calls::vault::v1::{VaultClient, VaultMock, VaultServer};

use crate::support::{ANY_PORT, on_one_thread, on_threads};

/// The roles of the clients that call; `None` for a client that is not known.
const CLIENTS: [Option<&[&str]>; 7] = [
    None,
    Some(&[]),
    Some(&["clerk"]),
    Some(&["manager"]),
    Some(&["robot"]),
    Some(&["robot", "clerk"]),
    Some(&["Manager", "clerk ", "public", "*"]),
];

/// Each method, and the roles that may call it by the schema; `None` for anybody.
const METHODS: [(&str, Option<&[&str]>); 7] = [
    ("look", Some(&["clerk", "manager"])),
    ("watch", Some(&["manager"])),
    ("fill", Some(&["clerk", "manager"])),
    ("trade", Some(&["manager", "robot"])),
    ("note", Some(&["robot"])),
    ("time", None),
    ("knock", None),
];

fn identity(roles: &[&str]) -> Identity {
    roles.iter().fold(Identity::new("alice"), |identity, role| identity.with_role(*role))
}

fn channel(roles: Option<&[&str]>) -> zsvc::ChannelBuilder {
    match roles {
        Some(roles) => Channel::builder().identity(identity(roles)),
        None => Channel::builder(),
    }
}

/// Calls a method, and returns how that ends. A mock without handlers answers with `unimplemented`; a one-way call has no end.
async fn call(vault: &VaultClient, method: &str) -> Option<Status> {
    let failure = match method {
        "look" => vault.look().await.err(),
        "watch" => vault.watch().await.expect("it is on its way").next().await.and_then(Result::err),
        "fill" => vault.fill(stream::iter([1, 2])).await.err(),
        "trade" => {
            let (_sink, mut back) = vault.trade().await.expect("it is on its way");
            back.next().await.and_then(Result::err)
        }
        "time" => vault.time().await.err(),
        "note" => vault.note().await.map(|()| None).expect("it is on its way"),
        "knock" => vault.knock().await.map(|()| None).expect("it is on its way"),
        other => panic!("{other} is no method"),
    };
    // Whatever was sent before has been looked at once this is answered.
    vault.time().await.expect_err("the mock has no handlers");
    failure
}

fn entered(mock: &VaultMock) -> [usize; 7] {
    [
        mock.look_calls(),
        mock.watch_calls(),
        mock.fill_calls(),
        mock.trade_calls(),
        mock.note_calls(),
        mock.time_calls(),
        mock.knock_calls(),
    ]
}

/// Calls every method by a client with these roles.
async fn try_all(roles: Option<&[&str]>, vault: VaultClient, mock: &VaultMock, counters: Option<&Counters>) {
    let refused = || counters.map(|counters| (counters.refused_calls(), counters.dropped(Dropped::OneWay)));
    for (index, (method, asked)) in METHODS.into_iter().enumerate() {
        let what = format!("`{method}` by {roles:?}");
        let may =
            asked.is_none_or(|asked| roles.is_some_and(|own| own.iter().any(|role| asked.contains(role))));
        let is_one_way = ["note", "knock"].contains(&method);
        let (before, were_refused) = (entered(mock), refused());
        let failure = call(&vault, method).await;

        // One of `time` is that of `call`.
        let mut expected = before;
        expected[5] += 1;
        expected[index] += usize::from(may);
        assert_eq!(entered(mock), expected, "{what}: the handler is entered, or is not");
        if let (Some(before), Some(after)) = (were_refused, refused()) {
            let count = u64::from(!may);
            assert_eq!(after, (before.0 + count, before.1 + count * u64::from(is_one_way)), "{what}");
        }
        assert_eq!(failure.is_none(), is_one_way, "{what}");
        let Some(failure) = failure else { continue };
        if may {
            assert_eq!((failure.code(), failure.cause()), (Code::Unimplemented, None), "{what}");
            continue;
        }
        let code = if roles.is_some() { Code::PermissionDenied } else { Code::Unauthenticated };
        assert_eq!((failure.code(), failure.outcome()), (code, Outcome::NotSent), "{what}");
        assert_eq!(failure.cause(), Some(Cause::Forbidden), "{what}");
        let says = |name: &str| failure.message().contains(&format!("`{name}`"));
        assert!(failure.message().contains(&format!("`vault.v1.Vault/{method}`")), "{failure}");
        assert!(asked.is_none_or(|asked| asked.iter().all(|role| says(role))), "{failure}");
    }
}

#[test]
fn every_method_is_for_its_roles_alone_in_a_local_service() {
    on_one_thread(async {
        for roles in CLIENTS {
            let mock = VaultMock::new();
            let vault = VaultClient::new(channel(roles).local(VaultServer::new(mock.clone())));
            try_all(roles, vault, &mock, None).await;
        }
    });
}

#[test]
fn every_method_is_for_its_roles_alone_at_a_test_server() {
    on_one_thread(async {
        let mock = VaultMock::new();
        let server = TestServer::of(VaultServer::new(mock.clone())).unwrap();
        for roles in CLIENTS {
            let channel = channel(roles).endpoint(server.endpoint()).connect().await.unwrap();
            try_all(roles, VaultClient::new(channel), &mock, Some(&server.counters())).await;
        }
    });
}

/// Knows each client of [`CLIENTS`] by its number.
struct Numbers;

impl Authenticate for Numbers {
    async fn authenticate(&self, claim: Claim) -> Result<Grant, Status> {
        let number: usize = claim.token().unwrap().parse().unwrap();
        Ok(identity(CLIENTS[number].unwrap()).into())
    }
}

/// Sends a token with each call, if there is one.
struct Sends(Option<usize>);

impl ClientMiddleware for Sends {
    async fn handle(&self, mut request: ClientRequest, mut next: ClientNext<'_>) -> Response {
        if let Some(number) = self.0 {
            request.metadata_mut().insert("authorization", format!("Bearer {number}"));
        }
        next.run(request).await
    }
}

#[test]
fn every_method_is_for_its_roles_alone_by_tokens() {
    on_one_thread(async {
        let mock = VaultMock::new();
        let server = Server::builder().service(VaultServer::new(mock.clone())).tokens(Numbers);
        let server = TestServer::start(server).unwrap();
        for (number, roles) in CLIENTS.into_iter().enumerate() {
            let channel = Channel::builder().middleware(Sends(roles.map(|_| number)));
            let channel = channel.endpoint(server.endpoint()).connect().await.unwrap();
            try_all(roles, VaultClient::new(channel), &mock, Some(&server.counters())).await;
        }
    });
}

#[test]
fn every_method_is_for_its_roles_alone_over_inproc() {
    on_threads(async {
        let mock = VaultMock::new();
        let server = Server::builder().service(VaultServer::new(mock.clone())).engine(Engine::Zmtp);
        let server = server.bind("inproc://vault").listen().unwrap();
        let (counters, (stop, stopped)) = (server.counters(), oneshot::channel::<()>());
        let running = tokio::spawn(server.serve_until(stopped));
        for roles in CLIENTS {
            let channel =
                channel(roles).engine(Engine::Zmtp).endpoint("inproc://vault").connect().await.unwrap();
            try_all(roles, VaultClient::new(channel), &mock, Some(&counters)).await;
        }
        drop(stop);
        running.await.unwrap().unwrap();
    });
}

/// Starts a server of `Vault` that knows its clients by their keys.
fn serve_by_keys(mock: &VaultMock, curve: CurveServer) -> (Server, String) {
    let server = Server::builder().service(VaultServer::new(mock.clone())).engine(Engine::Zmtp);
    let server = server.bind(ANY_PORT).curve(curve).listen().expect("it can know its clients");
    let endpoint = server.endpoints()[0].clone();
    (server, endpoint)
}

async fn connect_by_key(endpoint: &str, server: &SecretKey, own: &SecretKey) -> Result<VaultClient, Status> {
    let curve = CurveClient::new(server.public_key(), own.clone());
    let channel = Channel::builder().engine(Engine::Zmtp).endpoint(endpoint).curve(curve).fail_fast();
    Ok(VaultClient::new(channel.connect().await?))
}

#[test]
fn every_method_is_for_its_roles_alone_over_curve() {
    on_threads(async {
        let key = generate().unwrap();
        // None of them is a client that is not known: such a one is not let in.
        let clients = CLIENTS.into_iter().flatten().map(|roles| (roles, generate().unwrap()));
        let clients: Vec<_> = clients.collect();
        let curve = clients.iter().fold(CurveServer::new(key.clone()), |curve, (roles, own)| {
            curve.allow_as(own.public_key(), identity(roles))
        });
        let mock = VaultMock::new();
        let (server, endpoint) = serve_by_keys(&mock, curve);
        let (counters, (stop, stopped)) = (server.counters(), oneshot::channel::<()>());
        let running = tokio::spawn(server.serve_until(stopped));
        for (roles, own) in clients {
            let vault = connect_by_key(&endpoint, &key, &own).await.unwrap();
            try_all(Some(roles), vault, &mock, Some(&counters)).await;
        }
        drop(stop);
        running.await.unwrap().unwrap();
    });
}

#[test]
fn a_server_knows_a_client_by_its_key_and_believes_nothing_else() {
    on_threads(async {
        let [key, desk, plain, stranger] = [(); 4].map(|()| generate().unwrap());
        let named = Identity::new("desk").with_role("clerk");
        let curve = CurveServer::new(key.clone()).allow_as(desk.public_key(), named);
        let curve = curve.allow(plain.public_key());
        let told = |context: &zsvc::Context| {
            let caller = context.identity().unwrap();
            assert_eq!(caller.mechanism(), Mechanism::Curve);
            (caller.name().to_owned(), caller.key().unwrap().to_string())
        };
        let mock = VaultMock::new()
            .on_look(move |context| {
                let (name, _) = told(context);
                async move { Ok(name) }
            })
            .on_time(move |context| {
                let (name, key) = told(context);
                async move { Ok(u64::from(name == key)) }
            });
        let (server, endpoint) = serve_by_keys(&mock, curve);
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(server.serve_until(stopped));
        let vault = connect_by_key(&endpoint, &key, &desk).await.unwrap();
        assert_eq!((vault.look().await, vault.time().await), (Ok("desk".to_owned()), Ok(0)));
        let vault = connect_by_key(&endpoint, &key, &plain).await.unwrap();
        assert_eq!(vault.look().await.unwrap_err().code(), Code::PermissionDenied, "it has no roles");
        assert_eq!(vault.time().await, Ok(1), "it is called as its key is");
        let refused = connect_by_key(&endpoint, &key, &stranger).await.map(drop).unwrap_err();
        assert_eq!(refused.code(), Code::Unavailable);
        drop(stop);
        running.await.unwrap().unwrap();
    });
}

#[test]
fn roles_stay_with_a_client_whose_connection_is_made_again() {
    on_one_thread(async {
        let mock = VaultMock::new();
        let server = TestServer::of(VaultServer::new(mock.clone())).unwrap();
        let channel = channel(Some(&["clerk"])).endpoint(server.endpoint()).connect().await.unwrap();
        let vault = VaultClient::new(channel);
        assert_eq!(vault.look().await.unwrap_err().code(), Code::Unimplemented);
        server.cut();
        assert_eq!(vault.look().await.unwrap_err().code(), Code::Unimplemented);
        server.restart(Server::builder().service(VaultServer::new(mock))).unwrap();
        assert_eq!(vault.look().await.unwrap_err().code(), Code::Unimplemented);
        let failure = vault.watch().await.unwrap().next().await.unwrap().unwrap_err();
        assert_eq!(failure.code(), Code::PermissionDenied);
    });
}

#[test]
fn a_handler_knows_who_calls() {
    on_one_thread(async {
        let mock = VaultMock::new()
            .on_look(|context| {
                let caller = context.identity().cloned().expect("the method has roles");
                async move {
                    let roles: Vec<&str> = caller.roles().collect();
                    assert_eq!((caller.key(), caller.mechanism()), (None, Mechanism::Local));
                    Ok(format!("{} {}", caller.name(), roles.join("+")))
                }
            })
            .on_time(|context| {
                let is_known = context.identity().is_some();
                async move { Ok(u64::from(is_known)) }
            });
        let known = channel(Some(&["manager", "clerk"])).local(VaultServer::new(mock.clone()));
        let known = VaultClient::new(known);
        assert_eq!(known.look().await.unwrap(), "alice clerk+manager");
        assert_eq!(known.time().await.unwrap(), 1);
        assert_eq!(VaultClient::local(mock).time().await.unwrap(), 0, "a client that nothing is said of");
    });
}

/// Counts the calls that come to it, of known clients and of others.
#[derive(Clone, Default)]
struct Seen {
    known: Arc<AtomicUsize>,
    unknown: Arc<AtomicUsize>,
}

impl ServerMiddleware for Seen {
    async fn handle(&self, request: ServerRequest, next: ServerNext<'_>) -> Response {
        let seen = if request.identity().is_some() { &self.known } else { &self.unknown };
        seen.fetch_add(1, Ordering::Relaxed);
        next.run(request).await
    }
}

#[test]
fn middleware_knows_who_calls_and_sees_no_call_that_is_forbidden() {
    on_one_thread(async {
        let seen = Seen::default();
        let server = Server::builder().service(VaultServer::new(VaultMock::new())).middleware(seen.clone());
        let server = TestServer::start(server).unwrap();
        for roles in [Some(&["robot"][..]), None] {
            let channel = channel(roles).endpoint(server.endpoint()).connect().await.unwrap();
            let vault = VaultClient::new(channel);
            vault.look().await.unwrap_err();
            vault.time().await.unwrap_err();
        }
        let counts = [&seen.known, &seen.unknown].map(|count| count.load(Ordering::Relaxed));
        assert_eq!(counts, [1, 1], "`time` of each");
    });
}

#[test]
fn a_call_that_is_forbidden_is_not_made_again() {
    on_one_thread(async {
        let server = TestServer::of(VaultServer::new(VaultMock::new())).unwrap();
        let vault = VaultClient::connect(server.endpoint()).await.unwrap();
        assert_eq!(vault.look().await.unwrap_err().code(), Code::Unauthenticated);
        assert_eq!(server.counters().refused_calls(), 1);
    });
}

#[test]
fn a_server_of_methods_with_roles_that_can_t_know_its_clients_does_not_listen() {
    on_one_thread(async {
        let vault = || Server::builder().service(VaultServer::new(VaultMock::new()));
        let error = vault().bind(ANY_PORT).listen().unwrap_err();
        let method = "vault.v1.Vault/fill";
        assert_eq!(error, ServeError::UnknownClients { method });
        let text = error.to_string();
        assert!(text.contains(method) && text.contains("`insecure`"), "{text}");
        #[cfg(unix)]
        assert_eq!(
            vault().engine(Engine::Libzmq).bind("inproc://vault-libzmq").listen().unwrap_err(),
            ServeError::UnknownClients { method },
            "libzmq does not say who connects"
        );
    });
}

#[test]
fn a_server_that_lets_no_client_with_a_role_in_does_not_listen() {
    on_one_thread(async {
        let key = generate().unwrap();
        let own = generate().unwrap().public_key();
        let vault = |curve: CurveServer| {
            let server = Server::builder().service(VaultServer::new(VaultMock::new())).engine(Engine::Zmtp);
            server.bind(ANY_PORT).curve(curve)
        };
        let by_key = || CurveServer::new(key.clone());
        let desk = |role: &str| Identity::new("desk").with_role(role);
        for curve in [by_key().any_client(), by_key().allow(own), by_key().allow_as(own, desk("Clerk"))] {
            let error = vault(curve.clone()).listen().unwrap_err();
            assert_eq!(error, ServeError::NoClientWithRole { method: "vault.v1.Vault/fill" });
            assert!(error.to_string().contains("`allow_as`"), "{error}");
            assert!(vault(curve.clone()).insecure().listen().is_ok());
            assert!(vault(curve).tokens(Numbers).listen().is_ok());
        }
        for curve in [
            by_key().any_client().allow_as(own, desk("robot")),
            by_key().any_client().access(Access::default()),
            by_key().authenticate(Numbers),
        ] {
            assert!(vault(curve).listen().is_ok());
        }
    });
}

#[test]
fn an_insecure_server_lets_anybody_call() {
    on_one_thread(async {
        let mock = VaultMock::new();
        let server = Server::builder().service(VaultServer::new(mock.clone())).insecure().bind(ANY_PORT);
        let server = server.listen().unwrap();
        let (endpoint, (stop, stopped)) = (server.endpoints()[0].clone(), oneshot::channel::<()>());
        let running = tokio::spawn(server.serve_until(stopped));
        let vault = VaultClient::connect(endpoint).await.unwrap();
        for (method, _) in METHODS {
            let failure = call(&vault, method).await;
            assert!(failure.is_none_or(|failure| failure.code() == Code::Unimplemented), "{method}");
        }
        assert!(entered(&mock).into_iter().all(|calls| calls > 0));
        drop(stop);
        running.await.unwrap().unwrap();
    });
}

#[test]
fn a_channel_with_an_identity_does_not_leave_the_process() {
    on_one_thread(async {
        for (engine, endpoint) in [
            (Engine::Zmtp, "tcp://127.0.0.1:7100"),
            (Engine::Zmtp, "tcp://localhost:7100"),
            (Engine::Zmtp, "ipc:///tmp/vault.sock"),
            (Engine::Libzmq, "inproc://vault-out"),
        ] {
            let channel = channel(Some(&["clerk"])).engine(engine).endpoint(endpoint);
            let refused = channel.connect_lazy().map(drop).unwrap_err();
            assert_eq!(
                (refused.code(), refused.outcome()),
                (Code::InvalidArgument, Outcome::NotSent),
                "{endpoint}"
            );
            let text = refused.message();
            assert!(text.contains(endpoint) && text.contains("identity"), "{text}");
        }
    });
}
