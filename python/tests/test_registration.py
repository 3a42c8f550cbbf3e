"""Servers that register as workers at the router in Rust, and need no port."""

import asyncio
import contextlib
import dataclasses
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq.auth
from conftest import run
from floor import Floor, trade
from generated.exchange import v1 as exchange
from generated.market import v1 as market
from routers import Router, free_endpoint, routing
from test_router import called, some

import zsvc
from zsvc import Cause, Code, Outcome, Register, Status

TAPE = ["market.v1.Tape"]


def grant(serve: list[str], more: str = "") -> str:
    """Returns a grant by which everybody may call everything, and serve these."""
    return f'[[grant]]\ncall = ["*"]\nsubscribe = ["*"]\nserve = {serve}\n{more}'.replace("'", '"')


ALL = grant(["*"])


async def saw(router: Router, text: str, times: int = 1) -> None:
    """Waits until the log of a router has had a text, so many times."""
    await asyncio.to_thread(router.saw, text, times)


async def until(holds: Any) -> None:
    while not holds():
        await asyncio.sleep(0.005)


@run
async def test_a_worker_without_a_port_answers_every_kind(tmp_path: Path) -> None:
    floor = Floor()
    with routing(tmp_path, ALL, free_endpoint()) as router:
        register = Register(router.endpoint, name="floor", capacity=50)
        async with zsvc.Server(floor, register=register) as server:
            assert list(server.endpoints) == []
            assert repr(server) == f"<zsvc.Server at no endpoint, registering at {router.endpoint}>"
            await saw(router, "the worker `floor` is up")
            await called(router.endpoint)
            async with market.TapeClient.connect(router.endpoint) as tape:
                await tape.note("lunch")
                await until(lambda: floor.notes == ["lunch"])
                assert await tape.with_options(timeout=20).poll("LONG")
            # It does not serve by what every server has: that is the router's own.
            async with zsvc.health.HealthClient.connect(router.endpoint) as health:
                with pytest.raises(Status) as caught:
                    await health.check("market.v1.Tape")
                assert caught.value.code is Code.UNIMPLEMENTED
        await saw(router, "the connection to the worker `floor` is lost")


@run
async def test_events_come_from_a_worker_that_registers(tmp_path: Path) -> None:
    prices = zsvc.Publisher(exchange.Price)
    with routing(tmp_path, ALL) as router:
        async with (
            zsvc.Server(events=[prices], register=Register(router.endpoint, name="prices")),
            zsvc.Channel(router.endpoint) as channel,
        ):
            await saw(router, "the worker `prices` is up")
            prices.send(exchange.Price(symbol="ACME", cents=7))
            async with channel.subscribe(exchange.Price) as came:
                assert await some(came, 2) == [exchange.Price(symbol="ACME", cents=7), zsvc.Live()]


