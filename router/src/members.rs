//! [`Members`]: the workers that a router is configured with, and how they change while it runs.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{AbortHandle, JoinSet};
use zsvc::curve::{CurveClient, SecretKey};
use zsvc::forward::{Settings, WorkerLink, may_be_elsewhere};

use crate::config::{ListedWorker, OWN_NAME};
use crate::error::RouterError;
use crate::event::Observer;
use crate::io::{Hub, WorkerKey, WorkerTask};

/// The workers of a router, each with the task that has its connection.
#[derive(Debug)]
pub(crate) struct Members {
    hub: Arc<Hub>,
    settings: Settings,
    key: Option<SecretKey>,
    observer: Observer,
    /// Whether nothing is to be sent to other machines that is not encrypted.
    is_private: bool,
    by_name: HashMap<String, Member>,
}

#[derive(Debug)]
struct Member {
    listed: ListedWorker,
    key: WorkerKey,
    task: AbortHandle,
}

/// What a new configuration has changed in a router that runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Changes {
    /// Names of workers that were not there before, or are other ones now.
    pub added: Vec<String>,
    /// Names of workers that are to go: they finish the calls that they have.
    pub removed: Vec<String>,
    /// Names of workers that stay with their connections, and whose capacity, group or services are others now.
    pub changed: Vec<String>,
    /// Keys of the configuration that take effect only when the router is started anew.
    pub need_restart: Vec<&'static str>,
}

impl Changes {
    /// Adds the names of processes, which may be those of workers as well.
    pub(crate) fn and_processes(mut self, added: Vec<String>, removed: Vec<String>) -> Self {
        for (names, more) in [(&mut self.added, added), (&mut self.removed, removed)] {
            names.extend(more);
            names.sort();
            names.dedup();
        }
        self
    }
}

/// Why a worker is not connected to.
const PLAINTEXT: &str = "it may be on another machine, and without keys others could read and change what is sent; set its `public_key_file`, or \
                         remove `deny_plaintext`";

/// How often a worker that is to go is looked at.
const PAUSE: Duration = Duration::from_millis(20);

impl Members {
    pub(crate) fn new(hub: Arc<Hub>, settings: Settings, key: Option<SecretKey>, observer: Observer) -> Self {
        Self { hub, settings, key, observer, is_private: false, by_name: HashMap::new() }
    }

    /// Refuses workers on other machines to which the connection would not be encrypted, if `is_private`.
    pub(crate) fn keep_private(self, is_private: bool) -> Self {
        Self { is_private, ..self }
    }

    /// Reports whether connections to workers with keys are encrypted by this key.
    pub(crate) fn has_key(&self, key: Option<&SecretKey>) -> bool {
        self.key.as_ref().map(SecretKey::public_key) == key.map(SecretKey::public_key)
    }

    /// Takes these workers in place of all that there are. Those that stay keep their connections and calls; those that go get no new
    /// calls, and have `grace` to finish. In case of an error, all stay as they are.
    pub(crate) fn replace(
        &mut self,
        workers: Vec<ListedWorker>,
        grace: Duration,
        tasks: &mut JoinSet<()>,
    ) -> Result<Changes, RouterError> {
        let mut wanted = HashMap::new();
        for listed in &workers {
            let is_taken = listed.worker.name == OWN_NAME;
            if wanted.insert(listed.worker.name.as_str(), listed).is_some() || is_taken {
                return Err(RouterError::SameName { name: listed.worker.name.clone() });
            }
        }
        let stays = |name: &str, member: &Member| {
            wanted.get(name).is_some_and(|listed| listed.has_same_connection(&member.listed))
        };
        let removed = self.by_name.iter().filter(|(name, member)| !stays(name, member));
        let mut removed: Vec<_> = removed.map(|(name, _)| name.clone()).collect();
        removed.sort();
        let (old, new): (Vec<_>, Vec<_>) = workers.into_iter().partition(|listed| {
            self.by_name
                .get(&listed.worker.name)
                .is_some_and(|member| listed.has_same_connection(&member.listed))
        });
        // In the order of the configuration.
        let links = new.into_iter().map(|listed| Ok((self.connect(&listed)?, listed)));
        let links = links.collect::<Result<Vec<_>, RouterError>>()?;
        let members = self.tasks_of(links)?;
        let changed = self.change(old)?;
        // Before the new ones come, whose names may be the same.
        for name in &removed {
            if let Some(member) = self.by_name.remove(name) {
                self.retire(member, grace, tasks);
            }
        }
        let mut added = Vec::new();
        for (task, listed) in members {
            let (key, name) = (task.key(), listed.worker.name.clone());
            added.push(name.clone());
            self.by_name.insert(name, Member { listed, key, task: tasks.spawn(task) });
        }
        added.sort();
        Ok(Changes { added, removed, changed, need_restart: Vec::new() })
    }

