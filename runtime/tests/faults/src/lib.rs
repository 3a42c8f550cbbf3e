//! What the tests of faults are made of: a service that keeps a book of what ran ([`Book`], [`Keeper`], [`Serving`]), processes that can be
//! killed and stopped ([`Process`]), and a TCP proxy that does to a connection what networks do ([`Proxy`]).
//!
//! The tests are in `tests/faults`; the soak program in `bench/soak` uses the same parts. What each fault looks like to users is in
//! `docs/operations.md`, by the names of the tests.

mod book;
mod keeper;
mod process;
mod proxy;
mod serving;

zsvc::include_generated!();

pub use book::Book;
pub use keeper::{Keeper, resident};
pub use process::{Process, Signal};
pub use proxy::{Line, Proxy, Rules};
pub use serving::Serving;
