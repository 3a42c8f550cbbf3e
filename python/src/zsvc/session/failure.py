"""`Failure`: how a call has failed, before its declared error is read."""

from __future__ import annotations

from dataclasses import dataclass

from ..status import Cause, Code, Outcome, Status
from ..wire import records as r


@dataclass(slots=True)
class Declared:
    """A declared error, encoded."""

    body: bytes
    message: str
    outcome: Outcome


Failure = Status | Declared


def failure_of(record: r.Error) -> Failure:
    """Returns the failure that a server has told."""
    outcome = Outcome.of(record.outcome)
    if record.code == 0:
        return Declared(record.body or b"", record.message, outcome)
    return Status(
        Code.of(record.code),
        record.message,
        outcome=outcome,
        cause=Cause.of(record.cause),
        retry_after=None if record.wait is None else record.wait / 1e6,
        details=record.details,
    )


def record_of(id: int, status: Status) -> r.Error:
    """Returns the record of a status."""
    wait = None if status.retry_after is None else r.microseconds(status.retry_after)
    cause = int(status.cause) if status.cause is not None and status.cause < Cause.NEVER_CONNECTED else None
    return r.Error(id, int(status.code), status.message, int(status.outcome), None, wait, cause, dict(status.details))


def too_large(what: str, size: int, limit: int, whose: str) -> str:
    """Returns the message about a size past its limit."""
    return f"{what} has {size} bytes, and the limit of {whose} is {limit}"
