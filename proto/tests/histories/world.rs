//! [`World`]: a client and a server on a made-up clock, and the way between them.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use zsvc_proto::session::client::{self, LivenessConfig};
use zsvc_proto::session::server::{self, Methods, Shared};
use zsvc_proto::wire::{Batch, INITIAL_CREDIT};

use crate::model::{Call, METHODS, Waiter};
use crate::rng::Rng;
use crate::server::Conn;
use crate::witness::Witness;

/// How late a session may notice a deadline while messages wait to be sent.
pub(crate) const MAX_DEADLINE_DELAY: Duration = Duration::from_millis(5);

/// How the connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    /// Messages pass, to and from the last of the server's sessions.
    Up,
    /// Messages are lost, and the client does not know it yet.
    Broken,
    /// The client knows that there is no connection.
    Down,
}

/// Messages on their way in one direction, each with the time at which it arrives.
#[derive(Default)]
pub(crate) struct Way {
    pub(crate) messages: VecDeque<(Instant, Batch)>,
    /// Whether all messages are lost from now on.
    pub(crate) is_blocked: bool,
}

impl Way {
    /// Sends a message. Messages arrive in order, each after a delay of its own.
    pub(crate) fn send(&mut self, now: Instant, batch: Batch, rng: &mut Rng) {
        if self.is_blocked {
            return;
        }
        let delay = Duration::from_millis(rng.pick(&[0, 0, 0, 1, 1, 5, 5, 50, 50, 2_000]));
        let at = self.messages.back().map_or(now, |(last, _)| *last).max(now + delay);
        self.messages.push_back((at, batch));
    }

    /// Takes the next message, if it has arrived by now.
    pub(crate) fn take(&mut self, now: Instant) -> Option<Batch> {
        let has_arrived = self.messages.front().is_some_and(|(at, _)| *at <= now);
        if has_arrived { self.messages.pop_front().map(|(_, batch)| batch) } else { None }
    }

    /// Loses everything on its way.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// What may happen in a history.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is drawn by itself")]
pub(crate) struct Kind {
    /// Whether the transport tells the client when the connection is up and lost.
    pub(crate) is_monitored: bool,
    /// Whether the client asks the server for signs of life.
    pub(crate) has_liveness: bool,
    /// Whether connections are lost, and messages with them.
    pub(crate) has_faults: bool,
    /// Whether single messages may be lost, as no transport of the project does: streams may miss items then.
    pub(crate) may_miss: bool,
    /// Whether the server may drain.
    pub(crate) may_drain: bool,
    /// Number of random steps.
    pub(crate) steps: usize,
}

/// A client, a server, and all that the test knows of them.
pub(crate) struct World {
    pub(crate) kind: Kind,
    pub(crate) start: Instant,
    pub(crate) now: Instant,
    pub(crate) rng: Rng,
    pub(crate) client: client::Session,
    /// What the client has sent.
    pub(crate) sent: Witness,
    pub(crate) link: Link,
    pub(crate) to_server: Way,
    pub(crate) to_client: Way,
    pub(crate) methods: Methods,
    /// The server's bounds, and those of its predecessors.
    pub(crate) servers: Vec<Arc<Shared>>,
    /// Sessions of the server. Only the last is connected; others may not know yet that they are not.
    pub(crate) conns: Vec<Conn>,
    pub(crate) calls: Vec<Call>,
    pub(crate) waiters: Vec<Waiter>,
    /// Number of one-way calls that were sent.
    pub(crate) notes: u64,
    /// The one-way calls that the server has read.
    pub(crate) notes_read: HashSet<u64>,
    /// Whether the client's session was closed or retired.
    pub(crate) is_closed: bool,
    /// Whether nothing was lost so far.
    pub(crate) is_clean: bool,
}

impl World {
    /// Creates the world of a seed.
    pub(crate) fn new(seed: u64, start: Instant) -> Self {
        let mut rng = Rng::new(seed);
        let has_faults = rng.one_in(2);
        let kind = Kind {
            is_monitored: !rng.one_in(4),
            has_liveness: rng.one_in(2),
            has_faults,
            may_miss: has_faults && rng.one_in(4),
            may_drain: rng.one_in(8),
            steps: 100 + rng.index(400).unwrap_or(0),
        };
        let client = client(kind, &mut rng);
        let link = if kind.is_monitored { Link::Down } else { Link::Up };
        let shared = shared(&mut rng);
        let conns = if link == Link::Up { vec![Conn::new(&shared)] } else { Vec::new() };
        Self {
            kind,
            start,
            now: start,
            rng,
            client,
            sent: Witness::default(),
            link,
            to_server: Way::default(),
            to_client: Way::default(),
            methods: Methods::new(&METHODS).expect("their names differ"),
            servers: vec![shared],
            conns,
            calls: Vec::new(),
            waiters: Vec::new(),
            notes: 0,
            notes_read: HashSet::new(),
            is_closed: false,
            is_clean: true,
        }
    }

    /// Connects the client to a new session of the server, which is a new server if the last one drains.
    pub(crate) fn connect(&mut self) {
        self.accept();
        self.client.handle_connected();
        self.wake();
    }

