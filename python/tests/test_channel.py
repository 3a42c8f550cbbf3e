"""Retries and their budget, overlapping calls, and two sessions that talk to each other."""

import asyncio
import itertools
import math
import threading
import time
from typing import Any

import pytest
from conftest import run
from floor import Floor, trade
from generated.market import v1 as market
from generated.probe import v1 as probe

import zsvc
from zsvc import Cause, ClientLimits, Code, Outcome, ServerLimits, Status
from zsvc.channel.retry import Attempts, Budget, Retry
from zsvc.codec.writer import Body
from zsvc.io.reactor import HasEnded, Reactor
from zsvc.session import client as c
from zsvc.session import peer as p
from zsvc.session.config import Kind
from zsvc.session.failure import Declared
from zsvc.session.server import ServerSession


def status(code: Code, outcome: Outcome, cause: Cause | None = None, retry_after: float | None = None) -> Status:
    return Status(code, "", outcome=outcome, cause=cause, retry_after=retry_after)


UNAVAILABLE, FULL = Code.UNAVAILABLE, Code.RESOURCE_EXHAUSTED


@pytest.mark.parametrize(
    ("failure", "is_idempotent", "is_repeated"),
    [
        (status(UNAVAILABLE, Outcome.NOT_SENT, Cause.GOING_AWAY), False, True),
        (status(UNAVAILABLE, Outcome.NOT_SENT, Cause.CONNECTION_LOST), False, True),
        (status(FULL, Outcome.NOT_SENT, Cause.OVERLOADED), False, True),
        (status(FULL, Outcome.NOT_SENT, Cause.TOO_LARGE), True, False),
        (status(UNAVAILABLE, Outcome.MAYBE_EXECUTED, Cause.CONNECTION_LOST), False, False),
        (status(UNAVAILABLE, Outcome.MAYBE_EXECUTED, Cause.CONNECTION_LOST), True, True),
        (status(UNAVAILABLE, Outcome.EXECUTED), True, True),
        (status(Code.DEADLINE_EXCEEDED, Outcome.MAYBE_EXECUTED), True, False),
        (status(Code.INVALID_ARGUMENT, Outcome.NOT_SENT), True, False),
        (Declared(b"", "", Outcome.EXECUTED), True, False),
    ],
)
def test_what_is_repeated(failure: Any, is_idempotent: bool, is_repeated: bool) -> None:
    attempts = Attempts(Retry(), is_idempotent=is_idempotent, size=0)
    assert (attempts.pause(failure, Budget(Retry(), 0), 0, None) is not None) == is_repeated
    once = Attempts(Retry.none(), is_idempotent=is_idempotent, size=0)
    assert once.pause(failure, Budget(Retry(), 0), 0, None) is None


def test_pauses_grow_and_stay_within_the_deadline() -> None:
    attempts = Attempts(Retry(attempts=100), is_idempotent=True, size=0)
    budget = Budget(Retry(), 0)
    pauses = [attempts.pause(status(UNAVAILABLE, Outcome.EXECUTED), budget, 0, None) or 0 for _ in range(8)]
    assert 0.025 <= pauses[0] <= 0.05
    assert 1.0 <= pauses[7] <= 2.0
    assert attempts.pause(status(UNAVAILABLE, Outcome.EXECUTED), budget, 0, 0.5) is None
    assert (attempts.pause(status(FULL, Outcome.NOT_SENT, None, 7.0), budget, 0, None) or 0) >= 7
    budget = Budget(Retry(), 0)
    assert attempts.pause(status(FULL, Outcome.NOT_SENT, None, 60.0), budget, 0, None) == 60
    taken = budget.taken
    for hint in (60.1, 1e13, math.inf):
        assert attempts.pause(status(FULL, Outcome.NOT_SENT, None, hint), budget, 0, None) is None
    assert budget.taken == taken


