//! [`CatchUp`]: how far a subscriber has come with what was published before it joined. It holds a place among the events that its topic
//! keeps, and none of these, so that subscribers who do not read take no more memory where much is kept.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Topic;
use crate::events::filter::Wanted;
use crate::events::kept::Step;
use crate::events::notice::Notice;
use crate::events::posted::Posted;
use crate::events::recent::Entry;
use crate::events::request::Position;

/// Number of events that one step looks at, under the lock of the topic.
const MAX_LOOKED_AT: usize = 256;
/// Number of notices after which a step ends.
const MAX_NOTICES: usize = 32;
/// Size in bytes of the events after which a step ends. One may be larger.
const MAX_BYTES: usize = 16 * 1024;

/// What a subscriber is told on joining: the epoch, what it has missed, the events that are kept, and `Live`. A subscriber takes it step
/// by step by [`Topic::catch_up`], before it takes anything from its mailbox.
#[derive(Debug)]
pub struct CatchUp {
    /// What the last step has found. Bounded by what one step takes.
    found: VecDeque<Notice>,
    wanted: Arc<Wanted>,
    /// Sequence number of the last event that was found, or passed over.
    after: u64,
    /// Sequence number of the last event before the subscriber joined: each later one waits in its mailbox.
    until: u64,
    losses: Losses,
    /// Number of events that are gone, of those after the last one that was found.
    missing: u64,
    is_done: bool,
}

/// What the subscriber is told of events that are not there any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Losses {
    /// Nothing: it has asked for what is kept when it gets there.
    None,
    /// Their number, where they were.
    Counted,
    /// That there may be some: which of those that are gone had been asked for can't be known.
    Suspected,
    /// No more: that some may be missing was told, and holds for all that comes before `Live`.
    Told,
}

impl CatchUp {
    /// Begins after the position where an earlier subscription was, if there was one.
    pub(super) fn new(topic: &Topic, wanted: Arc<Wanted>, since: Option<Position>) -> Self {
        let (after, losses) = match since {
            None => (0, Losses::None),
            // Of another life nothing is known, nor of events that this life has not published.
            Some(since) if since.epoch() != topic.epoch || since.sequence() > topic.last => (0, Losses::None),
            Some(since) if topic.recent.has_addressed_after(since.sequence()) => {
                (since.sequence(), Losses::Told)
            }
            Some(since) if wanted.is_everything() => (since.sequence(), Losses::Counted),
            Some(since) => (since.sequence(), Losses::Suspected),
        };
        let mut found = VecDeque::from([Notice::Opened { epoch: topic.epoch, last: topic.last }]);
        if losses == Losses::Told || (losses == Losses::None && since.is_some()) {
            found.push_back(Notice::Missed(None));
        }
        Self { found, wanted, after, until: topic.last, losses, missing: 0, is_done: false }
    }

    /// Takes what comes next, of what the last step has found.
    pub fn pop(&mut self) -> Option<Notice> {
        self.found.pop_front()
    }

    /// Reports whether everything was taken, and what follows comes from the mailbox.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.is_done && self.found.is_empty()
    }

    fn take(&mut self, posted: Arc<Posted>) {
        self.pass_over(posted.sequence() - 1);
        self.after = posted.sequence();
        self.tell_missing();
        self.found.push_back(Notice::Event(posted));
    }

    fn pass_over(&mut self, until: u64) {
        self.missing += until - self.after;
        self.after = until;
    }

    fn tell_missing(&mut self) {
        let missing = std::mem::take(&mut self.missing);
        if missing > 0 && self.losses == Losses::Counted {
            self.found.push_back(Notice::Missed(Some(missing)));
        }
    }

    fn finish(&mut self) {
        self.tell_missing();
        self.found.push_back(Notice::Live(self.until));
        self.is_done = true;
    }
}

impl Topic {
    /// Takes one step with a subscriber that has joined, which takes no longer with many events than with few. What it has found is taken
    /// by [`CatchUp::pop`], and may be nothing before the end.
    pub fn catch_up(&self, catch_up: &mut CatchUp) {
        if catch_up.is_done {
            return;
        }
        self.suspect(catch_up);
        let (mut budget, mut bytes) = (MAX_LOOKED_AT, 0);
        while budget > 0 && bytes < MAX_BYTES && catch_up.found.len() < MAX_NOTICES {
            match self.next(catch_up, &mut budget) {
                Step::Event(posted) => {
                    bytes += posted.size();
                    catch_up.take(posted);
                }
                Step::PassedOver(sequence) => catch_up.pass_over(sequence),
                Step::End => return catch_up.finish(),
            }
        }
    }

    /// Says that events may be missing, of those to come, if some may be that were asked for.
    fn suspect(&self, catch_up: &mut CatchUp) {
        let is_behind = catch_up.after < self.recent.dropped().min(catch_up.until);
        if is_behind
            && catch_up.losses == Losses::Suspected
            && !self.kept.has_all_after(catch_up.after, &catch_up.wanted)
        {
            catch_up.losses = Losses::Told;
            catch_up.found.push_back(Notice::Missed(None));
        }
    }

    /// Returns the next event: of those that are kept, and of the recent ones for who goes on from a position.
    fn next(&self, catch_up: &CatchUp, budget: &mut usize) -> Step {
        let CatchUp { wanted, after, until, losses, .. } = catch_up;
        if *losses == Losses::None {
            return self.kept.next_after(*after, *until, wanted, budget);
        }
        let gone = self.recent.dropped().min(*until);
        if *after < gone {
            return match self.kept.next_after(*after, gone, wanted, budget) {
                Step::End => Step::PassedOver(gone),
                step => step,
            };
        }
        if after >= until {
            return Step::End;
        }
        *budget = budget.saturating_sub(1);
        match self.recent.get(after + 1) {
            Some(Entry::ForAll(posted)) if wanted.passes(posted.key()) => Step::Event(Arc::clone(posted)),
            _ => Step::PassedOver(after + 1),
        }
    }
}
