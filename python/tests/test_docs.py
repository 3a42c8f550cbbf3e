"""docs/python.md: its first program is copied out and run, and so are its other examples."""

import asyncio
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, run
from floor import Floor, trade
from generated.market import v1 as market

import zsvc
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
async def test_the_handlers_middleware_and_testing(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {**vars(market), "zsvc": zsvc}
    for block in ("python,handlers", "python,middleware", "python,testing"):
        exec(the(block), names)
    await names["both"]()
    await names["test"]()
    assert "for the test" in capsys.readouterr().out
    floor = names["Floor"]()
    floor.trades = {"ACME": trade("ACME")}
    async with zsvc.testing.serving(floor) as channel:
        assert await market.TapeClient(channel).last("ACME") == trade("ACME")


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
