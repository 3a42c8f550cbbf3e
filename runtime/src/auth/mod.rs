//! Who clients are, by a program's own word: [`Authenticate`] says who has a key or a token, and an [`Authenticator`] asks it, within
//! bounds, and remembers what it said.
//!
//! - For keys, [`CurveServer::authenticate`](crate::curve::CurveServer::authenticate): asked once for each connection, at its handshake.
//! - For tokens, [`ServerBuilder::tokens`](crate::ServerBuilder::tokens): asked for the metadata `authorization` of a call.
//! - `auth::jwt`, with the feature `jwt`, verifies JSON Web Tokens.
//!
//! Clients whose keys are in a list, or in a file, need none of it: see [`Access`](crate::curve::Access).

mod authenticator;
mod cache;
#[cfg(feature = "jwt")]
pub mod jwt;
mod turns;

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use zeroize::Zeroize as _;
use zsvc_proto::keys::PublicKey;

use crate::identity::{Identity, Mechanism};
use crate::status::Status;

pub use authenticator::Authenticator;
pub(crate) use authenticator::{Asking, MAX_TOKEN_BYTES};
pub(crate) use turns::Asker;

/// Says who a client is: a program's own look into a directory, a database, or a token.
///
/// ```
/// use sha2::{Digest as _, Sha256};
/// use zsvc::auth::{Authenticate, Claim, Grant};
/// use zsvc::{Identity, Status};
///
/// /// Knows one token, by its hash: so neither what is kept nor the time that a refusal takes tells it.
/// struct OneToken([u8; 32]);
///
/// impl Authenticate for OneToken {
///     async fn authenticate(&self, claim: Claim) -> Result<Grant, Status> {
///         match claim.token() {
///             Some(token) if Sha256::digest(token)[..] == self.0 => Ok(Identity::new("gateway").with_role("trader").into()),
///             _ => Err(Status::unauthenticated("this token is not known")),
///         }
///     }
/// }
/// ```
pub trait Authenticate: Send + Sync + 'static {
    /// Says who has a key or a token. It must depend on nothing but the claim, since the answer counts for every client with the same one.
    ///
    /// Of a token, the status is what its call ends with, not sent. Of a key, it goes to the server's log: after
    /// `unauthenticated` and `permission_denied` the client is told that it is not let in, after any other that it can't be told now. A
    /// panic counts as `internal`.
    ///
    /// # Errors
    /// The client is not let in, or it can't be said now whether it is.
    ///
    /// # Cancel safety
    /// The future is dropped when its time is up, and when the connection or the call that waits for it ends.
    fn authenticate(&self, claim: Claim) -> impl Future<Output = Result<Grant, Status>> + Send;

    /// Returns a number that is another one once grants of before do not count any more: then none is remembered. Asked for each
    /// handshake and each call with a token, so it should do no more than read a variable.
    fn generation(&self) -> u64 {
        0
    }
}

/// What a client shows of itself: a key that it has proved to have, or a token that it has sent. Printed without the token.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Claim(Shown);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Shown {
    Key(PublicKey),
    Token(Arc<Token>),
}

/// A token, which is overwritten when it is dropped.
#[derive(PartialEq, Eq, Hash)]
struct Token(String);

impl Drop for Token {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl Claim {
    /// Creates the claim of a client that has a key.
    #[must_use]
    pub fn of_key(key: PublicKey) -> Self {
        Self(Shown::Key(key))
    }

    /// Creates the claim of a client that has a token.
    #[must_use]
    pub fn of_token(token: &str) -> Self {
        Self(Shown::Token(Arc::new(Token(token.to_owned()))))
    }

    /// Returns the key that the client has proved to have, if it is about a key.
    #[must_use]
    pub fn key(&self) -> Option<PublicKey> {
        match &self.0 {
            Shown::Key(key) => Some(*key),
            Shown::Token(_) => None,
        }
    }

    /// Returns an identity that rests on this claim.
    fn rests_on(&self, identity: Identity) -> Identity {
        match &self.0 {
            Shown::Key(key) => identity.with_key(*key).with_mechanism(Mechanism::Curve),
            Shown::Token(_) => identity.with_mechanism(Mechanism::Token),
        }
    }

    /// Returns the token, without `Bearer`, if it is about one.
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        match &self.0 {
            Shown::Key(_) => None,
            Shown::Token(token) => Some(&token.0),
        }
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Shown::Key(key) => f.debug_tuple("Claim").field(key).finish(),
            Shown::Token(_) => f.write_str("Claim(token)"),
        }
    }
}

/// Who a client is, and until when that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    identity: Identity,
    until: Option<SystemTime>,
}

impl Grant {
    /// Creates a grant without an end. The server sets what the identity rests on: the mechanism, and of a client with a key that key.
    #[must_use]
    pub fn new(identity: Identity) -> Self {
        Self { identity, until: None }
    }

    /// Sets when the grant ends. Then a connection is asked about again, and closed if there is no other grant; and a token is no longer
    /// remembered. Calls that have begun with a token go on.
    #[must_use]
    pub fn until(mut self, end: SystemTime) -> Self {
        self.until = Some(end);
        self
    }

    /// Returns who the client is.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Returns when the grant ends, if it does.
    #[must_use]
    pub fn end(&self) -> Option<SystemTime> {
        self.until
    }

    /// Reports whether it has ended.
    pub(crate) fn is_over(&self, now: SystemTime) -> bool {
        self.until.is_some_and(|until| until <= now)
    }

    pub(crate) fn map(self, change: impl FnOnce(Identity) -> Identity) -> Self {
        Self { identity: change(self.identity), until: self.until }
    }
}

impl From<Identity> for Grant {
    fn from(identity: Identity) -> Self {
        Self::new(identity)
    }
}
