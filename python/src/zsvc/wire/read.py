"""Reads messages: which frames belong to a batch, and its records."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..codec.reader import DecodeError, Reader
from ..codec.scalars import read_bin_header, read_int, read_str
from ..codec.writer import MAX_ATTACHMENTS, Body
from ..status import Cause, Code
from . import records as r


class Malformed(Exception):
    """A batch, or a record, that can't be read."""

    def __init__(self, message: str, code: Code = Code.INVALID_ARGUMENT, cause: Cause = Cause.PROTOCOL) -> None:
        super().__init__(message)
        self.message, self.code, self.cause = message, code, cause


@dataclass(slots=True)
class Message:
    """A message that was received."""

    route: list[bytes]
    """The frames in front of the batch and its attachments."""
    records: list[r.Record]
    error: Malformed | None
    """Why the rest of the batch can't be read. The records before stand."""


def read_message(frames: Sequence[memoryview], *, min_route: int, max_size: int = 1 << 62) -> Message:
    """Reads the records of a message. A server's has a route of at least one frame, a client's of none.

    Of one of more than `max_size` bytes only what a call, an answer or items are too large for is read: those have
    limits of their own.
    """
    *before, last = frames
    if len(frames) > r.MAX_FRAMES:
        # As hundreds of attachments, so that its sender is told where it has not made up the route.
        error = Malformed(f"a message of {len(frames)} frames", Code.RESOURCE_EXHAUSTED, Cause.TOO_LARGE)
        route = len(before) - _declared(last, before[min_route:])
        return Message(_route(before[: min(route, r.MAX_FRAMES)]), [], error)
    batch = bytes(last)
    if not batch or batch[0] != r.VERSION:
        version = f"version {batch[0]}" if batch else "no version"
        error = Malformed(f"a batch of {version}; this is version {r.VERSION}", Code.UNIMPLEMENTED)
        return Message(_route(before), [], error)
    size = sum(map(len, frames))
    reader = BatchReader(batch, before[min_route:])
    found: list[r.Record] = []
    wrong: Malformed | None = None
    try:
        while (record := reader.next()) is not None:
            if record is not SKIPPED:
                found.append(record)
                if size > max_size:
                    break
    except Malformed as malformed:
        wrong = malformed
    except DecodeError as malformed:
        wrong = Malformed(f"a malformed record: {malformed}")
    if size > max_size:
        found = [record for record in found if _has_limit(record)]
        wrong = None if found else _too_large(size, max_size)
    return Message(_route(before[: len(before) - reader.attached]), found, wrong)


def _declared(batch: memoryview, before: Sequence[memoryview]) -> int:
    """Returns how many frames before a batch its first record declares as attachments, of which it has too many."""
    reader = BatchReader(bytes(batch), before)
    with contextlib.suppress(Malformed, DecodeError):
        if batch[:1] == bytes((r.VERSION,)):
            reader.next()
    return reader.attached


def _has_limit(record: r.Record) -> bool:
    if isinstance(record, r.Call):
        return record.one_way or record.id != 0
    return isinstance(record, (r.Reply, r.Items))


def _too_large(size: int, limit: int) -> Malformed:
    text = f"a message of {size} bytes, where one has {limit} at most"
    return Malformed(text, Code.RESOURCE_EXHAUSTED, Cause.TOO_LARGE)


def _route(frames: Sequence[memoryview]) -> list[bytes]:
    return [bytes(frame) for frame in frames]


_FAR_TOO_MANY = 256
SKIPPED = r.GoingAway(-1)
"""Stands for a record of a kind that may be skipped."""


