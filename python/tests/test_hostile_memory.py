"""What peers that break the rules take of memory: nothing that stays, and no more than the limits say."""

import asyncio
import gc
import itertools
import socket
import struct
import subprocess
import sys
import textwrap
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
import test_client_session as of_client
import test_server_session as of_server
from conftest import TESTS, run
from floor import Floor
from generated.market import v1 as market
from hostile import TAPE, Dealer, Serving, call, nested, packed

import zsvc
from zsvc import ClientLimits, ServerLimits
from zsvc import generated as z
from zsvc.aio.streams import ItemQueue, Sending
from zsvc.codec.writer import Body
from zsvc.due import Due
from zsvc.session import peer as p
from zsvc.session.config import Kind
from zsvc.session.lookout import Lookout
from zsvc.wire import records as r
from zsvc.wire import write

A_YEAR = 31_536_000_000_000
KIB = 1024


def grown(attack: Callable[[], Any], *, before: int = 500, times: int = 2_000) -> int:
    """Returns by how many bytes memory has grown after an attack that was made many times."""
    tracemalloc.start()
    try:
        for _ in range(before):
            attack()
        gc.collect()
        first = tracemalloc.get_traced_memory()[0]
        for _ in range(times):
            attack()
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - first
    finally:
        tracemalloc.stop()


# ---- a server's session


def items(id: int, size: int) -> bytes:
    return write.with_body(r.ITEMS, id, Body(bytes(size), [], []))


SAID_TO_SERVERS: dict[str, tuple[bytes, ...]] = {
    "calls that are cancelled": (of_server.call(timeout=A_YEAR, metadata={"a": "b" * 1000}), write.plain(r.CANCEL, 1)),
    "streams that end": (of_server.call("S/import", 2), items(2, 500), write.plain(r.END, 2), write.plain(r.CANCEL, 2)),
    "streams without credit": (of_server.call("S/import", 3), items(3, 300_000), items(3, 1)),
    "calls of no method": (of_server.call("S/none" + "x" * 500, 4),),
    "one-way calls of no method": (of_server.call("S/none", 0, one_way=True),),
    "calls that are too late": (of_server.call(id=5, timeout=0),),
    "queries": (write.plain(r.QUERY, 6),),
    "pongs": (write.pong(0, None), write.pong(7, 7)),
    "unknown kinds": (b"\x92\x0c\x05", b"\x93\x40\x05\xa1a"),
    "what is no record": (b"\xc1",),
    "nesting": (nested(1_000)[1:],),
    "records of no call": (items(99, 100), write.plain(r.END, 99), write.credit(99, 5), write.plain(r.CANCEL, 99)),
}


