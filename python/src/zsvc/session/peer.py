"""The clients of a server: their calls, and what waits to be sent to them."""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from ..codec.writer import Body
from ..identity import Identity
from ..status import Status
from ..wire.outbox import Frame, Outbox
from ..wire.records import INITIAL_CREDIT, Call
from .config import Kind, ServerLimits
from .flow import Inbound, Outbound
from .links import Link, Links

Route: TypeAlias = "tuple[bytes, ...]"
MAX_IDLE = 65_536
"""Clients without calls that are remembered, to be told that the server goes away."""
_SMALL = 128
"""Bytes that may wait for a client in any case: to give it up, and to tell it why, frees next to nothing."""


@dataclass(frozen=True)
class Method:
    """What a server knows of a method."""

    name: str
    kind: Kind
    roles: Sequence[str] = ()
    user: Any = None
    is_own: bool = False
    """Whether it is of a service that the server has by itself, whose calls wait for no turn."""


class ServerCall:
    """A call in flight. `user` is whatever runs it."""

    def __init__(
        self, peer: Peer, record: Call, method: Method, deadline: float | None, window: int, now: float = 0.0
    ) -> None:
        self.peer = peer
        self.id = record.id
        self.method = method
        self.body = record.body
        self.metadata = record.metadata or {}
        self.deadline = deadline
        self.is_one_way = record.one_way
        self.inbound = Inbound(max(window, INITIAL_CREDIT), INITIAL_CREDIT) if method.kind.takes_items else None
        self.inbound_is_complete = False
        self.outbound = Outbound(record.credit) if method.kind.answers_items else None
        self.is_over = False
        self.received_at = now
        self.is_claimed = False
        """Whether it takes its turn once it is known who makes it."""
        self.has_turn = False
        """Whether it is one of the handlers that run at the same time."""
        self.is_waiting = False
        """Whether it waits until fewer handlers run."""
        self.held: list[Event] = []
        """What has come for it meanwhile."""
        self.user: Any = None


@dataclass(slots=True)
class Started:
    """A call has come: its handler is to run."""

    call: ServerCall


@dataclass(slots=True)
class Ended:
    """A call is over before its handler has ended: that is to be cancelled."""

    call: ServerCall
    reason: str


@dataclass(slots=True)
class ItemsArrived:
    """Items of a client's stream have come."""

    call: ServerCall
    body: Body


@dataclass(slots=True)
class ItemsComplete:
    """A client's stream is complete."""

    call: ServerCall


@dataclass(slots=True)
class RoomMade:
    """Items of a call have left: there may be room for more."""

    call: ServerCall
    size: int


@dataclass(slots=True)
class Turned:
    """A call that has begun as a claimed one may go on, or may not."""

    call: ServerCall
    refusal: Status | None


Event: TypeAlias = Started | Ended | ItemsArrived | ItemsComplete | RoomMade | Turned


class Peer:
    """One client."""

    __slots__ = (
        "accounted",
        "asked_at",
        "calls",
        "identity",
        "is_router",
        "key",
        "link",
        "one_way_calls",
        "outbox",
        "pings",
        "quiet_since",
        "route",
        "stalled",
    )

    def __init__(self, route: Route, link: Link, now: float, key: str | None) -> None:
        self.route, self.link, self.key = route, link, key
        self.is_router = False
        """Whether it is a router, at which the server has registered: the server says who that is."""
        self.identity: Identity | None = None
        """Who it is, if it is a router and the server says it."""
        self.calls: dict[int, ServerCall] = {}
        self.outbox = Outbox()
        self.quiet_since = now
        self.asked_at: float | None = None
        self.pings = 0
        """Number of pings without a pong."""
        self.accounted = 0
        self.one_way_calls = 0
        self.stalled: dict[int, ServerCall] = {}
        """Calls whose items wait for room in the outbox."""

    @property
    def in_flight(self) -> int:
        """Number of its calls in flight, with one-way calls."""
        return len(self.calls) + self.one_way_calls

    def heard(self, now: float) -> None:
        """Tells that something has come."""
        self.quiet_since = now
        self.asked_at = None


