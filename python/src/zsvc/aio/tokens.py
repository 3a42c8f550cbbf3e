"""Tokens: who makes a call, by what it brings in the metadata `authorization`. `docs/protocol.md` says how."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ..status import Cause, Code, Outcome, Status
from ..wire.records import NAME_OF_TOKENS

MAX_TOKEN_BYTES = 8 * 1024
CHECK_TIMEOUT = 5.0
"""Seconds that a check may take."""
MAX_CHECKS = 64
"""Checks that run at the same time; further calls wait for one of them."""
_LOG = logging.getLogger("zsvc")


@dataclass(frozen=True)
class Identity:
    """Who makes a call, as the server knows it by a token."""

    name: str
    """What the server calls the client."""
    roles: Sequence[str] = ()
    """What it may do: a method with `@roles` takes one of them."""


TokenCheck: TypeAlias = Callable[[str], Awaitable[Identity | None]]
"""Returns whose token this is; `None` if it is not good. A `Status` that it raises is what the caller is told. If it
raises anything else, or takes longer than five seconds, the call fails as `unavailable`. Either is not sent."""


class Tokens:
    """Asks a program whose tokens are, within bounds."""

    def __init__(self, check: TokenCheck) -> None:
        self._check = check
        self._running = asyncio.Semaphore(MAX_CHECKS)

    async def identify(self, metadata: Mapping[str, str | bytes]) -> Identity | None:
        """Returns who makes a call; `None` if it has no token. Raises `Status`."""
        named = [name for name in metadata if name.lower() == NAME_OF_TOKENS]
        if not named:
            return None
        token = _token(metadata.get(NAME_OF_TOKENS)) if named == [NAME_OF_TOKENS] else None
        if token is None:
            raise _refused("`authorization` is `Bearer`, one space, and a token of up to 8 KiB")
        identity = await self._ask(token)
        if identity is None:
            raise _refused("the token is not good")
        return identity

    async def _ask(self, token: str) -> Identity | None:
        try:
            async with self._running:
                return await asyncio.wait_for(self._check(token), CHECK_TIMEOUT)
        except Status as status:
            status.outcome = Outcome.NOT_SENT
            raise
        except Exception as error:
            _LOG.error("a token can't be looked at", exc_info=error)
            text = "the server can't look at the token now"
            raise Status(Code.UNAVAILABLE, text, outcome=Outcome.NOT_SENT) from None


def _token(value: str | bytes | None) -> str | None:
    """Returns the token in a value of the metadata, if there is one."""
    if not isinstance(value, str):
        return None
    scheme, mark, token = value.partition(" ")
    is_good = scheme.lower() == "bearer" and mark and 0 < len(token.encode()) <= MAX_TOKEN_BYTES and " " not in token
    return token if is_good else None


def _refused(text: str) -> Status:
    return Status(Code.UNAUTHENTICATED, text, outcome=Outcome.NOT_SENT, cause=Cause.FORBIDDEN)
