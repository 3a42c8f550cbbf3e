"""`Writer`: bytes that grow, and the values that stay outside of them."""

from __future__ import annotations

import struct

MIN_ATTACHED = 32 * 1024
"""`bytes` of at least this length are not copied, and leave as frames of their own."""
MAX_ATTACHMENTS = 64

_U16 = struct.Struct(">BH").pack
_U32 = struct.Struct(">BI").pack
_U64 = struct.Struct(">BQ").pack
_I8 = struct.Struct(">Bb").pack
_I16 = struct.Struct(">Bh").pack
_I32 = struct.Struct(">Bi").pack
_I64 = struct.Struct(">Bq").pack


class EncodeError(Exception):
    """A value is not of its type."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        self.path = ""

    def at(self, step: str) -> EncodeError:
        """Adds a step to the front of the path."""
        dot = "" if not self.path or self.path.startswith("[") else "."
        self.path = step + dot + self.path if len(self.path) <= 160 else self.path
        return self

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class Body:
    """An encoded value: its bytes, and the attachments, each behind as many bytes as its place says."""

    __slots__ = ("attachments", "data", "places")

    def __init__(self, data: bytes, attachments: list[memoryview], places: list[int]) -> None:
        self.data = data
        self.attachments = attachments
        self.places = places

    def __len__(self) -> int:
        """Returns the length with the attachments."""
        if not self.attachments:
            return len(self.data)
        return len(self.data) + sum(map(len, self.attachments))

    def joined(self) -> bytes:
        """Returns all bytes in one piece."""
        return join(self.data, self.attachments, self.places)


def join(data: bytes, attachments: list[memoryview], places: list[int]) -> bytes:
    """Returns bytes with attachments at their places."""
    if not attachments:
        return data
    parts: list[bytes | memoryview] = []
    start = 0
    for attachment, place in zip(attachments, places, strict=True):
        parts += (data[start:place], attachment)
        start = place
    parts.append(data[start:])
    return b"".join(parts)


class Writer:
    """Writes the values of one body."""

    __slots__ = ("attachments", "depth", "out", "places")

    def __init__(self) -> None:
        self.out = bytearray()
        self.attachments: list[memoryview] = []
        self.places: list[int] = []
        self.depth = 0

    def body(self) -> Body:
        """Returns what was written."""
        return Body(bytes(self.out), self.attachments, self.places)

    def enter(self) -> None:
        """Goes one level deeper."""
        self.depth += 1
        if self.depth > 128:
            raise EncodeError("nested deeper than 128 levels")

    def nil(self) -> None:
        """Writes nil."""
        self.out.append(0xC0)

    def integer(self, value: int) -> None:
        """Writes an integer of at most 64 bits in its shortest form."""
        write_int(self.out, value)

    def text(self, value: str) -> None:
        """Writes a string."""
        try:
            data = value.encode()
        except UnicodeEncodeError:
            raise EncodeError("a string with half of a surrogate pair, which is no UTF-8") from None
        size = len(data)
        if size < 32:
            self.out.append(0xA0 | size)
        elif size < 0x100:
            self.out += bytes((0xD9, size))
        elif size < 0x10000:
            self.out += _U16(0xDA, size)
        else:
            self.out += _U32(0xDB, size)
        self.out += data

    def binary(self, value: bytes | bytearray | memoryview) -> None:
        """Writes bytes; long ones as an attachment."""
        view = memoryview(value)
        if view.format != "B" or view.ndim != 1 or not view.c_contiguous:
            try:
                view = view.cast("B")
            except TypeError:
                raise EncodeError("memory that is not contiguous: make `bytes` of it") from None
        write_bin_header(self.out, len(view))
        if len(view) >= MIN_ATTACHED and len(self.attachments) < MAX_ATTACHMENTS:
            self.attachments.append(view)
            self.places.append(len(self.out))
        else:
            self.out += view

    def array(self, count: int) -> None:
        """Writes the header of an array."""
        if count < 16:
            self.out.append(0x90 | count)
        else:
            self.out += _U16(0xDC, count) if count < 0x10000 else _U32(0xDD, count)

    def map(self, count: int) -> None:
        """Writes the header of a map."""
        if count < 16:
            self.out.append(0x80 | count)
        else:
            self.out += _U16(0xDE, count) if count < 0x10000 else _U32(0xDF, count)

    def ext(self, code: int, data: bytes) -> None:
        """Writes an extension in its shortest form."""
        size = len(data)
        fixed = {1: 0xD4, 2: 0xD5, 4: 0xD6, 8: 0xD7, 16: 0xD8}.get(size)
        if fixed is not None:
            self.out.append(fixed)
        elif size < 0x100:
            self.out += bytes((0xC7, size))
        else:
            self.out += _U16(0xC8, size) if size < 0x10000 else _U32(0xC9, size)
        self.out.append(code & 0xFF)
        self.out += data


def write_int(out: bytearray, value: int) -> None:
    """Writes an integer of at most 64 bits in its shortest form."""
    if 0 <= value < 0x80:
        out.append(value)
    elif value >= 0:
        if value < 0x100:
            out += bytes((0xCC, value))
        elif value < 0x10000:
            out += _U16(0xCD, value)
        else:
            out += _U32(0xCE, value) if value < 1 << 32 else _U64(0xCF, value)
    elif value >= -32:
        out.append(value & 0xFF)
    elif value >= -0x80:
        out += _I8(0xD0, value)
    elif value >= -0x8000:
        out += _I16(0xD1, value)
    else:
        out += _I32(0xD2, value) if value >= -(1 << 31) else _I64(0xD3, value)


def write_bin_header(out: bytearray, size: int) -> None:
    """Writes the header of `bin`."""
    if size < 0x100:
        out += bytes((0xC4, size))
    else:
        out += _U16(0xC5, size) if size < 0x10000 else _U32(0xC6, size)
