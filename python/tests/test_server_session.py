"""All clients of a server, without I/O: what it answers, and in which order it refuses."""

from typing import Any

import pytest

from zsvc import Cause, Code, Outcome, ServerLimits, Status
from zsvc.codec.writer import Body
from zsvc.session import peer as p
from zsvc.session.config import Kind
from zsvc.session.failure import Declared
from zsvc.session.server import ServerSession
from zsvc.wire import read, write
from zsvc.wire import records as r

A, B = b"\0aaaa", b"\0bbbb"
METHODS = {
    name: p.Method(name, kind, roles)
    for name, kind, roles in [
        ("S/unary", Kind.UNARY, ()),
        ("S/watch", Kind.SERVER_STREAM, ()),
        ("S/import", Kind.CLIENT_STREAM, ()),
        ("S/converse", Kind.BIDIRECTIONAL, ()),
        ("S/note", Kind.ONE_WAY, ()),
        ("S/halt", Kind.UNARY, ("admin",)),
    ]
}
LIMITS = ServerLimits(max_message_size=1000, max_calls_per_peer=3, max_calls=8, peer_timeout=15, grace=10)


class Rig:
    def __init__(self, limits: ServerLimits = LIMITS) -> None:
        self.now = 0.0
        self.session = ServerSession(limits, METHODS)
        self.session.set_roles({"key-of-admin": ["admin"], "key-of-guest": []}.get)

    def hear(self, *records: bytes, route: bytes = A, key: str | None = None) -> None:
        self.hear_bytes(b"\x01" + b"".join(records), route=route, key=key)

    def hear_bytes(self, *frames: bytes, route: bytes = A, key: str | None = None) -> None:
        self.session.receive([memoryview(frame) for frame in (route, *frames)], self.now, key)

    def said(self, route: bytes = A) -> list[r.Record]:
        """Returns what was said to one client; what was said to others is lost."""
        records: list[r.Record] = []
        while (message := self.session.poll_message()) is not None:
            peer, frames = message
            self.session.sent(peer, self.now)
            found = read.read_message([memoryview(frame) for frame in frames], min_route=0)
            assert found.error is None
            if peer.route[0] == route:
                records += found.records
        return records

    def events(self) -> list[p.Event]:
        found: list[p.Event] = []
        while (event := self.session.poll_event()) is not None:
            found.append(event)
        return found

    def call(self, method: str = "S/unary", id: int = 1, route: bytes = A, **more: Any) -> p.ServerCall:
        self.hear(call(method, id, **more), route=route)
        (event,) = self.events()
        assert isinstance(event, p.Started)
        return event.call

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.session.handle_timeout(self.now)

    def error(self, route: bytes = A) -> r.Error:
        (record,) = self.said(route)
        assert isinstance(record, r.Error)
        return record


def call(method: str = "S/unary", id: int = 1, **more: Any) -> bytes:
    data = more.pop("data", b"\x90")
    return write.call(r.Call(id, method, Body(data, [], []), **more))


def test_a_call_is_answered() -> None:
    rig = Rig()
    made = rig.call(timeout=5_000_000, metadata={"tenant": "7"})
    assert (made.deadline, made.metadata) == (5.0, {"tenant": "7"})
    rig.session.reply(made, Body(b"\x05", [], []))
    rig.session.reply(made, Body(b"\x06", [], []))
    (said,) = rig.said()
    assert isinstance(said, r.Reply)
    assert said.body.data == b"\x05"
    assert rig.session.is_idle()