class BatchReader:
    """Reads the records of one batch. `before` are the frames of which the last may be attachments."""

    def __init__(self, batch: bytes, before: Sequence[memoryview]) -> None:
        self.reader = Reader(batch, memory=1 << 62)
        self.reader.pos = 1
        self.before = before
        self.attached = 0
        self.count = 0

    def next(self) -> r.Record | None:
        """Returns the next record; `None` at the end. Raises `Malformed` or `DecodeError`."""
        reader = self.reader
        if reader.pos >= reader.end:
            return None
        self.count += 1
        if self.count > r.MAX_RECORDS:
            raise Malformed(f"a batch of more than {r.MAX_RECORDS} records", Code.RESOURCE_EXHAUSTED)
        elements = reader.array()
        if elements is None or elements < 2:
            raise Malformed("a record is an array of at least two elements")
        kind, id = self.number(), self.number()
        self.left = elements - 2
        read = _READ.get(kind)
        record: r.Record
        if read is not None:
            record = read(self, id)
        elif kind >= r.FIRST_SKIPPED:
            record = SKIPPED
        else:
            record = r.UnknownKind(id, kind)
        for _ in range(self.left):
            reader.skip()
        return record

    def number(self) -> int:
        """Takes a number that is not negative."""
        value = read_int(self.reader)
        if value is None or value < 0:
            raise Malformed("a kind, an id or a count is an integer that is not negative")
        return value

    def has(self) -> bool:
        """Reports whether the next element is there and is not nil. Takes it if it is nil."""
        if self.left == 0:
            return False
        self.left -= 1
        return not self.reader.peek_nil()

    def must(self, what: str) -> None:
        """Raises `Malformed` if there is no further element."""
        if self.left == 0:
            raise Malformed(f"a record without its {what}")
        self.left -= 1

    def optional_number(self) -> int | None:
        """Takes an optional number."""
        return self.number() if self.has() else None

    def bin(self) -> bytes:
        """Takes the content of a `bin`."""
        size = read_bin_header(self.reader)
        if size is None:
            raise Malformed("a body is `bin`")
        return self.reader.take(size)

    def body(self, data: bytes) -> Body:
        """Takes the places of attachments, and returns the body with them."""
        if not self.has():
            return Body(data, [], [])
        count = self.reader.array()
        if count is None:
            raise Malformed("places are an array")
        if count > MAX_ATTACHMENTS:
            text = f"{count} attachments; a record has {MAX_ATTACHMENTS} at most"
            if _FAR_TOO_MANY <= count <= len(self.before):
                # They are none of the route, which could not have as many.
                self.attached = count
                raise Malformed(text, Code.RESOURCE_EXHAUSTED, Cause.TOO_LARGE)
            raise Malformed(text)
        places = [self.number() for _ in range(count)]
        if count and self.count > 1:
            raise Malformed("only the first record of a batch has attachments")
        if places != sorted(places) or (places and places[-1] > len(data)) or count > len(self.before):
            raise Malformed("places that do not fit the body, or the frames before the batch")
        self.attached = count
        return Body(data, list(self.before[len(self.before) - count :]), places)

    def metadata(self) -> r.Metadata | None:
        """Takes a map of metadata; returns `None` if there is more than may be."""
        entries: r.Metadata = {}
        count = self.reader.map()
        if count is None:
            raise Malformed("metadata is a map")
        for index in range(count):
            name, value = self.text(), self.text_or_bytes()
            entries[name] = value
            if len(entries) > r.MAX_METADATA_ENTRIES:
                for _ in range(2 * (count - index - 1)):
                    self.reader.skip()
                return None
        return entries if r.metadata_size(entries) <= r.MAX_METADATA_BYTES else None

    def text(self) -> str:
        """Takes a string."""
        text = read_str(self.reader)
        if text is None:
            raise Malformed("a name is a string")
        return text

    def text_or_bytes(self) -> str | bytes:
        """Takes a string, or bytes."""
        size = read_bin_header(self.reader)
        return self.text() if size is None else self.reader.take(size)


def _call(batch: BatchReader, id: int) -> r.Call:
    batch.must("method")
    reader = batch.reader
    start = reader.pos
    method: str | None = None
    try:
        method = batch.text()
    except DecodeError:
        # Either no UTF-8, which is the name of no method, or bytes that end too soon, which the skip tells.
        reader.pos = start
        reader.skip()
    batch.must("body")
    data = batch.bin()
    timeout = batch.optional_number()
    metadata = batch.metadata() if batch.has() else {}
    credit = batch.optional_number() or 0
    return r.Call(id, method, batch.body(data), timeout, metadata, min(credit, r.MAX_CREDIT))


def _one_way(batch: BatchReader, id: int) -> r.Call:
    call = _call(batch, id)
    call.one_way = True
    return call


def _reply(batch: BatchReader, id: int) -> r.Reply:
    batch.must("body")
    return r.Reply(id, batch.body(batch.bin()))


def _items(batch: BatchReader, id: int) -> r.Items:
    batch.must("items")
    return r.Items(id, batch.body(batch.bin()))


def _credit(batch: BatchReader, id: int) -> r.Credit:
    batch.must("amount")
    return r.Credit(id, batch.number())


def _error(batch: BatchReader, id: int) -> r.Error:
    batch.must("code")
    code = batch.number()
    message = batch.text() if batch.has() else ""
    outcome = batch.optional_number()
    body: bytes | None = None
    if code == 0:
        if not batch.has():
            raise Malformed("a declared error has a body")
        body = batch.bin()
    elif batch.has():
        batch.reader.skip()
    wait, cause = batch.optional_number(), batch.optional_number()
    details = _details(batch) if batch.has() else {}
    return r.Error(id, code, message, 1 if outcome is None else outcome, body, wait, cause, details)


def _details(batch: BatchReader) -> dict[str, bytes]:
    count = batch.reader.map()
    if count is None:
        raise Malformed("details are a map")
    details: dict[str, bytes] = {}
    size = 0
    for index in range(count):
        name, value = batch.text(), batch.text_or_bytes()
        details[name] = value.encode() if isinstance(value, str) else value
        size += len(name.encode()) + len(details[name])
        if count > r.MAX_METADATA_ENTRIES or size > r.MAX_METADATA_BYTES:
            for _ in range(2 * (count - index - 1)):
                batch.reader.skip()
            return {}
    return details


def _pong(batch: BatchReader, id: int) -> r.Pong:
    return r.Pong(id, batch.optional_number())


def _response_metadata(batch: BatchReader, id: int) -> r.ResponseMetadata:
    return r.ResponseMetadata(id, batch.metadata() if batch.has() else {})


def _plain(make: Callable[[int], r.Record]) -> Callable[[BatchReader, int], r.Record]:
    return lambda _, id: make(id)


_READ: dict[int, Callable[[BatchReader, int], r.Record]] = {
    r.CALL: _call,
    r.ONE_WAY: _one_way,
    r.REPLY: _reply,
    r.ERROR: _error,
    r.ITEMS: _items,
    r.END: _plain(r.End),
    r.CREDIT: _credit,
    r.CANCEL: _plain(r.Cancel),
    r.PING: _plain(r.Ping),
    r.PONG: _pong,
    r.GOING_AWAY: _plain(r.GoingAway),
    r.QUERY: _plain(r.Query),
    r.RESPONSE_METADATA: _response_metadata,
}
