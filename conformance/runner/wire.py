"""What is said on the wire: bare sockets, and the records that have come by them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import zmq

from . import msgpack
from .msgpack import Reader
from .notation import Array, Between, Bin, Differs, Name, Names, Node, Plain, compare, is_written, sent, shown, write
from .script import Frame

WAIT = 20.0
"""Seconds after which what was to come does not come any more."""
CALL, REPLY, ITEMS, END, CREDIT, CANCEL, PING, PONG, QUERY = 1, 3, 5, 6, 7, 8, 9, 10, 65
_LIFE = 7_777


class Wire:
    """One side of a conversation: records that have come, and what is compared with them."""

    def __init__(self, *, answers_pings: bool) -> None:
        self.records: list[list[Any]] = []
        self.answers_pings = answers_pings
        self.ids = 1_000

    def send(self, frames: Sequence[bytes]) -> None:
        """Sends a message."""
        raise NotImplementedError

    def receive(self, seconds: float) -> list[bytes] | None:
        """Returns a message, without its route."""
        raise NotImplementedError

    def say(self, frames: Sequence[Frame], names: Names) -> None:
        """Sends what a step says."""
        for id in (_id(node) for frame in frames if frame.is_batch for node in frame.nodes):
            if isinstance(id, Name) and id.name not in names:
                self.ids += 1
                names[id.name] = self.ids
        self.send([_bytes(frame, names) for frame in frames])

    def expect(self, pattern: Node, names: Names) -> None:
        """Waits for a record. Raises `Differs`."""
        if not isinstance(pattern, Array):
            raise Differs(f"a record is an array: {pattern}")
        record = self.next(pattern, names)
        padded = record + [None] * (len(pattern.items) - len(record))
        compare(Array(pattern.items), padded[: len(pattern.items)], names)
        if not pattern.is_open and any(element is not None for element in padded[len(pattern.items) :]):
            raise Differs(f"the record goes on: {shown(record)}")

    def next(self, pattern: Array, names: Names) -> list[Any]:
        """Takes the first record that may be meant: that of the same call, or of the same kind."""
        kind, id = pattern.items[0], pattern.items[1]
        known = id.value if isinstance(id, Plain) else names.get(id.name) if isinstance(id, Name) else None
        deadline = time.monotonic() + WAIT
        while True:
            for index, record in enumerate(self.records):
                if record[0] == CREDIT and kind != Plain(CREDIT):
                    continue
                if record[1] == known if known is not None else Plain(record[0]) == kind:
                    return self.records.pop(index)
            if not self.pump(deadline - time.monotonic()):
                raise Differs(f"it did not come; instead: {shown(self.records)}")

    def pump(self, seconds: float) -> bool:
        """Takes in a message. Reports whether there was one."""
        frames = self.receive(max(seconds, 0.0))
        if frames is None:
            return False
        self.records += [record for record in _records(frames) if not self._handled(record)]
        return True

    def _handled(self, record: list[Any]) -> bool:
        """Answers a ping, and takes note of a query as a server that has the call, unless the case does."""
        if record[0] == PING and self.answers_pings:
            self.send([b"\x01" + msgpack.encode([PONG, record[1], _LIFE])])
        return self.answers_pings and record[0] in (PING, QUERY)

    def collect_items(self, id: Node, expected: Node, names: Names) -> None:
        """Waits for items of a call: for this content, or for this number of bytes. Raises `Differs`."""
        found, wanted = b"", b""
        if isinstance(expected, Bin) and not is_written(expected, names):
            self._collect_patterns(id, expected, names)
            return
        if not isinstance(expected, Plain):
            wanted = Reader(write(expected, names)).value()
        size = expected.value if isinstance(expected, Plain) else len(wanted)
        while len(found) < size:
            record = self.next(Array((Plain(ITEMS), id)), names)
            if record[0] != ITEMS:
                raise Differs(f"{len(found)} of {size} bytes of items have come, and then {shown(record)}")
            found += record[2]
        if len(found) != size or (wanted and found != wanted):
            raise Differs(f"items of {len(found)} bytes have come in place of {size}: {found[:100].hex()}")

    def _collect_patterns(self, id: Node, expected: Bin, names: Names) -> None:
        """Waits for as many items as there are patterns, each of which is compared."""
        found: list[Any] = []
        while len(found) < len(expected.items):
            record = self.next(Array((Plain(ITEMS), id)), names)
            if record[0] != ITEMS:
                raise Differs(f"the items {shown(found)} have come, and then {shown(record)}")
            found += msgpack.decode_all(record[2])
        compare(Array(expected.items), found, names)

    def sync(self, id: int | None = None) -> None:
        """Waits until everything that was said has been read, and what that has caused was said. Raises `Differs`."""
        if id is None:
            self.ids += 1
            id = self.ids
        self.send([b"\x01" + msgpack.encode([PING, id])])
        self.expect(Array((Plain(PONG), Plain(id), Between(0, 1 << 64))) if id else Array((Plain(PONG), Plain(id))), {})
        self.check_nothing()

    def check_nothing(self) -> None:
        """Raises `Differs` if something was said that no step has expected."""
        left = [record for record in self.records if record[0] != CREDIT]
        if left:
            raise Differs(f"this was said, too: {shown(left)}")

    def close(self) -> None:
        """Closes the socket."""
        raise NotImplementedError


def _id(node: Node) -> Node | None:
    """Returns the id of a record, if it is one that has an id."""
    return node.items[1] if isinstance(node, Array) and len(node.items) > 1 else None


def _bytes(frame: Frame, names: Names) -> bytes:
    if frame.is_batch:
        return b"\x01" + b"".join(write(sent(node), names) for node in frame.nodes)
    parts = [node.value if isinstance(node, Plain) else write(node, names) for node in frame.nodes]
    return b"".join(parts)


def _records(frames: list[bytes]) -> list[list[Any]]:
    """Returns the records of a message, with attachments where they belong. Raises `Differs`."""
    *before, batch = frames
    if batch[:1] != b"\x01":
        raise Differs(f"a batch begins with its version: {batch[:20].hex()}")
    records = msgpack.decode_all(batch[1:])
    for index, record in enumerate(records):
        places_at = {CALL: 7, 2: 7, REPLY: 3, ITEMS: 3}.get(record[0], 99)
        if len(record) > places_at and record[places_at]:
            if index:
                raise Differs("only the first record of a batch has attachments")
            body_at = 3 if record[0] in (CALL, 2) else 2
            record[body_at] = _joined(
                record[body_at], before[len(before) - len(record[places_at]) :], record[places_at]
            )
            record[places_at] = None
    return records


def _joined(data: bytes, attachments: list[bytes], places: list[int]) -> bytes:
    if len(attachments) != len(places) or places != sorted(places) or places[-1] > len(data):
        raise Differs(f"{len(attachments)} attachments at {places} in {len(data)} bytes")
    parts, start = b"", 0
    for attachment, place in zip(attachments, places, strict=True):
        parts += data[start:place] + attachment
        start = place
    return parts + data[start:]


class AsClient(Wire):
    """A bare client, of a server that is tested."""

    def __init__(self, context: zmq.Context[Any], endpoint: str, *, answers_pings: bool) -> None:
        super().__init__(answers_pings=answers_pings)
        self.socket = context.socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.RCVHWM, 0)
        self.socket.connect(endpoint)

    def send(self, frames: Sequence[bytes]) -> None:
        """Sends a message to the server."""
        self.socket.send_multipart(frames)

    def receive(self, seconds: float) -> list[bytes] | None:
        """Returns a message of the server."""
        return self.socket.recv_multipart() if self.socket.poll(int(seconds * 1000)) else None

    def close(self) -> None:
        """Disconnects."""
        self.socket.close()


class AsServer(Wire):
    """A bare server, of a client that is tested."""

    def __init__(self, context: zmq.Context[Any], *, answers_pings: bool) -> None:
        super().__init__(answers_pings=answers_pings)
        self.context, self.route = context, b""
        self.endpoint = "tcp://127.0.0.1:*"
        self._open()

    def _open(self) -> None:
        self.socket = self.context.socket(zmq.ROUTER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.SNDHWM, 0)
        self.socket.bind(self.endpoint)
        self.endpoint = self.socket.getsockopt_string(zmq.LAST_ENDPOINT)

    def drop(self) -> None:
        """Closes the client's connection, and takes another one at the same endpoint."""
        self.socket.close()
        deadline = time.monotonic() + WAIT
        while True:
            try:
                return self._open()
            except zmq.ZMQError:
                # libzmq closes the listening socket a little later.
                self.socket.close()
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.005)

    def send(self, frames: Sequence[bytes]) -> None:
        """Sends a message to the client that was heard last."""
        self.socket.send_multipart([self.route, *frames])

    def receive(self, seconds: float) -> list[bytes] | None:
        """Returns a message of a client."""
        if not self.socket.poll(int(seconds * 1000)):
            return None
        self.route, *frames = self.socket.recv_multipart()
        return list(frames)

    def close(self) -> None:
        """Disconnects."""
        self.socket.close()
