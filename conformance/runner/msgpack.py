"""MessagePack, for the suite alone: it must not share its mistakes with what it tests, so it stands by itself.

Floats of 32 bits, extensions and maps in their order are kept, so that bytes can be compared.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any


class Malformed(Exception):
    """Bytes that are no MessagePack."""


class Single(float):
    """A float of 32 bits."""


@dataclass(frozen=True)
class Ext:
    """An extension."""

    code: int
    data: bytes


@dataclass(frozen=True)
class Pairs:
    """A map, in its order, in which a key may be there twice."""

    items: tuple[tuple[Any, Any], ...]


def encode(value: Any) -> bytes:
    """Returns a value in the shortest form of every header."""
    if value is None:
        return b"\xc0"
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return _int(value)
    if isinstance(value, Single):
        return struct.pack(">Bf", 0xCA, value)
    if isinstance(value, float):
        return struct.pack(">Bd", 0xCB, value)
    if isinstance(value, str):
        data = value.encode()
        return _header(len(data), 0xA0, 32, (0xD9, 0xDA, 0xDB)) + data
    if isinstance(value, bytes):
        return _header(len(value), None, 0, (0xC4, 0xC5, 0xC6)) + value
    if isinstance(value, list):
        return _header(len(value), 0x90, 16, (None, 0xDC, 0xDD)) + b"".join(map(encode, value))
    if isinstance(value, Pairs):
        content = b"".join(encode(key) + encode(item) for key, item in value.items)
        return _header(len(value.items), 0x80, 16, (None, 0xDE, 0xDF)) + content
    if isinstance(value, Ext):
        return _ext(value)
    raise TypeError(f"MessagePack has no {type(value).__name__}")


def _int(value: int) -> bytes:
    if -32 <= value < 128:
        return struct.pack(">b" if value < 0 else ">B", value)
    forms = ((0xCC, ">BB", 8), (0xCD, ">BH", 16), (0xCE, ">BI", 32), (0xCF, ">BQ", 64))
    if value < 0:
        forms = ((0xD0, ">Bb", 7), (0xD1, ">Bh", 15), (0xD2, ">Bi", 31), (0xD3, ">Bq", 63))
    for first, form, bits in forms:
        if (value < 1 << bits) if value >= 0 else (value >= -(1 << bits)):
            return struct.pack(form, first, value)
    raise OverflowError(value)


def _header(count: int, short: int | None, below: int, firsts: tuple[int | None, int | None, int]) -> bytes:
    if short is not None and count < below:
        return bytes([short | count])
    for first, form, bits in zip(firsts, (">BB", ">BH", ">BI"), (8, 16, 32), strict=True):
        if first is not None and count < 1 << bits:
            return struct.pack(form, first, count)
    raise OverflowError(count)


def _ext(ext: Ext) -> bytes:
    fixed = {1: 0xD4, 2: 0xD5, 4: 0xD6, 8: 0xD7, 16: 0xD8}.get(len(ext.data))
    head = bytes([fixed]) if fixed else _header(len(ext.data), None, 0, (0xC7, 0xC8, 0xC9))
    return head + struct.pack(">b", ext.code) + ext.data


_NUMBERS = {
    0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q", 0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q",
}  # fmt: skip
_SIZES = {
    0xD9: 1,
    0xDA: 2,
    0xDB: 4,
    0xC4: 1,
    0xC5: 2,
    0xC6: 4,
    0xDC: 2,
    0xDD: 4,
    0xDE: 2,
    0xDF: 4,
    0xC7: 1,
    0xC8: 2,
    0xC9: 4,
}
_FIXED_EXT = {0xD4: 1, 0xD5: 2, 0xD6: 4, 0xD7: 8, 0xD8: 16}


class Reader:
    """Reads values one after another."""

    def __init__(self, data: bytes) -> None:
        self.data, self.pos = data, 0

    def at_end(self) -> bool:
        """Reports whether nothing is left."""
        return self.pos >= len(self.data)

    def take(self, count: int) -> bytes:
        """Takes bytes."""
        if self.pos + count > len(self.data):
            raise Malformed("bytes end too soon")
        self.pos += count
        return self.data[self.pos - count : self.pos]

    def _unpack(self, form: str) -> Any:
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def value(self) -> Any:
        """Takes a value."""
        first = self.take(1)[0]
        if first < 0x80:
            return first
        if first >= 0xE0:
            return first - 256
        if first < 0x90:
            return self._map(first & 15)
        if first < 0xA0:
            return [self.value() for _ in range(first & 15)]
        if first < 0xC0:
            return self.take(first & 31).decode()
        if first in (0xC0, 0xC2, 0xC3):
            return {0xC0: None, 0xC2: False, 0xC3: True}[first]
        if first in _NUMBERS:
            return self._unpack(_NUMBERS[first])
        if first == 0xCA:
            return Single(self._unpack(">f"))
        if first == 0xCB:
            return float(self._unpack(">d"))
        return self._sized(first)

    def _sized(self, first: int) -> Any:
        if first in _FIXED_EXT:
            return Ext(self._unpack(">b"), self.take(_FIXED_EXT[first]))
        if first not in _SIZES:
            raise Malformed(f"no value begins with {first:02x}")
        count = int.from_bytes(self.take(_SIZES[first]), "big")
        if first >= 0xDE:
            return self._map(count)
        if first >= 0xDC:
            return [self.value() for _ in range(count)]
        if first >= 0xD9:
            return self.take(count).decode()
        if first >= 0xC7:
            return Ext(self._unpack(">b"), self.take(count))
        return self.take(count)

    def _map(self, count: int) -> Pairs:
        return Pairs(tuple((self.value(), self.value()) for _ in range(count)))


def decode_all(data: bytes) -> list[Any]:
    """Returns the values that stand one after another."""
    reader, values = Reader(data), []
    while not reader.at_end():
        values.append(reader.value())
    return values
