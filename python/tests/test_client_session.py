"""One connection of a client, without I/O: what it sends for what it is told, and what becomes of its calls."""

import tracemalloc
from typing import Any

import pytest

from zsvc import Cause, ClientLimits, Code, Outcome, Status
from zsvc.codec.writer import Body
from zsvc.session import client as c
from zsvc.session.config import Kind
from zsvc.session.failure import Declared
from zsvc.wire import read, write
from zsvc.wire import records as r

LIMITS = ClientLimits(max_message_size=1000, stream_window=100, server_timeout=40, max_calls=2)


def body(data: bytes = b"\x90") -> Body:
    return Body(data, [], [])


class Rig:
    """A session, and what it has said."""

    def __init__(self, limits: ClientLimits = LIMITS) -> None:
        self.now = 0.0
        self.session = c.ClientSession(limits, self.now)

    def start(self, kind: Kind, *, timeout: float | None = None, data: bytes = b"\x90", proof: bool = False) -> Any:
        deadline = None if timeout is None else self.now + timeout
        spec = c.CallSpec("p.S/m", kind, body(data), deadline, None, proof)
        return self.session.start(spec, None, self.now)

    def hear(self, *records: bytes) -> None:
        self.session.receive([memoryview(b"\x01" + b"".join(records))], self.now)

    def hear_bytes(self, *frames: bytes) -> None:
        self.session.receive([memoryview(frame) for frame in frames], self.now)

    def said(self) -> list[r.Record]:
        records: list[r.Record] = []
        while (frames := self.session.poll_message()) is not None:
            self.session.sent()
            message = read.read_message([memoryview(frame) for frame in frames], min_route=0)
            assert message.error is None
            records += message.records
        return records

    def events(self) -> list[c.Event]:
        found: list[c.Event] = []
        while (event := self.session.poll_event()) is not None:
            found.append(event)
        return found

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.session.handle_timeout(self.now)

    def failure(self) -> Status:
        failed = [event for event in self.events() if isinstance(event, c.Failed)]
        assert len(failed) == 1
        assert isinstance(failed[0].failure, Status)
        return failed[0].failure


def reply(id: int, data: bytes = b"\xc0") -> bytes:
    return write.with_body(r.REPLY, id, body(data))


def items(id: int, data: bytes) -> bytes:
    return write.with_body(r.ITEMS, id, body(data))


def test_a_call_is_answered_once() -> None:
    rig = Rig()
    call = rig.start(Kind.UNARY, timeout=2)
    (said,) = rig.said()
    assert isinstance(said, r.Call)
    assert (said.id, said.method, said.timeout, said.credit) == (call.id, "p.S/m", 2_000_000, 0)
    rig.hear(reply(call.id, b"\x05"), reply(call.id, b"\x06"))
    (event,) = rig.events()
    assert isinstance(event, c.Answered)
    assert event.body is not None
    assert event.body.data == b"\x05"
    assert rig.session.calls_in_flight == 0


def error(id: int, code: int, outcome: int = 1, data: bytes | None = None, cause: int | None = None) -> bytes:
    return write.error(r.Error(id, code, "why", outcome, data, None, cause))


