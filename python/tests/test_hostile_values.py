"""Values that do not fit their types, in records that are well: only the calls that they belong to fail."""

import random
from typing import Any

import pytest
from hostile import ECHO, TAPE, TRADE, Dealer, Serving, attacked, call, call_with_credit, mutated, packed, told
from listings import LISTINGS

from zsvc import Code, ServerLimits
from zsvc.wire import records as r

SHAPES = {
    "string": 7, "bytes": 8, "value": 12, "list": 13, "map": 14, "struct": 17, "struct-with-holes": 18, "enum": 19,
    "unknown-enum": 19, "union-with-fields": 20, "union-with-a-type": 20, "union-with-nothing": 20,
    "unknown-union": 20, "sparse-struct": 22, "flags": 24,
}  # fmt: skip
"""The variant of `Shape` that listings of the document are values of."""
VALUES = [
    bytes([0x91, 0x92, SHAPES[it.name]]) + it.frames[0] for it in LISTINGS if it.name in SHAPES and it.side == "value"
]


def well(attack: Any, **options: Any) -> None:
    """Runs an attack in which no record is bad."""

    def run(server: Serving, attacker: Dealer) -> None:
        attack(server, attacker)
        assert server.dropped("bad batch") == 0

    attacked(run, **options)


def echo(body: bytes) -> list[Any]:
    return [r.CALL, 1, ECHO, body]


def test_parameters_that_can_t_be_read_are_refused() -> None:
    bodies = [
        b"", b"\xc0", b"\x90", b"\x91", b"\x91\xc0", b"\x91\x01", b"\x91\xa4ACME\x00", b"\xa4ACME",
        b"\x81\xa6symbol\x01", b"\x82\xa6symbol\xa1A\xa6symbol\xa1B", b"\x91\xa0", b"\x91\xadTHIRTEENCHARS",
        b"\x91\xa2\xff\xfe", b"\x82\x02\xa1A\x01\xa1B", b"\x81\x00\xa1A", b"\x81\xff\xa1A",
    ]  # fmt: skip

    def attack(server: Serving, attacker: Dealer) -> None:
        for body in bodies:
            attacker.say([r.CALL, 1, TAPE + "last", body])
            error = attacker.next()
            assert told(error) == (1, Code.INVALID_ARGUMENT, 0), body
            assert isinstance(error, r.Error)
            assert error.message, body
        assert server.server.calls == len(bodies)

    well(attack)


@pytest.mark.parametrize("value", VALUES, ids=[f"variant {value[2]}" for value in VALUES])
def test_values_that_end_too_soon_are_refused(value: bytes) -> None:
    def attack(_: Serving, attacker: Dealer) -> None:
        for length in range(3, len(value)):
            attacker.say(echo(value[:length]))
            assert told(attacker.next())[1] == Code.INVALID_ARGUMENT, length

    well(attack)


def tree(depth: int) -> bytes:
    return b"\x91\x92\x15" + b"\x91" * (2 * depth) + b"\x91\x90"


def anything(depth: int, end: bytes = b"\xc0") -> bytes:
    return b"\x91\x92\x0c" + b"\x91" * depth + end


def test_nesting_has_a_limit() -> None:
    def attack(_: Serving, attacker: Dealer) -> None:
        for body in (tree(10), tree(60), anything(100), anything(125)):
            attacker.say(echo(body))
            assert isinstance(attacker.next(), r.Reply)
        for body in (tree(100), tree(1_000_000), anything(200), anything(1_000_000)):
            attacker.say(echo(body))
            assert told(attacker.next()) == (1, Code.RESOURCE_EXHAUSTED, 0)
        # Also where the value is only skipped: behind the parameters.
        attacker.say([r.CALL, 1, TAPE + "last", b"\x92\xa4ACME" + b"\x91" * 1_000_000 + b"\xc0"])
        assert isinstance(attacker.next(), (r.Error, r.Reply))

    well(attack)


def test_lengths_of_values_are_not_trusted() -> None:
    heads = [(7, 0xDB), (8, 0xC6), (12, 0xDD), (12, 0xDF), (13, 0xDD), (14, 0xDF), (21, 0xDD), (23, 0xDD)]

    def attack(_: Serving, attacker: Dealer) -> None:
        for variant, head in heads:
            attacker.say(echo(bytes([0x91, 0x92, variant, head, 0xFF, 0xFF, 0xFF, 0xFF])))
            code = told(attacker.next())[1]
            assert code in (Code.INVALID_ARGUMENT, Code.RESOURCE_EXHAUSTED), (variant, head)

    well(attack)


def test_keys_and_elements_that_can_t_be_in_a_map_or_set_are_refused() -> None:
    """A list, a map or an extension is a key of a `value`, and Python's `dict` has no such keys."""

    def attack(_: Serving, attacker: Dealer) -> None:
        for key in (b"\x90", b"\x80", b"\x91\x91\x01", b"\xd4\x05\x01", b"\xcb\x7f\xf8" + bytes(6), b"\xc4\x01a"):
            attacker.say(echo(b"\x91\x92\x0c\x81" + key + b"\x01"))
            record = attacker.next()
            assert isinstance(record, r.Reply) or told(record)[1] == Code.INVALID_ARGUMENT, key
        for body in (b"\x0e\x81\x90\x01", b"\x17\x91\x90", b"\x17\x92\x01\x01", b"\x0e\x82\xa1a\x01\xa1a\x02"):
            attacker.say(echo(b"\x91\x92" + body))
            record = attacker.next()
            assert isinstance(record, r.Reply) or told(record)[1] == Code.INVALID_ARGUMENT, body

    well(attack)


