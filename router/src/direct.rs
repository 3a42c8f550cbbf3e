//! Calls of the router's own, all of which go to one worker: by a connection within the process, which is routed as any client's is.

use std::future::poll_fn;
use std::sync::Arc;

use tokio::task::JoinSet;
use zsvc::forward::{Front, Settings};
use zsvc::{Channel, Engine, Retry};

use crate::io::{CallerTask, Hub, WorkerKey};

/// What carries the calls of a channel to one worker, while it [runs](Direct::run).
pub(crate) struct Direct {
    front: Front,
    hub: Arc<Hub>,
    realm: String,
    worker: WorkerKey,
}

impl Direct {
    /// Returns a channel to a worker of a realm that makes each call once, with bodies of up to a size, and what carries its calls. `None` if
    /// the system has nothing left for that.
    pub(crate) fn open(
        hub: &Arc<Hub>,
        settings: &Settings,
        (realm, worker): (&str, WorkerKey),
        max_message_size: usize,
    ) -> Option<(Channel, Self)> {
        // Unlike that of any other router of this process.
        let endpoint = format!("inproc://zsvc-router-direct-{:016x}", zsvc::forward::random());
        let (front, _) = Front::bind(std::slice::from_ref(&endpoint), settings, None, false).ok()?;
        let channel = Channel::builder().engine(Engine::Zmtp).endpoint(&endpoint).retry(Retry::none());
        let channel = channel.max_message_size(max_message_size).connect_lazy().ok()?;
        Some((channel, Self { front, hub: Arc::clone(hub), realm: realm.to_owned(), worker }))
    }

    /// Carries calls until it is dropped.
    pub(crate) async fn run(mut self) {
        let mut tasks = JoinSet::new();
        while let Ok(link) = poll_fn(|context| self.front.poll_accept(context)).await {
            tasks.spawn(CallerTask::of_router(link, Arc::clone(&self.hub), &self.realm, self.worker));
            while tasks.try_join_next().is_some() {}
        }
    }
}
