//! [`Etcd`]: a registry in etcd, over the JSON gateway that each of its servers has.
//!
//! - [`gateway`]: one request, at whichever of the servers answers.
//! - [`entries`]: what is stored, and where.
//! - [`changes`]: what a watch tells, as a state machine without I/O.

mod changes;
mod entries;
mod gateway;

use std::fmt;
use std::io;
use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

use super::{Announce, Announcement, Discover, Found, Withdrawal};
use changes::{Changes, Next};
use entries::Entries;
use gateway::Gateway;

/// How long a watch goes on until everything is read once more: what a watch should miss is found then.
const WATCH_TIME: Duration = Duration::from_secs(300);
/// Time to live of a server's entries, by default.
const DEFAULT_TTL: Duration = Duration::from_secs(15);
/// etcd's leases have whole seconds, and it makes short ones longer by itself.
const MIN_TTL: Duration = Duration::from_secs(2);
const MAX_TTL: Duration = Duration::from_secs(24 * 60 * 60);

/// A registry in [etcd](https://etcd.io) 3.4 or later, over its JSON gateway.
///
/// ```no_run
/// # async fn start() -> Result<(), Box<dyn std::error::Error>> {
/// use zsvc::discovery::Etcd;
/// use zsvc::{Channel, Server};
///
/// let etcd = Etcd::new(["http://10.0.0.1:2379", "http://10.0.0.2:2379"]);
/// let server = Server::builder().bind("tcp://10.0.0.5:7100").announce(etcd.clone());
/// let channel = Channel::builder().discover(etcd, "market.v1.Tape").connect().await?;
/// # Ok(())
/// # }
/// ```
///
/// For each service a server has the key `/zsvc/services/SERVICE/INSTANCE`, whose value is a JSON object with the endpoints:
/// `{"endpoints":["tcp://10.0.0.5:7100"]}`. Programs in other languages may write and read such keys, too. The keys belong to a lease, which
/// the server renews three times in its [time to live](Self::ttl). So they go once the server withdraws, or that time after it was killed
/// or cut off; if it comes back later, it is listed anew.
///
/// For `https` endpoints, enable a feature for TLS of the crate `reqwest` 0.13 in your own `Cargo.toml`, and hand in a
/// [client](Self::client) for certificates of your own.
#[derive(Clone)]
pub struct Etcd {
    gateway: Gateway,
    prefix: String,
    ttl: Duration,
}

impl Etcd {
    /// Creates a registry at a cluster, of which these are the servers: `http://10.0.0.1:2379`. Each request goes to the one that has
    /// answered last, and then to the others in their order.
    pub fn new<E: Into<String>>(endpoints: impl IntoIterator<Item = E>) -> Self {
        let endpoints = endpoints.into_iter().map(Into::into).collect();
        Self { gateway: Gateway::new(endpoints), prefix: "/zsvc".to_owned(), ttl: DEFAULT_TTL }
    }

    /// Sets what the keys begin with, so that several systems can share a cluster. `/zsvc` by default.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Sets the time after which the entry of a server that was killed goes. 15 s by default; from 2 s to a day, in whole seconds. A
    /// process that stands still for longer is off the list until it goes on.
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl.clamp(MIN_TTL, MAX_TTL);
        self
    }

    /// Sets the user of etcd as whom requests are made. Without, none is named.
    #[must_use]
    pub fn user(mut self, name: impl Into<String>, password: impl Into<String>) -> Self {
        self.gateway.set_user(name.into(), password.into());
        self
    }

    /// Sets the HTTP client by which requests are made, for TLS or a proxy of your own. It must not have a timeout for whole answers: a
    /// watch is one that goes on.
    #[must_use]
    pub fn client(mut self, client: reqwest::Client) -> Self {
        self.gateway.set_client(client);
        self
    }

    /// Writes the entries of a server under a new lease. Returns the lease.
    async fn list(&self, server: &Announcement) -> io::Result<String> {
        let lease = self.gateway.grant(self.ttl).await?;
        for entry in Entries::new(&self.prefix).of(server) {
            self.gateway.put(&entry.key, &entry.value, &lease).await?;
        }
        Ok(lease)
    }
}

impl Announce for Etcd {
    async fn announce(&self, server: &Announcement, withdrawal: Withdrawal) -> io::Result<()> {
        let lease = self.list(server).await?;
        let mut valid_until = Instant::now() + self.ttl;
        while timeout(self.ttl / 3, withdrawal.requested()).await.is_err() {
            match self.gateway.keep_alive(&lease).await {
                Ok(true) => valid_until = Instant::now() + self.ttl,
                Ok(false) => {
                    return Err(io::Error::other("the lease has run out; the server is listed anew"));
                }
                // Another of its servers may know the lease still.
                Err(_) if Instant::now() < valid_until => {}
                Err(error) => return Err(error),
            }
        }
        self.gateway.revoke(&lease).await
    }
}

impl Discover for Etcd {
    async fn follow(&self, service: &str, found: &Found) -> io::Result<()> {
        let entries = Entries::new(&self.prefix);
        let prefix = entries.of_service(service);
        let read = self.gateway.read(&prefix).await?;
        let mut changes = Changes::new(&prefix, &read)?;
        found.set(changes.servers());
        let mut watch = self.gateway.watch(&prefix, changes.revision() + 1).await?;
        let until = Instant::now() + WATCH_TIME;
        while let Ok(bytes) = timeout_at(until, watch.chunk()).await {
            let bytes = bytes
                .map_err(io::Error::other)?
                .ok_or_else(|| io::Error::other("etcd has ended the watch"))?;
            match changes.read(&bytes)? {
                Next::Same => {}
                Next::Changed => found.set(changes.servers()),
                // What was missed is read anew.
                Next::Over => return Ok(()),
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Etcd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (prefix, ttl) = (&self.prefix, &self.ttl);
        f.debug_struct("Etcd")
            .field("gateway", &self.gateway)
            .field("prefix", prefix)
            .field("ttl", ttl)
            .finish()
    }
}
