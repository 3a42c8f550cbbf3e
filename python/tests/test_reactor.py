"""The thread of the sockets, and others that do a part of its work while it waits."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import zmq

from zsvc.io.reactor import HasEnded, Reactor

DEADLINE = 20.0


@pytest.fixture
def reactor() -> Iterator[Reactor]:
    before = signal.signal(signal.SIGINT, lambda *_: None)
    reactor = Reactor("tested")
    yield reactor
    reactor.stop()
    signal.signal(signal.SIGINT, before)


def until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE
    while not is_so():
        assert time.monotonic() < end, "it was never so"
        time.sleep(0.001)


def where(reactor: Reactor, *, is_alone: bool) -> threading.Thread:
    """Returns the thread in which a function was called."""
    found: list[threading.Thread] = []
    reactor.call_here(lambda: found.append(threading.current_thread()), is_alone=is_alone)
    until(lambda: bool(found))
    return found[0]


def waits(reactor: Reactor) -> bool:
    """Reports whether the thread waits, and nothing is left for it."""
    return not reactor._is_awake and not reactor._turn.locked()


def test_a_function_that_is_alone_is_called_in_the_caller_while_the_thread_waits(reactor: Reactor) -> None:
    until(lambda: waits(reactor))
    assert where(reactor, is_alone=True) is threading.current_thread()
    assert where(reactor, is_alone=False) is reactor._thread


def test_a_thread_that_may_be_interrupted_anywhere_works_for_no_other(reactor: Reactor) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    until(lambda: waits(reactor))
    assert where(reactor, is_alone=True) is reactor._thread


def test_the_thread_that_is_busy_is_waited_for(reactor: Reactor) -> None:
    goes_on, has_begun = threading.Event(), threading.Event()

    def busy() -> None:
        has_begun.set()
        goes_on.wait(DEADLINE)

    reactor.call_soon(busy)
    assert has_begun.wait(DEADLINE)
    found: list[threading.Thread] = []
    reactor.call_here(lambda: found.append(threading.current_thread()), is_alone=True)
    assert not found
    goes_on.set()
    until(lambda: bool(found))
    assert found == [reactor._thread]


def test_what_has_gathered_is_called_in_order_and_once(reactor: Reactor) -> None:
    called: list[tuple[int, int]] = []

    def ask(asker: int) -> None:
        for number in range(500):
            reactor.call_here(lambda number=number: called.append((asker, number)), is_alone=number % 3 == 0)  # type: ignore[misc]

    askers = [threading.Thread(target=ask, args=(asker,)) for asker in range(4)]
    for thread in askers:
        thread.start()
    for thread in askers:
        thread.join(DEADLINE)
    until(lambda: len(called) == 2_000)
    for asker in range(4):
        assert [number for it, number in called if it == asker] == list(range(500))


def test_a_function_may_ask_for_another(reactor: Reactor) -> None:
    called = threading.Event()
    until(lambda: waits(reactor))
    reactor.call_here(lambda: reactor.call_here(called.set, is_alone=True), is_alone=True)
    assert called.wait(DEADLINE)


def test_a_time_that_another_thread_sets_is_kept_though_the_reactor_waits_for_longer(reactor: Reactor) -> None:
    called = threading.Event()
    until(lambda: waits(reactor))
    reactor.call_here(lambda: _ignore(reactor.call_at(time.monotonic() + 0.05, called.set)), is_alone=True)
    assert called.wait(DEADLINE)


def test_a_socket_that_another_thread_adds_is_watched(reactor: Reactor) -> None:
    told = threading.Event()
    with zmq.Context() as context, context.socket(zmq.PUSH) as push:
        pull = reactor.context.socket(zmq.PULL)
        port = pull.bind_to_random_port("tcp://127.0.0.1")

        def ready(_: int) -> None:
            pull.recv()
            told.set()

        until(lambda: waits(reactor))
        reactor.call_here(lambda: reactor.add_socket(pull, zmq.POLLIN, ready), is_alone=True)
        push.connect(f"tcp://127.0.0.1:{port}")
        for _ in range(3):
            told.clear()
            push.send(b"news")
            assert told.wait(DEADLINE)
        reactor.call_soon(lambda: reactor.remove_socket(pull))
        reactor.call_soon(lambda: pull.close(0))


def test_a_function_that_is_interrupted_ends_the_reactor(reactor: Reactor, caplog: pytest.LogCaptureFixture) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    until(lambda: waits(reactor))
    with pytest.raises(KeyboardInterrupt):
        reactor.call_here(interrupted, is_alone=True)
    until(lambda: not reactor._thread.is_alive())
    with pytest.raises(RuntimeError, match="a fault in zsvc has ended the thread"):
        reactor.call_here(lambda: None, is_alone=True)
    assert "was interrupted" in caplog.text


def test_after_the_end_nothing_is_called(reactor: Reactor) -> None:
    reactor.stop()
    called: list[Any] = []
    with pytest.raises(HasEnded):
        reactor.call_here(lambda: called.append(1), is_alone=True)
    assert not called


def _ignore(_: object) -> None:
    """Takes what a function returns that is called for what it does."""
