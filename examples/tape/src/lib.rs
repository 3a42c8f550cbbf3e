//! What `svc/tape.svc` compiles to, for both programs of this example: `src/bin/server.rs` and `src/bin/client.rs`.

zsvc::include_generated!();

/// Where the server listens and the client calls if they are not told otherwise.
pub const ENDPOINT: &str = "tcp://127.0.0.1:7100";
