//! The settings of a server's own services, which tell what it is: [`crate::reflection`], [`crate::health`] and [`crate::stats`].

use super::builder::ServerBuilder;
use crate::builtin::health::Reporter;

impl ServerBuilder {
    /// Says whether the server has the service [`crate::reflection`], by which clients learn what it serves. By default it has.
    ///
    /// Where a method has roles, or there are [`tokens`](Self::tokens), it answers clients whose identity is known, and no others; otherwise everyone
    /// who can connect. See [`introspection_roles`](Self::introspection_roles).
    pub fn reflection(mut self, is_on: bool) -> Self {
        self.own.reflection = is_on;
        self
    }

    /// Says whether the server has the service [`crate::health`], by which everyone who can connect learns whether services are fit to be
    /// called. By default it has.
    pub fn health(mut self, is_on: bool) -> Self {
        self.own.health = is_on;
        self
    }

    /// Says whether the server has the service [`crate::stats`], by which clients learn how many calls there were, how they ended and how
    /// long they took; without it, none of that is counted. By default it has. It answers those whom
    /// [`reflection`](Self::reflection) does.
    pub fn stats(mut self, is_on: bool) -> Self {
        self.own.stats = is_on;
        self
    }

    /// Sets what says whether services are fit to be called. By default all are until the server shuts down.
    pub fn health_reporter(mut self, reporter: &Reporter) -> Self {
        self.own.reporter = reporter.clone();
        self
    }

    /// Sets the roles of which a client needs one to ask the server about itself, by [`crate::reflection`].
    /// Without this, clients need to be known where anything at the server needs an identity. Not heeded by a server that is
    /// [`insecure`](Self::insecure).
    pub fn introspection_roles(mut self, roles: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.own.roles = roles.into_iter().map(Into::into).collect();
        self
    }
}
