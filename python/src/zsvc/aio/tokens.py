"""Tokens: who makes a call, by what it brings in the metadata `authorization`. `docs/protocol.md` says how."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from ..identity import Identity
from ..status import Cause, Code, Outcome, Status
from ..wire.records import NAME_OF_TOKENS

MAX_TOKEN_BYTES = 8 * 1024
MAX_REMEMBERED = 65_536
"""Tokens of which is remembered whose they are; past it, those that were asked about first are forgotten."""
_LOG = logging.getLogger("zsvc")

TokenCheck: TypeAlias = Callable[[str], Awaitable[Identity | None]]
"""Returns whose token this is; `None` if it is not good. A `Status` that it raises is what the caller is told. If it
raises anything else, or takes too long, the call fails as `unavailable`. Either is not sent."""


class Tokens:
    """Finds out whose tokens are, by a function of the program, within bounds: `Server(…, tokens=Tokens(whose))`."""

    def __init__(self, check: TokenCheck, *, remember: float = 0.0, timeout: float = 5.0, max_asked: int = 64) -> None:
        """`remember` is for how many seconds a token that is good is not asked about again. A token that is taken back
        may be used for as long. `timeout` is the seconds that the function has, and `max_asked` how many calls of it
        run at a time; the clients of further calls take turns.
        """
        if remember < 0 or timeout <= 0 or max_asked < 1:
            raise ValueError("`remember` is 0 or more, `timeout` more than 0, and `max_asked` at least 1")
        self._check, self._remember, self._timeout = check, remember, timeout
        self._turns = _Turns(max_asked)
        self._known: OrderedDict[bytes, tuple[float, Identity]] = OrderedDict()
        """Who a token is, until when, by its hash: tokens themselves are not kept."""
        self._generation = 0
        """Which keys the function had, if it says so, when the first of those that are known was asked about."""
        self._forgotten = 0
        """How often all were forgotten: what was asked before is not remembered after."""

    def forget(self) -> None:
        """Asks about every token again. For the thread of the event loop in which the server runs."""
        self._known.clear()
        self._forgotten += 1

    async def identify(self, metadata: Mapping[str, str | bytes], peer: str) -> Identity | None:
        """Returns who makes a call over a connection; `None` if it has no token. Raises `Status`."""
        named = [name for name in metadata if name.lower() == NAME_OF_TOKENS]
        if not named:
            return None
        token = _token(metadata.get(NAME_OF_TOKENS)) if named == [NAME_OF_TOKENS] else None
        if token is None:
            raise _refused("`authorization` is `Bearer`, one space, and a token of up to 8 KiB")
        generation = getattr(self._check, "generation", 0)
        if generation != self._generation:
            self._generation = generation
            self.forget()
        if not self._remember:
            return await self._in_turn(token, peer)
        digest = hashlib.sha256(token.encode()).digest()
        return self._remembered(digest) or await self._in_turn(token, peer, digest)

    async def _in_turn(self, token: str, peer: str, digest: bytes | None = None) -> Identity:
        await self._turns.take(peer)
        try:
            # Another call with it may have been first.
            known = None if digest is None else self._remembered(digest)
            if known is not None:
                return known
            forgotten = self._forgotten
            identity = await self._ask(token)
        finally:
            self._turns.give()
        if identity is None:
            raise _refused("the token is not good")
        if digest is not None and forgotten == self._forgotten:
            self._known[digest] = time.monotonic() + self._remember, identity
            while len(self._known) > MAX_REMEMBERED:
                self._known.popitem(last=False)
        return identity

    def _remembered(self, digest: bytes) -> Identity | None:
        until, identity = self._known.get(digest, (0.0, None))
        if identity is not None and until <= time.monotonic():
            del self._known[digest]
            return None
        return identity

    async def _ask(self, token: str) -> Identity | None:
        try:
            return await asyncio.wait_for(self._check(token), self._timeout)
        except Status as status:
            status.outcome = Outcome.NOT_SENT
            raise
        except Exception as error:
            _LOG.error("a token can't be looked at", exc_info=error)
            text = "the server can't look at the token now"
            raise Status(Code.UNAVAILABLE, text, outcome=Outcome.NOT_SENT) from None


class _Turns:
    """Bounds how many ask at a time. Connections take turns: one with very many calls leaves the others theirs."""

    def __init__(self, most: int) -> None:
        self._free = most
        self._waiting: OrderedDict[str, OrderedDict[asyncio.Future[None], None]] = OrderedDict()

    async def take(self, peer: str) -> None:
        """Waits for a turn."""
        if self._free:
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(peer, OrderedDict())[turn] = None
        try:
            await turn
        except asyncio.CancelledError:
            self._leave(peer, turn)
            if not turn.cancelled():
                # It had begun.
                self.give()
            raise

    def give(self) -> None:
        """Ends a turn, and begins the next one."""
        while self._waiting:
            peer, turns = next(iter(self._waiting.items()))
            turn = next(iter(turns))
            self._leave(peer, turn)
            if peer in self._waiting:
                self._waiting.move_to_end(peer)
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    def _leave(self, peer: str, turn: asyncio.Future[None]) -> None:
        turns = self._waiting.get(peer, OrderedDict())
        turns.pop(turn, None)
        if not turns:
            self._waiting.pop(peer, None)


def _token(value: str | bytes | None) -> str | None:
    """Returns the token in a value of the metadata, if there is one."""
    if not isinstance(value, str):
        return None
    scheme, mark, token = value.partition(" ")
    is_good = scheme.lower() == "bearer" and mark and 0 < len(token.encode()) <= MAX_TOKEN_BYTES and " " not in token
    return token if is_good else None


def _refused(text: str) -> Status:
    return Status(Code.UNAUTHENTICATED, text, outcome=Outcome.NOT_SENT, cause=Cause.FORBIDDEN)
