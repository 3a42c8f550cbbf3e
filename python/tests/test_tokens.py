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


class Asked:
    """Counts who is asked about, and has some wait."""

    def __init__(self) -> None:
        self.tokens: list[str] = []
        self.release = asyncio.Event()

    async def __call__(self, token: str) -> zsvc.Identity | None:
        self.tokens.append(token)
        if token.startswith("slow"):
            await self.release.wait()
        return None if token == "mallory" else zsvc.Identity(token, ["trader"])


@run
async def test_a_token_that_is_good_is_remembered_for_as_long_as_is_said() -> None:
    asked = Asked()
    tokens = zsvc.Tokens(asked, remember=60)
    server = zsvc.Server(guarded("trader"), bind="tcp://127.0.0.1:*", tokens=tokens)
    async with server, zsvc.Channel(*server.endpoints) as channel:

        async def who(token: str) -> object:
            return await client(channel, f"Bearer {token}")._unary(TYPE.methods["who"])

        assert [await who("alice") for _ in range(3)] == ["alice"] * 3
        assert asked.tokens == ["alice"]
        for _ in range(2):
            with pytest.raises(Status):
                await who("mallory")
        assert asked.tokens == ["alice", "mallory", "mallory"], "one that is not good may be good the next time"
        tokens.forget()
        await who("alice")
        assert asked.tokens[3:] == ["alice"]
        for digest, (_, identity) in tokens._known.items():
            tokens._known[digest] = 0.0, identity
        await who("alice")
        assert asked.tokens[3:] == ["alice", "alice"]
        assert b"alice" not in b"".join(tokens._known), "tokens are not kept"


@run
async def test_what_was_asked_before_all_was_forgotten_is_not_remembered_after() -> None:
    asked = Asked()
    tokens = zsvc.Tokens(asked, remember=60)
    metadata = {"authorization": "Bearer slow"}
    first = asyncio.ensure_future(tokens.identify(metadata, "peer"))
    while not asked.tokens:
        await asyncio.sleep(0)
    tokens.forget()
    asked.release.set()
    assert await first == zsvc.Identity("slow", ["trader"])
    for _ in range(2):
        await tokens.identify(metadata, "peer")
    assert asked.tokens == ["slow", "slow"]


def test_an_identity_can_be_hashed_and_keeps_its_roles() -> None:
    roles = ["trader"]
    identity = zsvc.Identity("alice", roles)
    roles.append("admin")
    assert {identity} == {zsvc.Identity("alice", ("trader",))}


@run
async def test_no_more_tokens_are_remembered_than_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zsvc.aio.tokens.MAX_REMEMBERED", 10)
    asked = Asked()
    tokens = zsvc.Tokens(asked, remember=60)
    for number in range(30):
        await tokens.identify({"authorization": f"Bearer {number}"}, "peer")
    assert len(tokens._known) == 10
    await tokens.identify({"authorization": "Bearer 29"}, "peer")
    await tokens.identify({"authorization": "Bearer 0"}, "peer")
    assert asked.tokens[30:] == ["0"]


@run
async def test_a_client_with_many_tokens_leaves_others_their_turns_to_be_asked_about() -> None:
    asked = Asked()
    tokens = zsvc.Tokens(asked, max_asked=2, timeout=20)

    async def identify(token: str, peer: str) -> str:
        identity = await tokens.identify({"authorization": f"Bearer {token}"}, peer)
        assert identity is not None
        return identity.name

    many = [asyncio.ensure_future(identify(f"slow {it}".replace(" ", "-"), "greedy")) for it in range(50)]
    await asyncio.sleep(0)
    other = asyncio.ensure_future(identify("other", "modest"))
    for it in many[5:20]:
        await asyncio.sleep(0)
        it.cancel()
    await asyncio.sleep(0)
    assert len(asked.tokens) == 2
    asked.release.set()
    assert await other == "other"
    assert "other" in asked.tokens[:5], "its turn comes after one of the greedy one's"
    await asyncio.gather(*many, return_exceptions=True)
    assert (tokens._turns._free, len(tokens._turns._waiting)) == (2, 0)
    assert len(asked.tokens) == 36


@run
async def test_a_call_whose_token_is_asked_about_holds_up_no_other() -> None:
    asked, limits = Asked(), zsvc.ServerLimits(max_running=1, max_queued=1)
    service = guarded("trader")
    server = zsvc.Server(service, bind="tcp://127.0.0.1:*", tokens=zsvc.Tokens(asked, timeout=20), limits=limits)
    async with server, zsvc.Channel(*server.endpoints) as channel:
        who = TYPE.methods["who"]
        slow = [asyncio.ensure_future(client(channel, f"Bearer slow{it}")._unary(who)) for it in range(5)]
        while len(asked.tokens) < 5:
            await asyncio.sleep(0.01)
        assert await client(channel, None)._unary(who) is None, "they take neither the place to run nor that to wait"
        slow[0].cancel()
        asked.release.set()
        told = await asyncio.gather(*slow[1:], return_exceptions=True)
        assert all(it in [f"slow{number}" for number in range(5)] or isinstance(it, Status) for it in told)
        refused = [it for it in told if isinstance(it, Status)]
        assert all((it.code, it.outcome) == (Code.RESOURCE_EXHAUSTED, Outcome.NOT_SENT) for it in refused)
        assert len(refused) < 4
        for _ in range(3):
            assert await client(channel, "Bearer alice")._unary(who) == "alice", "the place is free again"
        while server.driver.session._turns._running:
            # A caller has its answer before its handler has ended.
            await asyncio.sleep(0.01)


def test_roles_need_to_know_clients() -> None:
    with pytest.raises(ValueError, match="give the server `curve`, with `clients`, or `tokens`"):
        zsvc.Server(guarded("trader"))


@pytest.mark.parametrize("wrong", [{"remember": -1}, {"timeout": 0}, {"max_asked": 0}])
def test_bounds_that_are_none(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="`max_asked` at least 1"):
        zsvc.Tokens(check, **wrong)
