//! `zsvc lsp`, driven by its protocol over its standard input and output.
//!
//! - `*.txt` are recorded sessions, with the files that they are about: [`session`] has their form. `SNAPSHOTS=overwrite` writes the
//!   answers anew.
//! - [`hostile`]: what no client should send.
//! - [`beside`]: what is done beside the conversation: changes since `HEAD`.
//! - [`scale`]: a keystroke in a large project.
#![cfg(feature = "lsp")]

mod beside;
mod client;
mod hostile;
mod scale;
mod session;
