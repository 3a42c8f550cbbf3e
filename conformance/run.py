#!/usr/bin/env python3
"""Runs the conformance suite: `python3 conformance/run.py`. `docs/conformance.md` describes it.

    run.py [--targets FILE] [--only TEXT] [--target NAME] [--side SIDE]

Prints each case that does not hold, on which side and by whom, and the number of all. Fails if there is one.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import zmq

from runner.driver import Driver
from runner.notation import Differs
from runner.play import Failed, Servers, play
from runner.script import Case, load, toml

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Target:
    """An implementation on an engine."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str]

    def start(self) -> Driver:
        """Starts its driver."""
        return Driver(self.name, self.command, self.environment)


def targets(path: Path) -> list[Target]:
    """Returns the targets of a file. `$ROOT` in it is the folder above, and `$PYTHON` this interpreter."""

    def filled(text: str) -> str:
        built = os.environ.get("ZSVC_BUILT", str(HERE.parent / "target/debug"))
        return text.replace("$ROOT", str(HERE.parent)).replace("$PYTHON", sys.executable).replace("$BUILT", built)

    found = toml(path)["target"]
    return [
        Target(
            target["name"],
            tuple(map(filled, target["command"])),
            {name: filled(value) for name, value in target.get("environment", {}).items()},
        )
        for target in found
    ]


@dataclass
class Result:
    """What came of the cases of one side."""

    title: str
    passed: int
    failures: list[str]
    seconds: float


def run_side(cases: list[Case], side: str, client: Target | None, server: Target | None) -> Result:
    """Plays the cases of one side."""
    title = {"server": f"server {server and server.name}", "client": f"client {client and client.name}"}.get(
        side, f"{client and client.name} calls {server and server.name}"
    )
    began = time.monotonic()
    context = zmq.Context()
    calls = client.start() if client else None
    serves = Servers(server.start()) if server else None
    failures: list[str] = []
    passed = 0
    for case in cases:
        if side not in case.sides:
            continue
        try:
            play(case, side, calls, serves, context)
            passed += 1
        except (Failed, Differs) as error:
            failures.append(f"{title}: {case}:\n  {error}")
            # A driver that has ended is started anew, for the cases that follow.
            calls = client.start() if client and calls and calls.has_ended() else calls
            serves = Servers(server.start()) if server and serves and serves.driver.has_ended() else serves
    for driver in (calls, serves.driver if serves else None):
        if driver is not None:
            driver.close()
    context.destroy(linger=0)
    return Result(title, passed, failures, time.monotonic() - began)


def plan(found: list[Target], side: str | None) -> list[tuple[str, Target | None, Target | None]]:
    """Returns which sides are played by whom."""
    jobs: list[tuple[str, Target | None, Target | None]] = []
    jobs += [("server", None, target) for target in found]
    jobs += [("client", target, None) for target in found]
    jobs += [("pair", *pair) for pair in itertools.product(found, found)]
    return [job for job in jobs if side in (None, job[0])]


def main() -> int:
    """Plays all that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--targets", type=Path, default=HERE / "targets.toml", help="the file of drivers")
    parser.add_argument("--target", action="append", help="play this target alone; may be given again")
    parser.add_argument("--side", choices=["server", "client", "pair"])
    parser.add_argument("--only", default="", help="play the cases alone whose name or file has this text in it")
    arguments = parser.parse_args()
    every = load(HERE / "cases")
    cases = [case for case in every if arguments.only in str(case)]
    found = [target for target in targets(arguments.targets) if target.name in (arguments.target or [target.name])]
    jobs = plan(found, arguments.side)
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda job: run_side(cases, *job), jobs))
    for result in results:
        print(f"{result.title:<36} {result.passed:>5} hold  {len(result.failures):>3} do not  {result.seconds:6.1f} s")
        for failure in result.failures:
            print(failure)
    sides = Counter(side for case in cases for side in case.sides)
    total, failed = sum(result.passed for result in results), sum(len(result.failures) for result in results)
    played = ", ".join(f"{count} of a {side}" for side, count in sides.items())
    print(f"{len(cases)} cases ({played}): {total} runs hold, {failed} do not")
    return 1 if failed or not total else 0


if __name__ == "__main__":
    sys.exit(main())
