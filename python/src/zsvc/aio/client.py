"""`AsyncClient`: the base of generated clients for asyncio."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from typing_extensions import Never, Self

from ..codec.writer import Body
from ..connect import Channel
from ..method import Method, encode_item
from ..options import Beside, CallOptions
from ..session.failure import Failure
from ..session.gathered import Gathered
from ..status import Code, Status
from ..wire.records import Metadata
from .bridge import bridge
from .middleware import ClientMiddleware, ClientNext, ClientRequest
from .streams import ItemQueue, Sending

T = TypeVar("T")
S = TypeVar("S")


class Call:
    """One call, in the event loop that has made it."""

    def __init__(self, channel: Channel, request: ClientRequest) -> None:
        self.method, self.options = request.method, request.options
        self._channel, self._bridge = channel, bridge()
        self._max_body = channel.limits.max_message_size
        self.answer: asyncio.Future[Body | None] = asyncio.get_running_loop().create_future()
        self.sending: Sending | None = None
        self.beside = Beside(request.options.response_metadata)
        self.items: ItemQueue[Any] | None = None
        self._is_over = False
        channel.check_open()
        self.pending = channel.maker.make(request.method, request.values, request.options, self)
        if request.method.kind.answers_items:
            assert request.method.answer is not None
            window = channel.limits.stream_window
            self.items = ItemQueue(request.method.answer, self._max_body, window, self._consumed, self.cancel)
            # The stream tells how the call has failed, and maybe nothing waits for the answer.
            self.answer.add_done_callback(lambda answer: answer.cancelled() or answer.exception())
        core, pending = channel.core, self.pending
        if request.method.kind.takes_items:
            self.sending = Sending()
            self._gathered = Gathered(core.post, lambda *items: core.send_items(pending, *items))
        core.begin(pending, may_work=True)

    # ---- what the channel's thread tells

    def on_answer(self, body: Body | None) -> None:
        """Tells the answer."""
        self._bridge.post(lambda: self._ended(body, None))

    def on_failure(self, failure: Failure) -> None:
        """Tells that the call has failed."""
        self._bridge.post(lambda: self._ended(None, self.method.exception(failure, self._max_body)))

    def on_items(self, body: Body) -> None:
        """Tells that items have come."""
        self._bridge.post(lambda: self._add(body))

    def on_room(self, size: int) -> None:
        """Tells that items have left."""
        sending = self.sending
        if sending is not None:
            self._bridge.post(lambda: sending.made_room(size))

    def on_metadata(self, metadata: Metadata) -> None:
        """Tells names and values beside the answer."""
        self._bridge.post(lambda: self.beside.add(metadata))

    def on_repeat(self) -> None:
        """Tells that the call is made again."""
        self._bridge.post(self.beside.forget)

    # ---- in the event loop

    def _ended(self, body: Body | None, error: Exception | None) -> None:
        self._is_over = True
        if not self.answer.done():
            if error is None:
                self.answer.set_result(body)
            else:
                self.answer.set_exception(error)
        if self.sending is not None:
            self.sending.end(error or Status(Code.CANCELLED, "the call is over: its answer has come"))
        if self.items is not None:
            self.items.end(error)

    def _add(self, body: Body) -> None:
        assert self.items is not None
        self.items.add(body)

    def _consumed(self, size: int) -> None:
        core, pending = self._channel.core, self.pending
        core.post(lambda: core.consumed(pending, size))

    def cancel(self, error: Exception | None = None) -> None:
        """Gives the call up, unless it has ended."""
        # Not whether the answer is there: it counts as cancelled where the task that waits for it is.
        if not self._is_over:
            core, pending = self._channel.core, self.pending
            with contextlib.suppress(RuntimeError):
                core.post(lambda: core.cancel(pending))
            self._ended(None, error or Status(Code.CANCELLED, "the call was cancelled"))

    async def wait(self) -> Body | None:
        """Waits for the answer. If the waiting task is cancelled, so is the call."""
        try:
            return await self.answer
        except asyncio.CancelledError:
            self.cancel()
            raise

    async def send(self, item: Any) -> None:
        """Sends an item, once there is room for it."""
        assert self.sending is not None
        await self.sending.room()
        body = encode_item(self.method.item, item, self._max_body)
        self.sending.add(len(body))
        self._gathered.add(body)

    def finish(self) -> None:
        """Ends the client's stream."""
        core, pending = self._channel.core, self.pending
        core.post(lambda: core.finish(pending))

    async def upload(self, items: AsyncIterable[Any] | Iterable[Any]) -> None:
        """Sends all items, and ends the stream. If the items fail, the call is cancelled and fails with their error."""
        try:
            if isinstance(items, AsyncIterable):
                async for item in items:
                    await self.send(item)
            else:
                for item in items:
                    await self.send(item)
        except Exception as error:
            self.cancel(error)
        else:
            self.finish()


