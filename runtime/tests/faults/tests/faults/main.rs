//! Results of calls when processes die and connections fail. `docs/operations.md` lists the faults with the names of
//! these tests.

mod claims;
mod connecting;
mod crowds;
mod endpoints;
mod engines;
mod handlers;
mod impostor;
mod link;
mod processes;
mod raw;
mod recovery;
mod resets;
mod restarts;
mod support;
