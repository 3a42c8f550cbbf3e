"""Middleware: code around every call, as async callables."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from ..context import Context
from ..method import Method
from ..options import CallOptions


@dataclass
class ClientRequest:
    """A call that a client is about to make. Middleware may change its values and options."""

    method: Method[Any]
    """The method."""
    values: list[Any]
    """The parameters, in their order."""
    options: CallOptions
    """What the caller has said."""


ClientNext: TypeAlias = Callable[[ClientRequest], Awaitable[Any]]
"""Goes on with a call, and returns its answer. For a method that answers with a stream, that is an object which stands
for the stream, which has just begun: return it as it is."""

ClientMiddleware: TypeAlias = Callable[[ClientRequest, ClientNext], Awaitable[Any]]
"""Surrounds the calls of a channel."""


@dataclass
class ServerRequest:
    """A call that has come."""

    context: Context
    """What is known of the call besides its parameters."""
    method: Method[Any]
    """The method."""


ServerNext: TypeAlias = Callable[[ServerRequest], Awaitable[Any]]
"""Reads the parameters, runs the handler, and returns its answer: `None` for a method that answers with a stream, once
that has ended."""

ServerMiddleware: TypeAlias = Callable[[ServerRequest, ServerNext], Awaitable[Any]]
"""Surrounds the handlers of a server."""
