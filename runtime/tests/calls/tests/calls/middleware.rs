//! Middleware: code of a program's own around its calls, and what comes along.

mod client;
mod limits;
mod meter;
mod server;
mod trace;
