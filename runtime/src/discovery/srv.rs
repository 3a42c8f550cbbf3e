//! [`Srv`]: servers that are found by `SRV` records of DNS (RFC 2782).

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;
use hickory_resolver::proto::rr::rdata::SRV;
use hickory_resolver::{ResolverBuilder, TokioResolver};
use tokio::time::sleep;

use super::{Discover, Found, FoundServer};

/// The least and the longest time between two lookups of a name; in between, as long as its records may be kept.
const MIN_INTERVAL: Duration = Duration::from_secs(1);
const MAX_INTERVAL: Duration = Duration::from_secs(30);

/// Servers by `SRV` records of DNS: of the name `_tape._tcp.example.com`, say. Unlike addresses, these records have ports.
///
/// ```no_run
/// # async fn start() -> Result<(), Box<dyn std::error::Error>> {
/// use zsvc::Channel;
/// use zsvc::discovery::Srv;
///
/// let channel = Channel::builder().discover(Srv::system()?, "_tape._tcp.example.com").connect().await?;
/// # Ok(())
/// # }
/// ```
///
/// The servers of the lowest priority are connected to. Weights are left alone: each call goes to the server with the fewest calls in flight.
/// A name is looked up again once its records may be kept no longer, every 30 s at the latest.
#[derive(Clone)]
pub struct Srv {
    resolver: TokioResolver,
}

impl Srv {
    /// Creates one that asks the name servers of the system.
    ///
    /// # Errors
    /// The settings of the system can't be read.
    pub fn system() -> io::Result<Self> {
        let resolver = TokioResolver::builder_tokio().and_then(ResolverBuilder::build);
        Ok(Self { resolver: resolver.map_err(io::Error::other)? })
    }

    /// Creates one that asks these name servers.
    ///
    /// # Errors
    /// There is none.
    pub fn at(name_servers: impl IntoIterator<Item = SocketAddr>) -> io::Result<Self> {
        let name_servers: Vec<_> = name_servers.into_iter().map(name_server).collect();
        if name_servers.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "there is no name server to ask"));
        }
        let config = ResolverConfig::from_parts(None, Vec::new(), name_servers);
        let builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        Ok(Self { resolver: builder.build().map_err(io::Error::other)? })
    }
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = address.port();
        connection
    });
    NameServerConfig::new(address.ip(), true, connections.into())
}

impl Discover for Srv {
    async fn follow(&self, service: &str, found: &Found) -> io::Result<()> {
        loop {
            let answer = self.resolver.srv_lookup(service).await.map_err(io::Error::other)?;
            let records = answer.answers().iter().filter_map(|record| match &record.data {
                RData::SRV(record) => Some(record),
                _ => None,
            });
            found.set(servers(records));
            let kept = answer.valid_until().saturating_duration_since(Instant::now());
            sleep(kept.clamp(MIN_INTERVAL, MAX_INTERVAL)).await;
        }
    }
}

/// Returns the servers of the lowest priority. A record with the target `.` says that there is no server.
fn servers<'a>(records: impl Iterator<Item = &'a SRV> + Clone) -> Vec<FoundServer> {
    let records = records.filter(|record| !record.target.is_root());
    let lowest = records.clone().map(|record| record.priority).min();
    let best = records.filter(|record| Some(record.priority) == lowest);
    best.map(|record| {
        let host = record.target.to_ascii();
        let endpoint = format!("tcp://{}:{}", host.trim_end_matches('.'), record.port);
        FoundServer { instance: endpoint.clone(), endpoints: vec![endpoint] }
    })
    .collect()
}

impl fmt::Debug for Srv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Srv")
    }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU16, Ordering};

    use hickory_resolver::proto::op::Message;
    use hickory_resolver::proto::rr::{Name, Record};
    use tokio::net::UdpSocket;
    use tokio::sync::watch;

    use super::*;
    use crate::race::race;

    #[test]
    fn servers_of_the_lowest_priority_are_found() {
        let record = |priority, port, target| SRV::new(priority, 7, port, Name::from_str(target).unwrap());
        for (records, expected) in [
            (vec![], ""),
            (vec![record(0, 0, ".")], ""),
            (vec![record(5, 7100, "a.example.")], "tcp://a.example:7100"),
            (
                vec![
                    record(5, 7100, "a.example."),
                    record(9, 1, "c.example."),
                    record(5, 7101, "b.example."),
                ],
                "tcp://a.example:7100 tcp://b.example:7101",
            ),
            // Nothing behind an absent target stands in for what is there.
            (vec![record(0, 0, "."), record(5, 7100, "a.example.")], "tcp://a.example:7100"),
        ] {
            let found = servers(records.iter());
            let endpoints: Vec<_> = found.iter().map(|server| server.endpoints[0].as_str()).collect();
            assert_eq!(endpoints.join(" "), expected);
        }
    }

    /// A name server that answers everything with one record, which may be kept for a second.
    async fn name_server(socket: UdpSocket, port: Arc<AtomicU16>) {
        let mut query = [0; 1_024];
        while let Ok((length, from)) = socket.recv_from(&mut query).await {
            let query = Message::from_vec(&query[..length]).unwrap();
            let mut answer = Message::response(query.metadata.id, query.metadata.op_code);
            let question = query.queries[0].clone();
            let record = SRV::new(1, 1, port.load(Ordering::Relaxed), Name::from_str("a.example.").unwrap());
            answer.add_answer(Record::from_rdata(question.name().clone(), 1, RData::SRV(record)));
            answer.add_query(question);
            socket.send_to(&answer.to_vec().unwrap(), from).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_name_is_asked_again_once_its_records_are_old() {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let (srv, port) = (Srv::at([socket.local_addr().unwrap()]).unwrap(), Arc::new(AtomicU16::new(7_100)));
        tokio::spawn(name_server(socket, Arc::clone(&port)));
        let found = Found(watch::Sender::default());
        let mut known = found.0.subscribe();
        let followed = async {
            for expected in ["tcp://a.example:7100", "tcp://a.example:7101"] {
                known.changed().await.unwrap();
                let servers = known.borrow_and_update().servers.clone().unwrap();
                assert_eq!(servers[0].endpoints, [expected]);
                port.store(7_101, Ordering::Relaxed);
            }
        };
        let both = race(Box::pin(srv.follow("_tape._tcp.example.com.", &found)), followed);
        let ended = tokio::time::timeout(Duration::from_secs(20), both).await.expect("the test hangs");
        assert!(ended.is_none(), "{ended:?}");
    }

    #[tokio::test]
    async fn a_name_server_that_is_not_there_is_an_error() {
        assert!(Srv::at([]).is_err());
        let srv = Srv::at([SocketAddr::from(([127, 0, 0, 1], 1))]).unwrap();
        let found = Found(watch::Sender::default());
        assert!(srv.follow("_tape._tcp.example.com.", &found).await.is_err());
        assert!(found.0.borrow().servers.is_none());
    }
}
