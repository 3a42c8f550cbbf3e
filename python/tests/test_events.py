"""Publishing and subscribing, over sockets."""

import asyncio
import contextlib
import os
import threading
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from conftest import run
from floor import Floor
from generated.exchange import v1 as exchange
from generated.market import v1 as market

import zsvc
from zsvc import Code, Live, Missed, Outcome, Status

Delivery = Any


def price(symbol: str, cents: int = 0) -> exchange.Price:
    return exchange.Price(symbol=symbol, cents=cents)


@contextlib.asynccontextmanager
async def serving(*publishers: zsvc.Publisher[Any], **options: Any) -> AsyncIterator[tuple[zsvc.Channel, zsvc.Server]]:
    server = zsvc.Server(events=publishers, bind="tcp://127.0.0.1:*", **options)
    await server.start()
    try:
        async with zsvc.Channel(*server.endpoints) as channel:
            yield channel, server
    finally:
        await server.stop()


async def until(condition: Any) -> None:
    while not condition():
        await asyncio.sleep(0.01)


async def some(subscription: zsvc.Subscription[Any], count: int) -> list[Delivery]:
    return [await subscription.__anext__() for _ in range(count)]


@run
async def test_kept_events_come_first_and_then_each_as_it_is_published() -> None:
    prices = zsvc.Publisher(exchange.Price)
    for index, symbol in enumerate(["ACME", "INIT", "ACME"]):
        prices.send(price(symbol, index))
    async with serving(prices) as (channel, _):
        async with channel.subscribe(exchange.Price) as all_of_them:
            assert prices.subscribers == 1
            prices.send(price("NEWS", 9))
            assert await some(all_of_them, 4) == [price("INIT", 1), price("ACME", 2), Live(), price("NEWS", 9)]
        few = await channel.subscribe(exchange.Price, symbol=["ACME", "NEWS"])
        assert await some(few, 3) == [price("ACME", 2), price("NEWS", 9), Live()]
        prices.send(price("INIT", 10))
        prices.send(price("ACME", 11))
        assert await some(few, 1) == [price("ACME", 11)]
        await few.aclose()
        await until(lambda: prices.subscribers == 0)
        assert [it async for it in few] == [], "nothing comes after the end"
    assert (prices.sent, prices.kept) == (6, 3)


@run
async def test_events_can_be_sent_from_threads() -> None:
    halts = zsvc.Publisher(exchange.Halt)
    async with serving(halts) as (channel, _):
        async with channel.subscribe(exchange.Halt) as subscription:
            assert await some(subscription, 1) == [Live()]

            def send() -> None:
                for it in range(100):
                    halts.send(exchange.Halt(reason=str(it)))

            threads = [threading.Thread(target=send) for _ in range(4)]
            for thread in threads:
                thread.start()
            found = await some(subscription, 400)
            assert sorted(it.reason for it in found) == sorted(4 * [str(it) for it in range(100)])
            for thread in threads:
                thread.join()


@run
async def test_a_subscription_goes_on_after_its_connection_was_lost() -> None:
    prices = zsvc.Publisher(exchange.Price)
    async with serving(prices) as (channel, server):
        async with channel.subscribe(exchange.Price) as subscription:
            prices.send(price("A", 1))
            assert await some(subscription, 2) == [Live(), price("A", 1)]
            await server.stop()
            await until(lambda: prices.subscribers == 0)
            for cents in (2, 3):
                prices.send(price("A", cents))
            again = zsvc.Server(events=[prices], bind=server.endpoints[0])
            await again.start()
            assert await some(subscription, 3) == [price("A", 2), price("A", 3), Live()]
            await again.stop()
            anew = zsvc.Publisher(exchange.Price)
            anew.send(price("B", 1))
            last = zsvc.Server(events=[anew], bind=server.endpoints[0])
            await last.start()
            assert await some(subscription, 3) == [Missed(None), price("B", 1), Live()]
            await last.stop()


@run
async def test_what_a_lost_subscriber_misses_is_counted() -> None:
    halts = zsvc.Publisher(exchange.Halt, max_recent=2)
    async with serving(halts) as (channel, _):
        subscription = await channel.subscribe(exchange.Halt)
        assert await some(subscription, 1) == [Live()]
        position = subscription.position
        assert position is not None
        await subscription.aclose()
        for number in range(5):
            halts.send(exchange.Halt(reason=str(number)))
        options = zsvc.SubscribeOptions(since=zsvc.Position(*position))
        async with channel.subscribe(exchange.Halt, options) as later:
            assert await some(later, 4) == [Missed(3), exchange.Halt(reason="3"), exchange.Halt(reason="4"), Live()]
            assert later.position == (position.epoch, 5)


