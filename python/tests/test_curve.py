"""Encrypted connections, and who may call what."""

import asyncio
import dataclasses
import os
from typing import Any

import pytest
import zmq
from conftest import run
from floor import Floor, trade
from generated.market import v1 as market

import zsvc
from zsvc.io.router import is_reached_by_others


def keys() -> tuple[str, str]:
    public, secret = zmq.curve_keypair()
    return public.decode(), secret.decode()


@run
async def test_clients_that_are_let_in_call() -> None:
    (server_public, server_secret), (public, secret), other = keys(), keys(), keys()
    seen: list[str | None] = []

    class Seeing(Floor):
        async def last(self, context: zsvc.Context, symbol: str) -> market.Trade:
            seen.append(context.key)
            return trade(symbol)

    curve = zsvc.ServerCurve(server_public, server_secret, {public: ["trader"]})
    async with zsvc.Server(Seeing(), bind="tcp://127.0.0.1:*", curve=curve) as server:
        endpoint = server.endpoints[0]
        own = zsvc.ClientCurve(server_public, public, secret)
        async with market.TapeClient.connect(endpoint, curve=own) as tape:
            assert await tape.with_options(timeout=10).last("ACME") == trade("ACME")
        assert seen == [public]
        refused = [zsvc.ClientCurve(server_public, *other), zsvc.ClientCurve(other[0], public, secret), None]
        for wrong in refused:
            async with market.TapeClient.connect(endpoint, curve=wrong) as tape:
                with pytest.raises(zsvc.Status) as caught:
                    await tape.with_options(timeout=0.5).last("ACME")
                assert caught.value.outcome is zsvc.Outcome.NOT_SENT
        assert seen == [public]


def test_keys_are_read_from_files_and_not_shown(tmp_path: Any) -> None:
    public, secret = zmq.auth.create_certificates(tmp_path, "floor")
    os.chmod(secret, 0o644)
    with pytest.raises(ValueError, match="others may read the secret key"):
        zsvc.ServerCurve.from_file(secret)
    os.chmod(secret, 0o600)
    curve = zsvc.ServerCurve.from_file(secret)
    client = zsvc.ClientCurve.from_files(secret, public)
    assert client.server_key == curve.public_key
    assert curve.secret_key not in repr(curve)
    assert client.secret_key not in repr(client)
    with pytest.raises(ValueError, match="no secret key"):
        zsvc.ServerCurve.from_file(public)


def test_roles_need_clients_that_are_known() -> None:
    method = dataclasses.replace(market._Tape_ping, roles=["admin"])

    class Guarded(Floor):
        __zsvc_methods__ = (method,)

    with pytest.raises(ValueError, match="for clients with a role"):
        zsvc.Server(Guarded())
    with pytest.raises(ValueError, match="for clients with a role"):
        zsvc.Server(Guarded(), curve=zsvc.ServerCurve(*keys()))


@run
async def test_clients_can_be_taken_out_and_lose_roles_while_they_are_connected() -> None:
    (server_public, server_secret), desk, guest = keys(), keys(), keys()
    floor = Floor()
    curve = zsvc.ServerCurve(server_public, server_secret, {desk[0]: ["trader"], guest[0]: []})
    async with zsvc.Server(floor, bind="tcp://127.0.0.1:*", curve=curve) as server:
        endpoint = server.endpoints[0]
        options = {"retry": zsvc.Retry.none()}
        async with (
            market.TapeClient.connect(endpoint, curve=zsvc.ClientCurve(server_public, *desk), **options) as trader,
            market.TapeClient.connect(endpoint, curve=zsvc.ClientCurve(server_public, *guest), **options) as other,
        ):
            await other.ping()
            slow = [asyncio.ensure_future(tape.last("SLOW")) for tape in (trader, other)]
            await until(lambda: len(server._running) == 2)
            server.set_clients({desk[0]: [], guest[0]: ["more"]})
            with pytest.raises(zsvc.Status) as caught:
                await slow[0]
            status = caught.value
            assert (status.code, status.outcome) == (zsvc.Code.UNAVAILABLE, zsvc.Outcome.MAYBE_EXECUTED)
            assert status.cause is zsvc.Cause.FORBIDDEN
            assert await trader.last("ACME") == trade("ACME"), "it is let in"
            assert not slow[1].done(), "who has lost nothing notices nothing"
            server.set_clients({desk[0]: []})
            with pytest.raises(zsvc.Status) as caught:
                await slow[1]
            status = caught.value
            assert (status.code, status.outcome) == (zsvc.Code.UNAUTHENTICATED, zsvc.Outcome.MAYBE_EXECUTED)
            with pytest.raises(zsvc.Status) as caught:
                await other.with_options(timeout=0.2).ping()
            assert caught.value.outcome is zsvc.Outcome.NOT_SENT, "it makes no calls on this connection"
        async with market.TapeClient.connect(
            endpoint, curve=zsvc.ClientCurve(server_public, *guest), **options
        ) as again:
            with pytest.raises(zsvc.Status) as caught:
                await again.with_options(timeout=0.5).ping()
            assert caught.value.cause is zsvc.Cause.NEVER_CONNECTED
        floor.release.set()
    with pytest.raises(ValueError, match="without `curve`"):
        zsvc.Server(Floor()).set_clients({})


