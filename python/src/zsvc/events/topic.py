"""`Topic`: all of one publisher, under one lock: what it keeps, who has subscribed, and what waits for each."""

from __future__ import annotations

import random
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from .catch_up import CatchUp
from .event_type import EVENT, MISSED, EventType, Notice, Position, Posted, Slow
from .kept import Kept, Recent
from .wanted import Wanted

NOT_YET = Notice(0, None)
"""Stands for what may come at once."""


@dataclass(frozen=True)
class Limits:
    """What a topic may keep."""

    max_waiting: int
    max_kept: int
    max_kept_bytes: int
    max_recent: int
    max_recent_bytes: int


@dataclass
class Came:
    """What has come of an event that was sent."""

    wakes: list[Callable[[], None]] = field(default_factory=list[Callable[[], None]])
    """To be called once no lock is held."""
    dropped: int = 0
    ended: int = 0


class Queue:
    """Events that wait for one subscriber, with a bound in bytes. One alone may be larger."""

    def __init__(self, slow: Slow, max_bytes: int) -> None:
        self._slow, self._max_bytes = slow, max_bytes
        self._events: OrderedDict[Any, Posted] = OrderedDict()
        """By their keys with `@slow(conflate)`, else by their sequence numbers."""
        self._bytes = 0
        self._missed = 0
        self.may_miss = False
        """Whether events may have been meant for the subscriber that it never gets."""

    def push(self, posted: Posted) -> int | None:
        """Takes an event. Returns how many were dropped for it; `None` if the subscription ends instead."""
        name: Any = posted.sequence
        if self._slow is Slow.CONFLATE:
            name = posted.key
            older = self._events.pop(name, None)
            self._bytes -= 0 if older is None else older.size
        dropped = 0
        while self._events and self._bytes + posted.size > self._max_bytes:
            if self._slow is Slow.DISCONNECT:
                return None
            self._take()
            dropped += 1
        self._missed += dropped
        self._events[name] = posted
        self._bytes += posted.size
        return dropped

    def _take(self) -> Posted:
        posted = self._events.popitem(last=False)[1]
        self._bytes -= posted.size
        return posted

    def pop(self) -> Notice | None:
        """Takes what comes next."""
        if self._missed or self.may_miss:
            count = None if self.may_miss else self._missed
            self._missed, self.may_miss = 0, False
            return Notice(MISSED, count)
        return Notice(EVENT, self._take()) if self._events else None

    def clear(self) -> None:
        """Drops all."""
        self._events.clear()
        self._bytes = 0


class Mailbox:
    """One subscriber: what it asks for, and what waits for it. `user` is whatever its maker wants to find again."""

    def __init__(self, wanted: Wanted, user: Any, catch_up: CatchUp, queue: Queue) -> None:
        self.wanted, self.user = wanted, user
        self.number = 0
        self._catch_up: CatchUp | None = catch_up
        self._queue = queue
        self.is_over = False
        """Whether the subscriber did not keep up, and the subscription has ended."""
        self.has_left = False
        self.on_event: Callable[[], None] | None = None
        """Called once, when something has come. Set by who waits, under the lock."""
        self.on_over: Callable[[], None] = lambda: None
        """Called when the subscription has ended."""

    def push(self, posted: Posted, came: Came) -> None:
        """Takes an event."""
        dropped = self._queue.push(posted)
        if dropped is None:
            self.is_over = True
            self._queue.clear()
            self._catch_up = None
            came.ended += 1
            came.wakes.append(self.on_over)
        else:
            came.dropped += dropped
        self._wake(came)

    def note_missed(self, came: Came) -> None:
        """Notes that an event may have been meant for the subscriber that does not come."""
        self._queue.may_miss = True
        self._wake(came)

    def _wake(self, came: Came) -> None:
        wake, self.on_event = self.on_event, None
        if wake is not None:
            came.wakes.append(wake)

    def take(self) -> Notice | None:
        """Takes what comes next. `NOT_YET` is nothing, but there may be something if `take` is called again."""
        catch_up = self._catch_up
        if catch_up is None:
            return self._queue.pop()
        notice = catch_up.pop()
        if notice is None:
            catch_up.step()
            notice = catch_up.pop()
        if catch_up.is_done:
            self._catch_up = None
        return notice or NOT_YET


class Topic:
    """All of one publisher. `lock` is held for every method; no code of the program's runs under it."""

    def __init__(self, event: EventType, limits: Limits) -> None:
        self.lock = threading.Lock()
        self._event, self._limits = event, limits
        self._epoch = random.SystemRandom().getrandbits(63)
        self._last = 0
        self.kept = Kept(event.kept, limits.max_kept, limits.max_kept_bytes)
        self._recent = Recent(limits.max_recent, limits.max_recent_bytes)
        self._by_key: dict[tuple[bytes, ...], dict[int, Mailbox]] = {}
        """Those who ask for a few full keys."""
        self._scanned: dict[int, Mailbox] = {}
        """The others."""
        self._joined = 0
        self.subscribers = 0

    def _of(self, key: tuple[bytes, ...]) -> Iterator[Mailbox]:
        """Yields those that an event with this key is for."""
        yield from self._by_key.get(key, {}).values()
        yield from (mailbox for mailbox in self._scanned.values() if mailbox.wanted.passes(key))

    def _number(self, posted: Posted) -> None:
        self._last += 1
        posted.sequence = self._last

    def post(self, posted: Posted) -> Came:
        """Publishes an event to all who have asked for it."""
        self._number(posted)
        self.kept.push(posted)
        self._recent.push(posted)
        came = Came()
        for mailbox in [it for it in self._of(posted.key) if not it.is_over]:
            mailbox.push(posted, came)
        return came

    def audience(self, posted: Posted) -> tuple[list[Mailbox], int]:
        """Returns those who have asked for an event, and the number of the newest subscriber."""
        return list(self._of(posted.key)), self._joined

    def post_to(self, posted: Posted, chosen: set[int], newest: int) -> Came:
        """Publishes an event to those with these numbers. Who has joined since is told that it may miss one."""
        self._number(posted)
        self._recent.push_addressed(posted.sequence)
        came = Came()
        for mailbox in [it for it in self._of(posted.key) if not it.is_over]:
            if mailbox.number in chosen:
                mailbox.push(posted, came)
            elif mailbox.number > newest:
                mailbox.note_missed(came)
        return came

    def join(self, wanted: Wanted, since: Position | None, user: Any) -> Mailbox:
        """Adds a subscriber. First come the epoch, what was missed since its position, and what was kept."""
        queue = Queue(self._event.slow, self._limits.max_waiting)
        position = Position(self._epoch, self._last)
        mailbox = Mailbox(wanted, user, CatchUp(self.kept, self._recent, wanted, since, position), queue)
        self._joined += 1
        mailbox.number = self._joined
        self.subscribers += 1
        for mailboxes in self._places(mailbox):
            mailboxes[mailbox.number] = mailbox
        return mailbox

    def leave(self, mailbox: Mailbox) -> Came:
        """Removes a subscriber. What waits can still be taken."""
        came = Came()
        if mailbox.has_left:
            return came
        mailbox.has_left = True
        self.subscribers -= 1
        for mailboxes in self._places(mailbox):
            del mailboxes[mailbox.number]
        for key in mailbox.wanted.full_keys() or ():
            if not self._by_key[key]:
                del self._by_key[key]
        mailbox._wake(came)
        return came

    def _places(self, mailbox: Mailbox) -> list[dict[int, Mailbox]]:
        keys = mailbox.wanted.full_keys()
        return [self._scanned] if keys is None else [self._by_key.setdefault(key, {}) for key in keys]
