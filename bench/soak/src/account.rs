//! [`Account`]: what became of each call, and whether what its caller was told is true.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use zsvc::{Outcome, Status};

/// What its caller knows of a call that leaves something behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fate {
    /// It was answered.
    Answered,
    /// It was accepted for sending, and nobody answers it.
    Accepted,
    /// It was given up.
    GivenUp,
    /// It failed, and no handler saw it.
    NotSent,
    /// It failed, and may have run.
    MaybeExecuted,
    /// It failed, and has run.
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

    /// Whether it goes with how often the call ran.
    fn allows(self, times: usize, may_repeat: bool) -> bool {
        match self {
            Self::Answered | Self::Executed => times == 1 || may_repeat && times > 1,
            Self::Accepted | Self::GivenUp | Self::MaybeExecuted => times <= 1 || may_repeat,
            Self::NotSent => times == 0,
        }
    }
}

/// Every call, until the end.
#[derive(Debug, Default)]
pub(crate) struct Account {
    started: AtomicU64,
    ended: AtomicU64,
    next_key: AtomicU64,
    /// Calls that leave a key behind.
    keyed: Mutex<Vec<Entry>>,
    /// Calls that leave nothing behind, by how they ended.
    others: Mutex<BTreeMap<String, u64>>,
    /// What was wrong at once.
    wrong: Mutex<Vec<String>>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    key: u64,
    fate: Fate,
    /// Its method is idempotent: it may have been tried again.
    may_repeat: bool,
}

/// A call that was started. It must end; dropped before, it is one that was given up.
#[derive(Debug)]
pub(crate) struct Started<'a> {
    account: &'a Account,
    /// What it leaves behind.
    pub(crate) key: u64,
    kind: Kind,
    open: bool,
}

/// What a call leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A key, once.
    Once,
    /// A key, perhaps more than once.
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

    /// Something that must never be.
    pub(crate) fn complain(&self, what: String) {
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }

    /// Everything that is not as it must be.
    pub(crate) fn check(&self, written: &BTreeMap<u64, usize>) -> Vec<String> {
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (started, ended) = (self.started.load(Ordering::Relaxed), self.ended.load(Ordering::Relaxed));
        if started != ended {
            wrong.push(format!("{started} calls were started and {ended} have ended"));
        }
        for entry in &*self.keyed.lock().unwrap_or_else(PoisonError::into_inner) {
            let times = written.get(&entry.key).copied().unwrap_or(0);
            if !entry.fate.allows(times, entry.may_repeat) {
                wrong.push(format!("call {} is {:?}, and ran {times} times", entry.key, entry.fate));
            }
        }
        wrong.truncate(20);
        wrong
    }

    /// One line on all calls.
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
    /// It ended so.
    pub(crate) fn ended<T>(mut self, result: &Result<T, Status>) {
        self.close(result.as_ref().map_or_else(Fate::of, |_| Fate::Answered));
    }

    /// A one-way call was accepted, or not.
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
