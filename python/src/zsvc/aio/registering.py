"""`Worker`: a server's own connection to a router, over which the router makes calls."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Sequence
from typing import Any, Literal, Protocol

import zmq

from ..io.dealer import Dealer, pause_after
from ..io.reactor import Reactor, Timer
from ..register import Register
from ..wire import records as r
from ..wire.registration import is_registered, notices, registration

_LOG = logging.getLogger("zsvc")
_AFTER_REFUSAL = 5.0
"""Seconds until a router is asked again that has refused, which it will do again until its configuration changes."""
_ANSWER_TIMEOUT = 10.0
"""Seconds that a router may take to answer a registration."""
_LINGER = 1.0
_NUMBERS = itertools.count(1)


class WorkerUser(Protocol):
    """What a connection to a router tells."""

    def on_registered(self, worker: Worker) -> None:
        """Tells that the router calls from now on."""

    def on_message(self, frames: Sequence[memoryview], worker: Worker) -> None:
        """Tells that a message has come."""

    def on_turn(self) -> None:
        """Tells that all messages that had come were told."""

    def on_unregistered(self, worker: Worker) -> None:
        """Tells that the router calls no more: the connection is lost, or the registration has ended."""


class Worker:
    """A registration at a router, made again when it is lost. All methods are for the reactor's thread."""

    def __init__(
        self, reactor: Reactor, register: Register, services: Sequence[str], max_frame: int, user: WorkerUser
    ) -> None:
        self.register = register
        self.id = b""
        """Stands for the connection as the routing ids of sockets do for theirs, of which none begins so."""
        self._reactor, self._user, self._max_frame = reactor, user, max_frame
        self._batch = registration(services, register.capacity, register.name, register.standby)
        self._dealer: Dealer | None = None
        self._timer: Timer | None = None
        self._patience: Timer | None = None
        self._is_registered = self._is_closed = False
        self._tries = 0
        self._told: str | None = None
        """Why the router could not be reached the last time."""
        self._connect()

    @property
    def key(self) -> str | None:
        """The public key that the router has proved to have."""
        return None if self.register.curve is None else self.register.curve.server_key

    def send(self, frames: Sequence[Any]) -> Literal["sent", "full", "gone"]:
        """Sends a message to the router."""
        if self._dealer is None or not self._is_registered:
            return "gone"
        return "sent" if self._dealer.send(frames) else "full"

    def drain(self) -> None:
        """Connects no more. A connection that has not registered is closed."""
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        if not self._is_registered:
            self.close()

    def close(self) -> None:
        """Closes the connection. What was sent has a second to leave."""
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self._patience is not None:
            self._patience.cancel()
        if self._dealer is not None:
            self._dealer.close(_LINGER)

    # ---- what the dealer tells

    def on_up(self) -> None:
        """Registers: nothing else may be said before."""
        if self._dealer is not None:
            self._dealer.send([self._batch])
            self._patience = self._reactor.call_at(time.monotonic() + _ANSWER_TIMEOUT, self._not_answered)

    def on_message(self, frames: Sequence[memoryview]) -> None:
        """Takes what is about the registration, and tells the rest."""
        found = notices(frames)
        if found is None:
            if self._is_registered:
                self._user.on_message(frames, self)
            return
        for record in found:
            if is_registered(record):
                self._registered()
            elif isinstance(record, r.Error | r.Reply | r.End):
                self._ended(record)
                return

    def on_turn(self) -> None:
        """Tells that messages have come."""
        self._user.on_turn()

    def on_down(self, reason: str) -> None:
        """Connects again after a while."""
        if self._is_registered:
            _LOG.warning("the connection to the router at `%s` was lost: %s", self.register.endpoint, reason)
        elif self._told != reason:
            # Once for each reason: it is tried again and again.
            self._told = reason
            _LOG.warning("can't reach the router at `%s` to register there: %s", self.register.endpoint, reason)
        self._lose(pause_after(self._tries))
        self._tries += 1

    # ---- inside

    def _connect(self) -> None:
        self._timer = None
        register = self.register
        try:
            self._dealer = Dealer(self._reactor, register.endpoint, self, self._max_frame, register.curve)
        except zmq.ZMQError as error:
            # Such as too many open files: there may be fewer the next time.
            self.on_down(str(error).lower())

    def _not_answered(self) -> None:
        if self._dealer is not None and not self._is_registered:
            self._dealer.close()
            self.on_down(f"it has not answered within {_ANSWER_TIMEOUT:g} s")

    def _registered(self) -> None:
        if self._is_registered:
            return
        if self._patience is not None:
            self._patience.cancel()
        # Another one for each connection: what was said over the one before is over.
        self.id = b"\x01" + next(_NUMBERS).to_bytes(8, "big")
        self._is_registered, self._tries, self._told = True, 0, None
        _LOG.info("registered at the router at `%s`", self.register.endpoint)
        self._user.on_registered(self)

    def _ended(self, record: r.Error | r.Reply | r.End) -> None:
        why = "the router has ended the registration"
        if isinstance(record, r.Error) and record.code:
            why = record.message
        _LOG.warning(
            "the router at `%s` does not take the registration of this server: %s", self.register.endpoint, why
        )
        if self._dealer is not None:
            self._dealer.close()
        self._lose(_AFTER_REFUSAL)

    def _lose(self, pause: float) -> None:
        was_registered, self._is_registered = self._is_registered, False
        self._dealer = None
        if self._patience is not None:
            self._patience.cancel()
        if was_registered:
            self._user.on_unregistered(self)
        if not self._is_closed:
            self._timer = self._reactor.call_at(time.monotonic() + pause, self._connect)
