"""The forms of unions and errors, and of the errors of a method."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .form import Form, shown
from .reader import DecodeError, Reader
from .scalars import read_int
from .structs import StructForm
from .writer import EncodeError, Writer

_SECOND_ERROR = 1 << 31
_NIL = b"\xc0"


class Variant:
    """A variant: its number, its class, and what it carries."""

    def __init__(self, number: int, cls: type[Any], form: Form | None) -> None:
        self.number, self.cls, self.form = number, cls, form
        self.has_fields = isinstance(form, StructForm) and form.cls is cls

    def read(self, reader: Reader, *, has_value: bool) -> Any:
        """Reads the value of the variant, if there is one."""
        if self.form is None:
            if has_value:
                reader.skip()
            return self.cls()
        if not self.has_fields:
            if has_value:
                return self.cls(self.form.read(reader))
            if self.form.is_nullable:
                return self.cls(None)
            raise DecodeError("a variant without its value")
        return self._read_fields(reader, has_value=has_value)

    def _read_fields(self, reader: Reader, *, has_value: bool) -> Any:
        form = self.form
        assert isinstance(form, StructForm)
        if form.fields().may_be_absent and (not has_value or reader.peek_nil()):
            return form.absent()
        if not has_value:
            raise DecodeError("a variant without its fields")
        return form.read(reader)

    def write(self, writer: Writer, value: Any) -> None:
        """Writes the value of the variant."""
        if self.form is None:
            writer.nil()
        elif self.has_fields:
            self.form.write(writer, value)
        else:
            self.form.write(writer, value.value)


class UnionForm(Form):
    """A union or an error: an array of a variant's number and its value."""

    def __init__(
        self,
        name: str,
        unknown: Callable[[int, bytes], Any],
        variants: Callable[[], Sequence[tuple[int, type[Any], Form | None]]],
        names: Sequence[str] = (),
    ) -> None:
        """`names` are those of the variants in the schema, in its order."""
        self.name, self.names = name, tuple(names)
        self.unknown = unknown
        self._make = variants
        self._numbers: dict[int, Variant] | None = None
        self._classes: dict[type[Any], Variant] = {}

    def numbers(self) -> dict[int, Variant]:
        """Returns the variants by their numbers."""
        if self._numbers is None:
            variants = [Variant(*variant) for variant in self._make()]
            self._classes = {variant.cls: variant for variant in variants}
            self._numbers = {variant.number: variant for variant in variants}
        return self._numbers

    def holds(self, value: object) -> bool:
        """Reports whether a value is of one of the variants."""
        self.numbers()
        return type(value) in self._classes or type(value) is self.unknown

    def read(self, reader: Reader) -> Any:  # noqa: D102
        numbers = self.numbers()
        count, number = read_head(reader, self.name)
        variant = numbers.get(number)
        try:
            if variant is not None:
                value = variant.read(reader, has_value=count > 1)
            else:
                value = self.unknown(number, raw(reader) if count > 1 else _NIL)
        except DecodeError as error:
            raise error.at(variant.cls.__name__ if variant else str(number)) from None
        finish(reader, count)
        return value

    def write(self, writer: Writer, value: Any) -> None:  # noqa: D102
        self.numbers()
        variant = self._classes.get(type(value))
        writer.enter()
        writer.array(2)
        if variant is not None:
            writer.integer(variant.number)
            variant.write(writer, value)
        elif type(value) is self.unknown:
            writer.integer(value.number)
            writer.out += value.raw
        else:
            raise EncodeError(f"expected a variant of `{self.name}`, found {shown(value)}")
        writer.depth -= 1


def read_head(reader: Reader, name: str) -> tuple[int, int]:
    """Takes the start of a union: the number of its elements, and the number of its variant."""
    count = reader.array()
    if count is None:
        raise reader.wrong(f"`{name}`")
    reader.enter()
    reader.count(64)
    number = read_int(reader) if count else None
    if number is None or not 0 <= number < 1 << 32:
        raise DecodeError(f"`{name}` begins with the number of a variant")
    return count, number


def finish(reader: Reader, count: int) -> None:
    """Skips what a union has besides its number and its value."""
    for _ in range(count - 2):
        reader.skip()
    reader.depth -= 1


def raw(reader: Reader) -> bytes:
    """Takes one value as bytes."""
    start = reader.pos
    reader.skip()
    return reader.data[start : reader.pos]


class ThrownForm(Form):
    """The errors of a method: the first as it is, each other behind a number of its own."""

    def __init__(self, errors: Sequence[UnionForm], unknown: Callable[[int, bytes], Any]) -> None:
        self.errors = tuple(errors)
        self.unknown = unknown

    def holds(self, value: object) -> bool:
        """Reports whether a value is one of the errors."""
        return any(error.holds(value) for error in self.errors)

    def read(self, reader: Reader) -> Any:  # noqa: D102
        start, depth = reader.pos, reader.depth
        count, number = read_head(reader, self.errors[0].name)
        if number < _SECOND_ERROR or len(self.errors) == 1:
            reader.pos, reader.depth = start, depth
            return self.errors[0].read(reader)
        index = number - _SECOND_ERROR - 1
        if 0 < index < len(self.errors):
            if count < 2:
                raise DecodeError("an error without its variant")
            value = self.errors[index].read(reader)
        else:
            value = self.unknown(number, raw(reader) if count > 1 else _NIL)
        finish(reader, count)
        return value

    def write(self, writer: Writer, value: Any) -> None:  # noqa: D102
        for index, error in enumerate(self.errors):
            if not error.holds(value):
                continue
            if index:
                writer.array(2)
                writer.integer(_SECOND_ERROR + index + 1)
            error.write(writer, value)
            return
        raise EncodeError(f"the method does not throw {shown(value)}")