@run
async def test_a_worker_that_may_not_serve_is_refused_and_asks_again(
    tmp_path: Path, caplog: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr("zsvc.aio.registering._AFTER_REFUSAL", 0.1)
    with routing(tmp_path, grant(["other.v1.Other"])) as router:
        async with (
            zsvc.Server(Floor(), register=Register(router.endpoint, name="floor")),
            market.TapeClient.connect(router.endpoint) as tape,
        ):
            await saw(router, "is refused: `market.v1.Tape`: the router does not know who the worker is")
            await until(lambda: "does not take the registration" in caplog.text)
            assert f"the router at `{router.endpoint}` does not take" in caplog.text
            assert "this server: `market.v1.Tape`: the router does not know who" in caplog.text
            with pytest.raises(Status) as caught:
                await tape.last("ACME")
            assert (caught.value.code, caught.value.cause) == (Code.UNIMPLEMENTED, Cause.NO_SUCH_METHOD)
            await saw(router, "is refused", 3)
            router.reload(ALL)
            await saw(router, "the worker `floor` is up")
            assert await tape.with_options(timeout=20).last("ACME") == trade("ACME")


@run
async def test_a_worker_whose_grant_is_taken_away_serves_no_more(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("zsvc.aio.registering._AFTER_REFUSAL", 0.1)
    floor = Floor()
    with routing(tmp_path, ALL) as router:
        async with (
            zsvc.Server(floor, register=Register(router.endpoint, name="floor")),
            market.TapeClient.connect(router.endpoint) as tape,
        ):
            await saw(router, "the worker `floor` is up")
            held = asyncio.ensure_future(tape.with_options(timeout=30, retry=False).last("SLOW"))
            await until(lambda: floor.slow == 1)
            router.reload(grant([]))
            await saw(router, "the registration of the worker `floor` is ended")
            with pytest.raises(Status) as caught:
                await held
            assert (caught.value.code, caught.value.outcome) == (Code.UNAVAILABLE, Outcome.MAYBE_EXECUTED)
            await until(lambda: floor.ended == ["the client is gone"])
            await saw(router, "is refused")


class Callers:
    """Tasks that call without a pause. How each call has ended is counted."""

    def __init__(self, tape: market.TapeClient, number: int = 16) -> None:
        self._tape = tape.with_options(timeout=20)
        self.good = 0
        self.bad: list[Status] = []
        self._is_over = False
        self._tasks = [asyncio.ensure_future(self._call()) for _ in range(number)]

    async def _call(self) -> None:
        while not self._is_over:
            try:
                assert await self._tape.last("ACME") == trade("ACME")
                self.good += 1
            except Status as status:
                self.bad.append(status)
                await asyncio.sleep(0.01)

    async def make(self, count: int) -> None:
        """Waits until so many more calls have ended well."""
        before = self.good
        await until(lambda: self.good >= before + count or any(task.done() for task in self._tasks))

    async def end(self) -> None:
        """Has them end, and waits for that."""
        self._is_over = True
        await asyncio.gather(*self._tasks)


@run
async def test_a_router_that_is_killed_and_started_anew_has_its_workers_back(tmp_path: Path, caplog: Any) -> None:
    caplog.set_level(logging.INFO, "zsvc")
    with routing(tmp_path, ALL, free_endpoint()) as router:
        async with (
            zsvc.Server(Floor(), register=[Register(router.endpoint, name="a", capacity=4)]),
            zsvc.Server(Floor(), register=[Register(router.endpoint, name="b", capacity=4)]),
            market.TapeClient.connect(router.endpoint, retry=zsvc.Retry.none()) as tape,
        ):
            for name in "ab":
                await saw(router, f"the worker `{name}` is up")
            callers = Callers(tape)
            for round in (2, 3):
                await callers.make(100)
                assert callers.bad == [] or round == 3
                router.kill()
                await until(lambda: caplog.text.count("was lost: the peer or the network") >= 2)
                await asyncio.to_thread(router.restart)
                for name in "ab":
                    await saw(router, f"the worker `{name}` is up", round)
                await callers.make(100)
            await callers.end()
            assert {status.code for status in callers.bad} <= {Code.UNAVAILABLE, Code.UNIMPLEMENTED}
            assert any(status.outcome is Outcome.MAYBE_EXECUTED for status in callers.bad)
            assert caplog.text.count(f"registered at the router at `{router.endpoint}`") == 6


@run
async def test_workers_that_drain_under_load_fail_no_call(tmp_path: Path) -> None:
    with routing(tmp_path, ALL) as router:

        def worker(name: str) -> zsvc.Server:
            return zsvc.Server(Floor(), register=Register(router.endpoint, name=name))

        servers = {}
        for name in ("a", "b"):
            servers[name] = worker(name)
            await servers[name].start()
            await saw(router, f"the worker `{name}` is up")
        async with market.TapeClient.connect(router.endpoint) as tape:
            callers = Callers(tape)
            for round in (2, 3, 4):
                for name in servers:
                    await callers.make(100)
                    await servers[name].drain()
                    await saw(router, f"the connection to the worker `{name}` is lost", round - 1)
                    await callers.make(50)
                    servers[name] = worker(name)
                    await servers[name].start()
                    await saw(router, f"the worker `{name}` is up", round)
            await callers.end()
            assert callers.bad == []
        for server in servers.values():
            await server.drain()


@run
async def test_a_worker_that_drains_finishes_what_it_has(tmp_path: Path) -> None:
    floor = Floor()
    with routing(tmp_path, ALL) as router:
        server = zsvc.Server(floor, register=Register(router.endpoint, name="floor"))
        await server.start()
        async with market.TapeClient.connect(router.endpoint) as tape:
            await saw(router, "the worker `floor` is up")
            held = asyncio.ensure_future(tape.with_options(timeout=20).last("SLOW"))
            await until(lambda: floor.slow == 1)
            draining = asyncio.ensure_future(server.drain())
            # It is told to the router, where calls wait for another worker then.
            short = tape.with_options(timeout=0.3, retry=False)
            with contextlib.suppress(Status):
                while True:
                    await short.ping()
            calls = server.calls
            with pytest.raises(Status, match=r"time is up|deadline passed"):
                await short.ping()
            assert server.calls == calls
            assert not draining.done()
            floor.release.set()
            assert await held == trade("SLOW")
            await draining


@run
async def test_a_worker_serves_several_routers_and_its_own_endpoint(tmp_path: Path) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    with contextlib.ExitStack() as stack:
        for folder in folders:
            folder.mkdir()
        routers = [stack.enter_context(routing(folder, ALL)) for folder in folders]
        registers: list[str | Register] = [routers[0].endpoint, Register(routers[1].endpoint, name="second", standby=1)]
        async with zsvc.Server(Floor(), bind="tcp://127.0.0.1:*", register=registers) as server:
            for router in routers:
                await saw(router, "is up")
            for endpoint in (*server.endpoints, *(router.endpoint for router in routers)):
                async with market.TapeClient.connect(endpoint) as tape:
                    assert await tape.with_options(timeout=20).last("ACME") == trade("ACME")
            assert server.driver.session.clients >= 3
            # One that is lost takes nothing of the others with it.
            routers[0].stop()
            async with market.TapeClient.connect(routers[1].endpoint) as tape:
                assert await tape.with_options(timeout=20).last("ACME") == trade("ACME")


# ---- keys


class Keys:
    """A router with keys, the keys of a worker and of a caller, and what the worker is told of who calls."""

    def __init__(self, folder: Path) -> None:
        self.files = {name: zmq.auth.create_certificates(folder, name) for name in ("router", "worker", "caller")}
        for _, secret in self.files.values():
            os.chmod(secret, 0o600)
        self.config = f"""
key_file = "{self.files["router"][1]}"
access_file = "{folder}/access.toml"
[[grant]]
roles = ["caller"]
call = ["*"]
[[grant]]
roles = ["worker"]
serve = ["market.v1.*"]
"""
        clients = ((name, self.files[name][0]) for name in ("worker", "caller"))
        text = "".join(f'[clients.{name}]\nkey_files = ["{key}"]\nroles = ["{name}"]\n' for name, key in clients)
        (folder / "access.toml").write_text(text)

    def of(self, name: str) -> zsvc.ClientCurve:
        """Returns the keys of a client of the router."""
        return zsvc.ClientCurve.from_files(self.files[name][1], self.files["router"][0])


class Guarded(Floor):
    """A tape of which one method is for a role."""

    __zsvc_methods__ = (
        dataclasses.replace(market._Tape_ping, roles=["trader"]),
        *(method for method in market.Tape.__zsvc_methods__ if method.name != "market.v1.Tape/ping"),
    )

    def __init__(self) -> None:
        super().__init__()
        self.callers: list[tuple[zsvc.Identity | None, str | None]] = []

    async def ping(self, context: zsvc.Context) -> None:
        self.callers.append((context.identity, context.key))


@contextlib.contextmanager
def with_keys(folder: Path) -> Iterator[tuple[Router, Keys]]:
    keys = Keys(folder)
    with routing(folder, keys.config, free_endpoint(), keys.of("caller")) as router:
        yield router, keys


@run
async def test_a_router_with_keys_has_the_roles_that_the_worker_gives_it(tmp_path: Path) -> None:
    floor, front = Guarded(), zsvc.Identity("front", ["trader"])
    with with_keys(tmp_path) as (router, keys):
        register = Register(router.endpoint, curve=keys.of("worker"), router=front)
        async with (
            zsvc.Server(floor, register=register, deny_plaintext=True),
            market.TapeClient.connect(router.endpoint, curve=keys.of("caller")) as tape,
        ):
            await saw(router, "the worker `worker` is up")
            await tape.with_options(timeout=20).ping()
            assert floor.callers == [(front, register.curve.server_key if register.curve else None)]


@run
async def test_a_router_that_the_worker_says_nothing_of_has_no_role(tmp_path: Path) -> None:
    floor, public = Guarded(), zmq.curve_keypair()[0].decode()
    with with_keys(tmp_path) as (router, keys):
        # Its own clients are others, and the router is none of them, also if it has the key of one.
        worker = keys.of("worker")
        curve = zsvc.ServerCurve(
            worker.public_key, worker.secret_key, {public: ["trader"], worker.server_key: ["trader"]}
        )
        async with (
            zsvc.Server(floor, curve=curve, register=Register(router.endpoint, curve=worker)) as server,
            market.TapeClient.connect(router.endpoint, curve=keys.of("caller")) as tape,
        ):
            await saw(router, "the worker `worker` is up")
            patient = tape.with_options(timeout=20)
            for _ in range(2):
                with pytest.raises(Status, match="this client is not known") as caught:
                    await patient.ping()
                assert (caught.value.code, caught.value.outcome) == (Code.UNAUTHENTICATED, Outcome.NOT_SENT)
                assert await patient.last("ACME") == trade("ACME")
                server.set_clients({public: ["trader"]})
            assert floor.callers == []


@run
async def test_a_worker_with_another_key_is_not_let_in(tmp_path: Path, caplog: Any) -> None:
    with with_keys(tmp_path) as (router, keys):
        other = tmp_path / "other"
        other.mkdir()
        _, secret = zmq.auth.create_certificates(other, "other")
        os.chmod(secret, 0o600)
        curve = zsvc.ClientCurve.from_files(secret, keys.files["router"][0])
        async with zsvc.Server(Floor(), register=Register(router.endpoint, curve=curve)):
            await until(lambda: "can't reach the router at" in caplog.text)
            assert "does not let this client in" in caplog.text


def test_methods_with_roles_need_somebody_who_may_have_one() -> None:
    curve = zsvc.ClientCurve(*["x" * 40] * 3)
    for router in (None, zsvc.Identity("front", ["guest"])):
        with pytest.raises(ValueError, match=r"for clients with a role: .*, or say by `Register\.router`"):
            zsvc.Server(Guarded(), register=Register("tcp://router:7200", curve=curve, router=router))
    zsvc.Server(Guarded(), register=Register("tcp://router:7200", curve=curve, router=zsvc.Identity("f", ["trader"])))


# ---- what can't be


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"endpoint": "router:7200"}, "`router:7200` is no endpoint of a router: write `tcp://HOST:PORT`"),
        ({"endpoint": "tcp://router"}, "no endpoint"),
        ({"endpoint": "tcp://router:0"}, "no endpoint"),
        ({"endpoint": "tcp://router:70000"}, "no endpoint"),
        ({"endpoint": "inproc://router"}, "no endpoint"),
        ({"capacity": -1}, "a capacity of -1 is none"),
        ({"standby": 256}, "there is no group 256"),
        ({"router": zsvc.Identity("front")}, "any program could be there"),
        ({"name": "\ud800"}, "surrogates not allowed"),
    ],
)
def test_what_no_router_could_take(given: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        Register(**{"endpoint": "tcp://router:7200", **given})


@pytest.mark.parametrize(
    ("endpoint", "may_be"),
    [
        ("tcp://127.0.0.1:7200", False),
        ("tcp://[::1]:7200", False),
        ("tcp://localhost:7200", False),
        ("ipc:///run/router", False),
        ("tcp://192.0.2.1:7200", True),
        ("tcp://router.example:7200", True),
    ],
)
def test_which_routers_may_be_elsewhere(endpoint: str, may_be: bool) -> None:
    assert Register(endpoint).may_be_elsewhere is may_be


@run
async def test_a_server_that_denies_plaintext_registers_only_where_no_other_machine_is_on_the_way(caplog: Any) -> None:
    elsewhere = "tcp://192.0.2.1:7200"
    with pytest.raises(OSError, match=r"can't register at `tcp://192\.0\.2\.1:7200`: it may be on another machine"):
        await zsvc.Server(Floor(), register=elsewhere, deny_plaintext=True).start()
    async with zsvc.Server(Floor(), register=free_endpoint(), deny_plaintext=True):
        assert "without encryption" not in caplog.text
    async with zsvc.Server(Floor(), register=elsewhere):
        assert f"registering without encryption at the router at `{elsewhere}`" in caplog.text


@run
async def test_a_router_that_does_not_answer_is_told_of_and_asked_again(caplog: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("zsvc.aio.registering._ANSWER_TIMEOUT", 0.3)
    with zmq.Context() as context, context.socket(zmq.ROUTER) as silent:
        silent.setsockopt(zmq.LINGER, 0)
        endpoint = f"tcp://127.0.0.1:{silent.bind_to_random_port('tcp://127.0.0.1')}"
        async with zsvc.Server(Floor(), register=endpoint) as server:
            await until(lambda: "it has not answered within 0.3 s" in caplog.text)
            worker = server.driver._workers[0]
            await until(lambda: worker._tries > 1)


@run
async def test_a_router_that_is_not_there_holds_up_nothing(caplog: Any) -> None:
    endpoint = free_endpoint()
    async with zsvc.Server(Floor(), bind="tcp://127.0.0.1:*", register=endpoint) as server:
        async with market.TapeClient.connect(*server.endpoints) as tape:
            await until(lambda: "can't reach" in caplog.text)
            assert await tape.with_options(timeout=20).last("ACME") == trade("ACME")
        # It has been tried more than once, and is told of once.
        worker = server.driver._workers[0]
        await until(lambda: worker._tries > 2)
        assert (
            caplog.text.count(f"can't reach the router at `{endpoint}` to register there: nothing listens there") == 1
        )


@run
async def test_a_server_that_nobody_could_call_does_not_run() -> None:
    with pytest.raises(ValueError, match="nobody could call: give `bind`"):
        await zsvc.serve(Floor())
