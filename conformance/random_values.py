#!/usr/bin/env python3
"""Sends random values from every driver's client to every driver's server and back.

    PYTHONPATH=conformance/python:python/src:python/tests python3 conformance/random_values.py [EXAMPLES [any]]

The values are of `Shape`, which has every form that a value has on the wire. What comes back must be the very bytes
that were sent: each program reads them into its own types, and writes them anew. They are the same ones each time,
unless `any` follows.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from typing import Any

from generated.conformance import v1 as c
from hypothesis import HealthCheck, given, settings
from strategies import of
from zsvc.codec.body import encode

from run import Target, targets
from runner.driver import Driver
from runner.notation import Differs

HERE = Path(__file__).resolve().parent
BATCH = 20
"""Calls that are in flight together."""


class Pair:
    """A client and a server."""

    def __init__(self, client: Target, server: Target) -> None:
        self.name = f"{client.name} calls {server.name}"
        self.drivers = (client.start(), server.start())
        self.client = self.drivers[0].fresh("c")
        self.sent = 0
        _, endpoint = self.drivers[1].serve({})
        self.drivers[0].tell("connect", self.client, endpoint=endpoint, options={})

    def echo(self, bodies: list[bytes]) -> None:
        """Sends values, and compares what comes back. Raises `AssertionError`."""
        driver = self.drivers[0]
        calls = [driver.fresh("") for _ in bodies]
        for call, body in zip(calls, bodies, strict=True):
            driver.tell("call", call, client=self.client, method="echo", body=(b"\x91" + body).hex())
        for call, body in zip(calls, bodies, strict=True):
            told = self._told(driver, call)
            assert told.get("body") == body.hex(), f"{self.name}: {body.hex()[:2000]} comes back as {told}"
        self.sent += len(bodies)

    def _told(self, driver: Driver, call: str) -> dict[str, Any]:
        try:
            return driver.next(call)
        except Differs as error:
            return {"failed": str(error)}

    def close(self) -> None:
        """Ends both."""
        for driver in self.drivers:
            driver.close()


def main() -> None:
    """Sends values between all pairs of drivers."""
    examples = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    found = targets(HERE / "targets.toml")
    pairs = [Pair(*pair) for pair in itertools.product(found, found)]
    waiting: list[bytes] = []
    same = sys.argv[2:] != ["any"]
    checks = list(HealthCheck)

    @settings(max_examples=examples, deadline=None, database=None, derandomize=same, suppress_health_check=checks)
    @given(of(c._form_Shape))
    def send(shape: Any) -> None:
        waiting.append(encode(c._form_Shape, shape).joined())
        if len(waiting) >= BATCH:
            flush()

    def flush() -> None:
        bodies, waiting[:] = waiting[:], []
        for pair in pairs:
            pair.echo(bodies)

    send()
    flush()
    for pair in pairs:
        pair.close()
        print(f"{pair.name:<36} {pair.sent} random values came back to the byte")


if __name__ == "__main__":
    main()
