//! The generated services that the tests call, and what the tests share.

zsvc::include_generated!();
