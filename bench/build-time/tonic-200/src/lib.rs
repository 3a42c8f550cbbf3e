//! The service of 200 methods, as a user of tonic has it.

/// What is generated.
#[cfg(generated)]
pub mod fleet {
    /// Its first version.
    #[allow(clippy::large_enum_variant, reason = "it is not written by hand")]
    pub mod v1 {
        tonic::include_proto!("fleet.v1");
    }
}

/// All of it in use.
#[cfg(used)]
pub mod used {
    use crate::fleet::v1::fleet_client::FleetClient;
    use crate::fleet::v1::fleet_server::{Fleet, FleetServer};
    use crate::fleet::v1::*;

    include!(concat!(env!("OUT_DIR"), "/used.rs"));
}
