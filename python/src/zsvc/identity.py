"""`Identity`: who makes a call, as the server knows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Identity:
    """Who makes a call, as the server knows it: by a token, or by the key of the connection."""

    name: str
    """What the server calls the client."""
    roles: Sequence[str] = ()
    """What it may do: a method with `@roles` takes one of them."""

    def __post_init__(self) -> None:
        """Keeps the roles as a tuple, so that it can be hashed, and nobody can change them."""
        object.__setattr__(self, "roles", tuple(self.roles))
