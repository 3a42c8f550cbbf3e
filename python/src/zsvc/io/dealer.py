"""`Dealer`: one connection to one server, from the first try until it is lost.

libzmq is not let connect again by itself: each connection has a socket of its own. So a message can only leave over the
connection that it was given to, and a call that was not given to one is not sent.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from typing import Any, Protocol

import zmq
from zmq.utils.monitor import recv_monitor_message

from .curve import ClientCurve
from .frames import MessageReader, send
from .reactor import LONGEST_READING, Reactor

CONNECT_TIMEOUT = 10.0
_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 2.0
_BATCH = 256

_FAILED = {
    int(zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL): "the handshake failed",
    int(zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL): "the peer does not speak ZeroMQ, or another mechanism",
    int(zmq.EVENT_HANDSHAKE_FAILED_AUTH): "the server does not let this client in",
    int(zmq.EVENT_DISCONNECTED): "the peer or the network has closed it",
    int(zmq.EVENT_CLOSED): "nothing listens there",
}
_WATCHED = sum(_FAILED) + int(zmq.EVENT_HANDSHAKE_SUCCEEDED)


def pause_after(tries: int) -> float:
    """Returns the seconds until the next try, up to chance: those who have lost a server together are not back so."""
    longest: float = min(_FIRST_PAUSE * 2 ** min(tries, 10), _LONGEST_PAUSE)
    return longest * random.uniform(0.75, 1.0)


class DealerUser(Protocol):
    """What a connection tells."""

    def on_up(self) -> None:
        """Tells that the connection is up."""

    def on_message(self, frames: Sequence[memoryview]) -> None:
        """Tells that a message has come."""

    def on_turn(self) -> None:
        """Tells that all messages that had come were told, or that there is room to send again."""

    def on_down(self, reason: str) -> None:
        """Tells that the connection could not be made, or was lost. It is closed."""


class Dealer:
    """One connection."""

    def __init__(
        self, reactor: Reactor, endpoint: str, user: DealerUser, max_frame: int, curve: ClientCurve | None
    ) -> None:
        self._reactor, self._user = reactor, user
        self._socket = reactor.context.socket(zmq.DEALER)
        self._reader = MessageReader(self._socket)
        self._is_up = False
        self._waits_for_room = False
        options = {
            zmq.LINGER: 0,
            zmq.RECONNECT_IVL: -1,
            zmq.SNDHWM: 64,
            # With heartbeats, libzmq must not stop reading: a reset then ends the process (issue 4841).
            zmq.RCVHWM: 0,
            zmq.MAXMSGSIZE: max_frame,
            zmq.HEARTBEAT_IVL: 3_000,
            zmq.HEARTBEAT_TIMEOUT: 10_000,
            zmq.HANDSHAKE_IVL: int(CONNECT_TIMEOUT * 1000),
            # Names and IPv6; with it, libzmq also takes IPv4.
            zmq.IPV6: 1,
        }
        for option, value in options.items():
            self._socket.setsockopt(option, value)
        if curve is not None:
            curve.apply(self._socket)
        try:
            self._monitor: Any = self._socket.get_monitor_socket(_WATCHED)
        except zmq.ZMQError:
            self._socket.close(0)
            raise
        reactor.add_socket(self._monitor, zmq.POLLIN, self._monitored)
        reactor.add_socket(self._socket, zmq.POLLIN, self._ready)
        self._timer = reactor.call_at(time.monotonic() + CONNECT_TIMEOUT, self._took_too_long)
        self._is_closed = False
        try:
            self._socket.connect(endpoint)
        except zmq.ZMQError as error:
            reason = f"`{endpoint}` is no endpoint: {str(error).lower()}"
            reactor.call_at(0, lambda: self._down(reason))

    def send(self, frames: Sequence[Any]) -> bool:
        """Sends a message. Returns `False` if there is no room: `on_turn` tells when there is."""
        if not self._is_up or self._is_closed:
            return False
        try:
            send(self._socket, frames)
        except zmq.Again:
            if not self._waits_for_room:
                self._waits_for_room = True
                self._reactor.add_socket(self._socket, zmq.POLLIN | zmq.POLLOUT, self._ready)
            return False
        return True

    def close(self, linger: float = 0.0) -> None:
        """Closes the connection. What was sent has `linger` seconds to leave."""
        if self._is_closed:
            return
        self._is_closed = True
        self._timer.cancel()
        self._reactor.remove_socket(self._monitor)
        self._reactor.remove_socket(self._socket)
        self._socket.disable_monitor()
        self._monitor.close(0)
        self._socket.close(int(linger * 1000))

    def _ready(self, events: int) -> None:
        if self._waits_for_room and events & zmq.POLLOUT:
            self._waits_for_room = False
            self._reactor.add_socket(self._socket, zmq.POLLIN, self._ready)
        if not self._is_up:
            # A server's first words may be seen before libzmq's that the connection is up.
            self._monitored(0)
        self._receive()
        if not self._is_closed:
            self._user.on_turn()

    def _receive(self) -> bool:
        """Reads messages. Reports whether there may be more of them."""
        until = time.monotonic() + LONGEST_READING
        for _ in range(_BATCH):
            if self._is_closed:
                return False
            frames = self._reader.next(until)
            if frames is None:
                return self._reader.is_within
            self._user.on_message([frame.buffer for frame in frames])
            if time.monotonic() >= until:
                break
        return True

    def _monitored(self, _: int) -> None:
        while not self._is_closed:
            try:
                event = recv_monitor_message(self._monitor, zmq.NOBLOCK)["event"]
            except zmq.ZMQError:
                return
            if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                self._is_up = True
                self._timer.cancel()
                self._user.on_up()
            elif event in _FAILED:
                self._read_rest(_FAILED[int(event)])
                return

    def _read_rest(self, reason: str) -> None:
        """Reads what had come before the connection was lost, in portions: other connections have their turns."""
        if self._receive():
            self._user.on_turn()
            self._reactor.call_soon(lambda: self._read_rest(reason))
        else:
            self._down(reason)

    def _took_too_long(self) -> None:
        self._down(f"no connection within {CONNECT_TIMEOUT:g} s")

    def _down(self, reason: str) -> None:
        if not self._is_closed:
            self.close()
            self._user.on_down(reason)
