"""Peers that break the rules, over bare sockets."""

import asyncio
import random
import socket
import struct
import threading
from collections.abc import Callable
from typing import Any

import pytest
import zmq
from conftest import run
from floor import Floor, trade
from generated.market import v1 as market
from listings import LISTINGS

import zsvc
from zsvc import Code, Status
from zsvc.codec.writer import Body
from zsvc.wire import records as r
from zsvc.wire import write


class RawClient:
    """A bare DEALER."""

    def __init__(self, endpoint: str, **options: Any) -> None:
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        for name, value in options.items():
            self.socket.setsockopt(getattr(zmq, name), value)
        self.socket.connect(endpoint)

    def __enter__(self) -> "RawClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.context.destroy(linger=0)

    def send(self, *frames: bytes) -> None:
        self.socket.send_multipart(frames)

    def ask(self, *frames: bytes, wait: int = 5000) -> list[bytes] | None:
        self.send(*frames)
        return self.socket.recv_multipart() if self.socket.poll(wait) else None


PING = b"\x01" + write.plain(r.PING, 7)


async def alive(endpoint: str) -> None:
    """Asserts that the server answers others."""
    async with market.TapeClient.connect(endpoint) as tape:
        assert await tape.with_options(timeout=20).last("ACME") == trade("ACME")


async def in_thread(work: Callable[[], Any]) -> Any:
    return await asyncio.get_running_loop().run_in_executor(None, work)


@run
async def test_a_server_takes_damaged_batches() -> None:
    good = [listing.frames for listing in LISTINGS if listing.side in ("client", "server")]
    randomness = random.Random(5)

    def damaged() -> tuple[bytes, ...]:
        frames = [bytearray(frame) for frame in randomness.choice(good)]
        for _ in range(randomness.randrange(1, 5)):
            frame = randomness.choice(frames)
            if frame and randomness.random() < 0.7:
                frame[randomness.randrange(len(frame))] = randomness.randrange(256)
            elif frame:
                del frame[randomness.randrange(len(frame)) :]
        return tuple(map(bytes, frames))

    async with zsvc.Server(Floor(), bind="tcp://127.0.0.1:*") as server:
        endpoint = server.endpoints[0]

        def attack() -> None:
            with RawClient(endpoint) as raw:
                for _ in range(3000):
                    raw.send(*damaged())
                raw.send(PING)
                while b"\x0a\x07" not in raw.socket.recv_multipart()[-1]:
                    pass

        await in_thread(attack)
        await alive(endpoint)


@pytest.mark.parametrize(
    "frames",
    [
        (b"",),
        (b"\x01" + b"\x93" * 100_000,),
        (b"\x01\xdd\xff\xff\xff\xff\x01\x01",),
        (b"\x01" + b"\x94\x01\x01\xa1a\xc6\xff\xff\xff\xff",),
        tuple(bytes(1) for _ in range(500)),
        (b"x" * 3000, b"\x01"),
        (b"\x01" + b"\x92\x0c\x00" * 60_000,),
        (b"\x01" + b"\x92\x09\x05" * 60_000,),
    ],
)
def test_a_server_goes_on(frames: tuple[bytes, ...]) -> None:
    @run
    async def test() -> None:
        async with zsvc.Server(Floor(), bind="tcp://127.0.0.1:*") as server:
            endpoint = server.endpoints[0]

            def attack() -> None:
                with RawClient(endpoint) as raw:
                    raw.send(*frames)
                    raw.send(PING)
                    assert raw.socket.poll(10_000)

            await in_thread(attack)
            await alive(endpoint)

    test()


@run
async def test_bytes_that_are_not_zmtp_are_dropped() -> None:
    async with zsvc.Server(Floor(), bind="tcp://127.0.0.1:*") as server:
        endpoint = server.endpoints[0]
        port = int(endpoint.rpartition(":")[2])
        for data in (b"GET / HTTP/1.1\r\n\r\n", bytes(100), b"\xff" + bytes(200)):
            with socket.create_connection(("127.0.0.1", port)) as raw:
                raw.sendall(data)
        await alive(endpoint)


