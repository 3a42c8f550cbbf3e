//! How the endpoints of a server are bound, by its engine.

use super::beside::bind_failed;
use super::error::ServeError;
use super::register::{NOT_TO_A_ROUTER, Register};
use super::serving::AnyDriver;
use crate::curve::{CurveServer, NO_CLIENTS, NOT_ON_LIBZMQ};
#[cfg(all(feature = "libzmq", unix))]
use crate::curve::{NOT_FIXED, NOT_INPROC};
#[cfg(all(feature = "libzmq", unix))]
use crate::driver::ServerDriver;
use crate::driver::{Core, ListenerDriver};
use crate::engine::Engine;
use crate::transport::address::Address;
#[cfg(all(feature = "libzmq", unix))]
use crate::transport::libzmq::Router;
use crate::transport::listen::Reach;
use crate::transport::zmtp::{Role, ZmtpListener};
use crate::transport::{HandshakeLimits, LinkConfig, libzmq_has_curve};

pub(super) fn is_inproc(endpoint: &str) -> bool {
    matches!(Address::to_bind(endpoint), Ok(Address::Inproc(_)))
}

/// Checks whether a client may call the methods that have roles, if there are some. Who a client is, is known by its key, or over `inproc` on
/// `zmtp`, where its program says so.
pub(super) fn check_roles(
    core: &Core,
    engine: Option<Engine>,
    curve: Option<&CurveServer>,
    (endpoints, routers): (&[String], &[Register]),
) -> Result<(), ServeError> {
    let Some(method) = core.method_with_roles() else { return Ok(()) };
    // Told where the endpoints are bound.
    let Ok(engine) = Engine::of_server(engine) else { return Ok(()) };
    if engine == Engine::Zmtp && endpoints.iter().any(|endpoint| is_inproc(endpoint)) {
        return Ok(());
    }
    if core.any_roles(|roles| routers.iter().any(|router| router.router_may_have(roles))) {
        return Ok(());
    }
    match curve {
        None => Err(ServeError::UnknownClients { method }),
        // That there are no clients at all is told where the endpoints are bound.
        Some(curve) if !curve.lets_anyone_in() || core.any_roles(|roles| curve.may_have(roles)) => Ok(()),
        Some(_) => Err(ServeError::NoClientWithRole { method }),
    }
}

/// Binds endpoints by an engine. Returns the driver of the server, and the endpoints as they were bound.
pub(super) fn bind(
    engine: Option<Engine>,
    (endpoints, routers): (&[String], &[Register]),
    reach: Reach,
    (link, handshakes): (LinkConfig, HandshakeLimits),
    curve: Option<CurveServer>,
    core: Core,
) -> Result<(AnyDriver, Vec<String>), ServeError> {
    if curve.as_ref().is_some_and(|curve| !curve.lets_anyone_in()) {
        return Err(ServeError::Curve { reason: NO_CLIENTS });
    }
    match Engine::of_server(engine).map_err(|reason| ServeError::Engine { reason })? {
        Engine::Libzmq if curve.is_some() && !libzmq_has_curve() => {
            Err(ServeError::Curve { reason: NOT_ON_LIBZMQ })
        }
        Engine::Zmtp => {
            let (mut listener, bound) =
                ZmtpListener::bind(endpoints, reach, link, handshakes, Role::Server(curve))
                    .map_err(bind_failed)?;
            for router in routers {
                listener.dial(router.dialler(link, core.services())?);
            }
            Ok((Box::pin(ListenerDriver::new(listener, core)), bound))
        }
        Engine::Libzmq if !routers.is_empty() => {
            Err(ServeError::Engine { reason: NOT_TO_A_ROUTER.to_owned() })
        }
        #[cfg(all(feature = "libzmq", unix))]
        Engine::Libzmq => {
            if curve.as_ref().is_some_and(|curve| !curve.is_fixed()) {
                return Err(ServeError::Curve { reason: NOT_FIXED });
            }
            if curve.is_some() && endpoints.iter().any(|endpoint| is_inproc(endpoint)) {
                return Err(ServeError::Curve { reason: NOT_INPROC });
            }
            let (router, bound) = Router::bind(endpoints, reach, link, curve).map_err(bind_failed)?;
            Ok((Box::pin(ServerDriver::new(router, core)), bound))
        }
        #[cfg(not(all(feature = "libzmq", unix)))]
        Engine::Libzmq => Err(ServeError::Engine { reason: crate::engine::NO_LIBZMQ.to_owned() }),
    }
}
