"""`ServerDriver`: a server's session and socket, on their thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from ..io.curve import ServerCurve
from ..io.reactor import Reactor, Timer
from ..io.router import Router, Source, announces_id
from ..register import Register
from ..session.config import ServerLimits, max_received
from ..session.failure import record_of
from ..session.links import Link
from ..session.peer import Event, Method, Peer
from ..session.server import ServerSession
from ..status import Cause, Code, Outcome, Status
from ..wire import write
from ..wire.outbox import Frame
from .registering import Worker

_ANNOUNCED = b"\x01" + write.error(
    record_of(
        0,
        Status(
            Code.FAILED_PRECONDITION,
            "this server does not hear peers that announce a routing id: do not set one",
            outcome=Outcome.MAYBE_EXECUTED,
            cause=Cause.PROTOCOL,
        ),
    )
)
_LAST_WORDS = 0.2
"""Seconds in which a client that was taken out may read what became of its calls."""


class ServerDriver:
    """A server's session and socket. All methods but `post`, `bind`, `start` and `stop` are for its thread."""

    def __init__(
        self,
        limits: ServerLimits,
        methods: Mapping[str, Method],
        curve: ServerCurve | None,
        event: Callable[[Event], None],
        *,
        denies_plaintext: bool = False,
    ) -> None:
        self.session = ServerSession(limits, methods)
        if curve is not None:
            self.session.set_roles(curve.roles_of, bars_others=curve.clients is not None)
        self._event = event
        self._reactor = Reactor("zsvc-server")
        max_frame = max_received(limits.max_message_size)
        self._router = Router(self._reactor, max_frame, curve, denies_plaintext=denies_plaintext)
        self._reactor.ends.append(self._router.close)
        self._reactor.ends.append(self._close_workers)
        self._max_frame = max_frame
        self._workers: list[Worker] = []
        self._registered: dict[bytes, Worker] = {}
        self._timer: Timer | None = None
        self._timer_at = 0.0
        self._is_pump_due = False
        self._when_idle: Callable[[], None] | None = None
        self._when_done: Callable[[], None] | None = None

    def post(self, run: Callable[[], None], *, is_last: bool = False) -> None:
        """Has the thread call a function, and do what follows from it, together with what follows from others.

        One that is the last of its call is called at once where there is no other call: it could share no message.
        """

        def turn() -> None:
            if not self._is_pump_due:
                self._is_pump_due = True
                self._reactor.call_late(self.pump)
            run()

        self._reactor.call_here(turn, is_alone=is_last and self.session.calls_in_flight <= 1)

    def set_clients(self, before: ServerCurve, curve: ServerCurve) -> None:
        """Lets in other clients, or the same with other roles. Calls of those that have lost something end."""
        self._router.let_in(curve)
        self.session.set_roles(curve.roles_of, bars_others=curve.clients is not None)
        lost: dict[str, bool] = {}
        for key in self.session.known_keys():
            was, now = before.identity_of(key), curve.identity_of(key)
            if now is None or (was is not None and (was.name != now.name or set(was.roles) - set(now.roles))):
                lost[key] = now is not None
        for key, link in self.session.revoke(lost):
            self._cut_soon(link, key)

    def bind(self, endpoint: str) -> str:
        """Binds an endpoint, from any thread, and returns it with its port. Raises `OSError`."""
        bound = threading.Event()
        results: list[str | OSError] = []

        def run() -> None:
            try:
                results.append(self._router.bind(endpoint))
            except OSError as error:
                results.append(error)
            bound.set()

        self._reactor.call_soon(run)
        if not bound.wait(10):
            raise OSError(f"`{endpoint}` could not be bound in time")
        if isinstance(results[0], OSError):
            raise results[0]
        return results[0]

    def start(self, registers: Sequence[Register] = (), services: Sequence[str] = ()) -> None:
        """Begins to read, and to register these services at routers, from any thread."""

        def run() -> None:
            self._router.start(self._message, self.pump)
            for register in registers:
                self._workers.append(Worker(self._reactor, register, services, self._max_frame, self))

        self._reactor.call_soon(run)

    def stop(self) -> None:
        """Closes the socket and ends the thread, from any other thread."""
        self._reactor.stop()

    def drain(self, when_done: Callable[[], None]) -> None:
        """Takes no new calls. Calls a function when all have ended, and their answers were read."""
        self.session.drain(time.monotonic())
        for worker in self._workers:
            worker.drain()

        def goodbye() -> None:
            self.session.say_goodbye(time.monotonic())
            self._when_done = when_done

        self._when_idle = goodbye

    def pump(self) -> None:
        """Tells what has happened, and sends what is to be sent."""
        session = self.session
        self._is_pump_due = False
        self._poll_events()
        while (message := session.poll_message()) is not None:
            peer, frames = message
            now = time.monotonic()
            result = self._send(peer, frames)
            if result == "sent":
                session.sent(peer, now)
            elif result == "full":
                session.blocked(peer, now)
            else:
                session.gone(peer, now)
            self._poll_events()
        # By one time: what is over for the first is not waited for by the second, and what is not over is.
        now = time.monotonic()
        self._look_for_end(now)
        self._set_timer(now)

    # ---- what workers tell

    def on_registered(self, worker: Worker) -> None:
        """Takes the router for a client."""
        self._registered[worker.id] = worker
        self.session.joined(worker.id, worker.key, worker.register.router, time.monotonic())

    def on_message(self, frames: Sequence[memoryview], worker: Worker) -> None:
        """Passes a message of the router to the session."""
        self.session.receive([memoryview(worker.id), *frames], time.monotonic(), worker.key)

    def on_turn(self) -> None:
        """Handles what has come."""
        self.pump()

    def on_unregistered(self, worker: Worker) -> None:
        """Ends the calls of the router."""
        self._registered.pop(worker.id, None)
        self.session.left(worker.id, time.monotonic())
        self.pump()

    # ---- inside

    def _send(self, peer: Peer, frames: Sequence[Frame]) -> Literal["sent", "full", "gone"]:
        worker = self._registered.get(peer.route[0])
        if worker is not None:
            return worker.send([*peer.route[1:], *frames])
        return self._router.send([*peer.route, *frames])

    def _close_workers(self) -> None:
        for worker in self._workers:
            worker.close()

    def _poll_events(self) -> None:
        while (event := self.session.poll_event()) is not None:
            self._event(event)

    def _message(self, frames: Sequence[memoryview], key: str | None, source: Callable[[], Source]) -> None:
        if announces_id(frames[0]):
            self.session.dropped["routing id"] += 1
            self._router.send([bytes(frame) for frame in frames[:1]] + [_ANNOUNCED])
        elif len(frames) > 1:
            link = self.session.receive(frames, time.monotonic(), key)
            if key is None or link is None:
                return
            if link.source is None:
                link.source = source()
            if not self._router.lets_in(key):
                # It was taken out before it had said anything.
                self._cut_soon(link, key)

    def _cut_soon(self, link: Link, key: str) -> None:
        """Ends the connection of a client that was taken out, once it may have read why its calls have ended."""
        source: Source | None = link.source
        if source is None or source.is_due:
            return

        def cut() -> None:
            source.is_due = False
            # It may have been let in again meanwhile.
            if not self._router.lets_in(key):
                source.cut()

        source.is_due = True
        self._reactor.call_at(time.monotonic() + _LAST_WORDS, cut)

    def _look_for_end(self, now: float) -> None:
        if self._when_idle is not None and self.session.is_idle():
            run, self._when_idle = self._when_idle, None
            run()
            self.pump()
        if self._when_done is not None and self.session.is_done(now):
            run, self._when_done = self._when_done, None
            run()

    def _set_timer(self, now: float) -> None:
        when = self.session.next_timeout(now)
        # One that comes too soon does no harm, and most never have to come: each call has a deadline.
        if when is None or (self._timer is not None and self._timer_at <= when):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._timer_at = self._reactor.call_at(when, self._timeout), when

    def _timeout(self) -> None:
        self._timer = None
        self.session.handle_timeout(time.monotonic())
        self.pump()
