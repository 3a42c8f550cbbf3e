"""Clients for threads, and servers whose handlers block."""

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from floor import Floor, Mirror, trade
from generated.market import v1 as market
from generated.probe import v1 as probe
from generated.shapes import v1 as shapes

import zsvc
from zsvc import Code, Outcome, Status


class Blocking(probe.Probe):
    """Blocks threads where the schema says so; nothing else is asked for here."""

    def meet_apart(self, context: zsvc.Context, name: str, handlers: int) -> bool:
        time.sleep(0.2)
        return threading.current_thread().name.startswith("zsvc-handler")

    def hold_apart(self, context: zsvc.Context, name: str) -> str:
        while not context.is_cancelled:
            time.sleep(0.01)
        return name


Blocking.__abstractmethods__ = frozenset()


class Background:
    """A server in a thread with an event loop of its own."""

    def __init__(self) -> None:
        self.floor = Floor()
        self.started = threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self.serve()))

    async def serve(self) -> None:
        self.loop, self.stop = asyncio.get_running_loop(), asyncio.Event()
        blocking = Blocking()  # type: ignore[abstract]
        async with zsvc.Server(self.floor, Mirror(), blocking, bind="tcp://127.0.0.1:*") as server:
            self.endpoint = server.endpoints[0]
            self.started.set()
            await self.stop.wait()
            self.floor.release.set()

    def __enter__(self) -> "Background":
        self.thread.start()
        assert self.started.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self.stop.set)
        self.thread.join(15)
        assert not self.thread.is_alive()


@pytest.fixture(scope="module")
def server() -> Iterator[Background]:
    with Background() as background:
        yield background


@pytest.fixture
def tape(server: Background) -> Iterator[market.TapeBlockingClient]:
    with market.TapeBlockingClient.connect(server.endpoint) as client:
        client.channel.wait_ready()
        yield client


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_every_kind_of_method(tape: market.TapeBlockingClient, server: Background) -> None:
    assert tape.last("ACME") == trade("ACME")
    assert tape.ping() is None  # type: ignore[func-returns-value]
    assert len(list(tape.watch(["ACME"] * 3000))) == 3000
    assert tape.import_("desk", (trade("ACME") for _ in range(3000))) == 900_000
    with tape.converse() as call:
        call.send(market.OrderMarket(market.MarketOrder(symbol="ACME", side=market.Side.BUY, size=1)))
        assert next(call) == trade("ACME")
        call.finish()
        assert list(call) == []
    tape.with_options(delivered=True).note("from a thread")
    wait_for(lambda: "from a thread" in server.floor.notes)


def test_failures(tape: market.TapeBlockingClient) -> None:
    with pytest.raises(market.TapeErrorUnknownSymbol, match="no such symbol: NOPE"):
        tape.last("NOPE")
    with pytest.raises(Status) as caught:
        tape.with_options(timeout=0.05).last("SLOW")
    assert (caught.value.code, caught.value.outcome) == (Code.DEADLINE_EXCEEDED, Outcome.MAYBE_EXECUTED)
    found = tape.watch(["ACME", "NOPE"])
    assert next(found) == trade("ACME")
    with pytest.raises(market.TapeErrorUnknownSymbol):
        next(found)
    with pytest.raises(Status, match="no such account"):
        tape.import_("no one", (trade("ACME") for _ in range(100_000)))

    def broken() -> Iterator[market.Trade]:
        yield trade("ACME")
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        tape.import_("desk", broken())


def test_leaving_a_stream_cancels_its_call(tape: market.TapeBlockingClient, server: Background) -> None:
    ended = len(server.floor.ended)
    with tape.watch(["FOREVER"]) as stream:
        next(stream)
    wait_for(lambda: len(server.floor.ended) > ended)


def test_a_client_is_safe_in_threads(tape: market.TapeBlockingClient) -> None:
    def calls(index: int) -> list[str]:
        return [tape.last(f"S{index}").symbol for _ in range(50)]

    with ThreadPoolExecutor(16) as threads:
        found = list(threads.map(calls, range(16)))
    assert found == [[f"S{index}"] * 50 for index in range(16)]


def test_a_stream_may_be_sent_and_read_by_two_threads(tape: market.TapeBlockingClient) -> None:
    with tape.converse() as call:

        def send() -> None:
            for _ in range(5000):
                call.send(market.OrderMarket(market.MarketOrder(symbol="ACME", side=market.Side.BUY, size=1)))
            call.finish()

        sender = threading.Thread(target=send)
        sender.start()
        assert sum(1 for _ in call) == 5000
        sender.join()


def test_handlers_that_block_have_threads_of_their_own(server: Background) -> None:
    with probe.ProbeBlockingClient.connect(server.endpoint) as client, ThreadPoolExecutor(8) as threads:
        began = time.monotonic()
        found = list(threads.map(lambda _: client.meet_apart("a", 1), range(8)))
        assert all(found)
        assert time.monotonic() - began < 8 * 0.2
        with pytest.raises(Status):
            client.with_options(timeout=0.1).hold_apart("b")


def test_a_process_that_was_forked_makes_its_own(server: Background) -> None:
    with zsvc.Channel(server.endpoint) as channel:
        channel.wait_ready()
        child = os.fork()
        if child == 0:
            try:
                market.TapeBlockingClient(channel).ping()
            except RuntimeError as error:
                os._exit(17 if "another process" in str(error) else 1)
            os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 17
        market.TapeBlockingClient(channel).ping()


def test_one_channel_for_both_kinds_of_clients(server: Background) -> None:
    with zsvc.Channel(server.endpoint) as channel:
        assert market.TapeBlockingClient(channel).last("ACME") == trade("ACME")

        async def main() -> shapes.Shape:
            return await shapes.ShapesClient(channel).echo(shapes.ShapeText("ä"))

        assert asyncio.run(main()) == shapes.ShapeText("ä")
    assert repr(channel) == f"<zsvc.Channel to {server.endpoint}>"
