"""What a publisher keeps: the last events of each key, and the last ones of all. Used under the lock of the topic."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import deque

from .event_type import Posted
from .wanted import Wanted

_MAX_LOOKED_AT = 1024
"""Events that are looked at to learn whether any that passes a filter is gone. With more, one is taken to be."""


class _OfKey:
    """What is kept of one key."""

    __slots__ = ("key", "numbers", "replaced")

    def __init__(self, key: tuple[bytes, ...]) -> None:
        self.key = key
        """The key, which its events share, so that its bytes are there once."""
        self.numbers: list[int] = []
        """The numbers of its events, the oldest first; no key has none."""
        self.replaced = 0
        """The number of the newest event that a newer one has replaced."""


class Kept:
    """The last events of each key, for those who subscribe later. Past a bound the oldest of all go first."""

    def __init__(self, per_key: int, max_keys: int, max_bytes: int) -> None:
        self._per_key, self._max_keys, self._max_bytes = per_key, max_keys, max_bytes
        self._events: dict[int, Posted] = {}
        """All events by their sequence numbers, in ascending order."""
        self._order = array("Q")
        """Their numbers, to be searched, and those of some that have gone."""
        self._first = 0
        """The place of the first that may be there."""
        self._keys: dict[tuple[bytes, ...], _OfKey] = {}
        self._bytes = 0
        self._evicted = 0
        """The number of the newest event that was taken away by a bound or `forget`, and not by a newer one."""
        self._replaced = 0
        """The number of the newest event that a newer one of its key has replaced."""

    def __len__(self) -> int:
        return len(self._events)

    def push(self, posted: Posted) -> None:
        """Keeps an event, in place of the oldest of its key if there are enough."""
        if not self._per_key:
            return
        of_key = self._keys.setdefault(posted.key, _OfKey(posted.key))
        posted.key = of_key.key
        of_key.numbers.append(posted.sequence)
        self._bytes += posted.size
        self._events[posted.sequence] = posted
        self._order.append(posted.sequence)
        if len(of_key.numbers) > self._per_key:
            of_key.replaced = of_key.numbers.pop(0)
            # One of another key, which comes more often, may have gone before though it is newer.
            self._replaced = max(self._replaced, of_key.replaced)
            self._bytes -= self._events.pop(of_key.replaced).size
        while len(self._keys) > self._max_keys or self._bytes > self._max_bytes:
            self._evict()
        if len(self._order) > 2 * len(self._events) + 64:
            self._order, self._first = array("Q", self._events), 0

    def _evict(self) -> None:
        while (number := self._order[self._first]) not in self._events:
            self._first += 1
        oldest = self._events.pop(number)
        self._bytes -= oldest.size
        self._evicted = max(self._evicted, number)
        of_key = self._keys[oldest.key]
        of_key.numbers.pop(0)
        if not of_key.numbers:
            del self._keys[oldest.key]

    def forget(self, key: tuple[bytes, ...]) -> int:
        """Drops the events of a key, and returns how many these were."""
        of_key = self._keys.pop(key, None)
        if of_key is None:
            return 0
        for number in of_key.numbers:
            self._bytes -= self._events.pop(number).size
        # Who goes on from before it is to be told that something is not here any more.
        self._evicted = max(self._evicted, of_key.numbers[-1])
        return len(of_key.numbers)

    def next_after(self, after: int, until: int, wanted: Wanted, most: int) -> tuple[Posted | None, int, int]:
        """Returns the first event after one number, up to another, that passes, or nothing.

        The second is the number up to which there is no other; the third how many were looked at, which is about `most`
        at most.
        """
        keys = wanted.full_keys()
        if keys is not None:
            numbers = [self._next_of(key, after, until) for key in keys]
            number = min((number for number in numbers if number is not None), default=None)
            return (None, until, len(keys)) if number is None else (self._events[number], number, len(keys))
        looked = 0
        for place in range(bisect_right(self._order, after, self._first), len(self._order)):
            number = self._order[place]
            if number > until:
                break
            looked += 1
            posted = self._events.get(number)
            if posted is not None and wanted.passes(posted.key):
                return posted, number, looked
            if looked >= most:
                return None, number, looked
        return None, until, looked

    def _next_of(self, key: tuple[bytes, ...], after: int, until: int) -> int | None:
        of_key = self._keys.get(key)
        if of_key is None:
            return None
        place = bisect_right(of_key.numbers, after)
        return of_key.numbers[place] if place < len(of_key.numbers) and of_key.numbers[place] <= until else None

    def has_all_after(self, sequence: int, wanted: Wanted) -> bool:
        """Reports whether every event after a sequence number that passes is surely here.

        It takes no longer with many events than with few: where there are many, and a filter, it may say no though they
        are.
        """
        if not self._per_key or self._evicted > sequence:
            return False
        if self._replaced <= sequence:
            return True
        keys = wanted.full_keys()
        if keys is not None:
            return all(self._is_whole(key, sequence) for key in keys)
        # A key of which an event after it was replaced has a newer one.
        place = bisect_right(self._order, sequence, self._first)
        if wanted.is_everything or len(self._order) - place > _MAX_LOOKED_AT:
            return False
        newer = (self._events.get(number) for number in self._order[place:])
        return all(it is None or not wanted.passes(it.key) or self._is_whole(it.key, sequence) for it in newer)

    def _is_whole(self, key: tuple[bytes, ...], sequence: int) -> bool:
        of_key = self._keys.get(key)
        return of_key is None or of_key.replaced <= sequence


class Recent:
    """The last events, whatever their keys, without a gap, for subscribers whose connection was lost."""

    def __init__(self, max_events: int, max_bytes: int) -> None:
        self._max_events, self._max_bytes = max_events, max_bytes
        self._entries: deque[Posted | None] = deque()
        """`None` is one that was for some subscribers alone."""
        self._bytes = 0
        self.dropped = 0
        """The number of the last event that is not here any more."""
        self._addressed = 0
        """The number of the last event, here or not, that was for some alone."""

    def push(self, posted: Posted) -> None:
        """Takes the next event."""
        self._bytes += posted.size
        self._entries.append(posted)
        self._shrink()

    def push_addressed(self, sequence: int) -> None:
        """Notes the next event, which was for some subscribers alone."""
        self._addressed = sequence
        self._entries.append(None)
        self._shrink()

    def _shrink(self) -> None:
        while self._entries and (len(self._entries) > self._max_events or self._bytes > self._max_bytes):
            oldest = self._entries.popleft()
            self.dropped += 1
            self._bytes -= 0 if oldest is None else oldest.size

    def get(self, sequence: int) -> Posted | None:
        """Returns the event with a sequence number, if it is here and was for all."""
        place = sequence - self.dropped - 1
        return self._entries[place] if 0 <= place < len(self._entries) else None

    def has_addressed_after(self, sequence: int) -> bool:
        """Reports whether an event after a sequence number was for some alone."""
        return self._addressed > sequence
