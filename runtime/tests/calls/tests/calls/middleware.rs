//! Middleware: code of a program's own around its calls.

mod limits;
mod server;
