//! [`Link`]: one connection: the machine that reads and writes ZMTP, and the stream that carries it.

mod admission;
mod subscriptions;

use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::task::coop::{has_budget_remaining, unconstrained};
use tokio::time::{Instant, Sleep, sleep_until};
use zsvc_proto::keys::PublicKey;
use zsvc_proto::zmtp::{Config, Connection, Error, Event, Heartbeat, Mechanism, SocketType};

use self::admission::Admission;
use super::closed::Closed;
use super::handshakes::{HANDSHAKE_TIMEOUT, Handshake};
use super::outgoing::Framing;
use super::outlet::Outlet;
use super::role::Role;
use super::room::Room;
use super::stream::{READ_BYTES, ReadHalf, Stream, no_wait};
use crate::clock;
use crate::fork::random;
use crate::transport::frame_assembler::{FrameAssembler, MAX_FRAMES, OtherFrames};
use crate::transport::{Delivered, LinkConfig, Refusal, SendReceipt, max_received};
use crate::wire::Message;

/// Minimum time between two heartbeats, and for the answer to one; libzmq has the same.
const MIN_HEARTBEAT: Duration = Duration::from_millis(1);

/// Ratio of the number of frames past which a connection is closed to that past which a message is refused.
const MAX_FRAMES_FACTOR: usize = 4;

/// Maximum number of reads before what has arrived is taken.
const MAX_READS: usize = 16;

/// A connection from its greeting to its end.
#[derive(Debug)]
pub(super) struct Link {
    role: Role,
    stream: ReadHalf,
    machine: Connection,
    /// Bytes that were read, and that the machine takes once the frames before them were taken.
    unread: BytesMut,
    assembler: FrameAssembler,
    outlet: Arc<Outlet>,
    timer: Option<Pin<Box<Sleep>>>,
    /// Whether the timer has this task's waker.
    is_timer_armed: bool,
    stage: Stage,
    /// The place of the handshake among those that are bounded, until it is over.
    handshake: Option<Handshake>,
    /// Whether the handshake was completed.
    was_ready: bool,
    room: Room,
    /// An event that was looked at, and not taken yet.
    next: Option<Event>,
    /// Number of times that a part of a long message has come or gone.
    parts: u64,
    /// The key that the peer has proved to have, also where it is refused.
    key: Option<PublicKey>,
    /// Whether it is let in by that key, at a server.
    admission: Option<Box<Admission>>,
}

#[derive(Debug)]
enum Stage {
    Handshake,
    Ready,
    /// Nothing is read or written any more. What has arrived may still be taken.
    Closed(Closed),
}

impl Link {
    /// Begins a connection, whose greeting is sent by the first [`Link::poll_io`], with its place among handshakes that are bounded.
    ///
    /// # Errors
    /// The connection is to be encrypted, and the system gives no random bytes.
    pub(super) fn new(
        stream: Stream,
        role: Role,
        config: LinkConfig,
        handshake: Option<Handshake>,
    ) -> io::Result<Self> {
        let interval = config.heartbeat.max(MIN_HEARTBEAT);
        let timeout = config.silence.max(MIN_HEARTBEAT);
        let heartbeat = Heartbeat { interval, timeout }.spread(random());
        // Of a whole message, too: what goes past it is not kept, and its sender is told.
        let max_frame_bytes = max_received(config.max_body);
        let mechanism = role.mechanism(&stream)?;
        let framing = if matches!(mechanism, Mechanism::Null) { Framing::Plain } else { Framing::Pending };
        let machine = Connection::new(
            Config {
                socket_type: role.socket_type(),
                routing_id: Bytes::new(),
                mechanism,
                max_frame_bytes,
                max_frames: MAX_FRAMES * MAX_FRAMES_FACTOR,
                handshake_timeout: HANDSHAKE_TIMEOUT,
                heartbeat: Some(heartbeat),
            },
            clock::now(),
        );
        let (stream, outgoing) = stream.into_split();
        Ok(Self {
            role,
            stream,
            machine,
            unread: BytesMut::new(),
            assembler: FrameAssembler::new(max_frame_bytes),
            outlet: Outlet::new(outgoing, framing),
            timer: None,
            is_timer_armed: false,
            stage: Stage::Handshake,
            handshake,
            was_ready: false,
            room: Room::Some,
            next: None,
            parts: 0,
            key: None,
            admission: None,
        })
    }

