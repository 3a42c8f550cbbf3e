"""Clients and servers of asyncio, over sockets."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from conftest import run
from floor import Floor, Mirror, trade
from generated.market import v1 as market
from generated.shapes import v1 as shapes

import zsvc
from zsvc import Cause, Code, Outcome, Status


@contextlib.asynccontextmanager
async def serving(**options: Any) -> AsyncIterator[tuple[market.TapeClient, Floor, zsvc.Server]]:
    floor = Floor()
    channel = {name: options.pop(name) for name in ("retry", "timeout") if name in options}
    client_middleware = options.pop("client_middleware", ())
    client_limits = options.pop("client_limits", None)
    async with zsvc.Server(floor, Mirror(), bind="tcp://127.0.0.1:*", **options) as server:
        endpoint = server.endpoints[0]
        more = {"middleware": client_middleware, "limits": client_limits}
        async with market.TapeClient.connect(endpoint, **more, **channel) as tape:
            yield tape, floor, server
            floor.release.set()


async def failure(call: Any) -> Status:
    with pytest.raises(Status) as caught:
        await call
    return caught.value


async def until(condition: Any) -> None:
    while not condition():
        await asyncio.sleep(0.01)


@run
async def test_unary_calls() -> None:
    async with serving() as (tape, _, server):
        assert await tape.last("ACME") == trade("ACME")
        await tape.ping()
        found = await asyncio.gather(*[tape.last(f"S{index}") for index in range(200)])
        assert [it.symbol for it in found] == [f"S{index}" for index in range(200)]
        assert server.calls == 202


@run
async def test_errors(caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as (tape, _, _):
        with pytest.raises(market.TapeErrorUnknownSymbol, match="no such symbol: NOPE") as caught:
            await tape.last("NOPE")
        assert caught.value.symbol == "NOPE"
        assert caught.value.outcome is Outcome.EXECUTED
        told = [
            ("BUG", Code.INTERNAL, Outcome.MAYBE_EXECUTED, Cause.PANICKED),
            ("STATUS", Code.NOT_FOUND, Outcome.EXECUTED, None),
            ("WRONG", Code.INTERNAL, Outcome.EXECUTED, Cause.BAD_VALUE),
            ("BAD", Code.INTERNAL, Outcome.EXECUTED, Cause.BAD_VALUE),
            ("", Code.INVALID_ARGUMENT, Outcome.NOT_SENT, Cause.BAD_VALUE),
        ]
        for symbol, code, outcome, cause in told:
            status = await failure(tape.last(symbol))
            assert (status.code, status.outcome, status.cause) == (code, outcome, cause), symbol
        assert "KeyError" in caplog.text, "what the peer is not told is logged"
        status = await failure(tape.last(5))  # type: ignore[arg-type]
        assert (status.code, status.outcome) == (Code.INVALID_ARGUMENT, Outcome.NOT_SENT)
        assert "symbol: expected a `str`, found `int`" in status.message
        mirror = shapes.ShapesClient(tape.channel)
        with pytest.raises(market.TapeErrorHalted):
            await mirror.fail(0)
        with pytest.raises(shapes.AmissNoShape, match="no shape 7"):
            await mirror.fail(7)


@run
async def test_deadlines_and_cancelling() -> None:
    async with serving() as (tape, floor, _):
        await tape.ping()
        status = await failure(tape.with_options(timeout=0.5).last("SLOW"))
        assert (status.code, status.outcome) == (Code.DEADLINE_EXCEEDED, Outcome.MAYBE_EXECUTED)
        await until(lambda: len(floor.ended) == 1)
        call = asyncio.create_task(tape.with_options(timeout=None).last("SLOW"))
        await until(lambda: floor.slow == 2)
        call.cancel()
        await until(lambda: len(floor.ended) == 2)
        assert floor.ended[1] == "the client has cancelled the call"


class Relay(market.Tape):
    """Calls another tape from its handler."""

    def __init__(self, tape: market.TapeClient) -> None:
        self.tape = tape
        self.left: float | None = None

    async def last(self, context: zsvc.Context, symbol: str) -> market.Trade:
        self.left = context.time_left()
        return await self.tape.last(symbol)

    watch = import_ = converse = ping = poll = note = None  # type: ignore[assignment]


@run
async def test_deadlines_are_inherited() -> None:
    async with serving(timeout=20) as (tape, floor, _):
        relay = Relay(tape.with_options(timeout=15))
        async with zsvc.Server(relay, bind="tcp://127.0.0.1:*") as server:
            async with market.TapeClient.connect(server.endpoints[0]) as front:
                status = await failure(front.with_options(timeout=0.3).last("SLOW"))
                assert status.code is Code.DEADLINE_EXCEEDED
                await until(lambda: floor.ended)
                assert relay.left is not None
                assert relay.left <= 0.3


@run
async def test_streams() -> None:
    async with serving() as (tape, floor, _):
        found = [it async for it in tape.watch(["ACME", "INIT"] * 5000)]
        assert len(found) == 10_000
        assert found[1] == trade("INIT")
        stream = tape.watch(["ACME", "NOPE"])
        assert await stream.__anext__() == trade("ACME")
        with pytest.raises(market.TapeErrorUnknownSymbol):
            await stream.__anext__()
        ended = len(floor.ended)
        async with tape.watch(["FOREVER"]) as forever:
            assert await forever.__anext__() == trade("FOREVER")
        await until(lambda: len(floor.ended) > ended)
        assert await tape.import_("desk", [trade("ACME")] * 3000) == 900_000


@run
async def test_streams_of_parameters() -> None:
    async with serving() as (tape, _, _):

        async def trades() -> AsyncIterator[market.Trade]:
            for _ in range(10):
                yield trade("ACME")

        assert await tape.import_("desk", trades()) == 3000
        status = await failure(tape.import_("missing", [trade("ACME")] * 100_000))
        assert (status.code, status.message) == (Code.NOT_FOUND, "no such account")

        async def broken() -> AsyncIterator[market.Trade]:
            yield trade("ACME")
            raise ValueError("no more")

        with pytest.raises(ValueError, match="no more"):
            await tape.import_("desk", broken())
        status = await failure(tape.import_("desk", [1]))  # type: ignore[list-item]
        assert status.code is Code.INVALID_ARGUMENT


@run
async def test_both_ways() -> None:
    async with serving() as (tape, _, _):
        async with tape.converse() as call:
            side = market.Side.BUY
            await call.send(market.OrderMarket(market.MarketOrder(symbol="ACME", side=side, size=1)))
            assert await call.__anext__() == trade("ACME")
            await call.send(market.OrderCancelAll())
            await call.finish()
            assert [it async for it in call] == []
        async with tape.converse() as call:
            await call.send(zsvc.UnknownVariant(9, b"\x90"))
            status = await failure(call.__anext__())
            assert (status.code, status.message) == (Code.UNIMPLEMENTED, "orders of kind 9 are not traded")

            async def send_on() -> None:
                while True:
                    await call.send(market.OrderCancelAll())

            assert (await failure(send_on())).code is Code.UNIMPLEMENTED


@run
async def test_a_reader_that_stops_stops_its_sender_alone() -> None:
    limits = zsvc.ClientLimits(stream_window=10_000)
    async with serving(client_limits=limits) as (tape, _, server), tape.watch(["FOREVER"]) as stream:
        await stream.__anext__()
        await asyncio.sleep(0.3)
        assert await tape.last("ACME") == trade("ACME")
        (running,) = server._running.values()
        assert running._call.outbound is not None
        assert running._call.outbound.size < 200_000
        for _ in range(1000):
            await stream.__anext__()


@run
async def test_one_way_calls() -> None:
    async with serving() as (tape, floor, _):
        await tape.note("lunch")
        await tape.with_options(delivered=True).note("dinner")
        await until(lambda: len(floor.notes) == 2)
        assert floor.notes == ["lunch", "dinner"]


@run
async def test_metadata_both_ways() -> None:
    async with serving() as (tape, _, _):
        beside: dict[str, str | bytes] = {}
        with_tenant = tape.with_options(metadata={"tenant": "7"}).with_options(response_metadata=beside)
        assert (await with_tenant.last("ACME")).venue == "7"
        assert beside == {"venue": "7"}
        status = await failure(tape.with_options(metadata={"a": "b" * 20_000}).ping())
        assert (status.code, status.outcome) == (Code.RESOURCE_EXHAUSTED, Outcome.NOT_SENT)


@run
async def test_attachments_both_ways() -> None:
    async with serving() as (tape, _, _):
        mirror = shapes.ShapesClient(tape.channel)
        for size in (0, 255, 256, 32_767, 32_768, 3_000_000):
            blob = bytes([size % 256]) * size
            shape = await mirror.echo(shapes.ShapeBlob(blob))
            assert isinstance(shape, shapes.ShapeBlob)
            assert isinstance(shape.value, memoryview)
            assert shape.value == blob
        status = await failure(mirror.echo(shapes.ShapeBlob(bytes(17 << 20))))
        assert (status.code, status.outcome, status.cause) == (
            Code.RESOURCE_EXHAUSTED,
            Outcome.NOT_SENT,
            Cause.TOO_LARGE,
        )


@run
async def test_limits_of_a_server() -> None:
    limits = zsvc.ServerLimits(max_message_size=10_000, max_calls_per_peer=2)
    async with serving(limits=limits, retry=zsvc.Retry.none()) as (tape, floor, _):
        mirror = shapes.ShapesClient(tape.channel)
        status = await failure(mirror.echo(shapes.ShapeBlob(bytes(20_000))))
        assert (status.code, status.outcome, status.cause) == (8, 0, Cause.TOO_LARGE)
        slow = [asyncio.create_task(tape.with_options(timeout=None).last("SLOW")) for _ in range(2)]
        await until(lambda: floor.slow == 2)
        status = await failure(tape.ping())
        assert (status.code, status.outcome, status.cause) == (8, 0, Cause.OVERLOADED)
        for task in slow:
            task.cancel()


@run
async def test_a_busy_handler_keeps_no_client_from_being_answered() -> None:
    limits = zsvc.ServerLimits(peer_timeout=1.0)
    client_limits = zsvc.ClientLimits(server_timeout=1.0)
    async with serving(limits=limits, client_limits=client_limits) as (tape, _, _):
        # The loop of both is blocked for three seconds, past the timeouts of both sides.
        assert await tape.with_options(timeout=None).last("BUSY") == trade("BUSY")


@run
async def test_a_server_drains() -> None:
    async with serving() as (tape, floor, server):
        slow = asyncio.create_task(tape.with_options(timeout=None).last("SLOW"))
        await until(lambda: floor.slow == 1)
        drained = asyncio.create_task(server.drain())
        await asyncio.sleep(0.1)
        status = await failure(tape.with_options(timeout=0.3).ping())
        assert status.outcome is Outcome.NOT_SENT
        assert not drained.done()
        floor.release.set()
        assert await slow == trade("SLOW")
        await drained


@run
async def test_grace_is_the_longest_that_draining_waits() -> None:
    async with serving(limits=zsvc.ServerLimits(grace=0.2), retry=zsvc.Retry.none()) as (tape, floor, server):
        slow = asyncio.create_task(tape.with_options(timeout=None).last("SLOW"))
        await until(lambda: floor.slow == 1)
        await server.drain()
        status = await failure(slow)
        assert (status.code, status.outcome) == (Code.UNAVAILABLE, Outcome.MAYBE_EXECUTED)


@run
async def test_calls_wait_for_a_connection_and_go_to_the_server_that_lives() -> None:
    first = zsvc.Server(Floor(), bind="tcp://127.0.0.1:*")
    await first.start()
    second = zsvc.Server(Floor(), bind="tcp://127.0.0.1:*")
    await second.start()
    endpoints = (first.endpoints[0], second.endpoints[0])
    async with market.TapeClient.connect(*endpoints) as tape:
        for _ in range(5):
            await tape.ping()
        await first.drain()
        for _ in range(20):
            await tape.ping()
        await second.stop()
        # A call that is made before the client has noticed may have been executed.
        await until(lambda: not any(it.session for it in tape.channel.core._connections))
        status = await failure(tape.with_options(timeout=0.3).ping())
        assert (status.code, status.outcome) == (Code.UNAVAILABLE, Outcome.NOT_SENT)
        waiting = asyncio.create_task(tape.with_options(timeout=20).last("ACME"))
        await asyncio.sleep(0.2)
        async with zsvc.Server(Floor(), bind=endpoints[0]):
            assert await waiting == trade("ACME")


@run
async def test_a_lost_connection_ends_calls_at_once() -> None:
    floor = Floor()
    server = zsvc.Server(floor, bind="tcp://127.0.0.1:*")
    await server.start()
    retry = zsvc.Retry.none()
    async with market.TapeClient.connect(server.endpoints[0], retry=retry) as tape:
        slow = asyncio.create_task(tape.with_options(timeout=None).last("SLOW"))
        await until(lambda: floor.slow == 1)
        driver = server.driver
        driver._reactor.stop()
        status = await failure(slow)
        assert (status.code, status.outcome, status.cause) == (
            Code.UNAVAILABLE,
            Outcome.MAYBE_EXECUTED,
            Cause.CONNECTION_LOST,
        )
    await server.stop()


@run
async def test_nobody_listens() -> None:
    async with market.TapeClient.connect("tcp://127.0.0.1:1") as tape:
        status = await failure(tape.with_options(timeout=0.2).ping())
        assert (status.code, status.outcome, status.cause) == (14, 0, Cause.NEVER_CONNECTED)
        assert "nothing listens there" in status.message
        with pytest.raises(Status, match="no connection within"):
            await tape.channel.ready(0.1)
    with pytest.raises(Status) as caught:
        await tape.ping()
    assert caught.value.code is Code.CANCELLED


class Flaky(Floor):
    """Fails at first."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times, self.seen = times, 0

    async def last(self, context: zsvc.Context, symbol: str) -> market.Trade:
        self.seen += 1
        if self.seen <= self.times:
            raise Status(Code.UNAVAILABLE, "not yet")
        return trade(symbol)

    async def poll(self, context: zsvc.Context, symbol: str) -> list[market.Trade]:
        self.seen += 1
        raise Status(Code.UNAVAILABLE, "not yet")


