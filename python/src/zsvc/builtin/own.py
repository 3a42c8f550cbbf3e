"""Which services a server has by itself, and for whom."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..aio.server import ServedAs, Service
from ..method import Method
from ..values import Duration
from .board import Board, of_method
from .generated.zsvc.stats.v1 import Snapshot
from .guard import Guard
from .health import HealthReporter, Watched
from .mirror import Mirror

if TYPE_CHECKING:
    from ..aio.server import Server


@dataclass(frozen=True)
class Own:
    """Which of them a server has, and the roles of which a client needs one to ask it about itself."""

    reflection: bool
    health: bool | HealthReporter
    stats: bool
    roles: Sequence[str]


def own_services(server: Server, settings: Own, services: Sequence[Service]) -> list[Service]:
    """Returns the services that a server of these has by itself, unless the program has one by the same name."""
    methods = [method for service in services for method in _methods(service)]
    named = {method.name.rpartition("/")[0] for method in methods}
    guard = Guard(
        is_open=server.tokens is None and not any(method.roles for method in methods),
        roles=settings.roles,
        roles_of=lambda context: None if context.identity is None else context.identity.roles,
    )
    own: list[Service] = []
    if settings.health:
        reporter = settings.health if isinstance(settings.health, HealthReporter) else HealthReporter()
        own.append(Watched(reporter, named))
    if settings.stats:
        began = time.monotonic()
        own.append(Board(guard, lambda: _snapshot(server, began)))
    own = [service for service in own if _name(service) not in named]
    if settings.reflection:
        mirror = Mirror(guard, (*services, *own))
        own += [mirror] if _name(mirror) not in named else []
    return own


def _methods(service: Service) -> Sequence[Method[Any]]:
    return service.contract.__zsvc_methods__ if isinstance(service, ServedAs) else service.__zsvc_methods__


def _name(service: Service) -> str:
    return service.__zsvc_methods__[0].name.rpartition("/")[0]


def _snapshot(server: Server, began: float) -> Snapshot:
    session = server.driver.session
    dropped = dict(session.dropped)
    refused, unreadable = dropped.pop("refused call", 0), dropped.pop("bad batch", 0)
    return Snapshot(
        uptime=Duration.from_seconds(time.monotonic() - began),
        connections=session.clients,
        in_flight=session.calls_in_flight,
        refused=refused,
        lost_clients=session.lost_clients,
        unreadable=unreadable,
        dropped=dropped,
        methods=[of_method(name, server.measures[name]) for name in sorted(server.measures)],
    )
