"""The services that every server has by itself: reflection, health and statistics."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from conftest import run
from floor import Floor, Mirror
from generated.exchange import v1 as exchange
from generated.market import v1 as market
from hypothesis import given
from hypothesis import strategies as st

import zsvc
import zsvc.health
import zsvc.reflection
import zsvc.stats
import zsvc.testing
from zsvc import Code, Status
from zsvc.dynamic.build import Schema
from zsvc.measure import Histogram

SERVING, NOT_SERVING = zsvc.health.Status.SERVING, zsvc.health.Status.NOT_SERVING
TAPE = "market.v1.Tape"


async def until(condition: Any) -> None:
    while not condition():
        await asyncio.sleep(0.01)


async def failed(call: Any) -> Code:
    with pytest.raises(Status) as caught:
        await call
    return caught.value.code


@run
async def test_generated_services_tell_their_schemas() -> None:
    prices = zsvc.Publisher(exchange.Price)
    async with zsvc.testing.serving(Floor(), Mirror(), events=[prices]) as channel:
        reflection = zsvc.reflection.ReflectionClient(channel)
        infos = {info.name: info for info in await reflection.services()}
        assert list(infos) == sorted(infos)
        assert {TAPE, "shapes.v1.Shapes", "exchange.v1.Price", "zsvc.health.v1.Health"} <= set(infos)
        kinds = {method.name: method.kind.name for method in infos[TAPE].methods}
        assert (kinds["last"], kinds["watch"], kinds["note"]) == ("UNARY", "SERVER_STREAM", "ONE_WAY")
        assert infos["exchange.v1.Price"].fingerprint is None
        assert len(bytes(infos[TAPE].fingerprint or b"")) == 16
        for name in (TAPE, "shapes.v1.Shapes", "zsvc.stats.v1.Stats", "zsvc.reflection.v1.Reflection"):
            files: dict[str, str] = {}
            async for part in reflection.schema(name):
                files[part.path] = files.get(part.path, "") + part.text
            assert name in Schema(files).services()
        with pytest.raises(zsvc.reflection.ReflectionErrorNoSchema):
            await reflection.schema("exchange.v1.Price").__anext__()
        with pytest.raises(zsvc.reflection.ReflectionErrorNoSuchService):
            await reflection.schema("x" * 300).__anext__()


@run
async def test_a_server_tells_its_version_and_its_clock() -> None:
    async with zsvc.testing.serving(Floor()) as channel:
        before = zsvc.Timestamp.now()
        info = await zsvc.reflection.ReflectionClient(channel).server()
        assert before <= info.now <= zsvc.Timestamp.now()
        assert (info.implementation, info.version, info.protocol) == ("python", zsvc.__version__, 1)
    project = Path(__file__).parents[1] / "pyproject.toml"
    assert f'\nversion = "{zsvc.__version__}"\n' in project.read_text()


@run
async def test_health_is_what_the_program_says() -> None:
    reporter = zsvc.HealthReporter()
    reporter.set(TAPE, False)
    async with zsvc.testing.serving(Floor(), health=reporter) as channel:
        health = zsvc.health.HealthClient(channel)
        assert [await health.check(), await health.check(TAPE)] == [SERVING, NOT_SERVING]
        async with health.watch(TAPE) as watched:
            assert await watched.__anext__() is NOT_SERVING
            reporter.set("another.v1.One", False)
            threading.Thread(target=lambda: reporter.set(TAPE, True)).start()
            assert await watched.__anext__() is SERVING
            reporter.set_server(False)
            assert await watched.__anext__() is NOT_SERVING
        assert [await health.check(), await health.check(TAPE)] == [NOT_SERVING, NOT_SERVING]
        with pytest.raises(zsvc.health.HealthErrorNoSuchService, match="does not serve `a"):
            await health.check("a")
        await until(lambda: not reporter._watchers)


@run
async def test_a_server_that_drains_is_not_fit() -> None:
    server = zsvc.Server(Floor(), bind="tcp://127.0.0.1:*")
    await server.start()
    async with zsvc.health.HealthClient.connect(*server.endpoints) as health:
        watched = health.watch()
        assert await watched.__anext__() is SERVING
        draining = asyncio.ensure_future(server.drain())
        assert [it async for it in watched] == [NOT_SERVING]
        await draining


@run
async def test_health_needs_no_turn_and_no_middleware() -> None:
    async def nobody(request: zsvc.ServerRequest, following: zsvc.ServerNext) -> Any:
        raise Status(Code.PERMISSION_DENIED, "not you")

    floor = Floor()
    limits = zsvc.ServerLimits(max_running=1)
    async with zsvc.testing.serving(floor, middleware=[nobody], limits=limits) as channel:
        assert await failed(market.TapeClient(channel).ping()) is Code.PERMISSION_DENIED
        assert await zsvc.health.HealthClient(channel).check() is SERVING
    async with zsvc.testing.serving(floor, limits=limits) as channel:
        tape = market.TapeClient(channel)
        slow = asyncio.ensure_future(tape.last("SLOW"))
        for _ in range(3):
            assert await zsvc.health.HealthClient(channel).check() is SERVING
        slow.cancel()
        floor.release.set()


@run
async def test_each_of_them_can_be_left_out() -> None:
    async with zsvc.testing.serving(Floor(), reflection=False, health=False, stats=False) as channel:
        for call in (
            zsvc.health.HealthClient(channel).check(),
            zsvc.stats.StatsClient(channel).read(),
            zsvc.reflection.ReflectionClient(channel).services(),
        ):
            assert await failed(call) is Code.UNIMPLEMENTED


async def whose(token: str) -> zsvc.Identity | None:
    return {"d": zsvc.Identity("d", ["desk"]), "o": zsvc.Identity("o", [])}.get(token)


@run
async def test_where_anything_needs_an_identity_only_known_clients_are_told() -> None:
    for roles, desk, other in [((), None, None), (("desk",), None, Code.PERMISSION_DENIED)]:
        async with zsvc.testing.serving(Floor(), tokens=whose, introspection_roles=roles) as channel:
            for client in (zsvc.stats.StatsClient(channel).read, zsvc.reflection.ReflectionClient(channel).services):
                assert await failed(client()) is Code.UNAUTHENTICATED
            assert await zsvc.health.HealthClient(channel).check() is SERVING
            for token, code in (("d", desk), ("o", other)):
                stats = zsvc.stats.StatsClient(channel)
                call = stats.with_options(metadata={"authorization": f"Bearer {token}"}).read()
                if code is None:
                    await call
                else:
                    assert await failed(call) is code


@run
async def test_a_service_of_the_program_takes_the_place_of_the_servers() -> None:
    floor = Floor()
    services = (floor, zsvc.Reflection({"a.svc": "package a.v1;"}, floor))
    async with zsvc.testing.serving(*services) as channel:
        infos = await zsvc.reflection.ReflectionClient(channel).services()
        assert [info.name for info in infos] == [TAPE, "zsvc.reflection.v1.Reflection"], "it knows no others"


@run
async def test_statistics() -> None:
    async with zsvc.testing.serving(Floor()) as channel:
        tape = market.TapeClient(channel)
        for _ in range(3):
            await tape.last("ACME")
        with pytest.raises(market.TapeErrorUnknownSymbol):
            await tape.last("NOPE")
        assert await failed(tape.last("STATUS")) is Code.NOT_FOUND
        assert await failed(tape.with_options(timeout=0.05).last("SLOW")) is Code.DEADLINE_EXCEEDED
        assert await failed(tape.last("")) is Code.INVALID_ARGUMENT
        assert [trade.symbol async for trade in tape.watch(["ACME"])] == ["ACME"]
        stats = zsvc.stats.StatsClient(channel)
        async with stats.watch(zsvc.Duration(0)) as watched:
            async for snapshot in watched:
                methods = {method.name: method for method in snapshot.methods}
                if not methods[f"{TAPE}/last"].running:
                    break
        last = methods[f"{TAPE}/last"]
        assert last.calls == 7
        failures = dict(last.failures)
        # The client gives up at the same time as the server does: either may be first.
        assert failures.pop("deadline_exceeded", 0) + failures.pop("cancelled", 0) == 1
        assert failures == {"declared": 1, "not_found": 1, "invalid_argument": 1}
        assert last.handler.timed == 6, "one never came to its handler"
        assert last.handler.max.ns >= last.handler.p50.ns > 0
        assert last.request_bytes > 7
        assert last.answer_bytes > 3 * 30
        assert methods[f"{TAPE}/watch"].answer_bytes > 30
        assert (snapshot.connections, snapshot.in_flight, snapshot.unreadable) == (1, 1, 0)
        assert (await stats.read()).uptime.ns > 0


@given(st.lists(st.integers(0, 1 << 62), min_size=1, max_size=50), st.sampled_from([0.5, 0.9, 0.999, 1.0]))
def test_quantiles_are_exact_to_an_eighth(times: list[int], part: float) -> None:
    histogram = Histogram()
    for time in times:
        histogram.add(time / 1e9)
    exact = sorted(int(time / 1e9 * 1e9) for time in times)
    least = exact[min(int(part * len(exact) - 1e-9), len(exact) - 1)]
    found = histogram.quantile(part)
    assert least <= found <= least * 9 / 8 + 1
    assert histogram.most == exact[-1]
