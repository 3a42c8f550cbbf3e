//! [`Discovered`]: workers that are found, and come and go without a change of the configuration.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use zsvc::curve::PublicKey;
use zsvc::discovery::{Discover, Found, FoundServer};
use zsvc::forward::{Following, Registry, Told, normalized};

use crate::config::ListedWorker;
use crate::error::RouterError;
use crate::event::{Event, Observer};
use crate::forwarder::NewWorker;

/// Where workers are found, and what they answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovered {
    /// Where they are found.
    pub source: Source,
    /// What they answer.
    pub services: Vec<String>,
    /// Number of calls that each takes at a time.
    pub capacity: u32,
    /// Their group: see [`NewWorker::standby`].
    pub standby: u8,
    /// The name of their realm; empty for the one without a name.
    pub realm: String,
    /// The public key that all of them have, if the connections to them are to be encrypted.
    pub public_key: Option<PublicKey>,
}

/// Where workers are found.
#[derive(Clone)]
#[non_exhaustive]
pub enum Source {
    /// All addresses of a name in DNS.
    Dns {
        /// The name.
        host: String,
        /// The port at which all of them listen.
        port: u16,
    },
    /// `SRV` records of DNS. Needs the feature `srv`.
    Srv {
        /// The name of the records: `_tape._tcp.example.com`.
        name: String,
    },
    /// Servers that have announced the services in etcd. Needs the feature `etcd`.
    Etcd {
        /// The servers of the cluster: `http://10.0.0.1:2379`.
        endpoints: Vec<String>,
        /// What the keys begin with; `None` for what servers write by themselves.
        prefix: Option<String>,
    },
    /// A registry of the program's own, which is asked for each service.
    Registry(Registry),
}

/// How often a name in DNS is looked up, and how long that may take.
const LOOKUP_PAUSE: Duration = Duration::from_secs(10);
/// Number of answers that wait to be taken.
const MAX_WAITING: usize = 16;

impl Source {
    /// Reports whether what was found in this place is what another one would tell: it is the same, or another way to the same etcd.
    fn is_place_of(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Etcd { endpoints, prefix }, Self::Etcd { endpoints: others, prefix: other }) => {
                let mut pairs = endpoints.iter().flat_map(|one| others.iter().map(move |other| (one, other)));
                prefix == other && pairs.any(|(one, other)| one.eq_ignore_ascii_case(other))
            }
            _ => self == other,
        }
    }

    /// Returns the feature that this build lacks to ask there.
    pub(crate) fn missing_feature(&self) -> Option<&'static str> {
        match self {
            Self::Srv { .. } if !cfg!(feature = "srv") => Some("srv"),
            Self::Etcd { .. } if !cfg!(feature = "etcd") => Some("etcd"),
            _ => None,
        }
    }

    /// Returns what is asked, and for what.
    fn questions(&self, services: &[String]) -> Result<(Registry, Vec<String>), String> {
        let missing = |feature| format!("this router was built without the feature `{feature}`");
        if let Some(feature) = self.missing_feature() {
            return Err(missing(feature));
        }
        match self {
            Self::Dns { host, port } => {
                let names = Names { host: host.clone(), port: *port };
                Ok((Registry::new(names), vec![host.clone()]))
            }
            Self::Registry(registry) => Ok((registry.clone(), services.to_vec())),
            #[cfg(feature = "srv")]
            Self::Srv { name } => {
                let srv = zsvc::discovery::Srv::system().map_err(|error| error.to_string())?;
                Ok((Registry::new(srv), vec![name.clone()]))
            }
            #[cfg(feature = "etcd")]
            Self::Etcd { endpoints, prefix } => {
                let etcd = zsvc::discovery::Etcd::new(endpoints.clone());
                let etcd = match prefix {
                    Some(prefix) => etcd.prefix(prefix.clone()),
                    None => etcd,
                };
                Ok((Registry::new(etcd), services.to_vec()))
            }
            #[cfg(not(all(feature = "srv", feature = "etcd")))]
            _ => Err(missing("of its source")),
        }
    }
}

impl PartialEq for Source {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Dns { host, port }, Self::Dns { host: other, port: other_port }) => {
                host == other && port == other_port
            }
            (Self::Srv { name }, Self::Srv { name: other }) => name == other,
            (Self::Etcd { endpoints, prefix }, Self::Etcd { endpoints: others, prefix: other }) => {
                endpoints == others && prefix == other
            }
            (Self::Registry(registry), Self::Registry(other)) => registry.is(other),
            _ => false,
        }
    }
}

