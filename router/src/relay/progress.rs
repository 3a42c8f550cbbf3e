//! [`Progress`]: how far one subscription to a worker has come.

use zsvc_proto::events::Position;

use super::lives::{Lives, Reading};

/// How far a subscription to a worker has come.
#[derive(Debug)]
pub(super) struct Progress {
    lives: Lives,
    /// The life whose events come, once one has.
    reading: Option<Reading>,
    /// Sequence number of the last event of that life that has come by this subscription.
    seen: u64,
    /// Whether all that was kept has come, so that it goes on from there.
    is_steady: bool,
    /// Sequence number of the last event that there was when the stream began.
    last: u64,
    /// Number of events in a row that were left out.
    skipped: u32,
    /// Whether events have come since that was asked.
    has_moved: bool,
}

/// What the beginning of a stream says of events that are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opening {
    /// The worker tells of them itself.
    Told,
    /// There may be some of which the worker does not tell.
    Untold,
    /// All of this publisher has come by another worker so far: the stream is to be made anew, and goes on from there.
    Known,
}

/// Number of events in a row that are left out one by one. After that, all are that there were when the stream began.
const MAX_SKIPPED: u32 = 8;

impl Progress {
    pub(super) fn of(lives: Lives) -> Self {
        Self { lives, reading: None, seen: 0, is_steady: false, last: 0, skipped: 0, has_moved: false }
    }

    /// Reports whether it goes on from where it is, after a stream has ended.
    pub(super) fn is_steady(&self) -> bool {
        self.is_steady
    }

    /// Reports whether the worker has begun to send events.
    pub(super) fn is_opened(&self) -> bool {
        self.reading.is_some()
    }

    /// Returns where the next stream goes on.
    pub(super) fn position(&self) -> Option<Position> {
        let reading = self.reading.as_ref().filter(|_| self.is_steady)?;
        Some(Position::new(reading.epoch(), self.seen))
    }

    /// Begins to read a stream.
    pub(super) fn open(&mut self, epoch: u64, last: Option<u64>) -> Opening {
        let is_told = self.is_steady;
        self.last = last.unwrap_or(0);
        let is_same = self.reading.as_ref().is_some_and(|reading| reading.epoch() == epoch);
        // A position past the last event is from another life.
        if !is_same || last.is_some_and(|last| self.seen > last) {
            self.forget();
            let (reading, position) = self.lives.read(epoch);
            self.reading = Some(reading);
            if let Some(known) = position {
                // What has come since this stream began comes once all the same.
                let seen = last.map_or(known.sequence(), |last| last.min(known.sequence()));
                (self.seen, self.is_steady) = (seen, true);
                return Opening::Known;
            }
        }
        if is_told { Opening::Told } else { Opening::Untold }
    }

    /// Takes an event, and passes it on if it is new. Returns whether it is.
    pub(super) fn take(&mut self, sequence: u64, pass_on: impl FnOnce()) -> bool {
        self.seen = self.seen.max(sequence);
        (self.skipped, self.has_moved) = (0, true);
        let Some(reading) = &self.reading else {
            pass_on();
            return true;
        };
        reading.take(sequence, pass_on)
    }

    /// Reports whether events have come since this was asked last.
    pub(super) fn has_moved(&mut self) -> bool {
        std::mem::take(&mut self.has_moved)
    }

    /// Notes that all that was kept has come.
    pub(super) fn live(&mut self, sequence: u64) {
        self.seen = self.seen.max(sequence);
        self.is_steady = true;
        if let Some(reading) = &self.reading {
            reading.live(self.seen);
        }
    }

    /// Leaves the next event out. Its number is not known: it is the next, or there are some before it that were not for the router. While
    /// what was kept comes, all of that is left out.
    pub(super) fn skip(&mut self) {
        self.skipped += 1;
        let next = self.seen.saturating_add(1);
        let is_one = self.is_steady && self.skipped <= MAX_SKIPPED;
        let next = if is_one {
            next
        } else {
            self.skipped = 0;
            next.max(self.last)
        };
        // Before a worker has begun, nothing is known that could be left out.
        if self.is_opened() {
            self.live(next);
        }
    }

