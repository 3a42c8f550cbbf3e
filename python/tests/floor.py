"""Services that tests serve: the tape, shapes that come back, and a probe for what handlers see."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

from generated.market import v1 as market
from generated.money.v1 import Amount
from generated.probe import v1 as probe
from generated.shapes import v1 as shapes

import zsvc

LONG = 100_000
"""Characters of the symbol that `poll` answers `LONG` with."""
NOON = zsvc.Timestamp(1_772_366_400_250_000_000)


def trade(symbol: str) -> market.Trade:
    """Returns the trade that the listings of the protocol have."""
    if symbol == "NOPE":
        raise market.TapeErrorUnknownSymbol(symbol=symbol)
    price = Amount(units=12345, scale=2, currency="EUR")
    flags, attributes = [market.Flag.ODD], {"desk": "7"}
    return market.Trade(symbol=symbol, price=price, size=300, at=NOON, flags=flags, attributes=attributes)


class Floor(market.Tape):
    """The tape."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.ended: list[str] = []
        self.release = asyncio.Event()
        self.slow = 0
        """Number of handlers of `SLOW` that have begun."""

    async def last(self, context: zsvc.Context, symbol: str) -> market.Trade:
        if symbol == "SLOW":
            self.slow += 1
            try:
                await self.release.wait()
            except asyncio.CancelledError:
                self.ended.append(str(context.cancel_reason))
                raise
        if symbol == "BUSY":
            time.sleep(3)
        if symbol == "BUG":
            raise KeyError(symbol)
        if symbol == "STATUS":
            raise zsvc.Status(zsvc.Code.NOT_FOUND, "not here", outcome=zsvc.Outcome.NOT_SENT)
        if symbol == "WRONG":
            raise shapes.AmissNoShape(number=1)
        if symbol == "BAD":
            return trade("A" * 10).__class__(
                symbol=symbol, price=Amount(units=0, scale=300), size=1, at=NOON, flags=[], attributes={}
            )
        made = trade(symbol)
        made.venue = context.text("tenant")
        if made.venue is not None:
            context.send_metadata("venue", made.venue)
        return made

    async def watch(self, context: zsvc.Context, symbols: list[str]) -> AsyncIterator[market.Trade]:
        try:
            for symbol in symbols:
                while symbol == "FOREVER":
                    yield trade(symbol)
                yield trade(symbol)
        finally:
            self.ended.append("watch")

    async def import_(self, context: zsvc.Context, account: str, trades: AsyncIterator[market.Trade]) -> int:
        if account == "missing":
            raise zsvc.Status(zsvc.Code.NOT_FOUND, "no such account")
        if account == "deaf":
            await self.release.wait()
        size = 0
        async for it in trades:
            size += it.size
        return size

    async def converse(self, context: zsvc.Context, orders: AsyncIterator[market.Order]) -> AsyncIterator[market.Trade]:
        async for order in orders:
            match order:
                case market.OrderLimit(symbol=symbol):
                    yield trade(symbol)
                case market.OrderMarket(value):
                    yield trade(value.symbol)
                case market.OrderCancelAll():
                    pass
                case zsvc.UnknownVariant(number):
                    raise zsvc.Status(zsvc.Code.UNIMPLEMENTED, f"orders of kind {number} are not traded")

    async def ping(self, context: zsvc.Context) -> None:
        pass

    async def poll(self, context: zsvc.Context, symbol: str) -> list[market.Trade]:
        return [trade("x" * LONG if symbol == "LONG" else symbol)]

    async def note(self, context: zsvc.Context, text: str) -> None:
        self.notes.append(text)


class Mirror(shapes.Shapes):
    """Returns what it is given."""

    async def echo(self, context: zsvc.Context, shape: shapes.Shape) -> shapes.Shape:
        return shape

    async def fail(self, context: zsvc.Context, number: int) -> None:
        if number == 0:
            raise market.TapeErrorHalted
        raise shapes.AmissNoShape(number=number)


__all__ = ["LONG", "NOON", "Floor", "Mirror", "probe", "trade"]
