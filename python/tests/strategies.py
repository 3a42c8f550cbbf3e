"""Random values for hypothesis, made from the forms of types; and random forms, as random schemas have them."""

from __future__ import annotations

import uuid
from typing import Any

from hypothesis import strategies as st

import zsvc
from zsvc.codec.containers import EnumForm, FlagsForm, ListForm, MapForm, OptionalForm, SetForm
from zsvc.codec.dynamic import VALUE, ValueForm
from zsvc.codec.form import Form
from zsvc.codec.scalars import (
    BOOL,
    BYTES,
    DURATION,
    F32,
    F64,
    I8,
    I64,
    STRING,
    TIMESTAMP,
    U8,
    U16,
    U64,
    UUID,
    BoolForm,
    BytesForm,
    DurationForm,
    FloatForm,
    IntForm,
    StringForm,
    TimestampForm,
    UuidForm,
)
from zsvc.codec.structs import Field, StructForm
from zsvc.codec.unions import UnionForm

MAX_SECONDS = 1 << 40
SMALL = 5
texts = st.text(max_size=40)
timestamps = st.integers(-MAX_SECONDS * 10**9, MAX_SECONDS * 10**9).map(zsvc.Timestamp)
extensions = st.builds(zsvc.Ext, st.integers(-128, 127).filter(lambda code: code != -1), st.binary(max_size=20))
scalars = (
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.floats(allow_nan=False) | texts
) | st.binary(max_size=300) | extensions | timestamps  # fmt: skip
# No bool is a key here: Python takes it for the integer.
keys = st.integers(-(1 << 63), (1 << 64) - 1) | texts
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4))


def of(form: Form, depth: int = 4) -> st.SearchStrategy[Any]:
    """Returns a strategy for the values of a form. Past the depth, what may be empty or absent is."""
    match form:
        case BoolForm():
            return st.booleans()
        case IntForm():
            return st.integers(form.low, form.high)
        case FloatForm():
            return st.floats(allow_nan=False, width=32 if form.name == "f32" else 64)
        case StringForm():
            return texts
        case BytesForm():
            return (st.binary(max_size=300) | st.just(bytes(40_000))).map(memoryview)
        case TimestampForm():
            return timestamps
        case DurationForm():
            return st.integers(0, (1 << 64) - 1).map(zsvc.Duration)
        case UuidForm():
            return st.binary(min_size=16, max_size=16).map(lambda data: uuid.UUID(bytes=data))
        case ValueForm():
            return values
        case EnumForm():
            return (st.sampled_from(list(form.enum)) if list(form.enum) else st.nothing()) | st.integers(
                -(1 << 31), (1 << 31) - 1
            ).map(form.enum)
        case FlagsForm():
            return st.integers(0, (1 << 64) - 1).map(form.flags)
        case StructForm():
            return of_struct(form, depth)
        case UnionForm():
            return of_union(form, depth)
    return of_container(form, depth)


def of_container(form: Form, depth: int) -> st.SearchStrategy[Any]:
    """Returns a strategy for what holds other values."""
    most = SMALL if depth > 0 else 0
    match form:
        case OptionalForm():
            return st.none() | of(form.inner, depth - 1) if depth > 0 else st.none()
        case ListForm():
            return st.lists(of(form.element, depth - 1), max_size=most) if most else st.just([])
        case SetForm():
            return st.sets(of(form.element, depth - 1), max_size=most)
        case MapForm():
            inner = of(form.value, depth - 1) if most else st.nothing()
            return st.dictionaries(of(form.key, depth - 1), inner, max_size=most) if most else st.just({})
    raise TypeError(f"there is no strategy for {form}")


def of_struct(form: StructForm, depth: int) -> st.SearchStrategy[Any]:
    """Returns a strategy for the values of a struct."""
    fields = {field.attr: of(field.form, depth - 1) for field in form.fields().fields}
    return st.builds(form.cls, **fields)


def of_union(form: UnionForm, depth: int) -> st.SearchStrategy[Any]:
    """Returns a strategy for the variants of a union, known and not."""
    known = [of_variant(variant, depth) for variant in form.numbers().values()]
    numbers = st.integers(1, (1 << 31) - 1).filter(lambda number: number not in form.numbers())
    unknown = st.builds(form.unknown, numbers, st.sampled_from([b"\xc0", b"\x93\x01\x02\x03", b"\x81\xa1a\x05"]))
    return st.one_of(*known, unknown)


def of_variant(variant: Any, depth: int) -> st.SearchStrategy[Any]:
    """Returns a strategy for one variant."""
    if variant.form is None:
        return st.builds(variant.cls)
    if variant.has_fields:
        return of_struct(variant.form, depth)
    return of(variant.form, depth - 1).map(variant.cls)


class _Side(zsvc.Enum):
    BUY = 1
    SELL = 2
    SHORT = -1


_KEYS: list[Form] = [STRING, U8, I64, BOOL, UUID, EnumForm(_Side)]
_LEAVES: list[Form] = [
    BOOL,
    U8,
    U16,
    U64,
    I8,
    I64,
    F32,
    F64,
    STRING,
    BYTES,
    TIMESTAMP,
    DURATION,
    UUID,
    VALUE,
    *_KEYS[5:],
]


def _struct(parts: list[tuple[int, Form]]) -> StructForm:
    """Returns the form of a new struct whose fields have these distances of numbers, and forms."""
    import msgspec

    numbers, number = [], 0
    for distance, form in parts:
        number = min(number + distance, 65_535)
        numbers.append((number, form))
    numbers = list({number: (number, form) for number, form in numbers}.values())
    names = [f"f{number}" for number, _ in numbers]
    cls = msgspec.defstruct("Random", [(name, Any) for name in names], bases=(zsvc.Struct,), kw_only=True)
    return StructForm(cls, "Random", lambda: [Field(number, f"f{number}", form) for number, form in numbers])


distances = st.sampled_from([1, 1, 1, 2, 3, 9, 100, 300, 5000])
forms: st.SearchStrategy[Form] = st.recursive(
    st.sampled_from(_LEAVES),
    lambda inner: st.one_of(
        inner.map(ListForm),
        st.sampled_from(_KEYS).map(SetForm),
        st.builds(MapForm, st.sampled_from(_KEYS), inner),
        inner.filter(lambda form: not form.is_nullable).map(OptionalForm),
        st.lists(st.tuples(distances, inner), min_size=1, max_size=6).map(_struct),
    ),
    max_leaves=8,
)
