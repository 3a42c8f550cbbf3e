"""`Reactor`: a thread that waits for sockets and times, so that no handler can keep a peer from being answered."""

from __future__ import annotations

import atexit
import contextlib
import heapq
import itertools
import logging
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any

import zmq

_LOG = logging.getLogger("zsvc")
_REACTORS: weakref.WeakSet[Reactor] = weakref.WeakSet()


class Timer:
    """A function that is called at a time, unless it is cancelled."""

    def __init__(self, run: Callable[[], None]) -> None:
        self.run: Callable[[], None] | None = run

    def cancel(self) -> None:
        """Keeps the function from being called."""
        self.run = None


class Reactor:
    """A thread, with a ZeroMQ context of its own. `call_soon` may be called by any thread, all else by this one."""

    def __init__(self, name: str) -> None:
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._pid = os.getpid()
        self._soon: deque[Callable[[], None]] = deque()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._is_awake = True
        self._poller = zmq.Poller()
        self._poller.register(self._wake_read, zmq.POLLIN)
        self._readers: dict[Any, Callable[[int], None]] = {}
        self._timers: list[tuple[float, int, Timer]] = []
        self._sequence = itertools.count()
        self._is_stopping = False
        self.ends: list[Callable[[], None]] = []
        """Called when the thread ends, to close sockets."""
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()
        _REACTORS.add(self)

    def call_soon(self, run: Callable[[], None]) -> None:
        """Has the thread call a function. Raises `RuntimeError` in a process that was forked from this one's."""
        if os.getpid() != self._pid:
            raise RuntimeError("this channel or server belongs to another process: make one in each process")
        self._soon.append(run)
        if not self._is_awake:
            self._is_awake = True
            with contextlib.suppress(BlockingIOError, OSError):
                os.write(self._wake_write, b"\0")

    def call_at(self, when: float, run: Callable[[], None]) -> Timer:
        """Calls a function at a time of `time.monotonic`."""
        timer = Timer(run)
        heapq.heappush(self._timers, (when, next(self._sequence), timer))
        return timer

    def add_socket(self, socket: Any, events: int, ready: Callable[[int], None]) -> None:
        """Calls a function when a socket is ready; replaces what was set for it."""
        self._poller.register(socket, events)
        self._readers[socket] = ready

    def remove_socket(self, socket: Any) -> None:
        """Does not wait for a socket any longer."""
        if self._readers.pop(socket, None) is not None:
            self._poller.unregister(socket)

    def stop(self) -> None:
        """Ends the thread, and waits for it unless this is it."""
        if os.getpid() != self._pid:
            return
        self.call_soon(self._stop)
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout=5)

    def _stop(self) -> None:
        self._is_stopping = True

    def _run(self) -> None:
        while not self._is_stopping:
            self._run_soon()
            self._run_timers()
            self._wait()
        for end in self.ends:
            self._guarded(end)
        # What was asked for at the last moment learns that it is too late.
        self._run_soon()
        for fd in (self._wake_read, self._wake_write):
            os.close(fd)
        self.context.destroy(linger=0)

    def _run_soon(self) -> None:
        for _ in range(len(self._soon)):
            self._guarded(self._soon.popleft())

    def _run_timers(self) -> None:
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            run = heapq.heappop(self._timers)[2].run
            if run is not None:
                self._guarded(run)

    def _wait(self) -> None:
        if self._is_stopping:
            return
        while self._timers and self._timers[0][2].run is None:
            heapq.heappop(self._timers)
        self._is_awake = False
        # What was added before this line is seen here; what is added after it writes to the pipe.
        if self._soon:
            timeout: float | None = 0
        else:
            timeout = (self._timers[0][0] - time.monotonic()) * 1000 if self._timers else None
        ready = self._poller.poll(None if timeout is None else max(0, int(timeout + 0.999)))
        self._is_awake = True
        for socket, events in ready:
            if socket == self._wake_read:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._wake_read, 4096)
            elif (run := self._readers.get(socket)) is not None:
                self._guarded(lambda run=run, events=events: run(events))  # type: ignore[misc]

    @staticmethod
    def _guarded(run: Callable[[], None]) -> None:
        """Calls a function. A fault of this package's must not end the thread, and with it all calls."""
        try:
            run()
        except Exception:
            _LOG.exception("a fault in zsvc: please report it")


@atexit.register
def _stop_all() -> None:
    for reactor in list(_REACTORS):
        if reactor._thread.is_alive():
            reactor.stop()
