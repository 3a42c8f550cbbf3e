//! Events without I/O: what a publisher keeps, what waits for each subscriber, and how both are said on the wire.
//!
//! A subscription is a call that is answered with a stream, so sessions and records know nothing of events. From the bottom up:
//!
//! - [`EventType`]: what a schema says of an event; [`Key`] and [`Filter`]: the values of its key fields, and which of them a
//!   subscriber asks for.
//! - [`Posted`]: an event that was published: encoded once, and shared by all that keep or send it.
//! - [`Layout`]: the same of an event that another side has encoded, and whose type is not known here; [`Publication`]: the parameters of the
//!   call by which a client publishes one.
//! - [`Notice`] and [`Delivered`]: an item of the stream as a server writes it and as a client reads it; [`Request`]: the
//!   parameters of the call, with the [`Position`] that a subscriber goes on from.
//! - [`Mailbox`]: what waits for one subscriber, with a bound, and what happens past it; [`CatchUp`]: how far it has come with what was
//!   there before it.
//! - [`Topic`]: all of one publisher: its sequence numbers, the events that it keeps, and its subscribers. Publishing and
//!   joining are one step each, so a subscriber gets every event either as a kept one or as a live one, and none twice.
//!
//! The order of calls: [`Topic::join`]; [`Topic::catch_up`] until [`CatchUp::is_done`]; [`Mailbox::poll_next`], which takes notices until the
//! stream ends; [`Topic::leave`]. Subscribers of ZeroMQ's own, which know topics and no keys, come by [`Topic::tap`] and say by [`Prefixes`] what
//! they want. [`Topic::post`] returns the tasks to wake, once no lock is held.

mod event_type;
mod filter;
mod kept;
mod key;
mod layout;
mod mailbox;
mod notice;
mod posted;
mod prefixes;
mod publication;
mod queue;
mod recent;
mod request;
mod roster;
mod slots;
mod topic;
mod topic_name;

pub use event_type::{EventType, KeyField, KeyKind, MAX_KEY_FIELDS, Slow};
pub use filter::{BadFilter, Filter, MAX_FILTER_BYTES, MAX_FILTER_VALUES, Wanted};
pub use key::{Key, KeyWriter, MAX_KEY_BYTES};
pub use layout::{Layout, Unreadable};
pub use mailbox::{Came, Mailbox, TooSlow};
pub use notice::{Delivered, Deliveries, Notice};
pub use posted::{Posted, Unpostable};
pub use prefixes::{Prefixes, TooManyPrefixes};
pub use publication::{Publication, event_of};
pub use request::{Position, Request};
pub use topic::{Audience, CatchUp, Chosen, Joined, Limits, Member, Tapped, Topic};
