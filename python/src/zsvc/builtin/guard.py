"""`Guard`: who may ask a server about itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..context import Context
from ..status import Code, Status


class Guard:
    """Lets everyone ask, or clients that the server knows, or those with one of some roles."""

    def __init__(
        self, *, is_open: bool, roles: Sequence[str], roles_of: Callable[[Context], Sequence[str] | None]
    ) -> None:
        self._is_open, self._roles, self._roles_of = is_open and not roles, tuple(roles), roles_of

    def check(self, context: Context) -> None:
        """Raises `Status` for a caller that may not ask."""
        if self._is_open:
            return
        method, roles = context.method.name, self._roles_of(context)
        if roles is None:
            text = f"a call of `{method}` takes a client that the server knows, and it does not know who this one is"
            raise Status(Code.UNAUTHENTICATED, text)
        if self._roles and not set(self._roles) & set(roles):
            text = f"a call of `{method}` takes one of the roles {', '.join(self._roles)}, and the caller has none"
            raise Status(Code.PERMISSION_DENIED, text)
