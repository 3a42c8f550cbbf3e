"""`RunningCall`: a handler that runs, in the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import logging
import time
from collections.abc import AsyncIterable, AsyncIterator
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from ..codec.writer import Body, EncodeError
from ..context import Context
from ..method import Method, encode_item
from ..options import INHERITED_DEADLINE
from ..session.admission import role_refusal
from ..session.failure import Declared
from ..session.gathered import Gathered
from ..session.peer import ServerCall
from ..status import Cause, Code, DeclaredError, Outcome, Status
from .middleware import ServerMiddleware, ServerNext, ServerRequest
from .streams import ItemQueue, Sending

if TYPE_CHECKING:
    from .server import Server

_LOG = logging.getLogger("zsvc")


class RunningCall:
    """One call, from when it has come until its handler has ended."""

    def __init__(self, server: Server, call: ServerCall, service: object, method: Method[Any]) -> None:
        self._server, self._call, self._service, self._method = server, call, service, method
        self._driver = server.driver
        self._max_body = server.limits.max_message_size
        self.sending = Sending()
        self.items: ItemQueue[Any] | None = None
        # A client may make up further frames of its route.
        peer = call.peer.route[0].hex()
        self._context = Context(method, call.metadata, call.deadline, peer, call.peer.key, self._send_metadata)
        self._context._max_body, self._context._abort = self._max_body, self.sending.end
        self._context._when_draining = server._when_draining
        if call.peer.is_router:
            self._context.identity = call.peer.identity
        elif server.curve is not None:
            self._context.identity = server.curve.identity_of(call.peer.key)
        if method.kind.takes_items:
            window = server.limits.stream_window
            self.items = ItemQueue(method.item, self._max_body, window, self._consumed, _of_client)
        self._has_begun = self._has_ended = self._has_answered = False
        self._began_at: float | None = None
        """When its handler has begun, if that is timed."""
        self._measure = server.measures[method.name]
        self._measure.request_bytes += len(call.body)
        self.task: asyncio.Task[None] | None = None
        self._thread: Future[Any] | None = None
        self._turn: asyncio.Future[None] | None = None

    def start(self) -> None:
        """Runs the handler in a task of its own."""
        loop = asyncio.get_running_loop()
        self.task = loop.create_task(self._run(), name=self._method.name)
        # Not at the end of `_run`, which never begins if the call is over before.
        self.task.add_done_callback(lambda _: self._over(loop))

    def _over(self, loop: asyncio.AbstractEventLoop) -> None:
        """Tells that the handler has ended: one in a thread ends with that, though its task may be cancelled before."""
        if self._thread is None:
            self._server.forget(self._call)
            return

        def forget(_: object) -> None:
            # The loop is closed if the server has stopped meanwhile.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._server.forget, self._call)

        self._thread.add_done_callback(forget)

    # ---- what the session tells

    def ended(self, reason: str) -> None:
        """Ends the handler: its answer is not waited for."""
        self._has_ended = True
        self._context._end(reason)
        gone = Status(Code.CANCELLED, reason, outcome=Outcome.MAYBE_EXECUTED)
        self.sending.end(gone)
        if self.items is not None:
            self.items.end(gone)
        if self.task is not None:
            self.task.cancel()

    def turned(self, refusal: Status | None) -> None:
        """Lets the handler of a call run whose client was asked about, or says why not."""
        if self._turn is None or self._turn.done():
            return
        if refusal is None:
            self._turn.set_result(None)
        else:
            self._turn.set_exception(refusal)

    def add(self, body: Body) -> None:
        """Adds items that have come."""
        self._measure.request_bytes += len(body)
        assert self.items is not None
        self.items.add(body)

    def complete(self) -> None:
        """Ends the stream of items."""
        assert self.items is not None
        self.items.end(None)

    # ---- inside

    def _post(self, run: Any, *, is_last: bool = False) -> None:
        with contextlib.suppress(RuntimeError):
            self._driver.post(run, is_last=is_last)

    def _consumed(self, size: int) -> None:
        self._post(lambda: self._driver.session.consumed(self._call, size))

    def _send_metadata(self, metadata: dict[str, str | bytes]) -> None:
        self._post(lambda: self._driver.session.send_metadata(self._call, metadata))

    def _fail(self, failure: Status | Declared) -> None:
        how = failure.code.name.lower() if isinstance(failure, Status) else "declared"
        self._measure.failures[how] += 1
        self._post(lambda: self._driver.session.fail(self._call, failure), is_last=True)

    async def _run(self) -> None:
        # Of the task's own context, which those inherit that the handler starts.
        INHERITED_DEADLINE.set(self._call.deadline)
        self._measure.calls += 1
        try:
            answer = await self._through_middleware()
        except asyncio.CancelledError:
            # Where the server stops, the caller learns it by its connection.
            if self._has_ended:
                self._measure.failures[self._ended_how()] += 1
            else:
                text = "the handler was cancelled"
                self._fail(Status(Code.CANCELLED, text, outcome=Outcome.MAYBE_EXECUTED))
        except BaseException as error:
            if self._call.is_one_way and not self._has_begun:
                self._post(self._driver.session.count_dropped)
            self._fail(self._failure_of(error))
            if not isinstance(error, Exception):
                raise
        else:
            self._reply(answer)
        finally:
            self._context._end("the handler has ended")
            if self._has_begun:
                self._measure.running -= 1
                if self._began_at is not None:
                    self._measure.handler.add(time.monotonic() - self._began_at)

    def _ended_how(self) -> str:
        has_expired = self._call.deadline is not None and time.monotonic() >= self._call.deadline
        return "deadline_exceeded" if has_expired else "cancelled"

    def _reply(self, answer: Any) -> None:
        session, call = self._driver.session, self._call
        if self._method.kind.answers_items:
            self._post(lambda: session.finish(call))
            return
        try:
            body = self._method.encode_answer(answer)
        except Status as error:
            _LOG.error("%s", error.message)
            self._fail(error)
            return
        self._measure.answer_bytes += len(body)
        self._post(lambda: session.reply(call, body), is_last=True)

    def _failure_of(self, error: BaseException) -> Status | Declared:
        """Returns what the caller is told of an exception."""
        if isinstance(error, Status):
            if not self._has_begun:
                return error
            return Status(error.code, error.message, retry_after=error.retry_after, details=error.details)
        if isinstance(error, DeclaredError):
            try:
                return self._method.encode_error(error)
            except EncodeError as wrong:
                _LOG.error("the error of `%s` can't be sent: %s", self._method.name, wrong, exc_info=error)
                text = f"the handler has raised `{type(error).__name__}`, which can't be sent"
                return Status(Code.INTERNAL, text, cause=Cause.BAD_VALUE)
        _LOG.error("the handler of `%s` has failed", self._method.name, exc_info=error)
        text = f"the handler has raised `{type(error).__name__}`"
        outcome = Outcome.MAYBE_EXECUTED if self._has_begun else Outcome.NOT_SENT
        if self._has_answered:
            text, outcome = f"a middleware has raised `{type(error).__name__}`", Outcome.EXECUTED
        return Status(Code.INTERNAL, text, outcome=outcome, cause=Cause.PANICKED)

    async def _identify(self) -> None:
        """Finds out who makes the call, if it brings a token. Raises `Status`."""
        tokens = self._server.tokens
        if tokens is None:
            return
        identity = await tokens.identify(self._context.metadata, self._context.peer)
        if identity is None:
            return
        self._context.identity = identity
        refusal = role_refusal(self._call.method, identity.roles) if self._method.roles else None
        if refusal is not None:
            raise refusal
        if self._call.is_claimed:
            self._turn = asyncio.get_running_loop().create_future()
            self._post(lambda: self._driver.session.take_turn(self._call))
            await self._turn

    async def _through_middleware(self) -> Any:
        await self._identify()
        run: ServerNext = self._handle
        is_own = self._call.method.is_own
        for middleware in () if is_own else reversed(self._server.middleware):
            run = _inside(middleware, run)
        return await run(ServerRequest(self._context, self._method))

    async def _handle(self, request: ServerRequest) -> Any:
        method, context = self._method, request.context
        body = self._call.body
        if self._call.is_over:
            raise asyncio.CancelledError
        values = method.decode_parameters(body, self._max_body)
        self._call.body = Body(b"", [], [])
        self._has_begun = True
        self._measure.running += 1
        if self._measure.times_next():
            self._began_at = time.monotonic()
            self._measure.queue.add(self._began_at - self._call.received_at)
        if self.items is not None:
            values.append(_Items(self.items))
        answer = await self._answer(context, values)
        self._has_answered = True
        return answer

    async def _answer(self, context: Context, values: list[Any]) -> Any:
        method, handler = self._method, getattr(self._service, self._method.handler)
        if method.is_blocking and not method.kind.takes_items and not method.kind.answers_items:
            return await self._in_thread(lambda: handler(context, *values))
        result = handler(context, *values)
        if not method.kind.answers_items:
            if not inspect.isawaitable(result):
                raise TypeError(f"{self._shown()} is no `async def`: write one, or say `@blocking` in the schema")
            return await result
        if not isinstance(result, AsyncIterable):
            if inspect.iscoroutine(result):
                result.close()
            raise TypeError(f"{self._shown()} is no async generator: write `async def`, and `yield` each item")
        await self._send_all(result)
        return None

    def _shown(self) -> str:
        return f"the handler `{type(self._service).__name__}.{self._method.handler}`"

    async def _in_thread(self, run: Any) -> Any:
        """Runs a function once a thread is free: the pool itself would keep what waits though it is cancelled."""
        context, loop, free = contextvars.copy_context(), asyncio.get_running_loop(), self._server.free_threads
        await free.acquire()
        try:
            self._thread = self._server.threads.submit(context.run, run)
        except BaseException:
            free.release()
            raise

        def release(_: object) -> None:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(free.release)

        self._thread.add_done_callback(release)
        return await asyncio.wrap_future(self._thread)

    async def _send_all(self, items: AsyncIterable[Any]) -> None:
        """Sends what a handler yields, as its reader has room."""
        session, call = self._driver.session, self._call
        gathered = Gathered(self._post, lambda *items: session.send_items(call, *items))
        assert self._method.answer is not None
        try:
            async for item in items:
                await self.sending.room()
                body = self._encoded(item)
                self.sending.add(len(body))
                self._measure.answer_bytes += len(body)
                gathered.add(body)
        finally:
            close = getattr(items, "aclose", None)
            if close is not None:
                await close()

    def _encoded(self, item: Any) -> Body:
        assert self._method.answer is not None
        try:
            return encode_item(self._method.answer, item, self._max_body)
        except Status as error:
            error.outcome = Outcome.EXECUTED
            if error.code is Code.INVALID_ARGUMENT:
                error.code = Code.INTERNAL
            raise


def _of_client(error: Status) -> None:
    """Tells a handler that its client has sent an item that can't be read."""
    if error.code is Code.UNKNOWN:
        error.code = Code.INVALID_ARGUMENT


class _Items:
    """The stream of a handler: an async iterator."""

    def __init__(self, items: ItemQueue[Any]) -> None:
        self._items = items

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        return await self._items.next()


def _inside(middleware: ServerMiddleware, inner: ServerNext) -> ServerNext:
    async def run(request: ServerRequest) -> Any:
        return await middleware(request, inner)

    return run
