"""The forms of scalars."""

from __future__ import annotations

import struct
import uuid
from typing import Any

from ..values import MAX_DURATION, NANOSECONDS, Duration, Timestamp
from .form import Form, shown
from .reader import DecodeError, Reader, kind_of
from .writer import EncodeError, Writer

_F32 = struct.Struct(">Bf")
_F64 = struct.Struct(">Bd")
_SIGNED = {0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8}
_UNSIGNED = {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8}
_STRINGS = {0xD9: 1, 0xDA: 2, 0xDB: 4}
_BINS = {0xC4: 1, 0xC5: 2, 0xC6: 4}
_FIXED_EXTENSIONS = {0xD4: 1, 0xD5: 2, 0xD6: 4, 0xD7: 8, 0xD8: 16}
_EXTENSIONS = {0xC7: 1, 0xC8: 2, 0xC9: 4}
TIMESTAMP_CODE = 0xFF


def read_int(reader: Reader) -> int | None:
    """Takes an integer in any of its forms, if one comes next."""
    pos = reader.pos
    if pos >= reader.end:
        raise DecodeError("the bytes end too soon")
    head = reader.data[pos]
    if head < 0x80:
        reader.pos = pos + 1
        return head
    if head >= 0xE0:
        reader.pos = pos + 1
        return head - 0x100
    size = _UNSIGNED.get(head)
    if size is not None:
        reader.pos = pos + 1
        return reader.byte() if size == 1 else reader.uint(size)
    size = _SIGNED.get(head)
    if size is not None:
        reader.pos = pos + 1
        return int.from_bytes(reader.take(size), "big", signed=True)
    return None


def read_str(reader: Reader) -> str | None:
    """Takes a string, if one comes next."""
    head = reader.byte()
    if 0xA0 <= head <= 0xBF:
        size = head & 0x1F
    elif head in _STRINGS:
        size = reader.uint(_STRINGS[head])
    else:
        reader.pos -= 1
        return None
    data = reader.take(size)
    reader.count(56 if size else 0)
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise DecodeError("a string that is not UTF-8") from None


def read_bin_header(reader: Reader) -> int | None:
    """Takes the header of bytes, if they come next, and returns their length."""
    pos = reader.pos
    size = _BINS.get(reader.data[pos]) if pos < reader.end else None
    if size is None:
        return None
    reader.pos = pos + 1
    return reader.byte() if size == 1 else reader.uint(size)


def read_ext(reader: Reader) -> tuple[int, bytes] | None:
    """Takes an extension, if one comes next: the byte of its type, and its bytes."""
    head = reader.byte()
    size = _FIXED_EXTENSIONS.get(head)
    if size is None:
        if head not in _EXTENSIONS:
            reader.pos -= 1
            return None
        size = reader.uint(_EXTENSIONS[head])
    code = reader.byte()
    return code, reader.take(size)


class IntForm(Form):
    """An integer type."""

    def __init__(self, name: str, low: int, high: int) -> None:
        self.name, self.low, self.high = name, low, high

    def read(self, reader: Reader) -> int:  # noqa: D102
        value = read_int(reader)
        if value is None:
            raise reader.wrong(f"`{self.name}`")
        if not self.low <= value <= self.high:
            raise DecodeError(f"{value} is no `{self.name}`, which is {self.low} to {self.high}")
        return value

    def write(self, writer: Writer, value: Any) -> None:  # noqa: D102
        if not isinstance(value, int) or isinstance(value, bool):
            raise EncodeError(f"expected an `int`, found {shown(value)}")
        if not self.low <= value <= self.high:
            raise EncodeError(f"{value} is no `{self.name}`, which is {self.low} to {self.high}")
        writer.integer(value)


