"""Clients that violate the protocol, against a real server: it answers or counts that, and serves all others."""

import itertools
import random
import socket
from typing import Any

import pytest
from hostile import (
    HUGE,
    NIL,
    TAPE,
    TRADE,
    Dealer,
    Serving,
    attacked,
    batch,
    call,
    call_with_credit,
    client_records,
    mutated,
    noise,
    packed,
    slow,
    told,
    truncations,
    wrong_types,
)

import zsvc
from zsvc import Code, ServerLimits
from zsvc.middleware import ConcurrencyLimit
from zsvc.wire import records as r

BAD_BATCH = "bad batch"
MAX_NUMBER = (1 << 64) - 1


def kinds(records: list[r.Record]) -> list[type[r.Record]]:
    return [type(record) for record in records]


# ---- records


def test_records_that_end_too_soon_are_told_and_counted() -> None:
    def attack(server: Serving, attacker: Dealer) -> None:
        sent = 0
        for record in client_records(1):
            for cut in truncations(record):
                attacker.send(cut)
                sent += 1
            for answer in attacker.sync():
                assert told(answer) == (0, Code.INVALID_ARGUMENT, 1), record
            assert server.dropped(BAD_BATCH) == sent, record
        assert (server.server.calls, server.dropped("refused call")) == (0, 0)

    attacked(attack)


def test_elements_of_wrong_types_end_in_an_error_or_nothing() -> None:
    def attack(server: Serving, attacker: Dealer) -> None:
        for record in client_records(1):
            for wrong in wrong_types(record):
                attacker.say(wrong, [r.CANCEL, 1])
                attacker.sync()
            attacker.good_call()
        assert server.dropped(BAD_BATCH) > 100, "most of them are no records"

    attacked(attack)


def test_a_batch_is_read_up_to_the_malformed_record() -> None:
    def attack(server: Serving, attacker: Dealer) -> None:
        attacker.send(batch(call(1, "last", "ACME")) + NIL + packed(call(2, "last", "ACME")))
        answers = sorted([attacker.next(), attacker.next(), *attacker.sync()], key=lambda it: it.id)
        assert kinds(answers) == [r.Error, r.Reply]
        assert told(answers[0]) == (0, Code.INVALID_ARGUMENT, 1)
        assert server.dropped(BAD_BATCH) == 1

    attacked(attack)


def test_records_may_be_repeated() -> None:
    def attack(_: Serving, attacker: Dealer) -> None:
        for record in client_records(1):
            attacker.say(record, record, record)
        attacker.sync()

    attacked(attack)


def test_records_of_calls_that_are_not_there_are_ignored() -> None:
    def attack(server: Serving, attacker: Dealer) -> None:
        for id in (1, 7, 999, 0xFFFF_FFFF, MAX_NUMBER):
            for record in client_records(id):
                if record[0] in (r.ITEMS, r.END, r.CREDIT, r.CANCEL):
                    attacker.say(record)
        assert attacker.sync() == []
        assert server.dropped(BAD_BATCH) == 0

    attacked(attack)


def test_what_only_servers_send_is_counted_and_not_answered() -> None:
    def attack(server: Serving, attacker: Dealer) -> None:
        attacker.say(slow(1))
        attacker.say([r.REPLY, 1, NIL])
        attacker.say([r.ERROR, 1, 5, "no", 2], [r.GOING_AWAY, 0])
        attacker.say([r.ERROR, 0, 5], [r.RESPONSE_METADATA, 1, {}])
        assert attacker.sync() == [], "complaints are not answered with complaints"
        assert server.dropped("record of a server") == 5

    attacked(attack)


def test_other_versions_and_empty_messages_are_told() -> None:
    def attack(server: Serving, attacker: Dealer) -> None:
        for data in (b"\0", b"\x02", b"\x03", b"\x7f", b"\xff", b""):
            attacker.send(data)
            assert told(attacker.next()) == (0, Code.UNIMPLEMENTED, 1)
        attacker.send(b"\x01")
        assert attacker.sync() == [], "a batch without records is fine"
        assert server.dropped(BAD_BATCH) == 6

    attacked(attack)


def test_unknown_kinds_are_told_or_skipped() -> None:
    def attack(_: Serving, attacker: Dealer) -> None:
        for unknown in (0, *range(12, 64)):
            attacker.say([unknown, 5, "whatever"])
            assert told(attacker.next()) == (5, Code.UNIMPLEMENTED, 1)
        for skipped in (64, 67, 255, 256, 65_536, MAX_NUMBER):
            attacker.say([skipped, 5, "whatever"])
        assert attacker.sync() == []

    attacked(attack)


