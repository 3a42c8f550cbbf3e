"""The forms of lists, sets, maps, optionals and enums."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from ..values import Enum, Flags
from . import registry
from .form import Form, shown
from .reader import DecodeError, Reader
from .scalars import FloatForm, IntForm, read_int
from .writer import EncodeError, Writer

_FLOATS = msgspec.msgpack.Decoder(list[float])


class ListForm(Form):
    """`list<T>`."""

    def __init__(self, element: Form) -> None:
        self.element = element
        self.is_f64 = isinstance(element, FloatForm) and element.name == "f64"

    def read(self, reader: Reader) -> list[Any]:  # noqa: D102
        start = reader.pos
        count = reader.array()
        if count is None:
            raise reader.wrong("a list")
        # Each element has a byte at least, also those that lie in attachments in part: those are joined then.
        if count > reader.end - reader.pos:
            raise DecodeError("the bytes end in the middle of a list")
        reader.count(64 + 8 * count)
        if self.is_f64 and count > 8:
            floats = _floats(reader, start, count)
            if floats is not None:
                return floats
        reader.enter()
        elements: list[Any] = []
        read = self.element.read
        try:
            for _ in range(count):
                elements.append(read(reader))
        except DecodeError as error:
            raise error.at(f"[{len(elements)}]") from None
        reader.depth -= 1
        return elements

    def write(self, writer: Writer, value: Any) -> None:  # noqa: D102
        if not isinstance(value, (list, tuple)):
            raise EncodeError(f"expected a `list`, found {shown(value)}")
        writer.enter()
        if len(value) > 8 and self._write_numbers(writer, value):
            writer.depth -= 1
            return
        writer.array(len(value))
        index = 0
        write = self.element.write
        try:
            for index, element in enumerate(value):  # noqa: B007
                write(writer, element)
        except EncodeError as error:
            raise error.at(f"[{index}]") from None
        writer.depth -= 1

    def _write_numbers(self, writer: Writer, value: list[Any] | tuple[Any, ...]) -> bool:
        """Writes numbers at once, if all are of the very type."""
        element = self.element
        if isinstance(element, IntForm):
            fits = all(type(it) is int for it in value) and min(value) >= element.low and max(value) <= element.high
        else:
            fits = self.is_f64 and all(type(it) is float for it in value)
        if fits:
            writer.out += msgspec.msgpack.encode(value)
        return fits


def _floats(reader: Reader, start: int, count: int) -> list[float] | None:
    """Reads floats at once, if all are in the form that writers use."""
    end = reader.pos + 9 * count
    heads = reader.data[reader.pos : end : 9]
    if end > reader.end or heads.count(0xCB) != count:
        return None
    floats = _FLOATS.decode(memoryview(reader.data)[start:end])
    reader.pos = end
    return floats


class MapForm(Form):
    """`map<K, V>`."""

    def __init__(self, key: Form, value: Form) -> None:
        self.key, self.value = key, value

    def read(self, reader: Reader) -> dict[Any, Any]:  # noqa: D102
        count = reader.map()
        if count is None:
            raise reader.wrong("a map")
        if 2 * count > reader.end - reader.pos:
            raise DecodeError("the bytes end in the middle of a map")
        reader.enter()
        reader.count(64 + 64 * count)
        entries: dict[Any, Any] = {}
        for _ in range(count):
            key = self.key.read(reader)
            try:
                entries[key] = self.value.read(reader)
            except DecodeError as error:
                raise error.at(f'["{str(key)[:40]}"]') from None
        reader.depth -= 1
        return entries

    def write(self, writer: Writer, value: Any) -> None:  # noqa: D102
        if not isinstance(value, dict):
            raise EncodeError(f"expected a `dict`, found {shown(value)}")
        keys = _sorted(self.key, value, "the keys of a map are of one type")
        writer.enter()
        writer.map(len(keys))
        for key in keys:
            self.key.write(writer, key)
            try:
                self.value.write(writer, value[key])
            except EncodeError as error:
                raise error.at(f'["{str(key)[:40]}"]') from None
        writer.depth -= 1


class SetForm(Form):
    """`set<T>`: an array without repeats."""

    def __init__(self, element: Form) -> None:
        self.element = element

    def read(self, reader: Reader) -> set[Any]:  # noqa: D102
        count = reader.array()
        if count is None:
            raise reader.wrong("a set")
        if count > reader.end - reader.pos:
            raise DecodeError("the bytes end in the middle of a set")
        reader.enter()
        reader.count(64 + 64 * count)
        elements: set[Any] = set()
        for index in range(count):
            try:
                element = self.element.read(reader)
            except DecodeError as error:
                raise error.at(f"[{index}]") from None
            if element in elements:
                raise DecodeError(f"`{str(element)[:40]}` is in the set twice").at(f"[{index}]")
            elements.add(element)
        reader.depth -= 1
        return elements

    def write(self, writer: Writer, value: Any) -> None:  # noqa: D102
        if not isinstance(value, (set, frozenset)):
            raise EncodeError(f"expected a `set`, found {shown(value)}")
        elements = _sorted(self.element, value, "the elements of a set are of one type")
        writer.enter()
        writer.array(len(elements))
        for element in elements:
            try:
                self.element.write(writer, element)
            except EncodeError as error:
                raise error.at(f"[{str(element)[:40]}]") from None
        writer.depth -= 1


def _sorted(form: Form, keys: Iterable[Any], mixed: str) -> list[Any]:
    """Returns the keys of a map, or the elements of a set, in the order in which they are written."""
    try:
        return sorted(keys, key=form.order if isinstance(form, EnumForm) else _order)
    except (TypeError, ValueError):
        raise EncodeError(mixed) from None


def _order(key: Any) -> Any:
    """Returns what keys are sorted by: texts by their bytes in UTF-8, uuids by theirs."""
    if isinstance(key, str):
        return key.encode("utf-8", "surrogatepass")
    return key.bytes if isinstance(key, uuid.UUID) else key


class OptionalForm(Form):
    """`T?`."""

    is_nullable = True

    def __init__(self, inner: Form) -> None:
        self.inner = inner

    def read(self, reader: Reader) -> Any:  # noqa: D102
        return None if reader.peek_nil() else self.inner.read(reader)

    def write(self, writer: Writer, value: Any) -> None:  # noqa: D102
        if value is None:
            writer.nil()
        else:
            self.inner.write(writer, value)


class FlagsForm(Form):
    """A set of flags."""

    def __init__(self, flags: type[Flags], names: Sequence[str] | Mapping[int, str] = ()) -> None:
        """`names` are those of the schema: in its order, or by the numbers of the flags."""
        self.flags = flags
        numbers = [int(flag).bit_length() - 1 for flag in flags.__members__.values()]
        self.names = names if isinstance(names, Mapping) else dict(zip(numbers, names, strict=False))
        registry.add_other(flags, self)

    def read(self, reader: Reader) -> Any:  # noqa: D102
        bits = read_int(reader)
        if bits is None:
            raise reader.wrong(f"`{self.flags.__name__}`")
        if bits < 0:
            raise DecodeError(f"{bits} is no set of flags, which has 64 bits without a sign")
        return self.flags(bits)

    def write(self, writer: Writer, value: Any) -> None:  # noqa: D102
        if not isinstance(value, self.flags):
            raise EncodeError(f"expected a `{self.flags.__name__}`, found {shown(value)}")
        if not 0 <= int(value) < 1 << 64:
            raise EncodeError(f"{int(value)} is no set of flags, which has 64 bits without a sign")
        writer.integer(int(value))


class EnumForm(Form):
    """An enum."""

    def __init__(self, enum: type[Enum], names: Sequence[str] | Mapping[int, str] = ()) -> None:
        """`names` are those of the schema: in its order, or by their numbers."""
        self.enum = enum
        self.names = names if isinstance(names, Mapping) else dict(zip(map(int, enum), names, strict=False))
        registry.add_other(enum, self)
        self._places = {value: place for place, value in enumerate(enum)}

    def order(self, value: Enum) -> tuple[int, int]:
        """Returns what keys are sorted by: as they are declared, and then those that are not known by their numbers."""
        return (self._places.get(value, len(self._places)), int(value))

    def read(self, reader: Reader) -> Any:  # noqa: D102
        number = read_int(reader)
        if number is None:
            raise reader.wrong(f"`{self.enum.__name__}`")
        if not -(1 << 31) <= number < 1 << 31:
            raise DecodeError(f"{number} is no number of an enum, which has 32 bits with a sign")
        return self.enum(number)

    def write(self, writer: Writer, value: Any) -> None:  # noqa: D102
        if not isinstance(value, self.enum):
            raise EncodeError(f"expected a `{self.enum.__name__}`, found {shown(value)}")
        writer.integer(int(value))