LONG = bytes(1001)
REFUSALS: list[tuple[str, bytes, tuple[int, Code, Outcome, Cause]]] = [
    ("id 0", call(id=0), (0, Code.INVALID_ARGUMENT, Outcome.MAYBE_EXECUTED, Cause.PROTOCOL)),
    ("id in flight", call(id=9), (9, Code.INVALID_ARGUMENT, Outcome.NOT_SENT, Cause.PROTOCOL)),
    ("no method", call("S/none"), (1, Code.UNIMPLEMENTED, Outcome.NOT_SENT, Cause.NO_SUCH_METHOD)),
    ("wrong kind", call("S/note"), (1, Code.INVALID_ARGUMENT, Outcome.NOT_SENT, Cause.NO_SUCH_METHOD)),
    ("role", call("S/halt"), (1, Code.UNAUTHENTICATED, Outcome.NOT_SENT, Cause.FORBIDDEN)),
    ("time", call(timeout=0), (1, Code.DEADLINE_EXCEEDED, Outcome.NOT_SENT, Cause.DEADLINE)),
    ("size", call(data=LONG), (1, Code.RESOURCE_EXHAUSTED, Outcome.NOT_SENT, Cause.TOO_LARGE)),
    (
        "metadata",
        call(metadata={str(index): "" for index in range(65)}),
        (1, Code.RESOURCE_EXHAUSTED, Outcome.NOT_SENT, Cause.TOO_LARGE),
    ),
    (
        "bytes of metadata",
        call(metadata={"a": "b" * 16_384}),
        (1, Code.RESOURCE_EXHAUSTED, Outcome.NOT_SENT, Cause.TOO_LARGE),
    ),
    ("method no UTF-8", b"\x94\x01\x01\xa1\xff\xc4\x01\x90", (1, Code.UNIMPLEMENTED, Outcome.NOT_SENT, Cause(7))),
    ("kind", b"\x92\x0c\x05", (5, Code.UNIMPLEMENTED, Outcome.MAYBE_EXECUTED, Cause.PROTOCOL)),
    ("query", write.plain(r.QUERY, 5), (5, Code.UNAVAILABLE, Outcome.MAYBE_EXECUTED, Cause.SERVER_RESTARTED)),
    ("no array", b"\x05", (0, Code.INVALID_ARGUMENT, Outcome.MAYBE_EXECUTED, Cause.PROTOCOL)),
    ("one element", b"\x91\x05", (0, Code.INVALID_ARGUMENT, Outcome.MAYBE_EXECUTED, Cause.PROTOCOL)),
    ("negative id", b"\x92\x09\xff", (0, Code.INVALID_ARGUMENT, Outcome.MAYBE_EXECUTED, Cause.PROTOCOL)),
    ("cut", b"\x94\x01\x01\xa9abc", (0, Code.INVALID_ARGUMENT, Outcome.MAYBE_EXECUTED, Cause.PROTOCOL)),
    ("no body", b"\x93\x01\x01\xa1a", (0, Code.INVALID_ARGUMENT, Outcome.MAYBE_EXECUTED, Cause.PROTOCOL)),
    ("str body", b"\x94\x01\x01\xa1a\xa1a", (0, Code.INVALID_ARGUMENT, Outcome.MAYBE_EXECUTED, Cause.PROTOCOL)),
    (
        "places without frames",
        b"\x98\x01\x01\xa1a\xc4\x00\xc0\xc0\xc0\x91\x00",
        (0, Code.INVALID_ARGUMENT, Outcome.MAYBE_EXECUTED, Cause.PROTOCOL),
    ),
]


@pytest.mark.parametrize(("records", "told"), [pytest.param(*it[1:], id=it[0]) for it in REFUSALS])
def test_refusals(records: bytes, told: tuple[int, Code, Outcome, Cause]) -> None:
    rig = Rig()
    rig.call(id=9)
    rig.hear(records)
    error = rig.error()
    assert (error.id, error.code, error.outcome, error.cause) == told
    assert error.message
    assert rig.events() == []
    rig.hear(write.plain(r.PING, 3))
    (pong,) = rig.said()
    assert isinstance(pong, r.Pong)
    assert pong.id == 3
    assert pong.life is not None


@pytest.mark.parametrize("batch", [b"", b"\x02\x92\x09\x01", b"\x00"])
def test_a_batch_of_another_version_is_told(batch: bytes) -> None:
    rig = Rig()
    rig.hear_bytes(batch)
    error = rig.error()
    assert (error.id, error.code, error.cause) == (0, Code.UNIMPLEMENTED, Cause.PROTOCOL)


