//! What generated servers build on: [`Service`], and the [`Incoming`] call that is passed to a handler.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::handling::{AcceptedCall, Handling};
use super::outgoing::PeerOutgoing;
use super::running::Peer;
use crate::codec::{self, Body, Form, Plain};
use crate::context::{Context, PeerId, send_metadata};
use crate::declaration::{
    BidirectionalMethod, ClientStreamMethod, OneWayMethod, Params, ServerStreamMethod, UnaryMethod,
};
use crate::events::{Notice, Request};
use crate::flow::{InboundStream, OutboundStream};
use crate::identity::Identity;
use crate::metadata::{Metadata, MetadataValue};
use crate::method::{Method, MethodKind};
use crate::peer::Counters;
use crate::schema::ServiceSchema;
use crate::session::server::{CallKey, IncomingCall};
use crate::status::{Cause, Status};
use crate::stream::{Outgoing, Sink, SinkHalf, Streaming, StreamingHalf};
use crate::wire::INITIAL_CREDIT;

/// A service that a [`crate::Server`] can offer. Generated code implements it for `…Server<T>`.
///
/// The generated trait of a service has `async fn`s, so there is no `dyn` of it. There is one of this: a program that decides at
/// run time which implementation it serves makes a `Box<dyn Service>`, which is a service, too.
pub trait Service: Send + Sync + 'static {
    /// Returns the service's methods. [`Service::dispatch`] is called with an index into them.
    fn methods(&self) -> &'static [Method];

    /// Starts the handler of one call.
    ///
    /// # Errors
    /// There is no handler, or the parameters are invalid.
    fn dispatch(&self, method: usize, call: Incoming) -> Result<Handling, Status>;

    /// Returns the schema that the service was generated from, if it keeps one: see [`crate::reflection`].
    fn schema(&self) -> Option<&'static ServiceSchema> {
        None
    }

    /// Reports whether the server has the service by itself, so that its calls wait for no turn behind those of others.
    #[doc(hidden)]
    fn is_of_server(&self) -> bool {
        false
    }

    /// Reports whether its handlers begin where calls are received, and so in the order in which these came, whatever their size: they
    /// never keep that thread.
    #[doc(hidden)]
    fn begins_in_order(&self) -> bool {
        false
    }
}

/// Lets a program decide at run time which implementation it serves.
impl Service for Box<dyn Service> {
    fn methods(&self) -> &'static [Method] {
        (**self).methods()
    }

    fn dispatch(&self, method: usize, call: Incoming) -> Result<Handling, Status> {
        (**self).dispatch(method, call)
    }

    fn schema(&self) -> Option<&'static ServiceSchema> {
        (**self).schema()
    }
}

/// One call on its way to its handler.
///
/// Converted to a [`Context`] only when the handler is created, so that the connection's reference count is raised once and not
/// twice.
pub struct Incoming {
    peer: Arc<Peer>,
    /// Key of the call; `None` for a one-way call.
    key: Option<CallKey>,
    method: &'static Method,
    deadline: Option<Instant>,
    metadata: Metadata,
    /// Who the client is, if that is known.
    identity: Option<Identity>,
    params: Body,
    /// Initial credit of the handler's stream in bytes.
    credit: u64,
    /// When the message that holds the call was received.
    received: Instant,
    streams: Streams,
}

/// The streams of a call that were opened before its handler was created.
#[derive(Default)]
struct Streams {
    inbound: Option<Arc<InboundStream>>,
    outbound: Option<Arc<OutboundStream>>,
}

impl Incoming {
    #[inline]
    pub(super) fn new(peer: Arc<Peer>, key: Option<CallKey>, call: IncomingCall) -> Self {
        Self {
            peer,
            key,
            method: call.method,
            deadline: call.deadline.map(Instant::from_std),
            metadata: call.metadata,
            identity: call.identity,
            params: call.params,
            credit: call.credit,
            received: Instant::from_std(call.received),
            streams: Streams::default(),
        }
    }

    /// Returns the arguments of a handler that answers once, and the call that it handles.
    #[inline]
    #[allow(clippy::type_complexity, reason = "each part is an argument of the handler")]
    pub fn unary<M: UnaryMethod>(
        self,
    ) -> Result<(Context, M::Params, AcceptedCall<Result<M::Answer, M::Error>>), Status> {
        let (params, key) = self.accept()?;
        let call = AcceptedCall::replying::<M::AnswerForm>(key.id(), self.max_body());
        Ok((self.into_context(), params, call))
    }

