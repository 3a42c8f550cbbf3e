//! The service of 200 methods, as a user of tonic has it.

/// Generated code.
#[cfg(generated)]
pub mod fleet {
    /// Package `fleet.v1`.
    #[allow(clippy::large_enum_variant, reason = "generated code")]
    pub mod v1 {
        tonic::include_proto!("fleet.v1");
    }
}

/// Handlers and calls that use all of the generated code.
#[cfg(used)]
pub mod used {
    use crate::fleet::v1::fleet_client::FleetClient;
    use crate::fleet::v1::fleet_server::{Fleet, FleetServer};
    use crate::fleet::v1::*;

    include!(concat!(env!("OUT_DIR"), "/used.rs"));
}
