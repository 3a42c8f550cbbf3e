"""`Turns`: calls that wait until fewer handlers run."""

from __future__ import annotations

from collections import OrderedDict

from .config import ServerLimits
from .peer import Route, ServerCall


class Turns:
    """How many handlers run, and which calls wait. Clients take turns: one call of each before the next of the same."""

    def __init__(self, limits: ServerLimits) -> None:
        self._most, self._room = limits.max_running, limits.max_queued
        self._running = 0
        self._waiting = 0
        self._by_client: OrderedDict[Route, OrderedDict[ServerCall, None]] = OrderedDict()
        """In their order, and found at once: a client may cancel any number of them."""

    def refusal(self, route: Route) -> str | None:
        """Returns why another call of a client can neither run nor wait."""
        if self._most is None or self._running < self._most:
            return None
        if self._waiting >= self._room:
            return f"{self._running} calls run, and {self._waiting} wait to run, as many as may"
        left, own = self._room - self._waiting, len(self._by_client.get(route, ()))
        if self._room >= 4 and own and 4 * left <= self._room and 4 * own * len(self._by_client) >= left:
            return f"{own} calls of the client wait to run, which is its share: there is room for {left} more"
        return None

    def begin(self, call: ServerCall) -> bool:
        """Takes a call. Reports whether it runs at once."""
        if self._most is None:
            return True
        if self._running < self._most:
            self._run(call)
            return True
        call.is_waiting = True
        self._waiting += 1
        self._by_client.setdefault(call.peer.route, OrderedDict())[call] = None
        return False

    def left(self, call: ServerCall) -> None:
        """Takes out a call that has ended before its turn."""
        if call.is_waiting:
            call.is_waiting = False
            self._waiting -= 1
            calls = self._by_client[call.peer.route]
            del calls[call]
            if not calls:
                del self._by_client[call.peer.route]

    def _run(self, call: ServerCall) -> None:
        call.has_turn = True
        self._running += 1

    def ended(self, call: ServerCall) -> None:
        """Tells that the handler of a call has ended."""
        self._running -= call.has_turn
        call.has_turn = False

    def next(self) -> ServerCall | None:
        """Returns the call whose turn it is, if there is one that may run now."""
        if not self._by_client or self._most is None or self._running >= self._most:
            return None
        route, calls = next(iter(self._by_client.items()))
        call = next(iter(calls))
        self.left(call)
        if route in self._by_client:
            self._by_client.move_to_end(route)
        self._run(call)
        return call
