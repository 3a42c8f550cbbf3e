"""`Lookout`: which clients of a server are silent, and for how long."""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable, Iterator

from .peer import Peer


class Silence(enum.Enum):
    """What is to be done about a client that has said nothing for some time."""

    ASK = "ask"
    LET_GO = "let go"


class Lookout:
    """When clients with calls in flight are to be asked for a sign of life, and to be let go."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self.next = math.inf
        """No client is to be asked or let go before this time: so all of them are looked at now and then only."""

    def call_came(self, now: float) -> None:
        """Tells that a client has a call in flight."""
        self.next = min(self.next, now + self._timeout / 3)

    def look(self, peers: Iterable[Peer], now: float) -> Iterator[tuple[Peer, Silence]]:
        """Yields the clients that are silent, if it is time to look."""
        if now < self.next:
            return
        self.next = math.inf
        for peer in list(peers):
            silence, again = self._judge(peer, now)
            self.next = min(self.next, again)
            if silence is not None:
                yield peer, silence

    def _judge(self, peer: Peer, now: float) -> tuple[Silence | None, float]:
        """Returns what is to be done about a client, and when to look at it again, at the latest."""
        silent, third = now - peer.quiet_since, self._timeout / 3
        if peer.link.blocked_since is not None and peer.outbox.size:
            # It has not read the question, so its time to answer has not begun. If nothing waits for it, it has
            # to be asked: only those for which something waits are given up with their connection.
            if peer.asked_at is not None:
                peer.asked_at = now
            return None, now + third
        if peer.asked_at is not None:
            # Where this look is late, so is the question: who was not asked in time is not let go.
            until = peer.asked_at + 2 * third
            # Once it has answered, it is to be asked again.
            return (Silence.LET_GO, math.inf) if now >= until else (None, min(until, now + third))
        if silent >= third:
            return Silence.ASK, now + third
        return None, peer.quiet_since + third
