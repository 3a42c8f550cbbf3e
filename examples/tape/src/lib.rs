//! The code generated from `svc/tape.svc`, shared by both programs of this example: `src/bin/server.rs` and
//! `src/bin/client.rs`.

zsvc::include_generated!();

/// Endpoint of the server and of the client, unless an argument names another.
pub const ENDPOINT: &str = "tcp://127.0.0.1:7100";
