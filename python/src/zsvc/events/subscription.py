"""`Subscription`: a stream of events, for asyncio and for threads."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Generator, Iterator, Mapping
from types import TracebackType
from typing import Any, Generic, TypeVar

from typing_extensions import Self

from ..aio.client import AsyncClient, Streaming
from ..blocking import BlockingCall
from ..connect import Channel
from ..options import CallOptions
from ..status import Status
from .event_type import Notice, Position, find
from .progress import NOTHING, Live, Missed, Progress, SubscribeOptions

E = TypeVar("E")


class _Asking:
    """What is asked for."""

    def __init__(self, event: type[Any], options: SubscribeOptions | None, keys: Mapping[str, Any]) -> None:
        options = options or SubscribeOptions()
        self.event = find(event)
        self.filter = self.event.filter(keys)
        self.progress = Progress(self.event.name, options.since)
        # Nor the deadline of the call whose handler subscribes: a subscription is for as long as it is held.
        self.options = CallOptions(timeout=None, metadata=options.metadata)

    def values(self) -> list[Any]:
        """Returns the parameters of the next call."""
        return [self.filter, self.progress.position]


class Subscription(Generic[E]):
    """Events as they come: an async iterator of events, `Missed` and `Live`.

    After a lost connection, or a restart of the server, it goes on by itself for as long as the channel is open, and
    says what is missing. Any other failure is raised, and is the end. Use it in an `async with`, or call `aclose`.
    """

    def __init__(
        self, channel: Channel, event: type[E], options: SubscribeOptions | None, keys: Mapping[str, Any]
    ) -> None:
        self._asking = _Asking(event, options, keys)
        self._client = AsyncClient(channel, self._asking.options)
        self._stream: Streaming[Notice] | None = None
        self._again_at = 0.0
        self._is_over = False

    @property
    def position(self) -> Position | None:
        """How far it has come, for a later one to go on from there; `None` until kept events have come."""
        return self._asking.progress.position

    def __await__(self) -> Generator[Any, Any, Self]:
        return self._open().__await__()

    async def _open(self) -> Self:
        """Waits until the server has said that it sends what is published from then on. Raises `Status`."""
        while not self._asking.progress.is_open and not self._is_over:
            await self._step()
        return self

    async def _step(self) -> Any:
        """Reads one item, or makes a call again. Returns a delivery, or `NOTHING`."""
        progress = self._asking.progress
        try:
            if self._stream is None:
                await asyncio.sleep(self._again_at - time.monotonic())
                self._stream = self._client._stream(self._asking.event.method, *self._asking.values())
            try:
                notice = await self._stream.__anext__()
            except StopAsyncIteration:
                raise progress.ended() from None
        except asyncio.CancelledError:
            if self._stream is not None and self._stream._call is None:
                # The call was still being made, and is cancelled with the wait for it.
                self._stream = None
            raise
        except Exception as error:
            self._lose(error)
            return NOTHING
        try:
            return progress.take(notice)
        except Status:
            self._end()
            raise

    def _lose(self, error: Exception) -> None:
        if self._stream is not None:
            self._stream._cancel()
            self._stream = None
        try:
            self._again_at = time.monotonic() + self._asking.progress.pause(error)
        except Exception:
            self._end()
            raise

    def _end(self) -> None:
        self._is_over = True
        if self._stream is not None:
            self._stream._cancel()
            self._stream = None

    def __aiter__(self) -> AsyncIterator[E | Missed | Live]:
        return self

    async def __anext__(self) -> E | Missed | Live:
        while not self._is_over:
            delivery: E | Missed | Live = await self._step()
            if delivery is not NOTHING:
                return delivery
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Ends the subscription."""
        self._end()

    async def __aenter__(self) -> Self:
        return await self._open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def __repr__(self) -> str:
        return f"<zsvc.Subscription to {self._asking.event.name}>"


class BlockingSubscription(Generic[E]):
    """As `Subscription`, for threads: an iterator. One thread reads it; any may close it."""

    def __init__(
        self, channel: Channel, event: type[E], options: SubscribeOptions | None, keys: Mapping[str, Any]
    ) -> None:
        self._asking, self._channel = _Asking(event, options, keys), channel
        self._call: BlockingCall | None = None
        self._again_at = 0.0
        self._closed = threading.Event()

    @property
    def position(self) -> Position | None:
        """How far it has come, for a later one to go on from there; `None` until kept events have come."""
        return self._asking.progress.position

    def _open(self, timeout: float | None) -> Self:
        until = None if timeout is None else time.monotonic() + timeout
        while not self._asking.progress.is_open and not self._closed.is_set():
            self._step(until)
        return self

    def _step(self, until: float | None) -> Any:
        progress = self._asking.progress
        try:
            if self._call is None:
                self._pause(until)
                if self._closed.is_set():
                    return NOTHING
                call = BlockingCall(
                    self._channel, self._asking.event.method, self._asking.values(), self._asking.options
                )
                self._call = call
                if self._closed.is_set():
                    call.cancel()
            try:
                notice = self._call.next(None if until is None else max(until - time.monotonic(), 0.0))
            except StopIteration:
                raise progress.ended() from None
        except TimeoutError:
            raise
        except Exception as error:
            if not self._closed.is_set():
                self._lose(error)
            return NOTHING
        try:
            return progress.take(notice)
        except Status:
            self.close()
            raise

    def _pause(self, until: float | None) -> None:
        left = self._again_at - time.monotonic()
        if until is not None and until < self._again_at:
            self._closed.wait(max(until - time.monotonic(), 0.0))
            if not self._closed.is_set():
                raise TimeoutError("no event has come in time")
        elif left > 0:
            self._closed.wait(left)

    def _lose(self, error: Exception) -> None:
        call, self._call = self._call, None
        if call is not None:
            call.cancel()
        try:
            self._again_at = time.monotonic() + self._asking.progress.pause(error)
        except Exception:
            self.close()
            raise

    def next(self, timeout: float | None = None) -> E | Missed | Live:
        """Returns what comes next. Raises `TimeoutError` if that is nothing in time, and `StopIteration` at the end."""
        until = None if timeout is None else time.monotonic() + timeout
        while not self._closed.is_set():
            delivery: E | Missed | Live = self._step(until)
            if delivery is not NOTHING:
                return delivery
        raise StopIteration

    def close(self) -> None:
        """Ends the subscription, and the wait of a thread that reads it."""
        self._closed.set()
        call = self._call
        if call is not None:
            call.cancel()

    def __iter__(self) -> Iterator[E | Missed | Live]:
        return self

    def __next__(self) -> E | Missed | Live:
        return self.next()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_closed", None) is not None:
            self.close()

    def __repr__(self) -> str:
        return f"<zsvc.BlockingSubscription to {self._asking.event.name}>"


def subscribe(
    channel: Channel, event: type[E], options: SubscribeOptions | None, keys: Mapping[str, Any]
) -> Subscription[E]:
    """Returns a subscription that is made when it is first needed."""
    return Subscription(channel, event, options, keys)


def subscribe_blocking(
    channel: Channel, event: type[E], options: SubscribeOptions | None, keys: Mapping[str, Any]
) -> BlockingSubscription[E]:
    """Returns a subscription that is made. Raises `Status`, and `TimeoutError`."""
    subscription = BlockingSubscription(channel, event, options, keys)
    try:
        return subscription._open(None if options is None else options.ready)
    except BaseException:
        subscription.close()
        raise
