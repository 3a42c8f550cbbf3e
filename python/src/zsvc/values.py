"""The types of values that Python lacks, and the bases of generated types."""

from __future__ import annotations

import datetime
import enum
import functools
import time
from typing import Any, NamedTuple, TypeAlias

import msgspec

__all__ = ["Bytes", "Duration", "Enum", "Ext", "Struct", "Timestamp", "UnknownVariant", "Value"]

NANOSECONDS = 1_000_000_000
MAX_DURATION = (1 << 64) - 1
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)

Bytes: TypeAlias = bytes | memoryview
"""A value of `bytes`. One that was received is always a read-only `memoryview`, so that long ones need not be
copied; `bytes(view)` makes a copy."""

Value: TypeAlias = Any
"""Any MessagePack value: `None`, `bool`, `int`, `float`, `str`, `bytes`, `list`, `dict`, `Timestamp` or `Ext`."""


class Ext(NamedTuple):
    """An extension of MessagePack in a `value`."""

    code: int
    """Its type, -128 to 127."""
    data: bytes
    """Its bytes."""


@functools.total_ordering
class Timestamp:
    """A point in time, to the nanosecond."""

    __slots__ = ("_ns",)

    def __init__(self, ns: int) -> None:
        self._ns = ns

    @property
    def ns(self) -> int:
        """Nanoseconds since 1970."""
        return self._ns

    @classmethod
    def now(cls) -> Timestamp:
        """Returns the time of the system's clock."""
        return cls(time.time_ns())

    @classmethod
    def from_datetime(cls, value: datetime.datetime) -> Timestamp:
        """Returns the time of an aware `datetime`. Raises `ValueError` for one without a time zone."""
        if value.tzinfo is None:
            raise ValueError("a datetime without a time zone is no point in time: give it a tzinfo")
        since = value - _EPOCH
        return cls((since.days * 86_400 + since.seconds) * NANOSECONDS + since.microseconds * 1_000)

    def to_datetime(self) -> datetime.datetime:
        """Returns the time in UTC, cut to microseconds. Raises `OverflowError` outside of the years 1 to 9999."""
        return _EPOCH + datetime.timedelta(microseconds=self._ns // 1_000)

    def __eq__(self, other: object) -> bool:
        return self._ns == other._ns if isinstance(other, Timestamp) else NotImplemented

    def __lt__(self, other: object) -> bool:
        return self._ns < other._ns if isinstance(other, Timestamp) else NotImplemented

    def __hash__(self) -> int:
        return hash(("zsvc.Timestamp", self._ns))

    def __str__(self) -> str:
        seconds, nanoseconds = divmod(self._ns, NANOSECONDS)
        try:
            whole = (_EPOCH + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
        except OverflowError:
            return f"{seconds}.{nanoseconds:09} s"
        fraction = f".{nanoseconds:09}".rstrip("0") if nanoseconds else ""
        return f"{whole}{fraction}Z"

    def __repr__(self) -> str:
        return f"Timestamp({self._ns})"

    def __reduce__(self) -> tuple[object, ...]:
        return (Timestamp, (self._ns,))


@functools.total_ordering
class Duration:
    """A length of time, 0 to 2**64 - 1 nanoseconds."""

    __slots__ = ("_ns",)

    def __init__(self, ns: int) -> None:
        if not 0 <= ns <= MAX_DURATION:
            raise ValueError(f"a duration has 0 to {MAX_DURATION} nanoseconds, not {ns}")
        self._ns = ns

    @property
    def ns(self) -> int:
        """Nanoseconds."""
        return self._ns

    @classmethod
    def from_seconds(cls, seconds: float) -> Duration:
        """Returns a length in seconds, rounded to the nearest nanosecond."""
        return cls(round(seconds * NANOSECONDS))

    @classmethod
    def from_timedelta(cls, value: datetime.timedelta) -> Duration:
        """Returns the length of a `timedelta`, which must not be negative."""
        return cls((value.days * 86_400 + value.seconds) * NANOSECONDS + value.microseconds * 1_000)

    def total_seconds(self) -> float:
        """Returns the length in seconds."""
        return self._ns / NANOSECONDS

    def to_timedelta(self) -> datetime.timedelta:
        """Returns the length, cut to microseconds."""
        return datetime.timedelta(microseconds=self._ns // 1_000)

    def __eq__(self, other: object) -> bool:
        return self._ns == other._ns if isinstance(other, Duration) else NotImplemented

    def __lt__(self, other: object) -> bool:
        return self._ns < other._ns if isinstance(other, Duration) else NotImplemented

    def __hash__(self) -> int:
        return hash(("zsvc.Duration", self._ns))

    def __str__(self) -> str:
        return f"{self.total_seconds():g} s"

    def __repr__(self) -> str:
        return f"Duration({self._ns})"

    def __reduce__(self) -> tuple[object, ...]:
        return (Duration, (self._ns,))


class Struct(msgspec.Struct):
    """The base of generated structs. Its subclasses are made by keywords, compare by value, and may be changed."""


class UnknownVariant(msgspec.Struct, frozen=True):
    """A variant of a union that this program does not know yet. It is written again unchanged."""

    number: int
    """Its number on the wire."""
    raw: bytes
    """Its value as it was sent."""


class Enum(enum.IntEnum):
    """The base of generated enums. A number that this program does not know is kept: `Side(25)`."""

    @classmethod
    def _missing_(cls, value: object) -> Any:
        if not isinstance(value, int) or not -(1 << 31) <= value < 1 << 31:
            return None
        unknown = int.__new__(cls, value)
        unknown._name_ = f"UNKNOWN_{value}"
        unknown._value_ = value
        return unknown

    @property
    def is_known(self) -> bool:
        """Whether this program knows the value."""
        return self._value_ in type(self)._value2member_map_

    def __reduce_ex__(self, protocol: Any) -> Any:
        return (type(self), (self._value_,))


class Flags(enum.IntFlag):
    """The base of generated flags. Bits that this program does not know are kept: `Access(1 << 40)`."""

    @property
    def unknown(self) -> Any:
        """The flags that this program does not know."""
        known = 0
        for flag in type(self).__members__.values():
            known |= flag._value_
        return type(self)(self._value_ & ~known)
