"""One connection of a client, from the moment that it is up until it is lost.

The order of calls: `start` and what belongs to a call at any time; `receive` for each message that has come; then
`poll_message` until there is none, `poll_event` until there is none. After `lost` the session is over.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from ..codec.writer import Body
from ..due import Due
from ..status import Cause, Code, Outcome, Status
from ..wire import read, write
from ..wire import records as r
from ..wire.outbox import Frame, Outbox
from .config import ClientLimits, Kind, max_received
from .failure import Failure, failure_of, too_large
from .flow import Inbound, Outbound, cost, pack
from .liveness import Liveness


@dataclass
class CallSpec:
    """A call that is to be made. The deadline is a time of the session's clock."""

    method: str
    kind: Kind
    body: Body
    deadline: float | None = None
    metadata: r.Metadata | None = None
    proof: bool = False
    """Whether a one-way call ends only once the server has read it."""


class ClientCall:
    """A call in flight. `user` is whatever its maker wants to find again."""

    def __init__(self, id: int, spec: CallSpec, user: Any, window: int) -> None:
        self.id, self.spec, self.user = id, spec, user
        self.outbound = Outbound() if spec.kind.takes_items else None
        self.inbound = Inbound(window, window) if spec.kind.answers_items else None
        self.is_over = False
        self.is_sent = False
        """Whether it was handed to the transport."""
        self.metadata: r.Metadata = {}
        """What the server has sent beside the answer so far."""


@dataclass(slots=True)
class Answered:
    """A call has ended well: with a body, or with `None` where its stream is complete or nothing is to be said."""

    call: ClientCall
    body: Body | None


@dataclass(slots=True)
class Failed:
    """A call has failed."""

    call: ClientCall
    failure: Failure


@dataclass(slots=True)
class ItemsArrived:
    """Items of a stream have come. `consumed` is told of them when they are read."""

    call: ClientCall
    body: Body


@dataclass(slots=True)
class RoomMade:
    """Items of a call have left: there may be room for more."""

    call: ClientCall
    size: int


@dataclass(slots=True)
class MetadataArrived:
    """Names and values beside the answer have come."""

    call: ClientCall
    metadata: r.Metadata


Event: TypeAlias = Answered | Failed | ItemsArrived | RoomMade | MetadataArrived


