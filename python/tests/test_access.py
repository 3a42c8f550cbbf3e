"""Servers that let in the clients of an access file, and follow it."""

import asyncio
import gc
import logging
import os
import threading
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
import zmq
import zmq.asyncio
from conftest import run
from floor import Floor, trade
from generated.market import v1 as market
from hostile import batch, call
from test_curve import keys, until

import zsvc
from zsvc import Access, Cause, Code, Outcome, Status
from zsvc.access.follow import Due, Followed
from zsvc.io.router import Source


class Files:
    """An access file, and the keys of a server and its clients."""

    def __init__(self, folder: Path, names: str = "ab") -> None:
        self.path = folder / "access.toml"
        self.server, self._clients = keys(), {name: keys() for name in names}
        self.write(*names)

    def write(self, *names: str, more: str = "") -> None:
        """Puts a file in place of the one that there is, with these clients."""
        text = "".join(f'[clients.{name}]\nkeys = ["{self._clients[name][0]}"]\n{more}' for name in names)
        self.put(text or "[clients]\n")

    def put(self, text: str) -> None:
        """Puts a file in place of the one that there is."""
        new = self.path.with_suffix(".new")
        new.write_text(text, encoding="utf-8")
        new.replace(self.path)

    def serving(self, floor: Floor, endpoint: str = "tcp://127.0.0.1:*") -> zsvc.Server:
        """Returns a server of the clients in the file."""
        return zsvc.Server(floor, bind=endpoint, curve=zsvc.ServerCurve(*self.server, Access(self.path)))

    def key(self, name: str) -> str:
        """Returns the public key of a client."""
        return self._clients[name][0]

    def of(self, name: str) -> zsvc.ClientCurve:
        """Returns the keys of a client."""
        return zsvc.ClientCurve(self.server[0], *self._clients[name])


async def called(tape: market.TapeClient) -> None:
    assert await tape.with_options(timeout=20).last("ACME") == trade("ACME")


async def refused(endpoint: str, curve: zsvc.ClientCurve) -> None:
    async with market.TapeClient.connect(endpoint, curve=curve) as tape:
        with pytest.raises(Status) as caught:
            await tape.with_options(timeout=0.5).ping()
        assert (caught.value.outcome, caught.value.cause) == (Outcome.NOT_SENT, Cause.NEVER_CONNECTED)


@pytest.mark.parametrize("endpoint", ["tcp://127.0.0.1:*", "ipc://{}/floor"])
@run
async def test_a_client_that_is_taken_out_loses_its_connection(tmp_path: Path, endpoint: str, caplog: Any) -> None:
    caplog.set_level(logging.INFO, "zsvc")
    files, floor = Files(tmp_path), Floor()
    async with files.serving(floor, endpoint.format(tmp_path)) as server:
        own = files.of("a")
        with zmq.asyncio.Context() as context:
            socket = context.socket(zmq.DEALER)
            own.apply(socket)
            socket.setsockopt(zmq.LINGER, 0)
            monitor = socket.get_monitor_socket(zmq.EVENT_DISCONNECTED | zmq.EVENT_HANDSHAKE_FAILED_AUTH)
            socket.connect(server.endpoints[0])
            await socket.send(batch(call(1, "last", "SLOW")))
            async with market.TapeClient.connect(*server.endpoints, curve=files.of("b")) as other:
                await called(other)
                held = asyncio.ensure_future(other.with_options(timeout=30).last("SLOW"))
                await until(lambda: floor.slow == 2)
                files.write("b")
                event = await zmq_event(monitor)
                assert event == zmq.EVENT_DISCONNECTED
                assert floor.ended == ["the client is not let in any more"]
                # It is told why, and is not let in when it comes back.
                said = b"".join(await socket.recv_multipart())
                assert b"the client is not let in any more" in said
                assert await zmq_event(monitor) == zmq.EVENT_HANDSHAKE_FAILED_AUTH
                floor.release.set()
                assert await held == trade("SLOW"), "who has lost nothing notices nothing"
            socket.disable_monitor()
            socket.close()
        files.write("a", "b")
        async with market.TapeClient.connect(*server.endpoints, curve=files.of("a")) as back:
            await called(back)
        assert "took the changed access file" in caplog.text


