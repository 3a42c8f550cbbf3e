"""The driver of the package `zsvc` for Python. `docs/conformance.md` says what it is told, and what it tells."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
from typing import Any

import zsvc
from generated.conformance import v1 as c
from msgspec import msgpack
from served import Served
from zsvc.codec.body import decode, decode_with, encode
from zsvc.codec.form import Form
from zsvc.codec.writer import Body
from zsvc.events.event_type import find
from zsvc.method import Method
from zsvc.session.config import Kind

METHODS: dict[str, Method[Any]] = {method.short_name: method for method in c.Conformance.__zsvc_methods__}
EVENTS: dict[str, type[Any]] = {"Tick/subscribe": c.Tick, "Beat/subscribe": c.Beat}
MAX = 1 << 30


def tell(of: str, **what: Any) -> None:
    """Writes a line."""
    sys.stdout.write(json.dumps({"of": of, **what}) + "\n")
    sys.stdout.flush()


def read(form: Form, data: str) -> Any:
    """Returns the value that bytes stand for."""
    return decode(form, Body(bytes.fromhex(data), [], []), max_body=MAX)


def written(form: Form | None, value: Any) -> str:
    """Returns the bytes of a value."""
    return "c0" if form is None else encode(form, value).joined().hex()


class Calling:
    """A call that was made."""

    def __init__(self, of: str, client: c.ConformanceClient, order: dict[str, Any]) -> None:
        self.of = of
        self.method = METHODS[order["method"]]
        self.metadata: dict[str, Any] = {}
        options = {name: order[name] for name in ("timeout", "retry", "delivered") if name in order}
        metadata = {
            name: bytes.fromhex(value["hex"]) if isinstance(value, dict) else value
            for name, value in order.get("metadata", {}).items()
        }
        client = client.with_options(response_metadata=self.metadata, metadata=metadata, **options)
        body = Body(bytes.fromhex(order["body"]), [], [])
        self.values = decode_with(self.method.parameters.read, body, max_body=MAX, bounds=False)
        self.function = getattr(client, self.method.handler)
        self.items: asyncio.Queue[Any] = asyncio.Queue()
        self.steps = asyncio.Semaphore(0 if order.get("read") is False else MAX)
        self.stream: Any = None
        self.task = asyncio.ensure_future(self.run())

    async def run(self) -> None:
        """Makes the call, and tells what becomes of it."""
        try:
            await self.make()
        except asyncio.CancelledError:
            pass
        except zsvc.DeclaredError as error:
            self.tell_metadata()
            tell(self.of, what="error", text=declared(error), outcome=error.outcome.name.lower())
        except zsvc.Status as status:
            self.tell_metadata()
            tell_failure(self.of, status)

    def tell_metadata(self) -> None:
        """Tells what has come beside the answer."""
        if self.metadata:
            names = {
                name: value if isinstance(value, str) else {"hex": bytes(value).hex()}
                for name, value in self.metadata.items()
            }
            tell(self.of, what="metadata", names=names)

    async def make(self) -> None:
        """Makes the call as its method's kind is made."""
        kind = self.method.kind
        if kind.answers_items:
            async with self.function(*self.values) as self.stream:
                sending = asyncio.ensure_future(self.send_items()) if kind.takes_items else None
                try:
                    await self.read_items()
                finally:
                    if sending is not None:
                        sending.cancel()
            return
        arguments = [*self.values, self.sent()] if kind is Kind.CLIENT_STREAM else self.values
        answer = await self.function(*arguments)
        self.tell_metadata()
        tell(self.of, what="answer", body=written(self.method.answer, answer))

    async def read_items(self) -> None:
        """Reads the answers as it is told to."""
        while True:
            await self.steps.acquire()
            try:
                item = await self.stream.__anext__()
            except StopAsyncIteration:
                break
            tell(self.of, what="item", body=written(self.method.answer, item))
        self.tell_metadata()
        tell(self.of, what="end")

    async def sent(self) -> Any:
        """Yields the items that it is told to send."""
        while (item := await self.items.get()) is not None:
            yield read(self.method.item, item)

    async def send_items(self) -> None:
        """Sends the items that it is told to, on a call that streams both ways."""
        with contextlib.suppress(zsvc.Status, zsvc.DeclaredError):
            async for item in self.sent():
                await self.stream.send(item)
            await self.stream.finish()


def tell_failure(of: str, status: zsvc.Status) -> None:
    """Tells how a call has failed."""
    cause = status.cause.name.lower() if status.cause else None
    names = {"code": status.code.name.lower(), "outcome": status.outcome.name.lower(), "cause": cause}
    tell(of, what="failed", message=status.message, **names)