def test_too_many_records_and_frames_are_told() -> None:
    rig = Rig()
    rig.hear_bytes(b"\x01" + 65_537 * write.plain(r.CANCEL, 5))
    assert rig.error().code == Code.RESOURCE_EXHAUSTED
    rig.hear_bytes(*(3000 * [b"x"]), b"\x01")
    rig.said()
    assert rig.session.dropped["route"] == 1


@pytest.mark.parametrize(
    "records",
    [write.plain(r.END, 5), write.plain(r.CANCEL, 5), write.credit(5, 5), write.pong(0, None), b""],
)
def test_what_does_not_belong_is_ignored(records: bytes) -> None:
    rig = Rig()
    rig.hear(records)
    assert rig.said() == []
    assert rig.events() == []


def test_records_before_a_malformed_one_stand() -> None:
    rig = Rig()
    rig.hear(call(), b"\xc1")
    assert [type(event) for event in rig.events()] == [p.Started]
    assert rig.error().id == 0


def test_unknown_kinds_are_answered_up_to_a_bound() -> None:
    rig = Rig()
    rig.hear(100 * b"\x92\x0c\x05")
    assert len(rig.said()) == 64
    assert rig.session.dropped["unknown kind"] == 36


def test_limits_of_calls() -> None:
    rig = Rig()
    for id in (1, 2, 3):
        rig.call(id=id)
    rig.hear(call(id=4))
    error = rig.error()
    assert (error.code, error.outcome, error.cause) == (Code.RESOURCE_EXHAUSTED, Outcome.NOT_SENT, Cause.OVERLOADED)
    assert error.wait is not None
    assert error.wait > 0
    # The last quarter is shared out: a client that has none is served while anything is left.
    for id in (1, 2, 3):
        rig.call(id=id, route=B)
    rig.call(route=b"\0cccc")
    rig.hear(call(id=2), route=b"\0cccc")
    assert rig.error(b"\0cccc").cause == Cause.OVERLOADED
    rig.call(route=b"\0dddd")
    rig.hear(call(), route=b"\0eeee")
    assert "as many as it may" in rig.error(b"\0eeee").message


def test_roles_are_those_of_the_key() -> None:
    rig = Rig()
    rig.hear(call("S/halt"), route=B, key="key-of-guest")
    assert rig.error(B).code == Code.PERMISSION_DENIED
    rig.hear(call("S/halt"), route=b"\0cccc", key="key-of-admin")
    assert [type(event) for event in rig.events()] == [p.Started]


def test_deadlines_end_calls() -> None:
    rig = Rig()
    made = rig.call(timeout=1_000_000)
    assert rig.session.next_timeout(rig.now) == 1
    rig.wait(1)
    assert [type(event) for event in rig.events()] == [p.Ended]
    error = rig.error()
    assert (error.code, error.outcome, error.cause) == (4, 1, 3)
    rig.session.reply(made, Body(b"", [], []))
    assert rig.said() == []


def test_a_cancel_ends_the_handler_without_an_answer() -> None:
    rig = Rig()
    rig.call()
    rig.hear(write.plain(r.CANCEL, 1))
    assert [type(event) for event in rig.events()] == [p.Ended]
    assert rig.said() == []


def test_an_answer_past_the_limit_is_told() -> None:
    rig = Rig()
    rig.session.reply(rig.call(), Body(bytes(1001), [], []))
    error = rig.error()
    assert (error.code, error.outcome, error.cause) == (8, 2, 5)


def test_a_stream_of_answers_waits_for_credit() -> None:
    rig = Rig()
    made = rig.call("S/watch", credit=10)
    for _ in range(4):
        rig.session.send_items(made, Body(bytes(6), [], []))
    rig.session.finish(made)
    assert [len(it.body.data) for it in rig.said() if isinstance(it, r.Items)] == [6, 6]
    rig.hear(write.credit(1, 2))
    assert rig.said() == []
    rig.hear(write.credit(1, 1_000_000))
    assert [type(record) for record in rig.said()] == [r.Items, r.End]


