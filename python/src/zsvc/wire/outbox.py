"""`Outbox`: records packed into batches, in their order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

MAX_BATCH = 64 * 1024
"""A batch that has reached this length takes no further record."""
MIN_ALONE = 16 * 1024
"""A record of this length has a batch of its own."""

Frame: TypeAlias = bytes | bytearray | memoryview


@dataclass(slots=True)
class Batch:
    """A batch, and the frames before it."""

    data: bytearray
    attachments: list[memoryview] = field(default_factory=list[memoryview])
    calls: list[int] = field(default_factory=list[int])
    """The calls that it starts."""
    is_closed: bool = False

    def __len__(self) -> int:
        return len(self.data) + sum(map(len, self.attachments))

    def frames(self) -> list[Frame]:
        """Returns the frames of the message."""
        return [*self.attachments, self.data]


class Outbox:
    """Records that wait to leave, packed into batches."""

    __slots__ = ("_batches", "size")

    def __init__(self) -> None:
        # Most often none or one, of very many clients: a list without elements takes a tenth of such a deque.
        self._batches: list[Batch] = []
        self.size = 0
        """Bytes that wait."""

    def push(self, record: bytes, attachments: Sequence[memoryview] = (), *, call: int | None = None) -> None:
        """Adds a record. `call` is the id of the call that it starts."""
        is_long = bool(attachments) or len(record) >= MIN_ALONE
        batch = self._batches[-1] if self._batches else None
        if batch is None or batch.is_closed or is_long:
            batch = Batch(bytearray(b"\x01"), list(attachments))
            self._batches.append(batch)
            self.size += len(batch)
        batch.data += record
        if call is not None:
            batch.calls.append(call)
        batch.is_closed = is_long or len(batch.data) >= MAX_BATCH
        self.size += len(record)

    def peek(self) -> Batch | None:
        """Returns the batch that leaves next."""
        return self._batches[0] if self._batches else None

    def pop(self) -> Batch:
        """Takes the batch that leaves next."""
        batch = self._batches.pop(0)
        self.size -= len(batch)
        return batch

    def clear(self) -> None:
        """Drops all that waits."""
        self._batches.clear()
        self.size = 0
