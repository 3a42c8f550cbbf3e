"""Fakes of clients and services."""

from typing import Any

import pytest
from conftest import run
from floor import trade
from generated.market import v1 as market
from generated.shapes import v1 as shapes

import zsvc
import zsvc.testing
from zsvc import Code, Outcome, Status
from zsvc.testing import Called, Script


@run
async def test_a_fake_client_answers_by_its_script() -> None:
    script = Script()
    script.on("last", trade("INIT"))
    script.on("last", market.TapeErrorUnknownSymbol(symbol="X"), times=1)
    script.on("last", lambda symbol: trade(symbol), times=1)
    script.on("watch", [trade("A"), trade("B")])
    script.on("import", lambda account, trades: len(trades))
    script.on("note", None)
    tape = script.client(market.TapeClient)
    with pytest.raises(market.TapeErrorUnknownSymbol, match="X"):
        await tape.last("X")
    assert await tape.with_options(timeout=1).last("ACME") == trade("ACME")
    assert await tape.last("ACME") == trade("INIT")
    async with tape.watch(["A"]) as trades:
        assert [it.symbol async for it in trades] == ["A", "B"]
    assert await tape.import_("desk", [trade("A")]) == 1
    await tape.note("lunch")
    assert script.calls[0] == Called("last", ("X",))
    assert script.calls[-1] == Called("note", ("lunch",))
    assert script.calls[-2] == Called("import", ("desk", [trade("A")]))
    with pytest.raises(Status, match="says nothing of `ping`") as caught:
        await tape.ping()
    assert caught.value.code is Code.UNIMPLEMENTED
    assert repr(tape) == "<FakeTapeClient>"


@run
async def test_what_can_not_be_sent_fails_in_the_test() -> None:
    script = Script()
    script.on("last", "no trade")
    tape = script.client(market.TapeClient)
    with pytest.raises(Status, match="expected a `str`") as caught:
        await tape.last(5)  # type: ignore[arg-type]
    assert caught.value.outcome is Outcome.NOT_SENT
    with pytest.raises(Status, match="its length is 0"):
        await tape.last("")
    with pytest.raises(Status, match="can't be encoded"):
        await tape.last("ACME")
    script.on("ping", market.TapeErrorUnknownSymbol(symbol="X"))
    with pytest.raises(Exception, match="throws nothing"):
        await tape.ping()


def test_a_fake_client_for_threads() -> None:
    script = Script()
    script.on("last", Status(Code.NOT_FOUND, "no"))
    script.on("watch", [trade("A")])
    script.on("import", 7)
    script.on("converse", [trade("A")])
    tape = script.client(market.TapeBlockingClient)
    with pytest.raises(Status, match="no"):
        tape.last("ACME")
    with tape.watch(["A"]) as trades:
        assert [it.symbol for it in trades] == ["A"]
    assert tape.import_("desk", iter([trade("A")])) == 7
    with tape.converse() as call:
        call.send(market.OrderCancelAll())
        call.finish()
        assert [it.symbol for it in call] == ["A"]
    assert script.calls[-1].values == ([market.OrderCancelAll()],)


@run
async def test_a_fake_service_is_served() -> None:
    script = Script()

    async def later(symbol: str) -> Any:
        return trade(symbol)

    script.on("last", later)
    script.on("watch", [trade("A"), trade("B")])
    script.on("import", lambda account, trades: len(trades))
    script.on("ping", Status(Code.ABORTED, "not now"))
    async with zsvc.testing.serving(script.service(market.Tape)) as channel:
        tape = market.TapeClient(channel)
        assert await tape.last("ACME") == trade("ACME")
        assert [it.symbol async for it in tape.watch(["A"])] == ["A", "B"]
        assert await tape.import_("desk", [trade("A"), trade("B")]) == 2
        with pytest.raises(Status, match="not now"):
            await tape.ping()
        with pytest.raises(Status, match="says nothing of `poll`"):
            await tape.with_options(retry=False).poll("A")
    assert [call.method for call in script.calls] == ["last", "watch", "import", "ping", "poll"]
    with pytest.raises(ValueError, match="has no import, last"):
        script.service(shapes.Shapes)
