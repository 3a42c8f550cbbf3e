"""`Reader`: the bytes of one body, and what its values may take."""

from __future__ import annotations

from collections.abc import Sequence

MAX_DEPTH = 128
"""Levels of arrays and maps in a value."""
MEMORY_PER_BYTE = 8
MIN_MEMORY = 64 * 1024
MAX_PATH = 160
COPIED_BYTES = 256
"""Shorter `bytes` are copied, so that they do not keep the message that they lie in."""


class DecodeError(Exception):
    """A value can't be read, or breaks a bound."""

    def __init__(self, message: str, *, too_deep: bool = False, too_large: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.path = ""
        self.too_deep = too_deep
        self.too_large = too_large

    def at(self, step: str) -> DecodeError:
        """Adds a step to the front of the path."""
        dot = "" if not self.path or self.path.startswith("[") else "."
        self.path = step + dot + self.path if len(self.path) <= MAX_PATH else self.path
        return self

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


def max_memory(max_body: int) -> int:
    """Returns how many bytes the values of a body may take in memory, where a body has up to `max_body` bytes."""
    return max(max_body * MEMORY_PER_BYTE, MIN_MEMORY)


class Reader:
    """Reads the values of one body, from its start.

    `attachments` are parts of the body that lie in frames of their own, each behind as many bytes as `places` says.
    """

    __slots__ = ("attachments", "bounds", "data", "depth", "end", "memory", "places", "pos", "room", "taken")

    def __init__(
        self,
        data: bytes,
        *,
        memory: int,
        bounds: bool = False,
        attachments: Sequence[memoryview] = (),
        places: Sequence[int] = (),
    ) -> None:
        self.data = data
        self.pos = 0
        self.end = len(data)
        self.room = memory
        self.memory = memory
        self.bounds = bounds
        """Whether `@len` and `@range` are checked."""
        self.depth = 0
        self.attachments = attachments
        self.places = places
        self.taken = 0
        """Number of attachments that were read as whole values."""

    def take(self, size: int) -> bytes:
        """Returns the next bytes."""
        start = self.pos
        end = start + size
        if end > self.end:
            raise DecodeError("the bytes end in the middle of a value")
        self.pos = end
        return self.data[start:end]

    def byte(self) -> int:
        """Returns the next byte."""
        pos = self.pos
        if pos >= self.end:
            raise DecodeError("the bytes end too soon")
        self.pos = pos + 1
        return self.data[pos]

    def peek_nil(self) -> bool:
        """Reports whether nil comes next, and takes it."""
        pos = self.pos
        if pos < self.end and self.data[pos] == 0xC0:
            self.pos = pos + 1
            return True
        return False

    def uint(self, size: int) -> int:
        """Returns the unsigned number in the next bytes."""
        return int.from_bytes(self.take(size), "big")

    def view(self, size: int) -> memoryview:
        """Returns the bytes of a `bytes` value, whose header was read: an attachment if they are one."""
        taken = self.taken
        if taken < len(self.places) and self.places[taken] == self.pos:
            attachment = self.attachments[taken]
            if len(attachment) == size:
                self.taken = taken + 1
                return attachment
        if size < COPIED_BYTES:
            return memoryview(self.take(size))
        start = self.pos
        if start + size > self.end:
            raise DecodeError("the bytes end in the middle of a value")
        self.pos = start + size
        return memoryview(self.data)[start : start + size]

    def count(self, size: int) -> None:
        """Counts memory that a value takes."""
        self.room -= size
        if self.room < 0:
            raise DecodeError(
                f"too large to be read: {self.memory - self.room} bytes of memory or more, and the values of a "
                f"message may take {self.memory}",
                too_large=True,
            )

    def enter(self) -> None:
        """Goes one level deeper."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise DecodeError(f"nested deeper than {MAX_DEPTH} levels", too_deep=True)

    def array(self) -> int | None:
        """Takes the header of an array, if one comes next, and returns the number of its elements."""
        pos = self.pos
        if pos >= self.end:
            raise DecodeError("the bytes end too soon")
        head = self.data[pos]
        if 0x90 <= head <= 0x9F:
            self.pos = pos + 1
            return head & 0x0F
        if head == 0xDC or head == 0xDD:
            self.pos = pos + 1
            return self.uint(2 if head == 0xDC else 4)
        return None

    def map(self) -> int | None:
        """Takes the header of a map, if one comes next, and returns the number of its entries."""
        pos = self.pos
        if pos >= self.end:
            raise DecodeError("the bytes end too soon")
        head = self.data[pos]
        if 0x80 <= head <= 0x8F:
            self.pos = pos + 1
            return head & 0x0F
        if head == 0xDE or head == 0xDF:
            self.pos = pos + 1
            return self.uint(2 if head == 0xDE else 4)
        return None

    def wrong(self, wanted: str) -> DecodeError:
        """Returns the error of a value of another type than the one that is wanted."""
        if self.pos >= self.end:
            return DecodeError("the bytes end too soon")
        return DecodeError(f"expected {wanted}, found {kind_of(self.data[self.pos])}")

    def skip(self) -> None:
        """Takes one value, whatever it is."""
        self.pos = skip(self.data, self.pos, self.end)


def kind_of(head: int) -> str:
    """Returns the kind of value that a byte begins, for people."""
    if head < 0x80 or 0xCC <= head <= 0xD3 or head >= 0xE0:
        return "an integer"
    if head < 0x90 or head in (0xDE, 0xDF):
        return "a map"
    if head < 0xA0 or head in (0xDC, 0xDD):
        return "an array"
    if head < 0xC0 or 0xD9 <= head <= 0xDB:
        return "a string"
    if head == 0xC0:
        return "nil"
    if head == 0xC1:
        return "a byte that begins no value"
    if head in (0xC2, 0xC3):
        return "a bool"
    if head in (0xCA, 0xCB):
        return "a float"
    return "bytes" if 0xC4 <= head <= 0xC6 else "an extension"


def _widths() -> tuple[list[int], list[int]]:
    """Returns by first byte: the fixed length of what follows, and the number of values in it."""
    contents, values = [0] * 256, [0] * 256
    for head in range(256):
        if 0x80 <= head <= 0x8F:
            values[head] = 2 * (head & 0x0F)
        elif 0x90 <= head <= 0x9F:
            values[head] = head & 0x0F
        elif 0xA0 <= head <= 0xBF:
            contents[head] = head & 0x1F
    fixed = {0xCA: 4, 0xCB: 8, 0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8}
    for head, size in (fixed | {0xD4: 2, 0xD5: 3, 0xD6: 5, 0xD7: 9, 0xD8: 17}).items():
        contents[head] = size
    return contents, values


_CONTENTS, _VALUES = _widths()
_LENGTHS = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xC7: 1, 0xC8: 2, 0xC9: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4}
_COUNTS = {0xDC: (2, 1), 0xDD: (4, 1), 0xDE: (2, 2), 0xDF: (4, 2)}


def skip(data: bytes, pos: int, end: int) -> int:
    """Returns the end of the value at a position, however deep it is."""
    left = 1
    while left:
        if pos >= end:
            raise DecodeError("the bytes end in the middle of a value")
        head = data[pos]
        left += _VALUES[head] - 1
        length = _LENGTHS.get(head)
        if length is not None:
            size = int.from_bytes(data[pos + 1 : pos + 1 + length], "big")
            pos += 1 + length + size + (0xC7 <= head <= 0xC9)
        elif head in _COUNTS:
            length, per = _COUNTS[head]
            left += per * int.from_bytes(data[pos + 1 : pos + 1 + length], "big")
            pos += 1 + length
        elif head == 0xC1:
            raise DecodeError("a byte that begins no value")
        else:
            pos += 1 + _CONTENTS[head]
    if pos > end:
        raise DecodeError("the bytes end in the middle of a value")
    return pos
