//! [`WorkerTask`]: the task of the connection to one worker that is listed.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use zsvc::forward::{Sending, WorkerEvent, WorkerLink};

use super::hub::{Forwarder, Hub, Worker};
use super::tick::Tick;
use super::wake::Wake;
use super::{MESSAGES_PER_TURN, ROUNDS_PER_POLL};
use crate::event::{Event, Observer};
use crate::forwarder::{NewWorker, read};

/// Owns the connection to a worker, which it makes again when it is lost.
pub(crate) struct WorkerTask {
    link: WorkerLink,
    hub: Arc<Hub>,
    wake: Arc<Wake>,
    key: Worker,
    /// Whether there is more to send than was: a message waits for room, or the turn was over. Nothing else tells of it.
    must_send: bool,
    name: String,
    observer: Observer,
    /// When it is asked for a sign of life.
    tick: Tick,
    /// Number of parts of messages that had come or gone then.
    parts: u64,
    /// Why it could not be reached the last time, as was told.
    unreachable: Option<String>,
}

/// How a worker is added to a forwarder.
type Add = fn(&mut Forwarder, NewWorker, Arc<Wake>, Instant) -> Option<Worker>;

impl WorkerTask {
    /// Creates the task of a worker; `None` if there are too many.
    pub(crate) fn new(
        link: WorkerLink,
        worker: NewWorker,
        hub: Arc<Hub>,
        observer: Observer,
    ) -> Option<Self> {
        Self::adding(Forwarder::add_worker, link, worker, (hub, observer))
    }

    /// Creates the task of a worker that stands in for the others of its services; `None` if there are too many.
    pub(crate) fn of_relay(link: WorkerLink, worker: NewWorker, hub: Arc<Hub>) -> Option<Self> {
        Self::adding(Forwarder::add_relay, link, worker, (hub, Observer::default()))
    }

    fn adding(
        add: Add,
        link: WorkerLink,
        worker: NewWorker,
        (hub, observer): (Arc<Hub>, Observer),
    ) -> Option<Self> {
        let (wake, name) = (Arc::<Wake>::default(), worker.name.clone());
        let key = hub.with(|forwarder, now| add(forwarder, worker, Arc::clone(&wake), now))?;
        let tick = Tick::new(hub.with(|forwarder, _| forwarder.silence().of_workers / 4));
        let (must_send, parts, unreachable) = (false, 0, None);
        Some(Self { link, hub, wake, key, must_send, name, observer, tick, parts, unreachable })
    }

    /// Returns the worker's key.
    pub(crate) fn key(&self) -> Worker {
        self.key
    }

    /// Takes what has happened to the connection. What had arrived before it was lost counts still.
    fn take_events(&mut self) {
        while let Some(event) = self.link.event() {
            let key = self.key;
            match event {
                WorkerEvent::Up => {
                    self.hub.with(|forwarder, now| forwarder.handle_worker_up(key, now));
                    self.unreachable = None;
                    self.observer.tell(|| Event::WorkerUp { name: self.name.clone() });
                }
                WorkerEvent::Down => {
                    while self.receive() {}
                    self.hub.with(|forwarder, now| forwarder.handle_worker_down(key, now));
                    self.observer.tell(|| Event::WorkerDown { name: self.name.clone() });
                }
                WorkerEvent::Unreachable(why) => self.tell_unreachable(why),
            }
        }
    }

    /// Tells that the worker can't be reached, once for each reason: it is tried again twice a second.
    fn tell_unreachable(&mut self, why: String) {
        if self.unreachable.as_ref() != Some(&why) {
            self.observer.tell(|| Event::WorkerUnreachable { name: self.name.clone(), why: why.clone() });
            self.unreachable = Some(why);
        }
    }

    /// Receives messages. Returns whether there may be more.
    fn receive(&mut self) -> bool {
        for _ in 0..MESSAGES_PER_TURN {
            let Some(batch) = self.link.receive() else { return false };
            let key = self.key;
            let hub = &self.hub;
            read(batch.as_ref(), |part| hub.with(|forwarder, now| forwarder.handle_worker(key, part, now)));
        }
        true
    }

    /// Asks the worker for a sign of life, and tells if it has given none.
    fn check(&mut self) {
        let before = std::mem::replace(&mut self.parts, self.link.parts());
        let is_moving = before != self.parts;
        if self.hub.with(|forwarder, now| forwarder.check_worker(self.key, is_moving, now)) {
            self.observer.tell(|| Event::WorkerSilent { name: self.name.clone() });
        }
    }

    /// Sends what there is for the worker. Returns whether there may be more.
    fn send(&mut self) -> bool {
        self.must_send = false;
        let key = self.key;
        for _ in 0..MESSAGES_PER_TURN {
            let next = self.hub.with(|forwarder, now| forwarder.poll_transmit_to_worker(key, now));
            let Some(message) = next else { return false };
            match self.link.send(message) {
                Sending::Taken => {}
                Sending::Full(message) => {
                    self.hub.with(|forwarder, _| forwarder.return_transmit_to_worker(key, message));
                    self.must_send = true;
                    return false;
                }
                Sending::Gone(message) => {
                    if let Some(message) = message {
                        self.hub.with(|forwarder, _| forwarder.return_transmit_to_worker(key, message));
                    }
                    return false;
                }
            }
        }
        self.must_send = true;
        true
    }
}

impl Future for WorkerTask {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let _ = self.link.poll_changed(context);
        for _ in 0..ROUNDS_PER_POLL {
            self.take_events();
            let mut may_have_more = self.receive();
            if self.wake.look() || self.must_send {
                may_have_more |= self.send();
            }
            if may_have_more || self.link.poll_changed(context).is_ready() {
                continue;
            }
            // All that has arrived was heard.
            if self.tick.has_passed(context) {
                self.check();
            }
            if self.wake.sleep(context.waker()) {
                return Poll::Pending;
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for WorkerTask {
    fn drop(&mut self) {
        let key = self.key;
        self.hub.with(|forwarder, now| forwarder.remove_worker(key, now));
    }
}
