"""Messages of very many frames: their senders are told where they can be, and nobody waits for them."""

import time

import pytest
import zmq
from floor import trade
from generated.market import v1 as market
from hostile import TAPE, Dealer, Router, Serving, attacked, batch, reply, told
from test_hostile_servers import MAYBE, against, fails

from zsvc import Cause, Code
from zsvc.io.frames import MessageReader
from zsvc.wire import read
from zsvc.wire import records as r
from zsvc.wire.records import MAX_FRAMES

COUNTS = [300, MAX_FRAMES - 2, MAX_FRAMES - 1, MAX_FRAMES, 3_000, 70_000]
"""Attachments; a message that reaches a server has two frames more."""


def declares(count: int) -> bytes:
    """Returns the batch of a call that declares so many attachments."""
    return batch([r.CALL, 1, TAPE + "last", b"", None, None, None, [0] * count])


@pytest.mark.parametrize("count", COUNTS)
def test_hundreds_of_attachments_are_told_whatever_their_number(count: int) -> None:
    def attack(server: Serving, attacker: Dealer) -> None:
        attacker.send(*(count * [b"x"]), declares(count))
        error = attacker.error()
        assert (*told(error), error.cause) == (0, Code.RESOURCE_EXHAUSTED, 1, Cause.TOO_LARGE)
        # Behind a device, too.
        attacker.send(b"device", *(count * [b"x"]), declares(count))
        assert attacker.socket.recv_multipart()[0] == b"device"
        assert server.dropped("bad batch") == 2

    attacked(attack)


@pytest.mark.parametrize("last", [batch([r.PING, 5]), declares(65), b"\x02", b"", declares(100_000)])
def test_frames_that_nothing_declares_are_a_route_that_is_too_long(last: bytes) -> None:
    def attack(server: Serving, attacker: Dealer) -> None:
        attacker.send(*(3_000 * [b"x"]), last)
        assert attacker.sync() == [], "an answer can't be addressed"
        assert server.dropped("route") == 1

    attacked(attack)


@pytest.mark.parametrize("count", [MAX_FRAMES, 70_000])
def test_a_client_ends_its_calls_by_a_message_of_too_many_frames(count: int) -> None:
    def answer(router: Router, id: int) -> None:
        router.send(*(count * [b"x"]), batch(reply(id)))

    fails(answer, Code.UNKNOWN, MAYBE)


def test_a_client_ignores_frames_as_far_as_a_message_may_have_them() -> None:
    async def client(tape: market.TapeClient) -> None:
        assert await tape.last("ACME") == trade("ACME")

    def server(router: Router) -> None:
        router.send(*((MAX_FRAMES - 1) * [b"x"]), batch(reply(router.next_call())))

    against(client, server)


def test_a_message_of_very_many_frames_is_read_in_portions_and_not_kept() -> None:
    with zmq.Context() as context, context.socket(zmq.PULL) as pull, context.socket(zmq.PUSH) as push:
        push.setsockopt(zmq.LINGER, 0)
        pull.setsockopt(zmq.RCVTIMEO, 10_000)
        push.connect(f"tcp://127.0.0.1:{pull.bind_to_random_port('tcp://127.0.0.1')}")
        push.send_multipart(100_000 * [b"x"] + [b"last"])
        push.send(b"next")
        assert pull.poll(10_000)
        reader, portions = MessageReader(pull), 0
        until = time.monotonic() + 20
        while (frames := reader.next(0.0)) is None:
            assert time.monotonic() < until
            portions += reader.is_within
        assert portions > 100
        assert (len(frames), bytes(frames[0].buffer), bytes(frames[-1].buffer)) == (100_001, b"x", b"last")
        assert len({id(frame) for frame in frames}) == MAX_FRAMES + 2, "past that, all are one and the same"
        assert not reader.is_within
        while (following := reader.next(0.0)) is None:
            assert time.monotonic() < until
        assert [bytes(frame.buffer) for frame in following] == [b"next"]


def test_no_more_of_a_route_is_copied_than_a_message_may_have() -> None:
    frames = [memoryview(b"x")] * 100_000 + [memoryview(b"\x01")]
    message = read.read_message(frames, min_route=1)
    assert len(message.route) == MAX_FRAMES
    assert message.error is not None
    assert message.error.code is Code.RESOURCE_EXHAUSTED
