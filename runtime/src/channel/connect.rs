//! How a channel's connections are made: by a socket, by a link within the process, or without a transport for a name.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::resolve::{Discovery, Lobby, Name, Resolver, UNKNOWN, named};
use crate::connection::{ChannelCounters, Config, Connection, Endpoints, Link};
use crate::curve::NOT_ON_LIBZMQ;
use crate::driver::ClientDriver;
use crate::engine::Engine;
use crate::status::Status;
use crate::transport::address::Address;
#[cfg(all(feature = "libzmq", unix))]
use crate::transport::libzmq::Dealer;
use crate::transport::libzmq_has_curve;
use crate::transport::memory::{self, MemoryClient};
use crate::transport::zmtp::ZmtpClient;
use crate::transport::{ClientTransport, LinkConfig};

/// After this many tenths of a heartbeat's interval without an answer a connection is dead.
const HEARTBEATS_LOST_TENTHS: u32 = 33;
/// The least time after which a connection without an answer is dead, whatever the heartbeat: a busy thread may not run for as long.
const LEAST_SILENCE: Duration = Duration::from_millis(100);

/// Why an endpoint can't carry the identity that a program gives.
const NO_IDENTITY: &str = "the identity that a program gives to a channel holds within its process, for `Channel::builder().local(…)`, a \
                           `TestServer`, and `inproc` on the engine `zmtp`; use one of these, or remove it and call `curve`";

/// Makes a connection to an endpoint: by a socket, or to a server that a test has within this process. Must be called within a
/// tokio runtime.
pub(super) fn to(
    endpoint: String,
    config: &Config,
    counters: &Arc<ChannelCounters>,
) -> Result<Arc<Connection>, Status> {
    match memory::find(&endpoint) {
        None => by_socket(endpoint, config, counters),
        Some(Ok(network)) => {
            let client = network.connect(config.identity.clone());
            Ok(by_link(client, endpoint, config, counters, Link::Monitored))
        }
        Some(Err(why)) => Err(refused(&endpoint, why)),
    }
}

/// Makes a connection by a socket. Must be called within a tokio runtime.
pub(super) fn by_socket(
    endpoint: String,
    config: &Config,
    counters: &Arc<ChannelCounters>,
) -> Result<Arc<Connection>, Status> {
    let silence = (config.heartbeat.saturating_mul(HEARTBEATS_LOST_TENTHS) / 10).max(LEAST_SILENCE);
    let link = LinkConfig { max_body: config.message_size, heartbeat: config.heartbeat, silence };
    let refused = |error: &dyn fmt::Display| refused(&endpoint, error);
    let engine = Engine::of_channel(config.engine).map_err(|error| refused(&error))?;
    if config.identity.is_some() && !carries_identity(engine, &endpoint) {
        return Err(refused(&NO_IDENTITY));
    }
    Ok(match engine {
        Engine::Libzmq if config.curve.is_some() && !libzmq_has_curve() => {
            return Err(refused(&NOT_ON_LIBZMQ));
        }
        Engine::Zmtp => {
            let client = ZmtpClient::connect(&endpoint, link, config.curve.clone(), config.identity.clone())
                .map_err(|error| refused(&error))?;
            drive(client, endpoint, config, counters, Link::Monitored)
        }
        #[cfg(all(feature = "libzmq", unix))]
        Engine::Libzmq => {
            let dealer =
                Dealer::connect(&endpoint, link, config.curve.clone()).map_err(|error| refused(&error))?;
            let link = if dealer.is_unmonitored() { Link::Unmonitored } else { Link::Monitored };
            drive(dealer, endpoint, config, counters, link)
        }
        #[cfg(not(all(feature = "libzmq", unix)))]
        Engine::Libzmq => return Err(refused(&crate::engine::NO_LIBZMQ)),
    })
}

/// Reports whether a server behind an endpoint takes a channel's word for who it is. What is no endpoint is refused elsewhere.
fn carries_identity(engine: Engine, endpoint: &str) -> bool {
    engine == Engine::Zmtp
        && !matches!(Address::to_connect(endpoint), Ok(Address::Tcp { .. } | Address::Ipc(_)))
}

/// Makes a connection by a link within the process. Must be called within a tokio runtime.
pub(super) fn by_link(
    client: MemoryClient,
    endpoint: String,
    config: &Config,
    counters: &Arc<ChannelCounters>,
    link: Link,
) -> Arc<Connection> {
    drive(client, endpoint, config, counters, link)
}

/// Makes the connection of a transport, and spawns the driver that owns both.
fn drive(
    transport: impl ClientTransport,
    endpoint: String,
    config: &Config,
    counters: &Arc<ChannelCounters>,
    link: Link,
) -> Arc<Connection> {
    let connection = Connection::new(endpoint, config.clone(), Arc::clone(counters), link);
    tokio::spawn(ClientDriver::new(transport, Arc::clone(&connection)));
    connection
}

/// Makes the connection at which calls wait for an address of a name.
pub(super) fn lobby(endpoint: String, config: &Config, counters: &Arc<ChannelCounters>) -> Arc<Connection> {
    let connection = Connection::new(endpoint, config.clone(), Arc::clone(counters), Link::None);
    connection.set_trouble(UNKNOWN);
    tokio::spawn(Lobby::new(Arc::clone(&connection)));
    connection
}

/// Follows services for a channel, each with the lobby that was made for it.
pub(super) fn follow(discovered: Vec<(Discovery, Arc<Connection>)>, endpoints: &Arc<Endpoints>) {
    for (discovery, lobby) in discovered {
        discovery.follow(&lobby, endpoints);
    }
}

/// Has the names of a channel looked up, now and then, for as long as the channel is there.
pub(super) fn keep_names_up(endpoints: &Arc<Endpoints>, resolver: &Resolver) {
    for given in endpoints.given() {
        if let Some((host, port)) = named(given.endpoint()) {
            let name = Name {
                host,
                port,
                resolver: resolver.clone(),
                lobby: Arc::clone(given),
                endpoints: Arc::downgrade(endpoints),
                changes: endpoints.changes(),
            };
            tokio::spawn(name.keep_up());
        }
    }
}

fn refused(endpoint: &str, why: impl fmt::Display) -> Status {
    Status::invalid_argument(format!("can't connect to `{endpoint}`: {why}")).not_sent()
}
