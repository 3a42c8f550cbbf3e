//! Building blocks of the fault tests: a service that records which calls ran ([`Book`], [`Keeper`], [`Serving`]),
//! processes that can be killed and stopped ([`Process`]), and a TCP proxy that causes network faults ([`Proxy`]).
//!
//! The tests are in `tests/faults`; the soak program in `bench/soak` uses the same parts. `docs/operations.md`
//! describes what each fault looks like to users, with the names of the tests.

mod book;
mod keeper;
mod process;
mod proxy;
mod serving;

zsvc::include_generated!();

pub use book::Book;
pub use keeper::{Keeper, resident};
pub use process::{Process, Signal};
pub use proxy::{LinkRules, Proxy, Rules};
pub use serving::Serving;
