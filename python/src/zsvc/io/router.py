"""`Router`: the socket of a server."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import ipaddress
import logging
import os
import random
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import zmq

from .curve import Gatekeeper, ServerCurve
from .frames import MessageReader, send
from .reactor import LONGEST_READING, Reactor

_LOG = logging.getLogger("zsvc")
_BATCH = 256
_HANDSHAKE = 10_000
"""Milliseconds that a handshake may take."""
_SEEDING = threading.Lock()


def announces_id(route: memoryview) -> bool:
    """Reports whether a peer announces a routing id: libzmq's own are of five bytes, the first of which is 0."""
    return len(route) != 5 or route[0] != 0


def is_reached_by_others(bound: str) -> bool:
    """Reports whether other machines can reach an endpoint that is bound."""
    if not bound.startswith("tcp://"):
        return False
    host = bound[6:].rpartition(":")[0].strip("[]").partition("%")[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return True
    mapped = getattr(address, "ipv4_mapped", None)
    return not (mapped or address).is_loopback


def _seed() -> None:
    """Seeds the `rand` of C, from which libzmq takes the first routing id of a ROUTER that is made next.

    libzmq never seeds it (4.3.5, `router_t`), and ends the process where a peer announces the id that another is about
    to get. It can't be told to refuse such ids, so they must not be known.
    """
    library = ctypes.CDLL("ucrtbase" if os.name == "nt" else None)
    library.srand(ctypes.c_uint(random.SystemRandom().getrandbits(32)))


class Source:
    """The system's socket below a connection. libzmq ends no single connection of a ROUTER, and heeds its end."""

    def __init__(self, frame: Any) -> None:
        """Takes the last frame of a message that has come over it."""
        self._stamp: object = None
        with contextlib.suppress(zmq.ZMQError, OSError):
            self._number = int(frame.get(zmq.SRCFD))
            with _copy(self._number) as copy:
                self._stamp = self._look(copy, str(frame.get("Peer-Address")))
        self.is_due = False
        """Whether it is about to be cut."""

    @staticmethod
    def _look(copy: int, peer: str | None = None) -> object:
        """Returns what tells a connection from others: `None` for no socket, or for one to another peer."""
        found = os.fstat(copy)
        if not stat.S_ISSOCK(found.st_mode):
            return None
        with socket.socket(fileno=os.dup(copy)) as it:
            own, other = it.getsockname(), it.getpeername()
        if peer is not None and isinstance(other, tuple) and other[0].partition("%")[0] != peer.partition("%")[0]:
            return None
        # Not every system numbers sockets, so their ends tell them apart, too.
        return found.st_dev, found.st_ino, own, other

    def cut(self) -> None:
        """Ends the connection, if it is still there: its number may be that of another one by now."""
        if self._stamp is None:
            return
        # What the copy is, is looked at: that stays as it is.
        with contextlib.suppress(OSError), _copy(self._number) as copy:
            if self._look(copy) == self._stamp:
                with socket.socket(fileno=os.dup(copy)) as it:
                    it.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def _copy(number: int) -> Iterator[int]:
    """Lends a copy of a descriptor, whatever it is of."""
    copy = os.dup(number)
    try:
        yield copy
    finally:
        os.close(copy)


class Router:
    """A ROUTER socket, and who may connect to it."""

    def __init__(
        self, reactor: Reactor, max_frame: int, curve: ServerCurve | None, *, denies_plaintext: bool = False
    ) -> None:
        self._reactor = reactor
        self._denies_plaintext, self._has_warned = denies_plaintext, False
        self._gatekeeper: Gatekeeper | None = None
        if curve is not None:
            self._gatekeeper = Gatekeeper(reactor.context, curve)
            reactor.add_socket(self._gatekeeper.socket, zmq.POLLIN, self._gatekeeper.ready)
        with _SEEDING:
            _seed()
            self._socket = reactor.context.socket(zmq.ROUTER)
        options = {
            zmq.LINGER: 1_000,
            zmq.ROUTER_MANDATORY: 1,
            zmq.SNDHWM: 128,
            # With heartbeats, libzmq must not stop reading: a reset then ends the process (issue 4841).
            zmq.RCVHWM: 0,
            zmq.MAXMSGSIZE: max_frame,
            # Slow, and with a timeout shorter than the interval: libzmq passes over other timers at each answer.
            zmq.HEARTBEAT_IVL: 30_000,
            zmq.HEARTBEAT_TIMEOUT: 10_000,
            zmq.HANDSHAKE_IVL: _HANDSHAKE,
            zmq.BACKLOG: 4_096,
        }
        for option, value in options.items():
            self._socket.setsockopt(option, value)
        if curve is not None:
            curve.apply(self._socket)
        self._files: list[str] = []

    def let_in(self, curve: ServerCurve) -> None:
        """Lets in other clients from now on."""
        if self._gatekeeper is not None:
            self._gatekeeper.curve = curve

    def lets_in(self, key: str) -> bool:
        """Reports whether a client with this public key may connect."""
        return self._gatekeeper is None or self._gatekeeper.lets_in(key)

    def bind(self, endpoint: str) -> str:
        """Binds an endpoint, and returns it with the port that it has. Raises `OSError`."""
        if not endpoint.startswith(("tcp://", "ipc://")):
            raise OSError(errno.EINVAL, f"`{endpoint}` is no endpoint: write `tcp://HOST:PORT` or `ipc://PATH`")
        if endpoint.startswith("ipc://") and os.path.exists(endpoint[6:]) and not _is_stale(endpoint[6:]):
            raise OSError(errno.EADDRINUSE, f"`{endpoint}` is in use: a program listens there")
        self._socket.setsockopt(zmq.IPV6, int("[" in endpoint))
        try:
            self._socket.bind(endpoint)
        except zmq.ZMQError as error:
            raise OSError(error.errno, f"`{endpoint}` can't be bound: {str(error).lower()}") from None
        bound = str(self._socket.getsockopt_string(zmq.LAST_ENDPOINT))
        if self._gatekeeper is None and is_reached_by_others(bound):
            self._bound_in_the_clear(endpoint, bound)
        return bound

    def _bound_in_the_clear(self, endpoint: str, bound: str) -> None:
        """Warns of an endpoint without keys that other machines can reach, or takes it back. Raises `OSError`."""
        if self._denies_plaintext:
            self._socket.unbind(bound)
            text = f"can't bind `{endpoint}`: other machines can reach `{bound}`, and without keys they could read and"
            hint = "give the server `curve`, bind a loopback address or `ipc`, or leave out `deny_plaintext`"
            raise OSError(errno.EACCES, f"{text} change what is sent: {hint}")
        if not self._has_warned:
            self._has_warned = True
            _LOG.warning(
                "listening without encryption at `%s`, where other machines can connect: they can call, and read and "
                "change what is sent; give the server `curve`, or bind a loopback address or `ipc`",
                bound,
            )

    def start(
        self,
        message: Callable[[Sequence[memoryview], str | None, Callable[[], Source]], None],
        turn: Callable[[], None],
    ) -> None:
        """Begins to read. `turn` is called after several messages.

        `message` gets each message, its sender's public key, and what finds the connection by which it has come.
        """

        reader = MessageReader(self._socket)

        def ready(_: int) -> None:
            until = time.monotonic() + LONGEST_READING
            for _ in range(_BATCH):
                frames = reader.next(until)
                if frames is None:
                    break
                key = self._key_of(frames[-1])
                if key is not None or self._gatekeeper is None:
                    message([frame.buffer for frame in frames], key, functools.partial(Source, frames[-1]))
                if time.monotonic() >= until:
                    break
            turn()

        self._reactor.add_socket(self._socket, zmq.POLLIN, ready)

    def _key_of(self, frame: Any) -> str | None:
        if self._gatekeeper is None:
            return None
        with contextlib.suppress(zmq.ZMQError):
            return str(frame.get("User-Id")) or None
        return None

    def send(self, frames: Sequence[Any]) -> Literal["sent", "full", "gone"]:
        """Sends a message to the client that the first frame names."""
        try:
            send(self._socket, frames)
        except zmq.Again:
            return "full"
        except zmq.ZMQError:
            return "gone"
        return "sent"

    def close(self) -> None:
        """Closes the socket. What was sent has a second to leave."""
        self._reactor.remove_socket(self._socket)
        self._socket.close()
        if self._gatekeeper is not None:
            self._reactor.remove_socket(self._gatekeeper.socket)
            self._gatekeeper.socket.close()


def _is_stale(path: str) -> bool:
    """Reports whether a socket's file is that of a server that is gone."""
    probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        probe.setblocking(False)
        probe.connect(path)
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    finally:
        probe.close()
    return False
