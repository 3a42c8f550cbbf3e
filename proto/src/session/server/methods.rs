//! [`Methods`]: the methods that a server offers, by their names' bytes, as clients write them.

use std::collections::HashMap;

use crate::id_map::Seeded;
use crate::metadata::Metadata;
use crate::method::Method;
use crate::status::{Cause, Status};

/// The methods that a server offers. An index counts them in the order in which they were added.
#[derive(Debug, Default, Clone)]
pub struct Methods {
    by_name: HashMap<&'static [u8], (usize, &'static Method), Seeded>,
    roles: Roles,
}

/// Which calls roles decide on.
#[derive(Debug, Default, Clone, Copy)]
enum Roles {
    /// All.
    #[default]
    All,
    /// Those without an entry of this name in their metadata, in upper or lower case.
    Without(&'static str),
    /// None: anybody may call any method.
    Ignored,
}

/// Two of the methods have this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DuplicateMethod(pub &'static str);

impl Methods {
    /// Creates the table of these methods.
    ///
    /// # Errors
    /// Two of them have the same name.
    pub fn new(methods: impl IntoIterator<Item = &'static Method>) -> Result<Self, DuplicateMethod> {
        let mut by_name = HashMap::default();
        for (index, method) in methods.into_iter().enumerate() {
            if by_name.insert(method.name().as_bytes(), (index, method)).is_some() {
                return Err(DuplicateMethod(method.name()));
            }
        }
        Ok(Self { by_name, roles: Roles::default() })
    }

    /// Lets anybody call any of the methods, whatever their roles.
    #[must_use]
    pub fn ignoring_roles(self) -> Self {
        Self { roles: Roles::Ignored, ..self }
    }

    /// Leaves the roles of those calls to later whose metadata has an entry of this name, in upper or lower case: their client becomes known
    /// by it only after the call was taken. See [`check_roles`](super::check_roles).
    #[must_use]
    pub fn ignoring_roles_with(self, name: &'static str) -> Self {
        Self { roles: Roles::Without(name), ..self }
    }

    /// Reports whether roles decide who may make a call with this metadata.
    #[inline]
    pub(super) fn checks_roles(&self, metadata: &Metadata) -> bool {
        match self.roles {
            Roles::All => true,
            Roles::Without(name) => !metadata.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)),
            Roles::Ignored => false,
        }
    }

    /// Returns the method of a name, and its index.
    #[must_use]
    #[inline]
    pub fn find(&self, name: &[u8]) -> Option<(usize, &'static Method)> {
        self.by_name.get(name).copied()
    }

    /// Returns all methods, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &'static Method> {
        self.by_name.values().map(|(_, method)| *method)
    }

    /// Returns the status of a call of a method that is not here. It says which half of the name is wrong.
    #[cold]
    pub(super) fn unknown(&self, name: &[u8]) -> Status {
        let name = String::from_utf8_lossy(name);
        let service = name.rsplit_once('/').map_or(&*name, |(service, _)| service);
        let mut known = self.by_name.values();
        let is_known =
            known.any(|(_, known)| known.name().rsplit_once('/').is_some_and(|(other, _)| other == service));
        let shown: String = name.chars().take(200).collect();
        Status::unimplemented(if is_known {
            format!("the service has no method `{shown}`; the server may be older than its client")
        } else {
            format!("this server does not offer the service of `{shown}`")
        })
        .caused_by(Cause::NoSuchMethod)
    }
}
