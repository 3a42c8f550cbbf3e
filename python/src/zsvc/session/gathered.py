"""`Gathered`: items on their way to the thread of a session, with one wake-up for many."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from ..codec.writer import Body


class Gathered:
    """Hands the items of a stream from one thread to that of its session."""

    def __init__(self, post: Callable[[Callable[[], None]], Any], take: Callable[..., None]) -> None:
        """`post` has the session's thread call a function, and `take` is called there with items."""
        self._post, self._take = post, take
        self._items: deque[Body] = deque()
        self._is_posted = False

    def add(self, item: Body) -> None:
        """Adds an item."""
        self._items.append(item)
        if not self._is_posted:
            self._is_posted = True
            self._post(self._flush)

    def _flush(self) -> None:
        # What is added from here on posts again; what was added before is taken here.
        self._is_posted = False
        self._take(*(self._items.popleft() for _ in range(len(self._items))))
