//! [`Inspector`]: asks workers what they have, by `zsvc.reflection.v1`. A worker may be hostile: it has a time and a size for its answer, and
//! one that gives none says nothing.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::{sleep, timeout_at};
use zsvc::forward::Settings;
use zsvc::reflection::{ReflectionClient, ServiceInfo};

use super::{Answer, Witness};
use crate::direct::Direct;
use crate::event::{Event, Observer, Tries};
use crate::file::{FileError, Mistake};
use crate::forwarder::Reached;
use crate::io::{Hub, WorkerKey};

/// How long the start waits for workers and for what they have, at most.
pub(crate) const MAX_START: Duration = Duration::from_secs(2);
/// How long a worker may take to answer.
const MAX_ANSWER: Duration = Duration::from_secs(2);
/// Maximum size of an answer in bytes. It takes up to some 40 times that for a moment, if it has many names without text.
const MAX_ANSWER_BYTES: usize = 256 * 1024;
/// Number of workers that are asked at a time.
const MAX_ASKED: usize = 4;
/// How long workers that come at about the same time are waited for, before it is looked which they are.
const PAUSE: Duration = Duration::from_millis(100);

/// What asks workers for as long as the router runs.
#[derive(Debug)]
pub(crate) struct Inspector {
    hub: Arc<Hub>,
    settings: Settings,
    observer: Observer,
    tries: Tries,
    /// The version of the names for which workers were asked.
    version: u64,
    asking: JoinSet<Asked>,
    /// Workers that were asked, each with the time at which its connection came up.
    asked: HashMap<WorkerKey, Option<Instant>>,
}

/// What has come of asking a worker.
#[derive(Debug)]
struct Asked {
    worker: String,
    /// What is found wrong by its answer; `None` if it has given none.
    found: Option<Vec<Mistake>>,
}

impl Inspector {
    /// Creates what has asked none. To be called before workers are connected to.
    pub(crate) fn new(hub: Arc<Hub>, settings: Settings, observer: Observer) -> Self {
        let tries = observer.tries();
        let (version, asking, asked) = (hub.findings().version(), JoinSet::new(), HashMap::new());
        Self { hub, settings, observer, tries, version, asking, asked }
    }

    /// Asks these workers what they have, all that can be reached within a time. Tells of names that no worker has that has answered, where
    /// another one may have them.
    ///
    /// # Errors
    /// The names that are wrong whatever the others have.
    pub(crate) async fn start(
        &mut self,
        listed: impl Iterator<Item = (&str, &[String])>,
    ) -> Result<(), FileError> {
        let open: BTreeSet<_> =
            self.hub.findings().open_services().into_iter().map(|(_, name)| name).collect();
        let is_asked = |services: &[String]| services.iter().any(|service| open.contains(service));
        // What workers have that have not answered.
        let mut unsaid: HashMap<String, Vec<String>> = listed
            .filter(|(_, services)| is_asked(services))
            .map(|(name, services)| (name.to_owned(), services.to_vec()))
            .collect();
        let mut awaited: HashSet<String> = unsaid.keys().cloned().collect();
        let until = tokio::time::Instant::now() + MAX_START;
        while !awaited.is_empty() || !self.asking.is_empty() {
            let step = async {
                tokio::select! {
                    // Up or not, it is not waited for any more: if it is up, it is asked.
                    Some(tried) = self.tries.next() => drop(awaited.remove(&tried.name)),
                    Some(asked) = self.asking.join_next() => if let Ok(Asked { worker, found: Some(_) }) = asked {
                        unsaid.remove(&worker);
                    },
                    // Some tries went unseen.
                    else => {}
                }
            };
            if timeout_at(until, step).await.is_err() {
                break;
            }
            self.look();
        }
        // Those that have not answered are asked again, and may be told of then.
        self.asking.shutdown().await;
        self.asked.clear();
        let unsaid: HashSet<String> = unsaid.into_values().flatten().collect();
        let (path, certain, others) = self.hub.findings().mistakes_but(&unsaid);
        for wrong in &others {
            self.tell(wrong);
        }
        if certain.is_empty() { Ok(()) } else { Err(FileError::Wrong { path, mistakes: certain }) }
    }

    /// Asks workers as they come, and tells what is found wrong. Never ends.
    pub(crate) async fn run(mut self) {
        loop {
            self.look();
            tokio::select! {
                () = self.hub.findings().changed.notified() => {}
                _ = self.tries.next() => sleep(PAUSE).await,
                Some(asked) = self.asking.join_next() => {
                    asked.into_iter().filter_map(|it| it.found).flatten().for_each(|wrong| self.tell(&wrong));
                }
            }
        }
    }

    fn tell(&self, wrong: &Mistake) {
        self.observer.tell(|| {
            let place = self.hub.findings().place_of(wrong);
            Event::NameUnknown { place, why: format!("{}; {}", wrong.message(), wrong.help()) }
        });
    }

    /// Begins to ask workers that have what is to be known, and were not asked since they came.
    fn look(&mut self) {
        let version = self.hub.findings().version();
        if std::mem::replace(&mut self.version, version) != version {
            self.asked.clear();
        }
        let open = self.hub.findings().open_services();
        if open.is_empty() {
            return self.asked.clear();
        }
        let reached = self.hub.with(|forwarder, _| forwarder.reached(&open));
        let there: HashMap<_, _> = reached.iter().map(|it| (it.key, it.connected_at)).collect();
        self.asked.retain(|key, since| there.get(key) == Some(since));
        for worker in reached {
            if self.asking.len() >= MAX_ASKED {
                return;
            }
            if self.asked.insert(worker.key, worker.connected_at).is_none() {
                let (hub, settings) = (Arc::clone(&self.hub), self.settings);
                self.asking.spawn(async move {
                    let answer = ask(&hub, &settings, &worker).await;
                    let Reached { name, realm, services, .. } = &worker;
                    let witness = Witness { name, realm, services };
                    let found = answer.map(|answer| hub.findings().judge(version, witness, &answer));
                    Asked { worker: worker.name, found }
                });
            }
        }
    }
}

/// Asks a worker what it has; `None` if it does not say.
async fn ask(hub: &Arc<Hub>, settings: &Settings, worker: &Reached<WorkerKey>) -> Option<Answer> {
    let to = (worker.realm.as_str(), worker.key);
    let (channel, direct) = Direct::open(hub, settings, to, MAX_ANSWER_BYTES)?;
    let reflection = ReflectionClient::new(channel);
    let answer = tokio::select! {
        () = direct.run() => return None,
        answer = reflection.services().deadline(MAX_ANSWER) => answer.ok()?,
    };
    let methods = |service: ServiceInfo| service.methods.into_iter().map(|method| method.name).collect();
    Some(
        answer.into_iter().map(|mut service| (std::mem::take(&mut service.name), methods(service))).collect(),
    )
}