class Peers:
    """All clients of a server, by their routes."""

    def __init__(self, limits: ServerLimits) -> None:
        self._max_waiting = self._looks_above = limits.max_waiting
        # Past twice, its streams end first, each with up to one message on top.
        self._max_waiting_per_peer = 2 * limits.max_waiting_per_peer + limits.max_message_size
        self._by_route: dict[Route, Peer] = {}
        self._idle: OrderedDict[Route, Peer] = OrderedDict()
        """Those without calls; whoever has said something last is at the end."""
        self.with_calls: dict[Route, Peer] = {}
        self.one_way_calls: set[ServerCall] = set()
        self.links = Links()
        self._past: dict[Route, Peer] = {}
        """Those for whom too much waits."""
        self.calls = 0
        """Number of calls in flight, with one-way calls."""
        self.waiting = 0
        """Bytes that wait to be sent."""

    def of(self, route: Route, now: float, key: str | None) -> Peer:
        """Returns the client with a route."""
        peer = self._by_route.get(route)
        if peer is None:
            peer = self._by_route[route] = self._idle[route] = Peer(route, self.links.join(route[0]), now, key)
            if len(self._idle) > MAX_IDLE:
                # With what waits for it: one connection can have any number of routes, and need not read.
                self.remove(next(iter(self._idle.values())))
        elif route in self._idle:
            self._idle.move_to_end(route)
        return peer

    def join(self, route: Route, now: float, key: str | None, identity: Identity | None) -> None:
        """Adds a router. It is remembered also while it has no calls, since it is told that the server goes away."""
        peer = self._by_route[route] = Peer(route, self.links.join(route[0]), now, key)
        peer.is_router, peer.identity = True, identity

    def all(self) -> list[Peer]:
        """Returns all clients that are known."""
        return list(self._by_route.values())

    def __len__(self) -> int:
        return len(self._by_route)

    def remove(self, peer: Peer) -> None:
        """Forgets a client."""
        if self._by_route.pop(peer.route, None) is not None:
            self.links.leave(peer)
        for peers in (self._idle, self.with_calls, self._past):
            peers.pop(peer.route, None)
        peer.outbox.clear()
        self.waiting -= peer.accounted
        peer.accounted = 0

    def add_call(self, call: ServerCall) -> None:
        """Adds a call in flight."""
        self.calls += 1
        if call.is_one_way:
            self.one_way_calls.add(call)
            call.peer.one_way_calls += 1
        else:
            call.peer.calls[call.id] = call
            self.with_calls[call.peer.route] = call.peer
            self._idle.pop(call.peer.route, None)

    def remove_call(self, call: ServerCall) -> None:
        """Removes a call that is over."""
        self.calls -= 1
        if call.is_one_way:
            self.one_way_calls.discard(call)
            call.peer.one_way_calls -= 1
            return
        peer = call.peer
        peer.calls.pop(call.id, None)
        if not peer.calls:
            self.with_calls.pop(peer.route, None)
            if peer.route in self._by_route and not peer.is_router:
                self._idle[peer.route] = peer

    def account(self, peer: Peer) -> None:
        """Counts what waits for a client, after its outbox has changed."""
        if peer.route not in self._by_route:
            peer.outbox.clear()
            return
        size = peer.outbox.size
        self.waiting += size - peer.accounted
        peer.accounted = size
        if self.waiting <= self._max_waiting:
            self._looks_above = self._max_waiting
        if size > self._max_waiting_per_peer:
            self._past[peer.route] = peer
        if size:
            self.links.add(peer)
        else:
            self.links.clear(peer)

    def next_message(self) -> tuple[Peer, list[Frame]] | None:
        """Returns the next message, of the clients in turn."""
        while (peer := self.links.next()) is not None:
            batch = peer.outbox.peek()
            if batch is not None:
                return peer, batch.frames()
            self.links.clear(peer)
        return None

    @property
    def are_past_bounds(self) -> bool:
        """Whether too much waits for one client, or for all together."""
        return bool(self._past) or self.waiting > self._looks_above

    def past_bounds(self, most: int) -> list[Peer]:
        """Returns the clients for which too much waits: for one of them, or for all together, up to so many."""
        found, self._past = list(self._past.values()), {}
        found = [peer for peer in found if peer.outbox.size > self._max_waiting_per_peer]
        if found or self.waiting <= self._looks_above:
            return found
        # Until a quarter is free, so that those with the least are not looked for again and again.
        left, enough = self.waiting, self._max_waiting // 4 * 3
        worth = (peer for peer in self._by_route.values() if peer.outbox.size > _SMALL)
        for peer in heapq.nlargest(most, worth, key=lambda peer: peer.outbox.size):
            if left <= enough:
                break
            left -= peer.outbox.size
            found.append(peer)
        if not found:
            # All is looked through again once there is more that could be freed, and not again and again.
            self._looks_above = self.waiting + self._max_waiting // 16
        return found
