#!/usr/bin/env python3
"""Measures zsvc in Python beside zerorpc, bare pyzmq, gRPC and gRPC's asyncio: `python3 bench/python/compare.py`.

    compare.py [--seconds N] [--rounds N] [--only MEASURE] [--system NAME] [--json FILE]

It makes an environment of its own below `bench/target`, with all systems from pip, and generates their code; it needs
the command `zsvc` (`cargo build --release -p zsvc-cli`, or `ZSVC_COMMAND`). With the benchmark in Rust, which
`cargo build --release --manifest-path bench/Cargo.toml` makes, Rust calls Python and Python calls Rust, too. Rounds of
all systems take turns; each number is the median of its rounds. Fails if one could not be taken.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import threading
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
FOLDER = HERE.parent / "target/python-compare"
PYTHON = FOLDER / "venv/bin/python"
RUST = HERE.parent / "target/release/zsvc-bench"
PACKAGES = [
    "pyzmq==27.3.0", "msgspec==0.23.0", "typing-extensions==4.15.0", "zerorpc==0.6.3", "setuptools<81",
    "grpcio==1.85.1", "grpcio-tools==1.85.1",
]  # fmt: skip
PEERS = {
    "zsvc": "zsvc_peer.py",
    "zsvc-blocking": "zsvc_blocking_peer.py",
    "pyzmq": "pyzmq_peer.py",
    "zerorpc": "zerorpc_peer.py",
    "grpc.aio": "grpc_aio_peer.py",
    "grpcio": "grpc_peer.py",
}
MEASURES = ["in-flight-1", "in-flight-64", "in-flight-1000", "items", "items-4k"]
MIXED = {"rust client, python server": ("rust", "zsvc"), "python client, rust server": ("zsvc", "rust")}
TARGETS = [
    ("in-flight-64", "zerorpc", 3.0), ("in-flight-1", "grpc.aio", 1.0), ("in-flight-64", "grpc.aio", 1.0),
    ("in-flight-1000", "grpc.aio", 1.0), ("in-flight-1", "pyzmq", 0.7), ("in-flight-64", "pyzmq", 1.0),
]  # fmt: skip
"""How many times the rate of another system is wanted."""
OF_RUST = {"in-flight-1": "latency", "items": "server-stream-64", "items-4k": "server-stream-4k"}
"""The names of measures that the benchmark in Rust calls otherwise."""
UNKNOWN = 3
"""Exit status of a peer that does not have a measure."""


def command() -> str:
    """Returns the command `zsvc`."""
    found = [os.environ.get("ZSVC_COMMAND"), *(str(ROOT / f"target/{kind}/zsvc") for kind in ("release", "debug"))]
    for path in found:
        if path and Path(path).exists():
            return path
    sys.exit("build the command first: `cargo build --release -p zsvc-cli`")


def prepare() -> None:
    """Makes the environment, and generates code."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    stamp = FOLDER / "packages"
    if not PYTHON.exists() or not stamp.exists() or stamp.read_text() != " ".join(PACKAGES):
        subprocess.run([sys.executable, "-m", "venv", "--clear", FOLDER / "venv"], check=True)
        pip = [PYTHON, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        subprocess.run([*pip, *PACKAGES], check=True)
        stamp.write_text(" ".join(PACKAGES))
    generate = [command(), "gen", ROOT / "bench/svc/echo.svc", "-I", ROOT / "examples/tape/svc", "--lang", "python"]
    subprocess.run([*generate, "--out", FOLDER / "api"], check=True)
    protoc = [PYTHON, "-m", "grpc_tools.protoc", "-I", ROOT / "bench/proto", ROOT / "bench/proto/echo.proto"]
    subprocess.run([*protoc, f"--python_out={FOLDER}", f"--grpc_python_out={FOLDER}"], check=True)


class UnknownMeasureError(Exception):
    """A peer does not have a measure."""


class Child:
    """A process of a system."""

    def __init__(self, system: str, *arguments: str) -> None:
        started = [str(RUST)] if system == "rust" else [str(PYTHON), str(HERE / PEERS[system])]
        path = os.pathsep.join(map(str, (ROOT / "python/src", FOLDER, HERE)))
        self.process = subprocess.Popen(
            [*started, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
        )

    def lines(self, seconds: float) -> list[dict[str, object]]:
        """Returns what it prints until it ends. Raises `RuntimeError` if it fails, or takes too long."""
        timer = threading.Timer(seconds, self.process.kill)
        timer.start()
        try:
            assert self.process.stdout is not None
            found = [json.loads(line) for line in self.process.stdout]
            status = self.process.wait()
        finally:
            timer.cancel()
        if status == UNKNOWN:
            raise UnknownMeasureError
        if status:
            raise RuntimeError(f"{self.process.args} has ended with the status {status}")
        return found

    def close(self) -> None:
        """Ends it."""
        self.process.kill()
        self.process.wait()


def rate(client: str, server: str, measure: str, seconds: float) -> float:
    """Takes a measure once: calls, or items, per second."""
    serving = Child(server, "serve", *(["zsvc"] if server == "rust" else []))
    try:
        assert serving.process.stdout is not None
        told = json.loads(serving.process.stdout.readline())
        endpoint = str(told["endpoint"])
        if client == "rust":
            times = ["--warm-up", str(int(seconds * 300)), "--length", str(int(seconds * 1000))]
            where = ["zsvc", OF_RUST.get(measure, measure), endpoint, "--server", str(serving.process.pid)]
            arguments = ["drive", *where, *times]
        else:
            arguments = ["drive", measure, endpoint, str(seconds * 0.3), str(seconds)]
        driving = Child(client, *arguments)
        try:
            readings = driving.lines(30 + 10 * seconds)
        finally:
            driving.close()
        by_name = {str(it["name"]): float(it["value"]) for it in readings}  # type: ignore[arg-type]
        if client == "rust" and measure == "in-flight-1":
            return 1e6 / by_name["latency p50"]
        return by_name[OF_RUST.get(measure, measure) if client == "rust" else measure]
    finally:
        serving.close()


def main() -> int:
    """Measures, and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2.0, help="length of a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", action="append", choices=MEASURES)
    parser.add_argument("--system", action="append", choices=[*PEERS, *MIXED])
    parser.add_argument("--json", type=Path, help="write every number to this file")
    options = parser.parse_args()
    prepare()
    pairs = {name: (name, name) for name in PEERS} | (MIXED if RUST.exists() else {})
    pairs = {name: pair for name, pair in pairs.items() if name in (options.system or pairs)}
    rates: dict[tuple[str, str], list[float]] = {}
    failed = False
    for measure in options.only or MEASURES:
        for _ in range(options.rounds):
            for name, (client, server) in pairs.items():
                try:
                    found = rate(client, server, measure, options.seconds)
                    rates.setdefault((measure, name), []).append(found)
                except UnknownMeasureError:
                    continue
                except (RuntimeError, KeyError, json.JSONDecodeError) as error:
                    failed = True
                    print(f"{measure} of {name} could not be taken: {error!r}", file=sys.stderr)
        show(measure, rates)
    for measure, other, wanted in TARGETS:
        ours, theirs = rates.get((measure, "zsvc")), rates.get((measure, other))
        if ours and theirs:
            ratio = statistics.median(ours) / statistics.median(theirs)
            print(f"{measure}: {ratio:.2f} times {other}, wanted {wanted:g}: {'met' if ratio >= wanted else 'NOT met'}")
    if options.json is not None:
        table = [{"name": it, "system": name, "rounds": found} for (it, name), found in rates.items()]
        options.json.write_text(json.dumps(table, indent=1))
    return 1 if failed else 0


def show(measure: str, rates: dict[tuple[str, str], list[float]]) -> None:
    """Prints what was measured of all systems, with the least and the greatest of the rounds."""
    for (it, name), found in rates.items():
        if it == measure:
            middle = statistics.median(found)
            print(f"{measure:<16} {name:<28} {middle:>12,.0f}/s   {min(found):,.0f} to {max(found):,.0f}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