class ClientSession:
    """The calls over one connection, and what is said about them."""

    def __init__(self, limits: ClientLimits, now: float) -> None:
        self._limits = limits
        self._calls: dict[int, ClientCall] = {}
        self._next_id = 1
        self._outbox = Outbox()
        self._events: deque[Event] = deque()
        self._deadlines: Due[ClientCall] = Due(lambda call: call.is_over)
        self._liveness = Liveness(limits.server_timeout, now)
        self._sending: dict[int, ClientCall] = {}
        """Calls with items that may leave."""
        self.is_going_away = False
        """Whether the server asks for no new calls."""

    # ---- what callers say

    @property
    def calls_in_flight(self) -> int:
        """Number of calls in flight."""
        return len(self._calls)

    def has_room(self, *, one_way: bool = False) -> bool:
        """Reports whether a further call may be made now."""
        limits = self._limits
        if one_way and self._liveness.unread >= limits.max_unread_one_way:
            return False
        return len(self._calls) < limits.max_calls and self._outbox.size < limits.max_unsent

    def start(self, spec: CallSpec, user: Any, now: float) -> ClientCall:
        """Starts a call. The caller has asked `has_room`, and that the deadline has not passed."""
        if spec.kind is Kind.ONE_WAY:
            return self._start_one_way(spec, user, now)
        if not self._calls:
            self._liveness.heard(now)
        call = ClientCall(self._take_id(), spec, user, self._limits.stream_window)
        self._calls[call.id] = call
        record = r.Call(call.id, spec.method, spec.body, _left(spec.deadline, now), spec.metadata)
        record.credit = call.inbound.window if call.inbound is not None else 0
        self._outbox.push(write.call(record), spec.body.attachments, call=call.id)
        if spec.deadline is not None:
            self._deadlines.add(spec.deadline, call)
        return call

    def _start_one_way(self, spec: CallSpec, user: Any, now: float) -> ClientCall:
        call = ClientCall(0, spec, user, 0)
        record = r.Call(0, spec.method, spec.body, _left(spec.deadline, now), spec.metadata, one_way=True)
        data = write.call(record)
        self._outbox.push(data, spec.body.attachments)
        self._liveness.count_one_way(len(data) + sum(map(len, spec.body.attachments)))
        if spec.proof:
            call.id = self._ping(now)
            self._calls[call.id] = call
            if spec.deadline is not None:
                self._deadlines.add(spec.deadline, call)
            return call
        if self._liveness.wants_proof:
            self._ping(now)
        call.is_over = True
        self._events.append(Answered(call, None))
        return call

    def send_items(self, call: ClientCall, *items: Body) -> None:
        """Adds items to a call's stream. They are dropped if the call is over."""
        if not call.is_over and call.outbound is not None:
            for item in items:
                call.outbound.push(item)
            self._sending[call.id] = call

    def finish(self, call: ClientCall) -> None:
        """Ends a call's stream, once its items have left."""
        if not call.is_over and call.outbound is not None:
            call.outbound.is_finished = True
            self._sending[call.id] = call

    def consumed(self, call: ClientCall, size: int) -> None:
        """Tells that bytes of items were read, for which the server gets credit."""
        if call.inbound is None:
            return
        amount = call.inbound.consume(size)
        if amount and not call.is_over:
            self._outbox.push(write.credit(call.id, amount))

    def cancel(self, call: ClientCall) -> None:
        """Ends a call that is not waited for any longer."""
        if self._forget(call) and call.spec.kind is not Kind.ONE_WAY:
            self._outbox.push(write.plain(r.CANCEL, call.id))

    # ---- what the transport says

    def receive(self, frames: Sequence[memoryview], now: float) -> None:
        """Handles a message."""
        self._liveness.heard(now)
        message = read.read_message(frames, min_route=0, max_size=max_received(self._limits.max_message_size))
        for record in message.records:
            self._record(record, now)
        if message.error is not None:
            status = Status(Code.UNKNOWN, message.error.message, outcome=Outcome.MAYBE_EXECUTED, cause=Cause.PROTOCOL)
            self._fail_sent(status, cancel=True)

    def lost(self, status: Status) -> None:
        """Ends all calls: those that have left as maybe executed, others as not sent."""
        for call in list(self._calls.values()):
            outcome = Outcome.MAYBE_EXECUTED if call.is_sent else Outcome.NOT_SENT
            self._fail(call, Status(status.code, status.message, outcome=outcome, cause=status.cause))
        self._outbox.clear()

    # ---- what is to be done

    def poll_message(self) -> list[Frame] | None:
        """Returns the next message to send. `sent` takes it."""
        self._collect_items()
        batch = self._outbox.peek()
        return None if batch is None else batch.frames()

    def sent(self) -> None:
        """Takes the message that `poll_message` has returned: the transport has it."""
        batch = self._outbox.pop()
        for id in batch.calls:
            call = self._calls.get(id)
            if call is not None:
                call.is_sent = True

    def poll_event(self) -> Event | None:
        """Returns the next event."""
        return self._events.popleft() if self._events else None

    def next_timeout(self) -> float | None:
        """Returns when `handle_timeout` is to be called."""
        times = (self._deadlines.next(), self._liveness.next_timeout(bool(self._calls)))
        return min((time for time in times if time is not None), default=None)

    def handle_timeout(self, now: float) -> None:
        """Ends calls whose deadline has passed, and asks a silent server for a sign of life."""
        while (call := self._deadlines.take(now)) is not None:
            self._expire(call)
        if self._liveness.is_dead(bool(self._calls), now):
            text = "the server has said nothing for too long"
            self._fail_sent(Status(Code.UNAVAILABLE, text, cause=Cause.SERVER_SILENT), cancel=True)
        elif self._liveness.should_ask(bool(self._calls), now):
            self._ping(now)

    # ---- inside

    def _take_id(self) -> int:
        id = self._next_id
        self._next_id = id + 1 if id < r.MAX_ID else 1
        return id

    def _ping(self, now: float) -> int:
        id = self._take_id()
        self._liveness.asked(id, now)
        self._outbox.push(write.plain(r.PING, id))
        return id

    def _forget(self, call: ClientCall) -> bool:
        if call.is_over:
            return False
        call.is_over = True
        self._calls.pop(call.id, None)
        self._sending.pop(call.id, None)
        if call.outbound is not None:
            call.outbound.clear()
        return True

    def _fail(self, call: ClientCall, failure: Failure) -> None:
        if self._forget(call):
            self._events.append(Failed(call, failure))

    def _fail_sent(self, status: Status, *, cancel: bool) -> None:
        """Ends all calls that have left."""
        status.outcome = Outcome.MAYBE_EXECUTED
        for call in [call for call in self._calls.values() if call.is_sent]:
            self._fail(call, status)
            if cancel and call.spec.kind is not Kind.ONE_WAY:
                self._outbox.push(write.plain(r.CANCEL, call.id))

    def _end(self, call: ClientCall, code: Code, text: str, outcome: Outcome, cause: Cause | None) -> None:
        """Ends a call whose server has broken a rule or a limit."""
        self._fail(call, Status(code, text, outcome=outcome, cause=cause))
        self._outbox.push(write.plain(r.CANCEL, call.id))

    def _expire(self, call: ClientCall) -> None:
        outcome = Outcome.MAYBE_EXECUTED
        self._fail(call, Status(Code.DEADLINE_EXCEEDED, "time is up", outcome=outcome, cause=Cause.DEADLINE))
        if call.spec.kind is not Kind.ONE_WAY:
            self._outbox.push(write.plain(r.CANCEL, call.id))

    def _collect_items(self) -> None:
        """Moves items into the outbox, as far as there is credit and room."""
        for call in list(self._sending.values()):
            outbound = call.outbound
            assert outbound is not None
            items = list(self._take_items(outbound))
            for body in pack(items):
                self._outbox.push(write.with_body(r.ITEMS, call.id, body), body.attachments)
            if items:
                self._events.append(RoomMade(call, cost(items)))
            if outbound.is_complete:
                self._outbox.push(write.plain(r.END, call.id))
            if outbound.is_complete or outbound.credit <= 0 or outbound.size == 0:
                del self._sending[call.id]

    def _take_items(self, outbound: Outbound) -> Iterator[Body]:
        size = self._outbox.size
        while size < self._limits.max_unsent and (item := outbound.take()) is not None:
            size += len(item)
            yield item

    # ---- records

    def _record(self, record: r.Record, now: float) -> None:
        if isinstance(record, r.Ping):
            # A server that does not read what it asks for has no use for an answer.
            if self._outbox.size < self._limits.max_unsent:
                self._outbox.push(write.pong(record.id, None))
        elif isinstance(record, r.Pong):
            self._pong(record)
        elif isinstance(record, r.GoingAway):
            self.is_going_away = True
        elif isinstance(record, r.Error) and record.id == 0:
            failure = failure_of(record)
            status = failure if isinstance(failure, Status) else Status(Code.UNKNOWN, failure.message)
            self._fail_sent(status, cancel=True)
        elif isinstance(record, r.UnknownKind) and record.id == 0:
            text = f"the server has sent a record of the unknown kind {record.kind}"
            self._fail_sent(Status(Code.UNIMPLEMENTED, text, cause=Cause.PROTOCOL), cancel=True)
        else:
            call = self._calls.get(record.id)
            if call is not None and not call.is_over and call.spec.kind is not Kind.ONE_WAY:
                self._of_call(call, record)
            elif call is not None and isinstance(record, r.Error):
                # The proof of a one-way call: another life of the server answers a query for its ping.
                self._fail(call, failure_of(record))

    def _of_call(self, call: ClientCall, record: r.Record) -> None:
        if isinstance(record, r.Reply):
            self._reply(call, record)
        elif isinstance(record, r.Error):
            # Said once more to clients that the server has not heard of before, or that try again.
            self.is_going_away |= record.cause == Cause.GOING_AWAY
            self._fail(call, failure_of(record))
        elif isinstance(record, r.Items):
            self._items(call, record)
        elif isinstance(record, r.End):
            if call.inbound is None:
                self._wrong_answer(call)
            elif self._forget(call):
                self._events.append(Answered(call, None))
        elif isinstance(record, r.Credit):
            if call.outbound is not None:
                call.outbound.grant(record.amount)
                self._sending[call.id] = call
        elif isinstance(record, r.ResponseMetadata):
            self._metadata(call, record)
        elif isinstance(record, r.UnknownKind):
            text = f"the server has sent a record of the unknown kind {record.kind}"
            self._end(call, Code.UNIMPLEMENTED, text, Outcome.MAYBE_EXECUTED, Cause.PROTOCOL)

    def _reply(self, call: ClientCall, record: r.Reply) -> None:
        if call.inbound is not None:
            self._wrong_answer(call)
        elif len(record.body) > self._limits.max_message_size:
            text = too_large("the answer", len(record.body), self._limits.max_message_size, "this client")
            self._fail(call, Status(Code.RESOURCE_EXHAUSTED, text, cause=Cause.TOO_LARGE))
        elif self._forget(call):
            self._events.append(Answered(call, record.body))

    def _wrong_answer(self, call: ClientCall) -> None:
        text = f"`{call.spec.method}` was answered as another kind of method: the schemas of both sides differ"
        # For the server the call is over: there is nothing to cancel.
        self._fail(call, Status(Code.UNKNOWN, text, outcome=Outcome.MAYBE_EXECUTED, cause=Cause.PROTOCOL))

    def _items(self, call: ClientCall, record: r.Items) -> None:
        size = len(record.body)
        if call.inbound is None or size == 0:
            return
        limit = self._limits.max_message_size
        if not call.inbound.receive(size):
            text = "the server has sent items without credit"
            self._end(call, Code.RESOURCE_EXHAUSTED, text, Outcome.MAYBE_EXECUTED, Cause.PROTOCOL)
        elif size > limit + self._limits.stream_window:
            text = too_large("an item", size, limit, "this client")
            self._end(call, Code.RESOURCE_EXHAUSTED, text, Outcome.MAYBE_EXECUTED, Cause.TOO_LARGE)
        else:
            self._events.append(ItemsArrived(call, record.body))

    def _metadata(self, call: ClientCall, record: r.ResponseMetadata) -> None:
        entries = record.metadata
        if entries is not None:
            call.metadata.update(entries)
            size = r.metadata_size(call.metadata)
            if len(call.metadata) <= r.MAX_METADATA_ENTRIES and size <= r.MAX_METADATA_BYTES:
                self._events.append(MetadataArrived(call, entries))
                return
        text = "the server has sent more metadata than a call may have"
        self._end(call, Code.RESOURCE_EXHAUSTED, text, Outcome.MAYBE_EXECUTED, Cause.PROTOCOL)

    def _pong(self, record: r.Pong) -> None:
        is_other_life = self._liveness.answered(record.id, record.life)
        call = self._calls.get(record.id)
        if call is not None and call.spec.kind is Kind.ONE_WAY and self._forget(call):
            self._events.append(Answered(call, None))
        if is_other_life:
            for id in [*self._calls, *self._liveness.open_pings()]:
                self._outbox.push(write.plain(r.QUERY, id))


def _left(deadline: float | None, now: float) -> int | None:
    """Returns the microseconds left until a deadline."""
    return None if deadline is None else r.microseconds(deadline - now)
