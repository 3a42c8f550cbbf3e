//! [`Tracing`]: a span for every call at the client and at the server, both in one trace. The header itself is in
//! [`super::traceparent`].

use std::cell::RefCell;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tracing::field::{Empty, display};
use tracing::{Instrument, Span, info_span};

use super::on_drop::OnDrop;
use super::traceparent::TraceParent;
use super::{
    ClientMiddleware, ClientNext, ClientRequest, Response, ServerMiddleware, ServerNext, ServerRequest,
};
use crate::metadata::Metadata;
use crate::method::Method;

/// Opens a span of the `tracing` crate for every call, at the client or at the server.
///
/// The two spans belong to one trace by the metadata `traceparent` and `tracestate` of
/// [W3C Trace Context](https://www.w3.org/TR/trace-context/): the server's span is the child of the client's, and calls that a
/// handler makes are children of the handler's span, over any channel that has this middleware, too. A
/// `traceparent` that a caller has set on a call is the parent of that call's span. One that is not valid begins a new trace.
///
/// Spans have the target `zsvc` and the level `INFO`, the name `call` at the client and `handle` at the server, and these
/// fields: `otel.kind`, `otel.name`, `rpc.system`, `rpc.service`, `rpc.method`, `trace_id`, `span_id`, `parent_id`; at a server that
/// knows who calls, `client` and `mechanism`, which are the name and the mechanism of the [identity](crate::Identity); and at the
/// end `ending` (`ok`, `declared`, or the name of the code; `cancelled` or `deadline_exceeded` for a call that was dropped) and,
/// where there is one, `error`.
///
/// This middleware takes up to two of the entries that a call's [metadata](crate::Metadata::MAX_ENTRIES) may have.
///
/// A call inherits a trace as it inherits a deadline: if a handler makes it, wherever it is awaited. A call that is
/// made in a task spawned by the handler belongs to another trace.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct Tracing;

impl Tracing {
    /// Creates the middleware, for either end.
    #[must_use]
    pub fn new() -> Self {
        Self
    }
}

const TRACEPARENT: &str = "traceparent";
const TRACESTATE: &str = "tracestate";

/// A position in a trace, and the `tracestate` that other programs want passed on with it.
#[derive(Debug, Clone)]
struct Position {
    parent: TraceParent,
    state: Option<Arc<str>>,
}

impl Position {
    /// Reads the position from metadata, if it is valid.
    fn read(metadata: &Metadata) -> Option<Self> {
        let parent = TraceParent::parse(metadata.text(TRACEPARENT)?)?;
        Some(Self { parent, state: metadata.text(TRACESTATE).map(Arc::from) })
    }

    fn write(&self, metadata: &mut Metadata) {
        metadata.insert(TRACEPARENT, self.parent.to_string());
        match &self.state {
            Some(state) => metadata.insert(TRACESTATE, &**state),
            // The one that is there belongs to another trace.
            None => drop(metadata.remove(TRACESTATE)),
        }
    }

    /// Returns the position of a child of `parent`, or of the first span of a new trace.
    fn below(parent: Option<&Self>) -> Self {
        match parent {
            Some(Self { parent, state }) => Self { parent: parent.child(), state: state.clone() },
            None => Self { parent: TraceParent::root(), state: None },
        }
    }
}

/// The trace that a call inherits from the handler that makes it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Inherited(Option<Position>);

impl Inherited {
    /// Returns the trace of the handler that is being polled on this thread.
    pub(crate) fn here() -> Self {
        Self(HERE.with_borrow(Clone::clone))
    }

    /// Returns this trace if there is one, else the other.
    fn or(self, other: impl FnOnce() -> Self) -> Self {
        if self.0.is_some() { self } else { other() }
    }
}

thread_local! {
    /// Position of the handler that is being polled on this thread.
    static HERE: RefCell<Option<Position>> = const { RefCell::new(None) };
}

/// A handler's future, polled with its position in `HERE`.
struct Within<F> {
    future: F,
    position: Position,
}

impl<F: Future + Unpin> Future for Within<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        /// Restores the outer handler's position, also when this one panics.
        struct Restore(Option<Position>);
        impl Drop for Restore {
            fn drop(&mut self) {
                HERE.set(self.0.take());
            }
        }
        let this = &mut *self;
        let _restore = Restore(HERE.replace(Some(this.position.clone())));
        Pin::new(&mut this.future).poll(context)
    }
}

/// Creates a span, and its position in the trace.
fn open_span(span: impl FnOnce() -> Span, method: &Method, parent: Option<&Position>) -> (Span, Position) {
    let (span, mut position) = (span(), Position::below(parent));
    let (service, name) = method.name().rsplit_once('/').unwrap_or(("", method.name()));
    span.record("otel.name", method.name()).record("rpc.service", service).record("rpc.method", name);
    let TraceParent { trace, span: id, .. } = position.parent;
    span.record("trace_id", display(format_args!("{trace:032x}")));
    span.record("span_id", display(format_args!("{id:016x}")));
    if let Some(parent) = parent {
        span.record("parent_id", display(format_args!("{:016x}", parent.parent.span)));
    } else {
        position.parent.sampled = !span.is_disabled();
    }
    (span, position)
}

/// Records how the call has ended.
fn record_end(span: &Span, response: &Response) {
    span.record("ending", response.ending());
    if !response.is_ok() {
        span.record("error", display(response));
    }
}

/// Creates a span with all fields that are set later.
macro_rules! span {
    ($name:literal, $kind:literal) => {
        || {
            info_span!(
                target: "zsvc",
                $name,
                otel.kind = $kind,
                rpc.system = "zsvc",
                otel.name = Empty,
                rpc.service = Empty,
                rpc.method = Empty,
                client = Empty,
                mechanism = Empty,
                trace_id = Empty,
                span_id = Empty,
                parent_id = Empty,
                ending = Empty,
                error = Empty,
            )
        }
    };
}

impl ServerMiddleware for Tracing {
    async fn handle(&self, mut request: ServerRequest, next: ServerNext<'_>) -> Response {
        let caller = Position::read(request.metadata());
        let (span, position) = open_span(span!("handle", "server"), request.method(), caller.as_ref());
        if let Some(caller) = request.identity() {
            span.record("client", caller.name()).record("mechanism", caller.mechanism().name());
        }
        // Also for a handler that passes the metadata on by hand.
        position.write(request.metadata_mut());
        let on_drop = OnDrop::new(request.deadline(), |ending| {
            span.record("ending", ending);
        });
        let future = Box::pin(next.run(request).instrument(span.clone()));
        let response = Within { future, position }.await;
        on_drop.disarm();
        record_end(&span, &response);
        response
    }
}

impl ClientMiddleware for Tracing {
    async fn handle(&self, mut request: ClientRequest, mut next: ClientNext<'_>) -> Response {
        let inherited = request.trace.clone().or(Inherited::here);
        let parent = Position::read(request.metadata()).or(inherited.0);
        let (span, position) = open_span(span!("call", "client"), request.method(), parent.as_ref());
        position.write(request.metadata_mut());
        let on_drop = OnDrop::new(request.deadline(), |ending| {
            span.record("ending", ending);
        });
        let response = next.run(request).instrument(span.clone()).await;
        on_drop.disarm();
        record_end(&span, &response);
        response
    }
}
