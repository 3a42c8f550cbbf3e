//! The router over real sockets, with generated code at both ends. Each test checks one guarantee. What the router decides is tested
//! without sockets in `router/src/forwarder/tests`.

mod admin;
mod back_pressure;
mod checked;
#[cfg(unix)]
mod devices;
mod discovery;
mod documents;
mod faults;
mod kinds;
mod named;
mod outcomes;
mod processes;
mod published;
mod realms;
mod registered_roles;
mod registration;
mod relay_faults;
mod relayed;
mod reload;
mod sharded;
