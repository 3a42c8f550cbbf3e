"""What a server has done: `zsvc.stats.v1.Stats`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from ..context import Context
from ..measure import Histogram, Measure
from ..values import Duration
from .generated.zsvc.stats.v1 import Latency, MethodStats, Snapshot, Stats
from .guard import Guard

_MIN_INTERVAL = 0.1


class Board(Stats):
    """The service, for what tells the numbers of a server."""

    def __init__(self, guard: Guard, snapshot: Callable[[], Snapshot]) -> None:
        self._guard, self._snapshot = guard, snapshot

    async def read(self, context: Context, /) -> Snapshot:
        """Returns all numbers as they are now."""
        self._guard.check(context)
        return self._snapshot()

    async def watch(self, context: Context, interval: Duration, /) -> AsyncIterator[Snapshot]:
        """Yields all numbers, and again after each interval."""
        self._guard.check(context)
        is_draining = asyncio.Event()
        end = context._when_draining(is_draining.set)
        try:
            while not is_draining.is_set():
                yield self._snapshot()
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(is_draining.wait(), max(interval.total_seconds(), _MIN_INTERVAL))
        finally:
            end()


def of_method(name: str, measure: Measure) -> MethodStats:
    """Returns the numbers of a method."""
    return MethodStats(
        name=name,
        calls=measure.calls,
        running=measure.running,
        failures=dict(measure.failures),
        handler=_latency(measure.handler),
        queue=_latency(measure.queue),
        request_bytes=measure.request_bytes,
        answer_bytes=measure.answer_bytes,
    )


def _latency(times: Histogram) -> Latency:
    quantile = times.quantile
    return Latency(
        timed=times.number,
        mean=Duration(times.mean),
        p50=Duration(quantile(0.5)),
        p90=Duration(quantile(0.9)),
        p99=Duration(quantile(0.99)),
        p999=Duration(quantile(0.999)),
        max=Duration(times.most),
    )