@run
async def test_idempotent_calls_are_made_again() -> None:
    flaky = Flaky(2)
    async with zsvc.Server(flaky, bind="tcp://127.0.0.1:*") as server:
        async with market.TapeClient.connect(server.endpoints[0]) as tape:
            assert await tape.with_options(timeout=5).last("ACME") == trade("ACME")
            assert (flaky.seen, tape.channel.retries) == (3, 2)
            flaky.seen = 0
            status = await failure(tape.with_options(retry=False).last("ACME"))
            assert (status.code, flaky.seen) == (Code.UNAVAILABLE, 1)
            flaky.seen = 0
            with pytest.warns(DeprecationWarning, match="use `watch`"):
                await failure(tape.poll("ACME"))
            assert flaky.seen == 1, "it is not idempotent"


@run
async def test_middleware_of_both_sides() -> None:
    seen: list[str] = []

    async def client(request: zsvc.ClientRequest, following: zsvc.ClientNext) -> Any:
        seen.append(f"client {request.method.short_name}")
        request.options = request.options.but({"metadata": {"tenant": "9"}})
        return await following(request)

    async def server(request: zsvc.ServerRequest, following: zsvc.ServerNext) -> Any:
        if request.context.text("tenant") is None:
            raise Status(Code.UNAUTHENTICATED, "send `tenant`", outcome=Outcome.NOT_SENT)
        try:
            return await following(request)
        finally:
            seen.append(f"server {request.method.short_name}")

    async with serving(middleware=[server], client_middleware=[client]) as (tape, _, running):
        assert (await tape.last("ACME")).venue == "9"
        assert len([it async for it in tape.watch(["ACME"])]) == 1
        async with tape.converse() as call:
            await call.send(market.OrderCancelAll())
            await call.finish()
            assert [it async for it in call] == []
        await until(lambda: len(seen) == 6)
        assert sorted(seen) == sorted(
            ["client last", "server last", "client watch", "server watch", "client converse", "server converse"]
        )
        async with market.TapeClient.connect(running.endpoints[0]) as bare:
            status = await failure(bare.ping())
            assert (status.code, status.outcome) == (Code.UNAUTHENTICATED, Outcome.NOT_SENT)


