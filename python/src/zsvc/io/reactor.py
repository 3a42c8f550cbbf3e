"""`Reactor`: a thread that waits for sockets and times, so that no handler can keep a peer from being answered.

While the thread waits, another may do a part of its work: an event loop that makes one call at a time sends it without
waking a thread for that. A lock says who works; sockets of libzmq may go from thread to thread behind one.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import select
import signal
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
_PORTION = 16
"""Number of functions that have gathered after which the thread that adds another calls them, if it may."""
_MOST_ROUNDS = 2
"""How often another thread looks for what has come, before it leaves the rest to the reactor's own."""
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
    """A thread, with a ZeroMQ context of its own.

    `call_soon`, `call_here` and `stop` may be called by any thread, all else by functions that the reactor calls, one
    at a time.
    """

    def __init__(self, name: str) -> None:
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._pid = os.getpid()
        self._soon: deque[Callable[[], None]] = deque()
        self._late: deque[Callable[[], None]] = deque()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._is_awake = True
        """Whether somebody is going to look at what is asked for before the thread waits."""
        self._turn = threading.Lock()
        """Held by whoever calls functions and uses sockets: the thread, but while it waits, or another in its place."""
        self._waits_until: float | None = None
        self._is_broken = False
        """Whether a thread was interrupted in the middle of a function."""
        self._poller = zmq.Poller()
        self._signals = select.poll()
        """Looks at what libzmq signals news by, which may be done while others use the sockets."""
        self._signals.register(self._wake_read, select.POLLIN)
        self._readers: dict[Any, tuple[int, Callable[[int], None]]] = {}
        """What is called when a socket is ready, and the number of the file that signals it."""
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
        elif not self._is_awake or self._is_broken:
            self._wake()

    def call_here(self, run: Callable[[], None], *, is_alone: bool) -> None:
        """As `call_soon`, but calls the function in this thread, if the reactor's own waits meanwhile.

        It does so for one that `is_alone`, which nothing is going to follow soon, and for several that have gathered:
        Python may have the reactor's thread wait for 5 ms until this one waits for something. It is not for a thread
        that a signal may interrupt anywhere by an exception, as `KeyboardInterrupt` does: that ends the reactor. Where
        Python's own handler of SIGINT does so, this is `call_soon`.
        """
        if _may_be_interrupted():
            self.call_soon(run)
        elif is_alone and not self._soon and os.getpid() == self._pid:
            if not self._work_for_thread(run):
                self.call_soon(run)
        else:
            self.call_soon(run)
            if len(self._soon) >= _PORTION:
                self._work_for_thread(None)

    def _wake(self) -> None:
        self._is_awake = True
        with contextlib.suppress(BlockingIOError, OSError):
            os.write(self._wake_write, b"\0")

    def _work_for_thread(self, run: Callable[[], None] | None) -> bool:
        """Calls what was asked for, and at last `run`, while the thread waits. Returns `False` if it can't."""
        is_held = False
        try:
            is_held = self._turn.acquire(blocking=False)
            if not is_held or self._is_stopping or self._has_failed or self._has_ended or self._is_broken:
                return False
            if run is not None:
                self._soon.append(run)
            self._work()
            return True
        finally:
            if is_held:
                self._turn.release()

    def _work(self) -> None:
        """Calls what was asked for, and tells sockets what has come. The turn is to be held."""
        # Until the end of this: an exception anywhere in it is one in the middle of a function.
        self._is_broken = True
        was_awake, self._is_awake = self._is_awake, True
        is_whole = False
        ready: list[tuple[Any, int]] = []
        try:
            for _ in range(_MOST_ROUNDS):
                self._run_soon()
                ready = self._poller.poll(0)
                if not ready:
                    break
                self._tell(ready)
            is_whole = True
        finally:
            # What follows is for the thread: it waits for no more than it knew of when it began to.
            if not was_awake:
                self._is_awake = False
            when = self._timers.next()
            is_sooner = when is not None and (self._waits_until is None or when < self._waits_until)
            if self._soon or ready or is_sooner or self._is_stopping or not is_whole:
                self._wake()
        self._is_broken = False

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
        known = self._readers.get(socket)
        signal = socket.getsockopt(zmq.FD) if known is None else known[0]
        self._readers[socket] = (signal, ready)
        if known is None:
            self._signals.register(signal, select.POLLIN)
            if threading.current_thread() is not self._thread:
                # It waits for those that it knew of when it began to.
                self._wake()

    def remove_socket(self, socket: Any) -> None:
        """Does not wait for a socket any longer."""
        known = self._readers.pop(socket, None)
        if known is not None:
            self._poller.unregister(socket)
            self._signals.unregister(known[0])

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
        with self._turn:
            self._run_to_the_end()

    def _run_to_the_end(self) -> None:
        try:
            while not self._is_stopping:
                if self._is_broken:
                    raise RuntimeError("a function of the reactor was interrupted by an exception of the program's")
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
        # Before every wait: libzmq signals what comes after it was asked, and once.
        ready = self._poller.poll(0)
        if ready:
            self._tell(ready)
            return
        when = self._timers.next()
        self._waits_until = when
        self._is_awake = False
        # What was added before this line is seen here; what is added after it writes to the pipe.
        if not self._soon:
            timeout = None if when is None else max(0.0, min(_LONGEST_WAIT, (when - time.monotonic()) * 1000))
            self._turn.release()
            try:
                signalled = self._signals.poll(None if timeout is None else int(timeout + 0.999))
            finally:
                self._turn.acquire()
            if any(number == self._wake_read for number, _ in signalled):
                with contextlib.suppress(BlockingIOError):
                    os.read(self._wake_read, 4096)
        self._is_awake = True
        self._tell(self._poller.poll(0))

    def _tell(self, ready: list[tuple[Any, int]]) -> None:
        """Tells what is set for sockets that they are ready."""
        for socket, events in ready:
            if (known := self._readers.get(socket)) is not None:
                self._guarded(lambda run=known[1], events=events: run(events))  # type: ignore[misc]

    @staticmethod
    def _guarded(run: Callable[[], None]) -> None:
        """Calls a function. A fault of this package's must not end the thread, and with it all calls."""
        try:
            run()
        except Exception:
            _LOG.exception("a fault in zsvc: please report it")


def _may_be_interrupted() -> bool:
    """Reports whether Ctrl-C raises an exception wherever this thread is. `asyncio.run` prevents it from 3.11 on."""
    is_main = threading.current_thread() is threading.main_thread()
    return is_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler


@atexit.register
def _stop_all() -> None:
    for reactor in list(_REACTORS):
        if reactor._thread.is_alive():
            reactor.stop()
