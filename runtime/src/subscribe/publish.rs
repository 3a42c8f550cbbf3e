//! Publishing an event from a client, through a router: [`Channel::publish`].

use std::cell::RefCell;

use crate::call::UnaryCall;
use crate::channel::Channel;
use crate::codec::Plain;
use crate::declaration::Event;
use crate::events::{EventType, Publication};
use crate::interned::method;
use crate::method::{Method, MethodKind};
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
        let method = publish_method(E::EVENT);
        self.unary::<Plain, _, _>(method, &Publication::<E::Form, E>::new(event))
    }
}

thread_local! {
    /// The methods by which events were published in this thread, by the addresses of their types: a program has few.
    static METHODS: RefCell<Vec<(*const EventType, &'static Method)>> = const { RefCell::new(Vec::new()) };
}

/// Maximum number of methods that a thread knows. Past it, those of other events are looked for by their names.
const MAX_METHODS: usize = 64;

/// Returns the method by which an event is published. After the first time in a thread, without a lock and without its name being put together.
fn publish_method(event: &'static EventType) -> &'static Method {
    let known = METHODS.with_borrow(|methods| {
        methods.iter().find(|(known, _)| std::ptr::eq(*known, event)).map(|(_, method)| *method)
    });
    known.unwrap_or_else(|| {
        let found = method(&format!("{}/publish", event.name()), MethodKind::Unary, None, false);
        METHODS.with_borrow_mut(|methods| {
            if methods.len() < MAX_METHODS {
                methods.push((event, found));
            }
        });
        found
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUBSCRIBE: Method = Method::new("a.E/subscribe", MethodKind::ServerStream);
    static ONE: EventType = EventType::new("a.One", SUBSCRIBE);
    static OTHER: EventType = EventType::new("a.Other", SUBSCRIBE);

    #[test]
    fn a_method_is_put_together_once_in_a_thread() {
        for _ in 0..2 {
            assert_eq!(publish_method(&ONE).name(), "a.One/publish");
            assert_eq!(publish_method(&OTHER).name(), "a.Other/publish");
        }
        METHODS.with_borrow(|methods| assert_eq!(methods.len(), 2));
        let elsewhere = std::thread::spawn(|| publish_method(&ONE)).join().unwrap();
        assert!(std::ptr::eq(elsewhere, publish_method(&ONE)));
    }

    #[test]
    fn a_thread_knows_few_methods_and_finds_all() {
        for number in 0..2 * MAX_METHODS {
            let name: &'static str = String::leak(format!("a.Event{number}"));
            let event: &'static EventType = Box::leak(Box::new(EventType::new(name, SUBSCRIBE)));
            assert_eq!(publish_method(event).name(), format!("{name}/publish"));
        }
        METHODS.with_borrow(|methods| assert_eq!(methods.len(), MAX_METHODS));
    }
}
