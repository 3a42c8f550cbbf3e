//! [`Names`]: what a configuration file names of services, and [`Findings`]: whether workers have it, as they say by `zsvc.reflection.v1`.
//!
//! Where `.svc` files say what services have, no worker is asked. What is known here is of answers alone; [`ask`] gets them.

mod ask;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use zsvc_idl::suggest::nearest;

pub(crate) use ask::Inspector;

use crate::file::Mistake;
use crate::rights::{Scope, is_name};

/// What a configuration file names of services, where no `.svc` file says what these have.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    /// The file.
    pub(crate) path: PathBuf,
    pub(crate) named: Vec<Named>,
}

/// A service or a method that is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    service: String,
    /// `None`: the service itself, which a worker is said to answer.
    method: Option<String>,
    realm: String,
    holder: Holder,
    line: usize,
    column: usize,
}

/// Who is to have what is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Holder {
    /// Any worker that has the service, which none may have yet: a grant names it.
    Unsaid,
    /// Any worker that is said to have it.
    Any,
    /// This worker.
    Worker(String),
}

/// What is known of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    /// No worker that should know it has answered.
    Unknown,
    /// A worker has it.
    Right,
    /// All that have answered do not have it: what the first has said.
    Wrong(Mistake),
}

/// The names of a configuration, and what is known of them.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    state: Mutex<State>,
    /// Number of times that the names were others.
    version: AtomicU64,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    path: PathBuf,
    named: Vec<(Named, Verdict)>,
}

/// What a worker says that it has: methods by services. Its own names may be anything.
pub(crate) type Answer = BTreeMap<String, BTreeSet<String>>;

/// A worker that has answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Witness<'a> {
    pub(crate) name: &'a str,
    pub(crate) realm: &'a str,
    /// Which of the services in question the router gives it calls of.
    pub(crate) services: &'a [String],
}

/// What every server, and the router itself, has besides what schemas declare.
const BUILT_IN: &str = "zsvc.";
/// The method of an event.
const SUBSCRIBE: &str = "subscribe";
/// Number of a worker's names among which the nearest is looked for.
const MAX_NEAR: usize = 256;
/// Maximum length of such a name in bytes.
const MAX_NAME_BYTES: usize = 200;

impl Named {
    /// Returns what of a service a scope names, if a worker can be asked for it.
    pub(crate) fn of(
        scope: &Scope,
        realm: String,
        holder: Holder,
        (line, column): (usize, usize),
    ) -> Option<Self> {
        let (service, method) = match scope {
            Scope::Service(service) if holder != Holder::Unsaid => (service.as_str(), None),
            Scope::Method(method) => method.split_once('/').map(|(service, name)| (service, Some(name)))?,
            _ => return None,
        };
        let (service, method) = (service.to_owned(), method.map(str::to_owned));
        let is_declared = !service.starts_with(BUILT_IN);
        is_declared.then_some(Self { service, method, realm, holder, line, column })
    }

    /// Reports whether a worker should know it.
    fn is_of(&self, witness: Witness) -> bool {
        self.realm == witness.realm
            && !matches!(&self.holder, Holder::Worker(worker) if worker != witness.name)
            && witness.services.contains(&self.service)
    }

    /// Returns what a worker's answer says of it; `None` if nothing.
    fn judge(&self, witness: Witness, answer: &Answer) -> Option<Verdict> {
        let Self { service, .. } = self;
        let (methods, worker) = (answer.get(service), witness.name);
        let (message, near) = match (&self.method, methods) {
            (None, Some(_)) => return Some(Verdict::Right),
            (None, None) => (
                format!("the worker `{worker}` has no service `{service}`"),
                near(service, answer.keys()).map(str::to_owned),
            ),
            (Some(method), Some(methods)) if methods.contains(method) => return Some(Verdict::Right),
            (Some(method), Some(_)) if method == SUBSCRIBE => {
                (format!("`{service}` is no event at the worker `{worker}`"), None)
            }
            (Some(method), Some(methods)) => (
                format!("`{service}` has no method `{method}` at the worker `{worker}`"),
                near(method, methods).map(|near| format!("{service}/{near}")),
            ),
            // What is wrong then is what is said of the worker.
            (Some(_), None) => return None,
        };
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => "write the name as in the schema of the worker".to_owned(),
        };
        Some(Verdict::Wrong(Mistake::new((self.line, self.column), message, help)))
    }
}

