"""The router in Rust, as a process: `zsvc router`."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

from conftest import ROOT

import zsvc

COMMAND = Path(os.environ.get("ZSVC_COMMAND", ROOT / "target/debug/zsvc"))
DEADLINE = 30.0


def free_endpoint() -> str:
    """Returns an endpoint with a port that nothing listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{probe.getsockname()[1]}"


class Router:
    """A router that runs, and the lines of its log."""

    def __init__(self, folder: Path, config: str, endpoint: str, curve: zsvc.ClientCurve | None = None) -> None:
        assert COMMAND.exists(), f"build the command first: `cargo build -p zsvc-cli`, or set ZSVC_COMMAND ({COMMAND})"
        self._file, self.endpoint, self._curve = folder / "router.toml", endpoint, curve
        self._head = f'listen = ["{endpoint}"]\ngrace = "1s"\n'
        self._write(config)
        self._lines: list[str] = []
        self._came = threading.Condition()
        self._start()

    def _write(self, config: str) -> None:
        # In place of the old one, so that no half of it is read.
        new = self._file.with_suffix(".new")
        new.write_text(self._head + config, encoding="utf-8")
        new.replace(self._file)

    def _start(self) -> None:
        command = [str(COMMAND), "router", str(self._file)]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        threading.Thread(target=self._read, args=[self._process], daemon=True).start()
        with zsvc.Channel(self.endpoint, curve=self._curve) as channel:
            channel.wait_ready(20)

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        for line in process.stderr:
            with self._came:
                self._lines.append(line)
                self._came.notify_all()

    def saw(self, text: str, times: int = 1) -> None:
        """Waits until its log has had a text, so many times."""

        def has() -> bool:
            return sum(text in line for line in self._lines) >= times

        with self._came:
            assert self._came.wait_for(has, DEADLINE), f"{text}: {self._lines}"

    def reload(self, config: str) -> None:
        """Has it take over another configuration."""
        self._write(config)
        self._process.send_signal(signal.SIGHUP)

    def kill(self) -> None:
        """Ends it at once, as a crash does."""
        self._process.kill()
        self._process.wait()

    def restart(self) -> None:
        """Starts it anew after it was killed."""
        self._start()

    def stop(self) -> None:
        """Has it drain, and waits for its end."""
        if self._process.poll() is None:
            self._process.terminate()
            assert self._process.wait(20) == 0


@contextlib.contextmanager
def routing(
    folder: Path, config: str, endpoint: str | None = None, curve: zsvc.ClientCurve | None = None
) -> Iterator[Router]:
    """Runs a router with this configuration."""
    router = Router(folder, config, endpoint or f"ipc://{folder}/router", curve)
    try:
        yield router
    finally:
        router.stop()
