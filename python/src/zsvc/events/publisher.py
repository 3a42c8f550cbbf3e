"""`Publisher`: what a program sends events by, and the handler of subscriptions."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from typing import Generic, TypeVar

from ..aio.bridge import bridge
from ..aio.server import Service
from ..codec.writer import EncodeError
from ..context import Context
from ..status import Cause, Code, Outcome, Status
from .event_type import EVENT, MISSED, EventType, Notice, Position, Posted, find
from .topic import NOT_YET, Came, Limits, Mailbox, Topic
from .wanted import MAX_KEY_BYTES, Wanted

E = TypeVar("E")
_ITEM_OVERHEAD = 64
"""What surrounds an event in its item, at most, in bytes."""


class Publisher(Service, Generic[E]):
    """What a program sends the events of one type by: `prices = Publisher(Price)`.

    Give it to a server: `Server(…, events=[prices])`. It may be used before that, by any thread and in any event loop.
    Events that the schema has kept reach those who subscribe later, for as long as the publisher lives.
    """

    def __init__(
        self,
        event: type[E],
        *,
        max_waiting: int = 1 << 20,
        max_kept: int = 65_536,
        max_kept_bytes: int = 64 << 20,
        max_recent: int = 1_024,
        max_recent_bytes: int = 1 << 20,
        max_event_size: int = (16 << 20) - _ITEM_OVERHEAD,
    ) -> None:
        """`max_waiting` are bytes of events that wait for one subscriber, past which `@slow` of the schema applies.

        `max_kept` is the number of keys of which events are kept for those who subscribe later, and `max_recent` that
        of events for those whose connection was lost; past either bound, the oldest go. An event counts for about 300
        bytes more than it has. Raises `TypeError` for a class that is no event.
        """
        self._type: EventType = find(event)
        self.__zsvc_methods__ = (self._type.method,)
        self._max_event = max_event_size
        limits = Limits(max_waiting, max_kept, max_kept_bytes, max_recent, max_recent_bytes)
        self._topic = Topic(self._type, limits)
        self._process = os.getpid()
        self.sent = 0
        """Number of events that were sent."""
        self.dropped = 0
        """Number of events that were dropped, of all subscribers together."""
        self.ended = 0
        """Number of subscriptions that have ended, since their readers did not keep up."""

    def send(self, event: E) -> None:
        """Sends an event to all who have asked for it. Never waits, and raises `Status` for one that can't be sent.

        It is encoded once. For a subscriber that does not read as fast it waits in memory, within `max_waiting`.
        """
        posted = self._posted(event)
        with self._topic.lock:
            came = self._topic.post(posted)
            self._count(came)
        _wake(came)

    def to(self, is_chosen: Callable[[Context], bool]) -> Addressed[E]:
        """Returns what sends events to some subscribers alone: those for which `is_chosen` returns true.

        It is given the context of each subscription, which knows the subscriber's `identity` and `key`. Such an event
        is never kept.
        """
        return Addressed(self, is_chosen)

    def forget(self, like: E) -> int:
        """Drops the events that are kept with the same key as this one, and returns how many these were."""
        posted = self._posted(like)
        with self._topic.lock:
            return self._topic.kept.forget(posted.key)

    @property
    def subscribers(self) -> int:
        """Number of subscriptions."""
        return self._topic.subscribers

    @property
    def kept(self) -> int:
        """Number of events that are kept for those who subscribe later."""
        return len(self._topic.kept)

    def __repr__(self) -> str:
        return f"<zsvc.Publisher of {self._type.name}>"

    # ---- inside

    def _posted(self, event: E) -> Posted:
        name = self._type.name
        if os.getpid() != self._process:
            text = "the publisher was made before this process was forked"
            raise Status(Code.UNAVAILABLE, text, outcome=Outcome.NOT_SENT)
        try:
            posted = self._type.post(event)
        except EncodeError as error:
            text = f"`{name}` can't be encoded: {error}"
            raise Status(Code.INVALID_ARGUMENT, text, outcome=Outcome.NOT_SENT, cause=Cause.BAD_VALUE) from None
        size, key = len(posted.body), sum(map(len, posted.key))
        if size > self._max_event:
            raise _too_large(f"`{name}` has {size} bytes, and the limit of the publisher is {self._max_event}")
        if key > MAX_KEY_BYTES:
            raise _too_large(f"the key of `{name}` has {key} bytes, and the limit is {MAX_KEY_BYTES}")
        return posted

    def _count(self, came: Came) -> None:
        self.sent += 1
        self.dropped += came.dropped
        self.ended += came.ended

    def _leave(self, mailbox: Mailbox) -> None:
        with self._topic.lock:
            came = self._topic.leave(mailbox)
        _wake(came)

    async def _subscribe(
        self, context: Context, wanted: Wanted | None, since: Position | None
    ) -> AsyncIterator[Notice]:
        """Handles a subscription: yields what waits for the subscriber, until the server drains."""
        loop, posts = asyncio.get_running_loop(), bridge()
        wanted = wanted or Wanted.of(self._type.name, self._type.keys)
        with self._topic.lock:
            mailbox = self._topic.join(wanted, since, context)
            mailbox.on_over = lambda: posts.post(lambda: context._abort(self._too_slow()))
        stay = context._when_draining(lambda: self._leave(mailbox))
        waiter: asyncio.Future[None] = loop.create_future()
        try:
            while True:
                with self._topic.lock:
                    if mailbox.is_over:
                        raise self._too_slow()
                    notice = mailbox.take()
                    if notice is None:
                        if mailbox.has_left:
                            text = "the server is about to shut down, and the subscription with it"
                            raise Status(Code.UNAVAILABLE, text)
                        waiter = loop.create_future()
                        mailbox.on_event = lambda waiter=waiter: posts.post(lambda: _set(waiter))
                if notice is None:
                    await waiter
                elif notice is NOT_YET:
                    await asyncio.sleep(0)
                else:
                    yield _within(notice, context._max_body)
        finally:
            stay()
            self._leave(mailbox)

    def _too_slow(self) -> Status:
        name = self._type.name
        text = (
            f"the subscriber did not keep up with `{name}`, whose `@slow(disconnect)` ends the subscription then; "
            "subscribe again, read faster, or ask for fewer keys"
        )
        return Status(Code.ABORTED, text)


class Addressed(Generic[E]):
    """Sends events to some subscribers alone: see `Publisher.to`."""

    def __init__(self, publisher: Publisher[E], is_chosen: Callable[[Context], bool]) -> None:
        self._publisher, self._is_chosen = publisher, is_chosen

    def send(self, event: E) -> None:
        """Sends an event to those who are chosen, and have asked for it. Otherwise as `Publisher.send`.

        Who subscribes while the choice is made does not get it, and is told that it may be missing.
        """
        publisher = self._publisher
        posted, topic = publisher._posted(event), publisher._topic
        with topic.lock:
            audience, newest = topic.audience(posted)
        # The choice is the program's code, so it is made without the lock.
        chosen = {mailbox.number for mailbox in audience if self._is_chosen(mailbox.user)}
        with topic.lock:
            came = topic.post_to(posted, chosen, newest)
            publisher._count(came)
        _wake(came)


def _wake(came: Came) -> None:
    for wake in came.wakes:
        wake()


def _set(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


def _within(notice: Notice, max_body: int) -> Notice:
    """Returns a notice if its item fits into a message; one that can't be sent would end the stream."""
    if notice.kind == EVENT and len(notice.value.body) + _ITEM_OVERHEAD > max_body:
        return Notice(MISSED, 1)
    return notice


def _too_large(text: str) -> Status:
    return Status(Code.RESOURCE_EXHAUSTED, text, outcome=Outcome.NOT_SENT, cause=Cause.TOO_LARGE)