def test_a_stream_of_parameters_is_granted_credit() -> None:
    rig = Rig()
    made = rig.call("S/import")
    (granted,) = rig.said()
    assert granted == r.Credit(1, (256 << 10) - 65_536)
    rig.hear(write.with_body(r.ITEMS, 1, Body(bytes(5), [], [])), write.plain(r.END, 1))
    rig.hear(write.with_body(r.ITEMS, 1, Body(bytes(5), [], [])))
    assert [type(event) for event in rig.events()] == [p.ItemsArrived, p.ItemsComplete]
    rig.session.consumed(made, 1 << 18)
    assert rig.said() == [], "no credit once the stream is complete"


def test_items_without_credit_end_the_call() -> None:
    rig = Rig(ServerLimits(stream_window=65_536))
    rig.call("S/import")
    rig.hear(write.with_body(r.ITEMS, 1, Body(bytes(65_536), [], [])))
    rig.hear(write.with_body(r.ITEMS, 1, Body(b"a", [], [])))
    assert [type(event) for event in rig.events()] == [p.ItemsArrived, p.Ended]
    error = rig.error()
    assert (error.code, error.outcome, error.cause) == (8, 1, 8)


def test_one_way_calls_are_never_answered() -> None:
    rig = Rig()
    rig.hear(call("S/none", 0, one_way=True), call("S/unary", 0, one_way=True), call("S/note", 0, one_way=True))
    (event,) = rig.events()
    assert isinstance(event, p.Started)
    rig.session.fail(event.call, Status(Code.INTERNAL))
    assert rig.said() == []
    assert rig.session.dropped["refused call"] == 2
    assert rig.session.is_idle()


def test_failures_of_handlers_are_told() -> None:
    rig = Rig()
    rig.session.fail(rig.call(), Declared(b"\x92\x01\xc0", "why", Outcome.EXECUTED))
    error = rig.error()
    assert (error.code, error.body, error.outcome) == (0, b"\x92\x01\xc0", 2)


def test_a_silent_client_is_asked_and_then_let_go() -> None:
    rig = Rig()
    rig.call()
    rig.wait(4)
    assert rig.said() == []
    rig.wait(1)
    assert rig.said() == [r.Ping(0)]
    rig.wait(9)
    assert rig.events() == []
    rig.wait(1)
    assert [type(event) for event in rig.events()] == [p.Ended]
    error = rig.error()
    assert (error.id, error.code, error.cause) == (1, Code.UNAVAILABLE, Cause.CLIENT_LOST)


def test_a_client_that_answers_is_kept() -> None:
    rig = Rig()
    rig.call()
    for _ in range(20):
        rig.wait(5)
        assert rig.said() == [r.Ping(0)]
        rig.hear(write.pong(0, None))
    assert rig.events() == []


def test_a_client_that_is_gone_loses_its_calls() -> None:
    rig = Rig()
    made = rig.call()
    rig.session.gone(made.peer, rig.now)
    assert [type(event) for event in rig.events()] == [p.Ended]
    rig.session.reply(made, Body(b"", [], []))
    assert rig.session.is_idle()
    assert rig.said() == []


def test_a_client_that_does_not_read_is_let_go() -> None:
    rig = Rig()
    made = rig.call("S/watch", credit=1 << 30)
    rig.session.send_items(made, Body(bytes(1000), [], []))
    message = rig.session.poll_message()
    assert message is not None
    rig.session.blocked(message[0], rig.now)
    for _ in range(15):
        assert rig.session.poll_message() is None
        rig.hear(write.plain(r.CANCEL, 77))
        rig.wait(1)
        message = rig.session.poll_message()
        assert message is not None
        rig.session.blocked(message[0], rig.now)
    rig.wait(1)
    assert p.Ended in [type(event) for event in rig.events()]
    error = rig.error()
    assert (error.id, error.code, error.cause) == (0, Code.UNAVAILABLE, Cause.CLIENT_LOST)


