"""`Form`: how the values of one type are read and written."""

from __future__ import annotations

from typing import Any

from .reader import Reader
from .writer import Writer


class Form:
    """How the values of one type are read and written."""

    is_nullable = False
    """Whether nil is one of the values, so that a field may be left off."""

    def read(self, reader: Reader) -> Any:
        """Reads a value. Raises `DecodeError`."""
        raise NotImplementedError

    def write(self, writer: Writer, value: Any) -> None:
        """Writes a value. Raises `EncodeError` for one of another type."""
        raise NotImplementedError


def shown(value: object) -> str:
    """Returns the type of a value, for messages."""
    return f"`{type(value).__name__}`"
