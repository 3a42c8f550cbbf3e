"""Clients without generated code, and `python -m zsvc`."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from conftest import ROOT, run
from floor import Floor, trade
from generated.exchange import v1 as exchange
from generated.market import v1 as market

import zsvc
from zsvc import Code, Outcome, Status
from zsvc.codec.body import encode
from zsvc.dynamic.build import Schema
from zsvc.dynamic.plain import PlainError, from_plain, message, to_plain
from zsvc.dynamic.reflection import load
from zsvc.dynamic.text import SchemaError, read

OWN = ["zsvc.health.v1.Health", "zsvc.reflection.v1.Reflection", "zsvc.stats.v1.Stats"]
TAPE = ROOT / "examples/tape/svc/tape.svc"
TRADE = {
    "symbol": "ACME",
    "price": {"units": 12345, "scale": 2, "currency": "EUR"},
    "size": 300,
    "at": "2026-03-01T12:00:00.25Z",
    "flags": ["Odd"],
    "attributes": {"desk": "7"},
    "lot": 1,
}


async def away(work: Callable[[], Any]) -> Any:
    """Runs something that waits for the server beside it."""
    return await asyncio.get_running_loop().run_in_executor(None, work)


def serving(test: Callable[[str], None]) -> Callable[[], None]:
    """Runs a test in a thread, with the endpoint of a floor that tells its schema."""

    @run
    async def wrapper() -> None:
        async with zsvc.Server(Floor(), bind="tcp://127.0.0.1:*") as server:
            await away(lambda: test(server.endpoints[0]))

    return wrapper


@serving
def test_every_kind_of_method_is_called(endpoint: str) -> None:
    with zsvc.connect(endpoint) as remote:
        tape = remote.market.v1.Tape
        last = tape.last(symbol="ACME")
        assert to_plain(tape.last.method.answer, last) == TRADE
        assert (last.price.units, last.flags[0].name) == (12345, "Odd")
        assert tape.ping() is None
        with tape.watch(["ACME", "INIT"]) as trades:
            assert [it.symbol for it in trades] == ["ACME", "INIT"]
        assert tape.import_("desk", [TRADE, TRADE, last]) == 900
        with tape.converse() as call:
            call.send({"Market": {"symbol": "ACME", "side": "Buy", "size": 7}})
            assert next(call).symbol == "ACME"
            call.send({"#9": None})
            with pytest.raises(Status, match="orders of kind 9"):
                next(call)
        assert tape.with_options(delivered=True).note("lunch") is None


@serving
def test_failures_are_raised(endpoint: str) -> None:
    with zsvc.connect(endpoint) as remote:
        tape = remote.market.v1.Tape
        with pytest.raises(zsvc.DeclaredError, match="no such symbol: NOPE") as declared:
            tape.last("NOPE")
        assert type(declared.value).__name__ == "TapeErrorUnknownSymbol"
        assert declared.value.symbol == "NOPE"  # type: ignore[attr-defined]
        with pytest.raises(Status, match=r"`symbols` of `watch`: \[1\]: `5` is no string") as status:
            tape.watch(["ACME", 5])
        assert (status.value.code, status.value.outcome) == (Code.INVALID_ARGUMENT, Outcome.NOT_SENT)
        with pytest.raises(TypeError, match="symbol"):
            tape.last()
        with pytest.raises(TypeError, match="symbl"):
            tape.last("ACME", symbl="ACME")
        with pytest.raises(AttributeError, match="has no `lst`; it has last, watch"):
            tape.lst()
        with pytest.raises(AttributeError, match=r"serves no `shop`; it serves market\.v1\.Tape"):
            remote.shop  # noqa: B018


@serving
def test_it_shows_itself(endpoint: str) -> None:
    with zsvc.connect(endpoint) as remote:
        assert repr(remote).splitlines()[1:] == ["  " + name for name in ["market.v1.Tape", *OWN]]
        assert {"market", "zsvc"} <= set(dir(remote))
        assert dir(remote.market.v1) == ["Tape"]
        tape = remote.market.v1.Tape
        assert {"last", "import_", "with_options"} <= set(dir(tape))
        assert "  rpc last(symbol: Symbol) -> Trade throws TapeError;" in repr(tape).splitlines()
        assert tape.__doc__ == "The trades on the floor, and orders for it."
        assert "Returns the last trade of a symbol." in tape.last.__doc__
        assert str(inspect.signature(tape.last)) == "(symbol)"
        assert str(inspect.signature(tape.import_)) == "(account, items)"
        assert "symbol='ACME'" in repr(tape.last("ACME"))


@run
async def test_a_server_that_does_not_tell_its_schema() -> None:
    async with zsvc.Server(Floor(), bind="tcp://127.0.0.1:*", reflection=False) as server:
        endpoint = server.endpoints[0]

        def test() -> None:
            with pytest.raises(Status) as status:
                zsvc.connect(endpoint)
            assert status.value.code is Code.UNIMPLEMENTED
            with zsvc.connect(endpoint, schema=TAPE) as remote:
                assert remote.market.v1.Tape.last("ACME").size == 300

        await away(test)


@run
async def test_a_server_tells_what_it_has_no_schema_of() -> None:
    prices = zsvc.Publisher(exchange.Price)
    async with zsvc.Server(Floor(), bind="tcp://127.0.0.1:*", events=[prices]) as server:
        endpoint = server.endpoints[0]

        def test() -> None:
            with zsvc.connect(endpoint) as remote:
                assert "exchange.v1.Price" in remote.services
                with pytest.raises(zsvc.DeclaredError, match=r"not have the schema of `exchange\.v1\.Price`"):
                    remote.exchange.v1.Price  # noqa: B018
                reflection = remote.zsvc.reflection.v1.Reflection
                with pytest.raises(zsvc.DeclaredError, match=r"does not serve `x\.Y`"):
                    list(reflection.schema("x.Y"))

        await away(test)


@pytest.mark.parametrize(
    ("arguments", "status", "shown"),
    [
        (["list"], 0, "\n".join(["market.v1.Tape", *OWN, ""])),
        (["call", "market.v1.Tape/last", '{"symbol": "ACME"}'], 0, json.dumps(TRADE) + "\n"),
        (["call", "market.v1.Tape/last", '["ACME"]'], 0, json.dumps(TRADE) + "\n"),
        (["call", "market.v1.Tape/ping"], 0, ""),
        (["call", "market.v1.Tape/watch", '[["ACME", "ACME"]]'], 0, 2 * (json.dumps(TRADE) + "\n")),
        (["call", "market.v1.Tape/import", '["desk"]'], 0, "300\n"),
        (["call", "market.v1.Tape/last", '["NOPE"]'], 1, "TapeErrorUnknownSymbol: no such symbol: NOPE\n"),
        (["call", "market.v1.Tape/last", "{}"], 2, "wrong: `symbol` is missing\n"),
        (["call", "market.v1.Tape/last", "{"], 2, "the parameters are no JSON"),
        (["call", "market.v1.Tape/last", '{"symbl": 1}'], 2, "wrong: `last` takes symbol\n"),
        (["call", "market.v1.Tape/last", "[5]"], 2, "`symbol` of `last`: `5` is no string"),
        (["call", "market.v1.Tape/lst"], 2, "has no `lst`"),
        (["call", "market.v1.Tape"], 2, "write `package.Service/method`"),
    ],
)
def test_the_command(arguments: list[str], status: int, shown: str) -> None:
    @serving
    def test(endpoint: str) -> None:
        command = [sys.executable, "-m", "zsvc", arguments[0], endpoint, *arguments[1:]]
        given = json.dumps(TRADE) + "\n"
        done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=30)
        assert done.returncode == status, done.stderr
        assert shown in done.stderr if status else shown == done.stdout, (done.stdout, done.stderr)

    test()


@serving
def test_the_command_lists_methods(endpoint: str) -> None:
    command = [sys.executable, "-m", "zsvc", "list", endpoint, "market.v1.Tape"]
    lines = subprocess.run(command, capture_output=True, text=True, timeout=30).stdout.splitlines()
    assert lines[:2] == [
        "/// Returns the last trade of a symbol.",
        "rpc last(symbol: Symbol) -> Trade throws TapeError;",
    ]


def test_the_command_needs_a_server() -> None:
    command = [sys.executable, "-m", "zsvc", "list", "tcp://127.0.0.1:1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout) == (1, "")
    assert "unavailable: no connection within 5 s" in done.stderr


# ---- schemas, against what the compiler has generated


def test_every_schema_of_the_repository_is_read() -> None:
    listed = subprocess.run(["git", "ls-files", "*.svc"], cwd=ROOT, capture_output=True, text=True, check=True)
    # What lies in these folders is there to be refused.
    wrong = ("idl/tests/cases/", "cli/tests/cmd/", "idl/tests/diff/")
    paths = [ROOT / path for path in listed.stdout.split() if not path.startswith(wrong)]
    assert len(paths) > 100
    for path in paths:
        try:
            read(path.read_text())
        except SchemaError as error:
            raise AssertionError(f"{path}: {error}") from None


@pytest.mark.parametrize(
    ("path", "module"), [("runtime/tests/calls/svc/probe.svc", "probe"), ("python/tests/svc/hall.svc", "hall")]
)
def test_methods_are_as_the_compiler_makes_them(path: str, module: str) -> None:
    generated = __import__(f"generated.{module}.v1", fromlist=["v1"])
    schema = Schema(load(os.path.relpath(ROOT / path)))
    for name in schema.services():
        service = getattr(generated, name.rpartition(".")[2], None)
        if service is None:
            continue
        for known in service.__zsvc_methods__:
            made = schema.service(name).methods[known.short_name]
            same = ("name", "kind", "deadline", "is_idempotent", "overlap", "handler")
            assert [getattr(made, it) for it in same] == [getattr(known, it) for it in same]
            for left, right in zip(made.parameters.fields, known.parameters.fields, strict=True):
                assert (left.number, left.name, left.default) == (right.number, right.name, right.default)
            assert type(made.answer) is type(known.answer) or "Named" in type(made.answer).__name__


def test_values_have_the_bytes_of_generated_code() -> None:
    form = Schema(load(os.path.relpath(TAPE))).form("market.v1.Trade")
    plain = encode(form, from_plain(form, TRADE)).joined()
    assert plain == encode(market._form_Trade, trade("ACME")).joined()


VALUES = """
package v.v1;

