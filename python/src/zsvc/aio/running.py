"""`RunningCall`: a handler that runs, in the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from ..codec.writer import Body, EncodeError
from ..context import Context
from ..method import Method, encode_item
from ..options import INHERITED_DEADLINE
from ..session.failure import Declared
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
        peer = b"".join(call.peer.route).hex()
        self._context = Context(method, call.metadata, call.deadline, peer, call.peer.key, self._send_metadata)
        if method.kind.takes_items:
            self.items = ItemQueue(method.item, self._max_body, server.limits.stream_window, self._consumed)
        self._has_begun = False
        self.task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Runs the handler in a task of its own."""
        context = contextvars.copy_context()
        context.run(INHERITED_DEADLINE.set, self._call.deadline)
        loop = asyncio.get_running_loop()
        self.task = context.run(lambda: loop.create_task(self._run(), name=self._method.name))
        # Not at the end of `_run`, which never begins if the call is over before.
        self.task.add_done_callback(lambda _: self._server.forget(self._call))

    # ---- what the session tells

    def ended(self, reason: str) -> None:
        """Ends the handler: its answer is not waited for."""
        self._context._end(reason)
        gone = Status(Code.CANCELLED, reason, outcome=Outcome.MAYBE_EXECUTED)
        self.sending.end(gone)
        if self.items is not None:
            self.items.end(gone)
        if self.task is not None:
            self.task.cancel()

    def add(self, body: Body) -> None:
        """Adds items that have come."""
        assert self.items is not None
        error = self.items.add(body)
        if error is not None:
            error.code = Code.INVALID_ARGUMENT if error.code is Code.UNKNOWN else error.code
            self._fail(error)
            self.ended("its client has sent items that can't be read")

    def complete(self) -> None:
        """Ends the stream of items."""
        assert self.items is not None
        self.items.end(None)

    # ---- inside

    def _post(self, run: Any) -> None:
        with contextlib.suppress(RuntimeError):
            self._driver.post(run)

    def _consumed(self, size: int) -> None:
        self._post(lambda: self._driver.session.consumed(self._call, size))

    def _send_metadata(self, metadata: dict[str, str | bytes]) -> None:
        self._post(lambda: self._driver.session.send_metadata(self._call, metadata))

    def _fail(self, failure: Status | Declared) -> None:
        self._post(lambda: self._driver.session.fail(self._call, failure))

    async def _run(self) -> None:
        try:
            answer = await self._through_middleware()
        except asyncio.CancelledError:
            # The call is over already, or something within the handler was cancelled: then its caller is told.
            self._fail(Status(Code.CANCELLED, "the handler was cancelled", outcome=Outcome.MAYBE_EXECUTED))
        except BaseException as error:
            self._fail(self._failure_of(error))
            if not isinstance(error, Exception):
                raise
        else:
            self._reply(answer)
        finally:
            self._context._end("the handler has ended")

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
        self._post(lambda: session.reply(call, body))

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
        return Status(Code.INTERNAL, text, outcome=outcome, cause=Cause.PANICKED)

    async def _through_middleware(self) -> Any:
        run: ServerNext = self._handle
        for middleware in reversed(self._server.middleware):
            run = _inside(middleware, run)
        return await run(ServerRequest(self._context, self._method))

    async def _handle(self, request: ServerRequest) -> Any:
        method, context = self._method, request.context
        values = method.decode_parameters(self._call.body, self._max_body)
        self._call.body = Body(b"", [], [])
        self._has_begun = True
        handler = getattr(self._service, method.handler)
        if self.items is not None:
            values.append(_Items(self.items))
        if method.is_blocking and not method.kind.takes_items and not method.kind.answers_items:
            return await self._in_thread(lambda: handler(context, *values))
        result = handler(context, *values)
        if not method.kind.answers_items:
            return await result
        await self._send_all(result)
        return None

    async def _in_thread(self, run: Any) -> Any:
        context = contextvars.copy_context()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._server.threads, lambda: context.run(run))

    async def _send_all(self, items: AsyncIterator[Any]) -> None:
        """Sends what a handler yields, as its reader has room."""
        session, call = self._driver.session, self._call
        assert self._method.answer is not None
        try:
            async for item in items:
                await self.sending.room()
                body = self._encoded(item)
                self.sending.add(len(body))
                self._post(lambda body=body: session.send_item(call, body))
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
