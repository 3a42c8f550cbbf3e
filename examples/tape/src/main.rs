//! The tape of `svc/tape.svc`.

fn main() {}
