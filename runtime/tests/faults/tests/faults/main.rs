//! What calls come to when processes die and connections fail. `docs/operations.md` lists the faults with these tests' names.

mod link;
mod processes;
mod support;