@pytest.mark.parametrize(
    ("kind", "answer", "code", "outcome"),
    [
        (Kind.UNARY, error(1, 5, 2), Code.NOT_FOUND, Outcome.EXECUTED),
        (Kind.UNARY, error(1, 99, 2), Code.UNKNOWN, Outcome.EXECUTED),
        (Kind.UNARY, error(1, 5, 7), Code.NOT_FOUND, Outcome.MAYBE_EXECUTED),
        (Kind.UNARY, error(0, 12, 0), Code.UNIMPLEMENTED, Outcome.MAYBE_EXECUTED),
        (Kind.UNARY, write.plain(r.END, 1), Code.UNKNOWN, Outcome.MAYBE_EXECUTED),
        (Kind.SERVER_STREAM, reply(1), Code.UNKNOWN, Outcome.MAYBE_EXECUTED),
        (Kind.UNARY, reply(1, bytes(1001)), Code.RESOURCE_EXHAUSTED, Outcome.EXECUTED),
        (Kind.SERVER_STREAM, items(1, bytes(101)) + items(1, b"a"), Code.RESOURCE_EXHAUSTED, Outcome.MAYBE_EXECUTED),
        (Kind.UNARY, bytes([0x92, 12, 1]), Code.UNIMPLEMENTED, Outcome.MAYBE_EXECUTED),
        (Kind.UNARY, bytes([0x92, 12, 0]), Code.UNIMPLEMENTED, Outcome.MAYBE_EXECUTED),
        (Kind.UNARY, b"\xc1", Code.UNKNOWN, Outcome.MAYBE_EXECUTED),
        (Kind.UNARY, b"\x91\x03", Code.UNKNOWN, Outcome.MAYBE_EXECUTED),
        (Kind.UNARY, b"\x92\x03\x01", Code.UNKNOWN, Outcome.MAYBE_EXECUTED),
        (Kind.UNARY, b"\x93\x03\x01\xc4\x05", Code.UNKNOWN, Outcome.MAYBE_EXECUTED),
        (Kind.UNARY, b"\x94\x03\x01\xc4\x00\x91\x00", Code.UNKNOWN, Outcome.MAYBE_EXECUTED),
        (
            Kind.UNARY,
            write.response_metadata(1, dict.fromkeys(map(str, range(65)), "")),
            Code.RESOURCE_EXHAUSTED,
            Outcome.MAYBE_EXECUTED,
        ),
    ],
)
def test_calls_fail(kind: Kind, answer: bytes, code: Code, outcome: Outcome) -> None:
    rig = Rig()
    rig.start(kind)
    rig.said()
    rig.hear(answer)
    failure = rig.failure()
    assert (failure.code, failure.outcome) == (code, outcome)
    assert rig.session.calls_in_flight == 0


@pytest.mark.parametrize("frames", [(b"",), (b"\x02\x92\x09\x01",), (b"a", b"")])
def test_a_batch_that_can_not_be_read_ends_what_was_sent(frames: tuple[bytes, ...]) -> None:
    rig = Rig()
    rig.start(Kind.UNARY)
    rig.said()
    rig.start(Kind.UNARY)
    rig.hear_bytes(*frames)
    failure = rig.failure()
    assert (failure.code, failure.outcome) == (Code.UNKNOWN, Outcome.MAYBE_EXECUTED)
    assert rig.session.calls_in_flight == 1, "the other call had not left"
    assert [type(record) for record in rig.said()] == [r.Call, r.Cancel]


@pytest.mark.parametrize(
    "records",
    [
        reply(77),
        error(77, 5),
        items(77, b"a"),
        write.credit(1, 5),
        bytes([0x93, 64, 1, 0x81, 1, 2]),
        bytes([0x92, 8, 1]),
        items(1, b"a"),
        items(1, b""),
        bytes([0x94, 3, 77, 0xC4, 0, 0xC0]),
    ],
)
def test_what_does_not_belong_is_ignored(records: bytes) -> None:
    rig = Rig()
    call = rig.start(Kind.UNARY)
    rig.said()
    rig.hear(records)
    assert rig.events() == []
    assert rig.said() == []
    rig.hear(reply(call.id))
    assert len(rig.events()) == 1


def test_a_declared_error_is_passed_on() -> None:
    rig = Rig()
    rig.start(Kind.UNARY)
    rig.said()
    rig.hear(error(1, 0, 2, b"\x92\x01\x90"))
    (event,) = rig.events()
    assert isinstance(event, c.Failed)
    assert event.failure == Declared(b"\x92\x01\x90", "why", Outcome.EXECUTED)


def test_a_deadline_ends_a_call_and_cancels_it() -> None:
    rig = Rig()
    rig.start(Kind.UNARY, timeout=5)
    assert rig.session.next_timeout() == 5
    rig.said()
    rig.wait(5)
    failure = rig.failure()
    assert (failure.code, failure.outcome) == (Code.DEADLINE_EXCEEDED, Outcome.MAYBE_EXECUTED)
    assert rig.said() == [r.Cancel(1)]


def test_a_call_that_is_given_up_is_cancelled_without_an_event() -> None:
    rig = Rig()
    call = rig.start(Kind.UNARY)
    rig.session.cancel(call)
    rig.session.cancel(call)
    assert [type(record) for record in rig.said()] == [r.Call, r.Cancel]
    rig.hear(reply(call.id))
    assert rig.events() == []


