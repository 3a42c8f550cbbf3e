"""What callers may say of a call, and what every call of a channel has."""

from __future__ import annotations

import contextvars
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .channel.core import Listener, PendingCall
from .channel.retry import Retry
from .codec.writer import Body, EncodeError
from .method import Method
from .session.client import CallSpec
from .session.config import ClientLimits, Kind
from .status import Cause, Code, Outcome, Status
from .wire import records as r

INHERIT: Any = object()
"""The time of a call is what its method and its channel say."""

INHERITED_DEADLINE: contextvars.ContextVar[float | None] = contextvars.ContextVar("zsvc deadline", default=None)
"""The deadline of the call whose handler runs, as a time of `time.monotonic`."""


@dataclass(frozen=True)
class CallOptions:
    """What a caller says of its calls."""

    timeout: float | None = INHERIT
    """Seconds; `None` for no deadline, not even that of the handler that makes the call."""
    metadata: Mapping[str, str | bytes] = field(default_factory=dict[str, "str | bytes"])
    """Names and values beside the parameters."""
    retry: bool = True
    """Whether the call may be made again."""
    delivered: bool = False
    """Whether a one-way call returns only once the server has read it."""
    response_metadata: dict[str, str | bytes] | None = None
    """Filled with what the server sends beside the answer."""

    def but(self, changes: Mapping[str, Any]) -> CallOptions:
        """Returns these options with changes; metadata is added. Raises `TypeError` for what is no option."""
        changes = dict(changes)
        for name in changes:
            if name not in self.__dataclass_fields__:
                known = ", ".join(f"`{option}`" for option in self.__dataclass_fields__)
                raise TypeError(f"`{name}` is no option of a call; they are {known}")
        if "metadata" in changes:
            changes["metadata"] = {**self.metadata, **(changes["metadata"] or {})}
        return replace(self, **changes)


class Beside:
    """What comes beside the answer of a call, in the `dict` that its caller has given; other calls may share it."""

    def __init__(self, given: dict[str, str | bytes] | None) -> None:
        self._given = given
        self._names: set[str] = set()

    def add(self, metadata: Mapping[str, str | bytes]) -> None:
        """Adds names and values."""
        if self._given is not None:
            self._given.update(metadata)
            self._names.update(metadata)

    def forget(self) -> None:
        """Takes out what this call has added: it was of an attempt that has failed."""
        for name in self._names:
            if self._given is not None:
                self._given.pop(name, None)
        self._names.clear()


def deadline_of(method: Method[Any], options: CallOptions, timeout: float | None) -> float | None:
    """Returns when a call is to have ended. `timeout` is the channel's, for methods without a stream."""
    now = time.monotonic()
    if options.timeout is None:
        return None
    if options.timeout is not INHERIT:
        seconds: float | None = options.timeout
    elif method.deadline is not None:
        seconds = method.deadline
    else:
        seconds = timeout if method.kind in (Kind.UNARY, Kind.ONE_WAY) else None
    inherited = INHERITED_DEADLINE.get()
    deadlines = [deadline for deadline in (r.deadline_after(seconds, now), inherited) if deadline is not None]
    return min(deadlines, default=None)


@dataclass(frozen=True)
class Maker:
    """What a channel makes calls with."""

    limits: ClientLimits
    retry: Retry
    timeout: float | None

    def make(self, method: Method[Any], values: list[Any], options: CallOptions, listener: Listener) -> PendingCall:
        """Returns a call that is ready to be made. Raises `Status`."""
        body = self._body(method, values)
        metadata: r.Metadata = dict(options.metadata)
        if len(metadata) > r.MAX_METADATA_ENTRIES or r.metadata_size(metadata) > r.MAX_METADATA_BYTES:
            raise _not_sent(Code.RESOURCE_EXHAUSTED, "a call has at most 64 entries of metadata, and 16384 bytes")
        deadline = deadline_of(method, options, self.timeout)
        spec = CallSpec(method.name, method.kind, body, deadline, metadata or None, proof=options.delivered)
        return PendingCall(
            spec,
            listener,
            retry=self.retry if options.retry else Retry.none(),
            is_idempotent=method.is_idempotent,
            overlap=method.overlap,
        )

    def _body(self, method: Method[Any], values: list[Any]) -> Body:
        try:
            body = method.encode_parameters(values)
        except EncodeError as error:
            text = f"the parameters of `{method.short_name}` can't be encoded: {error}"
            raise _not_sent(Code.INVALID_ARGUMENT, text, Cause.BAD_VALUE) from None
        if len(body) > self.limits.max_message_size:
            text = (
                f"the parameters have {len(body)} bytes, and the limit of this client is {self.limits.max_message_size}"
            )
            raise _not_sent(Code.RESOURCE_EXHAUSTED, text)
        return body


def _not_sent(code: Code, text: str, cause: Cause = Cause.TOO_LARGE) -> Status:
    return Status(code, text, outcome=Outcome.NOT_SENT, cause=cause)
