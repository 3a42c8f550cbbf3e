"""Routers that break the rules, at which a server here registers."""

import asyncio
import contextlib
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from conftest import run
from floor import Floor
from hostile import (
    HUGE,
    SOCKET_TIMEOUT,
    TRADE,
    Faults,
    Router,
    Serving,
    batch,
    client_records,
    mutated,
    noise,
    slow,
    told,
)
from hostile import call as call_of

import zsvc
from zsvc import Cause, Code, Outcome
from zsvc.wire import records as r
from zsvc.wire.registration import registration

REGISTERED = [r.ITEMS, 1, b"\x92\x01\xc0"]


def test_what_registers_is_what_the_protocol_says() -> None:
    listing = """01 97 01 01 bf 7a7376632e726f757465722e76312e576f726b657273 2f 7265676973746572 c4 15
        91 94 91 ae 6d61726b65742e76312e54617065 64 a0 00 c0 c0 ce 00010000"""
    assert registration(["market.v1.Tape"], 100, "", 0) == bytes.fromhex(listing)


class Registering:
    """A server in a thread that registers at a bare socket."""

    def __init__(self, router: Router, limits: zsvc.ServerLimits | None) -> None:
        self._router = router
        register = zsvc.Register(router.endpoint, name="floor", capacity=7)
        self.server = Serving(Floor(), register=register, limits=limits)

    def register(self) -> None:
        """Waits for the registration, and takes it."""
        self.asked()
        self._router.say(REGISTERED)

    def asked(self) -> r.Call:
        """Waits for the registration."""
        record = self._router.next_of(r.Call)
        assert (record.id, record.method) == (1, "zsvc.router.v1.Workers/register")
        return record

    def answers(self, id: int) -> None:
        """Asserts that a call is answered."""
        self._router.say(call_of(id, "last", "ACME"))
        while (record := self._router.next()).id != id:
            pass
        assert isinstance(record, r.Reply), record
        assert record.body.joined() == TRADE


@contextlib.contextmanager
def registering(
    monkeypatch: pytest.MonkeyPatch, limits: zsvc.ServerLimits | None = None
) -> Iterator[tuple[Router, Registering]]:
    monkeypatch.setattr("zsvc.aio.registering._AFTER_REFUSAL", 0.05)
    router = Router()
    try:
        worker = Registering(router, limits)
        with worker.server:
            yield router, worker
    finally:
        router.close()


def test_calls_come_once_the_router_has_taken_the_registration(monkeypatch: pytest.MonkeyPatch) -> None:
    with registering(monkeypatch) as (router, worker):
        worker.asked()
        # Neither a call before that, nor what a later version may say, is answered.
        router.say(call_of(2, "last", "ACME"))
        router.say([r.ITEMS, 1, b"\x92\x07\xc0"])
        router.say([r.ITEMS, 1, b"\xc0"])
        router.say([r.CREDIT, 1, 5])
        router.say(REGISTERED)
        router.say(REGISTERED)
        worker.answers(3)
        assert worker.server.server.calls == 1


@pytest.mark.parametrize(
    ("ending", "text"),
    [
        ([r.ERROR, 1, 7, "not you", 0], "not you"),
        ([r.ERROR, 1, 0, "declared", 0, b"\x92\x01\xc0"], "the router has ended the registration"),
        ([r.END, 1], "the router has ended the registration"),
        ([r.REPLY, 1, b"\xc0"], "the router has ended the registration"),
    ],
)
def test_a_registration_that_the_router_ends_is_made_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, ending: list[Any], text: str
) -> None:
    with registering(monkeypatch) as (router, worker):
        worker.asked()
        router.say(ending)
        worker.register()
        router.say(slow(5))
        worker.answers(6)
        router.say(ending)
        worker.register()
        # The call was of the connection before, and is over: its id may come again.
        worker.answers(5)
        assert worker.server.server.driver.session.calls_in_flight == 0
        assert caplog.text.count(f"does not take the registration of this server: {text}") == 2


def test_what_no_router_may_say_harms_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    dice = random.Random(7)
    said = [*HUGE, b"", b"\x01", b"\x02", b"\x01\x93\x05\x01\xc4", b"\x01\x92\x01", b"\x01\xdd\xff\xff\xff\xff\x05\x01"]
    said += [batch([r.GOING_AWAY, 0]), batch([r.REPLY, 9, TRADE]), batch([r.ITEMS, 1, b"\xc1"])]
    said += [noise(dice) for _ in range(300)]
    said += [mutated(dice, batch(record)) for record in client_records(40) for _ in range(40)]
    # What it says with the id 1 is about the registration, and may end that.
    said = [data for data in said if data[3:4] != b"\x01" or data[2:3] in (b"\x05", b"\x08")]
    with registering(monkeypatch) as (router, worker):
        worker.asked()
        for data in said:
            router.send(data)
        router.say(REGISTERED)
        worker.answers(1 << 33)
        for data in said:
            router.send(data)
            router.send(b"a route", data)
        worker.answers(1 << 34)


def test_a_router_that_goes_away_in_the_middle_leaves_no_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    with registering(monkeypatch) as (router, worker):
        worker.register()
        for id in range(2, 200):
            router.say(slow(id))
        # By routes that it makes up, too, which go with its connection.
        router.send(b"made up", batch(slow(2)))
        session = worker.server.server.driver.session
        while session.calls_in_flight < 199:
            router.say([r.PING, 1_000])
        router.close()
        wait(lambda: session.calls_in_flight == 0 and session.clients == 0)


def test_a_server_that_drains_tells_the_router_first(monkeypatch: pytest.MonkeyPatch) -> None:
    with registering(monkeypatch) as (router, worker):
        worker.register()
        router.say(slow(2))
        worker.answers(3)
        worker.server.stop()
        router.next_of(r.GoingAway)
        router.say(call_of(4, "last", "ACME"))
        assert told(router.next_of(r.Error)) == (4, int(Code.UNAVAILABLE), int(Outcome.NOT_SENT))
        # It is not waited for.
        router.say([r.CANCEL, 2])


def test_one_that_does_not_read_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = zsvc.ServerLimits(peer_timeout=3.0, max_waiting_per_peer=1 << 20)
    with registering(monkeypatch, limits) as (router, worker):
        worker.register()
        for id in range(2, 10):
            router.say([*call_of(id, "watch", ["FOREVER"]), None, None, 1 << 40])
        session = worker.server.server.driver.session
        wait(lambda: session.lost_clients == 1)
        assert session.calls_in_flight == 0
        # It is told, once it reads what has left before.
        shed = router.next_of(r.Error)
        assert (shed.code, shed.cause) == (int(Code.UNAVAILABLE), int(Cause.CLIENT_LOST))
        worker.answers(1_000)


def wait(holds: Callable[[], bool]) -> None:
    """Waits until something holds."""

    async def within() -> None:
        while not holds():
            await asyncio.sleep(0.005)

    asyncio.run(asyncio.wait_for(within(), SOCKET_TIMEOUT / 1_000))


@run
async def test_a_server_is_no_router(caplog: pytest.LogCaptureFixture) -> None:
    with Faults():
        async with (
            zsvc.Server(Floor(), bind="tcp://127.0.0.1:*") as other,
            zsvc.Server(Floor(), register=other.endpoints[0]),
        ):
            while "does not take the registration" not in caplog.text:
                await asyncio.sleep(0.005)
            assert "there is no method `zsvc.router.v1.Workers/register`" in caplog.text
