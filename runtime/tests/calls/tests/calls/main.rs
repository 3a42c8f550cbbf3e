//! The runtime over real sockets, with generated code at both ends. Each test checks one guarantee.
//!
//! Handlers do what a test asks for, and write their progress to a journal; see `src/probing.rs`. A test waits for
//! lines of the journal, never for time to pass. Tests of the bytes on the wire are in `tests/wire`.

mod access;
mod authenticate;
mod blocking;
mod blocking_client;
mod bounds;
mod builtin;
mod by_hand;
mod cancel;
mod child;
mod connected;
mod context;
mod curve;
mod curve_libzmq;
mod deadlines;
mod discovery;
mod ejection;
mod endpoints;
mod engines;
mod event_losses;
mod events;
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
mod tasks;
mod together;
mod tokens;
mod turns;
