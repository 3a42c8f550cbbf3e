"""Times beyond all clocks, of peers and of users: they end no thread, and no call waits for them."""

import logging
import math
import threading
import time
from typing import Any

import pytest
from conftest import run
from floor import Floor, trade
from generated.market import v1 as market
from hostile import Serving

from zsvc import Cause, ClientLimits, Code, Context, Outcome, Status
from zsvc.codec.writer import Body
from zsvc.events.progress import Progress
from zsvc.io.reactor import Reactor
from zsvc.options import CallOptions, deadline_of
from zsvc.session import client as session
from zsvc.session.config import Kind
from zsvc.session.failure import record_of
from zsvc.wire import read, write
from zsvc.wire import records as r

FAR_TIMES = [2**31 / 1000, 1e9, r.FAR, 2**64 / 1e6, 1e30, math.inf]


def _ignore(_: object) -> None:
    pass


def test_a_timer_that_is_due_again_at_once_keeps_the_thread_from_nothing() -> None:
    reactor, asked = Reactor("again"), threading.Event()

    def again() -> None:
        reactor.call_at(0, again)

    reactor.call_soon(again)
    reactor.call_soon(asked.set)
    assert asked.wait(20)
    stopped = threading.Thread(target=reactor.stop)
    stopped.start()
    stopped.join(20)
    assert not reactor._thread.is_alive()


@pytest.mark.parametrize("seconds", FAR_TIMES)
def test_a_timer_that_is_far_away_keeps_no_socket_waiting(seconds: float) -> None:
    reactor, ran = Reactor("far"), threading.Event()
    try:
        reactor.call_soon(lambda: _ignore(reactor.call_at(time.monotonic() + seconds, ran.clear)))
        for _ in range(3):
            ran.clear()
            reactor.call_soon(ran.set)
            assert ran.wait(10)
        assert reactor._thread.is_alive()
    finally:
        reactor.stop()


@pytest.mark.parametrize("kind", [Kind.UNARY, Kind.ONE_WAY])
@pytest.mark.parametrize("seconds", [*FAR_TIMES, -1.0])
def test_any_deadline_can_be_sent(kind: Kind, seconds: float) -> None:
    client = session.ClientSession(ClientLimits(), 0.0)
    client.start(session.CallSpec("a.B/c", kind, Body(b"\x90", [], []), 5.0 + seconds), None, 5.0)
    frames = client.poll_message()
    assert frames is not None
    message = read.read_message([memoryview(frame) for frame in frames], min_route=0)
    (record,) = message.records
    assert isinstance(record, r.Call)
    assert record.timeout == (0 if seconds < 0 else int(min(seconds, r.FAR) * 1e6))


@pytest.mark.parametrize("seconds", [*FAR_TIMES, -1.0, math.nan])
def test_any_hint_can_be_sent(seconds: float) -> None:
    record = record_of(1, Status(Code.UNAVAILABLE, "later", retry_after=seconds))
    assert write.error(record)


def test_a_deadline_beyond_all_clocks_is_none() -> None:
    method = market.Tape.__zsvc_methods__[0]
    for seconds in (r.FAR, 1e30, math.inf):
        assert deadline_of(method, CallOptions(timeout=seconds), 1.0) is None
    assert deadline_of(method, CallOptions(timeout=r.FAR - 1), 1.0) is not None


@pytest.mark.parametrize("hint", [60.1, 1e13, math.inf])
def test_a_subscription_waits_no_longer_than_a_minute_since_its_server_asks_for_it(hint: float) -> None:
    progress = Progress("a.B", None)
    progress.is_open = True
    for cause in (Cause.OVERLOADED, None):
        assert progress.pause(Status(Code.UNAVAILABLE, "", outcome=Outcome.NOT_SENT, cause=cause, retry_after=60)) == 60
        failure = Status(Code.UNAVAILABLE, "", outcome=Outcome.NOT_SENT, cause=cause, retry_after=hint)
        with pytest.raises(Status) as caught:
            progress.pause(failure)
        assert caught.value is failure


class Front(Floor):
    """Makes a call of its own within each, to a channel that gives it no deadline."""

    def __init__(self, back: str) -> None:
        self._back = market.TapeClient.connect(back, timeout=None)

    async def last(self, context: Context, symbol: str) -> market.Trade:
        async for item in self._back.watch([symbol]):
            return item
        raise AssertionError


@run
async def test_calls_of_handlers_inherit_far_deadlines() -> None:
    with Serving() as back, Serving(Front(back.endpoint)) as front:
        async with market.TapeClient.connect(front.endpoint) as tape:
            for seconds in (2.2e6, r.FAR - 1, math.inf):
                assert (await tape.with_options(timeout=seconds).last("ACME")).symbol == trade("ACME").symbol


def test_a_fault_that_ends_the_thread_ends_all_calls(caplog: pytest.LogCaptureFixture) -> None:
    with Serving() as server, market.TapeBlockingClient.connect(server.endpoint) as tape:
        assert tape.last("ACME") == trade("ACME")
        reactor = tape.channel.core._reactor
        caplog.set_level(logging.CRITICAL, "zsvc")
        failed: list[Status] = []

        def wait() -> None:
            with pytest.raises(Status) as caught:
                tape.with_options(timeout=None).last("SLOW")
            failed.append(caught.value)

        waiting = threading.Thread(target=wait)
        waiting.start()
        logging.getLogger("zsvc").disabled = True
        try:
            reactor._poller.poll = broken  # type: ignore[method-assign, assignment]
            reactor.call_soon(lambda: None)
            waiting.join(10)
        finally:
            logging.getLogger("zsvc").disabled = False
        assert [it.code for it in failed] == [Code.CANCELLED]
        with pytest.raises(RuntimeError, match="a fault in zsvc has ended the thread"):
            tape.last("ACME")


def broken(_: object = None) -> Any:
    raise OverflowError("as `poll` says where a time is far away")
