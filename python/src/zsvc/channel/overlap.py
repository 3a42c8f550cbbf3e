"""What a client does when it calls a method again while its earlier call runs: `@overlap`."""

from __future__ import annotations

import enum
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .core import PendingCall


class Overlap(enum.Enum):
    """The argument of `@overlap`."""

    PARALLEL = "parallel"
    QUEUE = "queue"
    REPLACE = "replace"
    IGNORE = "ignore"


class Overlaps:
    """The calls of methods that must not overlap."""

    def __init__(self) -> None:
        self._running: dict[str, PendingCall] = {}
        self._queued: dict[str, deque[PendingCall]] = {}

    def admit(self, pending: PendingCall) -> PendingCall | None:
        """Takes a new call. Returns the call that is to end: the earlier one, or this one itself."""
        if pending.overlap is Overlap.PARALLEL:
            return None
        method = pending.spec.method
        running = self._running.get(method)
        if running is None or running.is_over:
            self._running[method] = pending
            return None
        if pending.overlap is Overlap.QUEUE:
            self._queued.setdefault(method, deque()).append(pending)
            return None
        if pending.overlap is Overlap.IGNORE:
            return pending
        self._running[method] = pending
        return running

    def holds_back(self, pending: PendingCall) -> bool:
        """Reports whether a call waits for an earlier one."""
        return pending.overlap is Overlap.QUEUE and self._running.get(pending.spec.method) is not pending

    def over(self, pending: PendingCall) -> PendingCall | None:
        """Takes the end of a call, and returns the one that is to be made now."""
        method = pending.spec.method
        if pending.overlap is Overlap.PARALLEL or self._running.get(method) is not pending:
            return None
        del self._running[method]
        queued = self._queued.get(method)
        while queued:
            following = queued.popleft()
            if not following.is_over:
                self._running[method] = following
                return following
        self._queued.pop(method, None)
        return None
