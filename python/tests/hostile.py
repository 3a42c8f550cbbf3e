"""Peers that break the rules: a server in a thread, bare sockets, and bytes that are damaged in every way."""

from __future__ import annotations

import asyncio
import logging
import random
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import msgspec
import zmq
from floor import Floor, Mirror
from listings import LISTINGS

import zsvc
from zsvc.wire import read
from zsvc.wire import records as r

SOCKET_TIMEOUT = 15_000
"""Milliseconds after which a socket gives up."""
TAPE = "market.v1.Tape/"
ECHO = "shapes.v1.Shapes/echo"
NIL = b"\xc0"
R = TypeVar("R")


def packed(value: Any) -> bytes:
    """Returns a value as MessagePack."""
    return msgspec.msgpack.encode(value)


def batch(*records: Sequence[Any]) -> bytes:
    """Returns a batch of records."""
    return b"\x01" + b"".join(map(packed, records))


def call(id: int, method: str, *parameters: Any) -> list[Any]:
    """Returns the record of a call."""
    return [r.CALL, id, TAPE + method, packed(list(parameters))]


def call_with_credit(id: int, method: str, credit: int, *parameters: Any) -> list[Any]:
    """Returns the record of a call whose answers are a stream."""
    return [*call(id, method, *parameters), None, None, credit]


def slow(id: int) -> list[Any]:
    """Returns a call that is never answered."""
    return call(id, "last", "SLOW")


TRADE = next(
    record.body.data
    for listing in LISTINGS
    if listing.name == "reply"
    for record in read.read_message([memoryview(listing.frames[0])], min_route=0).records
    if isinstance(record, r.Reply)
)
"""The document's trade, encoded."""


