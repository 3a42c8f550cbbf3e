"""`Connection`: one endpoint of a channel, connected again and again."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import zmq

from ..io.curve import ClientCurve
from ..io.dealer import Dealer, pause_after
from ..io.reactor import Reactor, Timer
from ..session.client import ClientSession, Event
from ..session.config import ClientLimits, max_received
from ..status import Cause, Code, Status

_AFTER_GOING_AWAY = 5.0


class ConnectionUser(Protocol):
    """What a connection tells."""

    def on_event(self, event: Event) -> None:
        """Tells what has become of a call."""

    def on_change(self) -> None:
        """Tells that there may be room for calls that wait."""


class Connection:
    """One endpoint. It has a session while it is up."""

    def __init__(
        self,
        reactor: Reactor,
        endpoint: str,
        user: ConnectionUser,
        limits: ClientLimits,
        curve: ClientCurve | None,
    ) -> None:
        self.endpoint = endpoint
        self.session: ClientSession | None = None
        self.why_down = "not connected yet"
        self.was_up = False
        self._reactor, self._user, self._limits, self._curve = reactor, user, limits, curve
        self._tries = 0
        self._timer: Timer | None = None
        self._timer_at = 0.0
        self._is_pump_due = False
        self._going_away_since: float | None = None
        self._is_closed = False
        self._dealer: Dealer | None = None
        self._connect()

    def _connect(self) -> None:
        max_frame = max_received(self._limits.max_message_size)
        try:
            self._dealer = Dealer(self._reactor, self.endpoint, self, max_frame, self._curve)
        except zmq.ZMQError as error:
            # Such as too many open files: there may be fewer the next time.
            self.on_down(str(error).lower())

    def _send(self, frames: Sequence[Any]) -> bool:
        return self._dealer is not None and self._dealer.send(frames)

    @property
    def calls_in_flight(self) -> int:
        """Number of calls that were made over it and have not ended. Any thread may ask."""
        session = self.session
        return 0 if session is None else session.calls_in_flight

    def takes_calls(self, now: float, *, one_way: bool) -> bool:
        """Reports whether a call may be made over it now."""
        session = self.session
        if session is None or not session.has_room(one_way=one_way):
            return False
        if not session.is_going_away:
            return True
        # Behind a device, the connection stays up while the server is exchanged: try again after a while.
        if self._going_away_since is None:
            self._going_away_since = now
            self._reactor.call_at(now + _AFTER_GOING_AWAY, self._user.on_change)
        if now - self._going_away_since < _AFTER_GOING_AWAY:
            return False
        session.is_going_away = False
        self._going_away_since = None
        return True

    def pump_late(self) -> None:
        """Does what `pump` does, once for all that callers have asked for meanwhile: so calls share messages."""
        if not self._is_pump_due:
            self._is_pump_due = True
            self._reactor.call_late(self._pump_late)

    def _pump_late(self) -> None:
        self._is_pump_due = False
        self.pump()
        self._user.on_change()

    def pump(self) -> None:
        """Tells what has happened, and sends what is to be sent."""
        session = self.session
        if session is None:
            return
        while (frames := session.poll_message()) is not None and self._send(frames):
            session.sent()
        while (event := session.poll_event()) is not None:
            self._user.on_event(event)
        self._set_timer(session)

    def close(self, linger: float) -> None:
        """Closes the connection. The calls in flight fail."""
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        session, self.session = self.session, None
        if session is not None:
            while (frames := session.poll_message()) is not None and self._send(frames):
                session.sent()
            self._lose(session, Status(Code.CANCELLED, "the channel was closed"))
        if self._dealer is not None:
            self._dealer.close(linger)

    # ---- what the dealer tells

    def on_up(self) -> None:
        """Begins a session."""
        self._tries = 0
        self.was_up = True
        self._going_away_since = None
        self.session = ClientSession(self._limits, time.monotonic())
        self._user.on_change()

    def on_message(self, frames: Sequence[memoryview]) -> None:
        """Passes a message to the session."""
        if self.session is not None:
            self.session.receive(frames, time.monotonic())

    def on_turn(self) -> None:
        """Handles what has come."""
        self.pump()
        self._user.on_change()

    def on_down(self, reason: str) -> None:
        """Ends the session, and connects again after a while."""
        self.why_down = reason
        session, self.session = self.session, None
        if session is not None:
            text = f"the connection to `{self.endpoint}` was lost: {reason}"
            self._lose(session, Status(Code.UNAVAILABLE, text, cause=Cause.CONNECTION_LOST))
        if not self._is_closed:
            self._set(time.monotonic() + pause_after(self._tries), self._connect_again)
            self._tries += 1
        self._user.on_change()

    def _connect_again(self) -> None:
        self._timer = None
        if not self._is_closed:
            self._connect()

    def _lose(self, session: ClientSession, status: Status) -> None:
        session.lost(status)
        while (event := session.poll_event()) is not None:
            self._user.on_event(event)

    def _set_timer(self, session: ClientSession) -> None:
        when = session.next_timeout()
        # One that comes too soon does no harm, and most never have to come: each call has a deadline.
        if when is None or (self._timer is not None and self._timer_at <= when):
            return
        self._set(when, self._timeout)

    def _set(self, when: float, run: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._timer_at = self._reactor.call_at(when, run), when

    def _timeout(self) -> None:
        self._timer = None
        if self.session is not None:
            self.session.handle_timeout(time.monotonic())
            self.pump()
            self._user.on_change()
