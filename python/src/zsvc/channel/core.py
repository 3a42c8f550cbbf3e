"""`Core`: the calls of a channel, on its thread. `PendingCall` is what callers hold of one, on any thread."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..codec.writer import Body
from ..io.curve import ClientCurve
from ..io.reactor import HasEnded, Reactor, Timer
from ..session import client as session
from ..session.config import ClientLimits, Kind
from ..session.failure import Failure
from ..status import Cause, Code, Outcome, Status
from ..wire.records import Metadata
from .connection import Connection
from .overlap import Overlap, Overlaps
from .retry import Attempts, Budget, Retry


class Listener(Protocol):
    """What a caller is told of its call, on the channel's thread."""

    def on_answer(self, body: Body | None) -> None:
        """Tells the answer; `None` at the end of a stream."""

    def on_failure(self, failure: Failure) -> None:
        """Tells that the call has failed."""

    def on_items(self, body: Body) -> None:
        """Tells that items have come."""

    def on_room(self, size: int) -> None:
        """Tells that items have left; `size` is their number of bytes."""

    def on_metadata(self, metadata: Metadata) -> None:
        """Tells names and values beside the answer."""

    def on_repeat(self) -> None:
        """Tells that the call is made again: what has come beside an answer is not of this attempt."""


@dataclass(frozen=True)
class Setting:
    """The options of a channel that its calls need."""

    limits: ClientLimits
    retry: Retry
    curve: ClientCurve | None


class PendingCall:
    """A call, from when it is asked for until it has ended."""

    def __init__(
        self,
        spec: session.CallSpec,
        listener: Listener,
        *,
        retry: Retry,
        is_idempotent: bool = False,
        overlap: Overlap = Overlap.PARALLEL,
    ) -> None:
        self.spec, self.listener, self.overlap = spec, listener, overlap
        self.attempts = Attempts(retry, is_idempotent=is_idempotent, size=len(spec.body))
        self.call: session.ClientCall | None = None
        self.connection: Connection | None = None
        self.is_over = False
        self.timer: Timer | None = None
        self.early: list[Body] = []
        """Items that were sent before the call could be made."""
        self.is_finished = False

    @property
    def is_repeatable(self) -> bool:
        """Whether the call may be made again: not if it streams."""
        return self.spec.kind is Kind.UNARY