impl Eq for Source {}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns { host, port } => write!(f, "Dns({host}:{port})"),
            Self::Srv { name } => write!(f, "Srv({name})"),
            Self::Etcd { endpoints, .. } => write!(f, "Etcd({endpoints:?})"),
            Self::Registry(_) => f.write_str("Registry"),
        }
    }
}

/// The addresses of a name, as a registry.
struct Names {
    host: String,
    port: u16,
}

impl Discover for Names {
    async fn follow(&self, _: &str, found: &Found) -> io::Result<()> {
        loop {
            let lookup = tokio::net::lookup_host((self.host.as_str(), self.port));
            let addresses = tokio::time::timeout(LOOKUP_PAUSE, lookup).await??;
            found.set(addresses.map(|address| {
                let endpoint = format!("tcp://{address}");
                FoundServer { instance: endpoint.clone(), endpoints: vec![endpoint] }
            }));
            tokio::time::sleep(LOOKUP_PAUSE).await;
        }
    }
}

/// Follows the workers that are found.
#[derive(Debug)]
pub(crate) struct Finder {
    observer: Observer,
    sources: Vec<Followed>,
    next_id: u64,
    tell: mpsc::Sender<Answer>,
    told: mpsc::Receiver<Answer>,
    tasks: JoinSet<()>,
}

/// What is followed, or is to be, and what is known of it.
#[derive(Debug)]
pub(crate) struct Followed {
    discovered: Discovered,
    registry: Registry,
    questions: Vec<Question>,
}

/// One name that a registry is asked for.
#[derive(Debug)]
struct Question {
    /// The id of the task that asks; `None` before there is one.
    id: Option<u64>,
    name: String,
    /// What was told the last time that there were any.
    servers: Vec<FoundServer>,
    /// Why none were found the last time, if that is so.
    trouble: Option<String>,
    task: Option<AbortHandle>,
}

/// What was told for a question.
#[derive(Debug)]
struct Answer {
    id: u64,
    told: Told,
}

impl Finder {
    pub(crate) fn new(observer: Observer) -> Self {
        let (tell, told) = mpsc::channel(MAX_WAITING);
        Self { observer, sources: Vec::new(), next_id: 0, tell, told, tasks: JoinSet::new() }
    }

    /// Returns what is followed.
    pub(crate) fn sources(&self) -> &[Followed] {
        &self.sources
    }

    /// Returns what is to be followed in place of all that is, with what is known of it already: what was found in a place holds until that
    /// place tells otherwise, also where what is made of it has changed.
    pub(crate) fn prepare(&self, wanted: Vec<Discovered>) -> Result<Vec<Followed>, RouterError> {
        let prepare = |discovered: Discovered| {
            let asked = discovered.source.questions(&discovered.services);
            let (registry, names) = asked.map_err(|reason| RouterError::Discovery { reason })?;
            let questions = names.into_iter().map(|name| self.known(&discovered.source, name)).collect();
            Ok(Followed { discovered, registry, questions })
        };
        wanted.into_iter().map(prepare).collect()
    }

    fn known(&self, source: &Source, name: String) -> Question {
        let sources = self.sources.iter().filter(|followed| followed.discovered.source.is_place_of(source));
        let mut known = sources.flat_map(|followed| &followed.questions);
        let servers =
            known.find(|known| known.name == name).map_or_else(Vec::new, |known| known.servers.clone());
        Question { id: None, name, servers, trouble: None, task: None }
    }

    /// Follows what was prepared in place of all that there is. Questions that are the same go on.
    pub(crate) fn follow(&mut self, prepared: Vec<Followed>) {
        let mut before = std::mem::replace(&mut self.sources, prepared);
        for followed in &mut self.sources {
            let Followed { discovered, registry, questions } = followed;
            let same = before.iter_mut().filter(|before| before.discovered.source == discovered.source);
            let mut same: Vec<_> = same.flat_map(|before| &mut before.questions).collect();
            for question in questions {
                let goes_on = |before: &&mut Question| before.task.is_some() && before.name == question.name;
                if let Some(at) = same.iter().position(goes_on) {
                    let before = same.swap_remove(at);
                    (question.id, question.task) = (before.id.take(), before.task.take());
                    question.trouble = before.trouble.take();
                    continue;
                }
                self.next_id += 1;
                let asked = ask(self.next_id, registry.follow(&question.name), self.tell.clone());
                (question.id, question.task) = (Some(self.next_id), Some(self.tasks.spawn(asked)));
            }
        }
        let left = before.iter().flat_map(|followed| &followed.questions);
        left.filter_map(|question| question.task.as_ref()).for_each(AbortHandle::abort);
    }

