//! What calls come to when processes die and connections fail. `docs/operations.md` lists the faults with these tests' names.

mod crowds;
mod handlers;
mod link;
mod processes;
mod raw;
mod resets;
mod restarts;
mod support;
