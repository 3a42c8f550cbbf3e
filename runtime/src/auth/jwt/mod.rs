//! [`Jwt`]: JSON Web Tokens (RFC 7519), signed by keys that stand in a file, which is followed. With the feature `jwt`.
//!
//! - `keys`: which keys and algorithms there are.
//!
//! What is allowed is decided by the keys, and never by the token: a token says which of the keys and algorithms it is about, and no more.
//! Nothing is fetched over the network.

mod keys;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{Validation, decode, decode_header};
use serde_json::Value;

use super::{Authenticate, Claim, Grant};
use crate::caught::caught;
use crate::follow::{Due, Followed};
use crate::identity::Identity;
use crate::status::Status;
use crate::telemetry::{self, Counter};

use keys::Keys;
pub use keys::{Algorithm, JwtKeyError, JwtKeys};

/// Verifies JSON Web Tokens: an [`Authenticate`] for [`ServerBuilder::tokens`](crate::ServerBuilder::tokens).
///
/// ```no_run
/// use zsvc::auth::jwt::{Jwt, JwtKeys};
///
/// let tokens = Jwt::new(JwtKeys::jwks("/etc/orders/jwks.json"), "orders")?
///     .issuer("https://login.example")
///     .role_claim("realm_access.roles");
/// # let _ = tokens;
/// # Ok::<(), zsvc::auth::jwt::JwtKeyError>(())
/// ```
///
/// A token must be signed by one of the keys, by an algorithm of that key; have a time (`exp`) that is not up; be meant for this audience
/// (`aud`); and have a name (`sub`). A time before which it does not count (`nbf`) is heeded. The grant ends when the token does.
#[derive(Clone)]
pub struct Jwt {
    source: Arc<Source>,
    rules: Rules,
}

/// The keys, which change when their file does.
struct Source {
    keys: RwLock<Arc<Keys>>,
    /// Number of times that the keys have changed.
    generation: AtomicU64,
    taken: Counter,
    refused: Counter,
}

/// What a token has to say.
#[derive(Debug, Clone)]
struct Rules {
    audiences: Vec<String>,
    issuers: Vec<String>,
    /// The algorithms that may be used, of those that a key allows; all of them, if there are none.
    algorithms: Vec<Algorithm>,
    leeway: Duration,
    name: String,
    roles: String,
}

/// Maximum difference between two clocks.
const MAX_LEEWAY: Duration = Duration::from_secs(600);

impl Jwt {
    /// Creates a verifier of tokens that are meant for an audience, and reads its keys. The file of the keys is read again within a second
    /// whenever it has changed, until the last clone is dropped; one with anything wrong in it changes nothing, and is logged and counted.
    ///
    /// # Errors
    /// The file can't be read, or has no key that can be used.
    pub fn new(keys: JwtKeys, audience: impl Into<String>) -> Result<Self, JwtKeyError> {
        keys::install();
        let files = |what| Counter::because("zsvc_token_key_files_total", what);
        let followed = Followed::new(keys.path().to_owned(), Vec::new());
        let source = Arc::new(Source {
            keys: RwLock::new(Arc::new(keys.read()?)),
            generation: AtomicU64::new(0),
            taken: files("taken"),
            refused: files("refused"),
        });
        let (weak, needed, path) = (Arc::downgrade(&source), Arc::downgrade(&source), keys.path().to_owned());
        let started = followed.follow(
            "zsvc-token-keys",
            move || needed.strong_count() > 0,
            move |due| {
                let source = weak.upgrade()?;
                let followed = Followed::new(keys.path().to_owned(), Vec::new());
                let is_unread = source.take_over(&keys, due);
                Some(if is_unread { followed.unread() } else { followed })
            },
        );
        started.map_err(|why| JwtKeyError::unreadable(&path, why))?;
        let rules = Rules {
            audiences: vec![audience.into()],
            issuers: Vec::new(),
            algorithms: Vec::new(),
            leeway: Duration::from_secs(30),
            name: "sub".to_owned(),
            roles: "roles".to_owned(),
        };
        Ok(Self { source, rules })
    }

    /// Takes tokens that are meant for another audience (`aud`), too.
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.rules.audiences.push(audience.into());
        self
    }

    /// Takes tokens of this issuer (`iss`) alone; called several times, of these. Of every issuer that has a key, by default.
    #[must_use]
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.rules.issuers.push(issuer.into());
        self
    }

    /// Takes tokens by this algorithm alone; called several times, by these. By default by those that belong to the keys: what a JWKS
    /// says of a key by `alg`, or all that the key can be used with.
    #[must_use]
    pub fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.rules.algorithms.push(algorithm);
        self
    }

    /// Sets how far clocks may differ. 30 s by default, at most ten minutes.
    #[must_use]
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.rules.leeway = leeway.min(MAX_LEEWAY);
        self
    }

    /// Sets the claim that has the client's name, `sub` by default. Points lead into objects: `user.name`.
    #[must_use]
    pub fn name_claim(mut self, claim: impl Into<String>) -> Self {
        self.rules.name = claim.into();
        self
    }

    /// Sets the claim that has the client's roles, `roles` by default: a list of texts, or one text with spaces between them, as `scope`
    /// has it. Points lead into objects: `realm_access.roles`. A token without it has no roles.
    #[must_use]
    pub fn role_claim(mut self, claim: impl Into<String>) -> Self {
        self.rules.roles = claim.into();
        self
    }

    /// Returns the number of times that a changed file of keys was taken over.
    #[must_use]
    pub fn files_taken(&self) -> u64 {
        self.source.taken.get()
    }

    /// Returns the number of times that a changed file of keys could not be taken over, and the keys stayed as they were.
    #[must_use]
    pub fn files_refused(&self) -> u64 {
        self.source.refused.get()
    }

    fn verify(&self, token: &str) -> Result<Grant, Status> {
        let header = decode_header(token).map_err(|why| refused(&why))?;
        let keys = Arc::clone(&self.source.keys.read().unwrap_or_else(PoisonError::into_inner));
        let key = keys.find(header.kid.as_deref(), header.alg).map_err(Status::unauthenticated)?;
        if !self.rules.allow(header.alg) || !key.allows(header.alg) {
            return Err(Status::unauthenticated(
                "the token is signed by an algorithm that is not taken here",
            ));
        }
        let verified = decode::<Value>(token, key.value(), &self.rules.validation(header.alg));
        let claims = verified.map_err(|why| refused(&why))?.claims;
        let grant = Grant::new(self.rules.identity(&claims)?);
        let end = claims
            .get("exp")
            .and_then(Value::as_f64)
            .filter(|seconds| seconds.is_finite() && *seconds >= 0.0);
        let end = end.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let end =
            end.and_then(|after| SystemTime::UNIX_EPOCH.checked_add(after)?.checked_add(self.rules.leeway));
        Ok(match end {
            Some(end) => grant.until(end),
            // Past all time.
            None => grant,
        })
    }
}

