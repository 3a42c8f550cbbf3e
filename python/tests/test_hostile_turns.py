"""Peers that say much at once, or whose calls are cancelled: they keep nobody else waiting, and hold nothing."""

import gc
import threading
import time
import tracemalloc
from collections.abc import Callable, Sequence

import zmq
from hostile import Dealer, Serving, packed
from test_blocking import Blocking

from zsvc import ServerLimits
from zsvc.io import dealer as of_dealer
from zsvc.io.reactor import Reactor
from zsvc.io.router import Router
from zsvc.wire import records as r

MESSAGES = 30


class Turns:
    """Counts the messages between two turns. Each takes longer to handle than a turn has."""

    def __init__(self, on_up: Callable[[], None] = lambda: None) -> None:
        self.on_up = on_up
        self.read, self.most, self._since = 0, 0, 0
        self.has_all, self.is_down = threading.Event(), threading.Event()

    def on_message(self, _: Sequence[memoryview]) -> None:
        """Takes a message."""
        time.sleep(0.01)
        self.read, self._since = self.read + 1, self._since + 1
        self.most = max(self.most, self._since)
        if self.read == MESSAGES:
            self.has_all.set()

    def on_turn(self) -> None:
        """Ends a turn."""
        self._since = 0

    def on_down(self, _: str) -> None:
        """Notes the end."""
        self.is_down.set()


def test_one_client_that_says_much_does_not_keep_others_waiting() -> None:
    turns, reactor, bound = Turns(), Reactor("turns"), threading.Event()
    endpoint: list[str] = []

    def open_it() -> None:
        router = Router(reactor, 1 << 20, None)
        reactor.ends.append(router.close)
        endpoint.append(router.bind("tcp://127.0.0.1:*"))
        router.start(lambda frames, *_: turns.on_message(frames), turns.on_turn)
        bound.set()

    reactor.call_soon(open_it)
    assert bound.wait(10)
    try:
        with Dealer(endpoint[0]) as client:
            for _ in range(MESSAGES):
                client.send(b"\x01")
            assert turns.has_all.wait(20)
    finally:
        reactor.stop()
    assert turns.most <= 2


def test_what_had_come_before_a_connection_was_lost_is_read_in_turns() -> None:
    context = zmq.Context[zmq.Socket[bytes]]()
    server = context.socket(zmq.ROUTER)
    server.setsockopt(zmq.RCVTIMEO, 10_000)
    endpoint = f"tcp://127.0.0.1:{server.bind_to_random_port('tcp://127.0.0.1')}"
    reactor = Reactor("turns")
    opened: list[of_dealer.Dealer] = []
    turns = Turns(on_up=lambda: _ignore(opened[0].send([b"\x01"])))
    reactor.call_soon(lambda: opened.append(of_dealer.Dealer(reactor, endpoint, turns, 1 << 20, None)))
    try:
        route, _ = server.recv_multipart()
        for _ in range(MESSAGES):
            server.send_multipart([route, b"\x01"])
        server.close(linger=1_000)
        assert turns.is_down.wait(20)
        assert turns.has_all.is_set(), "all that had come was told before the end was"
    finally:
        reactor.stop()
        context.destroy(linger=0)
    assert turns.most <= 2


def _ignore(_: object) -> None:
    pass


class Held(Blocking):
    """Keeps threads busy until it is released."""

    def __init__(self) -> None:
        self.gate, self.entered = threading.Event(), 0

    def hold_apart(self, context: object, name: str) -> str:
        """Waits for the gate."""
        self.entered += 1
        self.gate.wait(30)
        return "done"


Held.__abstractmethods__ = frozenset()


def test_cancelled_calls_of_handlers_in_threads_are_not_kept_until_a_thread_is_free() -> None:
    held = Held()  # type: ignore[abstract]
    body = packed(["y" * 1_000_000])
    with (
        Serving(held, threads=2, limits=ServerLimits(max_calls_per_peer=4)) as server,
        Dealer(server.endpoint) as dealer,
    ):
        tracemalloc.start()
        try:
            for id in range(1, 61):
                dealer.say([r.CALL, id, "probe.v1.Probe/hold_apart", body])
                dealer.sync()
                dealer.say([r.CANCEL, id])
            until = time.monotonic() + 10
            while time.monotonic() < until and len(server.server._running) > 0:
                dealer.sync()
            gc.collect()
            taken = tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
            held.gate.set()
        assert taken < 15_000_000
        assert held.entered <= 2
        dealer.say([r.CALL, 1_000, "probe.v1.Probe/hold_apart", packed(["z"])])
        assert isinstance(dealer.next(), r.Reply)


def test_a_handler_in_a_thread_runs_until_that_is_done() -> None:
    held = Held()  # type: ignore[abstract]
    limits = ServerLimits(max_running=2, max_queued=4)
    with Serving(held, threads=8, limits=limits) as server, Dealer(server.endpoint) as dealer:
        for id in range(1, 5):
            dealer.say([r.CALL, id, "probe.v1.Probe/hold_apart", packed(["a"])])
            dealer.sync()
            until = time.monotonic() + 10
            while id <= 2 and held.entered < id and time.monotonic() < until:
                dealer.sync()
            if id <= 2:
                dealer.say([r.CANCEL, id])
                dealer.sync()
        for _ in range(20):
            dealer.sync()
            time.sleep(0.01)
        assert held.entered == 2, "as many run as may, though nobody waits for them"
        held.gate.set()
        dealer.say([r.CALL, 1_000, "probe.v1.Probe/hold_apart", packed(["z"])])
        assert isinstance(dealer.next(), r.Reply)
