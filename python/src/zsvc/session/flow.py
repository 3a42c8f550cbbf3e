"""The two halves of a stream, and their credit in bytes."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from ..codec.writer import Body
from ..wire.records import INITIAL_CREDIT, MAX_CREDIT

ITEM_OVERHEAD = 64
"""What an item counts for besides its bytes where it waits to leave, so that short ones take no endless memory."""


def cost(items: Sequence[Body]) -> int:
    """Returns what items count for."""
    return sum(map(len, items)) + ITEM_OVERHEAD * len(items)


class Outbound:
    """The half that sends: items that wait for credit."""

    def __init__(self, credit: int = INITIAL_CREDIT) -> None:
        self.credit = credit
        self.is_finished = False
        """Whether no more items come."""
        self._waiting: deque[Body] = deque()
        self.size = 0
        """Bytes that wait for credit."""

    def push(self, item: Body) -> None:
        """Adds an item."""
        self._waiting.append(item)
        self.size += len(item)

    def grant(self, amount: int) -> None:
        """Adds credit."""
        self.credit = min(self.credit + amount, MAX_CREDIT)

    def take(self) -> Body | None:
        """Takes an item that may be sent now."""
        if not self._waiting or self.credit <= 0:
            return None
        item = self._waiting.popleft()
        self.size -= len(item)
        self.credit -= len(item)
        return item

    @property
    def is_complete(self) -> bool:
        """Whether all items were taken, and no more come."""
        return self.is_finished and not self._waiting

    def clear(self) -> None:
        """Drops what waits: the call is over."""
        self._waiting.clear()
        self.size = 0


class Inbound:
    """The half that receives: what was granted, and what was consumed since."""

    def __init__(self, window: int, granted: int) -> None:
        self.window = window
        self.granted = granted
        self._consumed = 0

    def receive(self, size: int) -> bool:
        """Counts items that have come. Returns `False` if there was no credit for them."""
        if size and self.granted <= 0:
            return False
        self.granted -= size
        return True

    def consume(self, size: int) -> int:
        """Counts bytes that were consumed, and returns how many to grant now; most often none."""
        self._consumed += size
        if self._consumed * 2 < self.window:
            return 0
        amount, self._consumed = self._consumed, 0
        self.granted += amount
        return amount

    def open(self) -> int:
        """Returns how many bytes to grant so that the whole window is granted."""
        amount = max(self.window - self.granted, 0)
        self.granted += amount
        return amount


def pack(items: list[Body]) -> list[Body]:
    """Returns items joined into as few bodies as fit into records."""
    packed: list[Body] = []
    small: list[bytes] = []
    size = 0
    for item in items:
        if item.attachments or len(item.data) >= 16 * 1024:
            _close(packed, small)
            packed.append(item)
            size = 0
            continue
        small.append(item.data)
        size += len(item.data)
        if size >= 64 * 1024:
            _close(packed, small)
            size = 0
    _close(packed, small)
    return packed


def _close(packed: list[Body], small: list[bytes]) -> None:
    if small:
        packed.append(Body(b"".join(small), [], []))
        small.clear()
