"""Reads an access file. All mistakes are told at once, each with its place; those of syntax come first."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from ..identity import Identity
from ..io.keys import Unreadable, check_key, public_key_of, why_unreadable
from .toml import Toml, TomlError, Value

_MAX_FILE_BYTES = 16 * 1024 * 1024
_MAX_NAME_BYTES = 200
_MAX_MISTAKES = 50
_KEYS = ("keys", "key_files", "roles", "expires")
_HELP_TIME = "write it as `2027-01-31T00:00:00Z`, without quotes"


class AccessFileError(ValueError):
    """Why there are no clients to be had of an access file: all that is wrong, each with its place."""


@dataclass(frozen=True)
class Client:
    """A client that is let in: who it is, by which keys, and until when, in seconds since 1970."""

    identity: Identity
    keys: tuple[str, ...]
    expires: float | None = None


@dataclass
class Read:
    """What came of reading a file."""

    clients: list[Client] | None
    error: AccessFileError | None
    key_files: list[Path]
    """The key files that it names, also where something is wrong."""
    is_unread: bool
    """Whether one of the files can't be read, which may pass without a change of it."""


@dataclass
class _Mistake:
    at: int
    message: str
    help: str

    def placed(self, path: Path, text: str) -> str:
        before = text[: self.at]
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        return f"{path}:{line}:{column}: {self.message}; {self.help}"


def read(path: Path) -> Read:
    """Reads a file, and the key files that it names."""
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_FILE_BYTES + 1)
        if len(data) > _MAX_FILE_BYTES:
            return unreadable(path, f"it has more than {_MAX_FILE_BYTES >> 20} MiB")
    except OSError as why:
        return unreadable(path, why_unreadable(why))
    text = data.decode(errors="replace")
    reader = _Reader(text, path.parent)
    clients: list[Client] = []
    try:
        data.decode()
        clients = reader.document()
    except UnicodeDecodeError:
        reader.add(max(text.find("\ufffd"), 0), "this file is not UTF-8", "save it as UTF-8")
    found = sorted(reader.mistakes, key=lambda mistake: mistake.at)[:_MAX_MISTAKES]
    error = AccessFileError("\n".join(it.placed(path, text) for it in found)) if found else None
    return Read(None if found else clients, error, reader.key_files, reader.is_unread)


def unreadable(path: Path, why: str) -> Read:
    """Returns that a file can't be read."""
    return Read(None, AccessFileError(f"the access file `{path}` can't be read: {why}"), [], True)


