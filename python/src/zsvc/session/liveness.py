"""Whether a client's server is there: its pings, and which life of the server answers them."""

from __future__ import annotations

_PROVE_AFTER = 1 << 20


class Liveness:
    """The pings of one connection of a client.

    A server that says nothing for a quarter of the timeout while calls are in flight is asked; one that then says
    nothing for the rest of it counts as dead. Pings also prove that one-way calls before them were read.
    """

    def __init__(self, timeout: float, now: float) -> None:
        self._timeout = timeout
        self._quiet_since = now
        self._pings: dict[int, int] = {}
        """Pings without a pong, each with the bytes of one-way calls that it proves."""
        self._asked_at: float | None = None
        """When the server was asked for a sign of life."""
        self._life: int | None = None
        self._unproved = 0
        self.unread = 0
        """Bytes of one-way calls that nothing proves to be read."""

    def heard(self, now: float) -> None:
        """Tells that something has come, or that the first call was made: from now on the server may be silent."""
        self._quiet_since = now
        self._asked_at = None

    def count_one_way(self, size: int) -> None:
        """Counts the bytes of a one-way call."""
        self.unread += size
        self._unproved += size

    @property
    def wants_proof(self) -> bool:
        """Whether it is time for a ping behind one-way calls."""
        return self._unproved >= _PROVE_AFTER

    def asked(self, id: int, now: float) -> None:
        """Tells that a ping was sent."""
        self._pings[id] = self._unproved
        self._unproved = 0
        if self._asked_at is None:
            self._asked_at = now

    def answered(self, id: int, life: int | None) -> bool:
        """Takes a pong, and returns whether it is the first of another life of the server."""
        proved = self._pings.pop(id, None)
        if proved is None:
            return False
        self.unread -= proved
        is_other = life is not None and life != self._life
        if life is not None:
            self._life = life
        return is_other

    def open_pings(self) -> list[int]:
        """Returns the pings without a pong."""
        return list(self._pings)

    def next_timeout(self, has_calls: bool) -> float | None:
        """Returns when to look again."""
        if has_calls:
            if self._asked_at is not None:
                return self._asked_at + self._timeout * 3 / 4
            return self._quiet_since + self._timeout / 4
        return self._quiet_since + 1.0 if self._unproved and not self._pings else None

    def should_ask(self, has_calls: bool, now: float) -> bool:
        """Reports whether a ping is to be sent."""
        if has_calls:
            return self._asked_at is None and now >= self._quiet_since + self._timeout / 4
        return bool(self._unproved) and not self._pings and now >= self._quiet_since + 1.0

    def is_dead(self, has_calls: bool, now: float) -> bool:
        """Reports whether a server that was asked has been silent for too long. Begins anew if so."""
        if not has_calls or self._asked_at is None or now < self._asked_at + self._timeout * 3 / 4:
            return False
        self.heard(now)
        return True
