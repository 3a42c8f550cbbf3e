"""Traces and metrics with OpenTelemetry: middleware for both sides. Needs the extra `zsvc[otel]`.

    zsvc.Channel("tcp://…", middleware=[zsvc.otel.client(), zsvc.otel.client_metrics()])
    zsvc.Server(Floor(), bind="tcp://…", middleware=[zsvc.otel.server(), zsvc.otel.server_metrics()])

The context travels in the metadata, as W3C Trace Context names it (`traceparent`), so that traces go on through
programs in other languages.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .aio.middleware import ClientMiddleware, ClientNext, ClientRequest, ServerMiddleware, ServerNext, ServerRequest
from .method import Method
from .status import Code, DeclaredError, Status

try:
    from opentelemetry import metrics, propagate, trace
    from opentelemetry.metrics import Meter
    from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer
except ImportError as missing:
    raise ImportError("`zsvc.otel` needs OpenTelemetry: pip install 'zsvc[otel]'") from missing

_OF_CALLERS = (
    Code.INVALID_ARGUMENT,
    Code.NOT_FOUND,
    Code.ALREADY_EXISTS,
    Code.PERMISSION_DENIED,
    Code.UNAUTHENTICATED,
    Code.FAILED_PRECONDITION,
    Code.OUT_OF_RANGE,
    Code.CANCELLED,
)
"""Codes that are no fault of a server, whose span is not an error then."""


def client(tracer: Tracer | None = None) -> ClientMiddleware:
    """Returns middleware that makes a span for each call, and sends its context along.

    The span of a call that streams ends once the stream has begun.
    """
    used = tracer or trace.get_tracer("zsvc")

    async def middleware(request: ClientRequest, following: ClientNext) -> Any:
        with used.start_as_current_span(request.method.name, kind=SpanKind.CLIENT, **_options(request.method)) as span:
            carrier: dict[str, str] = {}
            propagate.inject(carrier)
            request.options = request.options.but({"metadata": carrier})
            with _outcome(span, ()):
                return await following(request)

    return middleware


def server(tracer: Tracer | None = None) -> ServerMiddleware:
    """Returns middleware that makes a span for each handler, below that of the caller."""
    used = tracer or trace.get_tracer("zsvc")

    async def middleware(request: ServerRequest, following: ServerNext) -> Any:
        texts = {name: value for name, value in request.context.metadata.items() if isinstance(value, str)}
        above, options = propagate.extract(texts), _options(request.method)
        spans = used.start_as_current_span(request.method.name, above, SpanKind.SERVER, **options)
        with spans as span, _outcome(span, _OF_CALLERS):
            return await following(request)

    return middleware


def _options(method: Method[Any]) -> dict[str, Any]:
    service, _, name = method.name.rpartition("/")
    attributes = {"rpc.system": "zsvc", "rpc.service": service, "rpc.method": name}
    # How a call fails is told by `_outcome`, which knows what an error is.
    return {"attributes": attributes, "record_exception": False, "set_status_on_exception": False}


@contextmanager
def _outcome(span: Span, no_errors: tuple[Code, ...]) -> Iterator[None]:
    """Tells a span how its call ends. Declared errors are answers, and no errors of a span."""
    try:
        yield
    except DeclaredError as error:
        span.set_attribute("zsvc.declared_error", type(error).__name__)
        raise
    except Status as status:
        span.set_attribute("rpc.zsvc.status_code", status.code.name.lower())
        span.set_attribute("zsvc.outcome", status.outcome.name.lower())
        if status.code not in no_errors:
            span.set_status(StatusCode.ERROR, status.message)
        raise
    except Exception as error:
        span.record_exception(error)
        span.set_status(StatusCode.ERROR, type(error).__name__)
        raise


def server_metrics(meter: Meter | None = None) -> ServerMiddleware:
    """Returns middleware that records how many calls run, how many have ended, and how long they took.

    An exporter for Prometheus gives them the names of `docs/operations.md`: `zsvc_server_calls_total` and so on.
    """
    numbers = _Numbers("server", meter)

    async def middleware(request: ServerRequest, following: ServerNext) -> Any:
        with numbers.call(request.method):
            return await following(request)

    return middleware


def client_metrics(meter: Meter | None = None) -> ClientMiddleware:
    """Returns middleware that records the same of a client's calls; of one that streams, until it has begun."""
    numbers = _Numbers("client", meter)

    async def middleware(request: ClientRequest, following: ClientNext) -> Any:
        with numbers.call(request.method):
            return await following(request)

    return middleware


class _Numbers:
    """The instruments of one side."""

    def __init__(self, side: str, meter: Meter | None) -> None:
        made = meter or metrics.get_meter("zsvc")
        self._ended = made.create_counter(f"zsvc_{side}_calls", description="calls that have ended")
        self._seconds = made.create_histogram(f"zsvc_{side}_call", unit="s", description="duration of calls")
        self._running = made.create_up_down_counter(f"zsvc_{side}_calls_running", description="calls running now")

    @contextmanager
    def call(self, method: Method[Any]) -> Iterator[None]:
        """Records one call."""
        began = time.monotonic()
        labels = {"method": method.name}
        self._running.add(1, labels)
        ending = "ok"
        try:
            yield
        except BaseException as error:
            ending = _ending(error)
            raise
        finally:
            self._running.add(-1, labels)
            ended = {"method": method.name, "ending": ending}
            self._ended.add(1, ended)
            self._seconds.record(time.monotonic() - began, ended)


def _ending(error: BaseException) -> str:
    if isinstance(error, Status):
        return error.code.name.lower()
    if isinstance(error, DeclaredError):
        return "declared"
    return "cancelled" if isinstance(error, asyncio.CancelledError) else "internal"
