//! The code generated from `svc/counter.svc`, shared by the client, `src/main.rs`, and the server of the test.

zsvc::include_generated!();