@pytest.mark.parametrize("first", [Outcome.MAYBE_EXECUTED, Outcome.EXECUTED])
def test_the_outcome_covers_all_attempts(first: Outcome) -> None:
    attempts = Attempts(Retry(attempts=2), is_idempotent=True, size=0)
    budget = Budget(Retry(), 0)
    assert attempts.pause(status(UNAVAILABLE, first), budget, 0, None) is not None
    last = status(UNAVAILABLE, Outcome.NOT_SENT)
    assert attempts.pause(last, budget, 0, None) is None
    assert last.outcome is Outcome.MAYBE_EXECUTED


def test_a_budget_bounds_retries() -> None:
    budget = Budget(Retry(percent=50, per_second=2), 0)
    assert [budget.take(0) for _ in range(3)] == [True, True, False]
    budget.count_call()
    assert not budget.take(0)
    budget.count_call()
    assert budget.take(0)
    assert budget.take(0.5)
    assert (budget.taken, budget.denied) == (4, 2)


def test_long_parameters_are_not_sent_over_and_over() -> None:
    attempts = Attempts(Retry(), is_idempotent=True, size=256 * 1024)
    lost = [status(UNAVAILABLE, Outcome.MAYBE_EXECUTED, Cause.CONNECTION_LOST) for _ in range(2)]
    budget = Budget(Retry(), 0)
    assert [attempts.pause(it, budget, 0, None) is not None for it in lost] == [True, False]


class Holding(probe.Probe):
    def __init__(self) -> None:
        self.held: list[str] = []
        self.gate = asyncio.Event()

    async def hold(self, context: zsvc.Context, name: str) -> str:
        self.held.append(name)
        await self.gate.wait()
        return name

    hold_in_turn = hold_latest = hold_once = hold


Holding.__abstractmethods__ = frozenset()


@run
async def test_overlapping_calls() -> None:
    holding = Holding()  # type: ignore[abstract]
    async with zsvc.Server(holding, bind="tcp://127.0.0.1:*") as server:
        async with probe.ProbeClient.connect(server.endpoints[0]) as client:

            async def held(name: str) -> None:
                while name not in holding.held:
                    await asyncio.sleep(0.01)

            first = asyncio.create_task(client.hold_latest("replaced"))
            await held("replaced")
            second = asyncio.create_task(client.hold_latest("latest"))
            with pytest.raises(Status) as caught:
                await first
            assert (caught.value.code, caught.value.outcome) == (Code.CANCELLED, Outcome.MAYBE_EXECUTED)
            once = asyncio.create_task(client.hold_once("once"))
            await held("once")
            with pytest.raises(Status) as caught:
                await client.hold_once("ignored")
            assert (caught.value.code, caught.value.outcome) == (Code.ABORTED, Outcome.NOT_SENT)
            queued = [asyncio.create_task(client.hold_in_turn(name)) for name in ("one", "two", "three")]
            await held("one")
            await asyncio.sleep(0.1)
            assert "two" not in holding.held
            holding.gate.set()
            assert await asyncio.gather(second, once, *queued) == ["latest", "once", "one", "two", "three"]
            assert holding.held[-3:] == ["one", "two", "three"]


@run
async def test_a_call_in_the_queue_has_its_deadline() -> None:
    holding = Holding()  # type: ignore[abstract]
    async with zsvc.Server(holding, bind="tcp://127.0.0.1:*") as server:
        async with probe.ProbeClient.connect(server.endpoints[0]) as client:
            first = asyncio.create_task(client.hold_in_turn("one"))
            await asyncio.sleep(0.1)
            with pytest.raises(Status) as caught:
                await client.with_options(timeout=0.1).hold_in_turn("two")
            assert caught.value.outcome is Outcome.NOT_SENT
            holding.gate.set()
            assert await first == "one"


