"""Middleware that many servers want: bounds on calls per second, and on calls at the same time.

zsvc.Server(Floor(), bind="tcp://…", middleware=[RateLimit.per_peer(1_000, burst=100), ConcurrencyLimit.per_method(64)])
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from .aio.middleware import ServerNext, ServerRequest
from .status import Cause, Code, Outcome, Status

__all__ = ["ConcurrencyLimit", "RateLimit"]

MAX_BUCKETS = 65_536
"""Buckets that are not full. Past it, calls of further clients are turned away."""
_SWEEP_PAUSE = 0.25
_RETRY_AFTER = 0.1


def _of_all(_: ServerRequest) -> str:
    return ""


def _of_method(request: ServerRequest) -> str:
    return request.method.name


def _of_peer(request: ServerRequest) -> str:
    return request.context.peer


class RateLimit:
    """Bounds how many calls begin per second, by a bucket of tokens. Past it a call is refused at once, not sent."""

    def __init__(self, key: Callable[[ServerRequest], str], per_second: float, burst: int | None, subject: str) -> None:
        if per_second <= 0 or (burst is not None and burst < 1):
            raise ValueError("a rate is more than 0 calls per second, and a burst at least one call")
        self._key, self._subject, self._rate = key, subject, per_second
        self._step = 1 / per_second
        self._burst = max(int(per_second), 1) if burst is None else burst
        self._full_at: dict[str, float] = {}
        """When each bucket is full again; one that is full has no entry."""
        self._swept_at = 0.0

    @classmethod
    def all(cls, per_second: float, *, burst: int | None = None) -> RateLimit:
        """Returns a limit for all calls together. `burst` of them may begin at once; those of a second by default."""
        return cls(_of_all, per_second, burst, "the server")

    @classmethod
    def per_method(cls, per_second: float, *, burst: int | None = None) -> RateLimit:
        """Returns a limit for the calls of each method."""
        return cls(_of_method, per_second, burst, "the method")

    @classmethod
    def per_peer(cls, per_second: float, *, burst: int | None = None) -> RateLimit:
        """Returns a limit for the calls over each connection."""
        return cls(_of_peer, per_second, burst, "the client")

    async def __call__(self, request: ServerRequest, following: ServerNext) -> Any:
        """Handles a call."""
        self._take(self._key(request), time.monotonic())
        return await following(request)

    def _take(self, key: str, now: float) -> None:
        if key not in self._full_at and len(self._full_at) >= MAX_BUCKETS:
            self._sweep(now)
            if len(self._full_at) >= MAX_BUCKETS:
                raise _overload("the server has no room to count the calls of one more client", _SWEEP_PAUSE)
        full_at = max(self._full_at.get(key, now), now)
        wait = full_at - now - self._step * (self._burst - 1)
        if wait > 1e-9:
            raise _overload(f"{self._subject} has reached its limit of {self._rate:g} calls per second", wait)
        self._full_at[key] = full_at + self._step

    def _sweep(self, now: float) -> None:
        if now - self._swept_at >= _SWEEP_PAUSE:
            self._swept_at = now
            self._full_at = {key: full_at for key, full_at in self._full_at.items() if full_at > now}


class ConcurrencyLimit:
    """Bounds how many handlers run at the same time. Past it a call is refused at once, not sent."""

    def __init__(self, key: Callable[[ServerRequest], str], most: int, subject: str) -> None:
        if most < 1:
            raise ValueError("at least one call runs at a time")
        self._key, self._most, self._subject = key, most, subject
        self._running: dict[str, int] = {}

    @classmethod
    def all(cls, most: int) -> ConcurrencyLimit:
        """Returns a limit for all calls together."""
        return cls(_of_all, most, "the server")

    @classmethod
    def per_method(cls, most: int) -> ConcurrencyLimit:
        """Returns a limit for the calls of each method."""
        return cls(_of_method, most, "the method")

    @classmethod
    def per_peer(cls, most: int) -> ConcurrencyLimit:
        """Returns a limit for the calls over each connection."""
        return cls(_of_peer, most, "the client")

    async def __call__(self, request: ServerRequest, following: ServerNext) -> Any:
        """Handles a call."""
        key = self._key(request)
        running = self._running.get(key, 0)
        if running >= self._most:
            raise _overload(f"{self._subject} has {running} calls that run, as many as may", _RETRY_AFTER)
        self._running[key] = running + 1
        try:
            return await following(request)
        finally:
            self._running[key] -= 1
            if not self._running[key]:
                del self._running[key]


def _overload(text: str, wait: float) -> Status:
    return Status(Code.RESOURCE_EXHAUSTED, text, outcome=Outcome.NOT_SENT, cause=Cause.OVERLOADED, retry_after=wait)
