"""Whether a call that has failed is made again."""

from __future__ import annotations

import random
from dataclasses import dataclass

from ..session.failure import Failure
from ..status import Cause, Code, Outcome, Status

_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 2.0
_MAX_TOKENS = 100.0
MAX_HINT = 60.0
"""Seconds. A server may ask to wait for so long at most; past it the call fails."""
LONG_PARAMETERS = 256 * 1024
"""A call with longer parameters is not made again once its connection was lost twice: it may be what ends it."""


@dataclass(frozen=True)
class Retry:
    """How often calls are made again."""

    attempts: int = 5
    """How often a call is made in all; 1 makes it once."""
    percent: float = 20
    """Retries for each hundred calls."""
    per_second: float = 10
    """Retries besides these."""

    @classmethod
    def none(cls) -> Retry:
        """Returns what makes every call once."""
        return cls(attempts=1)


class Budget:
    """The retries that a channel has left."""

    def __init__(self, retry: Retry, now: float) -> None:
        self._retry = retry
        self._tokens = min(_MAX_TOKENS, max(retry.per_second, 1.0))
        self._at = now
        self.taken = 0
        """Number of retries."""
        self.denied = 0
        """Number of retries for which there was no budget."""

    def count_call(self) -> None:
        """Counts a call, which adds to the budget."""
        self._tokens = min(self._tokens + self._retry.percent / 100, _MAX_TOKENS)

    def take(self, now: float) -> bool:
        """Takes one retry, if there is one left."""
        self._tokens = min(self._tokens + (now - self._at) * self._retry.per_second, _MAX_TOKENS)
        self._at = now
        if self._tokens < 1:
            self.denied += 1
            return False
        self._tokens -= 1
        self.taken += 1
        return True


class Attempts:
    """The attempts of one call."""

    def __init__(self, retry: Retry, *, is_idempotent: bool, size: int) -> None:
        self._retry, self._is_idempotent, self._size = retry, is_idempotent, size
        self.made = 0
        self._lost = 0
        self._may_have_run = False

    def pause(self, failure: Failure, budget: Budget, now: float, deadline: float | None) -> float | None:
        """Returns in how many seconds the call is to be made again; `None` if it has failed for good."""
        self.made += 1
        if not isinstance(failure, Status):
            return None
        may_repeat = self._may_repeat(failure)
        self._may_have_run |= failure.outcome is not Outcome.NOT_SENT
        self._lost += failure.cause is Cause.CONNECTION_LOST and failure.outcome is Outcome.MAYBE_EXECUTED
        if may_repeat and not (self._lost >= 2 and self._size >= LONG_PARAMETERS):
            pause = self._pause_for(failure, budget, now)
            if pause is not None and (deadline is None or now + pause < deadline):
                return pause
        failure.outcome = self.outcome(failure.outcome)
        return None

    def outcome(self, last: Outcome) -> Outcome:
        """Returns the outcome of all attempts, of which the last had this one."""
        return Outcome.MAYBE_EXECUTED if self._may_have_run and last is Outcome.NOT_SENT else last

    def _may_repeat(self, status: Status) -> bool:
        if self.made >= self._retry.attempts or status.code not in (
            Code.UNAVAILABLE,
            Code.RESOURCE_EXHAUSTED,
        ):
            return False
        if status.cause in (Cause.TOO_LARGE, Cause.PROTOCOL, Cause.FORBIDDEN):
            return False
        return status.outcome is Outcome.NOT_SENT or self._is_idempotent

    def _pause_for(self, status: Status, budget: Budget, now: float) -> float | None:
        if status.outcome is Outcome.NOT_SENT and status.cause in (Cause.GOING_AWAY, Cause.CONNECTION_LOST):
            return 0.0
        if (status.retry_after or 0.0) > MAX_HINT:
            # Without a deadline, it would wait for as long as any server says.
            return None
        if not budget.take(now):
            return None
        longest = min(_FIRST_PAUSE * 2 ** (self.made - 1), _LONGEST_PAUSE)
        return max(random.uniform(longest / 2, longest), status.retry_after or 0.0)
