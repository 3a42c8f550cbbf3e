"""Python and Rust together: a client here calls the example `tape` in Rust, and its client calls a server here."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from conftest import ROOT, run
from floor import Floor, trade
from generated.market import v1 as market
from generated.money.v1 import Amount

import zsvc
from zsvc import Code, Outcome, Status

BUILT = Path(os.environ.get("ZSVC_EXAMPLES", ROOT / "target/debug"))


def example(name: str) -> Path:
    path = BUILT / name
    assert path.exists(), f"build the example first: `cargo build -p tape`, or set ZSVC_EXAMPLES ({path})"
    return path


@pytest.fixture
def endpoint(tmp_path: Path) -> Iterator[str]:
    endpoint = f"ipc://{tmp_path}/tape"
    with subprocess.Popen([example("server"), endpoint], stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        assert b"the floor is open" in server.stdout.readline()
        yield endpoint
        server.terminate()


def test_a_server_in_rust_is_called(endpoint: str) -> None:
    @run
    async def test() -> None:
        async with market.TapeClient.connect(endpoint) as tape:
            assert await tape.import_("desk", [trade("ACME")] * 3000) == 3000
            assert await tape.with_options(timeout=10).last("ACME") == trade("ACME"), "to the byte, nanoseconds and all"
            with pytest.raises(market.TapeErrorUnknownSymbol, match="no such symbol: NOPE"):
                await tape.last("NOPE")
            with pytest.raises(Status, match=r"symbol: length 0 is not in 1\.\.=12") as caught:
                await tape.last("")
            assert (caught.value.code, caught.value.outcome) == (Code.INVALID_ARGUMENT, Outcome.NOT_SENT)
            async with tape.converse() as call:
                side, limit = market.Side.BUY, Amount(units=1, scale=2)
                await call.send(market.OrderLimit(symbol="LIMIT", side=side, limit=limit))
                assert (await call.__anext__()).symbol == "LIMIT"
                await call.send(market.OrderMarket(market.MarketOrder(symbol="ACME", side=side, size=7)))
                assert (await call.__anext__()).size == 7
                await call.send(zsvc.UnknownVariant(9, b"\x90"))
                with pytest.raises(Status, match="orders of kind 9"):
                    await call.__anext__()
            async with tape.watch(["ACME"]) as trades:
                following = asyncio.ensure_future(trades.__anext__())
                while not following.done():
                    await tape.import_("desk", [trade("ACME")])
                assert await following == trade("ACME")
            await tape.with_options(delivered=True).note("from python")

    test()


def test_a_server_in_rust_tells_its_schema(endpoint: str) -> None:
    with zsvc.connect(endpoint) as remote:
        assert "market.v1.Tape" in remote.services
        tape = remote.market.v1.Tape.with_options(timeout=10)
        bought = {"symbol": "ACME", "price": {"units": 12345, "scale": 2}, "size": 300, "at": "2026-03-01T12:00:00Z"}
        assert tape.import_("desk", [bought | {"flags": ["Odd"], "attributes": {}}] * 3) == 3
        last = tape.last(symbol="ACME")
        assert (last.size, last.flags[0].name, str(last.at)) == (300, "Odd", "2026-03-01T12:00:00Z")
        with pytest.raises(zsvc.DeclaredError, match="no such symbol: NOPE"):
            tape.last("NOPE")
        # What a server itself is called by: its own services tell their schemas, too.
        for name in remote.services:
            assert remote.service(name)._type.methods


class Endless(Floor):
    """A floor whose `watch` goes on, as the example's client expects."""

    def watch(self, context: zsvc.Context, symbols: list[str]) -> AsyncIterator[market.Trade]:
        return super().watch(context, ["FOREVER"])


@run
async def test_a_client_in_rust_calls() -> None:
    floor = Endless()
    async with zsvc.Server(floor, bind="tcp://127.0.0.1:*") as server:
        # The schema gives some calls 500 ms, which a busy machine may not have for them.
        while True:
            client = await asyncio.create_subprocess_exec(
                example("client"), server.endpoints[0], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            )
            told, _ = await client.communicate()
            lines = told.decode()
            if "deadline_exceeded" not in lines:
                break
        assert client.returncode == 0, lines
        for line in ("the floor is there", "ACME and INIT in one message", "no such symbol: NOPE", "invalid_argument"):
            assert line in lines
        while not floor.notes:
            await asyncio.sleep(0.01)
