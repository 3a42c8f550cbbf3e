"""What happens below messages: connections that vanish, are reset, hang in their handshakes, or lead elsewhere."""

import asyncio
import contextlib
import errno
import os
import socket
import struct
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import zmq
from conftest import TESTS, run
from floor import Floor, trade
from generated.market import v1 as market
from hostile import TRADE, Dealer, Router, Serving, batch, call, call_with_credit, reply, slow
from test_hostile_memory import SERVER, ready
from test_hostile_servers import MAYBE, NOT_SENT, against

import zsvc
from zsvc import Cause, ClientLimits, Code, ServerLimits, Status
from zsvc.wire import read
from zsvc.wire import records as r

PING = b"\x04\x07\x04PING\x00\x00"
"""A ping of ZMTP itself."""


def frame(data: bytes) -> bytes:
    """Returns a message of one frame as ZMTP has it."""
    return b"\x02" + struct.pack(">Q", len(data)) + data


def reset(peer: socket.socket) -> None:
    """Closes a connection so that its other end is told of a reset."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


@contextlib.contextmanager
def program(text: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Runs a program in a process of its own, which must end well: where libzmq gives up, it takes its process down."""
    command = [sys.executable, "-c", textwrap.dedent(text), str(TESTS), *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        try:
            yield child
            assert child.stdin is not None
            child.stdin.close()
            assert child.wait(20) == 0
        finally:
            child.kill()


# ---- clients


@pytest.mark.parametrize("pings", [False, True])
def test_a_client_that_floods_a_server_and_resets_its_connection_takes_nobody_down(pings: bool) -> None:
    with program(SERVER) as child:
        assert child.stdout is not None
        endpoint = child.stdout.readline().strip()
        address = ("127.0.0.1", int(endpoint.rpartition(":")[2]))
        one = frame(batch(*(call(id, "poll", "LONG") for id in range(1, 20))))
        for _ in range(20):
            flooding = socket.create_connection(address, timeout=15)
            flooding.sendall(ready(b""))
            flooding.sendall((one + (PING if pings else b"")) * 200)
            reset(flooding)
        with Dealer(endpoint) as other:
            other.good_call()


def test_connections_that_vanish_leave_nothing_behind() -> None:
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    with Serving() as server, Dealer(server.endpoint) as other:
        other.good_call()
        address = ("127.0.0.1", int(server.endpoint.rpartition(":")[2]))
        before = descriptors()
        whole = ready(b"") + frame(batch(slow(1), [r.PING, 1]))
        for number in range(600):
            with socket.create_connection(address, timeout=15) as peer:
                # After any byte of the handshake, or of what follows.
                peer.sendall(whole[: number % len(whole)])
                if number % 2:
                    reset(peer)
        until = time.monotonic() + 15
        while descriptors() > before + 5:
            assert time.monotonic() < until, descriptors() - before
            other.good_call()
            time.sleep(0.05)


def test_handshakes_that_hang_are_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zsvc.io.router._HANDSHAKE", 300)
    with Serving() as server, Dealer(server.endpoint) as other:
        address = ("127.0.0.1", int(server.endpoint.rpartition(":")[2]))
        hanging = [socket.create_connection(address, timeout=15) for _ in range(100)]
        for peer in hanging:
            peer.sendall(ready(b"")[:70])
        other.good_call()
        for peer in hanging:
            with contextlib.suppress(ConnectionError):
                while peer.recv(4096):
                    pass
            peer.close()


def test_clients_that_never_read_or_never_end_hold_up_nobody_else() -> None:
    with Serving() as server, contextlib.ExitStack() as opened:
        other = opened.enter_context(Dealer(server.endpoint))
        for _ in range(12):
            client = opened.enter_context(Dealer(server.endpoint, RCVHWM=1, RCVBUF=4_096))
            never_read = (call_with_credit(id, "watch", 1 << 40, ["FOREVER"]) for id in range(1, 4))
            client.say(*never_read, call(4, "import", "deaf"), call_with_credit(5, "converse", 1_000))
        longest = 0.0
        for _ in range(20):
            began = time.monotonic()
            other.good_call()
            longest = max(longest, time.monotonic() - began)
        assert longest < 5
        session = server.server.driver.session
        # What a stream may have on its way, and what libzmq takes besides.
        assert session._peers.waiting < 12 * 3 * (2 << 20)


def test_clients_that_do_not_read_take_no_more_than_is_said() -> None:
    limits = ServerLimits(max_waiting=8 << 20, max_waiting_per_peer=1 << 20, max_message_size=1 << 20)
    with Serving(limits=limits) as server, contextlib.ExitStack() as opened:
        other = opened.enter_context(Dealer(server.endpoint))
        deaf = [opened.enter_context(Dealer(server.endpoint, RCVHWM=1, RCVBUF=4_096)) for _ in range(60)]
        session, most = server.server.driver.session, 0

        def is_served() -> bool:
            other.say(call(1 << 40, "last", "ACME"))
            answer = other.answer()
            if isinstance(answer, r.Error):
                # All that may wait does, until those with the most are given up.
                assert (answer.code, answer.cause) == (Code.RESOURCE_EXHAUSTED, Cause.OVERLOADED)
            return not isinstance(answer, r.Error)

        for round in range(15):
            for client in deaf:
                client.say(*(call(round * 10 + id, "poll", "LONG") for id in range(1, 10)))
            is_served()
            most = max(most, session._peers.waiting)
        until = time.monotonic() + 30
        while not is_served():
            assert time.monotonic() < until, "those with the most are given up"
        assert most > 2 << 20, "they do not read"
        assert most < limits.max_waiting + (1 << 20)


def test_a_peer_that_announces_a_routing_id_is_told_that_it_is_not_heard() -> None:
    with Serving() as server:
        with Dealer(server.endpoint, ROUTING_ID=b"me") as named:
            named.say(call(1, "last", "ACME"))
            error = named.error()
            assert (error.id, error.code, error.cause) == (0, Code.FAILED_PRECONDITION, Cause.PROTOCOL)
        assert server.dropped("routing id") == 1
        with Dealer(server.endpoint) as other:
            other.good_call()


# ---- servers

CLIENT = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from generated.market import v1 as market
import zsvc

async def main():
    async with market.TapeClient.connect(sys.argv[2], retry=zsvc.Retry.none()) as tape:
        for _ in range(1_000):
            try:
                if (await tape.with_options(timeout=20).last("ACME")).symbol == "ACME":
                    break
            except zsvc.Status as status:
                assert status.code in (zsvc.Code.UNAVAILABLE, zsvc.Code.UNKNOWN), status
        print("well", flush=True)
        sys.stdin.read()

asyncio.run(main())
"""


@pytest.mark.parametrize("pings", [False, True])
def test_a_server_that_floods_a_client_and_resets_its_connection_does_not_take_it_down(pings: bool) -> None:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as listener:
        listener.settimeout(20)
        port = listener.getsockname()[1]
        with program(CLIENT, f"tcp://127.0.0.1:{port}") as child:
            greeting = ready(b"").replace(b"\x06DEALER", b"\x06ROUTER")
            said = (frame(batch(*([r.ITEMS, id, bytes(100)] for id in range(1, 100)))) + pings * PING) * 100
            for _ in range(10):
                peer, _ = listener.accept()
                peer.sendall(greeting)
                with contextlib.suppress(OSError):
                    peer.sendall(said)
                reset(peer)
            listener.close()
            with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
                router.setsockopt(zmq.LINGER, 0)
                router.bind(f"tcp://127.0.0.1:{port}")
                _answer_one(router)
            assert child.stdout is not None
            assert child.stdout.readline() == "well\n"


def _answer_one(router: zmq.Socket[bytes]) -> None:
    """Answers pings, and the first call."""
    while True:
        assert router.poll(20_000)
        route, *frames = router.recv_multipart()
        for record in read.read_message([memoryview(it) for it in frames], min_route=0).records:
            if isinstance(record, r.Call):
                router.send_multipart([route, batch([r.REPLY, record.id, TRADE])])
                return


def test_an_answer_past_every_bound_costs_the_connection_and_it_comes_back() -> None:
    async def client(tape: market.TapeClient) -> None:
        with pytest.raises(Status) as caught:
            await tape.last("ACME")
        found = (caught.value.code, caught.value.outcome, caught.value.cause)
        assert found == (Code.UNAVAILABLE, MAYBE, Cause.CONNECTION_LOST)
        assert await tape.last("ACME") == trade("ACME")

    def server(router: Router) -> None:
        router.say(reply(router.next_call(), bytes(600_000)))
        router.answer_well()

    against(client, server, limits=ClientLimits(max_message_size=1_000))


class Listening:
    """A listener that treats each connection in some way, in a thread."""

    def __init__(self, treat: Callable[[socket.socket], None]) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.endpoint = f"tcp://127.0.0.1:{self.port}"
        self._treat = treat
        self._came: list[socket.socket] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self._listener.accept()
                self._came.append(peer)
                with contextlib.suppress(OSError):
                    self._treat(peer)

    def close(self) -> None:
        """Frees the port."""
        # A listener that is only closed goes on for as long as its thread waits.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for peer in self._came:
            peer.close()
        self._thread.join(10)


def _silent(_: socket.socket) -> None:
    pass


NO_SERVERS: dict[str, Callable[[socket.socket], None]] = {
    "silent": _silent,
    "another protocol": lambda peer: peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 10),
    "closes at once": lambda peer: peer.close(),
    "noise": lambda peer: peer.sendall(bytes(range(256)) * 16),
    "stops halfway": lambda peer: peer.sendall(ready(b"")[:70]),
    "noise after the handshake": lambda peer: peer.sendall(
        ready(b"").replace(b"\x06DEALER", b"\x06ROUTER") + b"\xff" * 4_096
    ),
}


@pytest.mark.parametrize("what", NO_SERVERS)
@run
async def test_a_client_of_what_is_no_server_comes_back_when_there_is_one(what: str) -> None:
    listening = Listening(NO_SERVERS[what])
    try:
        async with market.TapeClient.connect(listening.endpoint, retry=zsvc.Retry.none()) as tape:
            if what == "noise after the handshake":
                with pytest.raises(Status) as caught:
                    await tape.with_options(timeout=5).last("ACME")
                assert caught.value.code is Code.UNAVAILABLE
            else:
                with pytest.raises(Status) as caught:
                    await tape.with_options(timeout=0.5).last("ACME")
                assert (caught.value.code, caught.value.outcome) == (Code.UNAVAILABLE, NOT_SENT)
                assert listening.endpoint in caught.value.message
            await asyncio.to_thread(listening.close)
            async with zsvc.Server(Floor(), bind=listening.endpoint):
                for _ in range(10):
                    with contextlib.suppress(Status):
                        assert await tape.with_options(timeout=15).last("ACME") == trade("ACME")
                        return
                pytest.fail("it has not come back")
    finally:
        await asyncio.to_thread(listening.close)


@pytest.mark.parametrize("what", ["socket", "get_monitor_socket"])
@run
async def test_a_client_connects_again_once_it_may_open_files_again(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cls, is_full = zmq.Context if what == "socket" else zmq.Socket, True
    made = getattr(cls, what)

    def limited(*arguments: Any, **more: Any) -> Any:
        if is_full and threading.current_thread().name == "zsvc-channel":
            raise zmq.ZMQError(errno.EMFILE)
        return made(*arguments, **more)

    monkeypatch.setattr(cls, what, limited)
    async with zsvc.Server(Floor(), bind="tcp://127.0.0.1:*") as server:
        endpoint = server.endpoints[0]
        async with market.TapeClient.connect(endpoint, retry=zsvc.Retry.none()) as tape:
            for _ in range(2):
                with pytest.raises(Status, match="too many open files") as caught:
                    await tape.with_options(timeout=0.5).last("ACME")
                assert (caught.value.code, caught.value.outcome) == (Code.UNAVAILABLE, NOT_SENT)
                is_full = False
                assert await tape.with_options(timeout=20).last("ACME") == trade("ACME")
                is_full = True
                # As if it had been lost.
                (connection,) = tape.channel.core._connections
                tape.channel.core.post(lambda dealer=connection._dealer: dealer._down("lost"))  # type: ignore[misc]


@pytest.mark.parametrize("kind", [zmq.REP, zmq.PUB, zmq.PULL, zmq.DEALER])
@run
async def test_another_socket_of_zeromq_is_no_server(kind: int) -> None:
    with zmq.Context() as context, context.socket(kind) as other:
        other.setsockopt(zmq.LINGER, 0)
        endpoint = f"tcp://127.0.0.1:{other.bind_to_random_port('tcp://127.0.0.1')}"
        async with market.TapeClient.connect(endpoint, retry=zsvc.Retry.none()) as tape:
            with pytest.raises(Status) as caught:
                await tape.with_options(timeout=0.7).last("ACME")
            assert caught.value.code in (Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED)
