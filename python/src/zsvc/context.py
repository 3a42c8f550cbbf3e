"""`Context`: what a handler knows of its call besides the parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from .method import Method, seconds_left
from .status import Code, Status
from .wire.records import MAX_METADATA_BYTES, MAX_METADATA_ENTRIES, metadata_size

if TYPE_CHECKING:
    from .identity import Identity

DEFAULT_BODY = 16 << 20


class Context:
    """What a handler knows of its call besides the parameters."""

    def __init__(
        self,
        method: Method[Any],
        metadata: Mapping[str, str | bytes],
        deadline: float | None,
        peer: str,
        key: str | None,
        send_metadata: Callable[[dict[str, str | bytes]], None],
    ) -> None:
        self.method = method
        """The method that was called."""
        self.metadata: Mapping[str, str | bytes] = MappingProxyType(dict(metadata))
        """Names and values that the caller has sent."""
        self.peer = peer
        """The same for all calls over one connection, without another meaning."""
        self.key = key
        """The public key that the caller has proved to have; `None` without CURVE."""
        self.identity: Identity | None = None
        """Who has made the call: by its token, or else by the key of its connection; `None` if that is not known."""
        self._deadline = deadline
        self._send = send_metadata
        self._sent: dict[str, int] = {"entries": 0, "bytes": 0}
        self._is_over = False
        self._max_body = DEFAULT_BODY
        self._abort: Callable[[Status], None] = _nothing
        """Ends a call that streams, also while it waits for credit."""
        self._when_draining: Callable[[Callable[[], None]], Callable[[], None]] = lambda _: _nothing
        """Has a function called when the server drains, and returns what takes that back."""
        self._reason: str | None = None

    def time_left(self) -> float | None:
        """Returns the seconds until the deadline; `None` if there is none."""
        return seconds_left(self._deadline)

    @property
    def deadline(self) -> float | None:
        """The deadline, as a time of `time.monotonic`."""
        return self._deadline

    def text(self, name: str) -> str | None:
        """Returns a value of the metadata that is text."""
        value = self.metadata.get(name)
        return value if isinstance(value, str) else None

    @property
    def is_cancelled(self) -> bool:
        """Whether the answer is not waited for any longer. For handlers that compute, or run in threads."""
        return self._is_over

    @property
    def cancel_reason(self) -> str | None:
        """Why the call is over, if its handler has not ended it."""
        return self._reason

    def send_metadata(self, name: str, value: str | bytes) -> None:
        """Sends a name and a value beside the answer. Raises `Status` past 64 entries or 16 KiB for a call."""
        entry = {name: value}
        self._sent["entries"] += 1
        self._sent["bytes"] += metadata_size(entry)
        if self._sent["entries"] > MAX_METADATA_ENTRIES or self._sent["bytes"] > MAX_METADATA_BYTES:
            raise Status(Code.RESOURCE_EXHAUSTED, "a call sends at most 64 entries of metadata, and 16384 bytes")
        self._send(entry)

    def _end(self, reason: str) -> None:
        if not self._is_over:
            # In this order, for a thread that looks at the one and then at the other.
            self._reason = reason
            self._is_over = True

    def __repr__(self) -> str:
        return f"<zsvc.Context of {self.method.name} by {self.peer}>"


def _nothing(_: object = None) -> None:
    pass