@run
async def test_a_position_that_the_publisher_has_not_come_to_is_forgotten() -> None:
    halts = zsvc.Publisher(exchange.Halt)
    async with serving(halts) as (channel, _):
        subscription = await channel.subscribe(exchange.Halt)
        assert await some(subscription, 1) == [Live()]
        assert subscription.position is not None
        epoch = subscription.position.epoch
        await subscription.aclose()
        options = zsvc.SubscribeOptions(since=zsvc.Position(epoch, 1_000))
        async with channel.subscribe(exchange.Halt, options) as later:
            assert await some(later, 2) == [Missed(None), Live()]
            halts.send(exchange.Halt(reason="lunch"))
            assert await some(later, 1) == [exchange.Halt(reason="lunch")]
            assert later.position == (epoch, 1)


@run
async def test_a_server_that_drains_sends_what_waits_and_ends_its_subscriptions_at_once() -> None:
    prices = zsvc.Publisher(exchange.Price)
    async with serving(prices, limits=zsvc.ServerLimits(grace=20.0)) as (channel, server):
        async with channel.subscribe(exchange.Price) as subscription:
            prices.send(price("A", 1))
            await asyncio.wait_for(server.drain(), 10)
            assert await some(subscription, 2) == [Live(), price("A", 1)]
            again = zsvc.Server(events=[prices], bind=server.endpoints[0])
            await again.start()
            assert await some(subscription, 1) == [Live()]
            await again.stop()


@run
async def test_a_slow_subscriber_is_told_what_it_has_missed_and_holds_up_no_other() -> None:
    halts = zsvc.Publisher(exchange.Halt, max_waiting=64_000)
    async with serving(halts) as (channel, _):
        slow_channel = zsvc.Channel(*channel.endpoints, limits=zsvc.ClientLimits(stream_window=1))
        async with slow_channel, slow_channel.subscribe(exchange.Halt) as slow:
            async with channel.subscribe(exchange.Halt) as fast:
                assert await some(fast, 1) == [Live()]
                assert await some(slow, 1) == [Live()]
                text = "x" * 10_000
                for number in range(100):
                    halts.send(exchange.Halt(reason=f"{number} {text}"))
                    got = await some(fast, 1)
                    assert got[0].reason.split()[0] == str(number)
                halts.send(exchange.Halt())
                found: list[Any] = []
                while not found or found[-1] != exchange.Halt():
                    found += await some(slow, 1)
                missed = sum(it.count or 0 for it in found if isinstance(it, Missed))
                events = [it for it in found if isinstance(it, exchange.Halt)]
                assert missed > 0
                assert missed + len(events) == 101
                assert halts.dropped == missed


def fill(number: int, note: str = "") -> exchange.Fill:
    return exchange.Fill(
        account=uuid.UUID(int=number), side=exchange.Side.SELL, is_own=True, options=-number, note=note
    )


async def whose(token: str) -> zsvc.Identity | None:
    return {"d": zsvc.Identity("d", ["desk"]), "o": zsvc.Identity("o", ["other"])}.get(token)


def as_client(token: str) -> zsvc.SubscribeOptions:
    return zsvc.SubscribeOptions(metadata={"authorization": f"Bearer {token}"})


@run
async def test_a_subscription_ends_where_the_schema_says_so_even_while_it_waits_for_credit() -> None:
    fills = zsvc.Publisher(exchange.Fill, max_waiting=20_000)
    async with serving(fills, tokens=whose) as (channel, _):
        stuck = zsvc.Channel(*channel.endpoints, limits=zsvc.ClientLimits(stream_window=1))
        async with stuck, stuck.subscribe(exchange.Fill, as_client("d")) as subscription:
            assert await some(subscription, 1) == [Live()]
            while not fills.ended:
                fills.send(fill(1))
            await until(lambda: fills.subscribers == 0)
            with pytest.raises(Status) as caught:
                await some(subscription, 1_000_000)
            assert (caught.value.code, caught.value.outcome) == (Code.ABORTED, Outcome.EXECUTED)
            assert [it async for it in subscription] == []


