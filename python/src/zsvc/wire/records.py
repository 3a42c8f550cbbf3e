"""Records, as they are read from a batch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, TypeAlias

from ..codec.writer import Body

VERSION: Final = 1
MAX_ID: Final = (1 << 64) - 1
INITIAL_CREDIT: Final = 65_536
"""Credit that a client's stream begins with, in bytes."""
MAX_CREDIT: Final = (1 << 63) - 1
MAX_RECORDS: Final = 65_536
MAX_FRAMES: Final = 2_304
MAX_METADATA_ENTRIES: Final = 64
MAX_METADATA_BYTES: Final = 16_384

FAR: Final = 100 * 365 * 86_400.0
"""Seconds. A time that is further away is beyond all clocks: a deadline past it is none."""

NAME_OF_TOKENS: Final = "authorization"
"""The name of the metadata that has a token."""

CALL, ONE_WAY, REPLY, ERROR, ITEMS, END, CREDIT, CANCEL, PING, PONG, GOING_AWAY = range(1, 12)
FIRST_SKIPPED: Final = 64
QUERY: Final = 65
RESPONSE_METADATA: Final = 66

Metadata: TypeAlias = "dict[str, str | bytes]"


def microseconds(seconds: float) -> int:
    """Returns a time as it is sent, whatever its program says: none is less than 0, and none beyond all clocks."""
    return int(min(max(0.0, seconds), FAR) * 1e6)


def deadline_after(seconds: float | None, now: float) -> float | None:
    """Returns when so many seconds have passed; `None` where that is beyond all clocks."""
    return now + seconds if seconds is not None and seconds < FAR else None


def metadata_size(metadata: Metadata) -> int:
    """Returns the bytes of names and values."""
    return sum(
        len(name.encode()) + len(value.encode() if isinstance(value, str) else value)
        for name, value in metadata.items()
    )


@dataclass(slots=True)
class Call:
    """Starts a call; `id` is 0 for a one-way call."""

    id: int
    method: str | None
    """`None` if it is not UTF-8, which is the name of no method."""
    body: Body
    timeout: int | None = None
    """Microseconds left."""
    metadata: Metadata | None = None
    """`None` if there is more of it than may be."""
    credit: int = 0
    one_way: bool = False


@dataclass(slots=True)
class Reply:
    """Ends a call with its answer."""

    id: int
    body: Body


@dataclass(slots=True)
class Error:
    """Ends a call with an error; with the id 0, all that a client has sent."""

    id: int
    code: int
    message: str = ""
    outcome: int = 1
    body: bytes | None = None
    wait: int | None = None
    """Microseconds."""
    cause: int | None = None
    details: dict[str, bytes] = field(default_factory=dict[str, bytes])


@dataclass(slots=True)
class Items:
    """Items of a stream."""

    id: int
    body: Body


@dataclass(slots=True)
class End:
    """The end of a stream."""

    id: int


@dataclass(slots=True)
class Credit:
    """Grants bytes of items."""

    id: int
    amount: int


@dataclass(slots=True)
class Cancel:
    """Ends a call that the client does not wait for any longer."""

    id: int


@dataclass(slots=True)
class Ping:
    """Asks for a pong."""

    id: int


@dataclass(slots=True)
class Pong:
    """Answers a ping."""

    id: int
    life: int | None = None


@dataclass(slots=True)
class GoingAway:
    """Asks for no new calls."""

    id: int = 0


@dataclass(slots=True)
class Query:
    """Asks whether a call is in flight."""

    id: int


@dataclass(slots=True)
class ResponseMetadata:
    """Names and values beside an answer."""

    id: int
    metadata: Metadata | None
    """`None` if there is more of it than may be."""


@dataclass(slots=True)
class UnknownKind:
    """A record of a kind that this version does not define, and that may not be skipped."""

    id: int
    kind: int


Record: TypeAlias = (
    Call
    | Reply
    | Error
    | Items
    | End
    | Credit
    | Cancel
    | Ping
    | Pong
    | GoingAway
    | Query
    | ResponseMetadata
    | UnknownKind
)
