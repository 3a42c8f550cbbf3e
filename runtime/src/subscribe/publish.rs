//! Publishing an event from a client, through a router: [`Channel::publish`].

use crate::call::UnaryCall;
use crate::channel::Channel;
use crate::codec::Plain;
use crate::declaration::Event;
use crate::events::Publication;
use crate::interned::method;
use crate::method::MethodKind;
use crate::status::Status;

impl Channel {
    /// Publishes an event by a router, which sends it to all who have subscribed there: `channel.publish(&price).await`. `Ok` means that
    /// the router has taken the event, and nothing about who gets it.
    ///
    /// Routers alone take events of clients, if a grant says so; to publish what a server knows, it has a
    /// [`Publisher`](crate::Publisher). The project's `docs/events.md` shows more.
    ///
    /// # Errors
    /// What a call may fail with: `permission_denied`, or `unauthenticated`, if no role of the client is granted the event; `unimplemented` if
    /// there is no such event, or no router; `resource_exhausted` if the event is too large, or too much is under way; `invalid_argument` if the router has another
    /// schema, by which it is no such event.
    pub fn publish<E: Event>(&self, event: &E) -> UnaryCall<(), Status> {
        let name = format!("{}/publish", E::EVENT.name());
        let method = method(&name, MethodKind::Unary, None, false);
        self.unary::<Plain, _, _>(method, &Publication::<E::Form, E>::new(event))
    }
}