    fn tasks_of(
        &self,
        links: Vec<(WorkerLink, ListedWorker)>,
    ) -> Result<Vec<(WorkerTask, ListedWorker)>, RouterError> {
        let mut members = Vec::new();
        for (link, listed) in links {
            let (hub, observer) = (Arc::clone(&self.hub), self.observer.clone());
            let task = WorkerTask::new(link, listed.worker.clone(), hub, observer);
            members.push((task.ok_or(RouterError::TooMany)?, listed));
        }
        Ok(members)
    }

    /// Has workers answer what they do now, with their connections as they are. Returns the names of those that do something else. In case
    /// of an error, all are as they were.
    fn change(&mut self, workers: Vec<ListedWorker>) -> Result<Vec<String>, RouterError> {
        let mut changed = Vec::new();
        for listed in workers {
            let name = listed.worker.name.clone();
            let Some(member) = self.by_name.get_mut(&name) else { continue };
            let key = member.key;
            if member.listed.worker == listed.worker {
                continue;
            }
            if !self.hub.with(|forwarder, now| forwarder.change_worker(key, &listed.worker, now)) {
                self.revert(changed);
                return Err(RouterError::TooMany);
            }
            changed.push((name, std::mem::replace(&mut member.listed, listed)));
        }
        let mut names: Vec<_> = changed.into_iter().map(|(name, _)| name).collect();
        names.sort();
        Ok(names)
    }

    fn revert(&mut self, changed: Vec<(String, ListedWorker)>) {
        for (name, before) in changed {
            if let Some(member) = self.by_name.get_mut(&name) {
                let key = member.key;
                self.hub.with(|forwarder, now| forwarder.change_worker(key, &before.worker, now));
                member.listed = before;
            }
        }
    }

    fn connect(&self, listed: &ListedWorker) -> Result<WorkerLink, RouterError> {
        let failed = |reason: String| RouterError::Worker { name: listed.worker.name.clone(), reason };
        let curve = match (&listed.public_key, &self.key) {
            (None, _) if self.is_private && may_be_elsewhere(&listed.endpoint) => {
                return Err(failed(PLAINTEXT.to_owned()));
            }
            (None, _) => None,
            (Some(worker), Some(own)) => Some(CurveClient::new(*worker, own.clone())),
            (Some(_), None) => {
                return Err(failed("the router has no key of its own; set `key_file`".to_owned()));
            }
        };
        WorkerLink::connect(&listed.endpoint, &self.settings, curve).map_err(failed)
    }

    /// Has a worker get no new calls, and ends its connection once it has none, or after `grace`.
    fn retire(&self, member: Member, grace: Duration, tasks: &mut JoinSet<()>) {
        let hub = Arc::clone(&self.hub);
        let Member { key, task, .. } = member;
        hub.with(|forwarder, now| forwarder.drain_worker(key, true, now));
        tasks.spawn(async move {
            // None: as long as it takes.
            let until = tokio::time::Instant::now().checked_add(grace);
            while hub.with(|forwarder, _| !forwarder.is_worker_idle(key))
                && until.is_none_or(|until| tokio::time::Instant::now() < until)
            {
                tokio::time::sleep(PAUSE).await;
            }
            task.abort();
        });
    }
}