@run
async def test_roles_and_filters_of_every_kind_of_key() -> None:
    fills = zsvc.Publisher(exchange.Fill)
    async with serving(fills, tokens=whose) as (channel, _):
        for options, code in [(None, Code.UNAUTHENTICATED), (as_client("o"), Code.PERMISSION_DENIED)]:
            with pytest.raises(Status) as caught:
                await channel.subscribe(exchange.Fill, options)
            assert (caught.value.code, caught.value.outcome) == (code, Outcome.NOT_SENT)
        account = uuid.UUID(int=1)
        keys = {"account": account, "side": exchange.Side.SELL, "is_own": True, "options": [-1, -2]}
        async with channel.subscribe(exchange.Fill, as_client("d"), **keys) as subscription:
            assert await some(subscription, 1) == [Live()]
            fills.send(fill(2))
            fills.send(fill(1))
            assert await some(subscription, 1) == [fill(1)]


@run
async def test_events_for_some_subscribers_alone() -> None:
    prices = zsvc.Publisher(exchange.Price)
    async with serving(prices, tokens=whose) as (channel, _):
        async with (
            channel.subscribe(exchange.Price, as_client("d")) as desk,
            channel.subscribe(exchange.Price, as_client("o")) as other,
        ):
            chosen = prices.to(lambda it: it.identity is not None and "desk" in it.identity.roles)
            chosen.send(price("A", 1))
            prices.send(price("B", 2))
            assert await some(desk, 3) == [Live(), price("A", 1), price("B", 2)]
            assert await some(other, 2) == [Live(), price("B", 2)]


@run
async def test_what_can_not_be_subscribed_to() -> None:
    prices = zsvc.Publisher(exchange.Price)
    async with serving(prices) as (channel, _):
        with pytest.raises(Status, match="there is no method") as caught:
            await channel.subscribe(exchange.Halt)
        assert (caught.value.code, caught.value.outcome) == (Code.UNIMPLEMENTED, Outcome.NOT_SENT)
        with pytest.raises(TypeError, match="no key field `symbl`; it has `symbol`"):
            channel.subscribe(exchange.Price, symbl="ACME")
        with pytest.raises(TypeError, match="`Trade` is no event"):
            channel.subscribe(market.Trade)
        with pytest.raises(TypeError, match="`int` is no event"):
            zsvc.Publisher(int)
        with pytest.raises(Status, match=r"symbol: expected a `str`, found `int`") as caught:
            await channel.subscribe(exchange.Price, symbol=5)
        assert caught.value.outcome is Outcome.NOT_SENT
    with pytest.raises(ValueError, match="served twice"):
        zsvc.Server(events=[prices, prices])
    with pytest.raises(ValueError, match="is for clients with a role"):
        zsvc.Server(events=[zsvc.Publisher(exchange.Fill)])


@run
async def test_a_filter_that_a_server_does_not_understand_is_refused() -> None:
    prices = zsvc.Publisher(exchange.Price)
    async with serving(prices) as (channel, _):
        subscription = channel.subscribe(exchange.Price)
        subscription._asking.filter = {1: ["x"] * 1025}
        with pytest.raises(Status, match="filter: the filter has more than 1024 values") as caught:
            await subscription
        assert (caught.value.code, caught.value.outcome) == (Code.INVALID_ARGUMENT, Outcome.NOT_SENT)


@run
async def test_events_that_can_not_be_sent() -> None:
    prices = zsvc.Publisher(exchange.Price, max_event_size=2_000)
    for wrong, code in [
        (price("x", -1), Code.INVALID_ARGUMENT),
        (price("x" * 3_000), Code.RESOURCE_EXHAUSTED),
        (price("x" * 1_500), Code.RESOURCE_EXHAUSTED),
    ]:
        with pytest.raises(Status) as caught:
            prices.send(wrong)
        assert (caught.value.code, caught.value.outcome) == (code, Outcome.NOT_SENT)
    assert (prices.sent, prices.kept) == (0, 0)


