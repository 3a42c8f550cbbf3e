//! Middleware: user code that runs around calls, and the middleware that the runtime provides.

mod client;
mod limits;
mod meter;
mod server;
mod trace;
