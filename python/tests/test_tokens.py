"""Tokens: who makes a call, and what it may do."""

from __future__ import annotations

import asyncio

import pytest
from conftest import run
from floor import Floor, trade
from generated.market import v1 as market

import zsvc
from zsvc import Cause, Code, Outcome, Status
from zsvc.aio.client import AsyncClient
from zsvc.dynamic.build import Schema

GUARDED = """
package guarded.v1;
service Guarded {
    @roles("trader") rpc buy(symbol: string) -> string;
    @roles("trader") oneway note(text: string);
    rpc who() -> string?;
}
"""
TYPE = Schema({"guarded.svc": GUARDED}).service("guarded.v1.Guarded")


def guarded(*roles: str) -> zsvc.Service:
    """Returns a service whose methods take roles: the dynamic client's, with the roles that its schema gives."""
    for name in ("buy", "note"):
        TYPE.methods[name].roles = roles

    class Guarded(zsvc.Service):
        __zsvc_methods__ = tuple(TYPE.methods.values())
        notes: list[str] = []  # noqa: RUF012

        async def buy(self, context: zsvc.Context, symbol: str) -> str:
            return symbol

        async def note(self, context: zsvc.Context, text: str) -> None:
            self.notes.append(text)

        async def who(self, context: zsvc.Context) -> str | None:
            return context.identity.name if context.identity else None

    return Guarded()


async def check(token: str) -> zsvc.Identity | None:
    if token == "later":
        raise Status(Code.UNAVAILABLE, "not now")
    if token == "broken":
        raise KeyError(token)
    return {"alice": zsvc.Identity("alice", ["trader"]), "bob": zsvc.Identity("bob")}.get(token)


def client(channel: zsvc.Channel, authorization: str | bytes | None, name: str = "authorization") -> AsyncClient:
    made = AsyncClient(channel)
    return made if authorization is None else made.with_options(metadata={name: authorization}, retry=False)


REFUSED = (Code.UNAUTHENTICATED, Outcome.NOT_SENT, Cause.FORBIDDEN)


@pytest.mark.parametrize(
    ("name", "authorization", "method", "expected"),
    [
        ("authorization", "Bearer alice", "buy", "ACME"),
        ("authorization", "bearer alice", "buy", "ACME"),
        ("authorization", "BEARER alice", "who", "alice"),
        ("authorization", "Bearer bob", "who", "bob"),
        ("authorization", "Bearer bob", "buy", (Code.PERMISSION_DENIED, Outcome.NOT_SENT, Cause.FORBIDDEN)),
        ("authorization", None, "who", None),
        ("authorization", None, "buy", REFUSED),
        ("authorization", "Bearer mallory", "buy", REFUSED),
        ("authorization", "Bearer mallory", "who", REFUSED),
        ("authorization", "Basic YTpi", "who", REFUSED),
        ("authorization", "Bearer", "who", REFUSED),
        ("authorization", "Bearer ", "who", REFUSED),
        ("authorization", "Bearer  alice", "who", REFUSED),
        ("authorization", "alice", "who", REFUSED),
        ("authorization", b"Bearer alice", "who", REFUSED),
        ("authorization", "Bearer " + 8193 * "a", "who", REFUSED),
        ("Authorization", "Bearer alice", "who", REFUSED),
        ("Authorization", "Bearer alice", "buy", REFUSED),
        ("authorization", "Bearer later", "who", (Code.UNAVAILABLE, Outcome.NOT_SENT, None)),
        ("authorization", "Bearer broken", "buy", (Code.UNAVAILABLE, Outcome.NOT_SENT, None)),
    ],
)
def test_a_call_is_made_by_whose_token_it_brings(
    name: str, authorization: str | bytes | None, method: str, expected: object
) -> None:
    @run
    async def test() -> None:
        server = zsvc.Server(guarded("trader"), bind="tcp://127.0.0.1:*", tokens=check)
        async with server, zsvc.Channel(*server.endpoints) as channel:
            caller = client(channel, authorization, name)
            values = ["ACME"] if method == "buy" else []
            if not isinstance(expected, tuple):
                assert await caller._unary(TYPE.methods[method], *values) == expected
                return
            with pytest.raises(Status) as caught:
                await caller._unary(TYPE.methods[method], *values)
            assert (caught.value.code, caught.value.outcome, caught.value.cause) == expected

    test()


@run
async def test_a_one_way_call_that_may_not_be_made_is_dropped_and_counted() -> None:
    service = guarded("trader")
    server = zsvc.Server(service, bind="tcp://127.0.0.1:*", tokens=check)
    async with server, zsvc.Channel(*server.endpoints) as channel:
        for token in ("bob", "mallory", "alice"):
            await client(channel, f"Bearer {token}")._unary(TYPE.methods["note"], token)
        while not service.notes:  # type: ignore[attr-defined]
            await asyncio.sleep(0.01)
        assert service.notes == ["alice"]  # type: ignore[attr-defined]
        assert server.dropped["refused call"] == 2


@run
async def test_without_tokens_the_entry_is_passed_on() -> None:
    async with zsvc.Server(Floor(), bind="tcp://127.0.0.1:*") as server:
        async with market.TapeClient.connect(*server.endpoints) as tape:
            asked = tape.with_options(metadata={"authorization": "whatever"}, timeout=20)
            assert await asked.last("ACME") == trade("ACME")


def test_roles_need_to_know_clients() -> None:
    with pytest.raises(ValueError, match="give the server `curve`, with `clients`, or `tokens`"):
        zsvc.Server(guarded("trader"))
