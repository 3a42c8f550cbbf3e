//! Clients and a server in one process, without a socket between them. Everything else is as ever.
//!
//! A [`Host`] is the task that carries messages between connections and a server's core; a [`Place`] is where connections find
//! it, and where it is told what is to go wrong on the way: see [`crate::testing`].

mod place;
mod transit;

pub(crate) use place::{Order, Place, Way};

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, Sleep, sleep_until};

use super::connection::{Connection, Link};
use super::counters::ChannelCounters;
use super::limits::Limits;
use super::owner::Rest;
use super::state::Wakers;
use crate::dispatch::Service;
use crate::server::{self, Core};
use crate::session::server::{Drain, DrainStep};
use crate::status::{Cause, Status};
use crate::wire::{self, Batch, Record};
use transit::Transit;

/// Rounds before other tasks of the thread get their turn.
const ROUNDS: usize = 16;
/// How long after its end a connection is made again.
const RECONNECT: Duration = Duration::from_millis(100);
/// How often clients with calls in flight are looked at.
const CHECK: Duration = Duration::from_millis(250);
/// The route of calls that arrive once more. No connection has it, so nobody hears the answers.
const AGAIN: &[u8] = b"again";

/// A connection to a service in this process, which nobody else has. Must be called within a tokio runtime.
pub(super) fn connect(
    service: Arc<dyn Service>,
    limits: Limits,
    counters: Arc<ChannelCounters>,
) -> Arc<Connection> {
    let connection = Connection::new("local".to_owned(), limits, counters, Link::Local);
    match Core::new(vec![service], server::Config::default()) {
        Ok(core) => {
            let place = Place::new();
            place.arrive(Arc::clone(&connection));
            place.close();
            tokio::spawn(Host::new(place, core));
        }
        // One service can't have two methods of one name, unless its generated code was edited.
        Err(duplicate) => {
            let why = Status::internal(format!("the service has two methods `{}`", duplicate.0));
            connection.close(&why, &mut Wakers::new());
        }
    }
    connection
}

/// A connection to a place, in a task of which it will be served. It may be there or not.
pub(super) fn connect_to(
    place: &Place,
    endpoint: String,
    limits: Limits,
    counters: Arc<ChannelCounters>,
) -> Arc<Connection> {
    let connection = Connection::new(endpoint, limits, counters, Link::Monitored);
    place.arrive(Arc::clone(&connection));
    connection
}

/// Carries messages between connections and a server's core.
pub(crate) struct Host {
    place: Arc<Place>,
    /// None while the server is down.
    core: Option<Core>,
    /// How far the server is on its way out.
    drain: Drain,
    lines: Vec<Line>,
    /// Each time a line is up it has a route of its own, as in ZeroMQ.
    routes: u64,
    wakers: Wakers,
    tick: Pin<Box<Sleep>>,
    check_at: Instant,
}

/// What lies between one connection and the server.
struct Line {
    connection: Arc<Connection>,
    up: Up,
    to_server: Transit,
    to_client: Transit,
}

/// Whether a line is up.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Up {
    /// By this route.
    Yes([u8; 8]),
    /// From then on, if there is a server.
    From(Instant),
}

impl Host {
    pub(crate) fn new(place: Arc<Place>, core: Core) -> Self {
        let now = Instant::now();
        Self {
            place,
            core: Some(core),
            drain: Drain::new(Duration::MAX),
            lines: Vec::new(),
            routes: 0,
            wakers: Wakers::new(),
            tick: Box::pin(sleep_until(now)),
            check_at: now,
        }
    }

    /// Takes in what was ordered, and whoever has come.
    fn obey(&mut self, now: Instant) {
        let (arrivals, orders) = self.place.take();
        for connection in arrivals {
            let line = Line {
                connection,
                up: Up::From(now),
                to_server: Transit::default(),
                to_client: Transit::default(),
            };
            self.lines.push(line);
        }
        for order in orders {
            match order {
                Order::Cut => self.cut(now),
                Order::Crash => self.crash(now),
                Order::Start(core) => {
                    self.crash(now);
                    self.core = Some(*core);
                }
                Order::Drain(grace) => self.drain(now, grace),
            }
        }
    }

    fn cut(&mut self, now: Instant) {
        for line in &mut self.lines {
            if let Some(route) = line.break_off(now + RECONNECT, &mut self.wakers)
                && let Some(core) = &mut self.core
            {
                core.peers.lose_by(&route);
            }
        }
    }

    fn crash(&mut self, now: Instant) {
        self.core = None;
        self.drain = Drain::new(Duration::MAX);
        for line in &mut self.lines {
            line.break_off(now + RECONNECT, &mut self.wakers);
        }
    }

    fn drain(&mut self, now: Instant, grace: Duration) {
        let Some(core) = &self.core else { return };
        if self.drain.begin(now.into_std(), grace) {
            core.shared.drain();
            core.peers.go_away();
        }
    }

    /// Carries everything that is due, both ways; whether there was anything.
    fn carry(&mut self, now: Instant) -> bool {
        let rules = self.place.rules();
        let mut any = false;
        let Some(core) = &mut self.core else { return false };
        for line in &mut self.lines {
            any |= line.come_up(now, &mut self.routes, &mut self.wakers);
            let Up::Yes(route) = line.up else { continue };
            while let Some(message) = line.connection.take_message(&mut self.wakers) {
                line.to_server.take_in(message, now, rules.to_server);
                any = true;
            }
            while let Some(message) = line.to_server.due(now) {
                let batch = message.into_batch();
                core.receive(&route, batch.clone());
                if rules.repeats {
                    repeat(core, &batch);
                }
                any = true;
            }
        }
        for (peer, message) in core.take_messages() {
            if let Some(line) = self.lines.iter_mut().find(|line| line.is_by(peer.route())) {
                line.to_client.take_in(message, now, rules.to_client);
            }
            any = true;
        }
        for line in &mut self.lines {
            while let Some(message) = line.to_client.due(now) {
                line.connection.receive(&message.into_batch(), &mut self.wakers);
                any = true;
            }
        }
        any
    }

