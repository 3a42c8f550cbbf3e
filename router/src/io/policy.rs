//! [`Policy`]: what clients may do, as the configuration says now.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use zsvc::Identity;
use zsvc::forward::Rate;

use crate::event::Observer;
use crate::quota::Allowance;
use crate::rights::{Rights, Rules};

/// What clients may do, shared by the tasks of their connections.
#[derive(Debug)]
pub(crate) struct Policy {
    state: Mutex<State>,
    /// Number of times that it has changed.
    version: AtomicU64,
    pub(crate) observer: Observer,
    /// How often registrations that are refused are told of.
    pub(crate) refusals: Rate,
}

#[derive(Debug)]
struct State {
    rules: Arc<Rules>,
    /// What is left to clients that are known and have connections, by their names.
    allowances: HashMap<String, Weak<Allowance>>,
    /// Number of these at which those without connections are dropped: twice as many as were left the last time.
    sweep_at: usize,
}

/// Least number of clients at which those without connections are looked for.
const MIN_SWEPT: usize = 64;

impl Policy {
    pub(crate) fn new(rules: Rules, observer: Observer) -> Arc<Self> {
        let state = State { rules: Arc::new(rules), allowances: HashMap::new(), sweep_at: MIN_SWEPT };
        let (version, refusals) = (AtomicU64::new(0), Rate::new());
        Arc::new(Self { state: Mutex::new(state), version, observer, refusals })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes other rules. Connections heed them from their next message on, and those of workers once they are
    /// [woken](crate::forwarder::Forwarder::wake_workers).
    pub(crate) fn replace(&self, rules: Rules) {
        self.state().rules = Arc::new(rules);
        self.version.fetch_add(1, Ordering::Release);
    }

    /// Returns a number that is another one once the rules have changed.
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Returns what a client may do. `before` is what is left to the client at the other end of the connection, if that is known already.
    pub(crate) fn rights(
        &self,
        identity: Option<&Identity>,
        before: Option<&Arc<Allowance>>,
        now: Instant,
    ) -> Arc<Rights> {
        let mut state = self.state();
        let rules = Arc::clone(&state.rules);
        let allowance = rules.quota_of(identity).map(|quota| {
            let is_same = |allowance: &Arc<Allowance>| allowance.quota() == quota;
            match identity {
                None => before.filter(|before| is_same(before)).cloned(),
                Some(identity) => {
                    state.allowances.get(identity.name()).and_then(Weak::upgrade).filter(is_same)
                }
            }
            .unwrap_or_else(|| {
                let allowance = Allowance::new(quota.clone(), now);
                if let Some(identity) = identity {
                    state.keep(identity.name(), &allowance);
                }
                allowance
            })
        });
        Rights::of(&rules, identity, allowance)
    }
}

impl State {
    fn keep(&mut self, name: &str, allowance: &Arc<Allowance>) {
        if self.allowances.len() >= self.sweep_at {
            self.allowances.retain(|_, allowance| allowance.strong_count() > 0);
            self.sweep_at = (2 * self.allowances.len()).max(MIN_SWEPT);
        }
        self.allowances.insert(name.to_owned(), Arc::downgrade(allowance));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quota::Quota;

    fn policy(max_calls: usize) -> Rules {
        let quota = Quota { max_calls: Some(max_calls), ..Quota::default() };
        Rules { quotas: vec![quota], ..Rules::default() }
    }

    #[test]
    fn the_connections_of_a_client_share_what_is_left() {
        let (policy_of_now, now) = (Policy::new(policy(3), Observer::default()), Instant::now());
        let allowance = |identity: Option<&Identity>, before: Option<&Arc<Allowance>>| {
            Arc::clone(policy_of_now.rights(identity, before, now).allowance().unwrap())
        };
        let (x, y) = (Identity::new("x"), Identity::new("y"));
        let first = allowance(Some(&x), None);
        assert!(Arc::ptr_eq(&first, &allowance(Some(&x), None)));
        assert!(!Arc::ptr_eq(&first, &allowance(Some(&y), None)));
        // A client that is not known has a quota for each connection.
        let unknown = allowance(None, None);
        assert!(!Arc::ptr_eq(&unknown, &allowance(None, None)));
        assert!(Arc::ptr_eq(&unknown, &allowance(None, Some(&unknown))));
        // It counts on where the quota stays the same, and anew where it is another one.
        policy_of_now.replace(policy(3));
        assert!(Arc::ptr_eq(&first, &allowance(Some(&x), None)));
        policy_of_now.replace(policy(4));
        assert!(!Arc::ptr_eq(&first, &allowance(Some(&x), None)));
        policy_of_now.replace(Rules::default());
        assert!(policy_of_now.rights(Some(&x), None, now).allowance().is_none());
    }

    #[test]
    fn clients_without_connections_are_forgotten() {
        let (policy, now) = (Policy::new(policy(1), Observer::default()), Instant::now());
        for number in 0..1_000 {
            policy.rights(Some(&Identity::new(format!("client-{number}"))), None, now);
        }
        assert!(policy.state().allowances.len() <= MIN_SWEPT);
    }
}