def test_only_what_has_left_is_maybe_executed_when_the_connection_is_lost() -> None:
    rig = Rig()
    rig.start(Kind.UNARY)
    rig.said()
    rig.start(Kind.UNARY)
    rig.session.lost(Status(Code.UNAVAILABLE, "gone", cause=Cause.CONNECTION_LOST))
    outcomes = [event.failure.outcome for event in rig.events() if isinstance(event, c.Failed)]
    assert outcomes == [Outcome.MAYBE_EXECUTED, Outcome.NOT_SENT]
    assert rig.said() == []


def test_a_stream_waits_for_credit() -> None:
    rig = Rig()
    call = rig.start(Kind.CLIENT_STREAM)
    big = bytes(40_000)
    for _ in range(3):
        rig.session.send_items(call, body(big))
    rig.session.finish(call)
    assert [type(record) for record in rig.said()] == [r.Call, r.Items, r.Items], "the last takes credit below zero"
    rig.hear(write.credit(1, 14_463))
    assert rig.said() == []
    rig.hear(write.credit(1, 1 + 14_464))
    assert [type(record) for record in rig.said()] == [r.Items, r.End]


def test_small_items_share_a_record() -> None:
    rig = Rig()
    call = rig.start(Kind.BIDIRECTIONAL)
    for _ in range(5):
        rig.session.send_items(call, body(b"\x01"))
    rig.session.finish(call)
    said = rig.said()
    assert [type(record) for record in said] == [r.Call, r.Items, r.End]
    assert isinstance(said[1], r.Items)
    assert said[1].body.data == 5 * b"\x01"


def test_credit_is_granted_for_what_is_read() -> None:
    rig = Rig()
    call = rig.start(Kind.SERVER_STREAM)
    (said,) = rig.said()
    assert isinstance(said, r.Call)
    assert said.credit == 100
    rig.hear(items(1, bytes(60)))
    rig.session.consumed(call, 49)
    assert rig.said() == []
    rig.session.consumed(call, 11)
    assert rig.said() == [r.Credit(1, 60)]
    rig.hear(write.plain(r.END, 1))
    assert [type(event) for event in rig.events()] == [c.ItemsArrived, c.Answered]


def test_a_ping_is_answered_after_what_came_before_it() -> None:
    rig = Rig()
    rig.start(Kind.UNARY)
    rig.hear(write.plain(r.PING, 0))
    assert [type(record) for record in rig.said()] == [r.Call, r.Pong]


def test_a_silent_server_is_asked_and_then_given_up() -> None:
    rig = Rig()
    rig.wait(1000)
    rig.start(Kind.UNARY)
    rig.said()
    rig.wait(9)
    assert rig.said() == []
    rig.wait(1)
    (ping,) = rig.said()
    assert isinstance(ping, r.Ping)
    rig.wait(29)
    assert rig.events() == []
    rig.wait(1)
    failure = rig.failure()
    assert (failure.code, failure.cause) == (Code.UNAVAILABLE, Cause.SERVER_SILENT)
    assert [type(record) for record in rig.said()] == [r.Cancel]


def test_any_word_of_the_server_is_a_sign_of_life() -> None:
    rig = Rig()
    rig.start(Kind.UNARY)
    rig.said()
    for _ in range(50):
        rig.wait(9)
        rig.hear(write.credit(1, 5))
        assert rig.said() == []
        assert rig.events() == []


def test_another_life_of_the_server_is_asked_for_each_call() -> None:
    rig = Rig()
    rig.start(Kind.UNARY)
    rig.said()
    rig.wait(10)
    (ping,) = rig.said()
    rig.hear(write.pong(ping.id, 5))
    assert rig.said() == [r.Query(1)]
    rig.wait(10)
    (ping,) = rig.said()
    rig.hear(write.pong(ping.id, 5))
    assert rig.said() == []
    rig.wait(10)
    (ping,) = rig.said()
    rig.hear(write.pong(ping.id, 6), write.pong(ping.id, 7))
    assert rig.said() == [r.Query(1)]
    rig.hear(error(1, 14, 1, None, 10))
    assert rig.failure().cause is Cause.SERVER_RESTARTED


