"""Typed services over ZeroMQ: clients and servers from one schema.

`zsvc gen --lang python` makes a module for each package of a schema; this is what the modules stand on, and what
programs use beside them.
"""

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
from .blocking import BlockingDuplex, BlockingStreaming
from .channel.retry import Retry
from .connect import Channel
from .context import Context
from .io.curve import ClientCurve, ServerCurve
from .options import CallOptions
from .session.config import ClientLimits, ServerLimits
from .status import Cause, Code, DeclaredError, Outcome, Status, UnknownDeclaredError
from .values import Bytes, Duration, Enum, Ext, Struct, Timestamp, UnknownVariant, Value

__all__ = [
    "BlockingDuplex",
    "BlockingStreaming",
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
    "Outcome",
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
    "Timestamp",
    "UnknownDeclaredError",
    "UnknownVariant",
    "Value",
    "__version__",
    "serve",
]

__version__ = "0.1.0"
