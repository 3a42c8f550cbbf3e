//! [`Source`]: what brings the events of workers along: one subscription to each worker that publishes an event, for all clients.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep};
use zsvc::forward::{Relayed, Settings};
use zsvc::{Cause, Channel, Code, Status};
use zsvc_proto::codec::dynamic::{Raw, RawValue};
use zsvc_proto::events::{Delivered, Deliveries, Request};

use super::lives::Lives;
use super::progress::{Opening, Progress};
use crate::direct::Direct;
use crate::event::{Event, Observer};
use crate::io::{Hub, WorkerKey};

/// How often it is looked which workers there are, while there are subscribers.
const LOOK_PAUSE: Duration = Duration::from_millis(100);
/// Pauses between subscriptions to a worker that fail: the first, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
/// How long subscribers wait for what a worker has kept, at most.
const MAX_SETTLE: Duration = Duration::from_secs(5);

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
    /// Whether the worker could be reached at the last look.
    is_live: bool,
    /// Since when that is so.
    since: Instant,
}

impl Upstream {
    /// Notes whether the worker can be reached.
    fn look(&mut self, is_live: bool) {
        if std::mem::replace(&mut self.is_live, is_live) != is_live {
            self.since = Instant::now();
        }
    }

    /// Reports whether what the worker has kept is worth waiting for: one that does not send it within a time holds up no subscriber.
    fn is_awaited(&self) -> bool {
        !self.state.is_settled.load(Ordering::Acquire) && self.since.elapsed() < MAX_SETTLE
    }
}

#[derive(Debug, Default)]
struct State {
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

/// How a stream has ended.
enum Ended {
    /// So that it goes on from where another one has come.
    ToGoOn,
    /// By the worker, or its connection; why, if that was said.
    By(Option<Status>),
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
        let (mut tasks, lives) = (JoinSet::new(), Lives::default());
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
                lives.forget_all();
                self.event.forget_all();
                continue;
            }
            if lives.forget_old(Instant::now()) {
                // What they have published last may not have come.
                self.event.lose();
            }
            self.follow(&mut upstreams, &lives, &mut tasks);
            tokio::select! {
                () = demand.changed() => {}
                () = sleep(LOOK_PAUSE) => {}
            }
        }
    }

    /// Subscribes to workers that have come, and to those no longer that are gone. Says whether subscriptions may begin.
    fn follow(&self, upstreams: &mut HashMap<WorkerKey, Upstream>, lives: &Lives, tasks: &mut JoinSet<()>) {
        let name = self.event.name();
        let workers = self.hub.with(|forwarder, _| forwarder.publishers(&self.realm, name));
        upstreams.retain(|key, _| workers.iter().any(|(worker, _)| worker == key));
        let live = workers.iter().filter(|(_, is_live)| *is_live).count();
        let (mut is_ready, mut refusals) = (true, Vec::new());
        for (worker, is_live) in workers {
            let upstream = upstreams.entry(worker).or_insert_with(|| {
                let state = Arc::<State>::default();
                let task = tasks.spawn(self.clone().read_all(worker, lives.clone(), Arc::clone(&state)));
                Upstream { state, task, is_live, since: Instant::now() }
            });
            upstream.look(is_live);
            // One that can't be reached is waited for where there is no other.
            if is_live || live == 0 {
                is_ready &= !upstream.is_awaited();
            }
            if is_live {
                refusals.extend(upstream.state.refusal().clone());
            }
        }
        // Where clients publish it, there is something to subscribe to all the same.
        let is_refused = live > 0 && refusals.len() == live && !self.is_published;
        self.event.demand().set_refusal(refusals.pop().filter(|_| is_refused));
        self.event.demand().set_ready(is_ready);
    }

    /// Subscribes to a worker, again and again.
    async fn read_all(self, worker: WorkerKey, lives: Lives, state: Arc<State>) {
        let to = (self.realm.as_str(), worker);
        let opened = Direct::open(&self.hub, &self.settings, to, self.settings.max_message_size);
        let Some((channel, direct)) = opened else { return self.settle(&state) };
        tokio::select! {
            () = direct.run() => {}
            () = self.subscribe(channel, Progress::of(lives), &state) => {}
        }
    }

    async fn subscribe(&self, channel: Channel, mut progress: Progress, state: &State) {
        let (mut pause, mut has_gone_on) = (PAUSES.0, false);
        loop {
            let was_steady = progress.is_steady();
            let why = match self.read(&channel, &mut progress, state).await {
                // Once at a time: a worker may say that it is one publisher and then another.
                Ended::ToGoOn if !std::mem::replace(&mut has_gone_on, true) => continue,
                Ended::ToGoOn => None,
                Ended::By(why) => why,
            };
            has_gone_on = false;
            if progress.has_moved() || !was_steady && progress.is_steady() {
                pause = PAUSES.0;
            }
            if let Some(why) = &why {
                self.mind(why, &mut progress, state);
            }
            // One that can't be reached may be soon, and have something then.
            if why.is_none_or(|why| why.code() != Code::Unavailable) {
                self.settle(state);
            }
            sleep(pause).await;
            pause = (2 * pause).min(PAUSES.1);
        }
    }

    /// Does what the end of a stream asks for, besides making the next one.
    fn mind(&self, why: &Status, progress: &mut Progress, state: &State) {
        let is_too_large = why.cause() == Some(Cause::TooLarge);
        if is_too_large && progress.is_opened() {
            // It would come again and again, and hold up all that come after it.
            progress.skip();
            self.event.lose();
            let (name, why) = (self.event.name().to_owned(), format!("{why}; it is left out"));
            self.observer.tell(|| Event::RelayRefused { name, why });
        } else if is_too_large || is_final(why) {
            if progress.is_opened() {
                // What can't be read, or is refused now, would come again.
                self.event.lose();
                progress.forget();
            }
            self.tell(why, state);
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

    /// Reads one stream to its end.
    async fn read(&self, channel: &Channel, progress: &mut Progress, state: &State) -> Ended {
        let request = Request { since: progress.position(), ..Request::default() };
        let call = channel
            .server_stream::<Deliveries<Raw>, Delivered<RawValue>, Status>(self.event.subscribe(), &request);
        let mut items = match call.no_deadline().await {
            Ok(items) => items,
            Err(why) => return Ended::By(Some(why)),
        };
        loop {
            match items.next().await {
                Some(Ok(Delivered::Opened { epoch, last })) => {
                    if state.refusal().take().is_some() {
                        self.event.demand().wake();
                    }
                    match progress.open(epoch, last) {
                        Opening::Told => {}
                        // Before it, the worker may have published what subscribers have waited for; so may those that come back.
                        Opening::Untold => self.event.lose(),
                        Opening::Known => return Ended::ToGoOn,
                    }
                }
                Some(Ok(item)) => self.take(item, progress, state),
                Some(Err(why)) => return Ended::By(Some(why)),
                None => return Ended::By(None),
            }
        }
    }

    fn take(&self, item: Delivered<RawValue>, progress: &mut Progress, state: &State) {
        match item {
            Delivered::Event(sequence, event) => {
                progress.take(sequence, || self.event.pass_on(&event.into_bytes()));
            }
            Delivered::Missed(_) => self.event.lose(),
            Delivered::Live(sequence) => {
                progress.live(sequence);
                self.settle(state);
            }
            Delivered::Opened { .. } | Delivered::Unknown => {}
        }
    }

    /// Notes that subscriptions need not wait for a worker any more.
    fn settle(&self, state: &State) {
        if !state.is_settled.swap(true, Ordering::AcqRel) {
            self.event.demand().wake();
        }
    }
}