def declared(error: zsvc.DeclaredError) -> str:
    """Returns a declared error as the suite's text."""
    match error:
        case c.RefusedBecause():
            return f"Because {error.why}"
        case c.RefusedFlatly():
            return "Flatly"
        case c.BrokenPart():
            return f"Part {error.part}"
        case c.RefusedUnknown() | c.BrokenUnknown():
            return f"unknown {error.number}"
        case zsvc.UnknownDeclaredError():
            return f"unknown {error.error_number}"
    return f"what is {error!r}"


class Subscribing:
    """A subscription."""

    def __init__(self, of: str, client: c.ConformanceClient, order: dict[str, Any]) -> None:
        self.of = of
        event = EVENTS[order["method"]]
        self.form = find(event).form
        filter, since = [*msgpack.decode(bytes.fromhex(order["body"])), None, None][:2]
        keys = {key.number: key for key in find(event).keys}
        wanted = {
            keys[number].attr: [c.Side(value) if keys[number].attr == "side" else value for value in values]
            for number, values in (filter or {}).items()
        }
        options = zsvc.SubscribeOptions(since=None if since is None else zsvc.Position(*since))
        self.subscription = client.channel.subscribe(event, options, **wanted)
        self.steps = asyncio.Semaphore(0 if order.get("read") is False else MAX)
        self.task = asyncio.ensure_future(self.run())

    async def run(self) -> None:
        """Reads events, and tells them."""
        try:
            async with self.subscription:
                while True:
                    await self.steps.acquire()
                    tell(self.of, what="item", body=self.shown(await self.subscription.__anext__()))
        except asyncio.CancelledError:
            pass
        except zsvc.Status as status:
            tell_failure(self.of, status)

    def shown(self, delivery: Any) -> str:
        """Returns what has come as the suite has it."""
        if isinstance(delivery, zsvc.Missed):
            return msgpack.encode([2, delivery.count]).hex()
        if isinstance(delivery, zsvc.Live):
            return msgpack.encode([3, None]).hex()
        return "9201" + written(self.form, delivery)


class Driver:
    """The servers, clients and calls that there are."""

    def __init__(self) -> None:
        self.servers: dict[str, zsvc.Server] = {}
        self.clients: dict[str, c.ConformanceClient] = {}
        self.calls: dict[str, Calling | Subscribing] = {}
        self.tasks: set[asyncio.Future[Any]] = set()

    async def do(self, order: dict[str, Any]) -> None:
        """Does what a line says."""
        do, of = order["do"], order["of"]
        if do == "serve":
            served = Served()
            limits = zsvc.ServerLimits(**order["options"])
            server = zsvc.Server(served, bind="tcp://127.0.0.1:*", limits=limits, events=[served.ticks, served.beats])
            await server.start()
            self.servers[of] = server
            tell(of, endpoint=server.endpoints[0])
        elif do == "drain":
            self.later(self.servers[of].drain())
        elif do == "stop":
            self.later(self.servers.pop(of).stop())
        elif do == "connect":
            options = dict(order["options"])
            retry = None if options.pop("retry", True) else zsvc.Retry.none()
            timeout = options.pop("timeout", 30.0)
            limits = zsvc.ClientLimits(**options)
            self.clients[of] = c.ConformanceClient.connect(
                order["endpoint"], retry=retry, timeout=timeout, limits=limits
            )
        elif do == "close":
            self.later(self.clients.pop(of).aclose())
        elif do == "call":
            make = Subscribing if order["method"] in EVENTS else Calling
            self.calls[of] = make(of, self.clients[order["client"]], order)
        else:
            self.of_call(self.calls[of], do, order)

    def of_call(self, call: Any, do: str, order: dict[str, Any]) -> None:
        """Goes on with a call."""
        if do == "send":
            call.items.put_nowait(order["item"])
        elif do == "finish":
            call.items.put_nowait(None)
        elif do == "read":
            call.steps.release()
        elif do == "cancel":
            call.task.cancel()

    def later(self, work: Any) -> None:
        """Does something beside the next lines."""
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)


async def main() -> None:
    """Does what lines say, until there are no more."""
    loop = asyncio.get_running_loop()
    driver = Driver()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        await driver.do(json.loads(line))
    for client in driver.clients.values():
        await client.aclose()
    for server in driver.servers.values():
        await server.stop()


if __name__ == "__main__":
    # What handlers raise is a case's wish, and no news.
    logging.getLogger("zsvc").setLevel(logging.CRITICAL)
    asyncio.run(main())
