"""`Due`: what is to happen at which time, of which most never has to."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")
_MIN_SWEPT = 64


class Due(Generic[T]):
    """Things by their times. Those that are over take no room for long, however late they would have been due."""

    def __init__(self, is_over: Callable[[T], bool]) -> None:
        self._is_over = is_over
        self._heap: list[tuple[float, int, T]] = []
        self._sequence = itertools.count()
        self._sweep_at = _MIN_SWEPT

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, when: float, thing: T) -> None:
        """Adds something."""
        heapq.heappush(self._heap, (when, next(self._sequence), thing))
        if len(self._heap) >= self._sweep_at:
            self._heap = [entry for entry in self._heap if not self._is_over(entry[2])]
            heapq.heapify(self._heap)
            # So each that is added pays for one that is looked at.
            self._sweep_at = max(2 * len(self._heap), _MIN_SWEPT)

    def next(self) -> float | None:
        """Returns when the first is due."""
        heap = self._heap
        while heap and self._is_over(heap[0][2]):
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def take(self, now: float) -> T | None:
        """Takes the first, if it is due."""
        when = self.next()
        return None if when is None or when > now else heapq.heappop(self._heap)[2]