def test_values_that_would_take_too_much_memory_are_refused() -> None:
    nils, ones = packed([None] * 100_000), packed([1] * 100_000)

    def attack(_: Serving, attacker: Dealer) -> None:
        attacker.say(echo(b"\x91\x92\x0c" + nils))
        error = attacker.error()
        assert told(error) == (1, Code.RESOURCE_EXHAUSTED, 0)
        assert "memory" in error.message
        attacker.say(echo(b"\x91\x92\x0d" + ones))
        assert isinstance(attacker.next(), (r.Reply, r.Error))

    well(attack, limits=ServerLimits(max_message_size=200_000))


def test_changed_values_are_read_or_refused() -> None:
    source = random.Random(0x5EED_0003)

    def attack(_: Serving, attacker: Dealer) -> None:
        for _round in range(50):
            for id in range(1, 101):
                attacker.say([r.CALL, id, ECHO, mutated(source, source.choice(VALUES))])
            answered = 0
            while answered < 100:
                record = attacker.next()
                answered += 1
                if not isinstance(record, r.Reply):
                    assert told(record)[1:] in [(Code.INVALID_ARGUMENT, 0), (Code.RESOURCE_EXHAUSTED, 0)], record

    well(attack)


BROKEN = [b"\xc1", b"\x01", b"\x9a\xa4ACME", b"\xc0", b"\xdd\xff\xff\xff\xff", b"\x91" * 100_000]


@pytest.mark.parametrize("broken", BROKEN, ids=range(len(BROKEN)))
def test_items_that_can_t_be_read_end_their_stream(broken: bytes) -> None:
    def attack(_: Serving, attacker: Dealer) -> None:
        attacker.say(call(1, "import", "desk"), [r.ITEMS, 1, TRADE + broken])
        error = attacker.answer()
        # The handler has answered with what it was told: it was executed, and the server gives no cause.
        assert isinstance(error, r.Error)
        code = Code.RESOURCE_EXHAUSTED if len(broken) > 1000 else Code.INVALID_ARGUMENT
        assert (*told(error), error.cause) in [(1, code, 2, None), (1, Code.INVALID_ARGUMENT, 2, None)]

    well(attack)


def test_items_that_can_t_be_read_do_not_affect_those_before() -> None:
    def attack(_: Serving, attacker: Dealer) -> None:
        order = b"\x92\x02\x93\xa4ACME\x01\x64"
        attacker.say(call_with_credit(1, "converse", 1000), [r.ITEMS, 1, order + b"\xc1" + order])
        items = attacker.answer()
        assert isinstance(items, r.Items)
        assert items.body.data == TRADE
        assert told(attacker.answer())[1] == Code.INVALID_ARGUMENT

    well(attack)


# ---- attachments


def test_a_body_may_be_attached_anywhere() -> None:
    body = b"\x91\xa4ACME"

    def attack(_: Serving, attacker: Dealer) -> None:
        for first in range(len(body) + 1):
            for second in range(first, len(body) + 1):
                record = [r.CALL, 1, TAPE + "last", body[:first] + body[second:], None, None, None, [first, first]]
                middle = body[first:second]
                attacker.send(middle[:1], middle[1:], b"\x01" + packed(record))
                answer = attacker.next()
                assert isinstance(answer, r.Reply), (first, second)

    well(attack)


def test_places_must_fit_the_body_and_the_frames() -> None:
    def attack(server: Serving, attacker: Dealer) -> None:
        def say(frames: int, places: Any, *, second: bool = False) -> r.Error:
            record = packed([r.CALL, 1, TAPE + "last", b"\x91\xa4", None, None, None, places])
            first = packed([r.CANCEL, 5]) if second else b""
            attacker.send(*frames * [b"AC"], b"\x01" + first + record)
            while True:
                # With frames in front, which are a route then.
                message = attacker.socket.recv_multipart()
                error = [it for it in _records(message[-1]) if isinstance(it, r.Error)]
                if error:
                    return error[0]

        wrong: list[tuple[int, Any]] = [(1, [2, 2]), (2, [3, 3]), (2, [2, 1]), (2, [2, 1 << 63])]
        wrong += [(2, "places"), (2, [-1, 2]), (65, 65 * [0])]
        for frames, places in wrong:
            assert told(say(frames, places)) == (0, Code.INVALID_ARGUMENT, 1), places
        assert told(say(2, [2, 2], second=True)) == (0, Code.INVALID_ARGUMENT, 1), "only the first record has some"
        assert told(say(600, 600 * [0])) == (0, Code.RESOURCE_EXHAUSTED, 1)
        assert server.dropped("bad batch") == len(wrong) + 2

    attacked(attack)


def _records(batch: bytes) -> list[r.Record]:
    from zsvc.wire import read

    return read.read_message([memoryview(batch)], min_route=0).records


def test_attachments_count_against_the_limit_of_a_body() -> None:
    def attack(_: Serving, attacker: Dealer) -> None:
        for count, size in ((1, 2000), (60, 20), (4, 200_000)):
            record = [r.CALL, 1, TAPE + "last", b"", None, None, None, count * [0]]
            attacker.send(*count * [bytes(size)], b"\x01" + packed(record))
            assert told(attacker.next()) == (1, Code.RESOURCE_EXHAUSTED, 0)

    well(attack, limits=ServerLimits(max_message_size=1000))