class FloatForm(Form):
    """`f32` or `f64`. Readers take any number."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.head, self.codec = (0xCA, _F32) if name == "f32" else (0xCB, _F64)

    def read(self, reader: Reader) -> float:  # noqa: D102
        pos = reader.pos
        head = reader.data[pos] if pos < reader.end else None
        if head == 0xCB or head == 0xCA:
            codec = _F64 if head == 0xCB else _F32
            value: float = codec.unpack(reader.take(codec.size))[1]
            return rounded(value) if head == 0xCB and self.head == 0xCA else value
        number = read_int(reader)
        if number is None:
            raise reader.wrong(f"`{self.name}`")
        return rounded(float(number)) if self.head == 0xCA else float(number)

    def write(self, writer: Writer, value: Any) -> None:  # noqa: D102
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise EncodeError(f"expected a `float`, found {shown(value)}")
        try:
            writer.out += self.codec.pack(self.head, value)
        except (OverflowError, struct.error):
            raise EncodeError(f"{value!r} is past what `{self.name}` can hold") from None


def rounded(value: float) -> float:
    """Returns the nearest 32-bit float; an infinity if it is past all of them."""
    try:
        nearest: float = struct.unpack(">f", struct.pack(">f", value))[0]
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")
    return nearest


class BoolForm(Form):
    """`bool`."""

    def read(self, reader: Reader) -> bool:  # noqa: D102
        head = reader.byte()
        if head != 0xC2 and head != 0xC3:
            raise DecodeError(f"expected `bool`, found {kind_of(head)}")
        return head == 0xC3

    def write(self, writer: Writer, value: Any) -> None:  # noqa: D102
        if not isinstance(value, bool):
            raise EncodeError(f"expected a `bool`, found {shown(value)}")
        writer.out.append(0xC3 if value else 0xC2)


class StringForm(Form):
    """`string`."""

    def read(self, reader: Reader) -> str:  # noqa: D102
        value = read_str(reader)
        if value is None:
            raise reader.wrong("`string`")
        return value

    def write(self, writer: Writer, value: Any) -> None:  # noqa: D102
        if not isinstance(value, str):
            raise EncodeError(f"expected a `str`, found {shown(value)}")
        writer.text(value)


class BytesForm(Form):
    """`bytes`."""

    def read(self, reader: Reader) -> memoryview:  # noqa: D102
        size = read_bin_header(reader)
        if size is None:
            raise reader.wrong("`bytes`")
        reader.count(192)
        return reader.view(size)

    def write(self, writer: Writer, value: Any) -> None:  # noqa: D102
        if not isinstance(value, (bytes, bytearray, memoryview)):
            raise EncodeError(f"expected `bytes`, found {shown(value)}")
        writer.binary(value)


class TimestampForm(Form):
    """`timestamp`: MessagePack's own extension."""

    def read(self, reader: Reader) -> Timestamp:  # noqa: D102
        start = reader.pos
        found = read_ext(reader)
        if found is None or found[0] != TIMESTAMP_CODE:
            reader.pos = start
            raise reader.wrong("`timestamp`")
        reader.count(64)
        return read_timestamp(found[1])

    def write(self, writer: Writer, value: Any) -> None:  # noqa: D102
        if not isinstance(value, Timestamp):
            raise EncodeError(f"expected a `Timestamp`, found {shown(value)}")
        writer.ext(TIMESTAMP_CODE, timestamp_data(value))


def read_timestamp(data: bytes) -> Timestamp:
    """Returns the time in an extension."""
    if len(data) == 4:
        return Timestamp(int.from_bytes(data, "big") * NANOSECONDS)
    if len(data) == 8:
        both = int.from_bytes(data, "big")
        seconds, nanoseconds = both & ((1 << 34) - 1), both >> 34
    elif len(data) == 12:
        nanoseconds = int.from_bytes(data[:4], "big")
        seconds = int.from_bytes(data[4:], "big", signed=True)
    else:
        raise DecodeError(f"a timestamp has 4, 8 or 12 bytes, not {len(data)}")
    if nanoseconds >= NANOSECONDS:
        raise DecodeError("a timestamp with more nanoseconds than a second has")
    return Timestamp(seconds * NANOSECONDS + nanoseconds)


def timestamp_data(value: Timestamp) -> bytes:
    """Returns the bytes of the extension, in its shortest form."""
    seconds, nanoseconds = divmod(value.ns, NANOSECONDS)
    if 0 <= seconds < 1 << 34:
        if nanoseconds == 0 and seconds < 1 << 32:
            return seconds.to_bytes(4, "big")
        return (nanoseconds << 34 | seconds).to_bytes(8, "big")
    try:
        return nanoseconds.to_bytes(4, "big") + seconds.to_bytes(8, "big", signed=True)
    except OverflowError:
        raise EncodeError(f"{value!r} is past what a `timestamp` can hold") from None


class DurationForm(Form):
    """`duration`: nanoseconds."""

    def read(self, reader: Reader) -> Duration:  # noqa: D102
        value = read_int(reader)
        if value is None:
            raise reader.wrong("`duration`")
        if not 0 <= value <= MAX_DURATION:
            raise DecodeError(f"{value} is no `duration`, which is not negative")
        reader.count(64)
        return Duration(value)

    def write(self, writer: Writer, value: Any) -> None:  # noqa: D102
        if not isinstance(value, Duration):
            raise EncodeError(f"expected a `Duration`, found {shown(value)}")
        writer.integer(value.ns)


class UuidForm(Form):
    """`uuid`: 16 bytes."""

    def read(self, reader: Reader) -> uuid.UUID:  # noqa: D102
        size = read_bin_header(reader)
        if size != 16:
            raise reader.wrong("`uuid`") if size is None else DecodeError(f"a uuid has 16 bytes, not {size}")
        reader.count(96)
        return uuid.UUID(bytes=bytes(reader.view(16)))

    def write(self, writer: Writer, value: Any) -> None:  # noqa: D102
        if not isinstance(value, uuid.UUID):
            raise EncodeError(f"expected a `UUID`, found {shown(value)}")
        writer.binary(value.bytes)


BOOL = BoolForm()
U8 = IntForm("u8", 0, (1 << 8) - 1)
U16 = IntForm("u16", 0, (1 << 16) - 1)
U32 = IntForm("u32", 0, (1 << 32) - 1)
U64 = IntForm("u64", 0, (1 << 64) - 1)
I8 = IntForm("i8", -(1 << 7), (1 << 7) - 1)
I16 = IntForm("i16", -(1 << 15), (1 << 15) - 1)
I32 = IntForm("i32", -(1 << 31), (1 << 31) - 1)
I64 = IntForm("i64", -(1 << 63), (1 << 63) - 1)
F32 = FloatForm("f32")
F64 = FloatForm("f64")
STRING = StringForm()
BYTES = BytesForm()
TIMESTAMP = TimestampForm()
DURATION = DurationForm()
UUID = UuidForm()