/// Returns the nearest of a worker's names that is a name at all.
fn near<'a>(name: &str, names: impl IntoIterator<Item = &'a String>) -> Option<&'a str> {
    let is_fine = |name: &&str| name.len() <= MAX_NAME_BYTES && name.split('.').all(is_name);
    nearest(name, names.into_iter().take(MAX_NEAR).map(String::as_str).filter(is_fine))
}

impl Findings {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while the lock is held but for lack of memory.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the names of a configuration, of which nothing is known yet, in place of those before.
    pub(crate) fn set(&self, names: Names) {
        let unknown = names.named.into_iter().map(|it| (it, Verdict::Unknown));
        *self.state() = State { path: names.path, named: unknown.collect() };
        self.version.fetch_add(1, Ordering::Release);
        self.changed.notify_one();
    }

    /// Returns a number that is another one once the names are others.
    fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Returns the services of names that no worker is known to have, behind their realms.
    fn open_services(&self) -> BTreeSet<(String, String)> {
        let state = self.state();
        let open = state.named.iter().filter(|(_, verdict)| *verdict != Verdict::Right);
        open.map(|(named, _)| (named.realm.clone(), named.service.clone())).collect()
    }

    /// Takes what a worker says that it has, if the names are still those for which it was asked. Returns what is found wrong by that.
    fn judge(&self, version: u64, witness: Witness, answer: &Answer) -> Vec<Mistake> {
        let mut state = self.state();
        let mut found = Vec::new();
        if version != self.version() {
            return found;
        }
        for (named, known) in &mut state.named {
            if *known == Verdict::Right || !named.is_of(witness) {
                continue;
            }
            match named.judge(witness, answer) {
                Some(Verdict::Wrong(mistake)) if *known == Verdict::Unknown => {
                    found.push(mistake.clone());
                    *known = Verdict::Wrong(mistake);
                }
                Some(Verdict::Right) => *known = Verdict::Right,
                _ => {}
            }
        }
        found
    }

    /// Returns the file, and what of its names is wrong, in the order of their places.
    pub(crate) fn mistakes(&self) -> (PathBuf, Vec<Mistake>) {
        let state = self.state();
        let wrong = state.named.iter().filter_map(|(_, verdict)| match verdict {
            Verdict::Wrong(mistake) => Some(mistake.clone()),
            _ => None,
        });
        (state.path.clone(), wrong.collect())
    }

    /// Returns the file, what of its names is wrong for certain, and what another worker may have: one that is to have one of the services
    /// `unsaid`, and has not said so.
    fn mistakes_but(&self, unsaid: &HashSet<String>) -> (PathBuf, Vec<Mistake>, Vec<Mistake>) {
        let state = self.state();
        let (mut certain, mut others) = (Vec::new(), Vec::new());
        for (named, verdict) in &state.named {
            let Verdict::Wrong(mistake) = verdict else { continue };
            // What is said of one worker is denied by that one alone.
            let is_certain = matches!(named.holder, Holder::Worker(_)) || !unsaid.contains(&named.service);
            if is_certain { &mut certain } else { &mut others }.push(mistake.clone());
        }
        (state.path.clone(), certain, others)
    }

    /// Returns the place of a mistake as text.
    pub(crate) fn place_of(&self, mistake: &Mistake) -> String {
        format!("{}:{}:{}", self.state().path.display(), mistake.line(), mistake.column())
    }
}

#[cfg(test)]
mod tests;