    /// Reports whether messages may be sent.
    pub(super) fn is_ready(&self) -> bool {
        matches!(self.stage, Stage::Ready) && self.room != Room::Reset
    }

    /// Reports whether the handshake was completed, also of a connection that is closed.
    pub(super) fn was_ready(&self) -> bool {
        self.was_ready
    }

    /// Returns why the connection has ended, if it has.
    pub(super) fn closed(&self) -> Option<&Closed> {
        match &self.stage {
            Stage::Closed(why) => Some(why),
            Stage::Handshake | Stage::Ready => None,
        }
    }

    pub(super) fn outlet(&self) -> &Arc<Outlet> {
        &self.outlet
    }

    /// Reports whether frames have arrived that were not taken.
    pub(super) fn has_frames(&self) -> bool {
        self.next.is_some()
    }

    /// Reports whether there is room again, which is still to be told.
    pub(super) fn has_room_again(&self) -> bool {
        self.room == Room::Again
    }

    /// Reports, once, that there is room again after a message found none: that message may be sent in vain by now.
    pub(super) fn take_room_again(&mut self) -> bool {
        let is_again = self.has_room_again();
        self.room = if is_again { Room::Some } else { self.room };
        is_again
    }

    /// Returns a number that is another one once a further part of a long message has come or gone.
    pub(super) fn parts(&self) -> u64 {
        self.parts
    }

    /// Returns why the handshake was not completed with a peer at an address, if the peer was at fault, or one of too many.
    pub(super) fn refused(&self, address: Option<SocketAddr>) -> Option<Box<Refusal>> {
        let (reason, mut why) = self.closed().filter(|_| !self.was_ready)?.refusal()?;
        if let Some(more) = self.admission.as_ref().and_then(|admission| admission.why_refused()) {
            why = format!("{why}: {more}");
        }
        Some(Box::new(Refusal { reason, why, key: self.key, address }))
    }

    fn close(&mut self, why: Closed) {
        if self.closed().is_none() {
            (self.stage, self.handshake) = (Stage::Closed(why), None);
        }
    }

    fn close_stream(&mut self, error: &io::Error) {
        self.close(Closed::Stream(Some(error.to_string())));
    }

    /// Takes an error of writing. After a reset, what the peer had sent before is still there to be read, up to the end of the
    /// stream: calls, or the answers to some.
    fn fail_to_write(&mut self, error: &io::Error) {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
        match error.kind() {
            BrokenPipe | ConnectionAborted | ConnectionReset => self.room = Room::Reset,
            _ => self.close_stream(error),
        }
    }

