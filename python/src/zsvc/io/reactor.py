"""`Reactor`: a thread that waits for sockets and times, so that no handler can keep a peer from being answered."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any

import zmq

from ..due import Due

_LONGEST_WAIT = 60_000.0
"""Milliseconds. `poll` takes no more than 2^31 of them, and times may be further away."""
LONGEST_READING = 0.005
"""Seconds after which no further message is read, until what has come so far was answered, and others had a turn."""
_LOG = logging.getLogger("zsvc")
_REACTORS: weakref.WeakSet[Reactor] = weakref.WeakSet()


class Timer:
    """A function that is called at a time, unless it is cancelled."""

    def __init__(self, run: Callable[[], None]) -> None:
        self.run: Callable[[], None] | None = run

    def cancel(self) -> None:
        """Keeps the function from being called."""
        self.run = None


class HasEnded(RuntimeError):
    """The thread was stopped, and calls no function any more."""


class Reactor:
    """A thread, with a ZeroMQ context of its own. `call_soon` may be called by any thread, all else by this one."""

    def __init__(self, name: str) -> None:
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._pid = os.getpid()
        self._soon: deque[Callable[[], None]] = deque()
        self._late: deque[Callable[[], None]] = deque()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._is_awake = True
        self._poller = zmq.Poller()
        self._poller.register(self._wake_read, zmq.POLLIN)
        self._readers: dict[Any, Callable[[int], None]] = {}
        self._timers: Due[Timer] = Due(lambda timer: timer.run is None)
        self._is_stopping = False
        self._has_failed = False
        self._has_ended = False
        """Whether what other threads ask for may come too late to be called."""
        self.ends: list[Callable[[], None]] = []
        """Called when the thread ends, to close sockets."""
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()
        _REACTORS.add(self)

    def call_soon(self, run: Callable[[], None]) -> None:
        """Has the thread call a function.

        Raises `HasEnded` if it was stopped, and another `RuntimeError` if a fault has ended it, or in a forked process.
        """
        if os.getpid() != self._pid:
            raise RuntimeError("this channel or server belongs to another process: make one in each process")
        self._soon.append(run)
        if (self._has_ended or self._has_failed) and threading.current_thread() is not self._thread:
            self._take_back(run)
            return
        if not self._is_awake:
            self._is_awake = True
            with contextlib.suppress(BlockingIOError, OSError):
                os.write(self._wake_write, b"\0")

    def _take_back(self, run: Callable[[], None]) -> None:
        """Raises that a function is not called, unless the thread has taken it at the last moment."""
        try:
            self._soon.remove(run)
        except ValueError:
            return
        if self._has_failed:
            raise RuntimeError("a fault in zsvc has ended the thread of this channel or server: see its log")
        raise HasEnded("the thread of this channel or server has ended")

    def call_late(self, run: Callable[[], None]) -> None:
        """Calls a function once all have run that other threads have asked for by now: one for many of them."""
        self._late.append(run)

    def call_at(self, when: float, run: Callable[[], None]) -> Timer:
        """Calls a function at a time of `time.monotonic`."""
        timer = Timer(run)
        self._timers.add(when, timer)
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
        if os.getpid() != self._pid or self._has_failed:
            return
        with contextlib.suppress(HasEnded):
            self.call_soon(self._stop)
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout=5)

    def _stop(self) -> None:
        self._is_stopping = True

    def _run(self) -> None:
        try:
            while not self._is_stopping:
                self._run_soon()
                # Before times: what peers have said meanwhile may be what is waited for.
                self._wait()
                self._run_timers()
        except Exception:
            _LOG.exception("a fault in zsvc has ended its thread, and all calls with it: please report it")
            self._has_failed = True
        for end in self.ends:
            self._guarded(end)
        # What was asked for at the last moment learns that it is too late, and so does what that asks for. Other
        # threads add something before they look whether this has ended: it is called here, or they take it back.
        self._has_ended = True
        while self._soon or self._late:
            self._run_soon()
        self._is_awake = True
        for fd in (self._wake_read, self._wake_write):
            os.close(fd)
        self.context.destroy(linger=0)

    def _run_soon(self) -> None:
        for _ in range(len(self._soon)):
            self._guarded(self._soon.popleft())
        while self._late:
            self._guarded(self._late.popleft())

    def _run_timers(self) -> None:
        now = time.monotonic()
        due: list[Timer] = []
        while (timer := self._timers.take(now)) is not None:
            due.append(timer)
        # One that sets another for a time that has passed already leaves the rest its turn before that.
        for timer in due:
            if timer.run is not None:
                self._guarded(timer.run)

    def _wait(self) -> None:
        if self._is_stopping:
            return
        when = self._timers.next()
        self._is_awake = False
        # What was added before this line is seen here; what is added after it writes to the pipe.
        if self._soon:
            timeout: float | None = 0
        else:
            timeout = None if when is None else min(_LONGEST_WAIT, (when - time.monotonic()) * 1000)
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