    /// Returns the arguments of a handler that answers with a stream, and the call that it handles.
    #[inline]
    #[allow(clippy::type_complexity, reason = "each part is an argument of the handler")]
    pub fn server_stream<M: ServerStreamMethod>(
        mut self,
    ) -> Result<(Context, M::Params, Sink<M::Answer>, AcceptedCall<Result<(), M::Error>>), Status> {
        let (params, key) = self.accept()?;
        let sink = self.sink::<M::AnswerForm, _>(key);
        let call = AcceptedCall::streaming(key.id(), self.max_body());
        Ok((self.into_context(), params, sink, call))
    }

    /// Returns the arguments of a handler that reads a stream and answers once, and the call that it handles.
    #[inline]
    #[allow(clippy::type_complexity, reason = "each part is an argument of the handler")]
    pub fn client_stream<M: ClientStreamMethod>(
        mut self,
    ) -> Result<(Context, M::Params, Streaming<M::Item>, AcceptedCall<Result<M::Answer, M::Error>>), Status>
    {
        let (params, key) = self.accept()?;
        let items = self.items::<M::ItemForm, _>(key);
        let call = AcceptedCall::replying::<M::AnswerForm>(key.id(), self.max_body());
        Ok((self.into_context(), params, items, call))
    }

    /// Returns the arguments of a handler that reads a stream and answers with one, and the call that it handles.
    #[allow(clippy::type_complexity, reason = "each part is an argument of the handler")]
    pub fn bidirectional<M: BidirectionalMethod>(
        mut self,
    ) -> Result<
        (Context, M::Params, Streaming<M::Item>, Sink<M::Answer>, AcceptedCall<Result<(), M::Error>>),
        Status,
    > {
        let (params, key) = self.accept()?;
        let items = self.items::<M::ItemForm, _>(key);
        let sink = self.sink::<M::AnswerForm, _>(key);
        let call = AcceptedCall::streaming(key.id(), self.max_body());
        Ok((self.into_context(), params, items, sink, call))
    }

    /// Returns the arguments of a handler that sends events, and the call that it handles. Events were encoded before.
    #[allow(clippy::type_complexity, reason = "each part is an argument of the handler")]
    pub(crate) fn subscription(
        mut self,
    ) -> Result<(Context, Request, Sink<Notice>, AcceptedCall<Result<(), Status>>), Status> {
        let (params, key) = self.accept()?;
        let outbound = self.outbound(key);
        let sink = Sink::new::<Plain>(SinkHalf::new(outbound, self.outgoing(key), key.id()), false);
        let call = AcceptedCall::streaming(key.id(), self.max_body());
        Ok((self.into_context(), params, sink, call))
    }

    /// Returns the parameters of a call that publishes an event, which are not read yet, and the call.
    pub(crate) fn publication(self) -> Result<(Body, AcceptedCall<Result<(), Status>>), Status> {
        let Some(key) = self.key else { return Err(not_one_way()) };
        let call = AcceptedCall::replying::<Plain>(key.id(), self.max_body());
        Ok((self.params, call))
    }

    /// Returns the arguments of a handler without an answer, and the call that it handles.
    #[inline]
    pub fn one_way<M: OneWayMethod>(self) -> Result<(Context, M::Params, AcceptedCall<()>), Status> {
        let params = self.params()?;
        Ok((self.into_context(), params, AcceptedCall::one_way()))
    }

    /// Turns away a call of a method that is in the table but not in the code, as in a generated file that was edited.
    pub fn unimplemented(&self) -> Result<Handling, Status> {
        let name = self.method.name();
        let what = format!("the server does not handle the method `{name}`");
        Err(Status::unimplemented(what).caused_by(Cause::NoSuchMethod))
    }

    /// Returns the parameters of a call that is answered, and its key, or the reason to turn the call away.
    #[inline]
    fn accept<P: Params>(&self) -> Result<(P, CallKey), Status> {
        match (self.key, self.params()) {
            (Some(key), Ok(params)) => Ok((params, key)),
            (None, _) => Err(not_one_way()),
            (_, Err(refusal)) => Err(refusal),
        }
    }

    #[inline]
    fn params<P: Params>(&self) -> Result<P, Status> {
        match codec::decode_params::<P>(&self.params, codec::max_decoded(self.max_body())) {
            Ok(params) => match params.validate() {
                Ok(()) => Ok(params),
                Err(violation) => Err(crate::stream::invalid(&violation)),
            },
            Err(error) => Err(crate::stream::undecodable(&error)),
        }
    }

