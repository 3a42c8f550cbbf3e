"""docs/python.md: its first program is copied out and run, and so are its other examples."""

import asyncio
import os
import re
import socket
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
import zmq.auth
from conftest import ROOT, run
from floor import Floor, trade
from generated.exchange import v1 as exchange
from generated.market import v1 as market
from generated.money import v1 as money
from routers import routing

import zsvc
import zsvc.health
import zsvc.stats
import zsvc.testing

PAGE = (ROOT / "docs/python.md").read_text(encoding="utf-8")
COMMAND = Path(os.environ.get("ZSVC_COMMAND", ROOT / "target/debug/zsvc"))


def blocks(info: str) -> list[str]:
    return [block.partition("```")[0] for block in PAGE.split(f"```{info}\n")[1:]]


def the(info: str) -> str:
    (block,) = blocks(info)
    return block


def test_the_first_service(tmp_path: Path) -> None:
    assert COMMAND.exists(), f"build the command first: `cargo build -p zsvc-cli`, or set ZSVC_COMMAND ({COMMAND})"
    for name, info in [
        ("greeter.svc", "svc"),
        ("server.py", "python,server.py"),
        ("client.py", "python,client.py"),
    ]:
        (tmp_path / name).write_text(blocks(info)[0], encoding="utf-8")
    generate = next(line for line in PAGE.splitlines() if line.startswith("zsvc gen "))
    subprocess.run([COMMAND, *generate.split()[1:]], cwd=tmp_path, check=True, timeout=60)
    server = subprocess.Popen([sys.executable, "-u", "server.py"], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        assert server.stdout.readline() == "serving\n"
        client = [sys.executable, "client.py"]
        told = subprocess.run(client, cwd=tmp_path, stdout=subprocess.PIPE, text=True, check=True, timeout=60).stdout
        assert told == blocks("text")[0]
        server.terminate()
        assert server.wait(20) == 0
    finally:
        server.kill()
        server.wait()


def test_the_program_of_those_who_come_from_zerorpc(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    (schema,) = (block for block in blocks("svc") if "package hello.v1" in block)
    (tmp_path / "hello.svc").write_text(schema, encoding="utf-8")
    for name in ("hello_server.py", "hello_client.py"):
        (tmp_path / name).write_text(the(f"python,{name}").replace("4242", port), encoding="utf-8")
    generate = re.search(r"`zsvc (gen hello\.svc [^`]*)`", PAGE)
    assert generate is not None
    subprocess.run([COMMAND, *generate[1].split()], cwd=tmp_path, check=True, timeout=60)
    server = subprocess.Popen([sys.executable, "hello_server.py"], cwd=tmp_path)
    try:
        client = [sys.executable, "hello_client.py"]
        told = subprocess.run(client, cwd=tmp_path, stdout=subprocess.PIPE, text=True, check=True, timeout=60).stdout
        assert told == "Hello, RPC\n"
        server.terminate()
        assert server.wait(20) == 0
    finally:
        server.kill()
        server.wait()


class Documented(Floor):
    """As the floor, whose `last` knows all symbols but one."""


@run
async def test_the_examples() -> None:
    async with zsvc.testing.serving(Documented()) as channel:
        for example in blocks("python,example"):
            tape = market.TapeClient(channel)
            names: dict[str, Any] = {**vars(market), "zsvc": zsvc, "asyncio": asyncio, "tape": tape}
            exec(f"async def example():\n{textwrap.indent(example, '    ')}", names)
            await names["example"]()
        endpoint = channel.endpoints[0]
        names = {**vars(market), "endpoint": endpoint}
        await asyncio.to_thread(exec, the("python,blocking"), names)


@run
async def test_a_client_without_generated_code(capsys: pytest.CaptureFixture[str]) -> None:
    async with zsvc.Server(Documented(), bind="tcp://127.0.0.1:*") as server:
        names = {"zsvc": zsvc, "endpoint": server.endpoints[0]}
        await asyncio.to_thread(exec, the("python,remote"), names)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:] == [
        "  market.v1.Tape",
        "  zsvc.health.v1.Health",
        "  zsvc.reflection.v1.Reflection",
        "  zsvc.stats.v1.Stats",
        "12345",
        "['ACME', 'INIT']",
        "ACME",
        "TapeErrorUnknownSymbol NOPE",
    ]


@run
async def test_the_handlers_middleware_and_testing(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {**vars(market), "zsvc": zsvc}
    for block in ("python,handlers", "python,middleware", "python,testing", "python,tokens", "python,health"):
        exec(the(block), names)
    await names["with_tokens"]()
    await names["both"]()
    await names["fit"]()
    await names["test"]()
    names.update(vars(money))
    exec(the("python,script"), names)
    await names["scripted"]()
    shown = capsys.readouterr().out
    assert "for the test" in shown
    assert "ACME 2\nCalled(method='last', values=('NOPE',))\n" in shown
    assert shown.startswith("NOT_SERVING\nSERVING\nmarket.v1.Tape/converse 0 0 s\n")
    floor = names["Floor"]()
    floor.trades = {"ACME": trade("ACME")}
    async with zsvc.testing.serving(floor) as channel:
        assert await market.TapeClient(channel).last("ACME") == trade("ACME")


@run
async def test_events(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {**vars(exchange), "zsvc": zsvc}
    exec(the("python,events"), names)
    await names["publish"]()
    assert capsys.readouterr().out == "ACME 10150\nup to date\n"


@run
async def test_a_worker_of_a_router(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with routing(tmp_path, '[[grant]]\ncall = ["*"]\nserve = ["*"]\n') as router:
        names: dict[str, Any] = {"zsvc": zsvc, "asyncio": asyncio, "Floor": Floor, "endpoint": router.endpoint}
        names["seconds"] = 60
        exec(the("python,register"), names)
        working = asyncio.create_task(names["work"]())
        await asyncio.to_thread(router.saw, "the worker `tape-1` is up")
        async with market.TapeClient.connect(router.endpoint) as tape:
            assert await tape.with_options(timeout=20).last("ACME") == trade("ACME")
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working
    assert capsys.readouterr().out == f"<zsvc.Server at no endpoint, registering at {router.endpoint}>\n"


def test_a_server_of_the_clients_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _, secret = zmq.auth.create_certificates(tmp_path, "floor")
    os.chmod(secret, 0o600)
    zmq.auth.create_certificates(tmp_path, "auditor")
    guide = (ROOT / "docs/guide.md").read_text(encoding="utf-8")
    (tmp_path / "access.toml").write_text(guide.split("```toml,access\n")[1].partition("```")[0], encoding="utf-8")
    names: dict[str, Any] = {"zsvc": zsvc, "Floor": Floor}
    exec(the("python,access"), names)
    curve = names["floor"]().curve
    found = curve.identity_of("Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID")
    assert found == zsvc.Identity("desk", ["trader"])


def test_a_server_that_takes_json_web_tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "jwks.json").write_bytes((ROOT / "runtime/src/auth/jwt/vectors/jwks.json").read_bytes())
    names: dict[str, Any] = {"zsvc": zsvc, "Floor": Floor}
    exec(the("python,jwt"), names)
    assert names["with_jwt"]().tokens is not None


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    exec(the("python,json"), {**vars(exchange), "zsvc": zsvc})
    told = ['{"symbol":"ACME","cents":10150}', "10150", "cents: -1 is no u64, which is 0 to 18446744073709551615"]
    assert capsys.readouterr().out.splitlines() == told


@run
async def test_faults() -> None:
    faults = zsvc.testing.Faults()
    async with zsvc.testing.serving(Floor(), faults=faults) as channel:
        tape = market.TapeClient(channel)
        release = faults.hold("ping")
        ping = asyncio.create_task(tape.ping())
        while not faults.calls:
            await asyncio.sleep(0.01)
        assert not ping.done()
        release.set()
        await ping
        faults.delay("last", 5)
        with pytest.raises(zsvc.Status) as caught:
            await tape.with_options(timeout=0.1).last("ACME")
        assert caught.value.code is zsvc.Code.DEADLINE_EXCEEDED
        assert faults.calls == ["ping", "last"]
