#!/usr/bin/env python3
"""Makes calls through a connection that is cut, stalled and refused, and accounts for every one of them.

    PYTHONPATH=conformance/python:python/src python3 conformance/soak.py [SECONDS] [CLIENT SERVER]

Each call has a name of its own. Afterwards the server is asked, past the proxy, how often its handler has begun: once
for a call that was answered, never for one that was *not sent*, and not more than once for any other.
"""

from __future__ import annotations

import asyncio
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from run import Target, targets
from runner import msgpack
from runner.driver import Driver

HERE = Path(__file__).resolve().parent
IN_FLIGHT = 32
ASKED_AT_A_TIME = 256
PAUSE = 0.05
PAIRS = [("python", "rust-zmtp"), ("rust-zmtp", "python"), ("python", "rust-libzmq"), ("python", "python")]


class Proxy:
    """Carries connections to a server, and does them harm."""

    def __init__(self, port: int) -> None:
        self.port, self.faults = 0, Counter[str]()
        self._server_port = port
        self._open: set[asyncio.StreamWriter] = set()
        self._flows = asyncio.Event()
        self._refuses = False
        self._started = threading.Event()
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_until_complete, args=(self._run(),), daemon=True).start()
        self._started.wait()

    async def _run(self) -> None:
        self._flows.set()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        while True:
            await asyncio.sleep(random.uniform(0.2, 1.0))
            await self._harm(random.choice(["cut", "stall", "refuse"]))

    async def _harm(self, fault: str) -> None:
        self.faults[fault] += 1
        if fault == "stall":
            self._flows.clear()
            await asyncio.sleep(random.uniform(0.05, 0.5))
            self._flows.set()
            return
        self._refuses = fault == "refuse"
        for writer in list(self._open):
            writer.transport.abort()
        await asyncio.sleep(0.2 if self._refuses else 0)
        self._refuses = False

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refuses:
            writer.transport.abort()
            return
        above, below = await asyncio.open_connection("127.0.0.1", self._server_port)
        both = {writer, below}
        self._open |= both
        await asyncio.gather(self._carry(reader, below), self._carry(above, writer), return_exceptions=True)
        for end in both:
            end.transport.abort()
        self._open -= both

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            await self._flows.wait()
            writer.write(data)
            await writer.drain()
        writer.transport.abort()


def batched(names: list[str], size: int) -> Iterator[list[str]]:
    """Returns the names in portions of a size."""
    return (names[start : start + size] for start in range(0, len(names), size))


def once(driver: Driver, client: str, name: str, *, timeout: float) -> str:
    """Makes a call that begins a handler of a name. Returns the call."""
    call = driver.fresh("")
    body = msgpack.encode([name, 0, 0]).hex()
    driver.tell("call", call, client=client, method="once", body=body, timeout=timeout, retry=False)
    return call


def soak(client: Target, server: Target, seconds: float) -> Counter[str]:
    """Makes calls, and returns how many ended in which way. Raises `AssertionError`."""
    calls, serves = client.start(), server.start()
    _, endpoint = serves.serve({})
    proxy = Proxy(int(endpoint.rpartition(":")[2]))
    harmed, direct = calls.fresh("c"), calls.fresh("c")
    calls.tell("connect", harmed, endpoint=f"tcp://127.0.0.1:{proxy.port}", options={})
    calls.tell("connect", direct, endpoint=endpoint, options={})
    ends: dict[str, str] = {}
    until, number = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        names = [f"n{number + index}" for index in range(IN_FLIGHT)]
        number += IN_FLIGHT
        made = [(name, once(calls, harmed, name, timeout=random.choice([0.05, 0.3, 5.0]))) for name in names]
        for name, call in made:
            told = calls.next(call, 30)
            ends[name] = "answered" if told["what"] == "answer" else str(told["outcome"])
        # Calls without a connection fail at once: they would be most of all.
        time.sleep(PAUSE)
    for names in batched(list(ends), ASKED_AT_A_TIME):
        for name, call in [(name, once(calls, direct, name, timeout=20)) for name in names]:
            told, end = calls.next(call, 30), ends[name]
            assert told["what"] == "answer", f"{name}: {told}"
            begun = msgpack.decode_all(bytes.fromhex(told["body"]))[0] - 1
            allowed = {"answered": (1,), "not_sent": (0,), "executed": (1,)}.get(end, (0, 1))
            assert begun in allowed, f"{client.name} calls {server.name}: {name} is {end}, and has begun {begun} times"
    for driver in (calls, serves):
        driver.close()
    return Counter(ends.values()) + Counter({f"{fault} by the proxy": count for fault, count in proxy.faults.items()})


def main() -> None:
    """Soaks each pair in turn."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 15.0
    found = {target.name: target for target in targets(HERE / "targets.toml")}
    for client, server in [(sys.argv[2], sys.argv[3])] if len(sys.argv) > 3 else PAIRS:
        counted = soak(found[client], found[server], seconds)
        shown = ", ".join(f"{count} {what}" for what, count in sorted(counted.items()))
        print(f"{client} calls {server}: every call is accounted for: {shown}", flush=True)


if __name__ == "__main__":
    main()