@run
async def test_a_call_that_waits_for_its_turn_is_told_that_the_channel_was_closed() -> None:
    holding = Holding()  # type: ignore[abstract]
    async with zsvc.Server(holding, bind="tcp://127.0.0.1:*") as server:
        channel = zsvc.Channel(*server.endpoints)
        client = probe.ProbeClient(channel).with_options(timeout=None)
        names = [str(number) for number in range(5)]
        calls = [asyncio.create_task(client.hold_in_turn(name)) for name in names]
        while not holding.held:
            await asyncio.sleep(0.01)
        await channel.aclose()
        failures = await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 20)
        told = [(it.code, it.outcome) for it in failures if isinstance(it, Status)]
        assert told == [(Code.CANCELLED, Outcome.MAYBE_EXECUTED)] + [(Code.CANCELLED, Outcome.NOT_SENT)] * 4


class Failing(Holding):
    async def hold_again(self, context: zsvc.Context, name: str) -> str:
        raise Status(Code.UNAVAILABLE, "later", retry_after=50.0)


@run
async def test_a_call_in_its_pause_is_told_that_the_channel_was_closed() -> None:
    failing = Failing()  # type: ignore[abstract]
    async with zsvc.Server(failing, bind="tcp://127.0.0.1:*") as server:
        channel = zsvc.Channel(*server.endpoints)
        call = asyncio.create_task(probe.ProbeClient(channel).with_options(timeout=None).hold_again("a"))
        while not channel.retries:
            await asyncio.sleep(0.01)
        await channel.aclose()
        with pytest.raises(Status, match="the channel was closed") as caught:
            await asyncio.wait_for(call, 20)
        assert (caught.value.code, caught.value.cause) == (Code.CANCELLED, Cause.CLOSED)
        assert caught.value.outcome is Outcome.MAYBE_EXECUTED, "of its first attempt"
        assert not channel.core._pausing


@run
async def test_a_call_for_a_thread_that_has_ended_is_not_sent() -> None:
    channel = zsvc.Channel("tcp://127.0.0.1:1")
    # As where the call is made by one thread while another one closes the channel.
    channel.core.stop()
    tape, blocking = market.TapeClient(channel), market.TapeBlockingClient(channel)
    for call in (tape.last("ACME"), asyncio.to_thread(blocking.last, "ACME")):
        with pytest.raises(Status, match="the channel is closed") as caught:
            await asyncio.wait_for(call, 20)
        assert (caught.value.code, caught.value.outcome) == (Code.CANCELLED, Outcome.NOT_SENT)
    channel.close()


def test_a_thread_that_ends_calls_what_it_was_asked_for_or_says_that_it_does_not() -> None:
    reactor, last = Reactor("ends"), threading.Event()
    reactor.ends.append(lambda: reactor.call_soon(lambda: reactor.call_soon(last.set)))
    asked: list[int] = []
    called: list[int] = []

    def ask() -> None:
        for number in itertools.count():
            reactor.call_soon(lambda number=number: called.append(number))  # type: ignore[misc]
            asked.append(number)

    def until_the_end() -> None:
        with pytest.raises(HasEnded):
            ask()

    asking = threading.Thread(target=until_the_end)
    asking.start()
    while not called:
        time.sleep(0.001)
    reactor.stop()
    asking.join(20)
    assert not asking.is_alive()
    assert not reactor._thread.is_alive()
    assert last.is_set(), "also what it asks for itself in the end"
    assert called == asked
    assert not reactor._soon
    reactor.stop()


