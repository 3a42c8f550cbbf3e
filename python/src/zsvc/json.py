"""Values of generated types as JSON, and back: the mapping of `docs/json.md`, which Rust has, too."""

from __future__ import annotations

import contextvars
import json
import typing
from typing import Any, TypeVar

from .codec import registry
from .codec.form import Form
from .dynamic.plain import SAFE_INTEGERS, STRICT, Pairs, PlainError, from_plain, message, to_plain

__all__ = ["JsonError", "dumps", "from_json", "loads", "to_json"]

T = TypeVar("T")


class JsonError(ValueError):
    """A text, or what was read from one, that is no value of its type."""


def to_json(value: Any, cls: Any = None, *, safe_integers: bool = False) -> Any:
    """Returns a value as JSON has it: of `dict`, `list`, `str`, `int`, `float`, `bool` and `None`.

    `cls` is its type where the value does not tell it: for a variant that is not known. With `safe_integers`, 64-bit
    integers past what JavaScript holds are texts.
    """
    with _set(SAFE_INTEGERS, safe_integers):
        return to_plain(form_of(cls or type(value)), value)


def dumps(value: Any, cls: Any = None, *, safe_integers: bool = False, indent: int | None = None) -> str:
    """Returns a value as a text of JSON. Raises `TypeError` for what is of no generated type."""
    separators = (",", ":") if indent is None else None
    made = to_json(value, cls, safe_integers=safe_integers)
    return json.dumps(made, ensure_ascii=False, allow_nan=False, indent=indent, separators=separators)


def from_json(cls: type[T], value: Any, *, strict: bool = False) -> T:
    """Returns the value of a generated type that JSON stands for, as `json.loads` gives it. Raises `JsonError`.

    A union is given as it is called in generated code. `strict` is for what people write: it refuses unknown names of
    fields, and checks bounds.
    """
    form = form_of(cls)
    try:
        with _set(STRICT, strict):
            made: T = from_plain(form, value)
    except PlainError as error:
        raise JsonError(message(error)) from None
    except RecursionError:
        raise JsonError("the value is nested too deep") from None
    return made


def loads(cls: type[T], text: str | bytes, *, strict: bool = False) -> T:
    """Returns the value in a text of JSON. Raises `JsonError`, also for a name that is given twice."""
    try:
        value = json.loads(text, object_pairs_hook=Pairs, parse_constant=_no_constant)
    except RecursionError:
        raise JsonError("the text is nested too deep") from None
    except ValueError as error:
        raise JsonError(f"the text is no JSON: {error}") from None
    return from_json(cls, value, strict=strict)


def _no_constant(name: str) -> Any:
    raise ValueError(f"`{name}` is no JSON")


def form_of(cls: Any) -> Form:
    """Returns the form of a generated class, or of the union of classes that a union is. Raises `TypeError`."""
    for each in (cls, *typing.get_args(cls)):
        form = registry.form_of(each) if isinstance(each, type) else None
        if form is not None:
            return form
    raise TypeError(f"`{getattr(cls, '__name__', cls)}` is no type of a .svc file")


class _set:
    """Sets a choice for the time of a `with`."""

    def __init__(self, choice: contextvars.ContextVar[bool], value: bool) -> None:
        self._choice, self._value = choice, value

    def __enter__(self) -> None:
        self._token = self._choice.set(self._value)

    def __exit__(self, *_: object) -> None:
        self._choice.reset(self._token)