@run
async def test_a_client_is_known_by_its_key() -> None:
    (server_public, server_secret), named, nameless = keys(), keys(), keys()
    seen: list[zsvc.Identity | None] = []

    class Seeing(Floor):
        async def ping(self, context: zsvc.Context) -> None:
            seen.append(context.identity)

    desk = zsvc.Identity("desk", ["trader"])
    curve = zsvc.ServerCurve(server_public, server_secret, {named[0]: desk, nameless[0]: ["guest"]})
    async with zsvc.Server(Seeing(), bind="tcp://127.0.0.1:*", curve=curve) as server:
        for own in (named, nameless):
            keys_of = zsvc.ClientCurve(server_public, *own)
            async with market.TapeClient.connect(*server.endpoints, curve=keys_of) as tape:
                await tape.with_options(timeout=10).ping()
        assert seen == [desk, zsvc.Identity(nameless[0], ["guest"])]
        async with market.TapeClient.connect(
            *server.endpoints, curve=zsvc.ClientCurve(server_public, *named), retry=zsvc.Retry.none()
        ) as tape:
            slow = asyncio.ensure_future(tape.last("SLOW"))
            await until(lambda: len(server._running) == 1)
            server.set_clients({named[0]: zsvc.Identity("another", ["trader"])})
            with pytest.raises(zsvc.Status, match="or has another name: its calls end") as caught:
                await slow
            assert (caught.value.code, caught.value.cause) == (zsvc.Code.UNAVAILABLE, zsvc.Cause.FORBIDDEN)


@pytest.mark.parametrize(
    ("bound", "is_reached"),
    [
        ("tcp://127.0.0.1:7100", False),
        ("tcp://127.3.2.1:7100", False),
        ("tcp://[::1]:7100", False),
        ("tcp://[::ffff:127.0.0.1]:7100", False),
        ("ipc:///run/tape", False),
        ("tcp://0.0.0.0:7100", True),
        ("tcp://[::]:7100", True),
        ("tcp://192.168.1.2:7100", True),
        ("tcp://[fe80::1%eth0]:7100", True),
        ("tcp://a.host:7100", True),
    ],
)
def test_which_endpoints_others_reach(bound: str, is_reached: bool) -> None:
    assert is_reached_by_others(bound) is is_reached


@run
async def test_a_server_that_others_reach_without_encryption_is_warned_of_once(caplog: Any) -> None:
    async with zsvc.Server(Floor(), bind=["tcp://*:*", "tcp://0.0.0.0:*", "tcp://127.0.0.1:*"]):
        assert caplog.text.count("listening without encryption") == 1
    caplog.clear()
    async with zsvc.Server(Floor(), bind="tcp://127.0.0.1:*", deny_plaintext=True):
        pass
    async with zsvc.Server(Floor(), bind="tcp://*:*", curve=zsvc.ServerCurve(*keys()), deny_plaintext=True):
        pass
    assert caplog.text == ""


@run
async def test_a_server_that_denies_plaintext_listens_only_where_no_other_machine_reaches_it() -> None:
    with pytest.raises(OSError, match=r"can't bind `tcp://\*:\*`: other machines can reach `tcp://0\.0\.0\.0:"):
        await zsvc.Server(Floor(), bind="tcp://*:*", deny_plaintext=True).start()
    async with zsvc.Server(Floor(), bind="tcp://127.0.0.1:*", deny_plaintext=True) as server:
        with pytest.raises(OSError, match="leave out `deny_plaintext`"):
            await server.bind("tcp://0.0.0.0:*")
        async with market.TapeClient.connect(*server.endpoints) as tape:
            await tape.ping()


async def until(condition: Any) -> None:
    while not condition():
        await asyncio.sleep(0.01)
