"""`Driver`: a program that is tested, on its standard input and output. `docs/conformance.md` says what it is told."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from .notation import Differs
from .wire import WAIT


class Driver:
    """A driver program that runs."""

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.name = name
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment}
        )
        self._told: dict[str, queue.Queue[dict[str, Any]]] = {}
        self._lock = threading.Lock()
        self._number = 0
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            told = json.loads(line)
            self._of(told.pop("of")).put(told)

    def _of(self, of: str) -> queue.Queue[dict[str, Any]]:
        """Returns what is told of something. Two threads ask for it, the first of which makes it."""
        with self._lock:
            return self._told.setdefault(of, queue.Queue())

    def tell(self, do: str, of: str, **what: Any) -> None:
        """Tells the driver to do something. `of` names a server, a client or a call."""
        assert self.process.stdin is not None
        if self.process.poll() is not None:
            raise Differs(f"the driver `{self.name}` has ended, with the status {self.process.returncode}")
        self.process.stdin.write(json.dumps({"do": do, "of": of, **what}) + "\n")
        self.process.stdin.flush()

    def next(self, of: str, seconds: float = WAIT) -> dict[str, Any]:
        """Returns the next thing that the driver tells of a server, a client or a call. Raises `Differs`."""
        try:
            return self._of(of).get(timeout=seconds)
        except queue.Empty:
            status = self.process.poll()
            ended = "" if status is None else f": the driver has ended, with the status {status}"
            raise Differs(f"the driver tells nothing{ended}") from None

    def left(self, of: str) -> list[dict[str, Any]]:
        """Returns what it has told that was not asked for."""
        found: list[dict[str, Any]] = []
        while not self._of(of).empty():
            found.append(self._of(of).get())
        return found

    def fresh(self, prefix: str) -> str:
        """Returns a name that was not used yet."""
        self._number += 1
        return f"{prefix}{self._number}"

    def serve(self, options: Mapping[str, Any]) -> tuple[str, str]:
        """Starts a server. Returns its name and its endpoint."""
        name = self.fresh("s")
        self.tell("serve", name, options=dict(options))
        return name, str(self.next(name)["endpoint"])

    def has_ended(self) -> bool:
        """Reports whether the driver has ended by itself."""
        return self.process.poll() is not None

    def close(self) -> None:
        """Ends the driver."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(WAIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise Differs(f"the driver `{self.name}` does not end when its input does") from None
