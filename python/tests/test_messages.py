"""What is said together leaves in one message: of calls by a client, and of answers by a server."""

import asyncio
import threading
import time
from collections.abc import Callable

from generated.market import v1 as market
from hostile import Dealer, Router, Serving, call, reply
from test_hostile_servers import against

from zsvc.codec.writer import Body
from zsvc.session.gathered import Gathered
from zsvc.wire import read
from zsvc.wire import records as r

MANY = 64


def test_calls_that_are_made_together_share_a_message() -> None:
    async def client(tape: market.TapeClient) -> None:
        await tape.channel.ready()
        released, has_begun = threading.Event(), threading.Event()

        def hold() -> None:
            has_begun.set()
            released.wait(20)

        tape.channel.core.post(hold)
        while not has_begun.is_set():
            await asyncio.sleep(0.005)
        calls = [asyncio.ensure_future(tape.last("ACME")) for _ in range(MANY)]
        # Each has been handed to the thread of the sockets by now.
        await asyncio.sleep(0)
        released.set()
        await asyncio.gather(*calls)

    def server(router: Router) -> None:
        frames = [memoryview(frame) for frame in router.receive()]
        ids = [it.id for it in read.read_message(frames, min_route=0).records if isinstance(it, r.Call)]
        router.say(*map(reply, ids))
        assert len(ids) == MANY

    against(client, server)


def test_answers_that_are_given_together_share_a_message() -> None:
    with Serving() as server, Dealer(server.endpoint) as dealer:
        dealer.sync()
        released, has_begun = threading.Event(), threading.Event()

        def hold() -> None:
            has_begun.set()
            released.wait(20)

        held = server.hold()
        dealer.say(*(call(id, "last", "ACME") for id in range(1, MANY + 1)))
        while server.server.calls < MANY:
            time.sleep(0.005)
        server.server.driver.post(hold)
        assert has_begun.wait(10)
        held.set()
        while server.server._running or server.server.measures["market.v1.Tape/last"].calls < MANY:
            time.sleep(0.005)
        released.set()
        message = read.read_message([memoryview(it) for it in dealer.receive()], min_route=0)
        assert [type(it) for it in message.records] == [r.Reply] * MANY


def test_items_are_handed_over_together() -> None:
    posted: list[Callable[[], None]] = []
    taken: list[tuple[Body, ...]] = []
    gathered = Gathered(posted.append, lambda *items: taken.append(items))
    items = [Body(bytes([number]), [], []) for number in range(3)]
    for item in items:
        gathered.add(item)
    assert len(posted) == 1, "one wake-up for all"
    posted.pop()()
    assert taken == [tuple(items)]
    gathered.add(items[0])
    posted.pop()()
    assert taken[1:] == [(items[0],)]
