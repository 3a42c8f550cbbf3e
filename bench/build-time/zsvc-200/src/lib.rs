//! The service of 200 methods, as a user of zsvc has it.

#[cfg(generated)]
zsvc::include_generated!();

/// Handlers and calls that use all of the generated code.
#[cfg(used)]
pub mod used {
    use crate::fleet::v1::*;

    include!(concat!(env!("OUT_DIR"), "/used.rs"));
}
