//! The loops that own a transport each, one for each side: they take messages in, send what others have left, and see to time.

mod server;

pub(crate) use server::ServerDriver;