async def zmq_event(monitor: Any) -> int:
    """Returns the next event of a socket."""
    from zmq.utils.monitor import parse_monitor_message

    return int(parse_monitor_message(await monitor.recv_multipart())["event"])


@run
async def test_a_client_that_had_said_nothing_is_cut_off_with_its_first_call(tmp_path: Path) -> None:
    files = Files(tmp_path)
    async with files.serving(Floor()) as server:
        async with market.TapeClient.connect(*server.endpoints, curve=files.of("a"), retry=zsvc.Retry.none()) as tape:
            connections = tape._channel.core._connections
            await until(lambda: connections and connections[0].session is not None)
            connection = connections[0]
            files.write("b")
            await until(lambda: server.curve is not None and server.curve.identity_of(files.key("a")) is None)
            with pytest.raises(Status) as caught:
                await tape.with_options(timeout=20).ping()
            assert (caught.value.code, caught.value.outcome) == (Code.UNAUTHENTICATED, Outcome.NOT_SENT)
            await until(lambda: connection.session is None)


@run
async def test_a_client_whose_time_is_up_loses_its_connection(tmp_path: Path) -> None:
    files, floor = Files(tmp_path), Floor()
    async with files.serving(floor) as server:
        async with market.TapeClient.connect(*server.endpoints, curve=files.of("a"), retry=zsvc.Retry.none()) as tape:
            held = asyncio.ensure_future(tape.with_options(timeout=30).last("SLOW"))
            await until(lambda: floor.slow == 1)
            soon = datetime.fromtimestamp(time.time() + 1.5, timezone.utc).isoformat()
            files.write("a", more=f"expires = {soon}\n")
            with pytest.raises(Status) as caught:
                await held
            assert (caught.value.code, caught.value.cause) == (Code.UNAUTHENTICATED, Cause.FORBIDDEN)
        await refused(server.endpoints[0], files.of("a"))


@run
async def test_a_file_with_something_wrong_changes_nothing_and_is_told_once(tmp_path: Path, caplog: Any) -> None:
    files = Files(tmp_path)
    access = Access(files.path)
    curve = zsvc.ServerCurve(*files.server, access)
    async with zsvc.Server(Floor(), bind="tcp://127.0.0.1:*", curve=curve) as server:
        async with market.TapeClient.connect(*server.endpoints, curve=files.of("a")) as tape:
            await called(tape)
            files.put("[clients.a]\nkey = 5\n")
            await until(lambda: access.refused == 1)
            files.path.unlink()
            await until(lambda: access.refused == 2)
            looked = access._followed
            # It is tried again as it is, and not told again.
            await until(lambda: access._followed is not looked)
            await called(tape)
            assert access.refused == 2
            assert f"{files.path}:2:1: there is no key `key` here; did you mean `keys`?" in caplog.text
            assert caplog.text.count("can't be read") == 1
            files.write("a", more='roles = ["trader"]\n')
            await until(lambda: access.taken == 1)
            assert access[files.key("a")] == zsvc.Identity("a", ["trader"])
            await called(tape)
    with pytest.raises(zsvc.AccessFileError, match=r"none\.toml` can't be read"):
        Access(tmp_path / "none.toml")


@run
async def test_key_files_are_followed_and_clients_are_known_by_name(tmp_path: Path) -> None:
    seen: list[zsvc.Identity | None] = []

    class Seeing(Floor):
        async def ping(self, context: zsvc.Context) -> None:
            seen.append(context.identity)

    files = Files(tmp_path)
    key = tmp_path / "desk.key"
    key.write_text(f'curve\n    public-key = "{files.key("a")}"\n')
    files.put('[clients."the desk"]\nkey_files = ["desk.key"]\nroles = ["trader"]\n')
    async with files.serving(Seeing()) as server:
        async with market.TapeClient.connect(*server.endpoints, curve=files.of("a")) as tape:
            await tape.with_options(timeout=20).ping()
        key.write_text(f'curve\n    public-key = "{files.key("b")}"\n')
        async with market.TapeClient.connect(*server.endpoints, curve=files.of("b")) as tape:
            await tape.with_options(timeout=20).ping()
        await refused(server.endpoints[0], files.of("a"))
    assert seen == [zsvc.Identity("the desk", ["trader"])] * 2


