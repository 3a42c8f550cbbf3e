"""The form of structs, of variants with fields, and of parameters: arrays of fields, or maps from their numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .containers import OptionalForm
from .form import Form, shown
from .reader import DecodeError, Reader
from .scalars import read_int, read_str
from .writer import EncodeError, Writer

MISSING: Any = object()

_MAX_IN_ARRAY = 255
"""The greatest number of a field of a struct that is an array."""


class Bounds:
    """What `@len` or `@range` allows; `None` is an open end."""

    def __init__(self, low: float | None, high: float | None, *, exclusive: bool = False) -> None:
        self.low, self.high, self.exclusive = low, high, exclusive

    def allow(self, value: float) -> bool:
        """Reports whether a number, or a length, is within the bounds."""
        if self.low is not None and not value >= self.low:
            return False
        if self.high is None:
            return True
        return value < self.high if self.exclusive else value <= self.high

    def __str__(self) -> str:
        low = "" if self.low is None else self.low
        high = "" if self.high is None else self.high
        return f"{low}..{'' if self.exclusive or self.high is None else '='}{high}"


class Field:
    """One field of a struct, or one parameter of a method."""

    def __init__(
        self,
        number: int,
        name: str,
        form: Form,
        *,
        attr: str | None = None,
        default: Any = MISSING,
        length: Bounds | None = None,
        range: Bounds | None = None,
    ) -> None:
        self.number, self.name, self.form = number, name, form
        self.attr = name if attr is None else attr
        self.default, self.length, self.range = default, length, range
        self.may_be_absent = form.is_nullable or default is not MISSING
        self.is_optional = isinstance(form, OptionalForm)
        """Whether it is not written where it is absent. Nil of a `value` is, as in Rust."""

    def absent(self) -> Any:
        """Returns the value of the field where it is absent. Raises `DecodeError` if it must be there."""
        if self.form.is_nullable:
            return None
        if self.default is MISSING:
            raise DecodeError(f"missing field `{self.name}`")
        return self.default() if callable(self.default) else self.default

    def read(self, reader: Reader) -> Any:
        """Reads the field's value, or nil in its place."""
        if self.may_be_absent and reader.peek_nil():
            return self.absent()
        try:
            value = self.form.read(reader)
            if reader.bounds and value is not None:
                self.check(value)
        except DecodeError as error:
            raise error.at(self.name) from None
        return value

    def check(self, value: Any) -> None:
        """Raises `DecodeError` if a value breaks the bounds of the field."""
        if self.length is not None and not self.length.allow(len(value)):
            raise DecodeError(f"its length is {len(value)}, which is not in {self.length}")
        if self.range is not None and not self.range.allow(value):
            raise DecodeError(f"{value} is not in {self.range}")