class Pair:
    """A client's session and a server's that hand each other messages on a clock of their own."""

    def __init__(self) -> None:
        self.now = 0.0
        self.client = c.ClientSession(ClientLimits(stream_window=70_000), 0)
        methods = [
            p.Method("S/unary", Kind.UNARY),
            p.Method("S/converse", Kind.BIDIRECTIONAL),
            p.Method("S/note", Kind.ONE_WAY),
        ]
        self.server = ServerSession(ServerLimits(stream_window=70_000), {it.name: it for it in methods})
        self.of_client: list[c.Event] = []
        self.of_server: list[p.Event] = []

    def settle(self) -> None:
        """Passes messages on until there is none."""
        moved = True
        while moved:
            moved = False
            while (frames := self.client.poll_message()) is not None:
                self.client.sent()
                self.server.receive([memoryview(b"\0abcd"), *[memoryview(frame) for frame in frames]], self.now)
                moved = True
            while (message := self.server.poll_message()) is not None:
                self.server.sent(message[0], self.now)
                self.client.receive([memoryview(frame) for frame in message[1]], self.now)
                moved = True
            while (event := self.client.poll_event()) is not None:
                self.of_client.append(event)
            while (happened := self.server.poll_event()) is not None:
                self.of_server.append(happened)

    def started(self) -> p.ServerCall:
        (event,) = [event for event in self.of_server if isinstance(event, p.Started)]
        return event.call

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.client.handle_timeout(self.now)
        self.server.handle_timeout(self.now)
        self.settle()


def spec(method: str, kind: Kind, deadline: float | None = None) -> c.CallSpec:
    return c.CallSpec(f"S/{method}", kind, Body(b"\x90", [], []), deadline)


def test_two_sessions_stream_far_more_than_their_windows() -> None:
    pair = Pair()
    call = pair.client.start(spec("converse", Kind.BIDIRECTIONAL), None, 0)
    pair.settle()
    served = pair.started()
    sent = returned = 0
    for _ in range(200):
        for _ in range(10):
            pair.client.send_items(call, Body(bytes(1000), [], []))
            pair.server.send_items(served, Body(bytes(700), [], []))
        pair.settle()
        for happened in pair.of_server:
            if isinstance(happened, p.ItemsArrived):
                sent += len(happened.body)
                pair.server.consumed(served, len(happened.body))
        for event in pair.of_client:
            if isinstance(event, c.ItemsArrived):
                returned += len(event.body)
                pair.client.consumed(call, len(event.body))
        pair.of_server.clear()
        pair.of_client.clear()
    pair.client.finish(call)
    pair.server.finish(served)
    for _ in range(100):
        pair.settle()
        for happened in pair.of_server:
            if isinstance(happened, p.ItemsArrived):
                sent += len(happened.body)
                pair.server.consumed(served, len(happened.body))
        pair.of_server.clear()
    assert sent == 2_000_000
    assert returned + sum(len(it.body) for it in pair.of_client if isinstance(it, c.ItemsArrived)) == 1_400_000
    assert isinstance(pair.of_client[-1], c.Answered)


def test_two_sessions_keep_each_other_alive() -> None:
    pair = Pair()
    call = pair.client.start(spec("unary", Kind.UNARY), None, 0)
    pair.settle()
    for _ in range(1000):
        pair.wait(4)
    assert pair.of_client == []
    pair.server.reply(pair.started(), Body(b"\xc0", [], []))
    pair.settle()
    assert [type(event) for event in pair.of_client] == [c.Answered]
    assert call.is_over


def test_a_deadline_ends_both_sides() -> None:
    pair = Pair()
    pair.client.start(spec("unary", Kind.UNARY, 5.0), None, 0)
    pair.settle()
    pair.wait(5)
    assert [type(event) for event in pair.of_client] == [c.Failed]
    assert [type(event) for event in pair.of_server] == [p.Started, p.Ended]
    assert pair.server.is_idle()


@run
async def test_a_server_that_goes_away_is_left_for_another() -> None:
    servers = [zsvc.Server(Floor(), bind="tcp://127.0.0.1:*") for _ in range(2)]
    for server in servers:
        await server.start()
    async with market.TapeClient.connect(*[server.endpoints[0] for server in servers]) as tape:
        failed = 0
        stop = asyncio.Event()

        async def call_on() -> None:
            nonlocal failed
            while not stop.is_set():
                failed += await tape.last("ACME") != trade("ACME")

        callers = [asyncio.create_task(call_on()) for _ in range(8)]
        await asyncio.sleep(0.2)
        await servers[0].drain()
        await asyncio.sleep(0.2)
        stop.set()
        await asyncio.gather(*callers)
        assert failed == 0
    await servers[1].stop()
