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
    let client = network.connect_alone(config.identity.clone());
    let connection = connect::by_link(client, "local".to_owned(), config, counters, Link::Local);
    if let Err(duplicate) = served {
        // One service can't have two methods of one name, unless its generated code was edited.
        let why = format!("the service has two methods `{}`", duplicate.0);
        connection.close_now(Some(Status::internal(why)));
    }
    connection
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;
    use crate::channel::Channel;
    use crate::codec::Plain;
    use crate::connection::Endpoints;
    use crate::method::{Method, MethodKind};
    use crate::status::{Cause, Code};

    static METHODS: [Method; 2] = [
        Method::new("t.Local/ask", MethodKind::Unary),
        Method::new("t.Local/follow", MethodKind::ServerStream),
    ];

    /// As when it has panicked, in a user's `Drop` or waker.
    #[tokio::test]
    async fn calls_fail_once_the_task_of_the_server_is_gone() {
        let (config, counters) = (Config::default(), Arc::<ChannelCounters>::default());
        let network = SimNetwork::new();
        let server = network.listen(Box::new(|_| false));
        let client = network.connect_alone(None);
        let connection = connect::by_link(client, "local".to_owned(), &config, &counters, Link::Local);
        let channel = Channel::of(Endpoints::new(vec![connection], config, counters));
        let ask = || channel.unary::<Plain, u64, Status>(&METHODS[0], &()).no_deadline();
        let follow = || channel.server_stream::<Plain, u64, Status>(&METHODS[1], &());
        let mut answers = follow().await.unwrap();
        let asked = tokio::spawn(ask());
        tokio::task::yield_now().await;
        drop(server);

        let within = Duration::from_secs(20);
        let ended = [
            timeout(within, answers.next()).await.unwrap().unwrap().unwrap_err(),
            timeout(within, asked).await.unwrap().unwrap().unwrap_err(),
        ];
        for status in ended {
            assert_eq!((status.code(), status.cause()), (Code::Unavailable, Some(Cause::Closed)));
            assert_eq!(status.message(), "the server's task has ended");
        }
        let later = [
            timeout(within, ask()).await.unwrap().unwrap_err(),
            timeout(within, follow()).await.unwrap().map(drop).unwrap_err(),
        ];
        for status in later {
            assert_eq!((status.code(), status.cause()), (Code::Unavailable, Some(Cause::Closed)));
        }
    }
}
