//! [`Access`]: who may call.

use super::{Method, Service};

/// Who may call a method, as `@roles` or `@public` says on it or on its service.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Access {
    /// Neither attribute. A method is then as its service says, and a service is for anybody.
    #[default]
    Unsaid,
    /// `@public`: anybody.
    Public,
    /// `@roles("trader", "admin")`: clients that have one of these roles, in the order of the text. At least one, and none twice.
    Roles(Vec<String>),
}

impl Access {
    /// Returns the roles of which a client needs one; empty if anybody may call.
    #[must_use]
    pub fn roles(&self) -> &[String] {
        match self {
            Self::Unsaid | Self::Public => &[],
            Self::Roles(roles) => roles,
        }
    }
}

impl Service {
    /// Returns who may call a method of this service: what the method says, or else what the service does.
    #[must_use]
    pub fn access_of<'a>(&'a self, method: &'a Method) -> &'a Access {
        match &method.access {
            Access::Unsaid => &self.access,
            said => said,
        }
    }
}
