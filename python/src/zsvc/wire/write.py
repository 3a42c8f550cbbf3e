"""Writes records."""

from __future__ import annotations

from ..codec.writer import Body, Writer, write_bin_header
from ..status import cut
from . import records as r


def _start(elements: int, kind: int, id: int) -> Writer:
    writer = Writer()
    writer.array(elements)
    writer.integer(kind)
    writer.integer(id)
    return writer


def _bin(writer: Writer, data: bytes) -> None:
    write_bin_header(writer.out, len(data))
    writer.out += data


def _places(writer: Writer, places: list[int]) -> None:
    writer.array(len(places))
    for place in places:
        writer.integer(place)


def _metadata(writer: Writer, metadata: r.Metadata) -> None:
    writer.map(len(metadata))
    for name, value in metadata.items():
        writer.text(name)
        if isinstance(value, str):
            writer.text(value)
        else:
            _bin(writer, value)


def call(record: r.Call) -> bytes:
    """Returns the record that starts a call; elements at the end that are nil are left off."""
    body = record.body
    elements = 8 if body.places else 7 if record.credit else 6 if record.metadata else 4
    if elements == 4 and record.timeout is not None:
        elements = 5
    writer = _start(elements, r.ONE_WAY if record.one_way else r.CALL, record.id)
    writer.text(record.method or "")
    _bin(writer, body.data)
    if elements > 4:
        writer.nil() if record.timeout is None else writer.integer(record.timeout)
    if elements > 5:
        _metadata(writer, record.metadata) if record.metadata else writer.nil()
    if elements > 6:
        writer.integer(record.credit) if record.credit else writer.nil()
    if elements > 7:
        _places(writer, body.places)
    return bytes(writer.out)


def with_body(kind: int, id: int, body: Body) -> bytes:
    """Returns a reply, or a record of items."""
    writer = _start(4 if body.places else 3, kind, id)
    _bin(writer, body.data)
    if body.places:
        _places(writer, body.places)
    return bytes(writer.out)


def error(record: r.Error) -> bytes:
    """Returns the record of an error; elements at the end that are nil are left off."""
    elements = [record.body, record.wait, record.cause, record.details or None]
    while elements and elements[-1] is None:
        elements.pop()
    writer = _start(5 + len(elements), r.ERROR, record.id)
    writer.integer(record.code)
    writer.text(cut(record.message))
    writer.integer(record.outcome)
    for element in elements:
        if element is None:
            writer.nil()
        elif isinstance(element, int):
            writer.integer(element)
        elif isinstance(element, bytes):
            _bin(writer, element)
        else:
            writer.map(len(element))
            for name, value in element.items():
                writer.text(name)
                _bin(writer, value)
    return bytes(writer.out)


def credit(id: int, amount: int) -> bytes:
    """Returns the record that grants bytes of items."""
    writer = _start(3, r.CREDIT, id)
    writer.integer(amount)
    return bytes(writer.out)


def plain(kind: int, id: int) -> bytes:
    """Returns a record of a kind and an id alone."""
    return bytes(_start(2, kind, id).out)


def pong(id: int, life: int | None) -> bytes:
    """Returns the answer to a ping; a server's has the number of its life."""
    if life is None:
        return plain(r.PONG, id)
    writer = _start(3, r.PONG, id)
    writer.integer(life)
    return bytes(writer.out)


def response_metadata(id: int, metadata: r.Metadata) -> bytes:
    """Returns the record of names and values beside an answer."""
    writer = _start(3, r.RESPONSE_METADATA, id)
    _metadata(writer, metadata)
    return bytes(writer.out)
