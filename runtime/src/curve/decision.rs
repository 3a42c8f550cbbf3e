//! Whether a client is let in that has proved to have a key, and who it is: [`CurveServer::decide`].

use std::time::SystemTime;

use zsvc_proto::keys::PublicKey;
use zsvc_proto::zmtp::curve::Rejection;

use super::{Access, CurveServer};
use crate::auth::{Asker, Asking, Claim, Grant};
use crate::identity::{Identity, Mechanism};
use crate::status::{Code, Status};

/// What is known at once of a client that has proved its key.
pub(crate) enum Decision {
    /// A client of the [`Access`].
    Listed(Grant),
    Now(Verdict),
    /// The program is asked; what it says goes to [`CurveServer::conclude`].
    Later(Asking),
}

/// What a client was granted, or why it is not let in.
pub(crate) type Verdict = Result<Grant, Refused>;

/// Why a client is not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) rejection: Rejection,
    /// For the server's log.
    pub(crate) why: String,
}

impl CurveServer {
    /// Decides on a client that has proved to have a key. Those that the program has listed come first, then those of its
    /// [`Access`], then what it says when it is asked, on an account, and last any client at all.
    pub(crate) fn decide(&self, client: &PublicKey, asker: Asker) -> Decision {
        if let Some(identity) = self.listed(client) {
            return Decision::Now(Ok(identity.into()));
        }
        match self.access.as_ref().and_then(|access| access.grant(client)) {
            // Of a client that is known, nothing else is asked.
            Some(grant) if grant.is_over(SystemTime::now()) => {
                let why = format!("the time of `{}` is up", grant.identity().name());
                return Decision::Now(self.conclude(client, Err(Status::unauthenticated(why))));
            }
            Some(grant) => return Decision::Listed(grant),
            None => {}
        }
        let Some(authenticator) = &self.authenticator else {
            return Decision::Now(
                self.conclude(client, Err(Status::unauthenticated("no client with this key is known"))),
            );
        };
        let claim = Claim::of_key(*client);
        match authenticator.remembered(&claim) {
            Some(grant) => Decision::Now(self.conclude(client, Ok(grant))),
            None => Decision::Later(authenticator.ask(claim, asker)),
        }
    }

    /// Returns what comes of what the program has said of a client.
    pub(crate) fn conclude(&self, client: &PublicKey, said: Result<Grant, Status>) -> Verdict {
        let by_key = |identity: Identity| identity.with_key(*client).with_mechanism(Mechanism::Curve);
        match said {
            Ok(grant) => Ok(grant),
            Err(status) => match rejection(&status) {
                Rejection::Denied if self.any => Ok(by_key(Identity::new(client.to_string())).into()),
                rejection => Err(Refused { rejection, why: status.message().to_owned() }),
            },
        }
    }

    /// Returns what changes while the server runs, if anything does.
    pub(crate) fn changes(&self) -> Option<&Access> {
        self.access.as_ref()
    }
}

fn rejection(status: &Status) -> Rejection {
    match status.code() {
        Code::Unauthenticated | Code::PermissionDenied => Rejection::Denied,
        Code::Internal => Rejection::Internal,
        // A client of libzmq gives up for good after any other.
        _ => Rejection::Temporary,
    }
}
