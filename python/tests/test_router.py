"""Python at the router in Rust: events that clients publish, and calls that pass through it."""

import asyncio
import contextlib
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, run
from floor import Floor, trade
from generated.exchange import v1 as exchange
from generated.market import v1 as market
from routers import routing
from test_docs import the

import zsvc
from zsvc import Cause, Code, Live, Outcome, Status

GRANTS = """
[[grant]]
call = ["market.v1.Tape"]
subscribe = ["exchange.v1.*"]
publish = ["exchange.v1.Price"]

[[grant]]
roles = ["desk"]
publish = ["exchange.v1.Halt"]
"""


def price(symbol: str, cents: int) -> exchange.Price:
    return exchange.Price(symbol=symbol, cents=cents)


@contextlib.contextmanager
def publishing(folder: Path, more: str = "") -> Iterator[str]:
    """Runs a router at which clients may publish, and gives the endpoint at which it listens."""
    svc, tape = ROOT / "runtime/tests/calls/svc/exchange.svc", ROOT / "examples/tape/svc"
    with routing(folder, f'schemas = ["{svc}", "{tape}"]\n{GRANTS}{more}') as router:
        yield router.endpoint


async def some(subscription: zsvc.Subscription[Any], count: int) -> list[Any]:
    return [await subscription.__anext__() for _ in range(count)]


@run
async def test_clients_publish_by_a_router(tmp_path: Path) -> None:
    with publishing(tmp_path) as endpoint:
        await published(endpoint)


async def published(endpoint: str) -> None:
    async with (
        zsvc.Channel(endpoint) as desk,
        zsvc.Channel(endpoint) as other,
        other.subscribe(exchange.Price, symbol=["ACME", "INIT"]) as prices,
    ):
        assert await some(prices, 1) == [Live()]
        for cents in range(50):
            await desk.publish(price("ACME", cents))
        await desk.publish(price("NEWS", 1))
        await asyncio.to_thread(desk.publish_blocking, price("INIT", 7))
        (first,) = await some(prices, 1)
        assert first.symbol == "ACME", "the newest of each key comes, in order"
        while (came := (await some(prices, 1))[0]) != price("INIT", 7):
            assert came.symbol == "ACME"
        async with other.subscribe(exchange.Price) as late:
            assert await some(late, 4) == [price("ACME", 49), price("NEWS", 1), price("INIT", 7), Live()]


@run
async def test_the_example_of_the_document(tmp_path: Path) -> None:
    with publishing(tmp_path) as endpoint:
        names: dict[str, Any] = {**vars(exchange), "zsvc": zsvc, "endpoint": endpoint}
        exec(f"async def example():\n{textwrap.indent(the('python,publish'), '    ')}", names)
        async with zsvc.Channel(endpoint) as channel, channel.subscribe(exchange.Price) as prices:
            await names["example"]()
            assert await some(prices, 2) in ([Live(), price("ACME", 10_150)], [price("ACME", 10_150), Live()])


@run
async def test_what_a_router_does_not_take(tmp_path: Path) -> None:
    with publishing(tmp_path) as endpoint:
        await refused(endpoint)


async def refused(endpoint: str) -> None:
    async with zsvc.Channel(endpoint) as channel:
        with pytest.raises(Status) as caught:
            await channel.publish(exchange.Halt(reason="lunch"))
        failure = (caught.value.code, caught.value.outcome, caught.value.cause)
        assert failure == (Code.UNAUTHENTICATED, Outcome.NOT_SENT, Cause.FORBIDDEN)
        with pytest.raises(Status, match=r"event\.cents: -1 is no `u64`") as caught:
            await channel.publish(price("ACME", -1))
        assert (caught.value.code, caught.value.outcome) == (Code.INVALID_ARGUMENT, Outcome.NOT_SENT)
        with pytest.raises(Status) as caught:
            await channel.publish(price("A" * 5_000, 1))
        assert (caught.value.code, caught.value.cause) == (Code.RESOURCE_EXHAUSTED, Cause.TOO_LARGE)
        with pytest.raises(Status) as caught:
            await channel.publish(price("ACME", 1), zsvc.CallOptions(metadata={"a": bytes(20_000)}))
        assert (caught.value.code, caught.value.outcome) == (Code.RESOURCE_EXHAUSTED, Outcome.NOT_SENT)
        with pytest.raises(TypeError, match="no event"):
            await channel.publish("ACME")
        await channel.publish(price("ACME", 1))


@run
async def test_a_server_takes_no_events_of_clients() -> None:
    prices = zsvc.Publisher(exchange.Price)
    async with (
        zsvc.Server(events=[prices], bind="tcp://127.0.0.1:*") as server,
        zsvc.Channel(*server.endpoints) as channel,
    ):
        with pytest.raises(Status) as caught:
            await asyncio.to_thread(channel.publish_blocking, price("ACME", 1))
        assert (caught.value.code, caught.value.cause) == (Code.UNIMPLEMENTED, Cause.NO_SUCH_METHOD)


@run
async def test_calls_pass_through_a_router_to_a_server_here(tmp_path: Path) -> None:
    floor = Floor()
    async with zsvc.Server(floor, bind=f"ipc://{tmp_path}/worker"):
        worker = f'\n[[worker]]\nconnect = "ipc://{tmp_path}/worker"\nservices = ["market.v1.Tape"]\n'
        with publishing(tmp_path, worker) as endpoint:
            await called(endpoint)


async def called(endpoint: str) -> None:
    async with market.TapeClient.connect(endpoint) as client:
        # The schema gives some calls 500 ms, which a busy machine may not have for them.
        tape = client.with_options(timeout=20)
        assert await tape.last("ACME") == trade("ACME")
        with pytest.raises(market.TapeErrorUnknownSymbol) as caught:
            await tape.last("NOPE")
        assert caught.value.outcome is Outcome.EXECUTED
        assert await tape.import_("desk", [trade("ACME")] * 3_000) == 900_000
        async with tape.watch(["FOREVER"]) as trades:
            assert [await trades.__anext__() for _ in range(1_000)]
        await asyncio.gather(*(tape.last("ACME") for _ in range(500)))
