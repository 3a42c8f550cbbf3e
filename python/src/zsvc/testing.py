"""What tests of programs need: servers on a free port, calls that fail, and clients and services that are fakes."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from typing import Any

from .aio.middleware import ServerNext, ServerRequest
from .aio.server import Server, Service
from .connect import Channel
from .mocks import Called, Script
from .status import Status

__all__ = ["Called", "Faults", "Script", "serving"]


@contextlib.asynccontextmanager
async def serving(*services: Service, faults: Faults | None = None, **options: Any) -> AsyncIterator[Channel]:
    """Serves on a free port of this machine, and gives a channel to it. Options are those of `Server`.

    When it is left, handlers that still run are cancelled.
    """
    middleware = (*options.pop("middleware", ()), *([faults] if faults is not None else []))
    server = Server(*services, bind="tcp://127.0.0.1:*", middleware=middleware, **options)
    await server.start()
    try:
        async with Channel(*server.endpoints) as channel:
            yield channel
    finally:
        await server.stop()


class Faults:
    """Middleware of a server that lets calls fail or wait. Methods go by their short names: `last`."""

    def __init__(self) -> None:
        self._failures: dict[str, deque[Status]] = defaultdict(deque)
        self._delays: dict[str, float] = {}
        self._held: dict[str, asyncio.Event] = {}
        self.calls: list[str] = []
        """The methods that were called, in order."""

    def fail(self, method: str, status: Status, times: int = 1) -> None:
        """Fails the next calls of a method before their handlers run."""
        self._failures[method].extend(status for _ in range(times))

    def delay(self, method: str, seconds: float) -> None:
        """Has every call of a method wait before its handler runs."""
        self._delays[method] = seconds

    def hold(self, method: str) -> asyncio.Event:
        """Has every call of a method wait until the event that is returned is set."""
        return self._held.setdefault(method, asyncio.Event())

    async def __call__(self, request: ServerRequest, following: ServerNext) -> Any:
        """Handles a call."""
        method = request.method.short_name
        self.calls.append(method)
        if method in self._held:
            await self._held[method].wait()
        if method in self._delays:
            await asyncio.sleep(self._delays[method])
        if self._failures[method]:
            status = self._failures[method].popleft()
            raise Status(status.code, status.message, outcome=status.outcome, retry_after=status.retry_after)
        return await following(request)
