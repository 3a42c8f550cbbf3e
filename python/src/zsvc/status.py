"""How a call fails: codes, outcomes, causes, statuses, and the errors that methods declare."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeVar

from .codec import registry
from .codec.body import decode, encode
from .codec.reader import DecodeError
from .codec.writer import Body

__all__ = ["Cause", "Code", "DeclaredError", "Outcome", "Status", "UnknownDeclaredError"]

T = TypeVar("T")
MAX_MESSAGE_BYTES = 16_384
MAX_DETAIL_BYTES = 16_384


class Code(enum.IntEnum):
    """The status codes, which are those of gRPC."""

    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16

    @classmethod
    def of(cls, number: int) -> Code:
        """Returns the code with a number; `UNKNOWN` for one that is not defined."""
        return cls(number) if 1 <= number <= 16 else cls.UNKNOWN


class Outcome(enum.IntEnum):
    """What became of a call that failed."""

    NOT_SENT = 0
    """No handler has seen it: it is safe to make it again."""
    MAYBE_EXECUTED = 1
    """It is not known how far it got."""
    EXECUTED = 2
    """A handler ran, and this is its result."""

    @classmethod
    def of(cls, number: int) -> Outcome:
        """Returns the outcome with a number; `MAYBE_EXECUTED` for one that is not defined."""
        return cls(number) if 0 <= number <= 2 else cls.MAYBE_EXECUTED


class Cause(enum.IntEnum):
    """Why the runtime failed a call, where no handler did. Those from 256 on are found by the client itself."""

    GOING_AWAY = 1
    OVERLOADED = 2
    DEADLINE = 3
    CLIENT_LOST = 4
    TOO_LARGE = 5
    BAD_VALUE = 6
    NO_SUCH_METHOD = 7
    PROTOCOL = 8
    PANICKED = 9
    SERVER_RESTARTED = 10
    FORBIDDEN = 11
    NEVER_CONNECTED = 256
    CONNECTION_LOST = 257
    SERVER_SILENT = 258
    CLOSED = 259
    OVERLAP = 260

    @classmethod
    def of(cls, number: int | None) -> Cause | None:
        """Returns the cause with the number that a peer has sent; `None` for one that is not defined."""
        return cls(number) if number is not None and 1 <= number <= 11 else None


class Status(Exception):
    """A call failed, other than by an error that its method declares.

    Handlers raise it to answer with a code. The outcome of what a handler raises is always `EXECUTED` for its caller.
    """

    def __init__(
        self,
        code: Code,
        message: str = "",
        *,
        outcome: Outcome = Outcome.EXECUTED,
        cause: Cause | None = None,
        retry_after: float | None = None,
        details: Mapping[str, bytes] | None = None,
    ) -> None:
        super().__init__(code, message)
        self.code = code
        """The code."""
        self.message = message
        """A text for people."""
        self.outcome = outcome
        """What became of the call."""
        self.cause = cause
        """Why the runtime failed the call; `None` if a handler did."""
        self.retry_after = retry_after
        """How many seconds to wait before the call is made again, if the server said so."""
        self.details: Mapping[str, bytes] = MappingProxyType(dict(details or {}))
        """Values for programs, by the names of their types, encoded."""

    def with_detail(self, value: object) -> Status:
        """Returns this status with a detail: a value of a struct, union or error of a `.svc` file.

        All details together have 16 KiB; one that does not fit is left off, and the message says so.
        """
        name, form = registry.find(type(value))
        data = encode(form, value).joined()
        details = {**self.details, name: data}
        if sum(len(name.encode()) + len(data) for name, data in details.items()) > MAX_DETAIL_BYTES:
            self.message += f" (the detail `{name}` is left off: it has {len(data)} bytes)"
        else:
            self.details = MappingProxyType(details)
        return self

    def detail(self, cls: type[T]) -> T | None:
        """Returns the detail of a type; `None` if there is none, or if it can't be read."""
        name, form = registry.find(cls)
        data = self.details.get(name)
        if data is None:
            return None
        try:
            value: T = decode(form, Body(data, [], []), max_body=MAX_DETAIL_BYTES)
        except DecodeError:
            return None
        return value

    def __str__(self) -> str:
        text = self.code.name.lower()
        if self.message:
            text += f": {self.message}"
        return f"{text} ({self.outcome.name.lower().replace('_', ' ')})"

    def __repr__(self) -> str:
        cause = f", cause={self.cause.name}" if self.cause else ""
        return f"Status({self.code.name}, {self.message!r}, outcome={self.outcome.name}{cause})"

    def __reduce__(self) -> tuple[object, ...]:
        state = {name: getattr(self, name) for name in ("outcome", "cause", "retry_after")}
        return (Status, (self.code, self.message), state | {"details": dict(self.details)})

    def __setstate__(self, state: object) -> None:
        if isinstance(state, dict):
            self.__dict__.update(state)
            self.details = MappingProxyType(dict(self.details))


class DeclaredError(Exception):
    """An error that a method declares with `throws`. Generated classes derive from it."""

    outcome: Outcome = Outcome.EXECUTED
    """What became of the call."""
    _received_text: str | None = None

    def _text(self) -> str:
        """Returns the text of `@message`, or the name in words."""
        return type(self).__name__

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuilt, (type(self), self.args), dict(self.__dict__))

    def __str__(self) -> str:
        return self._text() if self._received_text is None else self._received_text


class UnknownDeclaredError(DeclaredError):
    """An error of a method that this program does not know yet: a later one of those that the method throws."""

    def __init__(self, error_number: int, raw: bytes) -> None:
        super().__init__(error_number)
        self.error_number = error_number
        """The number that stands for the error."""
        self.raw = raw
        """The error as it was sent."""

    def _text(self) -> str:
        return f"an error that this program does not know, with the number {self.error_number}"


def _rebuilt(cls: type[DeclaredError], args: tuple[object, ...]) -> DeclaredError:
    """Returns an exception without its constructor, as `pickle` and `copy` need it: its arguments go by keywords."""
    error = cls.__new__(cls)
    error.args = args
    return error


def cut(text: str) -> str:
    """Returns the part of a message that is sent."""
    data = text.encode("utf-8", "replace")
    return data[:MAX_MESSAGE_BYTES].decode("utf-8", "ignore") if len(data) > MAX_MESSAGE_BYTES else data.decode()
