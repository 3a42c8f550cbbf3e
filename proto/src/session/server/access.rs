//! Who may call: the roles of a method against those of a client.

use super::Session;
use crate::identity::Identity;
use crate::method::Method;
use crate::status::{Cause, Status};
use crate::text::cut;

/// Maximum number of bytes of a client's name in a message.
const MAX_NAME_BYTES: usize = 200;

impl<C> Session<C> {
    /// Returns who the client is, if that is known.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        self.state.identity.as_ref()
    }

    /// Says who the client is, for the calls that are read from now on. A new session's client is not known.
    pub fn set_identity(&mut self, identity: Option<Identity>) {
        self.state.identity = identity;
    }
}

/// Checks whether a client may call a method, where it becomes known only after the call was taken: see
/// [`Methods::ignoring_roles_with`](super::Methods::ignoring_roles_with).
///
/// # Errors
/// It may not.
pub fn check_roles(method: &Method, identity: Option<&Identity>) -> Result<(), Status> {
    if may_call(method, identity) { Ok(()) } else { Err(forbidden(method, identity)) }
}

/// Reports whether a client may call a method.
#[inline]
pub(super) fn may_call(method: &Method, identity: Option<&Identity>) -> bool {
    let roles = method.required_roles();
    roles.is_empty() || identity.is_some_and(|identity| roles.iter().any(|role| identity.has_role(role)))
}

/// Returns the status of a call that its client may not make.
#[cold]
pub(super) fn forbidden(method: &Method, identity: Option<&Identity>) -> Status {
    let (name, roles) = (method.name(), method.required_roles());
    let asked = match roles {
        [role] => format!("the role `{role}`"),
        roles => format!("one of the roles {}", listed(roles)),
    };
    let status = match identity {
        None => Status::unauthenticated(format!(
            "a call of `{name}` takes {asked}, and the server does not know who this client is"
        )),
        Some(identity) => Status::permission_denied(format!(
            "a call of `{name}` takes {asked}, and `{}` has {}",
            cut(identity.name(), MAX_NAME_BYTES),
            if roles.len() == 1 { "not got it" } else { "none of them" }
        )),
    };
    status.caused_by(Cause::Forbidden)
}

fn listed(roles: &[&str]) -> String {
    roles.iter().map(|role| format!("`{role}`")).collect::<Vec<_>>().join(", ")
}
