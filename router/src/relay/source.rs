//! [`Source`]: what brings the events of workers along: one subscription to each worker that publishes an event, for all clients.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep};
use zsvc::forward::{Front, Relayed, Settings};
use zsvc::{Channel, Code, Engine, Retry, Status};
use zsvc_proto::codec::dynamic::{Raw, RawValue};
use zsvc_proto::events::{Delivered, Deliveries, Position, Request};

use crate::event::{Event, Observer};
use crate::io::{CallerTask, Hub, WorkerKey};

/// How often it is looked which workers there are, while there are subscribers.
const LOOK_PAUSE: Duration = Duration::from_millis(100);
/// Pauses between subscriptions to a worker that fail: the first, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// What brings one event of one realm along.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) hub: Arc<Hub>,
    pub(super) settings: Settings,
    /// How long subscriptions to workers go on without a subscriber.
    pub(super) pause: Duration,
    pub(super) observer: Observer,
    pub(super) realm: String,
    pub(super) event: Relayed,
    /// Whether clients publish it, too: then what was published has to stay.
    pub(super) is_published: bool,
}

/// A subscription to one worker, until it is dropped.
struct Upstream {
    state: Arc<State>,
    task: AbortHandle,
}

#[derive(Debug, Default)]
struct State {
    /// Whether the worker has ever said that it sends events.
    is_opened: AtomicBool,
    /// Whether all that it had kept has come, or it could not be subscribed to.
    is_settled: AtomicBool,
    /// Why the worker does not send events, if it has said so and has not begun since.
    refusal: Mutex<Option<Status>>,
}

impl State {
    fn refusal(&self) -> MutexGuard<'_, Option<Status>> {
        // Nothing panics while the lock is held.
        self.refusal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reports whether the same subscription fails again.
fn is_final(why: &Status) -> bool {
    !matches!(
        why.code(),
        Code::Unavailable
            | Code::Aborted
            | Code::ResourceExhausted
            | Code::Cancelled
            | Code::DeadlineExceeded
    )
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Source {
    /// Reports whether another one brings the same along.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.event.demand_is(&other.event) && self.is_published == other.is_published
    }

    /// Subscribes to the workers that there are, while there are subscribers. Never ends.
    pub(super) async fn run(self) {
        let mut tasks = JoinSet::new();
        let mut upstreams: HashMap<WorkerKey, Upstream> = HashMap::new();
        let mut idle_since = None;
        let demand = Arc::clone(self.event.demand());
        loop {
            while tasks.try_join_next().is_some() {}
            if demand.wanting() > 0 {
                idle_since = None;
            } else if upstreams.is_empty() {
                demand.set_ready(false);
                demand.changed().await;
                continue;
            } else if idle_since.get_or_insert_with(Instant::now).elapsed() >= self.pause
                && !self.is_published
            {
                // What they had kept comes anew with the next subscriber.
                demand.set_ready(false);
                upstreams.clear();
                self.event.forget_all();
                continue;
            }
            self.follow(&mut upstreams, &mut tasks);
            tokio::select! {
                () = demand.changed() => {}
                () = sleep(LOOK_PAUSE) => {}
            }
        }
    }

    /// Subscribes to workers that have come, and to those no longer that are gone. Says whether subscriptions may begin.
    fn follow(&self, upstreams: &mut HashMap<WorkerKey, Upstream>, tasks: &mut JoinSet<()>) {
        let name = self.event.name();
        let workers = self.hub.with(|forwarder, _| forwarder.publishers(&self.realm, name));
        upstreams.retain(|key, upstream| {
            let stays = workers.iter().any(|(worker, _)| worker == key);
            if !stays && upstream.state.is_opened.load(Ordering::Acquire) {
                // What it has published last may not have come.
                self.event.lose();
            }
            stays
        });
        let (mut is_ready, mut refusals, mut live) = (true, Vec::new(), 0);
        for (worker, is_live) in workers {
            let upstream = upstreams.entry(worker).or_insert_with(|| {
                let state = Arc::<State>::default();
                let task = tasks.spawn(self.clone().read_all(worker, Arc::clone(&state)));
                Upstream { state, task }
            });
            if is_live {
                live += 1;
                is_ready &= upstream.state.is_settled.load(Ordering::Acquire);
                refusals.extend(upstream.state.refusal().clone());
            }
        }
        // Where clients publish it, there is something to subscribe to all the same.
        let is_refused = live > 0 && refusals.len() == live && !self.is_published;
        self.event.demand().set_refusal(refusals.pop().filter(|_| is_refused));
        self.event.demand().set_ready(is_ready);
    }

    /// Subscribes to a worker, again and again.
    async fn read_all(self, worker: WorkerKey, state: Arc<State>) {
        // Unlike that of any other router of this process.
        let endpoint = format!("inproc://zsvc-router-source-{:016x}", zsvc::forward::random());
        let Ok((front, _)) = Front::bind(std::slice::from_ref(&endpoint), &self.settings, None, false) else {
            return self.settle(&state);
        };
        let channel = Channel::builder().engine(Engine::Zmtp).endpoint(&endpoint).retry(Retry::none());
        let Ok(channel) = channel.max_message_size(self.settings.max_message_size).connect_lazy() else {
            return self.settle(&state);
        };
        tokio::select! {
            () = self.accept(front, worker) => {}
            () = self.subscribe(channel, &state) => {}
        }
    }

    /// Takes the connections of a channel, whose calls go to the worker.
    async fn accept(&self, mut front: Front, worker: WorkerKey) {
        let mut tasks = JoinSet::new();
        while let Ok(link) = poll_fn(|context| front.poll_accept(context)).await {
            tasks.spawn(CallerTask::of_router(link, Arc::clone(&self.hub), &self.realm, worker));
            while tasks.try_join_next().is_some() {}
        }
    }

    async fn subscribe(&self, channel: Channel, state: &State) {
        let mut progress = Progress::default();
        let mut pause = PAUSES.0;
        loop {
            let was_steady = progress.is_steady;
            let why = self.read(&channel, &mut progress, state).await;
            if !was_steady && progress.is_steady {
                pause = PAUSES.0;
            }
            if let Some(why) = why.filter(is_final) {
                if state.is_opened.load(Ordering::Acquire) {
                    // What can't be read, or is refused now, would come again.
                    self.event.lose();
                    progress = Progress::default();
                }
                self.tell(&why, state);
            }
            self.settle(state);
            sleep(pause).await;
            pause = (2 * pause).min(PAUSES.1);
        }
    }

    /// Notes why a worker does not send events, and tells it where that is new.
    fn tell(&self, why: &Status, state: &State) {
        let before = state.refusal().replace(why.clone());
        if before.is_none_or(|before| before != *why) {
            let (name, why) = (self.event.name().to_owned(), why.to_string());
            self.observer.tell(|| Event::RelayRefused { name, why });
        }
    }

    /// Reads one stream to its end. Returns why it has ended, if that was said.
    async fn read(&self, channel: &Channel, progress: &mut Progress, state: &State) -> Option<Status> {
        let request = Request { since: progress.position(), ..Request::default() };
        let call = channel
            .server_stream::<Deliveries<Raw>, Delivered<RawValue>, Status>(self.event.subscribe(), &request);
        let mut items = match call.no_deadline().await {
            Ok(items) => items,
            Err(why) => return Some(why),
        };
        loop {
            match items.next().await? {
                Ok(item) => self.take(item, progress, state),
                Err(why) => return Some(why),
            }
        }
    }

    fn take(&self, item: Delivered<RawValue>, progress: &mut Progress, state: &State) {
        match item {
            Delivered::Opened { epoch, last } => {
                state.is_opened.store(true, Ordering::Release);
                if state.refusal().take().is_some() {
                    self.event.demand().wake();
                }
                // Before it, the worker may have published what subscribers have waited for; so may those that come back.
                if progress.open(epoch, last) {
                    self.event.lose();
                }
            }
            Delivered::Event(sequence, event) => {
                if progress.take(sequence) {
                    self.event.pass_on(&event.into_bytes());
                }
            }
            Delivered::Missed(_) => self.event.lose(),
            Delivered::Live(sequence) => {
                progress.live(sequence);
                self.settle(state);
            }
            Delivered::Unknown => {}
        }
    }

    /// Notes that subscriptions need not wait for a worker any more.
    fn settle(&self, state: &State) {
        if !state.is_settled.swap(true, Ordering::AcqRel) {
            self.event.demand().wake();
        }
    }
}

/// How far a subscription to a worker has come.
#[derive(Debug, Default)]
struct Progress {
    epoch: u64,
    /// Sequence number of the last event of that life that has come.
    seen: u64,
    /// Whether all that was kept has come, so that it goes on from there.
    is_steady: bool,
}

impl Progress {
    /// Returns where the next stream goes on.
    fn position(&self) -> Option<Position> {
        self.is_steady.then(|| Position::new(self.epoch, self.seen))
    }

