"""The named types of generated code, by their classes: details of a status are found by them."""

from __future__ import annotations

from typing import Any

from .form import Form

_OF_CLASS = "__zsvc_form__"
"""What the class of an enum, or of flags, has its form by. Dynamic ones come and go, so no table holds them."""
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


def add_other(cls: type[Any], form: Form) -> None:
    """Adds an enum or flags."""
    setattr(cls, _OF_CLASS, form)


def form_of(cls: type[Any]) -> Form | None:
    """Returns the form of a class, or of the union of which it is a variant."""
    found = _TYPES.get(cls)
    form: Form | None = getattr(cls, _OF_CLASS, None) if found is None else found[1]
    return form
