"""Whether a server and its services are fit to be called: clients of `zsvc.health.v1.Health`."""

from .builtin.generated.zsvc.health.v1 import (
    HealthBlockingClient,
    HealthClient,
    HealthError,
    HealthErrorNoSuchService,
    Status,
)
from .builtin.health import HealthReporter

__all__ = [
    "HealthBlockingClient",
    "HealthClient",
    "HealthError",
    "HealthErrorNoSuchService",
    "HealthReporter",
    "Status",
]
