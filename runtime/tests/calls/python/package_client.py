"""Calls every kind of method of a server in Rust with the package `zsvc`: `python package_client.py ENDPOINT`.

Prints what it does, line by line, and stops with a traceback at the first unexpected result.
"""

import asyncio
import random
import sys
import uuid

import zsvc
from floor import trade
from generated.market import v1 as market
from generated.money.v1 import Amount
from generated.shapes import v1 as shapes
from zsvc.aio.client import Call
from zsvc.aio.middleware import ClientRequest
from zsvc.options import CallOptions

ENOUGH = 5_000


async def unary(tape):
    assert await tape.last("ACME") == trade("ACME")
    await tape.ping()
    assert (await tape.with_options(metadata={"tenant": "7"}).last("META")).venue == "7"


def random_shape(randomness, depth=0):
    """Returns a value of any variant."""
    bits, text = randomness.getrandbits, lambda: "".join(randomness.choice("aé€😀 ") for _ in range(randomness.randrange(50)))
    amount = Amount(units=bits(64) - (1 << 63), scale=bits(8), currency=randomness.choice([None, text()]))
    side = market.Side(randomness.choice([1, 2, 25, 1 << 20]))
    ns = (bits(randomness.choice([30, 40, 62])) - (1 << 29)) * 1000 + bits(8)
    a_trade = market.Trade(
        symbol=text(), price=amount, size=bits(32), at=zsvc.Timestamp(ns), venue=randomness.choice([None, text()]),
        flags=[market.Flag(bits(2) + 1) for _ in range(3)], attributes={text(): text() for _ in range(5)}, lot=bits(32),
    )
    value = {"a": [None, True, -bits(40), bits(64), randomness.random(), text(), bytes(bits(9)), zsvc.Ext(bits(6), b"abcd")]}
    order = randomness.choice([
        market.OrderLimit(symbol=text(), side=side, limit=amount),
        market.OrderMarket(market.MarketOrder(symbol=text(), side=side, size=bits(32))),
        market.OrderCancelAll(),
        zsvc.UnknownVariant(9, bytes.fromhex("8201ca3fc00000a161cdffff")),
    ])
    tree = shapes.Tree(branches=[shapes.Tree(branches=[shapes.Tree(branches=[])] * bits(2))] * bits(2))
    return randomness.choice([
        shapes.ShapeBool(bool(bits(1))), shapes.ShapeU8(bits(8)), shapes.ShapeU64(bits(64)),
        shapes.ShapeI64((bits(64) - (1 << 63)) >> bits(6)), shapes.ShapeF32(bits(10) / 8), shapes.ShapeF64(randomness.random()),
        shapes.ShapeText(text()), shapes.ShapeBlob(bytes(bits(randomness.choice([4, 9, 17])))), shapes.ShapeTime(zsvc.Timestamp(ns)),
        shapes.ShapeSpan(zsvc.Duration(bits(64) >> bits(6))), shapes.ShapeId(uuid.UUID(int=bits(128))), shapes.ShapeAny(value),
        shapes.ShapeNumbers([bits(32) >> bits(5) for _ in range(bits(6))]),
        shapes.ShapeByName({text(): bits(32) for _ in range(10)}),
        shapes.ShapeBySide({market.Side(number): bool(bits(1)) for number in (30, 2, 7, 1)}),
        shapes.ShapeMaybes([randomness.choice([None, bits(20)]) for _ in range(bits(4))]),
        shapes.ShapeAmount(amount), shapes.ShapeTrade(a_trade), shapes.ShapeSide(side), shapes.ShapeOrder(order),
        shapes.ShapeTree(tree),
    ])


async def shapes_come_back_to_the_byte(tape):
    """What the server has read and written again are the very bytes that were sent."""
    randomness = random.Random(11)
    seen = set()
    for _ in range(600):
        shape = random_shape(randomness)
        seen.add(type(shape))
        call = Call(tape.channel, ClientRequest(shapes._Shapes_echo, [shape], CallOptions()))
        sent = call.pending.spec.body.joined()
        body = await call.wait()
        assert sent[:1] == b"\x91", sent
        assert body.joined() == sent[1:], (shape, sent.hex(), body.joined().hex())
    assert len(seen) == 21, seen


async def failure(call):
    """Returns the exception that a call raises."""
    try:
        await call
    except (zsvc.DeclaredError, zsvc.Status) as error:
        return error
    raise AssertionError("the call should have failed")


async def errors(tape):
    error = await failure(tape.last("NOPE"))
    assert isinstance(error, market.TapeErrorUnknownSymbol) and error.symbol == "NOPE", error
    assert str(error) == "no such symbol: NOPE"
    error = await failure(tape.last(""))
    assert (error.code, error.outcome) == (zsvc.Code.INVALID_ARGUMENT, zsvc.Outcome.NOT_SENT), error
    mirror = shapes.ShapesClient(tape.channel)
    assert isinstance(await failure(mirror.fail(0)), market.TapeError)
    error = await failure(mirror.fail(5))
    assert isinstance(error, shapes.AmissNoShape) and error.number == 5, error


async def deadline(tape):
    error = await failure(tape.with_options(timeout=0.05).last("SLOW"))
    assert error.code is zsvc.Code.DEADLINE_EXCEEDED, error


async def streams(tape):
    trades = [it async for it in tape.watch(["ACME", "INIT"] * ENOUGH)]
    assert len(trades) == 2 * ENOUGH and trades[1] == trade("INIT")
    async with tape.watch(["FOREVER"]) as stream:
        assert await stream.__anext__() == trade("FOREVER")
    assert await tape.import_("desk", (trade("ACME") for _ in range(ENOUGH))) == 300 * ENOUGH


async def both_ways(tape):
    async with tape.converse() as call:
        amount = Amount(units=5, scale=2)
        await call.send(market.OrderLimit(symbol="ACME", side=market.Side.SELL, limit=amount))
        assert await call.__anext__() == trade("ACME")
        await call.finish()
        assert [it async for it in call] == []


def blocking(endpoint):
    with market.TapeBlockingClient.connect(endpoint) as tape:
        assert tape.last("ACME") == trade("ACME")
        assert sum(1 for _ in tape.watch(["ACME"] * ENOUGH)) == ENOUGH


async def main(endpoint):
    async with market.TapeClient.connect(endpoint) as tape:
        steps = [
            ("unary", unary), ("shapes", shapes_come_back_to_the_byte), ("errors", errors), ("deadline", deadline),
            ("streams", streams), ("both ways", both_ways),
        ]
        for name, step in steps:
            await step(tape)
            print(name)
        await asyncio.to_thread(blocking, endpoint)
        print("blocking")
        await tape.with_options(delivered=True).note("from python")
        print("one_way")
    print("done")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