def test_ids_are_unique_and_not_zero() -> None:
    def attack(server: Serving, attacker: Dealer) -> None:
        attacker.say(call(0, "last", "ACME"))
        assert told(attacker.next()) == (0, Code.INVALID_ARGUMENT, 1)
        attacker.say(slow(7), call(7, "last", "ACME"))
        assert told(attacker.next()) == (7, Code.INVALID_ARGUMENT, 0)
        attacker.say(call(MAX_NUMBER, "last", "ACME"))
        answer = attacker.next()
        assert (type(answer), answer.id) == (r.Reply, MAX_NUMBER)
        assert server.dropped("refused call") == 2
        attacker.say([r.CANCEL, 7], call(7, "last", "ACME"))
        assert isinstance(attacker.next(), r.Reply), "the first was in flight until it was cancelled"

    attacked(attack)


def test_methods_are_called_by_full_name_and_with_the_right_record() -> None:
    def attack(server: Serving, attacker: Dealer) -> None:
        for name in ("", "/", "market.v1.Tape", "market.v1.Tape/", "market.v1.Tape/lost", "Tape/last"):
            attacker.say([r.CALL, 1, name, b"\x90"])
            assert told(attacker.next()) == (1, Code.UNIMPLEMENTED, 0), name
        attacker.say([r.CALL, 1, "x" * 1_000_000, b"\x90"])
        error = attacker.error()
        assert told(error) == (1, Code.UNIMPLEMENTED, 0)
        assert len(error.message) < 2_000, "a long name is cut in the error"
        attacker.send(b"\x01\x94\x01\x01\xa2\xff\xfe\xc4\x01\x90")
        assert told(attacker.next()) == (1, Code.UNIMPLEMENTED, 0)
        attacker.say(call(1, "note", "lunch"))
        assert told(attacker.next()) == (1, Code.INVALID_ARGUMENT, 0)
        for method in ("last", "lost"):
            attacker.say([r.ONE_WAY, 0, TAPE + method, b"\x90"])
        assert attacker.sync() == []
        assert server.dropped("refused call") == 11

    attacked(attack)


def test_a_call_that_is_too_late_does_not_run() -> None:
    def attack(server: Serving, attacker: Dealer) -> None:
        attacker.say([*call(1, "last", "ACME"), 0])
        assert told(attacker.next()) == (1, Code.DEADLINE_EXCEEDED, 0)
        assert server.server.calls == 0
        for timeout in (MAX_NUMBER, 1 << 63, 1 << 53):
            attacker.say([*call(1, "last", "ACME"), timeout])
            assert isinstance(attacker.next(), r.Reply), "a time beyond all clocks is none"
        for timeout in (3_000_000_000_000, 1 << 51, 1 << 53, MAX_NUMBER):
            # A call that the server does not ask for a sign of life, so that its time is what it waits for.
            attacker.say([r.ONE_WAY, 0, TAPE + "note", packed(["far"]), timeout])
            assert attacker.sync() == []
            attacker.good_call()

    attacked(attack)


def test_metadata_has_limits() -> None:
    def attack(server: Serving, attacker: Dealer) -> None:
        def say(metadata: dict[Any, Any] | bytes) -> r.Record:
            record = packed([*call(1, "last", "ACME"), None])
            encoded = metadata if isinstance(metadata, bytes) else packed(metadata)
            attacker.send(b"\x01\x96" + record[1:] + encoded)
            return attacker.next()

        many = {str(number): "v" for number in range(100_000)}
        assert isinstance(say(dict(itertools.islice(many.items(), 64))), r.Reply)
        for metadata in (dict(itertools.islice(many.items(), 65)), many, {"a": bytes(16_384)}):
            assert told(say(metadata)) == (1, Code.RESOURCE_EXHAUSTED, 0)
        assert server.dropped("refused call") == 3
        # One name, set again and again.
        assert isinstance(say(b"\xdf\x00\x01\x86\xa0" + 100_000 * b"\xa1a\xa1b"), r.Reply)

    attacked(attack)


def test_bodies_have_a_limit_and_frames_a_hard_one() -> None:
    def attack(server: Serving, attacker: Dealer) -> None:
        attacker.say(call(1, "poll", "x" * 2000))
        assert told(attacker.next()) == (1, Code.RESOURCE_EXHAUSTED, 0)
        attacker.say(call(1, "poll", "x" * 1000))
        assert told(attacker.next()) == (1, Code.RESOURCE_EXHAUSTED, 2), "the answer is past the limit"
        with Dealer(server.endpoint) as cut:
            cut.send(b"\x01" * 2_000_000)
            attacker.good_call()

    attacked(attack, limits=ServerLimits(max_message_size=1024))


