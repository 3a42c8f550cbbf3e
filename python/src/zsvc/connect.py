"""`Channel`: the connections of a client, shared by its typed clients, for asyncio and for threads alike."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from .channel.core import Core, Setting
from .channel.retry import Retry
from .io.curve import ClientCurve
from .options import CallOptions, Maker
from .session.config import ClientLimits
from .status import Cause, Code, Outcome, Status

if TYPE_CHECKING:
    from .aio.middleware import ClientMiddleware
    from .events.progress import SubscribeOptions
    from .events.subscription import BlockingSubscription, Subscription

E = TypeVar("E")

ENDPOINTS = ("tcp://", "ipc://")


class Channel:
    """Connections to one or several servers that offer the same services.

    It connects as soon as it is made, and again when a connection is lost; calls wait for a connection within their
    deadlines. Each call goes to the live server with the fewest calls in flight. It may be used by any thread and any
    event loop. Close it, or use it in a `with` or `async with`.
    """

    def __init__(
        self,
        *endpoints: str,
        timeout: float | None = 30.0,
        retry: Retry | None = None,
        limits: ClientLimits | None = None,
        curve: ClientCurve | None = None,
        middleware: Sequence[ClientMiddleware] = (),
    ) -> None:
        """`timeout` is for calls without a stream, in seconds. `middleware` surrounds the calls of asyncio clients."""
        if not endpoints:
            raise ValueError("a channel has at least one endpoint, such as `tcp://127.0.0.1:7100`")
        for endpoint in endpoints:
            if not endpoint.startswith(ENDPOINTS):
                raise ValueError(f"`{endpoint}` is no endpoint: write `tcp://HOST:PORT` or `ipc://PATH`")
        self.endpoints = endpoints
        self.limits = limits or ClientLimits()
        self.middleware = tuple(middleware)
        self.maker = Maker(self.limits, retry or Retry(), timeout)
        self.core = Core(endpoints, Setting(self.limits, self.maker.retry, curve))
        self._is_closed = False

    @property
    def retries(self) -> int:
        """Number of calls that were made again."""
        return self.core.budget.taken

    @property
    def retries_denied(self) -> int:
        """Number of calls that were not made again for lack of budget."""
        return self.core.budget.denied

    async def ready(self, timeout: float = 5.0) -> None:
        """Waits for a connection. Raises `Status` if there is none in time, with the reason."""
        is_up = asyncio.Event()
        loop = asyncio.get_running_loop()

        def up() -> None:
            loop.call_soon_threadsafe(is_up.set)

        self.core.post(lambda: self.core.when_ready(up))
        try:
            await asyncio.wait_for(is_up.wait(), timeout)
        except (asyncio.TimeoutError, TimeoutError):
            raise self._not_connected(timeout) from None

    def wait_ready(self, timeout: float = 5.0) -> None:
        """As `ready`, for a thread."""
        is_up = threading.Event()
        self.core.post(lambda: self.core.when_ready(is_up.set))
        if not is_up.wait(timeout):
            raise self._not_connected(timeout)

    def _not_connected(self, timeout: float) -> Status:
        text = f"no connection within {timeout:g} s: {self.core.why_down()}"
        return Status(Code.UNAVAILABLE, text, outcome=Outcome.NOT_SENT, cause=Cause.NEVER_CONNECTED)

    def subscribe(self, event: type[E], options: SubscribeOptions | None = None, /, **keys: Any) -> Subscription[E]:
        """Returns a subscription, to be used in an `async with` or awaited: `channel.subscribe(Price, symbol="ACME")`.

        `keys` are the event's key fields, each with a value or a list of values; without any, every event comes. Raises
        `TypeError` for another name, or a class that is no event.
        """
        from .events.subscription import subscribe  # which needs channels

        return subscribe(self, event, options, keys)

    def subscribe_blocking(
        self, event: type[E], options: SubscribeOptions | None = None, /, **keys: Any
    ) -> BlockingSubscription[E]:
        """As `subscribe`, for a thread, and made when it returns. Raises `Status`, and `TimeoutError`."""
        from .events.subscription import subscribe_blocking

        return subscribe_blocking(self, event, options, keys)

    async def publish(self, event: Any, options: CallOptions | None = None) -> None:
        """Publishes an event by a router, which sends it to all who have subscribed there.

        It returns once the router has taken the event; who gets it is not said. Routers alone take events of clients,
        where a grant says so: a server publishes by a `Publisher`. Raises `Status`, and `TypeError` for a value that is
        no event.
        """
        from .events.publication import publish  # which needs channels

        await publish(self, event, options)

    def publish_blocking(self, event: Any, options: CallOptions | None = None) -> None:
        """As `publish`, for a thread."""
        from .events.publication import publish_blocking

        publish_blocking(self, event, options)

    def check_open(self) -> None:
        """Raises `Status` if the channel is closed."""
        if self._is_closed:
            raise Status(Code.CANCELLED, "the channel is closed", outcome=Outcome.NOT_SENT)

    def close(self) -> None:
        """Closes the connections. Calls in flight fail; what was sent has a second to leave."""
        if not self._is_closed:
            self._is_closed = True
            self.core.stop()

    async def aclose(self) -> None:
        """As `close`, without blocking the event loop."""
        await asyncio.get_running_loop().run_in_executor(None, self.close)

    def __enter__(self) -> Channel:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Channel:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<zsvc.Channel to {', '.join(self.endpoints)}>"
