"""What a server serves, and its schemas: clients of `zsvc.reflection.v1.Reflection`."""

from .builtin.generated.zsvc.reflection.v1 import (
    FilePart,
    MethodInfo,
    MethodKind,
    ReflectionBlockingClient,
    ReflectionClient,
    ReflectionError,
    ReflectionErrorNoSchema,
    ReflectionErrorNoSuchService,
    ServerInfo,
    ServiceInfo,
)

__all__ = [
    "FilePart",
    "MethodInfo",
    "MethodKind",
    "ReflectionBlockingClient",
    "ReflectionClient",
    "ReflectionError",
    "ReflectionErrorNoSchema",
    "ReflectionErrorNoSuchService",
    "ServerInfo",
    "ServiceInfo",
]