def test_calls_in_flight_have_a_limit() -> None:
    def attack(server: Serving, attacker: Dealer) -> None:
        attacker.say(slow(1), slow(2), slow(3))
        assert told(attacker.next()) == (3, Code.RESOURCE_EXHAUSTED, 0), "one client has two"
        with Dealer(server.endpoint) as other:
            other.say(slow(1), slow(2))
            assert told(other.next()) == (2, Code.RESOURCE_EXHAUSTED, 0), "all clients have three"
            for dealer in (attacker, other):
                dealer.say([r.CANCEL, 1], [r.CANCEL, 2])
                dealer.sync()

    attacked(attack, limits=ServerLimits(max_calls_per_peer=2, max_calls=3))


# ---- routes


def test_a_message_may_have_a_route_of_limited_size() -> None:
    ping = batch([r.PING, 5])

    def attack(server: Serving, attacker: Dealer) -> None:
        good = [(b"",), (b"a", b"", b"\0\xff"), (b"\x07" * 255,), (b"\x07" * 2_032,), 509 * (b"",)]
        for frames in good:
            attacker.send(*frames, ping)
            assert attacker.next() == r.Pong(5, attacker_life(server)), "the last frame is the batch"
        assert server.dropped(BAD_BATCH) == 0
        bad = [(b"\x07" * 3000,), 2000 * (b"x",), (b"\x07" * 2_040,), 510 * (b"",)]
        for frames in bad:
            attacker.send(*frames, ping)
        assert attacker.sync() == [], "an answer can't be addressed"
        assert server.dropped("route") == len(bad)

    attacked(attack)


def attacker_life(server: Serving) -> int:
    return server.server.driver.session._life


def test_frames_before_a_batch_that_can_t_be_read_are_its_route() -> None:
    def attack(_: Serving, attacker: Dealer) -> None:
        # A call with a place for one attachment, whose body ends too soon.
        attacker.send(b"device", b"attached", b"\x01\x98\x01\x01\xa1x\xc4\x09\xc0")
        assert attacker.socket.recv_multipart()[:2] == [b"device", b"attached"]

    attacked(attack)


def test_made_up_routes_share_the_limits_of_their_connection() -> None:
    def attack(server: Serving, attacker: Dealer) -> None:
        attacker.send(b"a", batch(slow(1)))
        attacker.send(b"b", batch(call(2, "last", "ACME")))
        assert told(attacker.next()) == (2, Code.RESOURCE_EXHAUSTED, 0)
        attacker.send(b"a", batch([r.CANCEL, 1]))
        attacker.sync()

    attacked(attack, middleware=[ConcurrencyLimit.per_peer(1)])


# ---- streams


def test_records_may_come_in_any_order() -> None:
    def attack(_: Serving, attacker: Dealer) -> None:
        items = [r.ITEMS, 1, TRADE]
        # The end before the call belongs to no call; the second end is one too many.
        attacker.say([r.END, 1], items, call(1, "import", "desk"))
        attacker.say(items, [r.END, 1], [r.END, 1], items)
        answer = attacker.answer()
        assert isinstance(answer, r.Reply)
        assert answer.body.data == b"\xcd\x01\x2c"
        assert attacker.sync() == []

    attacked(attack)


def test_records_of_streams_that_a_call_does_not_have_are_ignored() -> None:
    def attack(server: Serving, attacker: Dealer) -> None:
        def items(id: int, size: int) -> list[Any]:
            return [r.ITEMS, id, NIL * size]

        # A call with one answer, far more items than any credit, their end, and credit.
        attacker.say(slow(1), items(1, 100_000), items(1, 300_000), [r.END, 1], [r.CREDIT, 1, 5])
        # A stream of which all credit is taken: a record without items needs none, and none do after its end.
        attacker.say(call(2, "import", "deaf"), items(2, 262_144))
        attacker.say(items(2, 0), [r.END, 2], items(2, 7), [r.END, 2], [r.CREDIT, 2, 5])
        assert set(kinds(attacker.sync())) <= {r.Credit}
        assert server.dropped(BAD_BATCH) == 0

    attacked(attack)


def test_items_without_credit_end_their_call() -> None:
    def attack(_: Serving, attacker: Dealer) -> None:
        attacker.say(call(1, "import", "deaf"))
        assert attacker.next() == r.Credit(1, 262_144 - 65_536)
        # All of the credit at once, and then one byte more.
        attacker.say([r.ITEMS, 1, NIL * 262_144])
        assert attacker.sync() == []
        attacker.say([r.ITEMS, 1, NIL])
        assert told(attacker.next()) == (1, Code.RESOURCE_EXHAUSTED, 1)

    attacked(attack)


def test_attached_items_without_credit_end_their_call() -> None:
    def attack(_: Serving, attacker: Dealer) -> None:
        attacker.say(call(1, "import", "deaf"))
        assert isinstance(attacker.next(), r.Credit)
        items = batch([r.ITEMS, 1, b"", [0]])
        attacker.send(NIL * 262_143, items)
        attacker.send(NIL * 2, items)
        assert attacker.sync() == [], "the last may go past it"
        attacker.send(NIL, items)
        assert told(attacker.next()) == (1, Code.RESOURCE_EXHAUSTED, 1)

    attacked(attack)


