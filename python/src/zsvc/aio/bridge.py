"""`Bridge`: from a thread into an event loop, with one wake-up for many calls."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import weakref
from collections import deque
from collections.abc import Callable

_LOG = logging.getLogger("zsvc")
_BRIDGES: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Bridge] = weakref.WeakKeyDictionary()
_LOCK = threading.Lock()


class Bridge:
    """Calls functions in an event loop, in their order."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = weakref.ref(loop)
        self._queue: deque[Callable[[], None]] = deque()
        self._is_scheduled = False

    def post(self, run: Callable[[], None]) -> None:
        """Has the loop call a function. Does nothing if the loop is closed."""
        self._queue.append(run)
        if not self._is_scheduled:
            self._is_scheduled = True
            loop = self._loop()
            if loop is not None:
                with contextlib.suppress(RuntimeError):
                    loop.call_soon_threadsafe(self._run)

    def _run(self) -> None:
        self._is_scheduled = False
        for _ in range(len(self._queue)):
            try:
                self._queue.popleft()()
            except Exception:
                _LOG.exception("a fault in zsvc: please report it")


def bridge() -> Bridge:
    """Returns the bridge of the running event loop."""
    loop = asyncio.get_running_loop()
    with _LOCK:
        found = _BRIDGES.get(loop)
        if found is None:
            found = _BRIDGES[loop] = Bridge(loop)
        return found