@run
async def test_a_peer_that_announces_a_routing_id_is_not_heard() -> None:
    async with zsvc.Server(Floor(), bind="tcp://127.0.0.1:*") as server:
        endpoint = server.endpoints[0]

        def attack() -> bytes | None:
            with RawClient(endpoint, ROUTING_ID=b"chosen") as raw:
                answer = raw.ask(PING)
                return answer[-1] if answer else None

        answer = await in_thread(attack)
        assert b"announce a routing id" in answer
        await alive(endpoint)


@run
async def test_a_message_past_the_limit_costs_its_sender_the_connection() -> None:
    limits = zsvc.ServerLimits(max_message_size=1000)
    async with zsvc.Server(Floor(), bind="tcp://127.0.0.1:*", limits=limits) as server:
        endpoint = server.endpoints[0]

        def attack() -> list[bytes] | None:
            with RawClient(endpoint) as raw:
                return raw.ask(bytes(1 << 20), wait=300)

        assert await in_thread(attack) is None
        await alive(endpoint)


@run
async def test_clients_that_vanish_lose_their_handlers() -> None:
    floor = Floor()
    limits = zsvc.ServerLimits(peer_timeout=1.0)
    async with zsvc.Server(floor, bind="tcp://127.0.0.1:*", limits=limits) as server:
        endpoint = server.endpoints[0]
        slow = write.call(r.Call(1, "market.v1.Tape/last", Body(b"\x91\xa4SLOW", [], [])))

        def attack() -> None:
            with RawClient(endpoint) as raw:
                raw.send(b"\x01" + slow)
                raw.ask(PING)

        await in_thread(attack)
        while not floor.ended:
            await asyncio.sleep(0.05)


class RawServer:
    """A bare ROUTER that answers every call with the same frames."""

    def __init__(self, answer: Callable[[list[bytes]], list[bytes]]) -> None:
        self.answer = answer
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.ROUTER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.endpoint = f"tcp://127.0.0.1:{self.socket.bind_to_random_port('tcp://127.0.0.1')}"
        self.is_over = False

    def serve(self) -> None:
        while not self.is_over:
            if self.socket.poll(50):
                route, *frames = self.socket.recv_multipart()
                # Not cancels, or pings.
                if b"market" in frames[-1]:
                    self.socket.send_multipart([route, *self.answer(frames)])
        self.context.destroy(linger=0)


@pytest.mark.parametrize(
    "answer",
    [
        [b""],
        [b"\x01\xc1"],
        [b"\x01" + b"\x93\x03\x01\xc4\x01"],
        [b"\x01" + b"\x93\x03\x01\xc4\x01\x05"],
        [b"\x01" + b"\x93\x03\x01\xc4\x02\xc0\xc0"],
        [b"\x01" + b"\x96\x04\x01\x00\xa0\x02\xc4\x01\x05"],
        [b"\x01" + b"\x95\x04\x01\x00\xa0\x02"],
        [b"\x01" + b"\x92\x06\x01"],
        [b"\x01" + b"\x92\x0c\x01"],
        [b"x", b"y", b"\x01" + b"\x94\x03\x01\xc4\x00\x92\x00\x00"],
        [b"\x01" + b"\x93\x03\x01\xc6" + struct.pack(">I", 1_500_005) + b"\xdd\x00\x16\xe3\x60" + b"\xc0" * 1_500_000],
    ],
)
def test_a_client_fails_the_call_and_goes_on(answer: list[bytes]) -> None:
    async def test() -> None:
        limits = zsvc.ClientLimits(max_message_size=1 << 20)
        async with market.TapeClient.connect(raw.endpoint, retry=zsvc.Retry.none(), limits=limits) as tape:
            with pytest.raises(Status) as caught:
                await tape.with_options(timeout=10).last("ACME")
            assert caught.value.code in (Code.UNKNOWN, Code.UNIMPLEMENTED, Code.RESOURCE_EXHAUSTED)
            raw.answer = lambda _: [b"\x01" + write.with_body(r.REPLY, 2, Body(b"\xc0", [], []))]
            await tape.with_options(timeout=10).ping()

    async def closing() -> None:
        try:
            await test()
        finally:
            raw.is_over = True
            thread.join()

    raw = RawServer(lambda _: answer)
    thread = threading.Thread(target=raw.serve)
    thread.start()
    run(closing)()