@run
async def test_an_event_that_the_server_can_not_send_is_missing() -> None:
    halts = zsvc.Publisher(exchange.Halt)
    async with serving(halts, limits=zsvc.ServerLimits(max_message_size=1_000)) as (channel, _):
        async with channel.subscribe(exchange.Halt) as subscription:
            halts.send(exchange.Halt(reason="x" * 1_000))
            halts.send(exchange.Halt(reason="short"))
            assert await some(subscription, 3) == [Live(), Missed(1), exchange.Halt(reason="short")]


@run
async def test_waiting_for_an_event_can_be_cancelled() -> None:
    prices = zsvc.Publisher(exchange.Price)
    seen: list[str] = []

    async def middleware(request: zsvc.ClientRequest, following: zsvc.ClientNext) -> Any:
        seen.append(request.method.name)
        return await following(request)

    async with serving(prices) as (channel, _):
        async with zsvc.Channel(*channel.endpoints, middleware=[middleware]) as other:
            async with other.subscribe(exchange.Price) as subscription:
                assert await some(subscription, 1) == [Live()]
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(subscription.__anext__(), 0.05)
                prices.send(price("A"))
                assert await some(subscription, 1) == [price("A")]
    assert seen == ["exchange.v1.Price/subscribe"]


@run
async def test_without_a_server_a_subscription_waits() -> None:
    prices = zsvc.Publisher(exchange.Price)
    async with zsvc.Channel("ipc:///tmp/zsvc-no-server") as channel:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(channel.subscribe(exchange.Price)._open(), 0.05)
        with pytest.raises(TimeoutError):
            channel.subscribe_blocking(exchange.Price, zsvc.SubscribeOptions(ready=0.05))
    with pytest.raises(Status, match="closed"):
        await channel.subscribe(exchange.Price)
    assert prices.subscribers == 0


@run
async def test_threads_subscribe_too() -> None:
    prices = zsvc.Publisher(exchange.Price)
    prices.send(price("A", 1))
    loop = asyncio.get_running_loop()
    async with serving(prices) as (channel, server):

        def first() -> list[Any]:
            with channel.subscribe_blocking(exchange.Price, symbol="A") as subscription:
                found = [next(subscription), next(subscription)]
                with pytest.raises(TimeoutError):
                    subscription.next(timeout=0.05)
                prices.send(price("B", 2))
                prices.send(price("A", 3))
                return [*found, subscription.next(timeout=20), subscription.position is not None]

        assert await loop.run_in_executor(None, first) == [price("A", 1), Live(), price("A", 3), True]
        await until(lambda: prices.subscribers == 0)

        opened = await loop.run_in_executor(None, lambda: channel.subscribe_blocking(exchange.Price))
        reading = loop.run_in_executor(None, lambda: list(opened))
        await until(lambda: prices.subscribers == 1)
        await server.stop()
        again = zsvc.Server(events=[prices], bind=server.endpoints[0])
        await again.start()
        await until(lambda: prices.subscribers == 1)
        prices.send(price("C", 4))
        await until(lambda: opened.position is not None and opened.position.sequence == 4)
        opened.close()
        found = await reading
        assert found[-1] == price("C", 4)
        assert found.count(Live()) == 2
        await again.stop()


@run
async def test_subscriptions_count_as_calls_and_leave_no_trace() -> None:
    prices = zsvc.Publisher(exchange.Price)
    async with serving(prices, limits=zsvc.ServerLimits(max_calls_per_peer=2)) as (channel, server):
        async with channel.subscribe(exchange.Price), channel.subscribe(exchange.Price):
            with pytest.raises(Status) as caught:
                await channel.subscribe(exchange.Price)
            assert caught.value.code is Code.RESOURCE_EXHAUSTED
        await until(lambda: prices.subscribers == 0 and not server._running)
        assert not server._at_drain


def test_a_fork_does_not_share_a_publisher() -> None:
    prices = zsvc.Publisher(exchange.Price)
    prices._process = os.getpid() + 1
    with pytest.raises(Status, match="before this process was forked"):
        prices.send(price("A"))


@run
async def test_a_service_and_events_share_a_server() -> None:
    prices = zsvc.Publisher(exchange.Price)
    async with zsvc.Server(Floor(), bind="tcp://127.0.0.1:*", events=[prices]) as server:
        async with zsvc.Channel(*server.endpoints) as channel:
            await market.TapeClient(channel).ping()
            async with channel.subscribe(exchange.Price) as subscription:
                assert await some(subscription, 1) == [Live()]