def test_one_way_calls_are_bounded_by_pings() -> None:
    rig = Rig(ClientLimits(max_unread_one_way=2 << 20))
    for _ in range(2):
        rig.start(Kind.ONE_WAY, data=bytes(1 << 20))
    assert not rig.session.has_room(one_way=True)
    assert rig.session.has_room()
    said = rig.said()
    pings = [record for record in said if isinstance(record, r.Ping)]
    assert len(pings) == 2
    rig.hear(write.pong(pings[0].id, 1))
    assert rig.session.has_room(one_way=True)


def test_a_proof_ends_a_one_way_call() -> None:
    rig = Rig()
    rig.start(Kind.ONE_WAY, proof=True)
    call, ping = rig.said()
    assert isinstance(call, r.Call)
    assert call.one_way
    assert rig.events() == []
    rig.hear(write.pong(ping.id, 1))
    assert [type(event) for event in rig.events()] == [c.Answered]


def test_a_server_that_goes_away_finishes_what_is_in_flight() -> None:
    rig = Rig()
    rig.start(Kind.UNARY)
    rig.said()
    rig.hear(write.plain(r.GOING_AWAY, 0), reply(1))
    assert rig.session.is_going_away
    assert [type(event) for event in rig.events()] == [c.Answered]


def test_a_call_that_is_refused_since_the_server_goes_away_tells_so() -> None:
    rig = Rig()
    rig.start(Kind.UNARY)
    rig.said()
    rig.hear(error(1, 14, 0, None, 1))
    assert rig.session.is_going_away
    assert rig.failure().outcome is Outcome.NOT_SENT


def test_calls_in_flight_are_bounded() -> None:
    rig = Rig()
    rig.start(Kind.UNARY)
    assert rig.session.has_room()
    rig.start(Kind.UNARY)
    assert not rig.session.has_room()


def test_metadata_beside_an_answer_is_told() -> None:
    rig = Rig()
    rig.start(Kind.UNARY)
    rig.said()
    rig.hear(write.response_metadata(1, {"venue": "7", "raw": b"\x01"}), reply(1))
    first, second = rig.events()
    assert isinstance(first, c.MetadataArrived)
    assert first.metadata == {"venue": "7", "raw": b"\x01"}
    assert isinstance(second, c.Answered)


def test_metadata_without_a_map_is_none() -> None:
    for record in (b"\x92\x42\x01", b"\x93\x42\x01\xc0"):
        rig = Rig()
        rig.start(Kind.UNARY)
        rig.said()
        rig.hear(record, reply(1))
        assert any(isinstance(event, c.Answered) for event in rig.events())


def details(count: int, value: bytes) -> bytes:
    entries = b"".join(b"\xa6%06d" % number + value for number in range(count))
    return b"\x99\x04\x01\x05\xc0\xc0\xc0\xc0\xc0\xdf" + count.to_bytes(4, "big") + entries


def test_details_may_be_text_and_take_no_more_than_they_may() -> None:
    def told(data: bytes) -> Any:
        rig = Rig(ClientLimits())
        rig.start(Kind.UNARY)
        rig.said()
        rig.hear(data)
        return rig.failure()

    assert dict(told(details(1, b"\xa2hi")).details) == {"000000": b"hi"}
    assert len(told(details(64, b"\xc4\x01a")).details) == 64
    for data in (details(65, b"\xc4\x00"), details(5, b"\xc5\x10\x00" + bytes(4096))):
        assert (told(data).code, dict(told(data).details)) == (Code.NOT_FOUND, {})
    data = details(100_000, b"\xc4\x00")
    tracemalloc.start()
    try:
        assert told(data).code == Code.NOT_FOUND
        assert tracemalloc.get_traced_memory()[1] < 3 * len(data)
    finally:
        tracemalloc.stop()


def test_of_a_message_that_is_too_large_one_record_is_read() -> None:
    data = b"\x01" + 60_000 * write.plain(r.PING, 7)
    tracemalloc.start()
    try:
        message = read.read_message([memoryview(data)], min_route=0, max_size=1_000)
        assert tracemalloc.get_traced_memory()[1] < 3 * len(data)
    finally:
        tracemalloc.stop()
    assert (message.records, message.error is not None) == ([], True)
