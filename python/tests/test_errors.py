"""The document's tables of the errors that a server makes: a server is made to say each, with the numbers of a row."""

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import zmq
from conftest import ROOT
from floor import Floor, Mirror
from hostile import ECHO, NIL, TAPE, Dealer, Serving, call, call_with_credit, packed, slow
from test_server_session import Rig

import zsvc
from zsvc import Identity, ServerLimits, Status
from zsvc.codec.writer import Body
from zsvc.middleware import ConcurrencyLimit
from zsvc.wire import records as r

Ask = Callable[[Dealer, Serving], None]
SMALL = {"limits": ServerLimits(max_message_size=1_000)}


def limits(**set: Any) -> dict[str, Any]:
    return {"limits": ServerLimits(**set)}


def says(*records: list[Any]) -> Ask:
    return lambda dealer, _: dealer.say(*records)


def attached(frames: int, size: int, *record: Any) -> Ask:
    """Says a record whose attachments are this many frames of this many bytes."""

    def ask(dealer: Dealer, _: Serving) -> None:
        dealer.send(*frames * [bytes(size)], b"\x01" + packed([*record, frames * [0]]))

    return ask


def in_order(*asks: Ask) -> Ask:
    def ask(dealer: Dealer, server: Serving) -> None:
        for each in asks:
            each(dealer, server)

    return ask


def stops(dealer: Dealer, server: Serving) -> None:
    dealer.sync()
    server.stop()
    dealer.next_of(r.GoingAway)


def first_error(dealer: Dealer, _: Serving) -> None:
    dealer.error()


def late_before_its_turn(dealer: Dealer, _: Serving) -> None:
    dealer.say(slow(1), [*call(2, "last", "ACME"), 200_000])


def silent(dealer: Dealer, _: Serving) -> None:
    dealer.say(slow(1))
    time.sleep(1.2)


def unread(dealer: Dealer, server: Serving) -> None:
    dealer.say(slow(1), *[call(id, "poll", "LONG") for id in range(2, 400)])
    with Dealer(server.endpoint) as other:
        while server.server.driver.session.lost_clients == 0:
            other.good_call()


def deaf(dealer: Dealer, server: Serving) -> None:
    dealer.socket.disconnect(server.endpoint)
    for option, value in ((zmq.RCVHWM, 1), (zmq.RCVBUF, 4_096)):
        dealer.socket.setsockopt(option, value)
    dealer.socket.connect(server.endpoint)
    dealer.say(call_with_credit(1, "watch", 1 << 62, ["FOREVER"]))
    session = server.server.driver.session
    while session.calls_started == 0 or session.calls_in_flight:
        time.sleep(0.01)


def announces(dealer: Dealer, server: Serving) -> None:
    dealer.socket.disconnect(server.endpoint)
    dealer.socket.setsockopt_string(zmq.ROUTING_ID, "me")
    dealer.socket.connect(server.endpoint)
    dealer.say([r.PING, 1])


def with_token(text: str) -> list[Any]:
    return [*call(1, "last", "ACME"), None, {"authorization": text}]


async def whose(token: str) -> Identity | None:
    if token == "later":
        raise Status(zsvc.Code.UNAVAILABLE, "not now")
    return Identity("alice") if token == "alice" else None


async def clumsy(request: zsvc.ServerRequest, following: zsvc.ServerNext) -> Any:
    raise KeyError("as the test asks for")


async def clumsy_after(request: zsvc.ServerRequest, following: zsvc.ServerNext) -> Any:
    await following(request)
    raise KeyError("as the test asks for")


class Vault(Floor):
    """The tape, of which `ping` is for those with a role."""

    def __init__(self) -> None:
        super().__init__()
        methods: list[zsvc.method.Method[Any]] = [
            zsvc.method.Method(**_fields(method)) for method in Floor.__zsvc_methods__
        ]
        for method in methods:
            method.roles = ("keeper",) if method.short_name == "ping" else ()
        self.__zsvc_methods__ = methods


def _fields(method: Any) -> dict[str, Any]:
    import dataclasses

    return {field.name: getattr(method, field.name) for field in dataclasses.fields(method)}


