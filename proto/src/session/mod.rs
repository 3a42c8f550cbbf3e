//! Sessions: what records mean to a call, per connection, as closed machines without I/O.

pub mod server;
