"""What a server tells of itself by `zsvc.reflection.v1.Reflection`, and files by which another does."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..aio.server import Service
from ..blocking import BlockingClient
from ..builtin.generated.zsvc.reflection.v1 import ReflectionBlockingClient
from ..builtin.guard import Guard
from ..builtin.mirror import Mirror
from ..schemas import Carried
from .build import Schema
from .text import SchemaError, read

MAX_SCHEMA_BYTES = 16 << 20


def told_services(client: BlockingClient) -> list[str]:
    """Returns the names of the services that a server serves. Raises `Status`."""
    return [info.name for info in _reflection(client).services()]


def told_schema(client: BlockingClient, service: str) -> Schema:
    """Returns the schema of a service. Raises `Status`, a declared error, or `SchemaError`."""
    files: dict[str, str] = {}
    size = 0
    for part in _reflection(client).schema(service):
        size += len(part.text)
        if size > MAX_SCHEMA_BYTES:
            raise SchemaError(f"the schema of `{service}` is longer than {MAX_SCHEMA_BYTES} bytes")
        files[part.path] = files.get(part.path, "") + part.text
    return Schema(files)


def _reflection(client: BlockingClient) -> ReflectionBlockingClient:
    return ReflectionBlockingClient(client.channel, client._options)


def load(path: str | Path) -> dict[str, str]:
    """Returns the texts of a file and of those that it imports, by their paths. Raises `OSError` or `SchemaError`."""
    files: dict[str, str] = {}
    waiting = [posixpath.normpath(Path(path).as_posix())]
    while waiting:
        name = waiting.pop()
        if name not in files:
            files[name] = Path(name).read_text()
            folder = posixpath.dirname(name)
            waiting += [posixpath.normpath(posixpath.join(folder, it)) for it in read(files[name]).imports]
    return files


class Reflection(Mirror):
    """Tells the schema of services that do not carry it: `Server(floor, Reflection("tape.svc", floor))`.

    Generated code carries its schema, and servers tell it by themselves: this is for services made without it.
    """

    def __init__(self, schema: str | Path | Mapping[str, str], *services: Service) -> None:
        """`schema` is the path of a `.svc` file, or texts by their paths; it has the schemas of the services."""
        files = schema if isinstance(schema, Mapping) else load(schema)
        guard = Guard(is_open=True, roles=(), roles_of=lambda _: None)
        super().__init__(guard, services, dict.fromkeys(Schema(files).services(), _carried(files)))


def _carried(files: Mapping[str, str]) -> Carried:
    texts: Sequence[str] = [text for pair in sorted(files.items()) for text in pair]
    fingerprint = hashlib.sha256("\0".join(texts).encode()).digest()
    return Carried([*files.items()], fingerprint)