TOKENS = {"tokens": whose}
PAST = [{str(number): "" for number in range(65)}]
ROWS: dict[str, tuple[dict[str, Any], Ask]] = {
    "a message of a peer that announces a [routing id](#sockets), where it is not heard; id 0": ({}, announces),
    "the message of a call that is [too large](#messages-that-are-too-large)": (
        SMALL,
        attached(4, 200_000, r.CALL, 1, TAPE + "last", b"", None, None, None),
    ),
    "the message of items that is too large": (
        SMALL,
        in_order(says(call(1, "import", "deaf")), attached(4, 200_000, r.ITEMS, 1, b"")),
    ),
    "any other message that is too large; id 0": (
        SMALL,
        attached(4, 200_000, r.CALL, 0, TAPE + "last", b"", None, None, None),
    ),
    "hundreds of attachments; id 0": ({}, attached(600, 1, r.ITEMS, 1, b"")),
    "a batch of another version, or an empty one; id 0": ({}, lambda dealer, _: dealer.send(b"\x02")),
    "a malformed record; id 0": ({}, lambda dealer, _: dealer.send(b"\x01\xc0")),
    "more than 65,536 records in a batch; id 0": ({}, says(*65_537 * [[r.CANCEL, 1]])),
    "an unknown kind below 64": ({}, says([12, 1])),
    "a query for a call that is not in flight": ({}, says([r.QUERY, 1])),
    "a call with the id 0; id 0": ({}, says(call(0, "last", "ACME"))),
    "as many calls of the client are in flight as may be": (limits(max_calls_per_peer=1), says(slow(1), slow(2))),
    "the client has as much unread data as it may": (
        limits(max_waiting_per_peer=65_536),
        lambda dealer, _: dealer.say(*unknowns(3_000), slow(1)),
    ),
    "the id of a call in flight": ({}, says(slow(1), slow(1))),
    "as many calls of all clients are in flight as may be": (limits(max_calls=1), says(slow(1), slow(2))),
    "as many calls of the client are in flight as [its share](#shares)": (
        limits(max_calls=8),
        says(*map(slow, range(1, 8))),
    ),
    "no such service or method": ({}, says(call(1, "lost"))),
    "a method by the wrong kind of call record": ({}, says(call(1, "note", "lunch"))),
    "a method with [roles](#roles), of a client that is not known": (TOKENS, says(call(1, "ping"))),
    "a method with roles, of a client that has none of them": (
        TOKENS,
        says([*call(1, "ping"), None, {"authorization": "Bearer alice"}]),
    ),
    "a [token](#roles) that is not good, or what is none": (TOKENS, says(with_token("Bearer bad"))),
    "a token that the server can't look at now": (TOKENS, says(with_token("bearer later"))),
    "the server is going away": ({}, in_order(says(slow(1)), stops, says(slow(2)))),
    "the deadline has passed already": ({}, says([*call(1, "last", "ACME"), 0])),
    "parameters past the limit of a body": (SMALL, says(call(1, "last", "x" * 2_000))),
    "metadata past its limits": ({}, says([*call(1, "last", "ACME"), None, *PAST])),
    "as many calls run, and wait to run, as may": (
        limits(max_running=1, max_queued=1),
        says(slow(1), slow(2), slow(3)),
    ),
    "as many calls of the client wait to run as its share": (
        limits(max_running=1, max_queued=8),
        says(*map(slow, range(1, 9))),
    ),
    "the deadline passes before the call's turn, which is told by the time that the turn comes": (
        limits(max_running=1, max_queued=1),
        late_before_its_turn,
    ),
    "the server stops, and its grace time is over before the call's turn": (
        limits(max_running=1, max_queued=1, grace=0.3),
        in_order(says(slow(1), slow(2)), stops, first_error),
    ),
    "as many calls run, or have been made of late, as a middleware of the project allows": (
        {"middleware": [ConcurrencyLimit.all(1)]},
        says(slow(1), slow(2)),
    ),
    "a middleware panics before the handler has begun": ({"middleware": [clumsy]}, says(call(1, "last", "ACME"))),
    "parameters that can't be read, or break a bound": ({}, says(call(1, "last", 5))),
    "parameters nested too deep": ({}, says([r.CALL, 1, ECHO, b"\x91\x92\x0c" + 200 * b"\x91" + NIL])),
    "parameters whose values take [too much memory](#memory-of-values)": (
        limits(max_message_size=16 << 10),
        says([r.CALL, 1, ECHO, packed([[12, 10_000 * [None]]])]),
    ),
    "the deadline passes": ({}, says([*slow(1), 200_000])),
    "the client sends items without credit": (
        {},
        says(call(1, "import", "deaf"), [r.ITEMS, 1, NIL * 300_000], [r.ITEMS, 1, NIL]),
    ),
    "the client does not read the stream that it has granted credit for": (
        limits(max_waiting_per_peer=65_536),
        deaf,
    ),
    "the client gives no sign of life": (limits(peer_timeout=0.6), silent),
    "the client does not read at all; id 0": (limits(peer_timeout=0.6), unread),
    "the server stops, and its grace time is over": (limits(grace=0.3), in_order(says(slow(1)), stops)),
    "the handler panics": ({}, says(call(1, "last", "BUG"))),
    "a middleware panics once the handler has ended": (
        {"middleware": [clumsy_after]},
        says(call(1, "last", "ACME")),
    ),
    "the answer is past the limit of a body": (SMALL, says(call(1, "poll", "x" * 990))),
    "the answer can't be encoded": ({}, says(call(1, "last", "BAD"))),
}
NO_ROOM = "there is no room for the answer, since clients do not read"


