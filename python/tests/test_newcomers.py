"""What those do who come from zerorpc: each mistake is told with what to write instead."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from conftest import run
from floor import Floor
from generated.market import v1 as market

import zsvc
from zsvc.__main__ import main


class Plain:
    def last(self, symbol: str) -> str:
        return symbol


class Careless(Floor):
    def last(self, context: zsvc.Context, symbol: str) -> Any:
        return symbol

    async def watch(self, context: zsvc.Context, symbols: list[str]) -> Any:  # type: ignore[override]
        return symbols


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: zsvc.Server(Plain()), "`Plain` is no service of a schema, whose classes `zsvc gen` makes: derive it"),  # type: ignore[arg-type]
        (lambda: zsvc.Server(Floor), "`Floor` is no service of a schema.*: give an object of it"),  # type: ignore[arg-type]
        (lambda: asyncio.run(zsvc.Server(Floor(), bind="0.0.0.0:4242").start()), "write `tcp://HOST:PORT`"),
        (lambda: market.TapeClient.connect("127.0.0.1:4242"), "write `tcp://HOST:PORT`"),
        (lambda: zsvc.connect("127.0.0.1:4242"), "write `tcp://HOST:PORT`"),
    ],
)
def test_what_can_t_be_served_or_called_is_told(make: Callable[[], Any], text: str) -> None:
    with pytest.raises((ValueError, OSError), match=text):
        make()


@run
async def test_handlers_that_are_not_async_are_told(caplog: Any) -> None:
    async with zsvc.testing.serving(Careless()) as channel:
        tape = market.TapeClient(channel)
        with pytest.raises(zsvc.Status, match="TypeError"):
            await tape.last("ACME")
        with pytest.raises(zsvc.Status, match="TypeError"):
            await tape.watch(["ACME"]).__anext__()
    assert "`Careless.last` is no `async def`: write one, or say `@blocking` in the schema" in caplog.text
    assert "`Careless.watch` is no async generator: write `async def`, and `yield` each item" in caplog.text


@run
async def test_a_for_loop_over_answers_is_told() -> None:
    async with zsvc.testing.serving(Floor()) as channel:
        answers: Any = market.TapeClient(channel).watch(["FOREVER"])
        with pytest.raises(TypeError, match="come by `async for`"):
            iter(answers)


def test_no_more_time_is_taken_for_a_connection_than_for_a_call() -> None:
    with pytest.raises(zsvc.Status, match=r"within 0\.2 s"):
        zsvc.connect("tcp://127.0.0.1:1", timeout=0.2)


@run
async def test_names_without_their_package_are_answered_by_the_full_ones() -> None:
    async with zsvc.Server(Floor(), bind="tcp://127.0.0.1:*") as server:

        def look() -> None:
            with zsvc.connect(*server.endpoints) as remote:
                with pytest.raises(AttributeError, match=r"did you mean `market\.v1\.Tape`\?"):
                    remote.service("Tape")
                with pytest.raises(
                    TypeError, match=r"`market` is a part of the name of market\.v1\.Tape, whose methods"
                ):
                    remote.market("ACME")

        await asyncio.to_thread(look)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["tcp://127.0.0.1:1"], "`python -m zsvc list tcp://127.0.0.1:1`"),
        (["tcp://127.0.0.1:1", "hello", "RPC"], "`python -m zsvc call tcp://127.0.0.1:1 package.Service/hello '[…]'`"),
    ],
)
def test_arguments_as_those_of_zerorpc_are_answered_by_what_to_write(
    arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert text in capsys.readouterr().err


@run
async def test_parameters_that_are_no_json_are_answered_by_their_names(capsys: pytest.CaptureFixture[str]) -> None:
    async with zsvc.Server(Floor(), bind="tcp://127.0.0.1:*") as server:
        arguments = ["call", server.endpoints[0], "market.v1.Tape/last", "ACME"]
        assert await asyncio.to_thread(main, arguments) == 2
    assert """Write them as '{"symbol": …}', or '[…]'""" in capsys.readouterr().err


@run
async def test_the_name_of_a_method_alone_is_answered_by_the_full_one(capsys: pytest.CaptureFixture[str]) -> None:
    async with zsvc.Server(Floor(), bind="tcp://127.0.0.1:*") as server:
        assert await asyncio.to_thread(main, ["call", server.endpoints[0], "last", "[]"]) == 2
        assert "`last` is no method: write `market.v1.Tape/last`" in capsys.readouterr().err
        assert await asyncio.to_thread(main, ["call", server.endpoints[0], "nothing", "[]"]) == 2
        assert "write `package.Service/method`" in capsys.readouterr().err


def test_an_option_that_is_none_is_told() -> None:
    with market.TapeBlockingClient.connect("tcp://127.0.0.1:1") as tape:
        with pytest.raises(TypeError, match="`timout` is no option of a call; they are `timeout`, `metadata`"):
            tape.with_options(timout=1)


def test_what_is_beside_the_package_needs_no_import() -> None:
    program = "import zsvc; print(zsvc.testing.serving, zsvc.json.dumps, zsvc.middleware.RateLimit); zsvc.nothing"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert "serving" in done.stdout
    assert "module `zsvc` has no attribute `nothing`" in done.stderr
