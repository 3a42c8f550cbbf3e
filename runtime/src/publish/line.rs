//! [`Line`]: what clients publish of one event, in the order in which it came. What is short is published where it is received, unless
//! something waits; what is long on threads for code that blocks, of which few do so at a time.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{Semaphore, oneshot};

use super::relayed::Relayed;
use crate::dispatch::Handling;
use crate::status::Status;

/// Parameters up to this size in bytes are read where they are received: that takes less time than a handler may there.
const MAX_IN_PLACE: usize = 16 * 1024;
/// Number of threads of a process that read longer ones.
static THREADS: Semaphore = Semaphore::const_new(2);
/// Bytes after which such a thread does something for another event.
const PORTION: usize = 256 * 1024;

/// Publications that wait for their turn.
#[derive(Default)]
pub(super) struct Line(Mutex<Places>);

#[derive(Default)]
struct Places {
    waiting: VecDeque<Arc<Place>>,
    /// Whether there is [`Work`] that takes them out.
    is_worked_on: bool,
}

/// What waits, until it is begun or its call has ended.
struct Place(Mutex<Option<Publication>>);

struct Publication {
    params: Bytes,
    answer: oneshot::Sender<Result<(), Status>>,
}

/// When something is published.
pub(super) enum Turn {
    /// At once, by who has entered it.
    Now(Bytes),
    /// Once its turn comes. The work, if there is some, is to be run for that.
    Later(Waiting, Option<Work>),
}

/// Waits for its turn. Dropped, it gives its place up.
pub(super) struct Waiting {
    place: Arc<Place>,
    answer: oneshot::Receiver<Result<(), Status>>,
}

/// Publishes what waits, until nothing does.
pub(super) struct Work(());

impl Line {
    fn lock(&self) -> MutexGuard<'_, Places> {
        // Nothing panics while the lock is held but for lack of memory.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters the parameters of a call after those that have come before.
    pub(super) fn enter(&self, params: Bytes) -> Turn {
        let mut places = self.lock();
        if !places.is_worked_on && params.len() <= MAX_IN_PLACE {
            return Turn::Now(params);
        }
        // Those that were given up meanwhile.
        while places.waiting.back().is_some_and(|place| place.lock().is_none()) {
            places.waiting.pop_back();
        }
        let (sender, answer) = oneshot::channel();
        let place = Arc::new(Place(Mutex::new(Some(Publication { params, answer: sender }))));
        places.waiting.push_back(Arc::clone(&place));
        let is_first = !std::mem::replace(&mut places.is_worked_on, true);
        Turn::Later(Waiting { place, answer }, is_first.then_some(Work(())))
    }

    /// Returns the next. After the last, there is no work any more.
    fn next(&self) -> Option<Publication> {
        let mut places = self.lock();
        while let Some(place) = places.waiting.pop_front() {
            if let Some(publication) = place.lock().take() {
                return Some(publication);
            }
        }
        places.is_worked_on = false;
        None
    }
}

impl Place {
    fn lock(&self) -> MutexGuard<'_, Option<Publication>> {
        // Nothing panics while the lock is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// Waits until it was published, or refused.
    pub(super) async fn published(mut self) -> Result<(), Status> {
        // The sender goes without a word where a check panics, or the runtime ends.
        (&mut self.answer).await.unwrap_or_else(|_| Err(Handling::panicked()))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let publication = self.place.lock().take();
        drop(publication);
    }
}

impl Work {
    pub(super) async fn run(self, relayed: Relayed) {
        loop {
            let Ok(permit) = THREADS.acquire().await else { return };
            let event = relayed.clone();
            let portion = tokio::task::spawn_blocking(move || {
                let _permit = permit;
                publish_some(&event)
            });
            match portion.await {
                Ok(is_all) if is_all => return,
                Err(ended) if ended.is_cancelled() => return,
                // The panic of a check is answered, and told where panics are.
                _ => {}
            }
        }
    }
}

/// Publishes some of what waits. Returns whether that was all.
fn publish_some(event: &Relayed) -> bool {
    let mut bytes = 0;
    while bytes < PORTION {
        let Some(Publication { params, answer }) = event.line().next() else { return true };
        bytes += params.len();
        let published = event.publish(&params).map_err(Status::not_sent);
        // Who has published it may not wait any more.
        let _ = answer.send(published);
    }
    false
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;
    use crate::events::{EventType, Layout, Limits};
    use crate::method::{Method, MethodKind};

    const SUBSCRIBE: Method = Method::new("a.E/subscribe", MethodKind::ServerStream);
    static EVENT: EventType = EventType::new("a.E", SUBSCRIBE);
    static METHODS: [Method; 2] = [SUBSCRIBE, Method::new("a.E/publish", MethodKind::Unary)];
    const SOON: Duration = Duration::from_millis(200);
    const TEST_TIMEOUT: Duration = Duration::from_secs(20);

    /// Parameters with an event of one text.
    fn params(length: u16) -> Bytes {
        let text = "x".repeat(length.into());
        [&[0x91, 0x91, 0xda][..], &length.to_be_bytes(), text.as_bytes()].concat().into()
    }

    #[tokio::test]
    async fn what_is_long_is_read_by_two_threads_and_what_is_short_waits_behind_it() {
        let ((started, starts), (release, released)) = (mpsc::channel(), mpsc::channel());
        let released = Mutex::new(released);
        let check: Arc<super::super::relayed::Check> = Arc::new(move |_| {
            started.send(()).unwrap();
            // The other one waits for the lock meanwhile.
            released.lock().unwrap().recv_timeout(TEST_TIMEOUT).unwrap();
            Ok(())
        });
        let layout = Layout::new(&EVENT, &[], &[]);
        let event = || Relayed::new(layout, &METHODS, (Limits::default(), 1 << 20), Arc::clone(&check));
        let mut waiting = Vec::new();
        for event in [event(), event(), event()] {
            let Turn::Later(turn, Some(work)) = event.line().enter(params(20_000)) else { panic!("long") };
            waiting.push(turn);
            tokio::spawn(work.run(event.clone()));
            let Turn::Later(turn, None) = event.line().enter(params(1)) else { panic!("it overtakes") };
            waiting.push(turn);
        }
        let starts = tokio::task::spawn_blocking(move || {
            let two = [starts.recv_timeout(TEST_TIMEOUT), starts.recv_timeout(TEST_TIMEOUT)];
            assert_eq!(two, [Ok(()), Ok(())]);
            assert!(starts.recv_timeout(SOON).is_err(), "a third thread reads");
            starts
        });
        let starts = starts.await.unwrap();
        (0..6).for_each(|_| release.send(()).unwrap());
        for turn in waiting {
            tokio::time::timeout(TEST_TIMEOUT, turn.published()).await.expect("its turn comes").unwrap();
        }
        assert_eq!(starts.try_iter().count(), 4);
        let event = event();
        assert!(matches!(event.line().enter(params(1)), Turn::Now(_)), "nothing waits");
    }
}