def unknowns(count: int) -> Iterator[list[Any]]:
    """Yields records that are answered with more bytes than they have, in the same batch."""
    return ([r.QUERY, id] for id in range(1 << 40, (1 << 40) + count))


def rows() -> dict[str, tuple[int, int, int | None]]:
    """Returns the rows of the tables: what is wrong, and the code, the outcome and the cause."""
    text = (ROOT / "docs/protocol.md").read_text(encoding="utf-8")
    chapter = text.partition("\n### Errors of a server\n")[2].partition("\n### ")[0]
    found = re.findall(r"^\| (.*) \| (\d+) \| (\d+) \| (\d*) ?\|$", chapter, re.MULTILINE)
    return {what: (int(code), int(outcome), int(cause) if cause else None) for what, code, outcome, cause in found}


TABLE = rows()


def test_every_row_is_provoked() -> None:
    assert set(TABLE) == {*ROWS, NO_ROOM}


def test_an_answer_for_which_there_is_no_room() -> None:
    # Without a socket: one that is filled would be emptied before it is told of this.
    rig = Rig(ServerLimits(max_waiting=1_000))
    first, second = rig.call(id=1), rig.call(id=2)
    rig.session.reply(first, Body(bytes(1_000), [], []))
    rig.session.reply(second, Body(NIL, [], []))
    answer, error = rig.said()
    assert isinstance(answer, r.Reply)
    assert isinstance(error, r.Error)
    assert (error.code, error.outcome, error.cause) == TABLE[NO_ROOM]


@pytest.mark.parametrize("what", ROWS)
def test_a_server_says_what_the_document_does(what: str) -> None:
    options, ask = ROWS[what]
    floor = Vault() if "tokens" in options else Floor()
    narrow = {"RCVHWM": 1, "RCVBUF": 65_536} if "not read" in what or "unread" in what else {}
    with Serving(floor, Mirror(), **options) as server, Dealer(server.endpoint, **narrow) as dealer:
        ask(dealer, server)
        error = dealer.error()
        while error.id != 0 and what.endswith("; id 0"):
            error = dealer.error()
        if what == "the client has as much unread data as it may":
            while error.cause != zsvc.Cause.OVERLOADED:
                error = dealer.error()
        assert (error.code, error.outcome, error.cause) == TABLE[what], error
        assert (error.id == 0) == what.endswith("; id 0")
        assert error.message
        server._loop.call_soon_threadsafe(floor.release.set)
