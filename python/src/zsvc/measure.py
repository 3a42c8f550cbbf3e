"""What the calls of a method were: their number, how they have ended, and how long they took."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field

_FINE = 3
"""Bits of a time that are kept below its highest one: each is exact to one part in eight."""


class Histogram:
    """How times were distributed, in at most some five hundred places."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        self.number = 0
        self._sum = 0
        self.most = 0
        """The longest, in nanoseconds, as the other times."""

    def add(self, seconds: float) -> None:
        """Adds a time."""
        time = max(int(seconds * 1e9), 0)
        shift = max(time.bit_length() - 1 - _FINE, 0)
        self._counts[(shift << (_FINE + 1)) + (time >> shift)] += 1
        self.number += 1
        self._sum += time
        self.most = max(self.most, time)

    @property
    def mean(self) -> int:
        """The mean."""
        return self._sum // self.number if self.number else 0

    def quantile(self, part: float) -> int:
        """Returns a time than which that part of all is no longer; by up to an eighth too much."""
        left = part * self.number
        for place in sorted(self._counts):
            left -= self._counts[place]
            if left <= 0:
                shift, high = place >> (_FINE + 1), place & ((1 << (_FINE + 1)) - 1)
                return min(((high + 1) << shift) - 1, self.most)
        return 0


_ALL_TIMED = 256
"""Calls of a method that are all timed; of those after it, one in sixteen."""


@dataclass
class Measure:
    """One method. All is counted in the event loop's thread."""

    calls: int = 0
    running: int = 0
    request_bytes: int = 0
    answer_bytes: int = 0
    failures: Counter[str] = field(default_factory=Counter[str])
    handler: Histogram = field(default_factory=Histogram)
    queue: Histogram = field(default_factory=Histogram)

    def times_next(self) -> bool:
        """Reports whether a call is to be timed."""
        return self.calls <= _ALL_TIMED or random.getrandbits(4) == 0
