//! Who makes a call by the token that comes with it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::stream;
use tokio::sync::{Semaphore, oneshot};
use zsvc::auth::Authenticator;
use zsvc::auth::jwt::{Jwt, JwtKeys};
use zsvc::curve::{CurveClient, CurveServer, generate};
use zsvc::middleware::{Response, ServerMiddleware, ServerNext, ServerRequest};
use zsvc::testing::TestServer;
use zsvc::{Cause, Channel, Code, Context, Dropped, Engine, Identity, Mechanism, Outcome, Retry, Server};
use zsvc_calls::vault::v1::{VaultClient, VaultMock, VaultServer};

use crate::authenticate::{Desk, Mood};
use crate::support::{ANY_PORT, on_one_thread, on_threads};

/// Counts the calls that come to it, and who makes them.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<String>>>);

impl ServerMiddleware for Seen {
    async fn handle(&self, request: ServerRequest, next: ServerNext<'_>) -> Response {
        let name = request.identity().map_or("a stranger", Identity::name).to_owned();
        assert!(!format!("{request:?}").contains("Bearer"), "a token is not printed");
        self.0.lock().unwrap().push(name);
        next.run(request).await
    }
}

fn vault() -> VaultMock {
    let who = |context: &Context| {
        let caller = context.identity().expect("its roles are asked for");
        assert_eq!(caller.mechanism(), Mechanism::Token);
        caller.name().to_owned()
    };
    VaultMock::new()
        .on_look(move |context| {
            let name = who(context);
            async { Ok(name) }
        })
        .on_fill(|_, mut coins| async move {
            let mut sum = 0;
            while let Some(coin) = coins.next().await {
                sum += coin?;
            }
            Ok(sum)
        })
        .on_watch(|_, out| async move { out.send("seen".to_owned()).await })
        .on_note(|_| async {})
        .on_time(|context| {
            let is_known = context.identity().is_some();
            async move { Ok(u64::from(is_known)) }
        })
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

const AUTHORIZATION: &str = "authorization";

#[test]
fn a_call_is_made_by_the_client_that_its_token_says() {
    on_one_thread(async {
        let (desk, seen, mock) = (Desk::default(), Seen::default(), vault());
        let builder = Server::builder().service(VaultServer::new(mock.clone())).middleware(seen.clone());
        let server = TestServer::start(builder.tokens(desk.clone())).unwrap();
        let vault = VaultClient::connect(server.endpoint()).await.unwrap();
        let look = |token: &str| vault.look().metadata(AUTHORIZATION, bearer(token));
        assert_eq!(look("clerk").await, Ok("by clerk".to_owned()));
        assert_eq!(look("manager+robot").await, Ok("by manager+robot".to_owned()));
        for (refused, code) in [
            (look("robot").await.unwrap_err(), Code::PermissionDenied),
            (look("bad").await.unwrap_err(), Code::Unauthenticated),
            (vault.look().await.unwrap_err(), Code::Unauthenticated),
            (vault.look().metadata(AUTHORIZATION, "clerk").await.unwrap_err(), Code::Unauthenticated),
            (look(&"x".repeat(8_193)).await.unwrap_err(), Code::Unauthenticated),
        ] {
            assert_eq!((refused.code(), refused.outcome()), (code, Outcome::NotSent), "{refused}");
            assert_eq!(refused.cause(), Some(Cause::Forbidden), "{refused}");
        }
        assert_eq!(mock.look_calls(), 2);
        assert_eq!(
            *seen.0.lock().unwrap(),
            ["by clerk", "by manager+robot"],
            "refused ones come to no middleware"
        );
        assert_eq!(server.counters().refused_calls(), 5, "and are made once");
        // What anybody may call is called without a token, but not with one that is no good.
        assert_eq!(vault.time().await, Ok(0));
        assert_eq!(vault.time().metadata(AUTHORIZATION, bearer("robot")).await, Ok(1));
        let bad = vault.time().metadata(AUTHORIZATION, bearer("bad")).await.unwrap_err();
        assert_eq!(bad.code(), Code::Unauthenticated);
        // Each good token was asked about once, and a bad one each time.
        assert_eq!(desk.asked(), 3 + 2);
    });
}

#[test]
fn calls_of_every_kind_are_made_with_tokens() {
    on_one_thread(async {
        let (desk, mock) = (Desk::default(), vault());
        let builder = Server::builder().service(VaultServer::new(mock.clone())).tokens(desk.clone());
        let server = TestServer::start(builder).unwrap();
        let vault = VaultClient::connect(server.endpoint()).await.unwrap();
        for round in 1..=2_usize {
            // The second time they are remembered.
            let fill = vault.fill(stream::iter([1, 2, 3])).metadata(AUTHORIZATION, bearer("clerk"));
            assert_eq!(fill.await, Ok(6));
            let mut watch = vault.watch().metadata(AUTHORIZATION, bearer("manager")).await.unwrap();
            assert_eq!(watch.next().await, Some(Ok("seen".to_owned())));
            assert_eq!(watch.next().await, None);
            vault.note().metadata(AUTHORIZATION, bearer("robot")).await.unwrap();
            vault.note().metadata(AUTHORIZATION, bearer("clerk")).await.unwrap();
            vault.note().metadata(AUTHORIZATION, bearer("bad")).await.unwrap();
            while server.counters().dropped(Dropped::OneWay) < 2 * round as u64 || mock.note_calls() < round {
                tokio::task::yield_now().await;
            }
        }
        let fill = vault.fill(stream::iter([1])).metadata(AUTHORIZATION, bearer("robot")).await.unwrap_err();
        assert_eq!(fill.code(), Code::PermissionDenied);
        let mut watch = vault.watch().metadata(AUTHORIZATION, bearer("clerk")).await.unwrap();
        assert_eq!(watch.next().await.unwrap().unwrap_err().code(), Code::PermissionDenied);
        assert_eq!((mock.fill_calls(), mock.watch_calls(), mock.note_calls()), (2, 2, 2));
        assert_eq!(desk.asked(), 3 + 2, "`bad` is asked about each time");
    });
}

#[test]
fn a_token_that_can_not_be_looked_at_now_is_told_as_that_and_no_handler_is_entered() {
    on_one_thread(async {
        let (desk, mock) = (Desk::default(), vault());
        let tokens = Authenticator::new(desk.clone()).time_limit(Duration::from_millis(50));
        let builder = Server::builder().service(VaultServer::new(mock.clone())).tokens(tokens);
        let server = TestServer::start(builder).unwrap();
        let channel = Channel::builder().endpoint(server.endpoint()).retry(Retry::none()).connect().await;
        let vault = VaultClient::new(channel.unwrap());
        let look = || vault.look().metadata(AUTHORIZATION, bearer("clerk"));
        for (mood, code, cause) in [
            (Mood::IsAway, Code::Unavailable, None),
            (Mood::Hangs, Code::Unavailable, None),
            (Mood::Panics, Code::Internal, Some(Cause::Panicked)),
            (Mood::Denies, Code::PermissionDenied, Some(Cause::Forbidden)),
        ] {
            desk.is_in(mood);
            let status = look().await.unwrap_err();
            assert_eq!((status.code(), status.cause()), (code, cause), "{status}");
            assert_eq!(status.outcome(), Outcome::NotSent, "{status}");
        }
        assert_eq!((mock.look_calls(), server.counters().refused_calls()), (0, 4));
        // A caller that gives up is not asked about any longer.
        desk.is_in(Mood::Hangs);
        drop(tokio::time::timeout(Duration::from_millis(1), look()).await);
        desk.is_in(Mood::Kind);
        assert_eq!(look().await, Ok("by clerk".to_owned()));
        assert_eq!(desk.running().0, 0);
    });
}

/// One call at a time runs, and the calls of a client with a token that is asked about are not among those that run or wait.
#[test]
fn a_call_whose_token_is_asked_about_holds_up_no_other() {
    on_one_thread(async {
        let (desk, mock, gate) = (Desk::default(), vault(), Arc::new(Semaphore::new(0)));
        let builder = Server::builder().service(VaultServer::new(mock.clone())).tokens(desk.clone());
        let server = TestServer::start(builder.max_running(1, 100)).unwrap();
        let vault = VaultClient::connect(server.endpoint()).await.unwrap();
        let look = |token: &str| vault.look().metadata(AUTHORIZATION, bearer(token));
        assert_eq!(look("clerk").await, Ok("by clerk".to_owned()));
        desk.is_in(Mood::Waits(Arc::clone(&gate)));
        let fill = vault.fill(stream::iter([1, 2, 3])).metadata(AUTHORIZATION, bearer("clerk+manager"));
        let asked: Vec<_> = (0..8).map(|nth| tokio::spawn(look(&format!("clerk+{nth}")))).collect();
        let asked_for_stream = tokio::spawn(fill);
        vault.note().metadata(AUTHORIZATION, bearer("clerk+robot")).await.unwrap();
        while desk.running().0 < 10 {
            tokio::task::yield_now().await;
        }
        // Those of others are made meanwhile, also by a token that is known.
        for _ in 0..10 {
            assert_eq!(vault.time().await, Ok(0));
            assert_eq!(look("clerk").await, Ok("by clerk".to_owned()));
        }
        assert_eq!((mock.look_calls(), mock.fill_calls(), mock.note_calls()), (11, 0, 0));
        // One that ends meanwhile is asked about no longer, and its handler is not entered.
        let late = look("clerk+late").deadline(Duration::from_millis(20)).await.unwrap_err();
        assert_eq!(late.code(), Code::DeadlineExceeded, "{late}");
        while desk.running().0 > 10 {
            tokio::task::yield_now().await;
        }
        gate.add_permits(10);
        assert_eq!(asked_for_stream.await.unwrap(), Ok(6));
        for (nth, looked) in (0..).zip(join_all(asked).await) {
            assert_eq!(looked.unwrap(), Ok(format!("by clerk+{nth}")));
        }
        while mock.note_calls() == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(mock.look_calls(), 11 + 8);
    });
}

/// However long it takes to be told, and however many are asked about on its account.
#[test]
fn a_client_with_many_tokens_leaves_others_their_turns_to_be_asked_about() {
    on_one_thread(async {
        let (desk, gate) = (Desk::default(), Arc::new(Semaphore::new(0)));
        desk.is_in(Mood::Waits(Arc::clone(&gate)));
        let tokens = Authenticator::new(desk.clone()).max_in_flight(64);
        let builder = Server::builder().service(VaultServer::new(vault())).tokens(tokens);
        let server = TestServer::start(builder).unwrap();
        let greedy = VaultClient::connect(server.endpoint()).await.unwrap();
        let look = |vault: &VaultClient, token: &str| vault.look().metadata(AUTHORIZATION, bearer(token));
        let all: Vec<_> = (0..200).map(|nth| tokio::spawn(look(&greedy, &format!("clerk+{nth}")))).collect();
        while desk.running().0 < 36 {
            tokio::task::yield_now().await;
        }
        let other = VaultClient::connect(server.endpoint()).await.unwrap();
        let modest = tokio::spawn(look(&other, "clerk+modest"));
        while desk.running().0 < 37 {
            tokio::task::yield_now().await;
        }
        desk.is_in(Mood::Kind);
        gate.add_permits(37);
        assert_eq!(modest.await.unwrap(), Ok("by clerk+modest".to_owned()));
        for looked in join_all(all).await {
            looked.unwrap().unwrap();
        }
        assert_eq!(desk.running().1, 37);
    });
}

#[test]
fn a_token_is_remembered_until_its_end_and_until_all_is_forgotten() {
    on_one_thread(async {
        let desk = Desk::default();
        let tokens = Authenticator::new(desk.clone());
        let builder = Server::builder().service(VaultServer::new(vault())).tokens(tokens.clone());
        let server = TestServer::start(builder).unwrap();
        let vault = VaultClient::connect(server.endpoint()).await.unwrap();
        let look = |token: &str| vault.look().metadata(AUTHORIZATION, bearer(token));
        desk.is_in(Mood::Brief(Duration::from_millis(300)));
        // On a busy machine, its time may be up before the answer is there.
        while look("clerk").await.is_err() {}
        let asked = desk.asked();
        desk.is_in(Mood::Denies);
        // Its time is up at some point, and not before.
        while look("clerk").await.is_ok() {}
        assert_eq!(desk.asked(), asked + 1);
        desk.is_in(Mood::Kind);
        look("clerk").await.unwrap();
        look("clerk").await.unwrap();
        assert_eq!(desk.asked(), asked + 2);
        tokens.forget();
        look("clerk").await.unwrap();
        assert_eq!(desk.asked(), asked + 3);
    });
}

/// A gateway with a key, which speaks for clients with tokens; and a server that lets any client in, and knows those with tokens alone.
#[test]
fn a_token_comes_before_the_key_of_its_connection() {
    on_threads(async {
        let [server_key, own] = [(); 2].map(|()| generate().unwrap());
        let (desk, mock) = (Desk::default(), vault());
        let curve = CurveServer::new(server_key.clone()).any_client();
        let curve = curve.allow_as(own.public_key(), Identity::new("gateway").with_role("robot"));
        let server =
            Server::builder().service(VaultServer::new(mock.clone())).engine(Engine::Zmtp).bind(ANY_PORT);
        let server = server.curve(curve).tokens(desk).listen().unwrap();
        let endpoint = server.endpoints()[0].clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(server.serve_until(stopped));
        let connect = async |curve: CurveClient| {
            let channel = Channel::builder().engine(Engine::Zmtp).endpoint(&endpoint).curve(curve);
            VaultClient::new(channel.connect().await.unwrap())
        };
        let gateway = connect(CurveClient::new(server_key.public_key(), own)).await;
        assert_eq!(gateway.look().metadata(AUTHORIZATION, bearer("clerk")).await, Ok("by clerk".to_owned()));
        assert_eq!(gateway.look().await.unwrap_err().code(), Code::PermissionDenied, "it is a robot");
        gateway.note().await.unwrap();
        let any = connect(CurveClient::anonymous(server_key.public_key()).unwrap()).await;
        assert_eq!(any.look().metadata(AUTHORIZATION, bearer("clerk")).await, Ok("by clerk".to_owned()));
        assert_eq!(any.look().await.unwrap_err().code(), Code::PermissionDenied, "it has no role");
        while mock.note_calls() == 0 {
            tokio::task::yield_now().await;
        }
        drop(stop);
        running.await.unwrap().unwrap();
    });
}

#[test]
fn a_server_with_tokens_knows_its_clients_and_an_insecure_one_lets_anybody_call() {
    on_one_thread(async {
        let server =
            || Server::builder().service(VaultServer::new(vault())).bind(ANY_PORT).tokens(Desk::default());
        assert!(server().listen().is_ok());
        let mock = VaultMock::new();
        let server =
            Server::builder().service(VaultServer::new(mock.clone())).tokens(Desk::default()).insecure();
        let server = TestServer::start(server).unwrap();
        let vault = VaultClient::connect(server.endpoint()).await.unwrap();
        assert_eq!(vault.look().await.unwrap_err().code(), Code::Unimplemented, "the mock has no handler");
        assert_eq!(mock.look_calls(), 1);
    });
}

/// Signed by the secret `known to this test, and to no other`, and good until the year 2100: `alice`, a clerk, for `vault`.
const ALICE: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSIsImF1ZCI6InZhdWx0Iiwicm9sZXMiOlsiY2xlcmsiXSwiZXhwIjo0MTAyNDQ0ODAwfQ.PoVyctLbmOT2XnPwvZXjlUcfx8n9LwiQx1We39VkorY";

#[test]
fn a_json_web_token_is_all_that_a_client_needs() {
    on_one_thread(async {
        let path = std::env::temp_dir().join(format!("zsvc-calls-{}-jwt", std::process::id()));
        std::fs::write(&path, "known to this test, and to no other\n").unwrap();
        #[cfg(unix)]
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let tokens = Jwt::new(JwtKeys::secret(&path), "vault").unwrap();
        let builder = Server::builder().service(VaultServer::new(vault())).tokens(tokens.clone());
        let server = TestServer::start(builder).unwrap();
        let vault = VaultClient::connect(server.endpoint()).await.unwrap();
        let look = |token: &str| vault.look().metadata(AUTHORIZATION, bearer(token));
        assert_eq!(look(ALICE).await, Ok("alice".to_owned()));
        let fill = vault.fill(stream::iter([1, 2])).metadata(AUTHORIZATION, bearer(ALICE));
        assert_eq!(fill.await, Ok(3));
        let refused = vault.watch().metadata(AUTHORIZATION, bearer(ALICE)).await.unwrap().next().await;
        assert_eq!(refused.unwrap().unwrap_err().code(), Code::PermissionDenied, "that is for managers");
        let forged = look(&ALICE.replace("eyJ", "eyI")).await.unwrap_err();
        assert_eq!((forged.code(), forged.outcome()), (Code::Unauthenticated, Outcome::NotSent));
        // What is remembered ends with the keys.
        std::fs::write(&path, "known to others by now, and exchanged for it\n").unwrap();
        while tokens.files_taken() == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(look(ALICE).await.unwrap_err().code(), Code::Unauthenticated);
        std::fs::remove_file(path).unwrap();
    });
}
