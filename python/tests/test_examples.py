"""The examples in `examples/`: the web service with FastAPI, and the notebook."""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
from collections.abc import Callable
from typing import Any

import generated
import pytest
from conftest import ROOT, run
from floor import Floor

import zsvc

EXAMPLES = ROOT / "python/examples"


def beside_a_server(work: Callable[[str], Any]) -> None:
    """Runs something in a thread, beside a server that tells its schema."""

    @run
    async def test() -> None:
        async with zsvc.Server(Floor(), bind="tcp://127.0.0.1:*") as server:
            await asyncio.to_thread(work, server.endpoints[0])

    test()


def test_the_web_service(monkeypatch: pytest.MonkeyPatch) -> None:
    testclient = pytest.importorskip("fastapi.testclient", reason="install fastapi and httpx to test the example")
    importlib.import_module("generated.market.v1")
    for name in [name for name in sys.modules if name == "generated" or name.startswith("generated.")]:
        monkeypatch.setitem(sys.modules, name.replace("generated", "api", 1), sys.modules[name])
    monkeypatch.syspath_prepend(str(EXAMPLES))

    def test(endpoint: str) -> None:
        monkeypatch.setenv("TAPE", endpoint)
        web = importlib.import_module("web")
        with testclient.TestClient(web.app, raise_server_exceptions=False) as client:
            told = client.get("/last/ACME")
            trade = {"symbol": "ACME", "price": 123.45, "size": 300, "at": "2026-03-01T12:00:00.25Z"}
            assert (told.status_code, told.json()) == (200, trade)
            assert client.get("/last/NOPE").json() == {"detail": "no such symbol: NOPE"}
            assert client.get("/last/NOPE").status_code == 404
            told = client.get("/last/STATUS")
            assert (told.status_code, told.json()) == (404, {"error": "not here", "outcome": "executed"})
            told = client.get(f"/last/{'A' * 13}")
            assert (told.status_code, told.json()["outcome"]) == (400, "not_sent")
            assert client.get("/watch/ACME").text == f"data: {json.dumps(trade, separators=(',', ':'))}\n\n"

    beside_a_server(test)
    assert generated is sys.modules["api"]


def test_the_notebook(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    notebook = json.loads((EXAMPLES / "tape.ipynb").read_text())
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]

    def test(endpoint: str) -> None:
        monkeypatch.setenv("TAPE", endpoint)
        names: dict[str, Any] = {}
        for cell in cells:
            exec(cell, names)

    beside_a_server(test)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["ACME 300 2026-03-01T12:00:00.25Z", "INIT 300 2026-03-01T12:00:00.25Z"]
    assert lines[2] == "TapeErrorUnknownSymbol - no such symbol: NOPE"
    assert lines[3] == "INVALID_ARGUMENT NOT_SENT - `symbol` of `last`: `5` is no string"
