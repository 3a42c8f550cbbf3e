"""All that generated code may reach. Not for use by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import field

from .aio.client import AsyncClient, Duplex, Streaming
from .aio.server import Service
from .blocking import BlockingClient, BlockingDuplex, BlockingStreaming
from .channel.overlap import Overlap
from .codec import registry
from .codec.containers import EnumForm, FlagsForm, ListForm, MapForm, OptionalForm, SetForm
from .codec.dynamic import VALUE
from .codec.form import Form
from .codec.scalars import (
    BOOL,
    BYTES,
    DURATION,
    F32,
    F64,
    I8,
    I16,
    I32,
    I64,
    STRING,
    TIMESTAMP,
    U8,
    U16,
    U32,
    U64,
    UUID,
)
from .codec.structs import Bounds, Field, StructForm
from .codec.unions import UnionForm
from .context import Context
from .events import event_type
from .events.event_type import EventType, Slow
from .method import Method
from .schemas import carry
from .session.config import Kind
from .status import DeclaredError
from .values import Bytes, Duration, Enum, Flags, Struct, Timestamp, UnknownVariant, Value

__all__ = [
    "BOOL",
    "BYTES",
    "DURATION",
    "F32",
    "F64",
    "I8",
    "I16",
    "I32",
    "I64",
    "STRING",
    "TIMESTAMP",
    "U8",
    "U16",
    "U32",
    "U64",
    "UUID",
    "VALUE",
    "AsyncClient",
    "BlockingClient",
    "BlockingDuplex",
    "BlockingStreaming",
    "Bounds",
    "Bytes",
    "Context",
    "DeclaredError",
    "Duplex",
    "Duration",
    "Enum",
    "EnumForm",
    "Field",
    "Flags",
    "FlagsForm",
    "Form",
    "Kind",
    "ListForm",
    "MapForm",
    "Method",
    "OptionalForm",
    "Overlap",
    "Service",
    "SetForm",
    "Slow",
    "Streaming",
    "Struct",
    "StructForm",
    "Timestamp",
    "UnionForm",
    "UnknownVariant",
    "Value",
    "carry",
    "event",
    "field",
    "made_for",
    "methods",
    "struct",
    "union",
]

VERSION = 1


def made_for(version: int) -> None:
    """Raises `ImportError` if code was generated for another version of this package."""
    if version != VERSION:
        raise ImportError(
            f"this module was generated for version {version} of zsvc's runtime, and this is version {VERSION}: "
            "generate it again with the `zsvc` command of the same release"
        )


def methods(*methods: Method[Any]) -> Sequence[Method[Any]]:
    """Returns the methods of a service, of one type for all services, since one that extends others has more."""
    return methods


def struct(cls: type[Any], name: str, fields: Callable[[], Sequence[Field]]) -> StructForm:
    """Returns the form of a struct, which details of a status may be."""
    form = StructForm(cls, name, fields)
    registry.add(cls, name, form)
    return form


def union(
    name: str,
    unknown: Callable[[int, bytes], Any],
    variants: Callable[[], Sequence[tuple[int, type[Any], Form | None]]],
    classes: Sequence[type[Any]],
    names: Sequence[str] = (),
) -> UnionForm:
    """Returns the form of a union or an error; `classes` are those of its variants, and `names` the schema's."""
    form = UnionForm(name, unknown, variants, names)
    for cls in classes:
        registry.add(cls, name, form)
    return form


def event(
    form: StructForm,
    *,
    keys: Sequence[str] = (),
    kept: int = 0,
    slow: Slow = Slow.DROP_OLDEST,
    roles: Sequence[str] = (),
) -> None:
    """Says that a struct is an event, to which programs subscribe by its class."""
    event_type.add(form, EventType(form, keys, kept=kept, slow=slow, roles=roles))
