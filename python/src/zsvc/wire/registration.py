"""How a server registers as a worker of a router, and what it is told of that: the call with the id 1."""

from __future__ import annotations

from collections.abc import Sequence

from ..codec.reader import DecodeError, Reader
from ..codec.scalars import read_int
from ..codec.writer import Body, Writer
from . import read, write
from . import records as r

REGISTRATION_ID = 1
"""The id of the call, which no other call of the connection has."""
_METHOD = "zsvc.router.v1.Workers/register"
_CREDIT = 65_536
"""Bytes that a router may say of a registration."""
_REGISTERED = 1


def registration(services: Sequence[str], capacity: int, name: str, standby: int) -> bytes:
    """Returns the batch that registers."""
    body = Writer()
    body.array(1)
    body.array(4)
    body.array(len(services))
    for service in services:
        body.text(service)
    body.integer(capacity)
    body.text(name)
    body.integer(standby)
    call = r.Call(REGISTRATION_ID, _METHOD, Body(bytes(body.out), [], []), credit=_CREDIT)
    return bytes((r.VERSION,)) + write.call(call)


def notices(frames: Sequence[memoryview]) -> list[r.Record] | None:
    """Returns the records of a message that is about the registration; `None` if it is about something else.

    Such records have messages of their own, so the first record says it.
    """
    batch = bytes(frames[-1][:32])
    if batch[:1] != bytes((r.VERSION,)):
        return None
    reader = Reader(batch, memory=1 << 16)
    reader.pos = 1
    try:
        elements = reader.array()
        read_int(reader)
        if elements is None or elements < 2 or read_int(reader) != REGISTRATION_ID:
            return None
    except DecodeError:
        return None
    return read.read_message(frames, min_route=0).records


def is_registered(record: r.Record) -> bool:
    """Reports whether a record says that the router has taken the registration. Other numbers are of later versions."""
    if not isinstance(record, r.Items):
        return False
    reader = Reader(bytes(record.body.data), memory=1 << 16)
    try:
        elements = reader.array()
        return elements is not None and elements >= 1 and read_int(reader) == _REGISTERED
    except DecodeError:
        return False