    /// Begins a session of the server, which is a new server if the last one drains.
    pub(crate) fn accept(&mut self) {
        if self.server().is_draining() {
            self.servers.push(shared(&mut self.rng));
        }
        let conn = Conn::new(self.server());
        self.conns.push(conn);
        self.to_server.clear();
        self.to_client.clear();
        self.link = Link::Up;
    }

    fn server(&self) -> &Arc<Shared> {
        self.servers.last().expect("there is one from the start")
    }

    /// Breaks the connection: all that is on its way is lost.
    pub(crate) fn cut(&mut self) {
        if self.link == Link::Up {
            self.link = Link::Broken;
        }
        self.to_server.clear();
        self.to_client.clear();
        self.is_clean = false;
    }

    /// Wakes tasks, and takes events, as a driver does after each input.
    pub(crate) fn wake(&mut self) {
        let mut wakers = Vec::new();
        self.client.take_wakers(&mut wakers);
        wakers.into_iter().for_each(std::task::Waker::wake);
        while let Some(event) = self.client.poll_event() {
            if event == client::Event::Renew {
                self.cut();
                self.accept();
            }
        }
    }

    /// Checks what must hold at any time.
    pub(crate) fn check(&self) {
        let open = self.calls.iter().filter(|call| call.is_open()).count();
        // One more may be the session's own ping, which asks what the server has read of one-way calls.
        assert!(self.client.open_calls() <= open + 1, "more calls are in flight than have callers");
        assert!(self.client.open_calls() <= self.client.calls());
        self.conns.iter().for_each(Conn::check);
        for server in &self.servers {
            let of_it = |conn: &&Conn| Arc::ptr_eq(&conn.shared, server);
            let in_flight: usize = self.conns.iter().filter(of_it).map(Conn::in_flight).sum();
            assert_eq!(server.calls(), in_flight, "calls in flight");
        }
        self.check_timeout();
        self.check_credit();
    }

    /// No deadline may be forgotten, and where the server is asked for signs of life, it is while calls wait for it.
    fn check_timeout(&self) {
        let timeout = self.client.poll_timeout();
        if self.client.open_calls() > 0 && self.kind.has_liveness {
            assert!(timeout.is_some(), "calls are in flight, and the server is not asked for signs of life");
        }
        let is_in_flight = |call: &&Call| call.is_open() && self.client.is_call_open(call.id);
        let calls = self.calls.iter().filter(is_in_flight).filter_map(|call| call.deadline);
        // Those whose time is up were woken, and leave the queue by themselves.
        let waiters = self.waiters.iter().filter(|waiter| waiter.ticket.is_some());
        let waiters = waiters.filter_map(|waiter| waiter.deadline).map(|deadline| deadline.at);
        for deadline in calls.chain(waiters.filter(|at| *at > self.now)) {
            let latest = deadline.max(self.now + MAX_DEADLINE_DELAY);
            assert!(timeout.is_some_and(|at| at <= latest), "a deadline is forgotten");
        }
    }

    /// No sender may send more than it was granted, but for the end of its last item.
    fn check_credit(&self) {
        use crate::stream::{MAX_ITEM_BYTES, Reader, Writer};
        let check = |writer: Option<&Writer>, reader: Option<&Reader>, first: u64| {
            let Some(writer) = writer else { return };
            let granted = reader.map_or(first, |reader| reader.granted);
            assert!(writer.stream.sent() < granted + MAX_ITEM_BYTES, "more was sent than was granted");
        };
        for handler in self.conns.iter().flat_map(|conn| &conn.handlers) {
            let call = &self.calls[handler.call];
            check(call.writer.as_ref(), handler.reader.as_ref(), INITIAL_CREDIT);
            check(handler.writer.as_ref(), call.reader.as_ref(), 0);
        }
    }
}

fn client(kind: Kind, rng: &mut Rng) -> client::Session {
    let liveness = match kind.has_liveness {
        true if kind.is_monitored => Some(LivenessConfig::within(Duration::from_secs(8))),
        true => Some(LivenessConfig::unmonitored()),
        false => None,
    };
    client::Session::new(client::Config {
        endpoint: "there".to_owned(),
        max_body: rng.pick(&[1_000, 1 << 20, 1 << 20]),
        max_calls: rng.pick(&[2, 8, 100]),
        liveness,
        is_monitored: kind.is_monitored,
        is_connected: !kind.is_monitored,
    })
}

fn shared(rng: &mut Rng) -> Arc<Shared> {
    Shared::new(server::Config {
        max_body: rng.pick(&[15_000, 1 << 20]),
        max_calls: rng.pick(&[8, 100]),
        max_calls_per_peer: rng.pick(&[3, 100, 100]),
        stream_window: INITIAL_CREDIT + rng.pick(&[0, 0, 50_000]),
        peer_timeout: Duration::from_secs(rng.pick(&[3, 15])),
        max_waiting: rng.pick(&[60_000, 1 << 30, 1 << 30, 1 << 30]),
        instance: 7,
        max_waiting_per_peer: rng.pick(&[Some(3_000), Some(100_000), None, None, None]),
    })
}
