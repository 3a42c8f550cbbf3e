"""`EventType`: what both sides know of an event, and the forms of a subscription's parameters and items."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..codec.body import encode
from ..codec.containers import OptionalForm
from ..codec.form import Form
from ..codec.reader import Reader
from ..codec.scalars import U64
from ..codec.structs import Field, Fields, StructForm
from ..codec.unions import finish, read_head
from ..codec.writer import Body, Writer
from ..method import Method
from ..session.config import Kind
from .wanted import FilterForm

EVENT, MISSED, LIVE, OPENED = 1, 2, 3, 4
"""The variants of an item."""


class Slow(enum.Enum):
    """The argument of `@slow`: what happens to a subscriber that does not keep up."""

    DROP_OLDEST = "drop_oldest"
    CONFLATE = "conflate"
    DISCONNECT = "disconnect"


class Position(NamedTuple):
    """How far a subscription has come: two integers, for a later one to go on from there."""

    epoch: int
    """Which life of the publisher it is."""
    sequence: int
    """The number of the last event that came."""


class Posted:
    """An event, encoded once for all who get it."""

    __slots__ = ("body", "key", "sequence", "size")

    OVERHEAD = 300
    """Bytes that an event takes besides its own, about."""

    def __init__(self, body: Body, key: tuple[bytes, ...]) -> None:
        self.body, self.key = body, key
        self.sequence = 0
        self.size = len(body) + sum(map(len, key)) + self.OVERHEAD


class Opened(NamedTuple):
    """How far the publisher is as a subscription begins."""

    epoch: int
    """Which life of the publisher it is."""
    last: int | None
    """The number of its last event; `None` if the server does not say."""


class Notice(NamedTuple):
    """An item of a subscription: a variant and its value."""

    kind: int
    value: Any
    """`Posted` of an event that is sent, a pair of its number and itself of one that has come; `Opened` at first."""


class DeliveryForm(Form):
    """The items of a subscription."""

    def __init__(self, event: Form) -> None:
        self._event = Fields([Field(1, "sequence", U64), Field(2, "event", event)])

    def read(self, reader: Reader) -> Notice:  # noqa: D102
        count, kind = read_head(reader, "Delivery")
        value: Any = None
        if kind == OPENED and count > 1:
            epoch, last = U64.read(reader), None
            if count > 2:
                count, last = count - 1, U64.read(reader)
            value = Opened(epoch, last)
        elif count > 1:
            value = self._value(reader, kind)
        elif kind in (EVENT, LIVE, OPENED):
            raise reader.wrong("the value of an item")
        finish(reader, count)
        return Notice(kind, value)

    def _value(self, reader: Reader, kind: int) -> Any:
        if kind == EVENT:
            return tuple(self._event.read(reader))
        if kind == LIVE:
            return U64.read(reader)
        if kind == MISSED:
            return None if reader.peek_nil() else U64.read(reader)
        reader.skip()
        return None

    def write(self, writer: Writer, value: Notice) -> None:  # noqa: D102
        if value.kind == OPENED:
            opened: Opened = value.value
            writer.array(2 if opened.last is None else 3)
            for number in (OPENED, *opened):
                if number is not None:
                    writer.integer(number)
            return
        writer.array(2)
        writer.integer(value.kind)
        if value.kind == EVENT:
            posted: Posted = value.value
            writer.array(2)
            writer.integer(posted.sequence)
            body, start = posted.body, len(writer.out)
            writer.out += body.data
            writer.attachments += body.attachments
            writer.places += [place + start for place in body.places]
        elif value.value is None:
            writer.nil()
        else:
            writer.integer(value.value)


_POSITION = StructForm(Position, "zsvc.Position", lambda: [Field(1, "epoch", U64), Field(2, "sequence", U64)])


class EventType:
    """An event of a schema. Generated code has one for each."""

    def __init__(self, form: StructForm, keys: Sequence[str], *, kept: int, slow: Slow, roles: Sequence[str]) -> None:
        """`keys` are the attributes of the key fields."""
        self.form, self.kept, self.slow, self.roles = form, kept, slow, tuple(roles)
        self.name = form.name
        self._key_attrs = tuple(keys)
        self._keys: tuple[Field, ...] | None = None
        self.method: Method[Any] = Method(
            f"{form.name}/subscribe",
            Kind.SERVER_STREAM,
            "_subscribe",
            lambda: [
                Field(1, "filter", OptionalForm(FilterForm(form.name, self.keys))),
                Field(2, "since", OptionalForm(_POSITION)),
            ],
            make_answer=lambda: DeliveryForm(form),
            roles=self.roles,
        )
        self.publish: Method[None] = Method(
            f"{form.name}/publish", Kind.UNARY, "_publish", lambda: [Field(1, "event", form)]
        )
        """What a client publishes it by, at a router."""

    @property
    def keys(self) -> tuple[Field, ...]:
        """The key fields, in the order of their numbers."""
        if self._keys is None:
            fields = {field.attr: field for field in self.form.fields().fields}
            self._keys = tuple(fields[attr] for attr in self._key_attrs)
        return self._keys

    def post(self, event: Any) -> Posted:
        """Returns an event, encoded. Raises `EncodeError`."""
        body = encode(self.form, event)
        # What is kept must not change with what the program does to its own memory.
        body.attachments[:] = [
            view if isinstance(view.obj, bytes) else memoryview(bytes(view)) for view in body.attachments
        ]
        return Posted(body, tuple(_encoded(key.form, getattr(event, key.attr)) for key in self.keys))

    def filter(self, wanted: Mapping[str, Any]) -> dict[int, list[Any]] | None:
        """Returns a filter by the attributes of key fields. Raises `TypeError` for what is no key field."""
        keys = {key.attr: key.number for key in self.keys}
        for attr in wanted:
            if attr not in keys:
                known = ", ".join(f"`{key}`" for key in keys) or "none"
                raise TypeError(f"`{self.name}` has no key field `{attr}`; it has {known}")
        values = {keys[attr]: _many(value) for attr, value in wanted.items()}
        return dict(sorted(values.items())) or None


def _many(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple, set, frozenset)) else [value]


def _encoded(form: Form, value: Any) -> bytes:
    writer = Writer()
    form.write(writer, value)
    return writer.body().joined()


_EVENTS: dict[type[Any], EventType] = {}


def add(form: StructForm, event: EventType) -> None:
    """Adds the event of a class."""
    _EVENTS[form.cls] = event


def find(cls: type[Any]) -> EventType:
    """Returns the event of a class. Raises `TypeError` for a class of another kind."""
    found = _EVENTS.get(cls)
    if found is None:
        raise TypeError(f"`{getattr(cls, '__name__', cls)}` is no event of a .svc file")
    return found
