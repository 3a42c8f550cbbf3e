//! [`PublishDriver`]: the main task of a server's PUB socket, and [`PublishPeer`], that of one of its connections. Both know events, and
//! no calls: a plain SUB of ZeroMQ's own, in any language, is at the other end.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{BufMut, Bytes, BytesMut};
use tokio::task::JoinSet;
use zsvc_proto::zmtp::FrameHeader;

use super::connection::note_refusal;
use crate::events::{Notice, Posted, Prefixes};
use crate::fork::Owned;
use crate::identity::Identity;
use crate::peer::Shared;
use crate::publish::{Feed, Tap};
use crate::telemetry;
use crate::transport::zmtp::{ZmtpListener, ZmtpPeer};
use crate::transport::{Accepted, Listener, Proof, ServerTransport, TransportError};
use crate::wire::Message;

/// Owns the endpoints of a PUB socket, and the tasks of its connections, which end with it.
pub(crate) struct PublishDriver {
    listener: Owned<ZmtpListener>,
    feeds: Arc<[Feed]>,
    /// Whether roles are not looked at.
    is_insecure: bool,
    shared: Arc<Shared>,
    connections: JoinSet<Result<(), TransportError>>,
}

/// Maximum number of connections that are accepted, and of tasks whose end is looked at, before other work is done.
const CONNECTIONS_PER_TURN: usize = 64;
/// Maximum number of rounds of a connection before other tasks of the thread run.
const ROUNDS_PER_POLL: usize = 16;
/// Maximum size in bytes of small messages that are written by one call.
const MAX_TOGETHER_BYTES: usize = 64 * 1024;
/// Messages of more bytes than this are written by themselves: to copy them takes longer.
const MAX_COPIED_BYTES: usize = 4 * 1024;

impl PublishDriver {
    pub(crate) fn new(
        listener: ZmtpListener,
        feeds: Vec<Feed>,
        is_insecure: bool,
        shared: Arc<Shared>,
    ) -> Self {
        let (listener, feeds) = (Owned::new(listener), feeds.into());
        Self { listener, feeds, is_insecure, shared, connections: JoinSet::new() }
    }

    /// Accepts connections. Returns whether there may be more.
    fn accept(&mut self, context: &mut Context<'_>) -> Result<bool, TransportError> {
        for _ in 0..CONNECTIONS_PER_TURN {
            match self.listener.poll_accept(context)? {
                Poll::Pending => return Ok(false),
                Poll::Ready(Accepted::Refused(refusal)) => note_refusal(&self.shared, &refusal),
                Poll::Ready(Accepted::Connection(transport)) => {
                    let shared = Arc::clone(&self.shared);
                    let peer = PublishPeer::new(transport, Arc::clone(&self.feeds), self.is_insecure, shared);
                    self.connections.spawn(peer);
                }
            }
        }
        Ok(true)
    }

    /// Forgets connections that have ended. Returns whether there may be more.
    fn reap(&mut self, context: &mut Context<'_>) -> bool {
        for _ in 0..CONNECTIONS_PER_TURN {
            if !matches!(self.connections.poll_join_next(context), Poll::Ready(Some(_))) {
                return false;
            }
        }
        true
    }
}