@run
async def test_details_of_a_status() -> None:
    class Detailed(Floor):
        async def ping(self, context: zsvc.Context) -> None:
            raise Status(Code.FAILED_PRECONDITION, "too little").with_detail(trade("ACME"))

    async with zsvc.Server(Detailed(), bind="tcp://127.0.0.1:*") as server:
        async with market.TapeClient.connect(server.endpoints[0]) as tape:
            status = await failure(tape.ping())
            assert status.detail(market.Trade) == trade("ACME")
            assert status.detail(market.MarketOrder) is None


@run
async def test_calls_that_end_before_they_begin_leave_nothing() -> None:
    async with serving() as (tape, _, server):
        for _ in range(50):
            calls = [asyncio.create_task(tape.with_options(timeout=None).last("SLOW")) for _ in range(20)]
            await asyncio.sleep(0)
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
        await tape.ping()
        await until(lambda: not server._running)


def test_wrong_use_is_told() -> None:
    with pytest.raises(ValueError, match="at least one endpoint"):
        zsvc.Channel()
    with pytest.raises(ValueError, match="is no endpoint"):
        zsvc.Channel("127.0.0.1:7100")
    with pytest.raises(ValueError, match="implements no service"):
        zsvc.Server(zsvc.Service())
    with pytest.raises(TypeError, match="abstract"):
        market.Tape()  # type: ignore[abstract]


