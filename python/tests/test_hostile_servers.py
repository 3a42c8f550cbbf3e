"""Servers that violate the protocol, against a real client: each call ends exactly once, and the next one works."""

import asyncio
import random
import struct
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from conftest import TIMEOUT
from floor import trade
from generated.market import v1 as market
from hostile import (
    HUGE,
    NIL,
    TRADE,
    Faults,
    Router,
    batch,
    mutated,
    noise,
    packed,
    reply,
    server_records,
    truncations,
    wrong_types,
)

import zsvc
from zsvc import ClientLimits, Code, Outcome, Status
from zsvc.wire import records as r

LARGE = (1 << 64) - 1
UNAVAILABLE = Code.UNAVAILABLE
MAYBE, EXECUTED, NOT_SENT = Outcome.MAYBE_EXECUTED, Outcome.EXECUTED, Outcome.NOT_SENT


def against(
    client: Callable[[market.TapeClient], Awaitable[None]], server: Callable[[Router], None], **options: Any
) -> None:
    """Runs a client in an event loop, against a server in a thread."""
    router = Router()

    async def run() -> None:
        serving = asyncio.get_running_loop().run_in_executor(None, server, router)
        async with market.TapeClient.connect(router.endpoint, **{"retry": zsvc.Retry.none()} | options) as tape:
            await client(tape.with_options(timeout=None))
            await serving

    try:
        with Faults():
            asyncio.run(asyncio.wait_for(run(), TIMEOUT))
    finally:
        router.close()


async def good_call(tape: market.TapeClient) -> None:
    assert await tape.last("ACME") == trade("ACME")


def fails(answer: Callable[[Router, int], None], code: Code, outcome: Outcome, **options: Any) -> None:
    """Asserts that a call fails in this way, and the next does not."""

    async def client(tape: market.TapeClient) -> None:
        with pytest.raises(Status) as caught:
            await tape.last("ACME")
        assert (caught.value.code, caught.value.outcome) == (code, outcome), caught.value
        await good_call(tape)

    def server(router: Router) -> None:
        answer(router, router.next_call())
        router.answer_well()

    against(client, server, **options)


def does_not_mind(before: Callable[[Router, int], None]) -> None:
    """Asserts that a call succeeds although the server says something else before the answer."""

    async def client(tape: market.TapeClient) -> None:
        await good_call(tape)
        await good_call(tape)

    def server(router: Router) -> None:
        id = router.next_call()
        before(router, id)
        router.say(reply(id))
        router.answer_well()

    against(client, server)


def error(id: int, *elements: Any) -> list[Any]:
    return [r.ERROR, id, *elements]


MANY = {str(number): "" for number in range(65)}
ENDS: dict[str, tuple[Callable[[int], list[Any]], Code, Outcome]] = {
    "an end of what is no stream": (lambda id: [r.END, id], Code.UNKNOWN, MAYBE),
    "a short error": (lambda id: error(id, 5), Code.NOT_FOUND, MAYBE),
    "an error with nil": (lambda id: error(id, 5, None, 0), Code.NOT_FOUND, NOT_SENT),
    "an unknown code": (lambda id: error(id, 200, "?", 9), Code.UNKNOWN, MAYBE),
    "the largest code": (
        lambda id: error(id, LARGE, "?", LARGE, None, None, LARGE),
        Code.UNKNOWN,
        MAYBE,
    ),
    "the longest wait": (lambda id: error(id, 5, "?", 2, None, LARGE), Code.NOT_FOUND, EXECUTED),
    "a declared error without a body": (lambda id: error(id, 0, "declared", 2), Code.UNKNOWN, MAYBE),
    "a declared error that can't be read": (lambda id: error(id, 0, "?", 2, b"\xc1"), Code.UNKNOWN, EXECUTED),
    "too many details": (
        lambda id: error(id, 5, "?", 2, None, None, None, dict.fromkeys(MANY, b"")),
        Code.NOT_FOUND,
        EXECUTED,
    ),
    "an unknown kind": (lambda id: [12, id, "whatever"], Code.UNIMPLEMENTED, MAYBE),
    "an unknown kind of no call": (lambda _: [12, 0, "whatever"], Code.UNIMPLEMENTED, MAYBE),
    "metadata without end": (lambda id: [r.RESPONSE_METADATA, id, MANY], Code.RESOURCE_EXHAUSTED, MAYBE),
}


@pytest.mark.parametrize("wait", [60_000_001, 1 << 42, 1 << 63, LARGE])
def test_a_call_waits_no_longer_than_a_minute_since_its_server_asks_for_it(wait: int) -> None:
    fails(
        lambda router, id: router.say(error(id, 14, "later", 0, None, wait)), UNAVAILABLE, NOT_SENT, retry=zsvc.Retry()
    )


