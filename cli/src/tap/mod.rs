//! A proxy that shows what passes between clients and a server.
//!
//! Bytes pass unchanged, and are read beside: so what is seen is what was sent, and a form that can't be read disturbs no call.
//!
//! - [`frames`]: bytes of one direction of a connection to messages.
//! - [`conversation`]: the calls of one connection, and what each record says by the schema.
//! - [`proxy`]: connections, in both directions.
//! - [`recording`]: what was seen as lines of JSON, and calls made again from them.

pub(crate) mod conversation;
pub(crate) mod frames;
pub(crate) mod proxy;
pub(crate) mod recording;
