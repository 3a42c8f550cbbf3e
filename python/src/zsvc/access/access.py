"""`Access`: the clients that a server lets in, by a file that is followed."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Set
from pathlib import Path
from types import MappingProxyType

from ..identity import Identity
from . import file
from .file import AccessFileError, Client
from .follow import INTERVAL, Due, Followed, keep_looking

_LOG = logging.getLogger("zsvc")


class Access(Mapping[str, Identity]):
    """The clients that an access file lets in now, by their public keys: `ServerCurve(…, clients=Access(path))`.

    The file is followed until this is closed, or not used any more.

    A file that has changed, or a key file that it names, is taken over within a second. One with anything wrong in it
    changes nothing, and is logged and counted.
    """

    def __init__(self, path: str | Path) -> None:
        """Reads a file. Raises `AccessFileError`: it can't be read, or all that is wrong, each with its place."""
        self.path = Path(path)
        found, self._followed = self._read([])
        if found.clients is None:
            raise found.error or AccessFileError(str(path))
        self.taken = 0
        """Number of changed files that were taken over."""
        self.refused = 0
        """Number of those that were not."""
        self._clients = found.clients
        self._told: dict[str, Identity] = self._current()
        self._lock = threading.Lock()
        self._users: list[Callable[[Mapping[str, Identity], Set[str] | None], None]] = []
        self._is_closed = threading.Event()
        keep_looking(self, "zsvc-access", self._is_closed)

    def __getitem__(self, key: str) -> Identity:
        return self._told[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._told)

    def __len__(self) -> int:
        return len(self._told)

    def now(self) -> dict[str, Identity]:
        """Returns the clients as they are now."""
        return dict(self._told)

    def close(self) -> None:
        """Follows the file no longer."""
        self._is_closed.set()

    def join(self, changed: Callable[[Mapping[str, Identity], Set[str] | None], None]) -> Callable[[], None]:
        """Calls a function with the clients whenever they have changed, on a thread. Returns what takes that back.

        It is also given the keys of those whose time is up, if that is all that has changed; otherwise the file was
        taken over.
        """
        with self._lock:
            self._users.append(changed)

        def leave() -> None:
            with self._lock, contextlib.suppress(ValueError):
                self._users.remove(changed)

        return leave

    def look(self) -> None:
        """Takes over what has changed: the file, or that the time of a client is up."""
        due, taken = self._followed.due(), self.taken
        try:
            if due is not None:
                self._take_over(due)
        finally:
            # Whatever is wrong with the file: the times of clients go on.
            self._tell(is_new=self.taken != taken)

    def _tell(self, *, is_new: bool) -> None:
        now = self._current()
        ended = self._told.keys() - now.keys()
        self._told = now
        if is_new or ended:
            with self._lock:
                users = list(self._users)
            for changed in users:
                changed(MappingProxyType(now), None if is_new else ended)

    def wait(self) -> float:
        """Returns the seconds until the next look."""
        now = time.time()
        ends = (client.expires - now for client in self._clients if client.expires is not None and client.expires > now)
        return min(INTERVAL, *ends, INTERVAL)

    def _current(self) -> dict[str, Identity]:
        now = time.time()
        live = [client for client in self._clients if client.expires is None or client.expires > now]
        return {key: client.identity for client in live for key in client.keys}

    def _take_over(self, due: Due) -> None:
        before = self._followed
        # Should reading it raise what is not foreseen, that is told once, and not at each look.
        self._followed = Followed(before.files)
        found, followed = self._read(list(before.files[1:]))
        self._followed = followed
        if found.is_unread:
            followed.unread()
            if due is Due.AGAIN:
                # What was told once is not told again.
                return
        if found.clients is None:
            self.refused += 1
            _LOG.warning("did not take a changed access file over; all clients stay as they were: %s", found.error)
            return
        self.taken += 1
        self._clients = found.clients
        _LOG.info("took the changed access file `%s` over, with %d clients", self.path, len(found.clients))

    def _read(self, key_files: list[Path]) -> tuple[file.Read, Followed]:
        while True:
            followed = Followed([self.path, *key_files])
            found = file.read(self.path)
            # Of others it is not known what they were like before they were read.
            if set(found.key_files) <= set(key_files):
                return found, followed
            key_files = found.key_files

    def __repr__(self) -> str:
        return f"<zsvc.Access by {self.path}: {len(self._clients)} clients>"


__all__ = ["Access", "AccessFileError", "Client"]
