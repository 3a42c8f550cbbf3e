//! `zsvc lsp`: answers an editor's questions about `.svc` files, by the Language Server Protocol over standard input and output.
//!
//! The core is pure: [`documents`] are the texts that the editor has open, [`workspace`] analyzes them with the files on disk around
//! them, and each file below [`answer`] turns an analysis into one kind of answer, as a value. [`server`] knows the order of messages,
//! [`message`] and [`frame`] their form. What names mean is found by `zsvc_idl::analysis`.
//!
//! The `lsp-server` crate is not used: it takes the length that a client announces at its word, ends with the first text that is
//! no JSON, and what is left of it are three structs. The types of the protocol are those of `ls-types`.

mod answer;
mod dispatch;
mod documents;
mod frame;
mod history;
mod importers;
mod message;
mod notified;
mod position;
mod publish;
mod server;
mod settings;
mod workspace;

pub(crate) use server::serve;
