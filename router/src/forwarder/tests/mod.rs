//! Tests of the forwarder without sockets, on a made-up clock: what callers and workers say to it, and what it says to them.

mod bounds;
mod credit;
mod hostile;
mod liveness;
mod losses;
mod passing;
mod queue;
mod realms;
mod relay;
mod shards;
mod slow_start;
mod world;
