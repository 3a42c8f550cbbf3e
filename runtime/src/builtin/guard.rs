//! [`Guard`]: who may ask a server about itself.

use crate::context::Context;
use crate::status::Status;
use crate::text::cut;

/// Maximum number of bytes of a client's name in a message.
const MAX_NAME_BYTES: usize = 200;

/// Who may ask a server about itself.
#[derive(Debug, Clone, Default)]
pub(super) enum Guard {
    /// Everyone who can connect: there is nothing at this server that needs an identity.
    #[default]
    Open,
    /// Clients that the server knows.
    Known,
    /// Clients with one of these roles.
    Roles(Vec<String>),
}

impl Guard {
    /// Checks whether the caller may ask.
    ///
    /// # Errors
    /// It may not.
    pub(super) fn check(&self, context: &Context) -> Result<(), Status> {
        let (method, caller) = (context.method().name(), context.identity());
        match (self, caller) {
            (Self::Open, _) | (Self::Known, Some(_)) => Ok(()),
            (Self::Roles(roles), Some(caller)) if roles.iter().any(|role| caller.has_role(role)) => Ok(()),
            (Self::Roles(roles), Some(caller)) => {
                let name = cut(caller.name(), MAX_NAME_BYTES);
                let roles = roles.join("`, `");
                let what = format!(
                    "a call of `{method}` takes one of the roles `{roles}`, and `{name}` has none of them"
                );
                Err(Status::permission_denied(what))
            }
            (Self::Known | Self::Roles(_), None) => {
                let what = format!(
                    "a call of `{method}` takes a client that the server knows, and it does not know who this one is"
                );
                Err(Status::unauthenticated(what))
            }
        }
    }
}