@pytest.mark.parametrize("what", SAID_TO_SERVERS)
def test_a_server_keeps_nothing_of(what: str) -> None:
    rig = of_server.Rig(ServerLimits())
    # Whatever else ends, this one does not, and nothing that is due after it is looked at.
    rig.call(id=1 << 50, route=of_server.B, timeout=A_YEAR // 2)

    def attack() -> None:
        rig.hear(*SAID_TO_SERVERS[what])
        rig.events()
        rig.said()

    assert grown(attack) < 64 * KIB


def test_a_server_keeps_nothing_of_calls_that_are_answered_long_before_their_deadlines() -> None:
    rig = of_server.Rig(ServerLimits())
    rig.call(id=1 << 50, route=of_server.B, timeout=A_YEAR // 2)

    def attack() -> None:
        made = rig.call(timeout=A_YEAR, metadata={"a": "b" * 1000})
        rig.session.reply(made, Body(b"\xc0", [], []))
        rig.said()

    assert grown(attack) < 64 * KIB


@pytest.mark.parametrize("reads", [True, False])
def test_routes_that_are_made_up_are_forgotten(monkeypatch: pytest.MonkeyPatch, reads: bool) -> None:
    monkeypatch.setattr(p, "MAX_IDLE", 100)
    rig = of_server.Rig(ServerLimits())
    routes = iter(range(1 << 30))

    def attack() -> None:
        rig.hear(of_server.call(), write.plain(r.CANCEL, 1), write.plain(r.PING, 5), route=packed(next(routes)))
        rig.events()
        while (message := rig.session.poll_message()) is not None:
            (rig.session.sent if reads else rig.session.blocked)(message[0], rig.now)
        rig.wait(0.001)

    assert grown(attack) < 64 * KIB
    assert rig.session.clients <= 101
    assert rig.session._peers.waiting < 10_000


def test_a_client_that_is_silent_is_looked_at_though_thousands_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = of_server.Rig(ServerLimits(peer_timeout=15))
    for number in range(2_000):
        rig.call(route=packed(number))
    judged: list[p.Peer] = []
    judge = Lookout._judge

    def counted(lookout: Lookout, peer: p.Peer, now: float) -> Any:
        judged.append(peer)
        return judge(lookout, peer, now)

    monkeypatch.setattr(Lookout, "_judge", counted)
    for _ in range(100):
        rig.wait(0.01)
    assert judged == [], "each is looked at when it is time, and not at every turn"
    rig.wait(4.1)
    assert len(rig.session._peers.links._ready) == len(judged) == 2_000


# ---- a client's session


def error(id: int) -> bytes:
    return write.error(r.Error(id, 14, "why", 1))


SAID_TO_CLIENTS: dict[str, tuple[bytes, ...]] = {
    "errors of all": (error(0),),
    "items of no call": (of_client.items(1 << 40, bytes(500)),),
    "items without credit": (of_client.items(1, bytes(5_000)), of_client.items(1, bytes(5_000))),
    "metadata": (write.response_metadata(1, {"a": "b" * 500}),),
    "credit": (write.credit(1, 5),),
    "pongs of many lives": (write.pong(1, 5), write.pong(2, 6), write.pong(1 << 40, 7)),
    "unknown kinds": (b"\x92\x0c\x01", b"\x92\x0c\x00", b"\x93\x40\x05\xa1a"),
    "what is no record": (b"\xc1",),
    "what clients say": (of_server.call(), write.plain(r.QUERY, 1), write.plain(r.CANCEL, 1)),
}


@pytest.mark.parametrize("what", SAID_TO_CLIENTS)
@pytest.mark.parametrize("kind", [Kind.UNARY, Kind.BIDIRECTIONAL])
def test_a_client_keeps_nothing_of(what: str, kind: Kind) -> None:
    rig = of_client.Rig(ClientLimits())
    rig.start(Kind.UNARY, timeout=1e6)

    def attack() -> None:
        made = rig.start(kind, timeout=2e6)
        rig.said()
        rig.hear(*(data.replace(b"\x01", bytes([1]), 1) for data in SAID_TO_CLIENTS[what]))
        rig.session.cancel(made)
        rig.events()
        rig.said()

    assert grown(attack) < 64 * KIB


def test_pongs_wait_within_a_bound_for_a_server_that_does_not_read() -> None:
    rig = of_client.Rig(ClientLimits(max_unsent=10_000))

    def attack() -> None:
        rig.hear(*100 * [write.plain(r.PING, 0)])
        rig.events()

    assert grown(attack, times=500) < 64 * KIB


# ---- streams and times


def test_short_items_that_nobody_reads_take_little_more_than_their_bytes() -> None:
    async def test() -> None:
        queue: ItemQueue[Any] = ItemQueue(z.U32, 1 << 20, 1 << 20, lambda _: None, lambda _: None)
        queue.add(Body(bytes(1_000), [], []))
        await queue.next()
        tracemalloc.start()
        try:
            for _ in range(16):
                queue.add(Body(bytes(64 * KIB), [], []))
            assert tracemalloc.get_traced_memory()[1] < 1.5 * 16 * 64 * KIB
        finally:
            tracemalloc.stop()

    asyncio.run(test())


def test_short_items_that_wait_for_credit_are_few() -> None:
    async def test() -> None:
        sending, count = Sending(), 0
        while True:
            room = asyncio.ensure_future(sending.room())
            for _ in range(3):
                # It may leave others their turns in between.
                await asyncio.sleep(0)
            if not room.done():
                break
            sending.add(1)
            count += 1
        room.cancel()
        assert 1_000 < count < 5_000

    asyncio.run(test())


def test_what_is_over_takes_no_room_however_late_it_would_be_due() -> None:
    over: set[int] = set()
    due: Due[int] = Due(over.__contains__)
    for number in range(10_000):
        due.add(1e9 + number, number)
        if number % 100:
            over.add(number)
    assert len(due) < 300
    assert due.next() == 1e9
    assert [due.take(2e9) for _ in range(101)] == [*range(0, 10_000, 100), None]


# ---- over sockets


def test_bodies_of_calls_that_are_cancelled_are_not_kept_for_a_busy_event_loop() -> None:
    body = packed(["x" * 1_000_000])
    with Serving() as server, Dealer(server.endpoint) as dealer:
        dealer.sync()
        released = server.hold()
        tracemalloc.start()
        try:
            for id in range(1, 101):
                dealer.say([r.CALL, id, TAPE + "poll", body], [r.CANCEL, id])
            dealer.sync()
            held = tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
            released.set()
        assert held < 10_000_000
        dealer.good_call()


@run
async def test_thousands_of_streams_leave_nothing_behind() -> None:
    async with zsvc.Server(Floor(), bind="tcp://127.0.0.1:*") as server:
        async with market.TapeClient.connect(*server.endpoints) as tape:
            tape = tape.with_options(timeout=3600)

            async def some() -> None:
                for _ in range(50):
                    async with tape.watch(["ACME"] * 50) as trades:
                        await trades.__anext__()
                    async for _ in tape.watch(["ACME"]):
                        pass
                    await tape.last("ACME")
                while server.driver.session.calls_in_flight:
                    await asyncio.sleep(0.01)
                gc.collect()

            tracemalloc.start()
            try:
                await some()
                grown: list[int] = []
                # What is on its way, or buffered, comes and goes; what is left behind grows each time.
                while not grown or (min(grown) > 50 * KIB and len(grown) < 8):
                    before = tracemalloc.get_traced_memory()[0]
                    await some()
                    grown.append(tracemalloc.get_traced_memory()[0] - before)
                assert min(grown) < 50 * KIB, grown
            finally:
                tracemalloc.stop()


def ready(identity: bytes) -> bytes:
    """Returns the handshake of a DEALER that announces a routing id."""
    greeting = bytearray(64)
    greeting[:16] = b"\xff\0\0\0\0\0\0\0\0\x7f\x03\0NULL"
    greeting[11] = 1
    properties = b"".join(
        bytes([len(name)]) + name + struct.pack(">I", len(value)) + value
        for name, value in [(b"Socket-Type", b"DEALER"), (b"Identity", identity)]
    )
    command = b"\x05READY" + properties
    return bytes(greeting) + bytes([4, len(command)]) + command


SERVER = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from floor import Floor
import zsvc

async def main():
    async with zsvc.Server(Floor(), bind="tcp://127.0.0.1:*") as server:
        print(server.endpoints[0], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

asyncio.run(main())
"""
UNSEEDED = (1_804_289_383, 846_930_886, 1_681_692_777, 1_714_636_915, 1_957_747_793, 424_238_335)
"""The first numbers of `rand` in a process that never seeds it, according to glibc."""


def test_peers_that_announce_the_next_routing_ids_of_a_server_do_not_end_it() -> None:
    arguments = [sys.executable, "-c", textwrap.dedent(SERVER), str(TESTS)]
    child = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        endpoint = child.stdout.readline().strip()
        address = ("127.0.0.1", int(endpoint.rpartition(":")[2]))
        crowd = []
        # As libzmq makes its first id of two numbers; the next ones count up.
        for first, second in itertools.pairwise(UNSEEDED):
            for number in range(8):
                id = ((first | second << 31) + number) & 0xFFFF_FFFF
                peer = socket.create_connection(address)
                peer.sendall(ready(b"\0" + struct.pack(">I", id)))
                crowd.append(peer)
        for _ in range(8):
            with Dealer(endpoint) as dealer:
                dealer.say(call(1, "last", "ACME"))
                assert isinstance(dealer.next(), r.Reply)
        for peer in crowd:
            peer.close()
    finally:
        child.stdin.close()
        assert child.wait(20) == 0