    /// Reads, writes, and does what is due by the clock, as far as that goes without waiting. Reads nothing while frames wait to
    /// be taken. Is ready when frames have arrived, when there is room again for a message that found none, and once when the
    /// handshake is over or the connection is closed.
    pub(super) fn poll_io(&mut self, context: &mut Context<'_>) -> Poll<()> {
        // Also where frames wait without end.
        self.poll_admission(context);
        if self.closed().is_some() || self.has_frames() {
            return Poll::Ready(());
        }
        if let Some(Poll::Ready((cut, limits))) = self.handshake.as_ref().map(|place| place.poll_cut(context))
        {
            self.close(Closed::Cut(cut, limits));
            return Poll::Ready(());
        }
        self.outlet.count_turn();
        let was_ready = self.is_ready();
        let is_drained = self.read(context);
        self.poll_admission(context);
        self.write(context);
        if is_drained && self.closed().is_none() {
            self.poll_timer(context);
            if self.room == Room::Reset {
                self.close(Closed::Stream(Some("the peer has reset it".to_owned())));
            }
        }
        if self.room == Room::None && self.is_ready() && self.outlet.is_empty() {
            self.room = Room::Again;
        }
        let has_changed = self.closed().is_some() || self.is_ready() != was_ready || self.has_news();
        if has_changed || self.has_frames() || self.room == Room::Again {
            return Poll::Ready(());
        }
        if !is_drained {
            context.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// Reads until frames have arrived. Returns whether everything was read that has arrived.
    fn read(&mut self, context: &mut Context<'_>) -> bool {
        if !self.unread.is_empty() {
            self.take_events();
            return false;
        }
        for _ in 0..MAX_READS {
            match self.poll_read(context) {
                // Otherwise it is not known whether there is more.
                Poll::Pending => return has_budget_remaining(),
                Poll::Ready(Ok(0)) => self.close(Closed::Stream(None)),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => self.close_stream(&error),
            }
            self.take_events();
            // A long frame is read on at once. What has brought no frame were commands, of which a peer may send without end.
            if self.has_frames() || self.closed().is_some() || self.machine.arriving().is_none() {
                return false;
            }
        }
        false
    }

    /// Reads once: straight into a long frame, or into the thread's buffer.
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let Self { stream, machine, unread, assembler, parts, .. } = self;
        if let Some(bytes) = machine.arriving() {
            assembler.announce(bytes);
        }
        if let Some((buffer, missing)) = machine.frame_buffer(READ_BYTES) {
            let bytes = ready!(stream.poll_fill(context, buffer, missing))?;
            if bytes > 0 {
                *parts += 1;
                machine.handle_filled(clock::now());
            }
            return Poll::Ready(Ok(bytes));
        }
        stream.poll_read(context, |bytes| {
            if !bytes.is_empty() {
                let taken = machine.handle_bytes(clock::now(), bytes);
                unread.extend_from_slice(&bytes[taken..]);
            }
        })
    }

    /// Takes events up to the next frame, which stays for [`Link::receive`]. Of bytes that were left, some are looked at. Of a peer
    /// that was refused, nothing is: what it says is not for this side.
    fn take_events(&mut self) {
        let mut may_read_on = true;
        while self.next.is_none() && !matches!(self.stage, Stage::Closed(Closed::Protocol(_))) {
            match self.machine.poll_event() {
                None if self.unread.is_empty() || !may_read_on => return,
                None => {
                    may_read_on = false;
                    let taken = self.machine.handle_bytes(clock::now(), &self.unread);
                    self.unread.advance(taken);
                    if self.unread.is_empty() {
                        self.unread = BytesMut::new();
                    }
                }
                Some(Event::Ready(peer))
                    if matches!(self.role, Role::Client(_)) && peer.socket_type == SocketType::Rep =>
                {
                    // ZeroMQ lets the two talk, but a REP reads nothing of what a client here says.
                    self.fail(Error::SocketType {
                        theirs: peer.socket_type.name().to_owned(),
                        ours: self.role.socket_type(),
                    });
                }
                Some(Event::Ready(peer)) => {
                    (self.stage, self.was_ready, self.handshake) = (Stage::Ready, true, None);
                    self.key = peer.public_key;
                    if let Some(sealer) = self.machine.take_sealer() {
                        self.outlet.seal_by(sealer);
                    }
                    if peer.knows_pings() {
                        // Before any sign of life, this side's part of the handshake leaves.
                        self.write(&mut no_wait());
                        self.outlet.keep_alive();
                    }
                }
                Some(Event::Failed(error)) => self.fail(error),
                Some(Event::Credentials(_)) => self.machine.deny(),
                // Decided on by `poll_admission`, which comes after everything that reads.
                Some(Event::Key(key)) => self.take_key(key),
                Some(frame) => self.next = Some(frame),
            }
        }
    }

    /// Ends the connection for an error of its protocol, and tells the peer, if there is room for it.
    fn fail(&mut self, error: Error) {
        self.write(&mut no_wait());
        self.close(Closed::Protocol(error));
    }

    /// Writes what the machine has to say, and what is left of a message, as far as there is room.
    fn write(&mut self, context: &mut Context<'_>) {
        if self.closed().is_some() || self.room == Room::Reset {
            return;
        }
        let commands = std::iter::from_fn(|| self.machine.poll_transmit());
        match self.outlet.write(commands, context) {
            Ok(false) => {}
            Ok(true) => {
                self.parts += 1;
                self.machine.handle_progress(clock::now());
            }
            Err(error) => self.fail_to_write(&error),
        }
    }

    /// Is ready when everything was written, or the connection is closed. Reads on, so that a peer that is blocked itself goes on.
    pub(super) fn poll_flushed(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            while self.receive().is_some() {}
            if self.closed().is_some() || self.room == Room::Reset || self.outlet.is_empty() {
                return Poll::Ready(());
            }
            ready!(self.poll_io(context));
        }
    }

