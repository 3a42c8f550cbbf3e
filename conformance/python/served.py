"""The service of the conformance suite, in Python."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import zsvc
from generated.conformance import v1 as c


class Journal:
    """What has happened to handlers, and the gates at which they wait."""

    def __init__(self) -> None:
        self._lines: list[tuple[str, str]] = []
        self._open: set[str] = set()
        self._changed = asyncio.Condition()

    async def write(self, name: str, what: str) -> None:
        """Adds what has happened to a handler."""
        self._lines.append((name, what))
        async with self._changed:
            self._changed.notify_all()

    async def open(self, name: str) -> None:
        """Opens a gate."""
        self._open.add(name)
        async with self._changed:
            self._changed.notify_all()

    async def gate(self, name: str) -> None:
        """Waits at a gate; writes that the handler has begun, and how it has gone on."""
        await self.write(name, "begun")
        try:
            async with self._changed:
                await self._changed.wait_for(lambda: name in self._open)
        except asyncio.CancelledError:
            await asyncio.shield(asyncio.ensure_future(self.write(name, "cancelled")))
            raise
        await self.write(name, "ended")

    async def until(self, name: str, what: str) -> None:
        """Waits until something has happened to a handler."""
        async with self._changed:
            await self._changed.wait_for(lambda: (name, what) in self._lines)

    def count(self, name: str) -> int:
        """Returns how often handlers of a name have begun."""
        return self._lines.count((name, "begun"))


class Served(c.Conformance):
    """The service."""

    def __init__(self) -> None:
        self.journal = Journal()
        self.ticks, self.beats = zsvc.Publisher(c.Tick), zsvc.Publisher(c.Beat)

    async def echo(self, context, shape):
        return shape

    async def describe(self, context, shape):
        return described(shape)

    async def optional(self, context, number, text, any):
        return [number, text, any]

    async def ping(self, context):
        pass

    async def put(self, context, chest):
        return chest.level

    async def bounded(self, context, text, number, list):
        return len(text)

    async def fail(self, context, code, message):
        raise zsvc.Status(zsvc.Code(code), message)

    async def refuse(self, context, number):
        if number > 1:
            raise c.BrokenPart(part=number)
        raise c.RefusedBecause(why="so") if number else c.RefusedFlatly()

    async def blow_up(self, context):
        raise KeyError("as a case asks for")

    async def look(self, context):
        left = context.time_left()
        texts = {name: value for name, value in context.metadata.items() if isinstance(value, str)}
        blobs = {name: value for name, value in context.metadata.items() if not isinstance(value, str)}
        seconds = 0 if left is None else int(-(-left // 1))
        return c.Seen(has_deadline=left is not None, seconds_left=seconds, texts=texts, blobs=blobs)

    async def tell(self, context, names):
        for name, value in names.items():
            context.send_metadata(name, value)
        return len(names)

    async def fill(self, context, size):
        return b"\x07" * size

    async def hold(self, context, name):
        await self.journal.gate(name)
        return name

    hold_briefly = hold_latest = hold_in_turn = hold_once = hold

    async def open(self, context, name):
        await self.journal.open(name)

    async def until(self, context, name, what):
        await self.journal.until(name, what)

    async def again(self, context, name, times, code):
        await self.journal.write(name, "begun")
        count = self.journal.count(name)
        if count <= times:
            raise zsvc.Status(zsvc.Code(code), "not yet")
        return count

    once = again

    async def count(self, context, to) -> AsyncIterator[int]:
        for number in range(to):
            yield number

    async def pour(self, context, items, size) -> AsyncIterator[bytes]:
        for _ in range(items):
            yield b"\x07" * size

    async def break_off(self, context, after) -> AsyncIterator[int]:
        for number in range(after):
            yield number
        raise c.RefusedFlatly()

    async def hold_stream(self, context, name) -> AsyncIterator[int]:
        yield 0
        await self.journal.gate(name)
        yield 1

    async def sum(self, context, items):
        return sum([item async for item in items])

    async def sum_first(self, context, count, items):
        total = 0
        while count:
            total += await items.__anext__()
            count -= 1
        return total

    async def hold_items(self, context, name, items):
        await self.journal.gate(name)
        return sum([len(item) async for item in items])

    async def mirror(self, context, items) -> AsyncIterator[c.Shape]:
        async for item in items:
            yield item

    async def publish_tick(self, context, tick):
        self.ticks.send(tick)

    async def publish_beat(self, context, beat):
        self.beats.send(beat)

    async def forget_tick(self, context, name):
        return self.ticks.forget(c.Tick(name=name, number=0))

    async def note(self, context, text):
        await self.journal.write(text, "begun")


def described(shape: c.Shape) -> str:
    """Returns a value as the suite's text, made from what a program sees of it."""
    if isinstance(shape, zsvc.UnknownVariant):
        return f"unknown {shape.number}"
    name = type(shape).__name__.removeprefix("Shape")
    return name if isinstance(shape, c.ShapeNothing) else f"{name} {_text(shape.value)}"


def _text(value: Any) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "true" if value else "false"
        case c.Side():
            return value.name.capitalize() if value.is_known else str(int(value))
        case int() | str():
            return str(value)
        case float():
            return f"{value:.3f}"
        case memoryview() | bytes():
            return f"{len(value)} {bytes(value[:8]).hex()}"
        case zsvc.Timestamp() | zsvc.Duration():
            return str(value.ns)
        case list():
            return ",".join(map(_text, value))
        case set():
            return ",".join(map(_text, sorted(value)))
        case dict():
            return ",".join(f"{_text(key)}={_text(value[key])}" for key in sorted(value))
        case c.Trade():
            return " ".join(map(_text, (value.symbol, value.size, value.venue, value.lot)))
        case c.Far():
            return " ".join(map(_text, (value.name, value.size, value.lot, value.note)))
        case c.Tree():
            return str(_trees(value))
    return _order(value) or str(value)


def _order(order: Any) -> str:
    match order:
        case c.OrderLimit():
            return " ".join(["Limit", *map(_text, (order.symbol, order.side, order.note))])
        case c.OrderMarket(trade):
            return f"Market {_text(trade)}"
        case c.OrderCancelAll():
            return "CancelAll"
        case c.OrderLoose(first=first, second=second):
            return f"Loose {_text(first)} {_text(second)}"
        case c.OrderSpread(near=near, far=far):
            return f"Spread {_text(near)} {_text(far)}"
        case zsvc.UnknownVariant(number):
            return f"unknown {number}"
    return ""


def _trees(tree: c.Tree) -> int:
    return 1 + sum(map(_trees, tree.branches))