    #[inline]
    fn max_body(&self) -> usize {
        self.peer.shared().config.session.max_body
    }

    #[inline]
    fn into_context(self) -> Context {
        Context::new(self.method, self.deadline, self.metadata, self.peer, self.key)
            .with_identity(self.identity)
    }
}

#[cold]
fn not_one_way() -> Status {
    let what = "the method answers, so it can't be called one-way";
    Status::invalid_argument(what).caused_by(Cause::NoSuchMethod)
}

/// Properties of the call, for its middleware and its dispatcher.
impl Incoming {
    pub(crate) fn method(&self) -> &'static Method {
        self.method
    }

    #[inline]
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    pub(crate) fn time_left(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    pub(crate) fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    pub(crate) fn metadata_mut(&mut self) -> &mut Metadata {
        &mut self.metadata
    }

    /// Sends a name and a value beside the answer.
    pub(crate) fn send_metadata(&self, name: &str, value: &MetadataValue) -> Result<(), Status> {
        send_metadata(Arc::<Peer>::clone(&self.peer), self.key, name, value)
    }

    pub(crate) fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    pub(crate) fn set_identity(&mut self, identity: Option<Identity>) {
        self.identity = identity;
    }

    pub(crate) fn peer_id(&self) -> &PeerId {
        self.peer.id()
    }

    pub(crate) fn peer_address(&self) -> Option<SocketAddr> {
        self.peer.address()
    }

    pub(super) fn peer(&self) -> &Arc<Peer> {
        &self.peer
    }

    /// Returns when the message that holds the call was received.
    pub(crate) fn received(&self) -> Instant {
        self.received
    }

    /// Returns the size of the parameters in bytes, as encoded.
    pub(crate) fn params_len(&self) -> usize {
        self.params.len()
    }

    /// Returns the call's streams, as far as they were opened: the client's, and the handler's.
    pub(crate) fn streams(&self) -> (Option<&Arc<InboundStream>>, Option<&Arc<OutboundStream>>) {
        (self.streams.inbound.as_ref(), self.streams.outbound.as_ref())
    }

    /// Returns the server's counters.
    pub(crate) fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.peer.shared().counters)
    }

    /// Copies the parameters if they are a small part of their message of `batch_bytes` bytes: a small call in the queue would
    /// keep all of the message in memory.
    pub(super) fn detach(&mut self, batch_bytes: usize) {
        self.params.detach(batch_bytes);
    }

    /// Opens the call's streams, for a handler that may not begin at once: items that the client sends meanwhile are kept for the
    /// handler, up to the initial credit of every stream.
    pub(crate) fn open_streams(&mut self) {
        let Some(key) = self.key else { return };
        let kind = self.method.kind();
        if matches!(kind, MethodKind::ClientStream | MethodKind::Bidirectional) {
            self.inbound(key);
        }
        if matches!(kind, MethodKind::ServerStream | MethodKind::Bidirectional) {
            self.outbound(key);
        }
    }

    fn inbound(&mut self, key: CallKey) -> Arc<InboundStream> {
        let (peer, window) = (&self.peer, self.peer.shared().config.stream_window());
        let open = || peer.with(|session| session.open_inbound(key, window));
        Arc::clone(self.streams.inbound.get_or_insert_with(open))
    }

    fn outbound(&mut self, key: CallKey) -> Arc<OutboundStream> {
        let (peer, credit) = (&self.peer, self.credit);
        let open = || peer.with(|session| session.open_outbound(key, credit));
        Arc::clone(self.streams.outbound.get_or_insert_with(open))
    }

    fn outgoing(&self, key: CallKey) -> Arc<dyn Outgoing> {
        Arc::new(PeerOutgoing { peer: Arc::clone(&self.peer), key })
    }

    fn sink<F: Form<R>, R>(&mut self, key: CallKey) -> Sink<R> {
        let outbound = self.outbound(key);
        Sink::new::<F>(SinkHalf::new(outbound, self.outgoing(key), key.id()), false)
    }

    fn items<I: Form<T>, T>(&mut self, key: CallKey) -> Streaming<T> {
        let (id, window) = (key.id(), self.peer.shared().config.stream_window());
        let inbound = self.inbound(key);
        if window > INITIAL_CREDIT {
            self.peer.with(|session| session.grant(key, window - INITIAL_CREDIT));
        }
        let outgoing = self.outgoing(key);
        Streaming::items::<I>(StreamingHalf { inbound, outgoing, id, window, call: None, layer: None })
    }
}