    /// Waits until other workers are found than before.
    ///
    /// # Cancel safety
    /// May be dropped and called again: nothing is lost.
    pub(crate) async fn changed(&mut self) {
        // It never ends: this has a sender itself.
        while let Some(answer) = self.told.recv().await {
            if self.take(answer) {
                return;
            }
        }
    }

    /// Takes an answer. Returns whether it has changed which workers there are.
    fn take(&mut self, Answer { id, told }: Answer) -> bool {
        let mut all = self.sources.iter_mut().flat_map(|Followed { discovered, questions, .. }| {
            questions.iter_mut().map(|question| (&*discovered, question))
        });
        let asked = all.find(|(_, question)| question.id == Some(id));
        let Some((discovered, question)) = asked else { return false };
        match told {
            Told::Servers(found) => {
                question.trouble = None;
                let is_new = question.servers != found;
                question.servers = found;
                is_new
            }
            // What is known holds: a registry that has lost its memory must not end what works. A worker that goes says so.
            Told::Nothing(why) => {
                if question.trouble.as_ref() != Some(&why) {
                    let services = discovered.services.join(", ");
                    self.observer.tell(|| Event::NoneFound { services, why: why.clone() });
                }
                question.trouble = Some(why);
                false
            }
        }
    }

    /// Returns the names of all services of which workers are looked for, each behind that of its realm.
    pub(crate) fn services(&self) -> impl Iterator<Item = (&str, &str)> {
        self.sources.iter().flat_map(|Followed { discovered, .. }| {
            discovered.services.iter().map(|service| (discovered.realm.as_str(), service.as_str()))
        })
    }
}

/// Passes on what is told for a question.
async fn ask(id: u64, mut following: Following, tell: mpsc::Sender<Answer>) {
    while let Some(told) = following.next().await {
        if tell.send(Answer { id, told }).await.is_err() {
            return;
        }
    }
}

/// Returns the workers that were found: one for each endpoint, with all services that were found there.
pub(crate) fn workers(sources: &[Followed]) -> impl Iterator<Item = ListedWorker> + use<> {
    let mut by_endpoint = BTreeMap::<String, ListedWorker>::new();
    for followed in sources {
        let Discovered { services, capacity, standby, realm, public_key, .. } = &followed.discovered;
        let is_each = followed.questions.len() == services.len() && followed.asks_by_service();
        for (at, question) in followed.questions.iter().enumerate() {
            let answered = if is_each { &services[at..=at] } else { services };
            for endpoint in question.servers.iter().filter_map(|server| server.endpoints.first()) {
                let new = || ListedWorker {
                    endpoint: endpoint.clone(),
                    worker: NewWorker {
                        name: endpoint.clone(),
                        services: Vec::new(),
                        capacity: *capacity,
                        standby: *standby,
                        realm: realm.clone(),
                    },
                    public_key: *public_key,
                };
                let listed = by_endpoint.entry(normalized(endpoint)).or_insert_with(new);
                listed.worker.services.extend_from_slice(answered);
            }
        }
    }
    by_endpoint.into_values().map(|mut listed| {
        listed.worker.services.sort();
        listed.worker.services.dedup();
        listed
    })
}