    /// Begins to read a stream. Returns whether events may be missing of which the worker does not tell.
    fn open(&mut self, epoch: u64, last: Option<u64>) -> bool {
        let is_told = self.is_steady;
        // A position past the last event is from another life.
        if self.epoch != epoch || last.is_some_and(|last| self.seen > last) {
            (self.epoch, self.seen, self.is_steady) = (epoch, 0, false);
        }
        !is_told
    }

    /// Takes an event. Returns whether it is new.
    fn take(&mut self, sequence: u64) -> bool {
        let is_new = sequence > self.seen;
        self.seen = self.seen.max(sequence);
        is_new
    }

    fn live(&mut self, sequence: u64) {
        self.seen = self.seen.max(sequence);
        self.is_steady = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_goes_on_from_what_has_come_once_all_that_was_kept_has() {
        let mut progress = Progress::default();
        assert!(progress.open(7, Some(9)), "nothing was known before");
        assert!(progress.take(3) && progress.take(5));
        assert_eq!(progress.position(), None);
        // Lost, and opened anew: what has come already is known.
        assert!(progress.open(7, Some(9)));
        assert!(!progress.take(5) && progress.take(8));
        progress.live(9);
        assert_eq!(progress.position(), Some(Position::new(7, 9)));
        assert!(!progress.open(7, Some(12)), "the worker tells what is missing");
        assert!(progress.take(10));
        assert_eq!(progress.position(), Some(Position::new(7, 10)));
    }

    #[test]
    fn another_life_begins_anew() {
        for (epoch, last) in [(8, Some(20)), (7, Some(4))] {
            let mut progress = Progress { epoch: 7, seen: 9, is_steady: true };
            assert!(!progress.open(epoch, last), "the worker tells it");
            assert_eq!((progress.position(), progress.take(1)), (None, true));
        }
    }
}
