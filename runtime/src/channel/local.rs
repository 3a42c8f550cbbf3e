//! A channel to a service within the process, for [`Channel::local`](super::Channel::local).

use std::sync::Arc;

use super::connect;
use crate::connection::{ChannelCounters, Config, Connection, Link};
use crate::dispatch::Service;
use crate::server;
use crate::status::Status;
use crate::transport::memory::SimNetwork;

/// Serves a service to a connection that no other client shares. Must be called within a tokio runtime.
pub(super) fn connect(
    service: Arc<dyn Service>,
    config: &Config,
    counters: &Arc<ChannelCounters>,
) -> Arc<Connection> {
    let network = SimNetwork::new();
    let served = server::serve_within(&network, vec![service]);
    let client = network.connect_alone();
    let connection = connect::by_link(client, "local".to_owned(), config, counters, Link::Local);
    if let Err(duplicate) = served {
        // One service can't have two methods of one name, unless its generated code was edited.
        let why = format!("the service has two methods `{}`", duplicate.0);
        connection.close_now(Some(Status::internal(why)));
    }
    connection
}