impl Followed {
    /// Reports whether each service was asked for by itself, and not all of them by one name.
    fn asks_by_service(&self) -> bool {
        matches!(self.discovered.source, Source::Etcd { .. } | Source::Registry(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn discovered(services: &[&str], source: Source) -> Discovered {
        let services = services.iter().map(|service| (*service).to_owned()).collect();
        Discovered { source, services, capacity: 7, standby: 0, realm: String::new(), public_key: None }
    }

    fn server(endpoint: &str) -> FoundServer {
        FoundServer { instance: endpoint.to_owned(), endpoints: vec![endpoint.to_owned()] }
    }

    /// Never finds anything.
    struct Silent;

    impl Discover for Silent {
        async fn follow(&self, _: &str, _: &Found) -> io::Result<()> {
            std::future::pending().await
        }
    }

    /// Follows these, and returns the workers that are known by then.
    fn replace(finder: &mut Finder, wanted: Vec<Discovered>) -> Vec<ListedWorker> {
        let prepared = finder.prepare(wanted).unwrap();
        let known = workers(&prepared).collect();
        finder.follow(prepared);
        known
    }

    fn tell(finder: &mut Finder, question: usize, servers: &[&str]) -> bool {
        let id = finder.sources[0].questions[question].id.unwrap();
        let servers = servers.iter().map(|endpoint| server(endpoint)).collect();
        finder.take(Answer { id, told: Told::Servers(servers) })
    }

    #[tokio::test]
    async fn a_server_that_was_found_for_two_services_is_one_worker() {
        let mut finder = Finder::new(Observer::default());
        let registry = Source::Registry(Registry::new(Silent));
        assert!(replace(&mut finder, vec![discovered(&["a.B", "a.C"], registry.clone())]).is_empty());
        assert!(tell(&mut finder, 0, &["tcp://h:1", "tcp://h:2"]));
        assert!(tell(&mut finder, 1, &["tcp://h:2"]));
        assert!(!tell(&mut finder, 1, &["tcp://h:2"]), "it is the same");
        let found = workers(finder.sources());
        let found: Vec<_> = found.map(|listed| (listed.endpoint, listed.worker.services.join(" "))).collect();
        let expected = [("tcp://h:1", "a.B"), ("tcp://h:2", "a.B a.C")];
        assert_eq!(found, expected.map(|(endpoint, services)| (endpoint.to_owned(), services.to_owned())));
        // What is known holds while the registry knows nothing.
        let id = finder.sources[0].questions[0].id.unwrap();
        assert!(!finder.take(Answer { id, told: Told::Nothing("gone".to_owned()) }));
        assert_eq!(workers(finder.sources()).count(), 2);
        // The same source goes on, and another one begins anew.
        assert_eq!(replace(&mut finder, vec![discovered(&["a.B", "a.C"], registry)]).len(), 2);
        let other = Source::Registry(Registry::new(Silent));
        assert_eq!(replace(&mut finder, vec![discovered(&["a.B"], other)]).len(), 0);
        assert!(!finder.take(Answer { id, told: Told::Servers(vec![server("tcp://h:9")]) }));
    }

    #[tokio::test]
    async fn what_was_found_holds_where_what_is_made_of_it_changes() {
        let mut finder = Finder::new(Observer::default());
        let registry = Source::Registry(Registry::new(Silent));
        replace(&mut finder, vec![discovered(&["a.B", "a.C"], registry.clone())]);
        assert!(tell(&mut finder, 0, &["tcp://h:1"]));
        assert!(tell(&mut finder, 1, &["tcp://h:2"]));
        let before = finder.sources[0].questions[1].id.unwrap();
        let changed = Discovered { capacity: 9, ..discovered(&["a.C", "a.D"], registry.clone()) };
        let known = replace(&mut finder, vec![changed]);
        let [worker] = known.as_slice() else { panic!("{known:?}") };
        assert_eq!((worker.endpoint.as_str(), worker.worker.capacity), ("tcp://h:2", 9));
        assert_eq!(finder.sources[0].questions[0].id, Some(before), "it is asked once");
        assert_eq!(finder.tasks.len(), 3, "one of them is to end");
        // Twice the same: both know it, and each asks for itself.
        assert_eq!(replace(&mut finder, vec![discovered(&["a.C"], registry); 2]).len(), 1);
        let ids = finder.sources.iter().map(|followed| followed.questions[0].id);
        let [first, second] = ids.collect::<Vec<_>>()[..] else { panic!("there are two") };
        assert!(first == Some(before) && second != first, "{first:?} {second:?}");
    }

    #[test]
    fn another_way_to_an_etcd_is_the_same_place() {
        let etcd = |endpoints: &str, prefix: Option<&str>| {
            let endpoints = endpoints.split(' ').map(str::to_owned).collect();
            Source::Etcd { endpoints, prefix: prefix.map(str::to_owned) }
        };
        assert!(etcd("a b", None).is_place_of(&etcd("B c", None)));
        assert!(!etcd("a b", None).is_place_of(&etcd("c", None)));
        assert!(!etcd("a", None).is_place_of(&etcd("a", Some("/other"))));
    }
}
