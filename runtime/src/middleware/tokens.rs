//! [`Tokens`]: who makes a call, by the token that comes with it. Surrounds all middleware, so that it sees only calls that may be made.

use std::sync::Arc;

use crate::auth::{Authenticator, Claim, Grant, MAX_TOKEN_BYTES};
use crate::dispatch::{HandlerLayer, Handling, Incoming, Service};
use crate::metadata::Metadata;
use crate::method::MethodKind;
use crate::session::server::{Answer, check_roles};
use crate::status::{Cause, Code, Failure, Status};

/// Name of the metadata that carries a token.
pub(crate) const AUTHORIZATION: &str = "authorization";

/// Finds out who makes a call, and whether that client may make it. Without a token, that is the client of the connection.
pub(crate) struct Tokens {
    authenticator: Authenticator,
    /// Whether roles decide who may call.
    checks_roles: bool,
    /// What comes after it, before the handler.
    next: Option<Arc<dyn HandlerLayer>>,
}

impl Tokens {
    pub(crate) fn new(
        authenticator: Authenticator,
        checks_roles: bool,
        next: Option<Arc<dyn HandlerLayer>>,
    ) -> Self {
        Self { authenticator, checks_roles, next }
    }

    /// Begins the handler of a call whose client is known by now, if that client may make the call.
    fn enter(&self, service: Arc<dyn Service>, method: usize, call: Incoming) -> Handling {
        if self.checks_roles
            && let Err(why) = check_roles(call.method(), call.identity())
        {
            return Handling::refused(why);
        }
        match &self.next {
            None => Handling::by(&*service, method, call),
            Some(next) => Arc::clone(next).surround(service, method, call),
        }
    }

    async fn ask(
        self: Arc<Self>,
        claim: Claim,
        service: Arc<dyn Service>,
        method: usize,
        mut call: Incoming,
    ) -> Answer {
        let (counters, is_one_way) = (call.counters(), call.method().kind() == MethodKind::OneWay);
        let entered = match self.authenticator.ask(claim).await {
            Ok(grant) => {
                call.set_identity(Some(grant.identity().clone()));
                self.enter(service, method, call).begin()
            }
            Err(why) => Err(refusal(why)),
        };
        match entered {
            Ok(handler) => handler.await,
            Err(why) => {
                if is_one_way {
                    counters.count_refused_one_way();
                } else {
                    counters.count_refused();
                }
                Answer::Failure(Failure::Status(why))
            }
        }
    }
}

impl HandlerLayer for Tokens {
    fn surround(self: Arc<Self>, service: Arc<dyn Service>, method: usize, mut call: Incoming) -> Handling {
        let claim = match token(call.metadata()) {
            None => return self.enter(service, method, call),
            Some(Err(why)) => return Handling::refused(refusal(why)),
            Some(Ok(token)) => Claim::of_token(token),
        };
        if let Some(grant) = self.authenticator.remembered(&claim) {
            call.set_identity(Some(Grant::identity(&grant).clone()));
            return self.enter(service, method, call);
        }
        // What the client sends meanwhile must find its stream.
        call.open_streams();
        Handling::of(self.ask(claim, service, method, call))
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
