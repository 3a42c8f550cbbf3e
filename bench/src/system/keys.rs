//! The keys of the systems that encrypt. They are the same in each process, and no secret.

use zsvc::curve::{CurveClient, CurveServer, SecretKey};

use crate::Failure;

pub(super) fn server() -> SecretKey {
    SecretKey::from_bytes(&[1; 32])
}

pub(super) fn client() -> SecretKey {
    SecretKey::from_bytes(&[2; 32])
}

/// Returns the settings of a server of zsvc.
pub(super) fn of_server() -> CurveServer {
    CurveServer::new(server()).allow(client().public_key())
}

/// Returns the settings of a client of zsvc.
pub(super) fn of_client() -> CurveClient {
    CurveClient::new(server().public_key(), client())
}

/// Has a socket of libzmq encrypt, as the server or as a client. As a server, it lets every key in, as libzmq does where nothing judges.
pub(super) fn set(socket: &zmq::Socket, is_server: bool) -> Result<(), Failure> {
    let own = if is_server { server() } else { client() };
    socket.set_curve_secretkey(own.to_z85().as_bytes())?;
    if is_server {
        socket.set_curve_server(true)?;
    } else {
        socket.set_curve_publickey(own.public_key().as_bytes())?;
        socket.set_curve_serverkey(server().public_key().as_bytes())?;
    }
    Ok(())
}
