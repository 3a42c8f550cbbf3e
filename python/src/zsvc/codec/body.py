"""Whole bodies: one value, with its attachments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from .form import Form
from .reader import DecodeError, Reader, max_memory
from .writer import Body, Writer, join

T = TypeVar("T")


def encode(form: Form, value: Any) -> Body:
    """Returns the encoding of a value. Raises `EncodeError`."""
    writer = Writer()
    form.write(writer, value)
    return writer.body()


def decode(form: Form, body: Body, *, max_body: int, bounds: bool = False) -> Any:
    """Returns the value of a body. Raises `DecodeError`, also if bytes follow the value."""
    return decode_with(form.read, body, max_body=max_body, bounds=bounds)


def decode_with(read: Callable[[Reader], T], body: Body, *, max_body: int, bounds: bool = False) -> T:
    """As `decode`, by a function that reads."""

    def whole(reader: Reader) -> T:
        value = read(reader)
        if reader.pos != reader.end:
            raise DecodeError("there are bytes after the value")
        return value

    return _with_attachments(whole, body, max_memory(max_body), bounds)


def _with_attachments(read: Callable[[Reader], T], body: Body, memory: int, bounds: bool) -> T:
    """Reads with attachments as they are, or joined if one of them is no whole value."""
    if body.attachments:
        attachments, places = _not_empty(body.attachments, body.places)
        reader = Reader(body.data, memory=memory, bounds=bounds, attachments=attachments, places=places)
        try:
            value = read(reader)
        except DecodeError:
            pass
        else:
            if reader.taken == len(attachments):
                return value
    return read(Reader(body.joined(), memory=memory, bounds=bounds))


def _not_empty(attachments: Sequence[memoryview], places: Sequence[int]) -> tuple[list[memoryview], list[int]]:
    kept = [(attachment, place) for attachment, place in zip(attachments, places, strict=True) if len(attachment)]
    return [attachment for attachment, _ in kept], [place for _, place in kept]


__all__ = ["Body", "decode", "decode_with", "encode", "join"]
