"""Bounds on calls, as middleware."""

import asyncio
from typing import Any

import pytest
from conftest import run
from floor import Floor
from generated.market import v1 as market

import zsvc
import zsvc.testing
from zsvc import Cause, Code, Outcome, Status
from zsvc.middleware import MAX_BUCKETS, ConcurrencyLimit, RateLimit


async def until(condition: Any) -> None:
    while not condition():
        await asyncio.sleep(0.01)


async def refused(call: Any) -> Status:
    with pytest.raises(Status) as caught:
        await call
    status = caught.value
    assert (status.code, status.outcome, status.cause) == (
        Code.RESOURCE_EXHAUSTED,
        Outcome.NOT_SENT,
        Cause.OVERLOADED,
    )
    return status


@run
async def test_calls_past_a_rate_are_refused_with_a_hint() -> None:
    limit = RateLimit.per_method(0.01, burst=2)
    async with zsvc.testing.serving(Floor(), middleware=[limit]) as channel:
        tape = market.TapeClient(channel).with_options(retry=False)
        await tape.ping()
        await tape.ping()
        status = await refused(tape.ping())
        assert status.retry_after is not None
        assert 90 < status.retry_after <= 100
        await tape.last("ACME")


def test_tokens_come_back_with_time() -> None:
    limit = RateLimit.all(2, burst=3)
    for at, is_taken in [(0, 1), (0, 1), (0, 1), (0, 0), (0.4, 0), (0.5, 1), (0.5, 0), (9, 1), (9, 1), (9, 1), (9, 0)]:
        if is_taken:
            limit._take("", at)
        else:
            with pytest.raises(Status, match="limit of 2 calls per second"):
                limit._take("", at)


def test_buckets_have_a_bound() -> None:
    limit = RateLimit.per_peer(1)
    for number in range(MAX_BUCKETS):
        limit._take(str(number), 100)
    with pytest.raises(Status, match="no room"):
        limit._take("another", 100)
    with pytest.raises(Status, match="limit of 1"):
        limit._take("5", 100)
    limit._take("another", 101.5)
    assert len(limit._full_at) == 1, "full ones are forgotten"


@run
async def test_calls_past_a_number_are_refused() -> None:
    floor, limit = Floor(), ConcurrencyLimit.per_method(1)
    async with zsvc.testing.serving(floor, middleware=[limit]) as channel:
        tape = market.TapeClient(channel).with_options(retry=False)
        slow = asyncio.ensure_future(tape.last("SLOW"))
        await until(lambda: limit._running)
        await refused(tape.last("ACME"))
        await tape.ping()
        slow.cancel()
        await until(lambda: not limit._running)
        await tape.last("ACME")


@run
async def test_one_way_calls_past_a_limit_are_counted() -> None:
    server = zsvc.Server(Floor(), bind="tcp://127.0.0.1:*", middleware=[RateLimit.all(0.01, burst=1)])
    await server.start()
    async with market.TapeClient.connect(*server.endpoints) as tape:
        for _ in range(3):
            await tape.with_options(delivered=True).note("x")
        await until(lambda: server.dropped.get("refused call") == 2)
    await server.stop()


def test_limits_that_are_none() -> None:
    for make in (lambda: RateLimit.all(0), lambda: RateLimit.all(1, burst=0), lambda: ConcurrencyLimit.all(0)):
        with pytest.raises(ValueError, match=r"least|more"):
            make()
