"""Values as JSON has them, and back, by the schema. `docs/json.md` is the contract."""

from __future__ import annotations

import base64
import contextvars
import datetime
import math
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..codec import scalars
from ..codec.body import decode
from ..codec.containers import EnumForm, FlagsForm, ListForm, MapForm, OptionalForm, SetForm
from ..codec.dynamic import VALUE, ValueForm, write_value
from ..codec.form import Form
from ..codec.reader import DecodeError
from ..codec.structs import Field, Fields, StructForm
from ..codec.unions import UnionForm, Variant
from ..codec.writer import Body, Writer
from ..values import NANOSECONDS, Duration, Enum, Ext, Timestamp

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
_FLOATS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_UNITS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)")
_SAFE = (1 << 53) - 1


STRICT: contextvars.ContextVar[bool] = contextvars.ContextVar("strict", default=False)
"""Whether unknown names of fields, and values out of their bounds, are wrong."""
SAFE_INTEGERS: contextvars.ContextVar[bool] = contextvars.ContextVar("safe integers", default=False)
"""Whether integers past what a double holds are written as texts."""


class PlainError(ValueError):
    """A value that is not of its type."""


class Pairs(dict[str, Any]):
    """An object of JSON, which knows a name that was given twice."""

    def __init__(self, pairs: Sequence[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        seen: set[str] = set()
        self.twice = next((name for name, _ in pairs if name in seen or seen.add(name)), None)  # type: ignore[func-returns-value]


# ---- to JSON


def to_plain(form: Form, value: Any) -> Any:
    """Returns a value as JSON has it."""
    if value is None:
        return None
    match form:
        case OptionalForm():
            return to_plain(form.inner, value)
        case ListForm():
            return [to_plain(form.element, element) for element in value]
        case SetForm():
            return [to_plain(form.element, element) for element in sorted(value, key=_order(form.element))]
        case MapForm():
            keys = sorted(value, key=_order(form.key))
            return {_key(form.key, key): to_plain(form.value, value[key]) for key in keys}
        case EnumForm():
            return form.names.get(int(value), int(value))
        case FlagsForm():
            numbers = [number for number in range(64) if int(value) >> number & 1]
            known = [name for number, name in form.names.items() if number in numbers]
            return known + [number for number in numbers if number not in form.names]
        case StructForm():
            return _fields_to_plain(form.fields(), lambda attr: getattr(value, attr))
        case UnionForm():
            return _union_to_plain(form, value)
        case ValueForm():
            return _any_to_plain(value)
        case scalars.IntForm():
            return str(value) if SAFE_INTEGERS.get() and abs(value) > _SAFE else value
        case scalars.FloatForm() if form.name == "f32" and math.isfinite(value):
            return _short(value)
    return _scalar_to_plain(value)


def _short(value: float) -> float:
    """Returns the float with the fewest digits that is the same with 32 bits."""
    nearest = scalars.rounded(value)
    if not math.isfinite(nearest):
        raise PlainError(f"{value!r} is too large for `f32`")
    found = (float(f"{nearest:.{digits}g}") for digits in range(6, 10))
    return next((it for it in found if scalars.rounded(it) == nearest), nearest)


def _order(form: Form) -> Callable[[Any], Any]:
    if isinstance(form, EnumForm):
        return form.order
    return lambda key: key.bytes if isinstance(key, uuid.UUID) else key.encode() if isinstance(key, str) else key


def _scalar_to_plain(value: Any) -> Any:
    match value:
        case float() if not math.isfinite(value):
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        case bytes() | bytearray() | memoryview():
            return base64.b64encode(value).decode()
        case Timestamp():
            return time_text(value)
        case Duration():
            return f"{_decimal(value.ns)}s"
        case uuid.UUID():
            return str(value)
    return value


def _decimal(ns: int) -> str:
    """Returns nanoseconds as seconds, with as many digits as are needed."""
    whole, part = divmod(abs(ns), NANOSECONDS)
    digits = f".{part:09}".rstrip("0") if part else ""
    return f"{'-' if ns < 0 else ''}{whole}{digits}"


def time_text(time: Timestamp) -> str:
    """Returns a time as RFC 3339 writes it, or its seconds outside of the years 1 to 9999."""
    seconds = time.ns // NANOSECONDS
    try:
        shown = (_EPOCH + datetime.timedelta(seconds=seconds)).replace(tzinfo=None).isoformat()
    except OverflowError:
        return _decimal(time.ns)
    part = time.ns % NANOSECONDS
    return shown + (f".{part:09}".rstrip("0") if part else "") + "Z"


def _key(form: Form, key: Any) -> str:
    plain = to_plain(form, key)
    return {True: "true", False: "false"}[plain] if isinstance(plain, bool) else str(plain)


def _fields_to_plain(fields: Fields, get: Callable[[str], Any]) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for field in fields.fields:
        value = get(field.attr)
        if value is not None or not field.is_optional:
            plain[field.name] = to_plain(field.form, value)
    return plain


def _union_to_plain(form: UnionForm, value: Any) -> Any:
    for name, variant in variants(form):
        if type(value) is variant.cls:
            if variant.form is None:
                return name
            inner = value if variant.has_fields else value.value
            return {name: to_plain(variant.form, inner)}
    return {f"#{value.number}": _any_to_plain(decode(VALUE, Body(value.raw, [], []), max_body=len(value.raw)))}


def variants(form: UnionForm) -> list[tuple[str, Variant]]:
    """Returns the variants of a union with the schema's names."""
    found = list(form.numbers().values())
    return [*zip(form.names or [it.cls.__name__ for it in found], found, strict=True)]


def _any_to_plain(value: Any) -> Any:
    match value:
        case int() if SAFE_INTEGERS.get() and abs(value) > _SAFE:
            return {"$int": str(value)}
        case float() if not math.isfinite(value):
            return {"$float": _scalar_to_plain(value)}
        case bytes() | memoryview():
            return {"$bytes": _scalar_to_plain(value)}
        case Timestamp():
            return {"$timestamp": time_text(value)}
        case Ext():
            return {"$ext": [value.code, _scalar_to_plain(value.data)]}
        case list():
            return [_any_to_plain(element) for element in value]
        case dict():
            entries = [(key, _any_to_plain(element)) for key, element in value.items()]
            if all(isinstance(key, str) for key, _ in entries) and not _is_special({key: 0 for key, _ in entries}):
                return dict(entries)
            return {"$map": [[_any_to_plain(key), element] for key, element in entries]}
    return value


def _is_special(plain: Mapping[str, Any]) -> bool:
    return len(plain) == 1 and set(plain) <= {"$bytes", "$timestamp", "$ext", "$float", "$int", "$map"}


# ---- from JSON


def from_plain(form: Form, plain: Any) -> Any:
    """Returns the value that JSON, or a value of the type itself, stands for. Raises `PlainError` with the path."""
    try:
        return _from(form, plain)
    except PlainError:
        raise
    except (KeyError, ValueError, TypeError, OverflowError, IndexError) as error:
        raise PlainError(f"{_shown(plain)} is no {name_of(form)}: {error}") from None


def _from(form: Form, plain: Any) -> Any:
    match form:
        case OptionalForm():
            return None if plain is None else from_plain(form.inner, plain)
        case ListForm():
            return [_at(f"[{index}]", form.element, element) for index, element in enumerate(_listed(plain, form))]
        case SetForm():
            elements = [_at(f"[{index}]", form.element, it) for index, it in enumerate(_listed(plain, form))]
            if len(set(elements)) != len(elements):
                raise PlainError(f"{_shown(plain)} has an element twice")
            return set(elements)
        case MapForm():
            return _map_from(form, plain)
        case EnumForm():
            return _enum_from(form, plain)
        case FlagsForm():
            return _flags_from(form, plain)
        case StructForm():
            if isinstance(plain, form.cls):
                return plain
            return form.cls(**fields_from(form.fields(), plain))
        case UnionForm():
            return plain if form.holds(plain) else _union_from(form, plain)
        case ValueForm():
            return any_from(plain)
    return _scalar_from(form, plain)


def _map_from(form: MapForm, plain: Any) -> dict[Any, Any]:
    _check_twice(plain)
    if not isinstance(plain, Mapping):
        raise PlainError(f"{_shown(plain)} is no {name_of(form)}")
    entries: dict[Any, Any] = {}
    for name, item in plain.items():
        step = f'["{name}"]'
        try:
            key = _key_from(form.key, name)
        except (KeyError, ValueError, TypeError) as error:
            raise PlainError(f"{step}\0{_shown(name)} is no {name_of(form.key)}: {error}") from None
        if key in entries:
            raise PlainError(f"{step}\0the key is given twice")
        entries[key] = _at(step, form.value, item)
    return entries


def _check_twice(plain: Any) -> None:
    if isinstance(plain, Pairs) and plain.twice is not None:
        raise PlainError(f'"{plain.twice}" is given twice')


def _at(step: str, form: Form, plain: Any) -> Any:
    try:
        return from_plain(form, plain)
    except PlainError as error:
        raise _within(step, error) from None


def _within(step: str, error: PlainError) -> PlainError:
    path, mark, rest = str(error).partition("\0")
    if not mark:
        return PlainError(f"{step}\0{error}")
    dot = "" if path.startswith("[") else "."
    return PlainError(f"{step}{dot}{path}\0{rest}")


def message(error: PlainError) -> str:
    """Returns what is wrong, with the path before it."""
    return str(error).replace("\0", ": ")


def _listed(plain: Any, form: Form) -> list[Any]:
    if not isinstance(plain, (list, tuple, set, frozenset)):
        raise PlainError(f"{_shown(plain)} is no {name_of(form)}")
    return list(plain)


def fields_from(fields: Fields, plain: Any) -> dict[str, Any]:
    """Returns the fields of a struct, or parameters, by what they are called in Python. Raises `PlainError`."""
    if not isinstance(plain, Mapping):
        raise PlainError(f"{_shown(plain)} has no fields: write an object of their names")
    _check_twice(plain)
    if STRICT.get():
        _check_names(fields, plain)
    values: dict[str, Any] = {}
    # What is wrong with what is there is told first, in the order in which it stands there.
    by_name = {name: field for field in fields.fields for name in (field.attr, field.name)}
    for name, given in plain.items():
        field = by_name.get(name)
        if field is None or (given is None and field.may_be_absent):
            continue
        value = values[field.attr] = _at(field.name, field.form, given)
        if STRICT.get() and value is not None:
            _check_bounds(field, value)
    for field in fields.fields:
        if field.attr not in values:
            if not field.may_be_absent:
                raise PlainError(f"{field.name}\0it must be there, and is a {name_of(field.form)}")
            values[field.attr] = field.absent()
    return values


def _check_names(fields: Fields, plain: Mapping[str, Any]) -> None:
    known = [field.name for field in fields.fields]
    for name in plain:
        if name not in known:
            raise PlainError(f"unknown field {_shown(name)}: there is {', '.join(known) or 'none'}")


def _check_bounds(field: Field, value: Any) -> None:
    try:
        field.check(value)
    except DecodeError as error:
        raise PlainError(f"{field.name}\0{error}") from None


def _enum_from(form: EnumForm, plain: Any) -> Enum:
    if isinstance(plain, str):
        numbers = {name: number for number, name in form.names.items()}
        if plain not in numbers:
            raise PlainError(f"there is no `{plain}`; there is {', '.join(numbers)}")
        plain = numbers[plain]
    if not isinstance(plain, int) or isinstance(plain, bool):
        raise PlainError(f"{_shown(plain)} is no {name_of(form)}")
    found: Enum = form.enum(plain)
    return found


def _flags_from(form: FlagsForm, plain: Any) -> Any:
    if isinstance(plain, form.flags):
        return plain
    numbers = {name: number for number, name in form.names.items()}
    bits = 0
    for index, flag in enumerate(_listed(plain, form)):
        number = numbers.get(flag) if isinstance(flag, str) else flag
        if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < 64:
            raise PlainError(f"[{index}]\0there is no flag {_shown(flag)}; there is {', '.join(numbers)}")
        if bits >> number & 1:
            raise PlainError(f"[{index}]\0flag {_shown(flag)} is given twice")
        bits |= 1 << number
    return form.flags(bits)


def _union_from(form: UnionForm, plain: Any) -> Any:
    _check_twice(plain)
    if isinstance(plain, Mapping) and len(plain) == 1:
        ((name, inner),) = plain.items()
    elif isinstance(plain, str):
        name, inner = plain, None
    else:
        raise PlainError(f"{_shown(plain)} is no name of a variant, nor an object of its name and its value")
    if name.startswith("#"):
        return _numbered(form, name, inner)
    variant = dict(variants(form)).get(name)
    if variant is None:
        raise PlainError(f"there is no `{name}`; there is {', '.join(it for it, _ in variants(form))}")
    if variant.form is None:
        if inner is not None and STRICT.get():
            raise PlainError(f"variant `{name}` has no value")
        return variant.cls()
    if variant.has_fields and isinstance(variant.form, StructForm):
        return variant.cls(**fields_from(variant.form.fields(), {} if inner is None else inner))
    if inner is None and not variant.form.is_nullable:
        raise PlainError(f"variant `{name}` comes without its value")
    return variant.cls(from_plain(variant.form, inner))


def _numbered(form: UnionForm, name: str, inner: Any) -> Any:
    """Returns a variant by its number, with what is on the wire."""
    number = name[1:]
    if not number.isascii() or not number.isdigit() or int(number) >= 1 << 32:
        raise PlainError(f"`{name}` is no number of a variant")
    writer = Writer()
    writer.array(2)
    writer.integer(int(number))
    write_value(writer, any_from(inner))
    try:
        return decode(form, writer.body(), max_body=max(len(writer.out), 1))
    except DecodeError as error:
        raise PlainError(str(error)) from None


def _key_from(form: Form, key: Any) -> Any:
    if not isinstance(key, str):
        return from_plain(form, key)
    if isinstance(form, scalars.BoolForm):
        return {"true": True, "false": False}[key]
    if isinstance(form, EnumForm) and key not in form.names.values():
        return form.enum(_digits(key))
    if isinstance(form, scalars.IntForm):
        return _integer(form, _digits(key))
    return from_plain(form, key)


def _digits(text: str) -> int:
    number = int(text)
    if str(number) != text:
        raise PlainError(f"{_shown(text)} is not in the shortest form")
    return number


def _scalar_from(form: Form, plain: Any) -> Any:
    match form:
        case scalars.IntForm():
            return _integer(form, plain)
        case scalars.FloatForm():
            return _float(form, plain)
        case scalars.BytesForm():
            return _bytes(plain) if isinstance(plain, str) else memoryview(plain)
        case scalars.TimestampForm() if isinstance(plain, str):
            return _time(plain)
        case scalars.TimestampForm() if isinstance(plain, datetime.datetime):
            return Timestamp.from_datetime(plain)
        case scalars.DurationForm() if isinstance(plain, str):
            return _duration(plain)
        case scalars.DurationForm() if isinstance(plain, datetime.timedelta):
            return Duration.from_timedelta(plain)
        case scalars.UuidForm() if isinstance(plain, str):
            return uuid.UUID(plain)
    expected: dict[type[Form], type] = {
        scalars.BoolForm: bool, scalars.StringForm: str, scalars.TimestampForm: Timestamp,
        scalars.DurationForm: Duration, scalars.UuidForm: uuid.UUID,
    }  # fmt: skip
    if not isinstance(plain, expected[type(form)]):
        raise PlainError(f"{_shown(plain)} is no {name_of(form)}")
    return plain


def _float(form: scalars.FloatForm, plain: Any) -> float:
    if isinstance(plain, str):
        if plain not in _FLOATS:
            raise PlainError(f"{_shown(plain)} is no number")
        return _FLOATS[plain]
    value = _number(plain)
    if form.name == "f32" and math.isfinite(value) and not math.isfinite(scalars.rounded(value)):
        raise PlainError(f"{plain!r} is too large for `f32`")
    return scalars.rounded(value) if form.name == "f32" else value


def _number(plain: Any) -> float:
    if isinstance(plain, bool) or not isinstance(plain, (int, float)):
        raise PlainError(f"{_shown(plain)} is no number")
    return float(plain)


def _integer(form: scalars.IntForm, plain: Any) -> int:
    is_text = isinstance(plain, str) and re.fullmatch(r"-?\d+", plain) is not None
    if is_text or (isinstance(plain, float) and plain.is_integer() and abs(plain) <= _SAFE):
        value = int(plain)
    elif isinstance(plain, int) and not isinstance(plain, bool):
        value = plain
    else:
        raise PlainError(f"{_shown(plain)} is no {form.name}")
    if not form.low <= value <= form.high:
        raise PlainError(f"{value} is no {form.name}, which is {form.low} to {form.high}")
    return value


def _bytes(plain: str) -> bytes:
    text = plain.rstrip("=").replace("-", "+").replace("_", "/")
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)


def _time(plain: str) -> Timestamp:
    found = _TIME.fullmatch(plain)
    if found is None:
        if re.fullmatch(r"-?\d+(\.\d+)?", plain):
            return Timestamp(_nanoseconds(plain, NANOSECONDS))
        raise PlainError(f"{_shown(plain)} is no time: write `2026-03-01T12:00:00Z`")
    *parts, fraction, zone = found.groups()
    offset = datetime.timedelta(0)
    if zone not in "Zz":
        offset = datetime.timedelta(hours=int(zone[1:3]), minutes=int(zone[4:])) * (-1 if zone[0] == "-" else 1)
    year, month, day, hour, minute, second = map(int, parts)
    whole = datetime.datetime(year, month, day, hour, minute, second, tzinfo=datetime.timezone.utc) - offset
    return Timestamp(Timestamp.from_datetime(whole).ns + int((fraction or "0")[:9].ljust(9, "0")))


def _duration(plain: str) -> Duration:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ns|us|ms|s|m|h)", plain)
    if found is None:
        raise PlainError(f"{_shown(plain)} is no duration: write `1.5s`")
    return Duration(_nanoseconds(found[1], _UNITS[found[2]]))