class Faults(logging.Handler):
    """Collects what this package, or asyncio, says of its own faults: a peer must not cause any."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.name == "asyncio" or "a fault in zsvc" in text:
            self.found.append(f"{text}: {record.exc_info and record.exc_info[1]!r}")

    def __enter__(self) -> Faults:
        for name in ("zsvc", "asyncio"):
            logging.getLogger(name).addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        for name in ("zsvc", "asyncio"):
            logging.getLogger(name).removeHandler(self)
        assert self.found == []


class Serving:
    """A server of the tape and of shapes, in a thread with an event loop of its own. `stop` has it drain."""

    def __init__(self, *services: Any, **options: Any) -> None:
        self._services, self._options = services or (Floor(), Mirror()), options
        self._faults = Faults()
        self._loop = asyncio.new_event_loop()
        self._ended = asyncio.Event()
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._run()))

    async def _run(self) -> None:
        async with zsvc.Server(*self._services, bind="tcp://127.0.0.1:*", **self._options) as self.server:
            self.endpoint = self.server.endpoints[0]
            self._started.set()
            await self._ended.wait()

    def __enter__(self) -> Serving:
        self._faults.__enter__()
        self._thread.start()
        assert self._started.wait(10)
        return self

    def stop(self) -> None:
        """Has the server drain."""
        self._loop.call_soon_threadsafe(self._ended.set)

    def hold(self) -> threading.Event:
        """Keeps the event loop busy until what is returned is set."""
        released = threading.Event()
        self._loop.call_soon_threadsafe(released.wait, 30)
        return released

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._thread.join(40)
        assert not self._thread.is_alive()
        self._loop.close()
        self._faults.__exit__()

    def dropped(self, what: str) -> int:
        """Returns how many of something were dropped."""
        return self.server.dropped.get(what, 0)


class Peer:
    """A bare socket with records that have come by it, and its options by their names in ZeroMQ."""

    def __init__(self, kind: int, **options: Any) -> None:
        self._context = zmq.Context()
        self.socket = self._context.socket(kind)
        options = {"LINGER": 0, "RCVTIMEO": SOCKET_TIMEOUT, "SNDTIMEO": SOCKET_TIMEOUT, "SNDHWM": 0} | options
        for name, value in options.items():
            self.socket.setsockopt(getattr(zmq, name), value)
        self._came: deque[r.Record] = deque()

    def close(self) -> None:
        """Closes the socket."""
        self._context.destroy(linger=0)

    def receive(self) -> Sequence[bytes]:
        """Returns the frames of the next message."""
        return self.socket.recv_multipart()

    def is_answered(self, record: r.Record) -> bool:
        """Answers a record that tests need not see. Returns whether it is one."""
        raise NotImplementedError

    def next(self) -> r.Record:
        """Returns the next record that is not answered here."""
        while not self._came:
            message = read.read_message([memoryview(frame) for frame in self.receive()], min_route=0)
            assert message.error is None, message.error
            self._came.extend(record for record in message.records if not self.is_answered(record))
        return self._came.popleft()

    def next_of(self, kind: type[R]) -> R:
        """Returns the next record of a kind."""
        while not isinstance(record := self.next(), kind):
            pass
        return record


class Dealer(Peer):
    """A bare DEALER."""

    def __init__(self, endpoint: str, **options: Any) -> None:
        super().__init__(zmq.DEALER, **options)
        self.socket.connect(endpoint)
        self._pings = 1 << 60

    def __enter__(self) -> Dealer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, *frames: bytes) -> None:
        """Sends frames."""
        self.socket.send_multipart(frames)

    def say(self, *records: Sequence[Any]) -> None:
        """Sends a batch of records."""
        self.send(batch(*records))

    def is_answered(self, record: r.Record) -> bool:
        """Answers pings of the server."""
        if isinstance(record, r.Ping):
            self.say([r.PONG, 0])
        return isinstance(record, r.Ping)

    def error(self) -> r.Error:
        """Returns the next error."""
        return self.next_of(r.Error)

    def answer(self) -> r.Record:
        """Returns the next record that is no credit."""
        while isinstance(record := self.next(), r.Credit):
            pass
        return record

    def sync(self) -> list[r.Record]:
        """Waits until the server has read all that was sent, and returns what it has said."""
        self._pings += 1
        self.say([r.PING, self._pings])
        said: list[r.Record] = []
        while True:
            record = self.next()
            if isinstance(record, r.Pong) and record.id == self._pings:
                return said
            said.append(record)

    def good_call(self) -> None:
        """Asserts that a call is answered."""
        id = 1 << 40
        self.say(call(id, "last", "ACME"))
        while (record := self.next()).id != id:
            pass
        assert isinstance(record, r.Reply)
        assert record.body.joined() == TRADE


def told(record: r.Record) -> tuple[int, int, int]:
    """Returns the id, the code and the outcome of an error."""
    assert isinstance(record, r.Error), record
    return record.id, record.code, record.outcome


def attacked(attack: Callable[[Serving, Dealer], None], **options: Any) -> None:
    """Runs an attack. Afterwards its client, and another one, can make a call."""
    with Serving(**options) as server:
        with Dealer(server.endpoint) as attacker:
            attack(server, attacker)
            attacker.good_call()
            with Dealer(server.endpoint) as other:
                other.good_call()


class Router(Peer):
    """A bare ROUTER that stands for a server; its client is in another thread."""

    def __init__(self) -> None:
        super().__init__(zmq.ROUTER)
        self.endpoint = f"tcp://127.0.0.1:{self.socket.bind_to_random_port('tcp://127.0.0.1')}"
        self._route = b""

    def receive(self) -> Sequence[bytes]:
        """Returns the next message of the client, without its route."""
        self._route, *frames = super().receive()
        return frames

    def is_answered(self, record: r.Record) -> bool:
        """Answers pings of the client, and leaves its queries without one."""
        if isinstance(record, r.Ping):
            self.say([r.PONG, record.id, 7])
        return isinstance(record, r.Ping | r.Query)

    def next_call(self) -> int:
        """Returns the id of the next call."""
        while True:
            record = self.next_of(r.Call)
            if not record.one_way:
                return record.id

    def send(self, *frames: bytes) -> None:
        """Sends frames to the client."""
        self.socket.send_multipart([self._route, *frames])

    def say(self, *records: Sequence[Any]) -> None:
        """Sends a batch of records to the client."""
        self.send(batch(*records))

    def answer_well(self) -> None:
        """Answers the next call."""
        self.say(reply(self.next_call()))


def reply(id: int, body: bytes = TRADE) -> list[Any]:
    """Returns the record of an answer."""
    return [r.REPLY, id, body]


# ---- damage


def client_records(id: int) -> list[list[Any]]:
    """Returns one record of each kind that clients send, for the call with this id."""
    metadata = {"a": "b", "c": b"\x01"}
    return [
        [r.CALL, id, TAPE + "last", packed(["ACME"]), 60_000_000, metadata, 100],
        [r.ONE_WAY, 0, TAPE + "note", packed(["lunch"]), 60_000_000, metadata],
        [r.ITEMS, id, TRADE],
        [r.END, id],
        [r.CREDIT, id, 1000],
        [r.CANCEL, id],
        [r.PING, id],
        [r.PONG, id],
    ]


def server_records(id: int) -> list[list[Any]]:
    """Returns one record of each kind that servers send, for the call with this id."""
    return [
        reply(id),
        [r.ERROR, id, 5, "not found", 2],
        [r.ERROR, id, 0, "no such symbol", 2, packed([1, ["NOPE"]])],
        [r.ERROR, id, 9, "details", 2, None, 5, 6, {"a.B": NIL}],
        [r.ITEMS, id, TRADE],
        [r.END, id],
        [r.CREDIT, id, 1000],
        [r.PING, id],
        [r.PONG, id, 7],
        [r.RESPONSE_METADATA, id, {"venue": "7"}],
    ]


def truncations(record: Sequence[Any]) -> Iterator[bytes]:
    """Yields batches of a record, cut at each byte. After the version alone, a batch is empty and valid."""
    whole = batch(record)
    return (whole[:length] for length in range(2, len(whole)))


STRANGE: list[Any] = [
    None,
    True,
    -1,
    (1 << 64) - 1,
    1.5,
    "text",
    b"\xc1",
    [1, []],
    {1: None},
    msgspec.msgpack.Ext(5, b"abc"),
]


def wrong_types(record: Sequence[Any]) -> Iterator[list[Any]]:
    """Yields a record with each of its elements replaced by a value of each other type."""
    for at in range(len(record)):
        for value in STRANGE:
            if type(value) is not type(record[at]) or value in (-1, (1 << 64) - 1):
                yield [*record[:at], value, *record[at + 1 :]]


def nested(depth: int) -> bytes:
    """Returns a batch with a record that is skipped, with arrays in each other that never end."""
    return b"\x01\x93\x40\x01" + depth * b"\x91"


HUGE = [
    b"\x01\xdd\xff\xff\xff\xff",
    b"\x01\xdd\xff\xff\xff\xff\x40\x01",
    b"\x01\xdd\xff\xff\xff\xff\x01\x01",
    b"\x01\xdc\xff\xff\x09\x01",
    b"\x01\x94\x01\x01\xdb\xff\xff\xff\xff",
    b"\x01\x94\x01\x01\xa1m\xc6\xff\xff\xff\xff",
    b"\x01\x96\x01\x01\xa1m\xc4\x00\xc0\xdf\xff\xff\xff\xff",
    b"\x01\x98\x01\x01\xa1m\xc4\x00\xc0\xc0\xc0\xdd\xff\xff\xff\xff",
    b"\x01\x93\x05\x01\xc6\xff\xff\xff\xff\x00",
    b"\x01\x93\x40\x01\xdf\xff\xff\xff\xff",
    b"\x01\x93\x40\x01\xc9\xff\xff\xff\xff\x05",
    b"\x01\x93\x40\x01\xc1",
    b"\x01\x93\x42\x01\xdf\xff\xff\xff\xff",
    b"\x01\x99\x04\x01\x05\xc0\xc0\xc0\xc0\xc0\xdf\xff\xff\xff\xff",
    nested(1),
    nested(100_000),
    b"\x01" * 10_000,
    b"\xff" * 10_000,
    b"\x01" + b"\x93" * 100_000,
    b"\x01" + b"\x92\x0c\x00" * 60_000,
    b"\x01" + b"\x92\x09\x05" * 60_000,
]
"""Batches whose headers announce what does not follow, that nest too deep, or that ask for much."""


def noise(random: random.Random) -> bytes:
    """Returns random bytes, half of which begin with the version."""
    data = random.randbytes(random.randrange(120))
    return b"\x01" + data[1:] if data and random.random() < 0.5 else data


def mutated(random: random.Random, data: bytes) -> bytes:
    """Returns bytes with a few random changes."""
    changed = bytearray(data)
    for _ in range(random.randrange(1, 5)):
        at = random.randrange(len(changed) + 1)
        how = random.randrange(5)
        if how == 0:
            changed.insert(at, random.randrange(256))
        elif how == 1:
            del changed[at:]
        elif at < len(changed):
            if how == 2:
                del changed[at]
            elif how == 3:
                changed[at] ^= 1 << random.randrange(8)
            else:
                changed[at] = random.randrange(256)
    return bytes(changed)
