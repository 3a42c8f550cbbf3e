"""`Progress`: what a subscription makes of the items that come, over as many connections as it takes."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..channel.retry import MAX_HINT
from ..status import Cause, Code, Outcome, Status
from .event_type import EVENT, LIVE, MISSED, OPENED, Notice, Opened, Position

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
NOTHING: Any = object()
"""An item that is nothing for the subscriber."""


@dataclass(frozen=True)
class Missed:
    """Events that were asked for are missing here: the reader was too slow, or its connection was lost for too long."""

    count: int | None
    """Their number; `None` if it is not known, and may be none."""


@dataclass(frozen=True)
class Live:
    """What the server had kept has all come: what follows is published from now on."""


@dataclass(frozen=True)
class SubscribeOptions:
    """What a subscriber may say besides the keys that it asks for."""

    since: Position | None = None
    """Where an earlier subscription was, to go on from there."""
    metadata: Mapping[str, str | bytes] = field(default_factory=dict[str, "str | bytes"])
    """Names and values beside the call, and beside each that is made after a loss."""
    ready: float | None = None
    """Seconds that a thread waits until the subscription is made; `None` for no limit, also without a server."""


class Progress:
    """How far a subscription has come, and what follows a failure."""

    def __init__(self, event: str, since: Position | None) -> None:
        self._event = event
        self.position = since
        """Where to go on after a loss."""
        self.is_open = False
        """Whether the server has said that it sends what is published from then on."""
        self._epoch = 0
        self._is_steady = False
        """Whether all kept events of this stream have come, or it goes on from a position."""
        self._seen = 0
        self._failures = 0

    def take(self, notice: Notice) -> Any:
        """Returns what an item is for the subscriber, or `NOTHING`. Raises `Status` if the server breaks the order."""
        kind, value = notice
        if kind == OPENED:
            return self._begin(value)
        if kind not in (EVENT, MISSED, LIVE):
            return NOTHING
        if not self.is_open:
            raise self._out_of_order()
        if kind == MISSED:
            return Missed(value)
        if kind == LIVE:
            self._is_steady, self._seen = True, max(self._seen, value)
            self._advance()
            return Live()
        sequence, event = value
        if sequence <= self._seen:
            # Kept events come again, if the connection was lost before all of them had come.
            if self._is_steady:
                raise self._out_of_order()
            return NOTHING
        self._seen = sequence
        self._advance()
        return event

    def _begin(self, opened: Opened) -> Any:
        was_open, self.is_open = self.is_open, True
        epoch, last = opened
        position, before = self.position, self.position
        # A position past the last event is from another life, whatever its epoch: what is kept comes then.
        if last is not None and position is not None and position.epoch == epoch and position.sequence > last:
            self.position = position = None
        self._is_steady = position is not None and position.epoch == epoch
        if self._epoch != epoch or (last is not None and self._seen > last):
            self._epoch, self._seen = epoch, 0
        if position is not None and self._is_steady:
            self._seen = max(self._seen, position.sequence)
        self._failures = 0
        # The stream before was lost while kept events came. What was published since, and not kept, can't be known.
        return Missed(None) if was_open and before is None else NOTHING

    def _advance(self) -> None:
        # Between kept events are others that were never asked for, and would be taken for missing.
        if self._is_steady:
            self.position = Position(self._epoch, self._seen)

    def pause(self, failure: Exception) -> float:
        """Returns in how many seconds to subscribe again. Raises the failure if it is the end."""
        at_once = (
            isinstance(failure, Status)
            and failure.code is Code.UNAVAILABLE
            and failure.outcome is Outcome.NOT_SENT
            and failure.cause in (Cause.GOING_AWAY, Cause.CONNECTION_LOST)
        )
        if not isinstance(failure, Status) or not (at_once or (self.is_open and _may_pass(failure))):
            raise failure
        if (failure.retry_after or 0.0) > MAX_HINT:
            raise failure
        self._failures += 1
        if at_once and self._failures == 1:
            return 0.0
        longest = min(_FIRST_PAUSE * 2 ** min(self._failures - 1, 10), _LONGEST_PAUSE)
        return max(random.uniform(longest / 2, longest), failure.retry_after or 0.0)

    def ended(self) -> Status:
        """Returns the failure of a stream that has ended well, which one of events never does."""
        return Status(Code.UNAVAILABLE, f"the server has ended the stream of `{self._event}`")

    def _out_of_order(self) -> Status:
        text = f"the server sends events of `{self._event}` in another order than that of the protocol"
        return Status(Code.INTERNAL, text, outcome=Outcome.MAYBE_EXECUTED)


def _may_pass(status: Status) -> bool:
    """Reports whether the same call may succeed later."""
    if status.code is Code.UNAVAILABLE:
        return status.cause is not Cause.CLOSED
    if status.code is not Code.RESOURCE_EXHAUSTED:
        return False
    is_said = status.outcome is Outcome.EXECUTED and status.cause is None
    return is_said or status.cause is Cause.OVERLOADED or status.retry_after is not None
