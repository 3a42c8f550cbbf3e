"""`ItemBuffer`: items of a stream that have come and were not read yet. They stay encoded, but for a few."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

from .form import Form
from .reader import DecodeError, Reader, max_memory
from .writer import Body

T = TypeVar("T")
AT_ONCE = 32
"""Items that are decoded ahead of who reads them. One of a byte takes a hundred as a value."""


class ItemBuffer(Generic[T]):
    """Items that have come, in their order."""

    def __init__(self, form: Form, max_body: int) -> None:
        self._form, self._max_body = form, max_body
        self._records: deque[_Record[T]] = deque()
        self._ready: deque[tuple[T, int]] = deque()
        self._error: DecodeError | None = None

    def __bool__(self) -> bool:
        return bool(self._ready or self._records or self._error)

    def add(self, body: Body) -> None:
        """Adds the items of a record, of which there is at least one."""
        self._records.append(_Record(self._form, body, max_memory(self._max_body)))

    def take(self) -> tuple[T, int]:
        """Takes an item, with its length in bytes. Raises `DecodeError` in place of one that can't be read."""
        if not self._ready and self._error is None:
            self._decode()
        if self._ready:
            return self._ready.popleft()
        error, self._error = self._error, None
        assert error is not None
        raise error

    def _decode(self) -> None:
        record = self._records[0]
        try:
            for _ in range(AT_ONCE):
                item, size = record.next()
                if size > self._max_body:
                    text = f"it has {size} bytes, and the limit of this side is {self._max_body}"
                    raise DecodeError(text, too_large=True)
                self._ready.append((item, size))
                if record.is_done:
                    self._records.popleft()
                    return
        except DecodeError as error:
            # Where the next begins is not known.
            self._records.clear()
            self._error = error


class _Record(Generic[T]):
    """The items of one record. Attachments are read as they are, up to the first that is no whole value."""

    __slots__ = ("_body", "_form", "_is_joined", "_memory", "_reader")

    def __init__(self, form: Form, body: Body, memory: int) -> None:
        self._form, self._body, self._memory = form, body, memory
        attached = [(it, place) for it, place in zip(body.attachments, body.places, strict=True) if len(it)]
        attachments, places = [it for it, _ in attached], [place for _, place in attached]
        self._reader = Reader(body.data, memory=memory, attachments=attachments, places=places)
        self._is_joined = not attached

    @property
    def is_done(self) -> bool:
        """Whether there are no more items."""
        reader = self._reader
        return reader.pos >= reader.end and reader.taken == len(reader.attachments)

    def next(self) -> tuple[T, int]:
        """Returns the next item, with its length in bytes. Raises `DecodeError`."""
        reader = self._reader
        start, taken = reader.pos, reader.taken
        if not self._is_joined:
            found = self._with_attachments()
            if found is not None:
                return found
            reader = self._join(start, taken)
            start = reader.pos
        item: T = self._read(reader)
        return item, reader.pos - start

    def _read(self, reader: Reader) -> T:
        # Each item has memory of its own.
        reader.room, reader.depth = self._memory, 0
        item: T = self._form.read(reader)
        return item

    def _with_attachments(self) -> tuple[T, int] | None:
        """Returns the next item, unless an attachment has a part of it that is no whole value."""
        reader = self._reader
        start, taken, places = reader.pos, reader.taken, reader.places
        if taken < len(places) and places[taken] == start:
            return None
        try:
            item = self._read(reader)
        except DecodeError:
            return None
        if reader.taken < len(places) and places[reader.taken] < reader.pos:
            return None
        return item, reader.pos - start + sum(map(len, reader.attachments[taken : reader.taken]))

    def _join(self, start: int, taken: int) -> Reader:
        """Goes on with the body in one piece, at the item that begins behind these bytes and attachments."""
        joined = Reader(self._body.joined(), memory=self._memory)
        joined.pos = start + sum(map(len, self._reader.attachments[:taken]))
        self._reader, self._is_joined = joined, True
        return joined