@pytest.mark.parametrize("how", ENDS)
def test_odd_ends_are_told(how: str) -> None:
    record, code, outcome = ENDS[how]
    fails(lambda router, id: router.say(record(id)), code, outcome)


BODIES = [b"", b"\xc0", b"\x90", b"\x9a\xa4ACME", b"\xc1", b"\xdd\xff\xff\xff\xff", TRADE + b"\x00", b"\x91" * 100]


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_answers_that_can_t_be_read_are_told(body: bytes) -> None:
    fails(lambda router, id: router.say(reply(id, body)), Code.UNKNOWN, EXECUTED)


UNREADABLE = [b"", b"\x02\x92\x0a\x01", b"\x01\xc0", batch(["no record"]), b"\x01\xa9no record", b"\x01\xc1"]


@pytest.mark.parametrize("data", UNREADABLE, ids=range(len(UNREADABLE)))
def test_a_batch_that_can_t_be_read_ends_the_calls_that_were_sent(data: bytes) -> None:
    fails(lambda router, _: router.send(data), Code.UNKNOWN, MAYBE)


def test_attachments_that_do_not_fit_fail_the_call() -> None:
    def answer(router: Router, id: int, *frames: bytes) -> None:
        router.send(*frames, batch([r.REPLY, id, b"", [0, 9]]))

    fails(answer, Code.UNKNOWN, MAYBE)
    fails(lambda router, id: answer(router, id, b"x", b"y"), Code.UNKNOWN, MAYBE)


def test_an_answer_of_millions_of_nils_is_not_made() -> None:
    body = struct.pack(">BI", 0xDD, 1_500_000) + NIL * 1_500_000
    with_limit = {"limits": ClientLimits(max_message_size=1 << 20)}
    fails(lambda router, id: router.say(reply(id, body)), Code.RESOURCE_EXHAUSTED, EXECUTED, **with_limit)


def test_only_the_first_answer_counts() -> None:
    async def client(tape: market.TapeClient) -> None:
        await good_call(tape)
        await good_call(tape)

    def server(router: Router) -> None:
        id = router.next_call()
        router.say(reply(id), [r.ERROR, id, 5, "no"], reply(id), [r.END, id])
        router.say(reply(id, b"\xc1"))
        router.answer_well()

    against(client, server)


def no_call(router: Router, id: int) -> None:
    router.say([r.PONG, id], [r.CREDIT, id, 5])
    router.say([r.ITEMS, id, b"\xc1" * 3_000_000], [r.ITEMS, id, b""])
    for other in (0, 999, 0xFFFF_FFFF, (1 << 32) + 1 + id, LARGE):
        for record in server_records(other):
            if record[:2] != [r.ERROR, 0]:
                router.say(record)


def of_clients(router: Router, id: int) -> None:
    router.say([r.CALL, id, "a/b", b"\x90"], [r.ONE_WAY, 0, "a/b", b"\x90"], [r.CANCEL, id], [r.QUERY, id])


def skipped(router: Router, id: int) -> None:
    router.say([64, id, "whatever"], [LARGE, 0], [r.CREDIT, id, 5, None, [[]], "more"])
    router.send(b"\x01")


def frames_before(router: Router, id: int) -> None:
    router.send(b"", batch([r.CREDIT, id, 1]))
    router.send(b"", b"\xff", b"\x07" * 3000, b"\x01")


@pytest.mark.parametrize("before", [no_call, of_clients, skipped, frames_before])
def test_what_does_not_belong_is_ignored(before: Callable[[Router, int], None]) -> None:
    does_not_mind(before)


def test_an_unknown_kind_ends_only_its_call() -> None:
    async def client(tape: market.TapeClient) -> None:
        one, other = await asyncio.gather(tape.last("ACME"), tape.last("INIT"), return_exceptions=True)
        assert isinstance(one, Status)
        assert (one.code, one.outcome) == (Code.UNIMPLEMENTED, MAYBE)
        assert other == trade("ACME")

    def server(router: Router) -> None:
        one, other = router.next_call(), router.next_call()
        router.say([12, one, "whatever"], reply(other))

    against(client, server)


# ---- streams


async def read(stream: Any) -> tuple[int, Status | None]:
    """Returns how many items came, and how the stream has failed."""
    count = 0
    try:
        async for _ in stream:
            count += 1
    except Status as status:
        return count, status
    return count, None


