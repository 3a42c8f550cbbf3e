//! A router for **zsvc**: callers connect to one address, and workers behind it answer.
//!
//! The records of calls are passed on as they came, without the schema. What is done about them is decided in [`forwarder`], a closed
//! machine without I/O; [`Router`] moves the messages. The command `zsvc router` runs one by a file, which [`mod@file`] reads; the project's
//! `docs/router.md` shows how to use both.

pub mod admin;
mod board;
mod config;
mod direct;
mod discovery;
mod error;
mod event;
#[cfg(feature = "prometheus")]
mod exporter;
pub mod file;
pub mod forwarder;
mod io;
mod members;
#[cfg(feature = "metrics")]
mod meter;
mod names;
mod processes;
mod quota;
mod relay;
mod rights;
mod router;

pub use board::EventView;
pub use config::{Config, DEFAULT_CAPACITY, ListedWorker};
pub use discovery::{Discovered, Source};
pub use error::RouterError;
pub use event::Event;
pub use members::Changes;
pub use processes::WorkerProcess;
pub use quota::{Allowance, Quota};
pub use rights::{Grant, Realm, Rights, Rules, Scope};
pub use router::{Router, RouterHandle};
