"""Clients for programs without an event loop. They may be used by several threads."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, Generic, TypeVar

from typing_extensions import Self

from .codec.items import ItemBuffer
from .codec.reader import DecodeError
from .codec.writer import Body
from .connect import Channel
from .method import Method, encode_item, unreadable
from .options import Beside, CallOptions
from .session.failure import Failure
from .session.flow import ITEM_OVERHEAD
from .session.gathered import Gathered
from .status import Code, Outcome, Status
from .wire.records import Metadata

T = TypeVar("T")
S = TypeVar("S")
_MAX_UNSENT = 256 * 1024


class BlockingCall:
    """One call, which threads wait for."""

    def __init__(self, channel: Channel, method: Method[Any], values: list[Any], options: CallOptions) -> None:
        self.method, self._channel, self._options = method, channel, options
        self._max_body = channel.limits.max_message_size
        self._changed = threading.Condition()
        self._is_over = False
        self._body: Body | None = None
        self._error: Exception | None = None
        self._items: ItemBuffer[Any] | None = None
        if method.answer is not None:
            self._items = ItemBuffer(method.answer, self._max_body)
        self._consumed = 0
        self._unsent = 0
        channel.check_open()
        self._beside = Beside(options.response_metadata)
        self._pending = channel.maker.make(method, values, options, self)
        core, pending = channel.core, self._pending
        self._gathered = Gathered(core.post, lambda *items: core.send_items(pending, *items))
        core.begin(pending)

    def _post(self, run: Callable[[], None]) -> None:
        self._channel.core.post(run)

    # ---- what the channel's thread tells

    def on_answer(self, body: Body | None) -> None:
        """Tells the answer."""
        self._end(body, None)

    def on_failure(self, failure: Failure) -> None:
        """Tells that the call has failed."""
        self._end(None, self.method.exception(failure, self._max_body))

    def on_items(self, body: Body) -> None:
        """Tells that items have come."""
        assert self._items is not None
        with self._changed:
            self._items.add(body)
            self._changed.notify_all()

    def on_room(self, size: int) -> None:
        """Tells that items have left."""
        with self._changed:
            self._unsent -= size
            self._changed.notify_all()

    def on_metadata(self, metadata: Metadata) -> None:
        """Tells names and values beside the answer."""
        self._beside.add(metadata)

    def on_repeat(self) -> None:
        """Tells that the call is made again."""
        self._beside.forget()

    def _end(self, body: Body | None, error: Exception | None) -> None:
        with self._changed:
            if not self._is_over:
                self._is_over, self._body, self._error = True, body, error
                self._changed.notify_all()

    def _give_up(self, error: Exception) -> None:
        self._post(lambda: self._channel.core.cancel(self._pending))
        self._end(None, error)

    # ---- for the callers' threads

    def cancel(self) -> None:
        """Gives the call up, unless it has ended."""
        with self._changed:
            if self._is_over:
                return
        with contextlib.suppress(RuntimeError):
            self._give_up(Status(Code.CANCELLED, "the call was cancelled", outcome=Outcome.MAYBE_EXECUTED))

    def wait(self) -> Any:
        """Waits for the answer. If that is interrupted, the call is cancelled."""
        try:
            with self._changed:
                while not self._is_over:
                    # With a limit, since a wait without one can't be interrupted on all systems.
                    self._changed.wait(3600)
        except BaseException:
            self.cancel()
            raise
        if self._error is not None:
            raise self._error
        return self.method.decode_answer(self._body, self._max_body)

    def next(self, timeout: float | None = None) -> Any:
        """Returns the next item. Raises `StopIteration` at the end, `TimeoutError`, or why the stream has failed."""
        with self._changed:
            if timeout is not None and not self._changed.wait_for(lambda: self._items or self._is_over, timeout):
                raise TimeoutError("nothing has come in time")
            while not self._items and not self._is_over:
                self._changed.wait(3600)
            if not self._items:
                if self._error is not None:
                    raise self._error
                raise StopIteration
            item, size = self._take()
            self._consumed += size
            consumed = self._consumed
            if consumed < max(self._channel.limits.stream_window // 4, 1):
                return item
            self._consumed = 0
        self._post(lambda: self._channel.core.consumed(self._pending, consumed))
        return item

    def _take(self) -> tuple[Any, int]:
        assert self._items is not None
        try:
            return self._items.take()
        except DecodeError as error:
            wrong = unreadable("an item", error, Outcome.MAYBE_EXECUTED)
            self._give_up(wrong)
            # Also where the end of the stream has come before.
            self._error = wrong
            raise wrong from None

    def send(self, item: Any) -> None:
        """Sends an item, once there is room for it."""
        body = encode_item(self.method.item, item, self._max_body)
        with self._changed:
            while self._unsent >= _MAX_UNSENT and not self._is_over:
                self._changed.wait(3600)
            if self._is_over:
                raise self._error or Status(Code.CANCELLED, "the call is over: its answer has come")
            self._unsent += len(body) + ITEM_OVERHEAD
        self._gathered.add(body)

    def finish(self) -> None:
        """Ends the client's stream."""
        self._post(lambda: self._channel.core.finish(self._pending))

    @property
    def is_over(self) -> bool:
        """Whether the call has ended."""
        return self._is_over


class BlockingStreaming(Generic[T]):
    """The answers of a call: an iterator.

    Leaving it before its end cancels the call: use it in a `with`, or call `close`.
    """

    def __init__(self, call: BlockingCall) -> None:
        self._call = call

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        item: T = self._call.next()
        return item

    def close(self) -> None:
        """Cancels the call, unless it has ended."""
        self._call.cancel()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self.close()


class BlockingDuplex(BlockingStreaming[T], Generic[S, T]):
    """A stream each way: `send` items, `finish`, and iterate over the answers, which another thread may do."""

    def send(self, item: S) -> None:
        """Sends an item, once the server has room for it. Raises why the call has failed, if it has."""
        self._call.send(item)

    def finish(self) -> None:
        """Ends the stream of items; the answers go on. Leaving without it cancels the call."""
        self._call.finish()


class BlockingClient:
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

    def close(self) -> None:
        """Closes the channel, if it is this client's own."""
        if self._owns:
            self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._channel!r}>"

    # ---- for generated code

    def _unary(self, method: Method[T], *values: Any) -> T:
        answer: T = BlockingCall(self._channel, method, list(values), self._options).wait()
        return answer

    def _upload(self, method: Method[T], items: Iterable[Any], *values: Any) -> T:
        call = BlockingCall(self._channel, method, list(values), self._options)
        try:
            for item in items:
                if call.is_over:
                    break
                call.send(item)
            call.finish()
        except BaseException:
            # The server has answered before the stream has ended, or failed the call: that is what is told.
            if not call.is_over:
                call.cancel()
                raise
        answer: T = call.wait()
        return answer

    def _stream(self, method: Method[T], *values: Any) -> BlockingStreaming[T]:
        return BlockingStreaming(BlockingCall(self._channel, method, list(values), self._options))

    def _duplex(self, method: Method[T], *values: Any) -> BlockingDuplex[Any, T]:
        return BlockingDuplex(BlockingCall(self._channel, method, list(values), self._options))
