//! What `@roles` and `@public` say, and which texts are roles.
//!
//! Not here: that the attributes are allowed in their place, have strings, and are not both there, which `crate::check` ensures.

use crate::ast::{Preamble, ValueKind};
use crate::schema::Access;

/// Maximum number of bytes of a role.
pub(crate) const MAX_ROLE_BYTES: usize = 64;
/// Maximum number of roles of one attribute.
pub(crate) const MAX_ROLES: usize = 16;

/// Reports whether a text may be a role: one that can stand unquoted in a token's claim, a list or a log.
pub(crate) fn is_role(text: &str) -> bool {
    let may_follow = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/".contains(&byte);
    text.len() <= MAX_ROLE_BYTES
        && text.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
        && text.bytes().all(may_follow)
}

/// Returns who may call. Returns `None` if a role is no string.
pub(crate) fn access(preamble: &Preamble) -> Option<Access> {
    let Some(attribute) = preamble.find("roles") else {
        return Some(if preamble.find("public").is_some() { Access::Public } else { Access::Unsaid });
    };
    let roles = attribute.arguments.iter().map(|value| match &value.kind {
        ValueKind::String(role) => Some(role.clone()),
        _ => None,
    });
    roles.collect::<Option<_>>().map(Access::Roles)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_a_short_word() {
        for role in ["a", "7", "trader", "Back-Office_2", "orders:write", "shop.v1/admin", &"x".repeat(64)] {
            assert!(is_role(role), "{role}");
        }
        for text in ["", "-a", ":", "*", "a b", "a,b", "é", "a\n", "a\"", &"x".repeat(65)] {
            assert!(!is_role(text), "{text:?}");
        }
    }
}
