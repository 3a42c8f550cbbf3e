"""The form of `value`: any MessagePack value."""

from __future__ import annotations

from typing import Any

from ..values import Ext, Timestamp
from .form import Form, shown
from .reader import DecodeError, Reader
from .scalars import (
    BOOL,
    F32,
    F64,
    TIMESTAMP_CODE,
    read_bin_header,
    read_ext,
    read_int,
    read_str,
    read_timestamp,
    timestamp_data,
)
from .writer import EncodeError, Writer

_ELEMENT = 40
_ENTRY = 120


class ValueForm(Form):
    """`value`."""

    is_nullable = True

    def read(self, reader: Reader) -> Any:  # noqa: D102
        return read_value(reader)

    def write(self, writer: Writer, value: Any) -> None:  # noqa: D102
        write_value(writer, value)


VALUE = ValueForm()


def read_value(reader: Reader) -> Any:
    """Reads any value."""
    if reader.peek_nil():
        return None
    number = read_int(reader)
    if number is not None:
        return number
    text = read_str(reader)
    if text is not None:
        return text
    size = read_bin_header(reader)
    if size is not None:
        reader.count(192)
        return bytes(reader.view(size))
    head = reader.data[reader.pos]
    if head in (0xC2, 0xC3):
        return BOOL.read(reader)
    if head == 0xCA:
        return F32.read(reader)
    if head == 0xCB:
        return F64.read(reader)
    return _read_long(reader)


def _read_long(reader: Reader) -> Any:
    count = reader.array()
    if count is not None:
        reader.enter()
        reader.count(64 + count * _ELEMENT)
        elements = [read_value(reader) for _ in range(count)]
        reader.depth -= 1
        return elements
    count = reader.map()
    if count is not None:
        return _read_map(reader, count)
    found = read_ext(reader)
    if found is None:
        raise reader.wrong("a value")
    code, data = found
    reader.count(128)
    if code == TIMESTAMP_CODE and len(data) in (4, 8, 12):
        return read_timestamp(data)
    return Ext(code - 256 if code > 127 else code, data)


def _read_map(reader: Reader, count: int) -> dict[Any, Any]:
    reader.enter()
    reader.count(64 + count * _ENTRY)
    entries: dict[Any, Any] = {}
    for _ in range(count):
        key = read_value(reader)
        try:
            entries[key] = read_value(reader)
        except TypeError:
            raise DecodeError("a map whose key is an array or a map") from None
    reader.depth -= 1
    return entries


def write_value(writer: Writer, value: Any) -> None:
    """Writes any value of the types that `zsvc.Value` names."""
    if value is None:
        writer.nil()
    elif isinstance(value, bool):
        BOOL.write(writer, value)
    elif isinstance(value, int):
        if not -(1 << 63) <= value < 1 << 64:
            raise EncodeError(f"{value} has more than 64 bits")
        writer.integer(value)
    elif isinstance(value, str):
        writer.text(value)
    elif isinstance(value, float):
        F64.write(writer, value)
    elif isinstance(value, (bytes, bytearray, memoryview)):
        writer.binary(value)
    elif isinstance(value, Timestamp):
        writer.ext(TIMESTAMP_CODE, timestamp_data(value))
    elif isinstance(value, Ext):
        if not -128 <= value.code <= 127:
            raise EncodeError(f"an extension's type is -128 to 127, not {value.code}")
        writer.ext(value.code, value.data)
    else:
        _write_container(writer, value)


def _write_container(writer: Writer, value: Any) -> None:
    writer.enter()
    if isinstance(value, (list, tuple)):
        writer.array(len(value))
        for element in value:
            write_value(writer, element)
    elif isinstance(value, dict):
        writer.map(len(value))
        for key, element in value.items():
            write_value(writer, key)
            write_value(writer, element)
    else:
        raise EncodeError(f"a `value` holds what MessagePack has, which {shown(value)} is not")
    writer.depth -= 1
