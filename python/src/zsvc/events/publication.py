"""Publishing an event from a client, by a router."""

from __future__ import annotations

from typing import Any

from ..aio.client import AsyncClient
from ..blocking import BlockingClient
from ..connect import Channel
from ..options import CallOptions
from .event_type import find


async def publish(channel: Channel, event: Any, options: CallOptions | None) -> None:
    """Publishes an event, and returns once the router has taken it. Raises `Status`."""
    await AsyncClient(channel, options)._unary(find(type(event)).publish, event)


def publish_blocking(channel: Channel, event: Any, options: CallOptions | None) -> None:
    """As `publish`, for a thread."""
    BlockingClient(channel, options)._unary(find(type(event)).publish, event)
