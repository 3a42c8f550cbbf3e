"""The named types of generated code, by their classes: details of a status are found by them."""

from __future__ import annotations

from typing import Any

from .form import Form

_TYPES: dict[type[Any], tuple[str, Form]] = {}


def add(cls: type[Any], name: str, form: Form) -> None:
    """Adds a class: its full name in the schema, and its form."""
    _TYPES[cls] = (name, form)


def find(cls: type[Any]) -> tuple[str, Form]:
    """Returns the name and the form of a class. Raises `TypeError` for one that was not generated."""
    for base in cls.__mro__:
        found = _TYPES.get(base)
        if found is not None:
            return found
    raise TypeError(f"`{cls.__name__}` is no type of a .svc file")