impl Future for PublishDriver {
    type Output = Result<(), TransportError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if !self.listener.is_own() {
            return Poll::Ready(Err(TransportError::Forked));
        }
        let has_more = self.accept(context)? | self.reap(context);
        if has_more {
            context.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

/// One subscriber of ZeroMQ's own.
struct PublishPeer {
    transport: Owned<ZmtpPeer>,
    feeds: Arc<[Feed]>,
    is_insecure: bool,
    shared: Arc<Shared>,
    prefixes: Arc<Prefixes>,
    identity: Option<Identity>,
    /// What waits, of each publisher; empty until the handshake is complete.
    taps: Vec<Tap>,
    /// The tap that is looked at first, so that none keeps the others from being looked at.
    first: usize,
    /// Frames of whole messages, and a last one, that found no room.
    unsent: Option<(Bytes, Message)>,
    is_up: bool,
}

impl PublishPeer {
    fn new(transport: ZmtpPeer, feeds: Arc<[Feed]>, is_insecure: bool, shared: Arc<Shared>) -> Self {
        Self {
            transport: Owned::new(transport),
            feeds,
            is_insecure,
            shared,
            prefixes: Arc::default(),
            identity: None,
            taps: Vec::new(),
            first: 0,
            unsent: None,
            is_up: false,
        }
    }

    /// Waits for the end of the handshake. Is ready with whether the connection is up then.
    fn poll_up(&mut self, context: &mut Context<'_>) -> Poll<bool> {
        if self.is_up {
            return Poll::Ready(true);
        }
        match self.transport.poll_up(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(())) => {
                (self.is_up, self.identity) = (true, self.transport.peer_identity());
                Poll::Ready(true)
            }
            Poll::Ready(Err(refusal)) => {
                if let Some(refusal) = refusal {
                    note_refusal(&self.shared, &refusal);
                }
                Poll::Ready(false)
            }
        }
    }

    /// Takes what the peer has proved and asked for. Returns `false` if the connection is over.
    fn receive(&mut self) -> bool {
        match self.transport.take_proof() {
            Some(Proof::Revoked(why)) => {
                self.shared.counters.count_revoked_connection();
                telemetry::revoked(self.identity.as_ref(), why.message(), self.transport.peer_address());
                return false;
            }
            Some(Proof::Is(identity)) => {
                telemetry::let_in(&identity, self.transport.peer_address());
                // Another identity may subscribe to other events.
                (self.identity, self.taps) = (Some(identity), Vec::new());
            }
            None => {}
        }
        if self.taps.is_empty() {
            let (identity, prefixes) = (self.identity.as_ref(), &self.prefixes);
            let allowed = self.feeds.iter().filter(|feed| self.is_insecure || feed.is_for(identity));
            self.taps = allowed.filter_map(|feed| feed.tap(prefixes)).collect();
        }
        while let Some((prefix, is_wanted)) = self.transport.receive_subscription() {
            if !is_wanted {
                self.prefixes.remove(&prefix);
            } else if self.prefixes.add(&prefix).is_err() {
                return false;
            }
        }
        !self.transport.is_closed()
    }

    /// Sends what waits. Returns whether there may be more.
    fn send(&mut self, context: &Context<'_>) -> bool {
        if self.unsent.is_none() {
            self.unsent = self.gather(context);
        }
        let Some((before, message)) = self.unsent.take() else { return false };
        if let Err(message) = self.transport.publish(&before, message) {
            self.unsent = Some((before, message));
            return false;
        }
        true
    }

    /// Takes events that wait, as many as are written together.
    fn gather(&mut self, context: &Context<'_>) -> Option<(Bytes, Message)> {
        let mut before = BytesMut::new();
        let mut last: Option<Outbound> = None;
        while before.len() < MAX_TOGETHER_BYTES {
            let Some(next) = self.next(context) else { break };
            let is_small = next.bytes() <= MAX_COPIED_BYTES;
            if let Some(last) = last.replace(next) {
                last.append_to(&mut before);
            }
            if !is_small {
                break;
            }
        }
        let Outbound { topic, number, body } = last?;
        Some((before.freeze(), Message::of_frames([topic, Bytes::copy_from_slice(&number)], body)))
    }

    /// Returns the next event.
    fn next(&mut self, context: &Context<'_>) -> Option<Outbound> {
        let count = self.taps.len();
        for index in (self.first..self.first + count).map(|index| index % count) {
            let tap = &self.taps[index];
            // That events were dropped shows in their numbers.
            while let Poll::Ready(Ok(notice)) = tap.mailbox().poll_next(context) {
                if let Notice::Event(posted) = notice {
                    self.first = (index + 1) % count;
                    return Some(Outbound::of(tap, &posted));
                }
            }
        }
        None
    }
}

/// The frames of an event: its topic, its sequence number and the epoch, and its value.
struct Outbound {
    topic: Bytes,
    number: [u8; 16],
    body: Bytes,
}

impl Outbound {
    fn of(tap: &Tap, posted: &Posted) -> Self {
        let mut number = [0; 16];
        number[..8].copy_from_slice(&posted.sequence().to_be_bytes());
        number[8..].copy_from_slice(&tap.epoch().to_be_bytes());
        Self { topic: posted.topic(tap.event()).clone(), number, body: posted.to_bytes() }
    }

    /// Returns the number of bytes of all frames.
    fn bytes(&self) -> usize {
        self.topic.len() + self.number.len() + self.body.len()
    }

    /// Appends the message as it is on the wire.
    fn append_to(&self, out: &mut BytesMut) {
        for (frame, has_more) in [(&self.topic[..], true), (&self.number, true), (&self.body, false)] {
            FrameHeader::message(frame.len(), has_more).write(out);
            out.put_slice(frame);
        }
    }
}

impl Future for PublishPeer {
    type Output = Result<(), TransportError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if !self.transport.is_own() {
            return Poll::Ready(Err(TransportError::Forked));
        }
        match self.poll_up(context) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(false) => return Poll::Ready(Ok(())),
            Poll::Ready(true) => {}
        }
        for _ in 0..ROUNDS_PER_POLL {
            if !self.receive() {
                return Poll::Ready(Ok(()));
            }
            let has_sent = self.send(context);
            let has_changed = self.transport.poll_changed(context)?.is_ready();
            if !has_sent && !has_changed {
                return Poll::Pending;
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}