WINDOW = TRADE * ((1 << 20) // len(TRADE) + 1)
STREAMS: dict[str, tuple[Callable[[int], list[list[Any]]], int, Code | None]] = {
    "an answer": (lambda id: [reply(id)], 0, Code.UNKNOWN),
    "no bytes, and items past the end": (lambda id: [[r.ITEMS, id, b""], [r.END, id], [r.ITEMS, id, TRADE]], 0, None),
    "items that can't be read": (lambda id: [[r.ITEMS, id, TRADE + b"\xc1"]], 1, Code.UNKNOWN),
    "half an item, and the end": (lambda id: [[r.ITEMS, id, TRADE + TRADE[:5]], [r.END, id]], 1, Code.UNKNOWN),
    "items without credit": (lambda id: 2 * [[r.ITEMS, id, WINDOW]], -1, Code.RESOURCE_EXHAUSTED),
}


@pytest.mark.parametrize("what", STREAMS)
def test_odd_streams_end_as_they_should(what: str) -> None:
    records, count, code = STREAMS[what]

    async def client(tape: market.TapeClient) -> None:
        came, status = await read(tape.watch(["ACME"]))
        assert count in (came, -1)
        assert (status and status.code) == code
        await good_call(tape)

    def server(router: Router) -> None:
        id = router.next_call()
        # In one batch, so that nothing of it is read before everything has come.
        router.say(*records(id))
        if what in ("items that can't be read", "items without credit"):
            assert router.next_of(r.Cancel).id == id, "the client reads no longer"
        router.answer_well()

    against(client, server)


def test_a_thread_is_told_of_a_broken_stream_again_and_again() -> None:
    router = Router()
    try:
        with market.TapeBlockingClient.connect(router.endpoint) as tape:
            stream = tape.watch(["ACME"])
            id = router.next_call()
            router.say([r.ITEMS, id, TRADE + b"\xc1"], [r.END, id])
            while not stream._call.is_over:
                pass
            assert next(stream) == trade("ACME")
            for _ in range(3):
                with pytest.raises(Status) as caught:
                    next(stream)
                assert caught.value.code is Code.UNKNOWN
    finally:
        router.close()


def test_any_amount_of_credit_is_taken() -> None:
    async def client(tape: market.TapeClient) -> None:
        assert await tape.import_("desk", [trade("ACME")] * 2_000) == 7

    def server(router: Router) -> None:
        id = router.next_call()
        router.say([r.CREDIT, id, LARGE], [r.CREDIT, id, LARGE])
        router.next_of(r.End)
        router.say(reply(id, b"\x07"))

    against(client, server)


def test_a_server_may_answer_before_the_client_is_done() -> None:
    def endless() -> Iterator[market.Trade]:
        while True:
            yield trade("ACME")

    async def client(tape: market.TapeClient) -> None:
        assert await tape.import_("desk", endless()) == 7
        await good_call(tape)

    def server(router: Router) -> None:
        router.say(reply(router.next_call(), b"\x07"))
        router.answer_well()

    against(client, server)


# ---- damage


def besieged(answers: Iterator[list[bytes]]) -> None:
    """Has each call be answered by batches that are damaged, and then well. Each ends, and the last is answered."""

    async def client(tape: market.TapeClient) -> None:
        while True:
            try:
                if (await tape.last("ACME")).symbol == "AMENS":
                    return await tape.note("enough")
            except Status as status:
                if status.outcome is NOT_SENT:
                    raise
            except zsvc.DeclaredError:
                pass

    def server(router: Router) -> None:
        for batches in answers:
            id = router.next_call()
            for data in batches:
                router.send(data)
            router.say(reply(id))
        # Calls that failed long ago are among those that come.
        while not (isinstance(record := router.next(), r.Call) and record.one_way):
            if isinstance(record, r.Call):
                router.say(reply(record.id, b"\x9a\xa5AMENS" + TRADE[6:]))

    against(client, server)


def without_going_away(batches: list[bytes]) -> list[bytes]:
    """Leaves out batches in which the server says that it goes away: the client would make no more calls."""
    kept = []
    for data in batches:
        message = zsvc.wire.read.read_message([memoryview(data)], min_route=0)
        if not any(
            isinstance(it, r.GoingAway) or (isinstance(it, r.Error) and it.cause == 1) for it in message.records
        ):
            kept.append(data)
    return kept


def test_records_that_end_too_soon_do_no_harm() -> None:
    besieged([cut] for record in server_records(1) for cut in truncations(record))


def test_elements_of_wrong_types_do_no_harm() -> None:
    besieged([batch(wrong)] for record in server_records(1) for wrong in wrong_types(record))


def test_announced_lengths_are_not_trusted() -> None:
    besieged([data] for data in HUGE)


def test_noise_does_no_harm() -> None:
    source = random.Random(0x5EED_0004)
    besieged(without_going_away([noise(source) for _ in range(20)]) for _ in range(300))


def test_changed_records_do_no_harm() -> None:
    source = random.Random(0x5EED_0005)

    def changed(id: int) -> list[bytes]:
        good = [b"\x01" + packed(record) for record in server_records(id)]
        return without_going_away([mutated(source, source.choice(good)) for _ in range(20)])

    besieged(changed(id) for id in range(300))