class Core:
    """The connections of a channel and its calls. All methods but `post` are for the channel's thread."""

    def __init__(self, endpoints: Sequence[str], setting: Setting) -> None:
        self._setting = setting
        self._reactor = Reactor("zsvc-channel")
        self._reactor.ends.append(self._end)
        self._waiting: deque[PendingCall] = deque()
        self._pausing: set[PendingCall] = set()
        """Those that are to be made again after a pause."""
        self._overlaps = Overlaps()
        self.budget = Budget(setting.retry, time.monotonic())
        self._connections: list[Connection] = []
        self._is_closed = False
        self._ready: list[Callable[[], None]] = []
        self.post(lambda: self._open(endpoints))

    def post(self, run: Callable[[], None]) -> None:
        """Has the channel's thread call a function. Does nothing once that has ended, and told all calls so."""
        with contextlib.suppress(HasEnded):
            self._reactor.call_soon(run)

    def begin(self, pending: PendingCall, *, may_work: bool = False) -> None:
        """Has the channel's thread make a call, or makes it in this one if it `may_work` for the other.

        Raises `Status` if the channel's thread has ended.
        """
        try:
            if may_work:
                is_alone = not any(connection.calls_in_flight for connection in self._connections)
                self._reactor.call_here(lambda: self.submit(pending), is_alone=is_alone)
            else:
                self._reactor.call_soon(lambda: self.submit(pending))
        except HasEnded:
            raise _closed("the channel is closed") from None

    def stop(self) -> None:
        """Ends the channel's thread. Calls in flight fail."""
        self._reactor.stop()

    def _open(self, endpoints: Sequence[str]) -> None:
        setting = self._setting
        for endpoint in endpoints:
            connection = Connection(self._reactor, endpoint, self, setting.limits, setting.curve)
            self._connections.append(connection)

    def _end(self) -> None:
        self._is_closed = True
        for connection in self._connections:
            connection.close(linger=1.0)
        for pending in [*self._waiting, *self._pausing]:
            self._fail(pending, _closed("the channel was closed", pending))

    # ---- what callers say

    def submit(self, pending: PendingCall) -> None:
        """Makes a call, or has it wait for a connection."""
        if self._is_closed:
            self._fail(pending, _closed("the channel is closed"))
            return
        self.budget.count_call()
        replaced = self._overlaps.admit(pending)
        if replaced is pending:
            text = "the method has @overlap(ignore), and an earlier call runs"
            self._fail(pending, Status(Code.ABORTED, text, outcome=Outcome.NOT_SENT, cause=Cause.OVERLAP))
        elif replaced is not None:
            outcome = Outcome.MAYBE_EXECUTED if replaced.call is not None else Outcome.NOT_SENT
            self._give_up(replaced)
            text = "a later call has replaced this one"
            self._fail(replaced, Status(Code.CANCELLED, text, outcome=outcome, cause=Cause.OVERLAP))
        if pending.is_over:
            return
        if self._overlaps.holds_back(pending):
            self._watch_deadline(pending)
        else:
            self._make(pending)

    def cancel(self, pending: PendingCall) -> None:
        """Gives a call up that is not waited for any longer."""
        if pending.is_over:
            return
        self._give_up(pending)
        self._over(pending)

    def send_items(self, pending: PendingCall, *items: Body) -> None:
        """Adds items to the stream of a call."""
        if pending.call is None:
            pending.early += items
        elif pending.connection is not None and pending.connection.session is not None:
            pending.connection.session.send_items(pending.call, *items)
            pending.connection.pump_late()

    def finish(self, pending: PendingCall) -> None:
        """Ends the stream of a call."""
        pending.is_finished = True
        if pending.call is not None and pending.connection is not None and pending.connection.session is not None:
            pending.connection.session.finish(pending.call)
            pending.connection.pump_late()

    def consumed(self, pending: PendingCall, size: int) -> None:
        """Tells that bytes of items were read."""
        if pending.call is not None and pending.connection is not None and pending.connection.session is not None:
            pending.connection.session.consumed(pending.call, size)
            pending.connection.pump_late()

    def when_ready(self, run: Callable[[], None]) -> None:
        """Calls a function once a connection is up."""
        if any(connection.session is not None for connection in self._connections):
            run()
        else:
            self._ready.append(run)

    def why_down(self) -> str:
        """Returns why there is no connection."""
        return "; ".join(f"`{it.endpoint}`: {it.why_down}" for it in self._connections if it.session is None)

    # ---- what connections tell

    def on_event(self, event: session.Event) -> None:
        """Tells a caller what has become of its call."""
        pending = event.call.user
        if not isinstance(pending, PendingCall) or pending.is_over or pending.call is not event.call:
            return
        if isinstance(event, session.Answered):
            self._over(pending)
            pending.listener.on_answer(event.body)
        elif isinstance(event, session.Failed):
            self._failed(pending, event.failure)
        elif isinstance(event, session.ItemsArrived):
            pending.listener.on_items(event.body)
        elif isinstance(event, session.RoomMade):
            pending.listener.on_room(event.size)
        else:
            pending.listener.on_metadata(event.metadata)

    def on_change(self) -> None:
        """Makes calls that have waited."""
        if self._ready and any(connection.session is not None for connection in self._connections):
            ready, self._ready = self._ready, []
            for run in ready:
                run()
        for _ in range(len(self._waiting)):
            pending = self._waiting.popleft()
            if not pending.is_over and not self._try(pending):
                self._waiting.appendleft(pending)
                return

    # ---- inside

    def _watch_deadline(self, pending: PendingCall) -> None:
        """Ends a call at its deadline that waits: once a connection has it, its session does."""
        deadline = pending.spec.deadline
        if deadline is not None and pending.timer is None:
            pending.timer = self._reactor.call_at(deadline, lambda: self._expired(pending))

    def _expired(self, pending: PendingCall) -> None:
        """Ends a call that no connection has: where one has, its session ends it."""
        if pending.is_over or pending.call is not None:
            return
        code, text, cause = Code.DEADLINE_EXCEEDED, "time was up before the call was made", Cause.DEADLINE
        if not any(connection.session is not None for connection in self._connections):
            code, text, cause = Code.UNAVAILABLE, f"no connection: {self.why_down()}", Cause.NEVER_CONNECTED
        outcome = pending.attempts.outcome(Outcome.NOT_SENT)
        self._fail(pending, Status(code, text, outcome=outcome, cause=cause))

    def _make(self, pending: PendingCall) -> None:
        self._pausing.discard(pending)
        if pending.is_over:
            return
        if self._is_closed:
            self._fail(pending, _closed("the channel was closed", pending))
            return
        # Those that have waited longer come first.
        if self._waiting or not self._try(pending):
            self._watch_deadline(pending)
            self._waiting.append(pending)
            self.on_change()

    def _try(self, pending: PendingCall) -> bool:
        now = time.monotonic()
        one_way = pending.spec.kind is Kind.ONE_WAY
        able = [it for it in self._connections if it.takes_calls(now, one_way=one_way)]
        connection = min(able, key=lambda it: it.session.calls_in_flight if it.session else 0, default=None)
        if connection is None or connection.session is None:
            return False
        if pending.spec.deadline is not None and pending.spec.deadline <= now:
            self._expired(pending)
            return True
        pending.connection = connection
        pending.call = connection.session.start(pending.spec, pending, now)
        if pending.early:
            connection.session.send_items(pending.call, *pending.early)
            pending.early.clear()
        if pending.is_finished:
            connection.session.finish(pending.call)
        connection.pump_late()
        return True

    def _give_up(self, pending: PendingCall) -> None:
        call, connection = pending.call, pending.connection
        if call is not None and connection is not None and connection.session is not None:
            connection.session.cancel(call)
            connection.pump_late()

    def _failed(self, pending: PendingCall, failure: Failure) -> None:
        now = time.monotonic()
        if pending.is_repeatable and not self._is_closed:
            pause = pending.attempts.pause(failure, self.budget, now, pending.spec.deadline)
            if pause is not None:
                pending.call = pending.connection = None
                pending.listener.on_repeat()
                self._pausing.add(pending)
                self._reactor.call_at(now + pause, lambda: self._make(pending))
                return
        self._fail(pending, failure)

    def _fail(self, pending: PendingCall, failure: Failure) -> None:
        if not pending.is_over:
            self._over(pending)
            pending.listener.on_failure(failure)

    def _over(self, pending: PendingCall) -> None:
        pending.is_over = True
        self._pausing.discard(pending)
        pending.early.clear()
        if pending.timer is not None:
            pending.timer.cancel()
        following = self._overlaps.over(pending)
        if following is not None:
            self.post(lambda: self._make(following))


def _closed(text: str, pending: PendingCall | None = None) -> Status:
    outcome = Outcome.NOT_SENT if pending is None else pending.attempts.outcome(Outcome.NOT_SENT)
    return Status(Code.CANCELLED, text, outcome=outcome, cause=Cause.CLOSED)