def test_items_wait_where_a_client_reads_slowly() -> None:
    rig = Rig(ServerLimits())
    made = rig.call("S/watch", credit=1 << 40)
    for _ in range(100):
        rig.session.send_items(made, Body(bytes(100_000), [], []))
    assert made.peer.outbox.size < 2 << 20
    rig.session.finish(made)
    said = rig.said()
    assert sum(len(record.body) for record in said if isinstance(record, r.Items)) == 10_000_000
    assert isinstance(said[-1], r.End)


def test_draining() -> None:
    rig = Rig()
    made = rig.call()
    rig.session.drain(rig.now)
    assert rig.said() == [r.GoingAway(0)]
    rig.hear(call(id=2))
    error = rig.error()
    assert (error.code, error.outcome, error.cause) == (14, 0, 1)
    rig.hear(call("S/note", 0, one_way=True))
    (note,) = rig.events()
    assert not rig.session.is_idle()
    rig.session.reply(note.call, Body(b"", [], []))
    rig.session.reply(made, Body(b"\xc0", [], []))
    assert rig.session.is_idle()
    rig.session.say_goodbye(rig.now)
    assert [type(record) for record in rig.said()] == [r.Reply, r.Ping]
    assert not rig.session.is_done(rig.now)
    rig.hear(write.pong(0, None))
    assert rig.session.is_done(rig.now)


def test_a_goodbye_that_is_over_is_waited_for_no_more() -> None:
    """A time that has passed would be due again and again."""
    rig = Rig()
    rig.hear(call("S/note", 0, one_way=True))
    (note,) = rig.events()
    rig.session.reply(note.call, Body(b"", [], []))
    rig.session.drain(rig.now)
    rig.session.say_goodbye(rig.now)
    last = rig.now
    while (when := rig.session.next_timeout(last)) is not None:
        assert when > last
        last = when
        rig.session.handle_timeout(last)
    assert rig.session.is_done(last)


def test_grace_ends() -> None:
    rig = Rig()
    rig.call()
    rig.session.drain(rig.now)
    rig.said()
    rig.hear(write.plain(r.CANCEL, 77))
    rig.wait(10)
    assert p.Ended in [type(event) for event in rig.events()]
    errors = [record for record in rig.said() if isinstance(record, r.Error)]
    assert [(error.code, error.outcome, error.cause) for error in errors] == [(14, 1, 1)]


def test_idle_clients_are_forgotten_at_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(p, "MAX_IDLE", 10)
    rig = Rig()
    rig.call()
    for index in range(100):
        rig.hear(write.plain(r.PING, 1), route=b"\0" + index.to_bytes(4, "big"))
        rig.said()
    rig.session.drain(rig.now)
    assert rig.said() == [r.GoingAway(0)], "one with calls is not forgotten"


def test_devices_in_front_are_part_of_the_route() -> None:
    rig = Rig()
    rig.hear_bytes(b"device", b"", b"\x01" + write.plain(r.PING, 4))
    message = rig.session.poll_message()
    assert message is not None
    assert message[0].route == (A, b"device", b"")


RUNNING = ServerLimits(max_running=1, max_queued=8, grace=10)


def begun(rig: Rig) -> list[tuple[bytes, int]]:
    """Returns the routes and ids of calls that have begun."""
    return [(event.call.peer.route[0], event.call.id) for event in rig.events() if isinstance(event, p.Started)]


def started(rig: Rig) -> list[p.ServerCall]:
    """Returns the calls that have begun."""
    return [event.call for event in rig.events() if isinstance(event, p.Started)]


def test_clients_take_turns() -> None:
    rig = Rig(RUNNING)
    rig.hear(*(call(id=id) for id in range(1, 5)))
    rig.hear(*(call(id=id) for id in range(1, 3)), route=B)
    (running,) = started(rig)
    order = [(running.peer.route[0], running.id)]
    for _ in range(5):
        rig.session.handler_ended(running)
        (running,) = started(rig)
        order.append((running.peer.route[0], running.id))
    assert order == [(A, 1), (A, 2), (B, 1), (A, 3), (B, 2), (A, 4)]
    rig.session.handler_ended(running)
    assert started(rig) == []
    rig.hear(call(id=9))
    assert begun(rig) == [(A, 9)], "there is room again"


