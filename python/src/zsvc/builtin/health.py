"""Whether a server and its services are fit to be called: `zsvc.health.v1.Health`."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterable

from ..aio.bridge import bridge
from ..context import Context
from .generated.zsvc.health.v1 import Health, HealthErrorNoSuchService, Status

_MAX_NAME = 200


class HealthReporter:
    """What a program says of the fitness of its services, by any thread. All that nothing was said of is fit.

    Give it to a server, or to several: `Server(…, health=reporter)`.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._server = True
        self._services: dict[str, bool] = {}
        self._watchers: dict[object, Callable[[], None]] = {}

    def set(self, service: str, is_serving: bool) -> None:
        """Says whether a service is fit, by its full name. Those who watch it are told."""
        with self._lock:
            self._services[service] = is_serving
        self._tell()

    def set_server(self, is_serving: bool) -> None:
        """Says whether the server as a whole is fit. If it is not, none of its services is."""
        with self._lock:
            self._server = is_serving
        self._tell()

    def is_serving(self, service: str = "") -> bool:
        """Returns what a client would be told of a service, or of the server by an empty name."""
        with self._lock:
            return self._server and self._services.get(service, True)

    def _tell(self) -> None:
        with self._lock:
            watchers = list(self._watchers.values())
        for changed in watchers:
            changed()

    def _watch(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Has a function called after each change, by whichever thread makes it. Returns what takes that back."""
        key = object()
        with self._lock:
            self._watchers[key] = changed

        def take_back() -> None:
            with self._lock:
                self._watchers.pop(key, None)

        return take_back


class Watched(Health):
    """The service, for the services that a server has."""

    def __init__(self, reporter: HealthReporter, known: Iterable[str]) -> None:
        self._reporter, self._known = reporter, frozenset(known)

    def _check_known(self, service: str) -> None:
        if service and service not in self._known:
            raise HealthErrorNoSuchService(service=service[:_MAX_NAME])

    def _status(self, service: str) -> Status:
        return Status.SERVING if self._reporter.is_serving(service) else Status.NOT_SERVING

    async def check(self, context: Context, service: str, /) -> Status:
        """Returns the status of a service."""
        self._check_known(service)
        return self._status(service)

    async def watch(self, context: Context, service: str, /) -> AsyncIterator[Status]:
        """Yields the status, and again each time that it has changed."""
        self._check_known(service)
        posts, changed, is_draining = bridge(), asyncio.Event(), asyncio.Event()

        def drain() -> None:
            is_draining.set()
            changed.set()

        ends = [self._reporter._watch(lambda: posts.post(changed.set)), context._when_draining(drain)]
        told: Status | None = None
        try:
            while True:
                changed.clear()
                status = Status.NOT_SERVING if is_draining.is_set() else self._status(service)
                if status is not told:
                    told = status
                    yield status
                if is_draining.is_set():
                    return
                await changed.wait()
        finally:
            for end in ends:
                end()
