//! [`Account`]: how each call ended, and whether what its caller was told is true.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use zsvc::{Outcome, Status};

/// What the caller knows about a call that writes a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fate {
    /// The call was answered.
    Answered,
    /// The one-way call was accepted for sending.
    Accepted,
    /// The caller cancelled the call.
    GivenUp,
    /// The call failed, and no handler ran.
    NotSent,
    /// The call failed, and its handler may have run.
    MaybeExecuted,
    /// The call failed, and its handler ran.
    Executed,
}

impl Fate {
    fn of(status: &Status) -> Self {
        match status.outcome() {
            Outcome::NotSent => Self::NotSent,
            Outcome::MaybeExecuted => Self::MaybeExecuted,
            Outcome::Executed => Self::Executed,
        }
    }

    /// Reports whether this fate is consistent with the number of times that the handler ran.
    fn allows(self, times: usize, may_repeat: bool) -> bool {
        match self {
            Self::Answered | Self::Executed => times == 1 || may_repeat && times > 1,
            Self::Accepted | Self::GivenUp | Self::MaybeExecuted => times <= 1 || may_repeat,
            Self::NotSent => times == 0,
        }
    }
}

/// All calls of a run.
#[derive(Debug, Default)]
pub(crate) struct Account {
    started: AtomicU64,
    ended: AtomicU64,
    next_key: AtomicU64,
    /// Calls that write a key.
    keyed: Mutex<Vec<Entry>>,
    /// Number of calls that write no key, by how they ended.
    others: Mutex<BTreeMap<String, u64>>,
    /// Errors that were noticed while the calls ran.
    wrong: Mutex<Vec<String>>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    key: u64,
    fate: Fate,
    /// Whether the method is idempotent, so that the call may have been retried.
    may_repeat: bool,
}

/// A call that was started. Dropping it before it is marked as ended records it as given up.
#[derive(Debug)]
pub(crate) struct Started<'a> {
    account: &'a Account,
    /// The key that the handler writes.
    pub(crate) key: u64,
    kind: Kind,
    open: bool,
}

/// What the handler of a call writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A key, at most once.
    Once,
    /// A key, possibly more than once.
    Repeatable,
    /// Nothing.
    Traceless,
}

impl Account {
    pub(crate) fn start(&self, kind: Kind) -> Started<'_> {
        self.started.fetch_add(1, Ordering::Relaxed);
        let key = self.next_key.fetch_add(1, Ordering::Relaxed);
        Started { account: self, key, kind, open: true }
    }

    /// Records an error that must never occur.
    pub(crate) fn complain(&self, what: String) {
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }

    /// Returns all inconsistencies between the calls and the keys that the servers wrote.
    pub(crate) fn check(&self, written: &BTreeMap<u64, usize>) -> Vec<String> {
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (started, ended) = (self.started.load(Ordering::Relaxed), self.ended.load(Ordering::Relaxed));
        if started != ended {
            wrong.push(format!("{started} calls were started and {ended} have ended"));
        }
        for entry in &*self.keyed.lock().unwrap_or_else(PoisonError::into_inner) {
            let times = written.get(&entry.key).copied().unwrap_or(0);
            if !entry.fate.allows(times, entry.may_repeat) {
                wrong.push(format!("call {} is {:?}, but ran {times} times", entry.key, entry.fate));
            }
        }
        wrong.truncate(20);
        wrong
    }

    /// Returns a one-line summary of all calls.
    pub(crate) fn summary(&self) -> String {
        let mut fates: BTreeMap<String, u64> =
            self.others.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for entry in &*self.keyed.lock().unwrap_or_else(PoisonError::into_inner) {
            *fates.entry(format!("{:?}", entry.fate)).or_default() += 1;
        }
        let each: Vec<String> = fates.iter().map(|(fate, count)| format!("{count} {fate}")).collect();
        format!("{} calls started = {}", self.started.load(Ordering::Relaxed), each.join(" + "))
    }
}

impl Started<'_> {
    /// Records the result of the call.
    pub(crate) fn ended<T>(mut self, result: &Result<T, Status>) {
        self.close(result.as_ref().map_or_else(Fate::of, |_| Fate::Answered));
    }

    /// Records whether a one-way call was accepted.
    pub(crate) fn accepted(mut self, result: &Result<(), Status>) {
        self.close(result.as_ref().map_or_else(Fate::of, |()| Fate::Accepted));
    }

    fn close(&mut self, fate: Fate) {
        self.open = false;
        let account = self.account;
        account.ended.fetch_add(1, Ordering::Relaxed);
        if self.kind == Kind::Traceless {
            let mut others = account.others.lock().unwrap_or_else(PoisonError::into_inner);
            *others.entry(format!("{fate:?}")).or_default() += 1;
        } else {
            let entry = Entry { key: self.key, fate, may_repeat: self.kind == Kind::Repeatable };
            account.keyed.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
        }
    }
}

impl Drop for Started<'_> {
    fn drop(&mut self) {
        if self.open {
            self.close(Fate::GivenUp);
        }
    }
}
