//! The service of 200 methods, as a user of zsvc has it.

#[cfg(generated)]
zsvc::include_generated!();

/// All of it in use.
#[cfg(used)]
pub mod used {
    use crate::fleet::v1::*;

    include!(concat!(env!("OUT_DIR"), "/used.rs"));
}