@run
async def test_what_the_program_changes_lasts_until_the_file_does(tmp_path: Path) -> None:
    files = Files(tmp_path)
    async with files.serving(Floor()) as server:
        server.set_clients({files.key("b"): []})
        await refused(server.endpoints[0], files.of("a"))
        files.write("a")
        async with market.TapeClient.connect(*server.endpoints, curve=files.of("a")) as tape:
            await called(tape)
        await refused(server.endpoints[0], files.of("b"))


@run
async def test_what_the_program_changes_outlasts_the_end_of_another_client(tmp_path: Path) -> None:
    files = Files(tmp_path)
    soon = datetime.fromtimestamp(time.time() + 1.5, timezone.utc).isoformat()
    files.put(f'[clients.a]\nkeys = ["{files.key("a")}"]\n[clients.b]\nkeys = ["{files.key("b")}"]\nexpires = {soon}\n')
    access = Access(files.path)
    curve = zsvc.ServerCurve(*files.server, access)
    async with zsvc.Server(Floor(), bind="tcp://127.0.0.1:*", curve=curve) as server:
        server.set_clients({files.key("b"): []})
        await until(lambda: files.key("b") not in access)
        await until(lambda: server.curve is not None and server.curve.identity_of(files.key("b")) is None)
        assert server.curve is not None
        assert server.curve.identity_of(files.key("a")) is None, "the program has taken it out"
        await refused(server.endpoints[0], files.of("a"))


@run
async def test_what_the_file_says_meanwhile_holds_when_the_server_starts_again(tmp_path: Path) -> None:
    files = Files(tmp_path)
    server = files.serving(Floor())
    await server.start()
    await server.stop()
    files.write("b")
    access = server._access
    assert access is not None
    await until(lambda: access.taken == 1)
    async with server:
        assert server.curve is not None
        assert server.curve.identity_of(files.key("a")) is None
        await refused(server.endpoints[0], files.of("a"))


def test_whatever_reading_raises_the_times_of_clients_go_on(tmp_path: Path, monkeypatch: Any) -> None:
    files = Files(tmp_path)
    files.write("a", "b")
    access = Access(files.path)
    access.close()
    told: list[Any] = []
    access.join(lambda clients, ended: told.append((set(clients), ended)))

    def wrong(_: Path) -> Any:
        raise IndexError

    monkeypatch.setattr("zsvc.access.file.read", wrong)
    monkeypatch.setattr(Followed, "due", lambda self: Due.CHANGED)
    access._clients = [it for it in access._clients if files.key("a") in it.keys]
    with pytest.raises(IndexError):
        access.look()
    assert told == [({files.key("a")}, {files.key("b")})]


def test_a_file_is_followed_no_longer_than_it_is_used(tmp_path: Path) -> None:
    files = Files(tmp_path)
    before = set(threading.enumerate())
    access = Access(files.path)
    (thread,) = set(threading.enumerate()) - before
    assert repr(access) == f"<zsvc.Access by {files.path}: 2 clients>"
    assert (len(access), set(access)) == (2, {files.key("a"), files.key("b")})
    del access
    gc.collect()
    thread.join(20)
    assert not thread.is_alive()
    access = Access(files.path)
    (thread,) = set(threading.enumerate()) - before
    access.close()
    thread.join(20)
    assert not thread.is_alive()


def test_another_connection_with_the_same_number_is_not_cut() -> None:
    import socket

    class Frame:
        def __init__(self, number: int) -> None:
            self._number = number

        def get(self, _: int) -> int:
            return self._number

    one, other = socket.socketpair(), socket.socketpair()
    source = Source(Frame(one[0].fileno()))
    os.dup2(other[0].fileno(), one[0].fileno())
    source.cut()
    other[1].send(b"x")
    assert other[0].recv(1) == b"x"
    source = Source(Frame(other[0].fileno()))
    source.cut()
    assert other[1].recv(1) == b""
    Source(Frame(os.open(os.devnull, os.O_RDONLY))).cut()
    # The number may be that of a file by now, of which no copy is kept.
    third = socket.socketpair()
    source, (read, write) = Source(Frame(third[0].fileno())), os.pipe()
    os.dup2(write, third[0].fileno())
    source.cut()
    os.close(write)
    os.close(third[0].detach())
    assert os.read(read, 1) == b"", "nobody has the other end"
    os.close(read)
    third[1].close()
    for it in (*one, *other):
        it.close()
