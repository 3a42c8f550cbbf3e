"""`Wanted`: which values of key fields a subscriber asks for, held to the fields of its event."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from ..codec.containers import EnumForm
from ..codec.dynamic import read_value
from ..codec.form import Form
from ..codec.reader import DecodeError, Reader
from ..codec.scalars import BoolForm, IntForm, StringForm, UuidForm
from ..codec.structs import Field
from ..codec.writer import EncodeError, Writer

MAX_KEY_BYTES = 1024
"""Bytes of all key fields of one event."""
MAX_VALUES = 1024
"""Values of a filter, of all its fields."""
MAX_BYTES = 64 * 1024
"""Bytes of these values."""
_MAX_INDEXED = 64
_MAX_INDEXED_BYTES = 8 * 1024
"""Full keys by which a subscriber is found at once; with more, its filter is looked at for each event."""

_KINDS: list[tuple[type[Form], type[Any], str]] = [
    (BoolForm, bool, "a bool"),
    (IntForm, int, "an integer"),
    (EnumForm, int, "an integer"),
    (StringForm, str, "a string"),
    (UuidForm, bytes, "a uuid: 16 bytes"),
]


class Wanted:
    """What a subscriber asks for: for each key field the encoded values that it takes, or `None` if it takes any."""

    def __init__(self, fields: Sequence[frozenset[bytes] | None]) -> None:
        self.fields = tuple(fields)

    @classmethod
    def of(cls, event: str, keys: Sequence[Field], pairs: Sequence[tuple[Any, Any]] = ()) -> Wanted:
        """Returns what a filter asks for. Raises `DecodeError` if it is not understood: nothing of it is left out."""
        fields: list[frozenset[bytes] | None] = [None] * len(keys)
        count = size = 0
        for name, given in pairs:
            place = _place(event, keys, name)
            key = keys[place]
            values = given if isinstance(given, list) else [given]
            count += len(values)
            if count > MAX_VALUES:
                raise DecodeError(f"the filter has more than {MAX_VALUES} values")
            encoded = [_encoded(key, value) for value in values]
            size += sum(map(len, encoded))
            if size > MAX_BYTES:
                raise DecodeError(f"the filter's values have more than {MAX_BYTES} bytes")
            if fields[place] is not None:
                raise DecodeError(f"the filter names `{key.name}` twice")
            # No event has a longer value.
            fields[place] = frozenset(value for value in encoded if len(value) <= MAX_KEY_BYTES)
        return cls(fields)

    @property
    def is_everything(self) -> bool:
        """Whether every event passes."""
        return all(values is None for values in self.fields)

    def passes(self, key: tuple[bytes, ...]) -> bool:
        """Reports whether an event with this key passes."""
        return all(values is None or value in values for values, value in zip(self.fields, key, strict=True))

    def full_keys(self) -> list[tuple[bytes, ...]] | None:
        """Returns the keys that pass, if they are few and short, and no others pass."""
        fields: list[frozenset[bytes]] = []
        count = 1
        for values in self.fields:
            if values is None:
                return None
            fields.append(values)
            count *= len(values)
            if count > _MAX_INDEXED:
                return None
        if not fields:
            return None
        keys = list(itertools.product(*fields))
        return keys if sum(len(value) for key in keys for value in key) <= _MAX_INDEXED_BYTES else None


class FilterForm(Form):
    """A filter: a map from the numbers of key fields, or their names, to values. It is read as what it asks for."""

    def __init__(self, event: str, keys: Sequence[Field]) -> None:
        self._event, self._keys = event, keys
        self._by_number = {key.number: key for key in keys}

    def read(self, reader: Reader) -> Wanted:  # noqa: D102
        count = reader.map()
        if count is None:
            raise reader.wrong("a map from key fields to values")
        reader.enter()
        pairs: list[tuple[Any, Any]] = []
        for _ in range(count):
            reader.count(200)
            pairs.append((read_value(reader), read_value(reader)))
        reader.depth -= 1
        return Wanted.of(self._event, self._keys, pairs)

    def write(self, writer: Writer, value: Mapping[int, Sequence[Any]]) -> None:  # noqa: D102
        writer.map(len(value))
        for number, values in value.items():
            writer.integer(number)
            writer.array(len(values))
            field = self._by_number[number]
            try:
                for each in values:
                    field.form.write(writer, each)
            except EncodeError as error:
                raise error.at(field.name) from None


def _place(event: str, keys: Sequence[Field], name: Any) -> int:
    for place, key in enumerate(keys):
        if (type(name) is str and name == key.name) or (type(name) is int and name == key.number):
            return place
    known = ", ".join(f"`{key.name}` ({key.number})" for key in keys) or "it has none"
    raise DecodeError(f"`{event}` has no key field {str(name)[:64]}; its key fields: {known}")


def _encoded(key: Field, value: Any) -> bytes:
    for form, kind, text in _KINDS:
        if isinstance(key.form, form):
            is_one = type(value) is kind and (kind is not bytes or len(value) == 16)
            if is_one:
                return _written(key, value)
            raise DecodeError(f"the filter's values of `{key.name}`: each is {text}")
    raise DecodeError(f"`{key.name}` can't be filtered by")


def _written(key: Field, value: Any) -> bytes:
    """Returns a value as keys have it: in its shortest form, also if it is past what the field's type can hold."""
    writer = Writer()
    try:
        if isinstance(value, bool):
            writer.out.append(0xC3 if value else 0xC2)
        elif isinstance(value, int):
            writer.integer(value)
        elif isinstance(value, str):
            writer.text(value)
        else:
            writer.binary(value)
    except EncodeError as error:
        raise DecodeError(f"the filter's values of `{key.name}`: {error}") from None
    return writer.body().joined()