class Streaming(Generic[T]):
    """The answers of a call: an async iterator.

    Leaving it before its end cancels the call: use it in an `async with`, or call `aclose`.
    """

    def __init__(self, call: Call | None, opening: Callable[[], Awaitable[Call]] | None = None) -> None:
        """`opening` makes the call when it is first needed, where there is none."""
        self._call = call
        self._opening = opening
        self._task: asyncio.Future[Call] | None = None

    async def _opened(self) -> Call:
        if self._call is None:
            assert self._opening is not None
            if self._task is None:
                self._task = asyncio.ensure_future(self._opening())
            self._call = await self._task
        return self._call

    def _cancel(self) -> None:
        if self._task is not None and not self._task.done():
            self._task.cancel()
        if self._call is not None:
            self._call.cancel()

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    if not TYPE_CHECKING:  # who checks types knows

        def __iter__(self) -> Never:
            self._cancel()
            raise TypeError("the answers of a client for asyncio come by `async for`; a blocking client has `for`")

    async def __anext__(self) -> T:
        call = self._call or await self._opened()
        assert call.items is not None
        item: T = await call.items.next()
        return item

    async def aclose(self) -> None:
        """Cancels the call, unless it has ended."""
        self._cancel()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cancel()

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self._cancel()


class Duplex(Streaming[T], Generic[S, T]):
    """A stream each way: `send` items, `finish`, and iterate over the answers. Read while you send."""

    async def send(self, item: S) -> None:
        """Sends an item, once the server has room for it. Raises why the call has failed, if it has."""
        call = self._call or await self._opened()
        await call.send(item)

    async def finish(self) -> None:
        """Ends the stream of items; the answers go on. Leaving without it cancels the call."""
        call = self._call or await self._opened()
        call.finish()


class AsyncClient:
    """The base of generated clients."""

    def __init__(self, channel: Channel, options: CallOptions | None = None) -> None:
        self._channel = channel
        self._options = options or CallOptions()
        self._owns = False

    @classmethod
    def connect(cls, *endpoints: str, **options: Any) -> Self:
        """Returns a client with a channel of its own, which takes the same arguments. It connects in the background."""
        client = cls(Channel(*endpoints, **options))
        client._owns = True
        return client

    @property
    def channel(self) -> Channel:
        """The channel, which other clients may share."""
        return self._channel

    def with_options(self, **options: Any) -> Self:
        """Returns a client whose calls have these options (see `CallOptions`): `client.with_options(timeout=0.05)`."""
        return type(self)(self._channel, self._options.but(options))

    async def aclose(self) -> None:
        """Closes the channel, if it is this client's own."""
        if self._owns:
            await self._channel.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._channel!r}>"

    # ---- for generated code

    async def _unary(self, method: Method[T], *values: Any) -> T:
        answer: T = await self._through(method, list(values), self._run_unary)
        return answer

    async def _run_unary(self, request: ClientRequest) -> Any:
        call = Call(self._channel, request)
        return request.method.decode_answer(await call.wait(), self._channel.limits.max_message_size)

    async def _upload(self, method: Method[T], items: AsyncIterable[Any] | Iterable[Any], *values: Any) -> T:
        async def run(request: ClientRequest) -> Any:
            call = Call(self._channel, request)
            upload = asyncio.ensure_future(call.upload(items))
            try:
                body = await call.wait()
            finally:
                upload.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await upload
            return request.method.decode_answer(body, self._channel.limits.max_message_size)

        answer: T = await self._through(method, list(values), run)
        return answer

    def _stream(self, method: Method[T], *values: Any) -> Streaming[T]:
        return Streaming(*self._opening(method, list(values)))

    def _duplex(self, method: Method[T], *values: Any) -> Duplex[Any, T]:
        return Duplex(*self._opening(method, list(values)))

    def _opening(
        self, method: Method[Any], values: list[Any]
    ) -> tuple[Call | None, Callable[[], Awaitable[Call]] | None]:
        """Returns a call that streams, or what makes it inside of the channel's middleware."""
        if not self._channel.middleware:
            return Call(self._channel, ClientRequest(method, values, self._options)), None

        async def run(request: ClientRequest) -> Call:
            return Call(self._channel, request)

        async def open() -> Call:
            call: Call = await self._through(method, values, run)
            return call

        return None, open

    async def _through(self, method: Method[Any], values: list[Any], run: ClientNext) -> Any:
        """Runs a call inside of the channel's middleware; the first is the outermost."""
        for middleware in reversed(self._channel.middleware):
            run = _inside(middleware, run)
        return await run(ClientRequest(method, values, self._options))


def _inside(middleware: ClientMiddleware, inner: ClientNext) -> ClientNext:
    async def run(request: ClientRequest) -> Any:
        return await middleware(request, inner)

    return run
