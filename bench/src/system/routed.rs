//! zsvc behind a router: a process with the router, and one for each worker.

use zsvc_router::forwarder::NewWorker;
use zsvc_router::{Config, DEFAULT_CAPACITY, ListedWorker, Router};

use super::System;
use crate::Failure;
use crate::command::Serve;
use crate::process::Server;

/// Routes until the process ends, to as many workers, which end with it.
pub(super) fn serve(workers: usize) -> Result<(), Failure> {
    let servers = (0..workers).map(|_| Server::start(Serve::command(System::Zsvc)?));
    let servers = servers.collect::<Result<Vec<_>, Failure>>()?;
    let listed = servers.iter().zip(1..).map(|(server, number)| ListedWorker {
        endpoint: server.listening.endpoint.clone(),
        worker: NewWorker {
            name: format!("worker {number}"),
            services: vec!["bench.v1.Echo".to_owned()],
            capacity: DEFAULT_CAPACITY,
            standby: 0,
            realm: String::new(),
        },
        public_key: None,
    });
    let config = listed.fold(Config::new().listen("tcp://127.0.0.1:*"), Config::worker);
    System::ZsvcRouted.runtime()?.block_on(async {
        let router = Router::bind(config)?;
        let endpoint = router.endpoints().first().ok_or("the router has no endpoint")?;
        super::announce(endpoint, None)?;
        Ok(router.serve_until(std::future::pending::<()>()).await?)
    })
}