def test_a_deadline_passes_before_its_turn() -> None:
    rig = Rig(RUNNING)
    rig.hear(call(), call(id=2, timeout=1_000_000), call(id=3))
    (running,) = started(rig)
    rig.wait(1.0)
    error = rig.error()
    assert (error.id, error.code, error.outcome, error.cause) == (2, Code.DEADLINE_EXCEEDED, 0, Cause.DEADLINE)
    rig.session.handler_ended(running)
    assert begun(rig) == [(A, 3)]


def test_the_grace_time_is_over_before_a_turn() -> None:
    rig = Rig(RUNNING)
    rig.hear(call(), call(id=2))
    (running,) = started(rig)
    rig.session.drain(rig.now)
    rig.wait(10.0)
    errors = [record for record in rig.said() if isinstance(record, r.Error)]
    assert [(it.id, it.outcome) for it in errors] == [(1, Outcome.MAYBE_EXECUTED), (2, Outcome.NOT_SENT)]
    assert all((it.code, it.cause) == (Code.UNAVAILABLE, Cause.GOING_AWAY) for it in errors)
    rig.session.handler_ended(running)
    assert begun(rig) == [], "what has ended has no turn"


def test_a_call_has_what_came_before_its_turn() -> None:
    rig = Rig(RUNNING)
    rig.hear(call(), call("S/import", 2), write.with_body(r.ITEMS, 2, Body(b"\x01", [], [])), write.plain(r.END, 2))
    (running,) = started(rig)
    rig.session.handler_ended(running)
    assert [type(event) for event in rig.events()] == [p.Started, p.ItemsArrived, p.ItemsComplete]


def test_one_way_calls_that_have_no_turn_are_dropped() -> None:
    rig = Rig(ServerLimits(max_running=1, max_queued=0))
    rig.hear(call(), write.call(r.Call(0, "S/note", Body(b"\x90", [], []), one_way=True)), call(id=2))
    assert begun(rig) == [(A, 1)]
    error = rig.error()
    assert (error.id, error.code, error.outcome, error.cause) == (2, Code.RESOURCE_EXHAUSTED, 0, Cause.OVERLOADED)
    assert rig.session.dropped["refused call"] == 2


def test_an_item_that_is_longer_than_what_may_wait_leaves() -> None:
    rig = Rig(ServerLimits(max_waiting_per_peer=1_000))
    call = rig.call("S/watch", credit=1 << 20)
    for _ in range(2):
        rig.session.send_items(call, Body(bytes(5_000), [], []))
        (record,) = rig.said()
        assert isinstance(record, r.Items)
        assert len(record.body) == 5_000
    for _ in range(2):
        rig.session.send_items(call, Body(bytes(5_000), [], []))
    *_, error = rig.said()
    assert isinstance(error, r.Error), "one waited already that was not read"
    assert error.code == Code.RESOURCE_EXHAUSTED


def test_what_is_held_of_a_call_that_is_over_has_neither_body_nor_metadata() -> None:
    rig = Rig()
    rig.hear(call("S/unary", 1, metadata={"a": "x" * 1_000}), write.plain(r.CANCEL, 1))
    started, _ = rig.events()
    assert isinstance(started, p.Started)
    assert (len(started.call.body), started.call.metadata) == (0, {})


def test_nothing_is_said_of_a_query_for_no_call() -> None:
    rig = Rig()
    rig.hear(write.plain(r.QUERY, 0))
    assert rig.said() == []
    rig.hear(write.plain(r.QUERY, 7))
    assert rig.error().id == 7


def test_only_clients_that_were_asked_in_time_are_let_go() -> None:
    rig = Rig()
    rig.call()
    rig.wait(100)
    (asked,) = rig.said()
    assert isinstance(asked, r.Ping), "the server itself was held up, and has asked nothing"
    rig.wait(9.9)
    assert rig.said() == []
    assert rig.events() == []
    rig.wait(0.2)
    assert rig.error().cause == Cause.CLIENT_LOST
