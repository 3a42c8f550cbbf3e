"""The limits of both sides, and what both know of a method."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Kind(enum.Enum):
    """How a method is called."""

    UNARY = "unary"
    SERVER_STREAM = "server stream"
    CLIENT_STREAM = "client stream"
    BIDIRECTIONAL = "bidirectional"
    ONE_WAY = "one way"

    @property
    def takes_items(self) -> bool:
        """Whether the client sends a stream."""
        return self in (Kind.CLIENT_STREAM, Kind.BIDIRECTIONAL)

    @property
    def answers_items(self) -> bool:
        """Whether the server sends a stream."""
        return self in (Kind.SERVER_STREAM, Kind.BIDIRECTIONAL)


def max_received(max_message_size: int) -> int:
    """Returns the bytes of the largest frame, and of the largest message, that are received."""
    return 4 * max_message_size + 256 * 1024


@dataclass(frozen=True)
class ClientLimits:
    """The limits of a client, for each of its connections."""

    max_message_size: int = 16 << 20
    """Bytes of parameters, of an answer, or of an item."""
    max_calls: int = 16_384
    """Calls in flight over one connection; further ones wait within their deadlines."""
    stream_window: int = 1 << 20
    """Bytes of a stream that a server may send ahead of its reader."""
    server_timeout: float = 60.0
    """Seconds in which a server with calls in flight may say nothing; a quarter of it, and it is asked."""
    max_unsent: int = 4 << 20
    """Bytes that wait to leave over one connection; calls and `send` of streams wait past it."""
    max_unread_one_way: int = 4 << 20
    """Bytes of one-way calls that the server has not read."""


@dataclass(frozen=True)
class ServerLimits:
    """The limits of a server."""

    max_message_size: int = 16 << 20
    """Bytes of parameters, of an answer, or of an item."""
    max_calls: int = 100_000
    """Calls in flight of all clients; the last quarter is shared out among clients with few."""
    max_calls_per_peer: int = 20_000
    """Calls in flight of one client."""
    max_running: int | None = None
    """Handlers that run at the same time; further calls wait for their turn. `None` is no limit."""
    max_queued: int = 0
    """Calls that wait for their turn, where `max_running` is set; further ones are refused. Clients take turns."""
    max_waiting_per_peer: int = 256 << 20
    """Bytes not yet read by one client. Past it, its new calls are refused; at twice that, its calls are ended."""
    max_waiting: int = 1 << 30
    """Bytes not yet read by all clients; past it, the calls of those with the most are ended."""
    stream_window: int = 256 << 10
    """Bytes of a stream that a client may send ahead of its handler; at least 65,536."""
    peer_timeout: float = 15.0
    """Seconds in which a client with calls in flight may say nothing; after a third of it, it is asked."""
    grace: float = 10.0
    """Seconds that calls in flight have once the server drains."""