def _nanoseconds(text: str, unit: int) -> int:
    """Returns a decimal number of a unit in nanoseconds. Raises `PlainError` if that is no whole number."""
    sign, text = (-1, text[1:]) if text.startswith("-") else (1, text)
    whole, _, part = text.partition(".")
    scale: int = 10 ** len(part)
    more, left = divmod(int(part or "0") * unit, scale)
    if left:
        raise PlainError(f"`{text}` is no whole number of nanoseconds")
    return sign * (int(whole) * unit + more)


def any_from(plain: Any) -> Any:
    """Returns the `value` that JSON stands for."""
    _check_twice(plain)
    if isinstance(plain, list):
        return [_any_at(f"[{index}]", element) for index, element in enumerate(plain)]
    if not isinstance(plain, dict):
        return plain
    if not _is_special(plain):
        return {key: _any_at(f'["{key}"]', item) for key, item in plain.items()}
    ((name, inner),) = plain.items()
    try:
        return _special(name, inner)
    except (KeyError, ValueError, TypeError, AttributeError, IndexError):
        raise PlainError(f"the object has the name `{name}` alone, but not its value") from None


def _any_at(step: str, plain: Any) -> Any:
    try:
        return any_from(plain)
    except PlainError as error:
        raise _within(step, error) from None


def _special(name: str, inner: Any) -> Any:
    match name:
        case "$bytes":
            return _bytes(inner)
        case "$timestamp":
            return _time(inner)
        case "$ext":
            code, data = inner
            return Ext(code, _bytes(data))
        case "$float":
            return _FLOATS[inner]
        case "$int":
            return _digits(inner)
    return {any_from(key): any_from(item) for key, item in inner}


def name_of(form: Form) -> str:
    """Returns what a type is called in messages."""
    match form:
        case OptionalForm():
            return f"{name_of(form.inner)}?"
        case ListForm() | SetForm():
            return f"{'list' if isinstance(form, ListForm) else 'set'}<{name_of(form.element)}>"
        case MapForm():
            return f"map<{name_of(form.key)}, {name_of(form.value)}>"
        case EnumForm():
            return form.enum.__name__
        case FlagsForm():
            return form.flags.__name__
        case StructForm() | UnionForm():
            return form.name.rpartition(".")[2]
        case scalars.IntForm() | scalars.FloatForm():
            return form.name
    return type(form).__name__.removesuffix("Form").lower()


def _shown(plain: Any) -> str:
    text = repr(plain)
    return f"`{text[:60]}{'…' if len(text) > 60 else ''}`"
