"""`Links`: the connections of a server's clients, and to which of them something can be sent now."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..due import Due

if TYPE_CHECKING:
    from .peer import Peer, Route

_FIRST_PAUSE = 0.005
_LONGEST_PAUSE = 0.25
"""Seconds between two tries of a connection without room, which grow from the first to the longest."""


class Link:
    """One connection. It has one client; or those behind a device; or any number, whose routes its peer makes up."""

    __slots__ = ("_pause", "blocked_since", "clients", "id", "ready", "rests", "source")

    def __init__(self, id: bytes) -> None:
        self.id = id
        self.clients = 0
        """Number of its clients that are known."""
        self.ready: OrderedDict[Route, Peer] | None = None
        """The clients for which something waits; `None` if there is none."""
        self.blocked_since: float | None = None
        """Since when there was no room."""
        self.rests = False
        """Whether nothing is tried until its pause is over."""
        self._pause = _FIRST_PAUSE
        self.source: Any = None
        """What can end it, for the transport."""

    def rest(self, now: float) -> float:
        """Tells that there is no room, and returns when to try again."""
        self.rests = True
        if self.blocked_since is None:
            self.blocked_since, self._pause = now, _FIRST_PAUSE
        pause, self._pause = self._pause, min(2 * self._pause, _LONGEST_PAUSE)
        return now + pause

    def some(self, most: int) -> Iterator[Peer]:
        """Yields up to so many clients for which something waits. Who was not among them comes first the next time."""
        for _ in range(min(most, len(self.ready or ()))):
            if self.ready is None:
                return
            route, peer = next(iter(self.ready.items()))
            self.ready.move_to_end(route)
            yield peer


class Links:
    """The connections, by the first frames of routes.

    Whether there is room is known of a connection and not of each of its clients, so it is tried once for all of them:
    a peer that makes up routes, and does not read, costs no more than any other that does not read. Connections take
    turns, and so do the clients of each.
    """

    def __init__(self) -> None:
        self._by_id: dict[bytes, Link] = {}
        self._ready: OrderedDict[bytes, Link] = OrderedDict()
        self._resting: Due[Link] = Due(lambda link: not link.clients)

    def __len__(self) -> int:
        return len(self._by_id)

    def join(self, id: bytes) -> Link:
        """Returns the connection of a new client."""
        link = self._by_id.get(id)
        if link is None:
            link = self._by_id[id] = Link(id)
        link.clients += 1
        return link

    def leave(self, peer: Peer) -> None:
        """Forgets a client, and its connection if that has no other."""
        self.clear(peer)
        link = peer.link
        link.clients -= 1
        if not link.clients:
            del self._by_id[link.id]

    def add(self, peer: Peer) -> None:
        """Tells that something waits for a client."""
        link = peer.link
        if link.ready is None:
            link.ready = OrderedDict()
        link.ready[peer.route] = peer
        if not link.rests:
            self._ready[link.id] = link

    def clear(self, peer: Peer) -> None:
        """Tells that nothing waits for a client."""
        link = peer.link
        if link.ready is not None and link.ready.pop(peer.route, None) is not None and not link.ready:
            link.ready = link.blocked_since = None
            self._ready.pop(link.id, None)

    def next(self) -> Peer | None:
        """Returns the client whose turn it is."""
        if not self._ready:
            return None
        id, link = next(iter(self._ready.items()))
        self._ready.move_to_end(id)
        return next(link.some(1))

    def block(self, link: Link, now: float) -> None:
        """Tells that a connection has no room."""
        self._ready.pop(link.id, None)
        self._resting.add(link.rest(now), link)

    def next_retry(self) -> float | None:
        """Returns when a connection is to be tried again."""
        return self._resting.next()

    def retry(self, now: float) -> Iterator[Link]:
        """Tries connections again whose pause is over, and yields them."""
        while (link := self._resting.take(now)) is not None:
            link.rests = False
            if link.ready is not None:
                self._ready[link.id] = link
            yield link
