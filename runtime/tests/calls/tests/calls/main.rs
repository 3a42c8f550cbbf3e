//! The runtime over real sockets, with generated code at both ends. Each test checks one guarantee.
//!
//! Handlers do what a test asks for, and write their progress to a journal; see `src/probing.rs`. A test waits for
//! lines of the journal, never for time to pass. Tests of the bytes on the wire are in `tests/wire`.

mod access;
mod authenticate;
mod blocking;
mod bounds;
mod cancel;
mod child;
mod context;
mod curve;
mod curve_libzmq;
mod deadlines;
mod ejection;
mod endpoints;
mod engines;
mod evolution;
mod flow;
mod hanging;
mod kinds;
mod limits;
mod liveness;
mod load;
mod log;
mod middleware;
mod mocks;
mod names;
mod one_way;
mod options;
mod outcomes;
mod overlap;
mod plaintext;
mod raw;
mod relay;
mod response_metadata;
mod retries;
mod roles;
mod runtimes;
mod scripted;
mod shutdown;
mod support;
mod together;
mod tokens;
mod turns;
