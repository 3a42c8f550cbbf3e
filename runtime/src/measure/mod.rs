//! What a server knows of the calls of each method: how many, how they ended, how long they took. Told by [`crate::stats`].
//!
//! A short call takes a few hundred nanoseconds, so what each of them adds to must not be shared between threads, and the clock
//! must not be read for each:
//!
//! - Calls and bytes are collected by each driver, for one portion of calls, in a [`Collected`], and then added to a part of the numbers that
//!   the thread shares with few others.
//! - Calls are timed by a [`Sampler`]: the first ones of each method, and then one in 16, drawn at random, whose time stands for those of
//!   the others.

mod histogram;
mod sampler;

use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) use histogram::{Distribution, Histogram};
pub(crate) use sampler::{FirstCalls, Sampler};

use crate::status::{Code, Failure};
use crate::telemetry::{PARTS, part};

/// How a call ended that did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failed {
    /// With an error that the method declares.
    Declared,
    With(Code),
}

/// Number of ways to fail: the declared one, and those of codes by their numbers.
const FAILURES: usize = Code::ALL.len() + 1;

impl Failed {
    pub(crate) fn of(failure: &Failure) -> Self {
        match failure {
            Failure::Declared { .. } => Self::Declared,
            Failure::Status(status) => Self::With(status.code()),
        }
    }

    fn index(self) -> usize {
        match self {
            Self::Declared => 0,
            Self::With(code) => usize::from(code.number()).min(FAILURES - 1),
        }
    }

    /// Returns the name under which such failures are told.
    fn name(index: usize) -> &'static str {
        index.checked_sub(1).and_then(|index| Code::ALL.get(index)).map_or("declared", |code| code.name())
    }
}

/// What is known of the calls of one method.
#[derive(Debug, Default)]
pub(crate) struct MethodMeasure {
    /// Full name of the method.
    pub(crate) name: &'static str,
    /// What each call adds to, by thread.
    parts: [Part; PARTS],
    failures: [AtomicU64; FAILURES],
    /// Number of handlers that have begun, were not done at once, and have not ended.
    running: AtomicU64,
    /// Time that handlers took.
    pub(crate) handler: Histogram,
    /// Time that calls waited for their handlers.
    pub(crate) queue: Histogram,
    /// How many more calls are timed in any case.
    pub(crate) first: FirstCalls,
}

/// A part of the numbers that each call adds to. Aligned as the parts of `telemetry::Tally` are.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Part {
    calls: AtomicU64,
    request_bytes: AtomicU64,
    answer_bytes: AtomicU64,
}

/// Numbers that grow with each call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Amounts {
    pub(crate) calls: u64,
    pub(crate) request_bytes: u64,
    pub(crate) answer_bytes: u64,
}

impl MethodMeasure {
    /// Creates what is known of a method that was never called, by its full name.
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, ..Self::default() }
    }

    pub(crate) fn add(&self, amounts: Amounts) {
        let part = &self.parts[part()];
        part.calls.fetch_add(amounts.calls, Ordering::Relaxed);
        part.request_bytes.fetch_add(amounts.request_bytes, Ordering::Relaxed);
        part.answer_bytes.fetch_add(amounts.answer_bytes, Ordering::Relaxed);
    }

    /// Counts a call that failed.
    pub(crate) fn fail(&self, how: Failed) {
        self.failures[how.index()].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a handler that goes on after its first poll.
    pub(crate) fn goes_on(&self) {
        self.running.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts that one of those has ended.
    pub(crate) fn ended(&self) {
        self.running.fetch_sub(1, Ordering::Relaxed);
    }

    /// Returns the number of those that have not ended.
    pub(crate) fn running(&self) -> u64 {
        self.running.load(Ordering::Relaxed)
    }

    /// Returns the sums over all threads.
    pub(crate) fn amounts(&self) -> Amounts {
        let sum = |of: fn(&Part) -> &AtomicU64| {
            self.parts.iter().map(|part| of(part).load(Ordering::Relaxed)).fold(0, u64::wrapping_add)
        };
        Amounts {
            calls: sum(|part| &part.calls),
            request_bytes: sum(|part| &part.request_bytes),
            answer_bytes: sum(|part| &part.answer_bytes),
        }
    }

    /// Returns the numbers of calls that failed, by the names of how, without those of which there was none.
    pub(crate) fn failures(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let all = self.failures.iter().map(|count| count.load(Ordering::Relaxed)).enumerate();
        all.filter(|(_, count)| *count > 0).map(|(index, count)| (Failed::name(index), count))
    }
}

/// What a driver has collected of a portion of calls. Most portions are of one method.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    /// Index of the method.
    method: usize,
    amounts: Amounts,
}

impl Collected {
    /// Counts a call of a method.
    #[inline]
    pub(crate) fn add(&mut self, methods: &[MethodMeasure], method: usize, request_bytes: usize) {
        if self.method != method {
            self.flush(methods);
            self.method = method;
        }
        self.amounts.calls += 1;
        self.amounts.request_bytes += request_bytes as u64;
    }

    /// Adds the size of the answer to the call that was added last.
    #[inline]
    pub(crate) fn answered(&mut self, bytes: usize) {
        self.amounts.answer_bytes += bytes as u64;
    }

    /// Adds what was collected to the numbers of its method.
    #[inline]
    pub(crate) fn flush(&mut self, methods: &[MethodMeasure]) {
        if self.amounts.calls > 0
            && let Some(method) = methods.get(self.method)
        {
            method.add(std::mem::take(&mut self.amounts));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Status;

    fn methods() -> [MethodMeasure; 2] {
        Default::default()
    }

    #[test]
    fn what_is_collected_goes_to_its_method() {
        let methods = methods();
        let mut collected = Collected::default();
        collected.add(&methods, 0, 10);
        collected.answered(1);
        collected.add(&methods, 0, 20);
        collected.add(&methods, 1, 400);
        collected.answered(2);
        collected.flush(&methods);
        collected.flush(&methods);
        let expected = |calls, request_bytes, answer_bytes| Amounts { calls, request_bytes, answer_bytes };
        assert_eq!(methods[0].amounts(), expected(2, 30, 1));
        assert_eq!(methods[1].amounts(), expected(1, 400, 2));
    }

    #[test]
    fn many_threads_add_to_one_method() {
        let [method, _] = methods();
        std::thread::scope(|scope| {
            for _ in 0..2 * PARTS {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        method.add(Amounts { calls: 1, request_bytes: 2, answer_bytes: 3 });
                    }
                });
            }
        });
        let calls = 2000 * PARTS as u64;
        assert_eq!(method.amounts(), Amounts { calls, request_bytes: 2 * calls, answer_bytes: 3 * calls });
    }

    #[test]
    fn failures_are_told_by_their_codes() {
        let [method, _] = methods();
        for code in Code::ALL {
            method.fail(Failed::With(code));
        }
        method.fail(Failed::of(&Failure::Status(Status::new(Code::Aborted, "no"))));
        method.fail(Failed::Declared);
        let told: Vec<_> = method.failures().collect();
        assert_eq!(told.len(), FAILURES);
        assert!(
            told.contains(&("declared", 1))
                && told.contains(&("aborted", 2))
                && told.contains(&("unauthenticated", 1))
        );
    }
}