impl Authenticate for Jwt {
    async fn authenticate(&self, claim: Claim) -> Result<Grant, Status> {
        match claim.token() {
            Some(token) => self.verify(token),
            None => Err(Status::unauthenticated("a key is no token")),
        }
    }

    fn generation(&self) -> u64 {
        self.source.generation.load(Ordering::Acquire)
    }
}

impl Source {
    /// Takes changed keys over. Returns whether they can't be read, which may pass without a change of the file.
    fn take_over(&self, file: &JwtKeys, due: Due) -> bool {
        match file.read() {
            Ok(keys) => {
                *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
                // After it: what is asked from now on is of the new keys.
                self.generation.fetch_add(1, Ordering::Release);
                self.taken.add(1);
                // A log that panics loses its own line alone.
                caught(|| telemetry::token_keys_taken(file.path())).ok();
                false
            }
            Err(why) => {
                let is_unread = !matches!(why, JwtKeyError::Wrong { .. });
                // What was told once is not told again.
                if !(is_unread && due == Due::Again) {
                    self.refused.add(1);
                    caught(|| telemetry::token_keys_refused(file.path(), &why)).ok();
                }
                is_unread
            }
        }
    }
}

impl Rules {
    fn allow(&self, algorithm: jsonwebtoken::Algorithm) -> bool {
        self.algorithms.is_empty() || self.algorithms.iter().any(|allowed| allowed.is(algorithm))
    }

    fn validation(&self, algorithm: jsonwebtoken::Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        validation.leeway = self.leeway.as_secs();
        validation.validate_nbf = true;
        validation.set_audience(&self.audiences);
        let mut required = vec!["exp", "aud"];
        if !self.issuers.is_empty() {
            validation.set_issuer(&self.issuers);
            required.push("iss");
        }
        validation.set_required_spec_claims(&required);
        validation
    }

    fn identity(&self, claims: &Value) -> Result<Identity, Status> {
        let name = at(claims, &self.name).and_then(Value::as_str).filter(|name| !name.is_empty());
        // It stands in logs.
        let name = name.filter(|name| !name.contains(char::is_control));
        let wrong = |claim: &str, what| {
            Status::unauthenticated(format!("the claim `{claim}` of the token must be {what}"))
        };
        let identity = Identity::new(
            name.ok_or_else(|| wrong(&self.name, "a text that is not empty, without control characters"))?,
        );
        let roles: Vec<&str> = match at(claims, &self.roles) {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::String(text)) => text.split_ascii_whitespace().collect(),
            Some(Value::Array(list)) => {
                let roles: Option<_> = list.iter().map(Value::as_str).collect();
                roles.ok_or_else(|| wrong(&self.roles, "a list of texts"))?
            }
            Some(_) => return Err(wrong(&self.roles, "a list of texts")),
        };
        Ok(roles.into_iter().fold(identity, Identity::with_role))
    }
}

/// Returns the value of a claim: of that name, or else by a path with points.
fn at<'a>(claims: &'a Value, path: &str) -> Option<&'a Value> {
    claims.get(path).or_else(|| path.split('.').try_fold(claims, |value, name| value.get(name)))
}

/// Returns what the caller is told of a token that is not good.
fn refused(why: &Error) -> Status {
    Status::unauthenticated(match why.kind() {
        ErrorKind::ExpiredSignature => "the token's time is up",
        ErrorKind::ImmatureSignature => "the token's time has not come yet",
        ErrorKind::InvalidAudience => "the token is meant for another audience",
        ErrorKind::InvalidIssuer => "the token is of another issuer",
        ErrorKind::MissingRequiredClaim(claim) => {
            return Status::unauthenticated(format!(
                "the token lacks the claim `{}`",
                claim.escape_default()
            ));
        }
        ErrorKind::InvalidSignature => "the token's signature does not fit",
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName | ErrorKind::UnsupportedAlgorithm => {
            "the token is signed by an algorithm that is not taken here"
        }
        _ => "this is no JSON Web Token that can be read here",
    })
}

impl fmt::Debug for Jwt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jwt").field("rules", &self.rules).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