    /// What is to be done by the clock.
    fn advance(&mut self, now: Instant) -> bool {
        let Some(core) = &mut self.core else { return false };
        if now >= self.check_at {
            core.peers.check(now);
            self.check_at = now + CHECK;
        }
        let is_idle = core.shared.sessions.calls() == 0;
        let is_flushed = || self.lines.iter().all(|line| line.to_client.is_empty());
        match self.drain.handle_timeout(now.into_std(), is_idle, is_flushed) {
            DrainStep::Wait => return false,
            DrainStep::Flush => core.end_calls(),
            DrainStep::Done => self.crash(now),
        }
        true
    }

    /// Ends what is out of time, and tells when to look again.
    fn next_tick(&mut self, now: Instant) -> Option<Instant> {
        let mut next = None;
        let mut at_latest = |at: Option<Instant>| next = [next, at].into_iter().flatten().min();
        for line in &self.lines {
            at_latest(line.connection.expire(now, &mut self.wakers));
            at_latest(line.to_server.next());
            at_latest(line.to_client.next());
            if let (Up::From(at), Some(_)) = (line.up, &self.core) {
                at_latest(Some(at));
            }
        }
        if let Some(core) = &self.core {
            let busy = core.shared.sessions.calls() > 0;
            at_latest(busy.then_some(self.check_at));
        }
        at_latest(self.drain.poll_timeout().map(Instant::from_std));
        next
    }

    fn poll_tick(&mut self, context: &mut Context<'_>, now: Instant) -> Poll<()> {
        let Some(next) = self.next_tick(now) else { return Poll::Pending };
        if self.tick.deadline() != next {
            self.tick.as_mut().reset(next);
        }
        self.tick.as_mut().poll(context)
    }

    fn wake(&mut self) {
        for waker in self.wakers.drain(..) {
            waker.wake();
        }
    }

    /// About to look at everything.
    fn answer_bells(&self) {
        self.place.notify.begin_turn();
        for line in &self.lines {
            line.connection.notify.begin_turn();
        }
        if let Some(core) = &self.core {
            core.shared.notify.begin_turn();
        }
    }

    /// All of them are asked: each is to wake this task.
    fn bells_are_quiet(&self, context: &Context<'_>) -> bool {
        let mut quiet = self.place.notify.sleep(context.waker());
        for line in &self.lines {
            quiet &= line.connection.notify.sleep(context.waker());
        }
        if let Some(core) = &self.core {
            quiet &= core.shared.notify.sleep(context.waker());
        }
        quiet
    }
}

/// Has the calls of idempotent methods in a batch arrive once more, as a client's second attempt would.
fn repeat(core: &mut Core, batch: &Batch) {
    let Ok(mut reader) = batch.records() else { return };
    let mut again = vec![wire::VERSION];
    let mut start = reader.at();
    while let Ok(Some(record)) = reader.next() {
        if let Record::Call(call) = record
            && core.is_idempotent(call.method)
        {
            again.extend_from_slice(&batch.bytes()[start..reader.at()]);
        }
        start = reader.at();
    }
    if again.len() == batch.bytes().len() {
        // Also with what may be attached to it.
        core.receive(AGAIN, batch.clone());
    } else if again.len() > 1 {
        core.receive(AGAIN, Bytes::from(again).into());
    }
}

impl Line {
    /// Comes up, where it is time for that; whether it did.
    fn come_up(&mut self, now: Instant, routes: &mut u64, wakers: &mut Wakers) -> bool {
        let due = matches!(self.up, Up::From(at) if at <= now);
        if due {
            *routes += 1;
            self.up = Up::Yes(routes.to_be_bytes());
            self.connection.connected(wakers);
        }
        due
    }

    /// Is down until then; by which route it was up.
    fn break_off(&mut self, until: Instant, wakers: &mut Wakers) -> Option<[u8; 8]> {
        let Up::Yes(route) = std::mem::replace(&mut self.up, Up::From(until)) else { return None };
        self.to_server.clear();
        self.to_client.clear();
        self.connection.disconnected(wakers);
        Some(route)
    }

    fn is_by(&self, route: &[u8]) -> bool {
        matches!(self.up, Up::Yes(own) if own == route)
    }
}

impl Future for Host {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        for _ in 0..ROUNDS {
            let now = Instant::now();
            this.answer_bells();
            this.obey(now);
            let any = this.carry(now);
            this.wake();
            if any || this.advance(now) {
                continue;
            }
            this.lines.retain(|line| line.connection.rest() != Rest::Done);
            if this.lines.is_empty() && this.place.is_closed() {
                return Poll::Ready(());
            }
            let ticked = this.poll_tick(context, now).is_ready();
            this.wake();
            if !ticked && this.bells_are_quiet(context) {
                return Poll::Pending;
            }
        }
        // Or a stream at full speed would keep the calls beside it from ever running out of time.
        let _ = this.poll_tick(context, Instant::now());
        this.wake();
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let why = Status::unavailable("the server's task has ended").caused_by(Cause::Closed);
        let (arrivals, _) = self.place.take();
        let lines = self.lines.iter().map(|line| &line.connection);
        for connection in lines.chain(&arrivals) {
            connection.close(&why, &mut self.wakers);
        }
        self.wake();
    }
}
