//! [`Feed`]: a publisher as the PUB socket of a server has it, for subscribers of ZeroMQ's own.

use std::sync::Arc;

use super::publisher::Shared;
use crate::events::{EventType, Mailbox, Prefixes, Tapped};
use crate::identity::Identity;

/// A publisher, whatever its event.
#[derive(Clone)]
pub(crate) struct Feed(pub(super) Arc<Shared>);

impl Feed {
    /// Reports whether a client may subscribe, by the roles that the schema asks for.
    pub(crate) fn is_for(&self, client: Option<&Identity>) -> bool {
        let roles = self.0.event().method().required_roles();
        roles.is_empty() || client.is_some_and(|client| roles.iter().any(|role| client.has_role(role)))
    }

    /// Adds a subscriber, unless this is a child of the process that has made the publisher.
    pub(crate) fn tap(&self, prefixes: &Arc<Prefixes>) -> Option<Tap> {
        let mut topic = self.0.lock().ok()?;
        let epoch = topic.position().epoch();
        let tapped = topic.tap(Arc::clone(prefixes));
        drop(topic);
        Some(Tap { shared: Arc::clone(&self.0), tapped, epoch })
    }
}

/// One subscriber to one publisher, until it is dropped.
pub(crate) struct Tap {
    shared: Arc<Shared>,
    tapped: Tapped,
    epoch: u64,
}

impl Tap {
    pub(crate) fn mailbox(&self) -> &Mailbox {
        &self.tapped.mailbox
    }

    pub(crate) fn event(&self) -> &'static EventType {
        self.shared.event()
    }

    /// Returns the number that tells the publisher's life from others.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        if let Ok(mut topic) = self.shared.lock() {
            topic.untap(&self.tapped);
        }
    }
}
