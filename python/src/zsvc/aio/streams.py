"""Streams: async iterators with credit, and what sends items."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from ..codec.form import Form
from ..codec.items import ItemBuffer
from ..codec.reader import DecodeError
from ..codec.writer import Body
from ..method import unreadable
from ..session.flow import ITEM_OVERHEAD
from ..status import Outcome, Status

T = TypeVar("T")
MAX_UNSENT = 256 * 1024
"""Bytes of items that a sender may have waiting for credit before it waits itself."""
_TURN = 0.002
"""Seconds for which a sender that never waits keeps the event loop from others."""


class ItemQueue(Generic[T]):
    """Items that have come and were not read yet. All methods are for the event loop's thread."""

    def __init__(
        self,
        form: Form,
        max_body: int,
        window: int,
        consumed: Callable[[int], None],
        broken: Callable[[Status], None],
    ) -> None:
        """`consumed` is told of bytes that were read, `broken` of why an item can't be: no further ones can, then."""
        self._consumed_fn, self._broken = consumed, broken
        self._report_at = max(window // 4, 1)
        self._items: ItemBuffer[T] = ItemBuffer(form, max_body)
        self._consumed = 0
        self._end: Exception | None = None
        self._is_over = False
        self._waiter: asyncio.Future[None] | None = None

    def add(self, body: Body) -> None:
        """Adds the items of a record."""
        if not self._is_over:
            self._items.add(body)
            self._wake()

    def end(self, error: Exception | None) -> None:
        """Ends the stream: what has come is read before."""
        if not self._is_over:
            self._is_over, self._end = True, error
            self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def next(self) -> T:
        """Returns the next item. Raises `StopAsyncIteration` at the end, or why the stream has failed."""
        while not self._items:
            if self._is_over:
                if self._end is not None:
                    raise self._end
                raise StopAsyncIteration
            if self._waiter is not None and not self._waiter.done():
                raise RuntimeError("a stream is read by one task at a time")
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        try:
            item, size = self._items.take()
        except DecodeError as error:
            wrong = unreadable("an item", error, Outcome.MAYBE_EXECUTED)
            self._broken(wrong)
            self._is_over, self._end = True, wrong
            raise wrong from None
        self._consumed += size
        if self._consumed >= self._report_at:
            self._consumed_fn(self._consumed)
            self._consumed = 0
        return item


class Sending:
    """The bytes of items that wait for credit. All methods are for the event loop's thread."""

    def __init__(self) -> None:
        self._unsent = 0
        self._error: Exception | None = None
        self._waiters: list[asyncio.Future[None]] = []
        self._turn_ends = 0.0

    def add(self, size: int) -> None:
        """Counts an item."""
        self._unsent += size + ITEM_OVERHEAD

    def made_room(self, size: int) -> None:
        """Counts items that have left."""
        self._unsent -= size
        if self._unsent < MAX_UNSENT:
            self._wake()

    def end(self, error: Exception) -> None:
        """Tells that the call is over, for which no item can be sent any longer."""
        self._error = self._error or error
        self._wake()

    def check(self) -> None:
        """Raises why no item can be sent any longer."""
        if self._error is not None:
            raise self._error

    async def room(self) -> None:
        """Waits until there is room for an item, and lets others have their turns."""
        self.check()
        if time.monotonic() >= self._turn_ends:
            if self._turn_ends:
                await asyncio.sleep(0)
                self.check()
            self._turn_ends = time.monotonic() + _TURN
        while self._unsent >= MAX_UNSENT:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter
            self.check()

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
