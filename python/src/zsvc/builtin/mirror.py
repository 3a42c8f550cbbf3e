"""What a server serves: `zsvc.reflection.v1.Reflection`, served."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping

from ..aio.server import ServedAs, Service
from ..context import Context
from ..schemas import Carried, of_class
from ..session.config import Kind
from ..values import Timestamp
from ..version import __version__
from ..wire.records import VERSION
from .generated.zsvc.reflection.v1 import (
    FilePart,
    MethodInfo,
    MethodKind,
    Reflection,
    ReflectionErrorNoSchema,
    ReflectionErrorNoSuchService,
    ServerInfo,
    ServiceInfo,
)
from .guard import Guard

_KINDS = {
    Kind.UNARY: MethodKind.UNARY,
    Kind.SERVER_STREAM: MethodKind.SERVER_STREAM,
    Kind.CLIENT_STREAM: MethodKind.CLIENT_STREAM,
    Kind.BIDIRECTIONAL: MethodKind.BIDIRECTIONAL,
    Kind.ONE_WAY: MethodKind.ONE_WAY,
}
_PART = 16 * 1024
"""Characters of a part of a file, which have up to four times as many bytes."""
_MAX_NAME = 200


class Mirror(Reflection):
    """The service, for the services that a server has and for itself."""

    def __init__(self, guard: Guard, services: Iterable[Service], schemas: Mapping[str, Carried] | None = None) -> None:
        """`schemas` are those of services that carry none."""
        self._guard = guard
        self._schemas = dict(schemas or {})
        self._infos: dict[str, ServiceInfo] = {}
        for service in (*services, self):
            self._add(service)

    def _add(self, service: Service) -> None:
        served = service.contract if isinstance(service, ServedAs) else service
        cls = served if isinstance(served, type) else type(served)
        for method in served.__zsvc_methods__:
            name, _, short = method.name.rpartition("/")
            carried = self._schemas.get(name) or of_class(cls, name)
            if carried is not None:
                self._schemas[name] = carried
            fingerprint = None if carried is None else carried.fingerprint
            info = self._infos.setdefault(name, ServiceInfo(name=name, methods=[], fingerprint=fingerprint))
            info.methods.append(MethodInfo(name=short, kind=_KINDS[method.kind], roles=list(method.roles)))

    async def services(self, context: Context, /) -> list[ServiceInfo]:
        """Returns the services, in the order of their names."""
        self._guard.check(context)
        return [self._infos[name] for name in sorted(self._infos)]

    async def server(self, context: Context, /) -> ServerInfo:
        """Returns what the server is made of, and what its clock says."""
        self._guard.check(context)
        return ServerInfo(implementation="python", version=__version__, protocol=VERSION, now=Timestamp.now())

    async def schema(self, context: Context, service: str, /) -> AsyncIterator[FilePart]:
        """Yields the files of a service's schema: its own first."""
        self._guard.check(context)
        if service not in self._infos:
            raise ReflectionErrorNoSuchService(service=service[:_MAX_NAME])
        if service not in self._schemas:
            raise ReflectionErrorNoSchema(service=service)
        for path, text in self._schemas[service].files:
            for start in range(0, max(len(text), 1), _PART):
                yield FilePart(path=path, text=text[start : start + _PART])
