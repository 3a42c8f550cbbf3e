"""`Followed`: files that are read again once they have changed. Needs no notifications of the system."""

from __future__ import annotations

import enum
import logging
import os
import threading
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

_LOG = logging.getLogger("zsvc")

INTERVAL = 0.25
"""Seconds between two looks. A change is seen at the first look after it, and taken over at the second."""
_LOOKS_UNTIL_AGAIN = 4
"""Looks between two attempts to read what could not be read."""


class Due(enum.Enum):
    """Why files are to be read."""

    CHANGED = "changed"
    AGAIN = "again"
    """Reading them has failed the last time, which was told then."""


class Followed:
    """Files, and what they were like when they were last read. To be made before that, so that no change is missed."""

    def __init__(self, files: Sequence[Path]) -> None:
        self.files = tuple(files)
        self._read = self._stamps()
        self._seen: list[object] | None = None
        self._again_after: int | None = None

    def unread(self) -> None:
        """Has them read again, also as they are: they could not be read."""
        self._again_after = _LOOKS_UNTIL_AGAIN

    def due(self) -> Due | None:
        """Looks at them. One that is still being written would be read in part: a change is due once it stays so."""
        now = self._stamps()
        if now == self._read:
            self._seen = None
            if self._again_after is not None:
                self._again_after = max(self._again_after - 1, 0)
            return Due.AGAIN if self._again_after == 0 else None
        is_settled, self._seen = self._seen == now, now
        return Due.CHANGED if is_settled else None

    def _stamps(self) -> list[object]:
        return [_stamp(file) for file in self.files]


class Looking(Protocol):
    """What looks at its files now and then."""

    def look(self) -> None:
        """Takes over what has changed."""

    def wait(self) -> float:
        """Returns the seconds until the next look."""
        raise NotImplementedError


def keep_looking(owner: Looking, thread: str, is_closed: threading.Event) -> None:
    """Has a thread of this name look again and again, until it is closed, or nothing else has the owner."""
    found, pause = weakref.ref(owner), owner.wait()

    def run() -> None:
        nonlocal pause
        while not is_closed.wait(pause):
            owner = found()
            if owner is None:
                return
            try:
                owner.look()
            except Exception:
                _LOG.exception("a fault in zsvc: please report it")
            pause = owner.wait()
            del owner

    threading.Thread(target=run, name=thread, daemon=True).start()


def _stamp(path: Path) -> object:
    """Returns what tells one version of a file from another; one that is put in its place is another file."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    # A program can set the time at which it was modified, and not the one at which anything about it has changed.
    return found.st_mtime_ns, found.st_size, found.st_dev, found.st_ino, found.st_ctime_ns