    /// Forgets the life whose events have come.
    pub(super) fn forget(&mut self) {
        if let Some(reading) = self.reading.take() {
            self.lives.end(reading);
        }
        (self.seen, self.is_steady) = (0, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_goes_on_from_what_has_come_once_all_that_was_kept_has() {
        let mut progress = Progress::of(Lives::default());
        assert_eq!(progress.open(7, Some(9)), Opening::Untold, "nothing was known before");
        assert!(progress.take(3, || ()) && progress.take(5, || ()));
        assert_eq!(progress.position(), None);
        // Lost, and opened anew: what has come already is known.
        assert_eq!(progress.open(7, Some(9)), Opening::Untold);
        assert!(!progress.take(5, || ()) && progress.take(8, || ()));
        progress.live(9);
        assert_eq!(progress.position(), Some(Position::new(7, 9)));
        assert_eq!(progress.open(7, Some(12)), Opening::Told, "the worker tells what is missing");
        assert!(progress.take(10, || ()));
        assert_eq!(progress.position(), Some(Position::new(7, 10)));
    }

    #[test]
    fn another_life_begins_anew() {
        for (epoch, last) in [(8, Some(20)), (7, Some(4))] {
            let mut progress = Progress::of(Lives::default());
            progress.open(7, Some(9));
            progress.live(9);
            assert_eq!(progress.open(epoch, last), Opening::Told, "the worker tells it");
            assert_eq!((progress.position(), progress.take(1, || ())), (None, true));
        }
    }

    #[test]
    fn another_worker_of_the_publisher_goes_on_where_the_first_has_come() {
        let lives = Lives::default();
        let (mut one, mut other) = (Progress::of(lives.clone()), Progress::of(lives));
        one.open(7, Some(9));
        one.live(9);
        assert!(one.take(10, || ()));
        assert_eq!(other.open(7, Some(12)), Opening::Known);
        assert_eq!(other.position(), Some(Position::new(7, 10)));
        assert_eq!(other.open(7, Some(12)), Opening::Told);
        assert!(other.take(11, || ()) && !one.take(11, || ()) && one.take(12, || ()));
        // Newer ones have come since the worker said how many there were.
        let mut third = Progress::of(one.lives.clone());
        assert_eq!((third.open(7, Some(10)), third.position()), (Opening::Known, Some(Position::new(7, 10))));
        assert!(!third.take(12, || panic!("it has come")) && third.take(13, || ()));
        drop((one, other));
    }

    #[test]
    fn what_is_left_out_is_passed_by() {
        let mut progress = Progress::of(Lives::default());
        progress.open(7, Some(100));
        // Of what is kept, all: it would come again from the beginning.
        progress.skip();
        assert_eq!(progress.position(), Some(Position::new(7, 100)));
        // Of what comes then, one by one.
        progress.open(7, Some(103));
        progress.skip();
        assert_eq!(progress.position(), Some(Position::new(7, 101)));
        // Events that were not for the router leave gaps: then all are left out that there were.
        for _ in 0..MAX_SKIPPED {
            progress.open(7, Some(200));
            progress.skip();
        }
        assert_eq!(progress.position(), Some(Position::new(7, 200)));
        assert!(!progress.has_moved());
        progress.take(201, || ());
        assert!(progress.has_moved() && !progress.has_moved());
        progress.skip();
        assert_eq!(progress.position(), Some(Position::new(7, 202)));
    }

    #[test]
    fn nothing_is_passed_by_before_anything_is_known() {
        let mut progress = Progress::of(Lives::default());
        progress.skip();
        assert_eq!(progress.position(), None);
    }
}
