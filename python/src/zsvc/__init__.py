"""Typed services over ZeroMQ: clients and servers from one schema.

`zsvc gen --lang python` makes a module for each package of a schema; this is what the modules stand on, and what
programs use beside them.
"""

import importlib
from typing import TYPE_CHECKING, Any

from .access.access import Access
from .access.file import AccessFileError
from .aio.client import Duplex, Streaming
from .aio.middleware import (
    ClientMiddleware,
    ClientNext,
    ClientRequest,
    ServerMiddleware,
    ServerNext,
    ServerRequest,
)
from .aio.server import ServedAs, Server, Service, serve
from .aio.tokens import TokenCheck, Tokens
from .blocking import BlockingDuplex, BlockingStreaming
from .builtin.health import HealthReporter
from .channel.retry import Retry
from .connect import Channel
from .context import Context
from .dynamic.client import connect
from .dynamic.reflection import Reflection
from .events.event_type import Position
from .events.progress import Live, Missed, SubscribeOptions
from .events.publisher import Publisher
from .events.subscription import BlockingSubscription, Subscription
from .identity import Identity
from .io.curve import ClientCurve, ServerCurve
from .options import CallOptions
from .register import Register
from .session.config import ClientLimits, ServerLimits
from .status import Cause, Code, DeclaredError, Outcome, Status, UnknownDeclaredError
from .values import Bytes, Duration, Enum, Ext, Struct, Timestamp, UnknownVariant, Value
from .version import __version__

__all__ = [
    "Access",
    "AccessFileError",
    "BlockingDuplex",
    "BlockingStreaming",
    "BlockingSubscription",
    "Bytes",
    "CallOptions",
    "Cause",
    "Channel",
    "ClientCurve",
    "ClientLimits",
    "ClientMiddleware",
    "ClientNext",
    "ClientRequest",
    "Code",
    "Context",
    "DeclaredError",
    "Duplex",
    "Duration",
    "Enum",
    "Ext",
    "HealthReporter",
    "Identity",
    "Live",
    "Missed",
    "Outcome",
    "Position",
    "Publisher",
    "Reflection",
    "Register",
    "Retry",
    "ServedAs",
    "Server",
    "ServerCurve",
    "ServerLimits",
    "ServerMiddleware",
    "ServerNext",
    "ServerRequest",
    "Service",
    "Status",
    "Streaming",
    "Struct",
    "SubscribeOptions",
    "Subscription",
    "Timestamp",
    "TokenCheck",
    "Tokens",
    "UnknownDeclaredError",
    "UnknownVariant",
    "Value",
    "__version__",
    "connect",
    "serve",
]

if TYPE_CHECKING:
    from . import json as json
    from . import middleware as middleware
    from . import testing as testing

_BESIDE = ("json", "middleware", "testing")


def __getattr__(name: str) -> Any:
    if name in _BESIDE:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module `zsvc` has no attribute `{name}`")