class Fields:
    """Fields by number: reads them into a list, in their order, and writes them from one."""

    def __init__(self, fields: Sequence[Field]) -> None:
        self.fields = tuple(fields)
        self.by_number = {field.number: index for index, field in enumerate(self.fields)}
        self.by_name = {field.name: index for index, field in enumerate(self.fields)}
        last = max(self.by_number, default=0)
        self.is_map = last > _MAX_IN_ARRAY or 4 * len(self.fields) < last
        """Whether fields are written as a map from their numbers. Readers take either."""
        self.may_be_absent = all(field.may_be_absent for field in self.fields)

    def read(self, reader: Reader) -> list[Any]:
        """Reads an array of fields, or a map from their numbers or names."""
        count = reader.array()
        if count is None:
            return self._read_map(reader)
        reader.enter()
        values = [MISSING] * len(self.fields)
        indexes = self.by_number
        for number in range(1, count + 1):
            index = indexes.get(number)
            if index is None:
                reader.skip()
            else:
                values[index] = self.fields[index].read(reader)
        reader.depth -= 1
        return self._complete(values)

    def _read_map(self, reader: Reader) -> list[Any]:
        count = reader.map()
        if count is None:
            raise reader.wrong("an array of fields, or a map from their numbers or names")
        reader.enter()
        values = [MISSING] * len(self.fields)
        # The first key tells what all of them are.
        start = reader.pos
        is_numbered = count > 0 and read_int(reader) is not None
        reader.pos = start
        if is_numbered:
            self._read_by_number(reader, count, values)
        else:
            self._read_by_name(reader, count, values)
        reader.depth -= 1
        return self._complete(values)

    def _read_by_number(self, reader: Reader, count: int, values: list[Any]) -> None:
        last = 0
        for _ in range(count):
            number = read_int(reader)
            if number is None:
                raise reader.wrong("the number of a field")
            if number <= last:
                raise DecodeError(f"field number {number} comes after {last}: numbers ascend, and start at 1")
            last = number
            index = self.by_number.get(number)
            if index is None:
                reader.skip()
            else:
                values[index] = self.fields[index].read(reader)

    def _read_by_name(self, reader: Reader, count: int, values: list[Any]) -> None:
        for _ in range(count):
            name = read_str(reader)
            if name is None:
                raise reader.wrong("the name of a field")
            index = self.by_name.get(name)
            if index is None:
                reader.skip()
                continue
            if values[index] is not MISSING:
                raise DecodeError(f"`{name}` is given twice")
            values[index] = self.fields[index].read(reader)

    def absent(self) -> list[Any]:
        """Returns the values of fields that are all absent."""
        return self._complete([MISSING] * len(self.fields))

    def _complete(self, values: list[Any]) -> list[Any]:
        for index, value in enumerate(values):
            if value is MISSING:
                values[index] = self.fields[index].absent()
        return values

    def write(self, writer: Writer, values: Sequence[Any]) -> None:
        """Writes fields: an array, without those that are absent at the end, or a map of those that are present."""
        if self.is_map:
            self._write_map(writer, values)
        else:
            self._write_array(writer, values)

    def _write_array(self, writer: Writer, values: Sequence[Any]) -> None:
        fields = self.fields
        count = len(fields)
        while count and values[count - 1] is None and fields[count - 1].is_optional:
            count -= 1
        writer.enter()
        writer.array(fields[count - 1].number if count else 0)
        number = 1
        for index in range(count):
            field = fields[index]
            while number < field.number:
                writer.nil()
                number += 1
            try:
                field.form.write(writer, values[index])
            except EncodeError as error:
                raise error.at(field.name) from None
            number += 1
        writer.depth -= 1

    def _write_map(self, writer: Writer, values: Sequence[Any]) -> None:
        pairs = zip(self.fields, values, strict=True)
        present = [(field, value) for field, value in pairs if value is not None or not field.is_optional]
        writer.enter()
        writer.map(len(present))
        for field, value in present:
            writer.integer(field.number)
            try:
                field.form.write(writer, value)
            except EncodeError as error:
                raise error.at(field.name) from None
        writer.depth -= 1


class StructForm(Form):
    """A struct. Its fields are asked for when they are first needed, since types may contain each other."""

    def __init__(self, cls: type[Any], name: str, fields: Callable[[], Sequence[Field]]) -> None:
        self.cls, self.name = cls, name
        self._make = fields
        self._fields: Fields | None = None
        self._attrs: tuple[str, ...] = ()
        self._size = 0

    def fields(self) -> Fields:
        """Returns the fields."""
        if self._fields is None:
            fields = Fields(self._make())
            self._attrs = tuple(field.attr for field in fields.fields)
            self._size = 64 + 8 * len(self._attrs)
            self._fields = fields
        return self._fields

    def read(self, reader: Reader) -> Any:  # noqa: D102
        fields = self.fields()
        reader.count(self._size)
        return self.cls(**dict(zip(self._attrs, fields.read(reader), strict=True)))

    def absent(self) -> Any:
        """Returns a value whose fields are all absent."""
        return self.cls(**dict(zip(self._attrs, self.fields().absent(), strict=True)))

    def write(self, writer: Writer, value: Any) -> None:  # noqa: D102
        fields = self.fields()
        if not isinstance(value, self.cls):
            raise EncodeError(f"expected a `{self.cls.__name__}`, found {shown(value)}")
        fields.write(writer, [getattr(value, attr) for attr in self._attrs])
