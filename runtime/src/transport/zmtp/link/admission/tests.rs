use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Waker;

use super::*;
use crate::auth::{Authenticate, Claim};
use crate::curve::{Access, Client, generate};
use crate::status::Code;

const KEY: PublicKey = PublicKey::from_bytes([7; 32]);

/// A client of that name and with these roles.
fn desk(roles: &[&str]) -> Client {
    roles.iter().fold(Client::new("desk").key(KEY), |client, role| client.role(*role))
}

/// What is told of a client, as a short text.
fn told(news: Option<Proof>) -> String {
    match news {
        None => "nothing".to_owned(),
        Some(Proof::Is(identity)) => {
            format!("{} {:?}", identity.name(), identity.roles().collect::<Vec<_>>())
        }
        Some(Proof::Revoked(why)) => format!("revoked: {}", why.code()),
    }
}

/// An admission, and what decides on it.
struct Case {
    server: CurveServer,
    access: Access,
    admission: Box<Admission>,
}

impl Case {
    fn new(clients: impl IntoIterator<Item = Client>) -> Self {
        Self::with(clients, |server| server)
    }

    fn with(clients: impl IntoIterator<Item = Client>, set: impl FnOnce(CurveServer) -> CurveServer) -> Self {
        let access = Access::new(clients).unwrap();
        let server = set(CurveServer::new(generate().unwrap()).access(access.clone()));
        Self { server, access, admission: Admission::new(KEY, Source::Local) }
    }

    /// Looks once, as the connection does for each message.
    fn look(&mut self) -> Option<Result<(), Rejection>> {
        let verdict = self.admission.poll(&self.server, &mut Context::from_waker(Waker::noop()));
        verdict.map(|verdict| verdict.map_err(|refused| refused.rejection))
    }

    fn put(&mut self, client: Client) -> Option<Result<(), Rejection>> {
        self.access.put(client).unwrap();
        self.look()
    }

    fn told(&mut self) -> String {
        told(self.admission.take_news())
    }
}

#[test]
fn a_role_that_was_told_and_is_lost_revokes_whatever_changes_before_that_is_told() {
    let mut case = Case::new([desk(&["admin", "clerk"])]);
    assert_eq!(case.look(), Some(Ok(())));
    assert_eq!(case.told(), r#"desk ["admin", "clerk"]"#);
    assert_eq!(case.put(desk(&["clerk"])), None);
    // Of others, and of this one again.
    assert_eq!(case.put(Client::new("other").key(PublicKey::from_bytes([8; 32]))), None);
    assert_eq!(case.put(desk(&["admin", "clerk"])), None);
    assert_eq!(case.told(), "revoked: unavailable");
    assert_eq!((case.put(desk(&["admin", "clerk", "more"])), case.told().as_str()), (None, "nothing"));
}

#[test]
fn a_client_that_was_taken_out_stays_out_though_it_comes_back_before_that_is_told() {
    let mut case = Case::new([desk(&["clerk"])]);
    case.look();
    assert_eq!(case.told(), r#"desk ["clerk"]"#);
    case.access.remove("desk").unwrap();
    assert_eq!(case.look(), None);
    assert_eq!(case.put(desk(&[])), None);
    assert_eq!(case.told(), "revoked: unauthenticated");
    // Taken out and put back between two looks, it was never out for this connection.
    let mut case = Case::new([desk(&["clerk"])]);
    case.look();
    case.told();
    case.access.remove("desk").unwrap();
    assert_eq!((case.put(desk(&["clerk"])), case.told().as_str()), (None, "nothing"));
}

#[test]
fn what_is_told_is_what_holds_then_and_nothing_of_it_is_lost() {
    let mut case = Case::new([desk(&[])]);
    assert_eq!(case.look(), Some(Ok(())));
    // Before the first was told, no call of it can have begun.
    case.put(desk(&["a", "b"]));
    case.put(desk(&["b"]));
    case.put(desk(&["b"]));
    assert_eq!(case.told(), r#"desk ["b"]"#);
    case.put(desk(&["b", "c"]));
    case.put(Client::new("other").key(PublicKey::from_bytes([8; 32])));
    assert_eq!(case.told(), r#"desk ["b", "c"]"#);
    // Gained and lost again, without a word of it between.
    case.put(desk(&["b", "c", "d"]));
    case.put(desk(&["b", "c"]));
    assert_eq!(case.told(), "nothing");
}

#[test]
fn a_client_that_was_refused_stays_refused_on_its_connection() {
    let mut case = Case::new([]);
    assert_eq!(case.look(), Some(Err(Rejection::Denied)));
    assert_eq!((case.put(desk(&[])), case.told().as_str()), (None, "nothing"));
    assert_eq!(case.admission.why_refused(), Some("no client with this key is known"));
}

/// Answers at the second look, and counts what it is asked.
#[derive(Clone, Default)]
struct Slow(Arc<AtomicUsize>);

impl Authenticate for Slow {
    async fn authenticate(&self, _: Claim) -> Result<crate::auth::Grant, Status> {
        self.0.fetch_add(1, Ordering::Relaxed);
        let mut is_second = false;
        std::future::poll_fn(|_| {
            if std::mem::replace(&mut is_second, true) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        Ok(Identity::new("desk").with_role("clerk").into())
    }
}

#[tokio::test]
async fn a_program_that_is_asked_is_not_asked_anew_since_others_have_changed() {
    let slow = Slow::default();
    let other = |byte| Client::new("other").key(PublicKey::from_bytes([byte; 32]));
    let mut case = Case::with([], |server| server.authenticate(slow.clone()));
    assert_eq!(case.look(), None);
    assert_eq!(case.put(other(100)), Some(Ok(())));
    for byte in 101..110 {
        assert_eq!(case.put(other(byte)), None);
    }
    assert_eq!((case.told().as_str(), slow.0.load(Ordering::Relaxed)), (r#"desk ["clerk"]"#, 1));
}

#[tokio::test]
async fn a_client_that_is_taken_out_is_barred_at_once_though_a_program_might_let_it_in() {
    let slow = Slow::default();
    let mut case = Case::with([desk(&["clerk"])], |server| server.authenticate(slow.clone()));
    case.look();
    assert_eq!(case.told(), r#"desk ["clerk"]"#);
    case.access.remove("desk").unwrap();
    assert_eq!((case.look(), case.told().as_str()), (None, "revoked: unauthenticated"));
    assert_eq!(slow.0.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_client_that_comes_into_the_list_is_known_by_it_from_then_on() {
    let mut case = Case::with([], |server| server.authenticate(Slow::default()));
    assert_eq!((case.look(), case.look()), (None, Some(Ok(()))));
    assert_eq!(case.told(), r#"desk ["clerk"]"#);
    case.put(desk(&["clerk", "admin"]));
    assert_eq!(case.told(), r#"desk ["admin", "clerk"]"#);
    case.put(desk(&["admin"]));
    let Some(Proof::Revoked(why)) = case.admission.take_news() else { panic!("it has lost a role") };
    assert_eq!((why.code(), why.cause()), (Code::Unavailable, Some(Cause::Forbidden)));
}