def test_the_last_item_may_go_past_the_credit() -> None:
    def attack(_: Serving, attacker: Dealer) -> None:
        attacker.say(call(1, "import", "desk"), [r.ITEMS, 1, TRADE * 10_000], [r.END, 1])
        answer = attacker.answer()
        assert isinstance(answer, r.Reply)
        assert answer.body.data == packed(3_000_000)

    attacked(attack)


def test_any_amount_of_credit_is_taken() -> None:
    def attack(_: Serving, attacker: Dealer) -> None:
        attacker.say(call_with_credit(1, "watch", MAX_NUMBER, ["ACME", "ACME"]))
        attacker.say([r.CREDIT, 1, MAX_NUMBER], [r.CREDIT, 1, MAX_NUMBER])
        size = 0
        while isinstance(record := attacker.next(), r.Items):
            size += len(record.body)
        assert (type(record), size) == (r.End, 2 * len(TRADE))

    attacked(attack)


def test_a_stream_without_credit_waits() -> None:
    def attack(_: Serving, attacker: Dealer) -> None:
        attacker.say(call(1, "watch", ["ACME", "ACME"]))
        assert attacker.sync() == []
        attacker.say([r.CREDIT, 1, 0])
        assert attacker.sync() == []
        attacker.say([r.CREDIT, 1, 1])
        record = attacker.next()
        assert isinstance(record, r.Items)
        assert record.body.data == TRADE
        assert attacker.sync() == []

    attacked(attack)


# ---- noise


@pytest.mark.parametrize("data", HUGE, ids=range(len(HUGE)))
def test_announced_lengths_are_not_trusted(data: bytes) -> None:
    def attack(_: Serving, attacker: Dealer) -> None:
        attacker.send(data)
        attacker.sync()

    attacked(attack)


def flood(attacker: Dealer, batches: list[bytes]) -> None:
    """Sends batches in portions, so that neither side's queue grows without bound."""
    for index, data in enumerate(batches):
        attacker.send(data)
        if index % 200 == 199:
            attacker.sync()
    attacker.sync()


def test_noise_is_told_and_counted() -> None:
    def attack(server: Serving, attacker: Dealer) -> None:
        source = random.Random(0x5EED_0001)
        flood(attacker, [noise(source) for _ in range(10_000)])
        assert server.dropped(BAD_BATCH) > 5_000

    attacked(attack)


def test_changed_records_are_told_taken_or_ignored() -> None:
    def attack(server: Serving, attacker: Dealer) -> None:
        source = random.Random(0x5EED_0002)
        good = [batch(record) for id in range(4) for record in client_records(id)]
        good.append(batch(*client_records(5)))
        good.append(batch(call_with_credit(6, "watch", 500, ["ACME", "FOREVER"])))
        good.append(batch(call(7, "import", "desk")))
        good.append(batch(call_with_credit(8, "converse", 1000)))
        flood(attacker, [mutated(source, source.choice(good)) for _ in range(10_000)])
        assert server.dropped(BAD_BATCH) > 500
        assert server.server.calls > 50

    attacked(attack)


# ---- clients that are gone, or do not read


def test_a_client_that_does_not_read_is_told_that_it_was_given_up() -> None:
    with Serving(limits=ServerLimits(peer_timeout=1.0)) as server:
        with Dealer(server.endpoint, RCVHWM=1, RCVBUF=65_536) as attacker, Dealer(server.endpoint) as other:
            attacker.say(slow(1))
            for id in range(2, 400):
                attacker.say(call(id, "poll", "LONG"))
            while server.server.driver.session.lost_clients == 0:
                other.good_call()
            error = attacker.error()
            assert (*told(error), error.cause) == (0, Code.UNAVAILABLE, 1, zsvc.Cause.CLIENT_LOST)
            attacker.good_call()


def test_a_client_that_is_gone_is_found_out() -> None:
    with Serving(limits=ServerLimits(peer_timeout=0.6)) as server, Dealer(server.endpoint) as other:
        with Dealer(server.endpoint) as dealer:
            dealer.say(slow(1), call_with_credit(2, "watch", 1, ["FOREVER"]))
            dealer.sync()
        while server.server.driver.session.lost_clients == 0:
            other.good_call()


NO_ZMTP = [b"GET / HTTP/1.1\r\n\r\n", bytes(100), b"\xff" + bytes(200), b"\xff" * 100, b""]


def test_bytes_that_are_not_zmtp_are_dropped() -> None:
    with Serving() as server, Dealer(server.endpoint) as other:
        address = ("127.0.0.1", int(server.endpoint.rpartition(":")[2]))
        for data in NO_ZMTP:
            with socket.create_connection(address) as raw:
                raw.sendall(data)
            other.good_call()