enum Side { Buy = 0; Sell = 1; }

flags Access { Read = 0; Share = 9; }

const NAMES: list<string> = ["a", "b"];
const USUAL: Side = Sell;

struct Point { x: i32 = 1; @default(2) y: i32 = 2; }

struct Filled {
    flags Inside { A = 3; }
    @default(b"\\x00z\\n\\"") magic: bytes = 1;
    @default(NAMES) names: list<string> = 2;
    @default({ Buy: [1], Sell: [] }) by_side: map<Side, set<u8>> = 3;
    @default({ x: -1 }) point: Point = 4;
    @default([Read, Access.Share]) access: Access = 5;
    @default([{ x: 1, y: 1 }]) points: list<Point> = 6;
    @default([A]) inside: Inside = 7;
}
"""


def test_defaults_are_values_of_all_kinds() -> None:
    form = Schema({"values.svc": VALUES}).form("v.v1.Filled")
    filled = from_plain(form, {})
    assert filled.magic == b'\0z\n"'
    assert filled.access == 0x201
    assert filled.names is not from_plain(form, {}).names
    assert to_plain(form, filled) == {
        "magic": "AHoKIg==", "names": ["a", "b"], "by_side": {"Buy": [1], "Sell": []}, "point": {"x": -1, "y": 2},
        "access": ["Read", "Share"], "points": [{"x": 1, "y": 1}], "inside": ["A"],
    }  # fmt: skip
    assert to_plain(form, from_plain(form, {"access": [40, "Share"]}))["access"] == ["Share", 40]
    for wrong, says in [
        ({"access": ["Reed"]}, "access[0]: there is no flag `'Reed'`; there is Read, Share"),
        ({"access": ["Read", 0]}, "access[1]: flag `0` is given twice"),
        ({"access": 3}, "access: `3` is no Access"),
    ]:
        with pytest.raises(PlainError) as caught:
            from_plain(form, wrong)
        assert message(caught.value) == says


# ---- values as JSON


def test_json_is_as_the_document_says() -> None:
    document = (ROOT / "docs/json.md").read_text()
    schema = Schema({"json.svc": document.split("```svc\n", 1)[1].split("```", 1)[0]})
    forms = {
        "trade": "Trade", "types": "Types", "market": "Order", "cancel_all": "Order", "unknown_variant": "Order",
        "rights": "Rights",
    }  # fmt: skip
    seen = set()
    for block in document.split("```json,")[1:]:
        head, _, rest = block.partition("\n")
        kind, _, name = head.partition("=")
        if name not in forms or kind not in ("is", "reads", "writes"):
            continue
        seen.add((kind, name))
        form = schema.form(f"json.v1.{forms[name]}")
        text = rest.split("```", 1)[0]
        value = from_plain(form, json.loads(text))
        if kind == "is":
            assert to_plain(form, value) == json.loads(text)
    assert {("is", "types"), ("is", "trade"), ("reads", "trade"), ("reads", "market")} <= seen


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({}, "symbol: it must be there, and is a string"),
        (TRADE | {"size": -1}, "size: -1 is no u32, which is 0 to 4294967295"),
        (TRADE | {"size": True}, "size: `True` is no u32"),
        (TRADE | {"size": 1.5}, "size: `1.5` is no u32"),
        (TRADE | {"at": "noon"}, "at: `'noon'` is no time: write `2026-03-01T12:00:00Z`"),
        (TRADE | {"flags": ["Even"]}, "flags[0]: there is no `Even`; there is Block, Odd"),
        (TRADE | {"price": {"units": "x"}}, "price.units: `'x'` is no i64"),
        (TRADE | {"attributes": {"a": 5}}, 'attributes["a"]: `5` is no string'),
        ([], "`[]` has no fields: write an object of their names"),
    ],
)
def test_wrong_json_is_told_with_its_path(wrong: Any, says: str) -> None:
    form = Schema(load(os.path.relpath(TAPE))).form("market.v1.Trade")
    with pytest.raises(PlainError) as caught:
        from_plain(form, wrong)
    assert message(caught.value) == says


def test_hostile_schemas_are_refused() -> None:
    for text in (
        "struct",
        "x",
        "package a; struct B { c: d = ; }",
        "}",
        "struct A { " * 1000,
        "type A = " + "list<" * 1000,
    ):
        with pytest.raises(SchemaError):
            read(text)
    schema = Schema({"a.svc": "package a; struct B { c: Missing = 1; } type Self = Self;"})
    with pytest.raises(SchemaError, match="there is no `Missing`"):
        schema.form("a.B").fields()  # type: ignore[attr-defined]
    with pytest.raises(SchemaError, match="another name for itself"):
        schema.form("a.Self")