@run
async def test_an_endpoint_in_use_is_told() -> None:
    async with zsvc.Server(Floor(), bind="tcp://127.0.0.1:*") as server:
        with pytest.raises(OSError, match="can't be bound"):
            async with zsvc.Server(Floor(), bind=server.endpoints[0]):
                pass


@run
async def test_unix_sockets(tmp_path: Any) -> None:
    endpoint = f"ipc://{tmp_path}/tape"
    async with zsvc.Server(Floor(), bind=endpoint):
        async with market.TapeClient.connect(endpoint) as tape:
            assert await tape.last("ACME") == trade("ACME")
        with pytest.raises(OSError, match="in use"):
            async with zsvc.Server(Floor(), bind=endpoint):
                pass


@run
async def test_many_streams_at_once_are_all_accounted_for() -> None:
    async with serving() as (tape, _, server):

        async def one(index: int) -> int:
            if index % 3 == 0:
                return len([it async for it in tape.watch(["ACME"] * 200)])
            if index % 3 == 1:
                return await tape.import_("desk", [trade("ACME")] * 200) // 300
            async with tape.converse() as call:

                async def send() -> None:
                    for _ in range(200):
                        order = market.MarketOrder(symbol="ACME", side=market.Side.BUY, size=1)
                        await call.send(market.OrderMarket(order))
                    await call.finish()

                _, fills = await asyncio.gather(send(), collect(call))
                return fills

        async def collect(call: Any) -> int:
            return len([it async for it in call])

        began = time.monotonic()
        assert await asyncio.gather(*map(one, range(30))) == [200] * 30
        logging.getLogger(__name__).info("took %s", time.monotonic() - began)
        await until(lambda: not server._running)
