//! [`Dialler`]: a server's own connection to a router, over which the router makes calls. It is made again when it is lost.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use atomic_waker::AtomicWaker;
use tokio::time::{Sleep, sleep};

use super::client::{open, pause_after};
use super::role::Role;
use super::server::ZmtpPeer;
use super::stream::Stream;
use crate::identity::Identity;
use crate::status::{Failure, Status};
use crate::telemetry;
use crate::transport::address::Address;
use crate::transport::{LinkConfig, TransportError};
use crate::wire::{
    Batch, Message, Notice, REGISTRATION_ID, RawRecord, RecordKind, Registration, first_record,
};

/// A connection that this server makes, and over which it answers calls.
pub(crate) struct Dialler {
    address: Address,
    role: Role,
    /// Who the router is, once it has proved its key.
    router: Option<Identity>,
    config: LinkConfig,
    /// The batch that registers.
    registration: Vec<u8>,
    place: Arc<Place>,
    state: State,
    /// Number of tries since the router has taken the registration.
    tries: u32,
}

enum State {
    Connecting(Pin<Box<dyn Future<Output = io::Result<Stream>> + Send>>),
    /// The connection is a transport of its own until it ends.
    Given,
    /// Until the next try.
    Waiting(Pin<Box<Sleep>>),
}

/// What a dialler and its connection have in common.
#[derive(Debug)]
struct Place {
    endpoint: String,
    /// One of the numbers below.
    state: AtomicU8,
    waker: AtomicWaker,
}

/// The connection is there, and the router has not answered.
const BEGUN: u8 = 0;
/// The router has taken the registration.
const REGISTERED: u8 = 1;
/// The connection has ended before that.
const LOST: u8 = 2;
/// The connection has ended after that.
const LOST_REGISTERED: u8 = 3;
/// The router has refused the registration.
const REFUSED: u8 = 4;

/// Time until the next try after a router has refused, which it will do again until its configuration changes.
const PAUSE_AFTER_REFUSAL: Duration = Duration::from_secs(5);

impl Dialler {
    /// Creates a connection that registers at a router. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// The endpoint can't be read.
    pub(crate) fn new(
        endpoint: &str,
        role: Role,
        config: LinkConfig,
        registration: &Registration,
    ) -> Result<Self, TransportError> {
        let address = Address::to_connect(endpoint)?;
        let place =
            Place { endpoint: endpoint.to_owned(), state: AtomicU8::new(BEGUN), waker: AtomicWaker::new() };
        let state = State::Connecting(Box::pin(open(address.clone(), None)));
        let registration = registration.to_batch();
        Ok(Self {
            address,
            role,
            router: None,
            config,
            registration,
            place: Arc::new(place),
            state,
            tries: 0,
        })
    }

    /// Says who the router is: a handshake with keys is complete only with the one that has the right key.
    pub(crate) fn knowing(self, router: Option<Identity>) -> Self {
        Self { router, ..self }
    }

    /// Is ready with a new connection, which registers once it is up.
    pub(super) fn poll_connect(
        &mut self,
        context: &mut Context<'_>,
        number: impl Fn() -> u64,
    ) -> Poll<ZmtpPeer> {
        loop {
            match &mut self.state {
                State::Connecting(opening) => {
                    let Poll::Ready(opened) = opening.as_mut().poll(context) else { return Poll::Pending };
                    let role = self.role.clone();
                    match opened.and_then(|stream| ZmtpPeer::new(stream, number(), role, self.config, None)) {
                        Ok(peer) => {
                            self.place.state.store(BEGUN, Ordering::Release);
                            self.state = State::Given;
                            let batch = Some(self.registration.clone());
                            let registering = Registering { batch, place: Arc::clone(&self.place) };
                            return Poll::Ready(peer.registering(registering, self.router.clone()));
                        }
                        Err(error) => {
                            telemetry::router_unreachable(&self.place.endpoint, &error.to_string());
                            self.wait();
                        }
                    }
                }
                State::Given => {
                    self.place.waker.register(context.waker());
                    match self.place.state.load(Ordering::Acquire) {
                        BEGUN | REGISTERED => return Poll::Pending,
                        LOST_REGISTERED => self.tries = 0,
                        _ => {}
                    }
                    self.wait();
                }
                State::Waiting(pause) => {
                    if pause.as_mut().poll(context).is_pending() {
                        return Poll::Pending;
                    }
                    self.state = State::Connecting(Box::pin(open(self.address.clone(), None)));
                }
            }
        }
    }

    fn wait(&mut self) {
        let pause = match self.place.state.load(Ordering::Acquire) {
            REFUSED => PAUSE_AFTER_REFUSAL,
            _ => pause_after(self.tries),
        };
        self.tries = self.tries.saturating_add(1);
        self.state = State::Waiting(Box::pin(sleep(pause)));
    }
}

/// The part of a connection that is about its registration. Dropped with the connection, which tells its [`Dialler`].
#[derive(Debug)]
pub(super) struct Registering {
    /// The batch that registers, until it is sent.
    batch: Option<Vec<u8>>,
    place: Arc<Place>,
}

impl Registering {
    /// Returns the message that registers, the first time.
    pub(super) fn take_message(&mut self) -> Option<Message> {
        self.batch.take().map(Message::from)
    }

    /// Takes a message of the router if it is about the registration: such records have messages of their own. Returns `None` if it is about
    /// something else, and otherwise whether the connection goes on.
    pub(super) fn take(&self, batch: &Batch) -> Option<bool> {
        first_record(batch.bytes()).filter(|first| first.id == REGISTRATION_ID)?;
        let mut records = batch.raw_records().ok()?;
        let record = records.next().ok().flatten()?;
        Some(self.take_record(&record))
    }

    fn take_record(&self, record: &RawRecord<'_>) -> bool {
        match record.kind() {
            RecordKind::Items if Notice::of(record) == Some(Notice::Registered) => {
                self.place.state.store(REGISTERED, Ordering::Release);
                telemetry::registered(&self.place.endpoint);
                true
            }
            RecordKind::Error | RecordKind::Reply | RecordKind::End => {
                let why = match record.failure() {
                    Some(Failure::Status(status)) => status,
                    _ => Status::unavailable("the router has ended the registration"),
                };
                self.place.state.store(REFUSED, Ordering::Release);
                telemetry::registration_refused(&self.place.endpoint, why.message());
                false
            }
            // Credit, and what a later version may say.
            _ => true,
        }
    }
}

impl Drop for Registering {
    fn drop(&mut self) {
        let ended = match self.place.state.load(Ordering::Acquire) {
            REGISTERED => LOST_REGISTERED,
            REFUSED => REFUSED,
            _ => LOST,
        };
        self.place.state.store(ended, Ordering::Release);
        self.place.waker.wake();
    }
}
