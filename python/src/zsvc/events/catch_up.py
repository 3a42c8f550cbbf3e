"""`CatchUp`: how far a subscriber has come with what was published before it joined.

It holds a place among the events that its topic keeps, and none of these, so that subscribers who do not read take no
more memory where much is kept.
"""

from __future__ import annotations

import enum
from collections import deque

from .event_type import EVENT, LIVE, MISSED, OPENED, Notice, Opened, Position, Posted
from .kept import Kept, Recent
from .wanted import Wanted

_MAX_LOOKED_AT = 256
"""Events that one step looks at, under the lock of the topic."""
_MAX_NOTICES = 32
"""Notices after which a step ends."""
_MAX_BYTES = 16 * 1024
"""Bytes of events after which a step ends. One may be larger."""


class _Losses(enum.Enum):
    """What the subscriber is told of events that are not there any more."""

    NONE = "none"
    """Nothing: it has asked for what is kept when it gets there."""
    COUNTED = "counted"
    """Their number, where they were."""
    SUSPECTED = "suspected"
    """That there may be some: which of those that are gone had been asked for can't be known."""
    TOLD = "told"
    """No more: that some may be missing was told, and holds for all that comes before `LIVE`."""


class CatchUp:
    """What a subscriber is told first: the epoch, what it has missed, the events that are kept, and that it is live."""

    def __init__(self, kept: Kept, recent: Recent, wanted: Wanted, since: Position | None, position: Position) -> None:
        """`since` is where an earlier subscription was, `position` where the topic is: what comes later is not told."""
        self._kept, self._recent, self._wanted = kept, recent, wanted
        self._until = position.sequence
        self._after = 0
        """The number of the last event that was found, or passed over."""
        self._missing = 0
        """Number of events that are gone, of those after the last one that was found."""
        self._losses = _Losses.NONE
        self._found = deque([Notice(OPENED, Opened(*position))])
        self._has_ended = False
        if since is not None:
            self._begin(since, position)

    def _begin(self, since: Position, position: Position) -> None:
        if since.epoch != position.epoch or since.sequence > position.sequence:
            # Of another life nothing is known, nor of events that this life has not published.
            self._found.append(Notice(MISSED, None))
            return
        self._after = since.sequence
        if self._recent.has_addressed_after(since.sequence):
            self._losses = _Losses.TOLD
            self._found.append(Notice(MISSED, None))
        else:
            self._losses = _Losses.COUNTED if self._wanted.is_everything else _Losses.SUSPECTED

    @property
    def is_done(self) -> bool:
        """Whether everything was taken, and what follows comes from the mailbox."""
        return self._has_ended and not self._found

    def pop(self) -> Notice | None:
        """Takes what comes next, of what the last step has found."""
        return self._found.popleft() if self._found else None

    def step(self) -> None:
        """Looks for what comes next, under the lock of the topic. Takes no longer with many events than with few."""
        if self._has_ended:
            return
        self._suspect()
        looked = size = 0
        while looked < _MAX_LOOKED_AT and size < _MAX_BYTES and len(self._found) < _MAX_NOTICES:
            if self._after >= self._until:
                self._tell_missing()
                self._found.append(Notice(LIVE, self._until))
                self._has_ended = True
                return
            posted, number, places = self._next(_MAX_LOOKED_AT - looked)
            looked += places
            self._missing += number - self._after - (posted is not None)
            self._after = number
            if posted is not None:
                size += posted.size
                self._tell_missing()
                self._found.append(Notice(EVENT, posted))

    def _tell_missing(self) -> None:
        missing, self._missing = self._missing, 0
        if missing and self._losses is _Losses.COUNTED:
            self._found.append(Notice(MISSED, missing))

    def _suspect(self) -> None:
        """Says that events may be missing, of those to come, if some may be that were asked for."""
        is_behind = self._after < min(self._recent.dropped, self._until)
        if is_behind and self._losses is _Losses.SUSPECTED and not self._kept.has_all_after(self._after, self._wanted):
            self._losses = _Losses.TOLD
            self._found.append(Notice(MISSED, None))

    def _next(self, most: int) -> tuple[Posted | None, int, int]:
        """Returns the next event or nothing, up to which number there is no other, and how many were looked at."""
        after, until, wanted = self._after, self._until, self._wanted
        gone = until if self._losses is _Losses.NONE else min(self._recent.dropped, until)
        if after < gone:
            return self._kept.next_after(after, gone, wanted, most)
        posted = self._recent.get(after + 1)
        return (posted if posted is not None and wanted.passes(posted.key) else None), after + 1, 1
