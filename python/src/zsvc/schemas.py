"""The schemas that generated code carries along, by which servers tell them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Carried:
    """The files that a service needs."""

    files: Sequence[tuple[str, str]]
    """Paths and texts, the service's own first. They compile by themselves."""
    fingerprint: bytes
    """The same for the same files, in every language."""


class _Root:
    """What one outermost module of generated code carries along."""

    def __init__(
        self, files: Sequence[tuple[str, str, Sequence[int]]], services: Sequence[tuple[str, int, str]]
    ) -> None:
        self._files = files
        self._services = {name: (file, fingerprint) for name, file, fingerprint in services}

    def of_service(self, name: str) -> Carried | None:
        """Returns the files of a service: its own and all that it imports, directly or not."""
        if name not in self._services:
            return None
        first, fingerprint = self._services[name]
        found, open, known = list[int](), [first], {first}
        while open:
            place = open.pop()
            found.append(place)
            others = [it for it in reversed(self._files[place][2]) if it not in known]
            known.update(others)
            open.extend(others)
        return Carried([self._files[place][:2] for place in found], bytes.fromhex(fingerprint))


_BY_ROOT: dict[str, _Root] = {}
"""By the names of the outermost modules of generated code. Two may have a service of one name."""


def carry(root: str, files: Sequence[tuple[str, str, Sequence[int]]], services: Sequence[tuple[str, int, str]]) -> None:
    """Adds the files of generated code, each with those that it imports; and the file of each service, and the
    fingerprint of all that it needs."""
    _BY_ROOT[root] = _Root(files, services)


def of_class(cls: type, service: str) -> Carried | None:
    """Returns the files of a service that a class, or one that it derives from, is generated for."""
    for base in cls.__mro__:
        root = base.__module__
        while root:
            carried = _BY_ROOT.get(root)
            found = None if carried is None else carried.of_service(service)
            if found is not None:
                return found
            root = root.rpartition(".")[0]
    return None
