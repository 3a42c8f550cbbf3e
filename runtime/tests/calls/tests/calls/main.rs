//! The runtime over real sockets, with generated code on both ends: what it promises, each promise a test of its own.
//!
//! Handlers do what a test asks for, and write what becomes of them into a journal; see `src/probing.rs`. A test waits
//! for lines of the journal, never for time to pass. What goes over the wire byte by byte is in `tests/wire`.

mod bounds;
mod cancel;
mod child;
mod context;
mod deadlines;
mod ejection;
mod endpoints;
mod evolution;
mod flow;
mod kinds;
mod limits;
mod liveness;
mod load;
mod middleware;
mod mocks;
mod names;
mod one_way;
mod outcomes;
mod overlap;
mod raw;
mod relay;
mod retries;
mod scripted;
mod shutdown;
mod support;
mod together;
mod turns;
