//! [`Methods`]: the methods that a server offers, by their names' bytes, as clients write them.

use std::collections::HashMap;

use crate::id_map::Seeded;
use crate::method::Method;
use crate::status::{Cause, Status};

/// The methods that a server offers. An index counts them in the order in which they were added.
#[derive(Debug, Default, Clone)]
pub struct Methods {
    by_name: HashMap<&'static [u8], (usize, &'static Method), Seeded>,
    /// Whether anybody may call any of them, whatever their roles.
    ignores_roles: bool,
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
        Ok(Self { by_name, ignores_roles: false })
    }

    /// Lets anybody call any of the methods, whatever their roles.
    #[must_use]
    pub fn ignoring_roles(self) -> Self {
        Self { ignores_roles: true, ..self }
    }

    /// Reports whether roles decide who may call.
    #[inline]
    pub(super) fn checks_roles(&self) -> bool {
        !self.ignores_roles
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
