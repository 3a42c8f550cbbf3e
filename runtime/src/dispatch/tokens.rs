//! [`Tokens`]: who makes a call, by the token that comes with it. Comes before the queue of calls, and so before all middleware: a call whose
//! client is not known yet takes no place of those that run, and holds up nothing but itself.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::timeout_at;

use super::incoming::Incoming;
use crate::auth::{Asker, Authenticator, Claim, MAX_TOKEN_BYTES};
use crate::metadata::Metadata;
use crate::session::server::check_roles;
use crate::source::Source;
use crate::status::{Cause, Code, Status};

/// Name of the metadata that carries a token.
pub(crate) const AUTHORIZATION: &str = "authorization";

/// Finds out who makes a call, and whether that client may make it. Without a token, that is the client of the connection.
pub(crate) struct Tokens {
    authenticator: Authenticator,
    /// Whether roles decide who may call.
    checks_roles: bool,
    /// Numbers the peers of an address.
    peers: RandomState,
}

/// What is known at once of who makes a call.
pub(super) enum Caller {
    /// That is the call's identity, which may make it.
    Known,
    /// The call is not to be made.
    Refused(Status),
    /// The program is to be asked.
    Unknown(Claim),
}

impl Tokens {
    pub(crate) fn new(authenticator: Authenticator, checks_roles: bool) -> Self {
        Self { authenticator, checks_roles, peers: RandomState::new() }
    }

    /// Returns who makes a call, as far as that is known without asking.
    pub(super) fn caller(&self, call: &mut Incoming) -> Caller {
        let grant = match token(call.metadata()) {
            None => None,
            Some(Err(why)) => return Caller::Refused(refusal(why)),
            Some(Ok(token)) => match self.authenticator.remembered_of(token) {
                None => return Caller::Unknown(Claim::of_token(token)),
                grant => grant,
            },
        };
        if let Some(grant) = grant {
            call.set_identity(Some(grant.identity().clone()));
        }
        self.check(call).map_or_else(Caller::Refused, |()| Caller::Known)
    }

    /// Asks who makes a call, up to its deadline.
    ///
    /// # Errors
    /// The status that the call ends with, which was not sent.
    pub(super) async fn ask(&self, claim: Claim, call: &mut Incoming) -> Result<(), Status> {
        let place = Source::of(call.peer_address());
        let asker = Asker { place, peer: self.peers.hash_one(call.peer_id().connection()) };
        let asking = self.authenticator.ask(claim, asker);
        let told = match call.deadline() {
            None => asking.await,
            Some(deadline) => timeout_at(deadline, asking).await.unwrap_or_else(|_| Err(late())),
        };
        call.set_identity(Some(told.map_err(refusal)?.identity().clone()));
        self.check(call)
    }

    /// Reports whether a client may make a call.
    fn check(&self, call: &Incoming) -> Result<(), Status> {
        if !self.checks_roles {
            return Ok(());
        }
        check_roles(call.method(), call.identity()).map_err(Status::not_sent)
    }
}

/// Returns the status of a call whose time was up before it was known who makes it.
fn late() -> Status {
    Status::deadline_exceeded("the deadline passed while it was found out who makes the call")
        .caused_by(Cause::Deadline)
}

/// Calls of which it is known by now who makes them, until the main driver takes them.
pub(super) struct Known<T>(Mutex<Vec<T>>);

impl<T> Known<T> {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::default()))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<T>> {
        // Nothing panics while the lock is held but for lack of memory; the list is whole in any case.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a call. The main driver is to be notified after that.
    pub(super) fn push(&self, call: T) {
        self.lock().push(call);
    }

    /// Takes all of them, in the order in which they came.
    pub(super) fn take(&self) -> Vec<T> {
        std::mem::take(&mut *self.lock())
    }
}

/// Returns the token of a call, if it has one, or what is wrong with it. A client that means to show one is not taken for one without.
fn token(metadata: &Metadata) -> Option<Result<&str, Status>> {
    if let Some((name, _)) = metadata.iter().find(|(name, _)| is_misspelt(name)) {
        return Some(Err(Status::unauthenticated(format!(
            "`{name}` in the metadata is to be `{AUTHORIZATION}`: names count byte by byte"
        ))));
    }
    metadata.get(AUTHORIZATION)?;
    let token = metadata.text(AUTHORIZATION).and_then(|text| {
        let (scheme, token) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    Some(match token {
        None | Some("") => Err(Status::unauthenticated(
            "`authorization` in the metadata must be text: `Bearer`, a space, and a token",
        )),
        Some(token) if token.len() > MAX_TOKEN_BYTES => Err(Status::unauthenticated(format!(
            "the token has {} bytes; one of up to {MAX_TOKEN_BYTES} is looked at",
            token.len()
        ))),
        Some(token) => Ok(token),
    })
}

/// Reports whether a name would be the token's but for upper and lower case. Taken for no token, a call would be the connection's client's.
fn is_misspelt(name: &str) -> bool {
    name.eq_ignore_ascii_case(AUTHORIZATION) && name != AUTHORIZATION
}

/// Returns the status of a call that is refused for its token.
fn refusal(why: Status) -> Status {
    let is_forbidden = matches!(why.code(), Code::Unauthenticated | Code::PermissionDenied);
    let why = if is_forbidden { why.caused_by(Cause::Forbidden) } else { why };
    why.not_sent()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_taken_or_refused_and_never_left_out() {
        let read = |value: &str| {
            let mut metadata = Metadata::default();
            metadata.insert(AUTHORIZATION, value);
            token(&metadata).expect("there is one").map(str::to_owned).map_err(|why| why.code())
        };
        for value in ["Bearer a.b.c", "bearer a.b.c", "BEARER  a.b.c "] {
            assert_eq!(read(value), Ok("a.b.c".to_owned()), "{value}");
        }
        for value in ["", "Bearer", "Bearer ", "a.b.c", "Basic YTpi", "Bearera.b.c x"] {
            assert_eq!(read(value), Err(Code::Unauthenticated), "{value}");
        }
        assert_eq!(
            read(&format!("Bearer {}", "x".repeat(MAX_TOKEN_BYTES))).map(|it| it.len()),
            Ok(MAX_TOKEN_BYTES)
        );
        assert_eq!(read(&format!("Bearer {}", "x".repeat(MAX_TOKEN_BYTES + 1))), Err(Code::Unauthenticated));
        assert!(token(&Metadata::default()).is_none());
        for name in ["Authorization", "AUTHORIZATION", "authorizatioN"] {
            let mut metadata = Metadata::default();
            metadata.insert(name, "Bearer a");
            metadata.insert(AUTHORIZATION, "Bearer a");
            let why = token(&metadata).unwrap().unwrap_err();
            assert!(why.code() == Code::Unauthenticated && why.message().contains(name), "{why}");
        }
        let mut other = Metadata::default();
        other.insert("x-authorization", "Bearer a");
        assert!(token(&other).is_none());
        let mut bytes = Metadata::default();
        bytes.insert(AUTHORIZATION, bytes::Bytes::from_static(b"Bearer a"));
        assert!(token(&bytes).unwrap().is_err());
    }
}