class _Reader:
    def __init__(self, text: str, folder: Path) -> None:
        self._text, self._folder = text, folder
        self._owners: dict[str, str] = {}
        self.key_files: list[Path] = []
        self.is_unread = False
        self.mistakes: list[_Mistake] = []

    def add(self, at: int, message: str, help: str) -> None:
        self.mistakes.append(_Mistake(at, message, help))

    def document(self) -> list[Client]:
        toml = Toml(self._text)
        try:
            toml.read()
        except TomlError as wrong:
            self.add(wrong.at, wrong.message, 'write it as TOML: `[clients.desk]`, then `keys = ["…"]`')
        for at in toml.twice:
            self.add(at, "duplicate key", "leave one of the two out: a client has one table, with all of its keys")
        if self.mistakes:
            return []
        clients: list[Client] | None = None
        for name, (at, value) in _sorted(toml.document):
            if name == "clients":
                clients = self._clients(value)
            else:
                self._unknown_key(at, name, ["clients"])
        if clients is None and not self.mistakes:
            help = "write `[clients.NAME]` for each, or `[clients]` alone to let none in"
            self.add(0, "this file has no clients", help)
        return clients or []

    def _clients(self, value: Value) -> list[Client]:
        if value.kind != "table":
            self.add(value.at, "`clients` is a table of clients", "write each as `[clients.NAME]`")
            return []
        found = [self._client(at, name, it) for name, (at, it) in _sorted(value)]
        return [client for client in found if client is not None]

    def _client(self, at: int, name: str, value: Value) -> Client | None:
        if value.kind != "table":
            self.add(value.at, "a client is a table", f"write `[clients.{name}]`, and its keys below")
            return None
        wrong = _unfit(name, "a name")
        if wrong is not None:
            self.add(at, wrong, "give the client another name")
        keys: list[str] = []
        roles: set[str] = set()
        expires: float | None = None
        before = len(self.mistakes)
        for key, (place, it) in _sorted(value):
            if key == "keys":
                self._keys(name, keys, it)
            elif key == "key_files":
                self._files(name, keys, it)
            elif key == "roles":
                self._roles(roles, it)
            elif key == "expires":
                expires = self._time(it)
            else:
                self._unknown_key(place, key, _KEYS)
        if not keys and len(self.mistakes) == before:
            help = 'write `keys = ["…"]` or `key_files = ["….key"]`, or leave the client out'
            self.add(at, f"the client `{name}` has no key", help)
        return Client(Identity(name, sorted(roles)), tuple(keys), expires)

    def _keys(self, name: str, keys: list[str], value: Value) -> None:
        for item in self._strings(value):
            try:
                check_key(item.text)
            except ValueError as why:
                # Without the text: it may be a secret key.
                help = "copy the public key from a file of `zsvc keygen`, or name that file by `key_files`"
                self.add(item.at, str(why), help)
            else:
                self._key(name, keys, item.text, item)

    def _files(self, name: str, keys: list[str], value: Value) -> None:
        for item in self._strings(value):
            path = self._folder / item.text
            self.key_files.append(path)
            try:
                key = public_key_of(path)
            except ValueError as why:
                self.is_unread |= isinstance(why, Unreadable)
                self.add(item.at, str(why), "the path starts at the folder of this file")
            else:
                self._key(name, keys, key, item)

    def _key(self, name: str, keys: list[str], key: str, item: Value) -> None:
        if key in keys:
            self.add(item.at, "this client has this key already", "leave it out")
            return
        owner = self._owners.get(key)
        if owner is not None:
            help = "give each client keys of its own, so that they can be told apart"
            self.add(item.at, f"the client `{owner}` has this key, too", help)
        self._owners[key] = name
        keys.append(key)

    def _roles(self, roles: set[str], value: Value) -> None:
        for item in self._strings(value):
            wrong = _unfit(item.text, "a role")
            if wrong is None:
                roles.add(item.text)
            else:
                self.add(item.at, wrong, "write it as `@roles` in the schema has it")

    def _time(self, value: Value) -> float | None:
        if value.kind != "time":
            self.add(value.at, "this must be a time", _HELP_TIME)
            return None
        text = value.text
        # Others are a date, or a time of the day, alone.
        if len(text) < 17 or not (text[-1] in "Zz" or text[-6] in "+-"):
            self.add(value.at, "this must be a date and a time with an offset", _HELP_TIME)
            return None
        time = _time_of(text)
        if time is None:
            self.add(value.at, "there is no such time", _HELP_TIME)
        return time

    def _strings(self, value: Value) -> list[Value]:
        if value.kind != "array" or not value.is_fixed:
            self.add(value.at, "this must be a list of strings", 'write `["…"]`')
            return []
        for item in value.items:
            if item.kind != "string":
                self.add(item.at, "this must be a string", "write it between quotes")
        return [item for item in value.items if item.kind == "string"]

    def _unknown_key(self, at: int, name: str, known: Iterable[str]) -> None:
        meant = next((it for it in known if it.startswith(name) or name.startswith(it)), None)
        if meant is not None and name:
            help = f"did you mean `{meant}`?"
        else:
            help = f"there are {', '.join(f'`{key}`' for key in known)}"
        self.add(at, f"there is no key `{name}` here", help)


def _sorted(table: Value) -> list[tuple[str, tuple[int, Value]]]:
    """Returns what is in a table, by names, so that which of two clients has a key first does not depend on places."""
    return sorted(table.table.items())


def _unfit(text: str, what: str) -> str | None:
    """Returns what is wrong with a name or a role, if anything is: they stand in messages and in the log."""
    size = len(text.encode())
    if not text:
        return f"{what} can't be empty"
    if size > _MAX_NAME_BYTES:
        return f"{what} may have {_MAX_NAME_BYTES} bytes, and this one has {size}"
    if any(unicodedata.category(it) == "Cc" for it in text):
        return f"{what} can't have control characters"
    return None


def _time_of(text: str) -> float | None:
    """Returns a date and a time with an offset as seconds since 1970; `None` if there is no such time."""
    offset = "+00:00" if text[-1] in "Zz" else text[-6:]
    date, time = text[:10], text[11 : -1 if text[-1] in "Zz" else -6]
    time, _, fraction = (time if len(time) > 5 else f"{time}:00").partition(".")
    try:
        whole = datetime.fromisoformat(f"{date}T{time}{offset}")
        seconds = whole.astimezone(timezone.utc).timestamp()
    except (ValueError, OverflowError):
        return None
    return seconds + float(f"0.{fraction or 0}")
