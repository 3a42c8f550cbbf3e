//! Compiles `.svc` files to Rust for the `zsvc` crate: pure Rust, without a C compiler, libzmq or tokio.
//!
//! A build script needs one line:
//!
//! ```no_run
//! fn main() -> Result<(), zsvc_codegen::Error> {
//!     zsvc_codegen::compile("svc/tape.svc")
//! }
//! ```
//!
//! The program writes `zsvc::include_generated!();` where the modules are to be. [`Builder`] has options.
//!
//! Inside, a [`zsvc_idl::Schema`](zsvc_idl::schema::Schema) becomes text in one step that cannot fail
//! ([`generate`](generate())): `names` gives each declared thing its Rust identifier, `module` the order of the file,
//! `item` holds one emitted item per file, `layout` turns tokens into text. Generated code is thin: everything that moves
//! bytes is a function of the runtime.
//!
//! Not here: reading the language and its rules (`zsvc-idl`), and the wire (`zsvc`).

mod build;
mod carried;
mod docs;
mod error;
mod files;
mod form;
mod generate;
mod item;
mod layout;
mod literal;
mod module;
mod names;
mod options;
mod project;
mod python;
mod reach;
mod runtime;
mod rust_type;
mod site;
mod target;

pub use build::{Builder, compile};
pub use error::Error;
pub use files::{Disk, Freshness, freshness, reason, update};
pub use generate::{Placement, generate};
pub use options::{Choices, Options, OptionsError, Sides};
pub use project::{FolderError, Output, PROJECT_FILE, Project, Wrong, is_taken, svc_files};
pub use python::is_replaceable;
pub use rust_type::{rust_builtin, rust_type};
pub use target::{GeneratedFile, Language, generate_files};

/// The example of README.md, compiled as a doctest.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub mod readme {}