    /// Hands what is due by the clock to the machine. Everything that has arrived was read before: only then is a peer silent.
    fn poll_timer(&mut self, context: &mut Context<'_>) {
        while let Some(at) = self.machine.poll_timeout().map(Instant::from_std) {
            let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(at)));
            if at < timer.deadline() {
                timer.as_mut().reset(at);
                self.is_timer_armed = false;
            }
            // A timer that is late fires anew: most deadlines are put off before they come.
            if self.is_timer_armed && !timer.is_elapsed() {
                return;
            }
            // Where the task has used up its budget, the timer would not keep the task's waker.
            self.is_timer_armed = pin!(unconstrained(timer.as_mut())).poll(context).is_pending();
            if self.is_timer_armed {
                return;
            }
            let now = Instant::now();
            if now < at {
                timer.as_mut().reset(at);
                continue;
            }
            self.machine.handle_timeout(now.into_std());
            self.take_events();
            self.write(context);
            if self.closed().is_some() {
                return;
            }
        }
    }

    /// Returns the next message that has arrived, with the frames that are not its batch's. Must not be called again before
    /// these were dropped.
    pub(super) fn receive(&mut self) -> Option<(Delivered, OtherFrames<'_>)> {
        loop {
            self.take_events();
            match self.next.take()? {
                Event::Frame { body, has_more: true } => self.assembler.push(body),
                Event::Frame { body, has_more: false } => {
                    self.take_events();
                    return Some(self.assembler.complete(body));
                }
                Event::Skipped { bytes, has_more: true, .. } => self.assembler.push_skipped(bytes),
                Event::Skipped { head, bytes, has_more: false } => {
                    self.take_events();
                    return Some(self.assembler.complete_skipped(head, bytes));
                }
                // Taken before.
                _ => {}
            }
        }
    }

    /// Sends a message behind the frames of a route, or returns it if there is no room, or no connection.
    pub(super) fn send(
        &mut self,
        route: impl FnOnce() -> Bytes,
        message: Message,
        receipt: Option<SendReceipt>,
    ) -> Result<(), Message> {
        if self.room == Room::Again || self.room == Room::Some {
            self.room = Room::None;
        }
        if !self.is_ready() {
            receipt.into_iter().for_each(SendReceipt::void);
            return Err(message);
        }
        match self.outlet.send(route, message, receipt) {
            Ok(Ok(())) => {
                self.room = Room::Some;
                Ok(())
            }
            Ok(Err(message)) => Err(message),
            Err(error) => {
                self.fail_to_write(&error);
                Ok(())
            }
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // Here, and not by whichever thread still tells the peer of life.
        self.outlet.close();
    }
}
