"""All clients of a server.

The order of calls: `receive` for each message that has come, what handlers say at any time, then `poll_event` until
there is none, and `poll_message` until there is none.
"""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence

from ..codec.writer import Body
from ..due import Due
from ..identity import Identity
from ..status import Cause, Code, Outcome, Status
from ..wire import read, write
from ..wire import records as r
from ..wire.outbox import Frame
from .admission import Admission, overloaded
from .config import ServerLimits, max_received
from .failure import Declared, record_of, too_large
from .flow import cost, pack
from .links import Link
from .lookout import Lookout, Silence
from .peer import (
    Ended,
    Event,
    ItemsArrived,
    ItemsComplete,
    Method,
    Peer,
    Peers,
    RoomMade,
    ServerCall,
    Started,
    Turned,
)
from .turns import Turns

MAX_ROUTE_BYTES = 2_048
MAX_ITEMS_WAITING = 1 << 20
"""Bytes that wait for one client, up to which items of streams are added."""
_MOST_GIVEN_UP = 1_000
"""Clients that are given up at a time, of one connection or of all: others are not to wait for it."""
_RELIEF = 0.005
"""Seconds in which those who have too much waiting may still read it."""
_LAST_WORD = 1_024
"""Bytes that may stay unread for a client without calls, such as why it was given up."""
_GOODBYE = 1.0
_NO_BODY = Body(b"", [], [])
_OF_SERVERS = (r.Reply, r.Error, r.GoingAway, r.ResponseMetadata)
"""What only a server may say."""


class ServerSession:
    """The calls of all clients, and what is said about them."""

    def __init__(self, limits: ServerLimits, methods: Mapping[str, Method]) -> None:
        self._limits = limits
        self._methods = methods
        self._peers = Peers(limits)
        self._events: deque[Event] = deque()
        self._deadlines: Due[ServerCall] = Due(lambda call: call.is_over)
        self._life = random.SystemRandom().getrandbits(32)
        self._admission = Admission(limits, methods, self._peers)
        self._turns = Turns(limits)
        self._lookout = Lookout(limits.peer_timeout)
        self._grace_ends: float | None = None
        self._goodbye_ends: float | None = None
        self.dropped: Counter[str] = Counter()
        """What was dropped, by reason."""
        self.calls_started = 0
        """Number of calls that were begun."""
        self.lost_clients = 0
        """Number of clients that were given up with calls in flight."""

    @property
    def clients(self) -> int:
        """Number of clients that are known."""
        return len(self._peers)

    @property
    def calls_in_flight(self) -> int:
        """Number of calls in flight."""
        return self._peers.calls

    def set_roles(self, roles_of: Callable[[str], Sequence[str] | None], *, bars_others: bool = False) -> None:
        """Sets what knows the roles of clients by their public keys, and whether calls of all others are refused."""
        self._admission.roles_of = roles_of
        self._admission.bars_others = bars_others

    def known_keys(self) -> set[str]:
        """Returns the public keys of the clients that are known."""
        return {peer.key for peer in self._peers.all() if peer.key is not None and not peer.is_router}

    def revoke(self, lost: Mapping[str, bool]) -> list[tuple[str, Link]]:
        """Ends the calls of clients that are not let in any more, or not as they were: whether they still are, by keys.

        Returns the connections of those that are not.
        """
        peers = [it for it in self._peers.all() if it.key in lost and not it.is_router]
        one_way: dict[int, list[ServerCall]] = {}
        for call in self._peers.one_way_calls:
            one_way.setdefault(id(call.peer), []).append(call)
        links: list[tuple[str, Link]] = []
        for peer in peers:
            code, text = Code.UNAUTHENTICATED, "the client is not let in any more"
            if peer.key is None or lost[peer.key]:
                code = Code.UNAVAILABLE
                text = "the client has lost a role, or has another name: its calls end, and may be made again"
            else:
                peer.outbox.push(write.plain(r.GOING_AWAY, 0))
                links.append((peer.key, peer.link))
            for call in [*peer.calls.values(), *one_way.get(id(peer), ())]:
                self._end(call, code, text, Cause.FORBIDDEN)
            self._peers.account(peer)
        return links

    def joined(self, id: bytes, key: str | None, identity: Identity | None, now: float) -> None:
        """Tells that a router calls from now on, over a connection that has this id instead of the socket's.

        It is who the server says, by `identity`. With the server's clients it has nothing to do.
        """
        self._peers.join((id,), now, key, identity)

    def left(self, id: bytes, now: float) -> None:
        """Tells that the connection with an id is lost."""
        for peer in [it for it in self._peers.all() if it.route[0] == id]:
            self.gone(peer, now)

    def take_tokens(self) -> None:
        """Leaves it to what runs calls to look at those that bring a token."""
        self._admission.takes_tokens = True

    def count_dropped(self) -> None:
        """Counts a one-way call that its client may not make."""
        self.dropped["refused call"] += 1

    # ---- what the transport says

    def receive(self, frames: Sequence[memoryview], now: float, key: str | None = None) -> Link | None:
        """Handles a message of a client, and returns by which connection it has come, if that is known.

        `key` is the public key that the client has proved to have.
        """
        message = read.read_message(frames, min_route=1, max_size=max_received(self._limits.max_message_size))
        route = tuple(message.route)
        if sum(map(len, route)) + 4 * len(route) > MAX_ROUTE_BYTES:
            self.dropped["route"] += 1
            return None
        peer = self._peers.of(route, now, key)
        if peer.key != key:
            # Another client has the route now: it must not go on with the calls of the one before.
            self.gone(peer, now)
            peer = self._peers.of(route, now, key)
        peer.heard(now)
        unknown_kinds = 0
        for record in message.records:
            if isinstance(record, r.UnknownKind):
                unknown_kinds += 1
                if unknown_kinds > 64 and record.id not in peer.calls:
                    self.dropped["unknown kind"] += 1
                    continue
            self._record(peer, record, now)
        if message.error is not None:
            error = message.error
            self.dropped["bad batch"] += 1
            outcome = Outcome.MAYBE_EXECUTED
            self._say(peer, Status(error.code, error.message, outcome=outcome, cause=error.cause), 0)
        self._peers.account(peer)
        return peer.link

    def gone(self, peer: Peer, now: float) -> None:
        """Tells that a client can't be reached any more: its calls are cancelled."""
        self.lost_clients += bool(peer.calls)
        for call in list(peer.calls.values()):
            self._forget(call)
            self._events.append(Ended(call, "the client is gone"))
        peer.outbox.clear()
        self._peers.remove(peer)

    # ---- what handlers say

    def reply(self, call: ServerCall, body: Body) -> None:
        """Ends a call with its answer."""
        limit = self._limits.max_message_size
        if call.is_over:
            return
        if len(body) > limit:
            text = too_large("the answer", len(body), limit, "this server")
            self.fail(call, Status(Code.RESOURCE_EXHAUSTED, text, cause=Cause.TOO_LARGE))
        elif self._peers.waiting >= self._limits.max_waiting and not call.is_one_way:
            text = f"there is no room for the answer: clients have not read {self._peers.waiting} bytes"
            self.fail(call, Status(Code.RESOURCE_EXHAUSTED, text, cause=Cause.OVERLOADED))
        elif self._forget(call) and not call.is_one_way:
            call.peer.outbox.push(write.with_body(r.REPLY, call.id, body), body.attachments)
            self._peers.account(call.peer)

    def fail(self, call: ServerCall, failure: Status | Declared) -> None:
        """Ends a call with an error."""
        if not self._forget(call) or call.is_one_way:
            return
        if isinstance(failure, Status):
            self._say(call.peer, failure, call.id)
        else:
            record = r.Error(call.id, 0, failure.message, int(failure.outcome), failure.body)
            call.peer.outbox.push(write.error(record))
        self._peers.account(call.peer)

    def handler_ended(self, call: ServerCall) -> None:
        """Tells that a handler that was started has ended, whatever has become of its call."""
        self._turns.ended(call)
        self._take_turns()

    def take_turn(self, call: ServerCall) -> None:
        """Tells that it is known who makes a claimed call: now it may run, or wait until fewer do."""
        if call.is_over:
            return
        text = self._turns.refusal(call.peer.route)
        if text is not None:
            self._events.append(Turned(call, overloaded(text)))
        elif self._turns.begin(call):
            self._events.append(Turned(call, None))

    def send_items(self, call: ServerCall, *items: Body) -> None:
        """Adds items to the stream of a call. They are dropped if the call is over."""
        if not call.is_over and call.outbound is not None:
            for item in items:
                call.outbound.push(item)
            self._send_items(call)

    def finish(self, call: ServerCall) -> None:
        """Ends a call with the end of its stream, once its items have left."""
        if not call.is_over and call.outbound is not None:
            call.outbound.is_finished = True
            self._send_items(call)

    def send_metadata(self, call: ServerCall, metadata: r.Metadata) -> None:
        """Sends names and values beside the answer."""
        if not call.is_over and not call.is_one_way:
            call.peer.outbox.push(write.response_metadata(call.id, metadata))
            self._peers.account(call.peer)

    def consumed(self, call: ServerCall, size: int) -> None:
        """Tells that bytes of items were read, for which the client gets credit."""
        if call.is_over or call.inbound is None or call.inbound_is_complete:
            return
        amount = call.inbound.consume(size)
        if amount:
            call.peer.outbox.push(write.credit(call.id, amount))
            self._peers.account(call.peer)

    # ---- what is to be done

    def poll_message(self) -> tuple[Peer, list[Frame]] | None:
        """Returns the next message to send, and to whom. One of `sent`, `blocked` and `gone` must follow."""
        return self._peers.next_message()

    def sent(self, peer: Peer, now: float) -> None:
        """Takes the message that `poll_message` has returned."""
        peer.outbox.pop()
        peer.link.blocked_since = None
        self._peers.account(peer)
        if peer.stalled and peer.outbox.size < MAX_ITEMS_WAITING // 2:
            stalled, peer.stalled = peer.stalled, {}
            for call in stalled.values():
                if not call.is_over:
                    self._send_items(call)

    def blocked(self, peer: Peer, now: float) -> None:
        """Tells that the connection of a client has no room for a message. It is tried again later."""
        self._peers.links.block(peer.link, now)

    def poll_event(self) -> Event | None:
        """Returns the next event."""
        return self._events.popleft() if self._events else None

    def next_timeout(self, now: float) -> float | None:
        """Returns when `handle_timeout` is to be called."""
        times = [self._deadlines.next(), self._grace_ends, self._peers.links.next_retry()]
        if not self.is_done(now):
            times.append(self._goodbye_ends)
        if self._peers.are_past_bounds:
            times.append(now + _RELIEF)
        if self._peers.with_calls:
            times.append(self._lookout.next)
        return min((time for time in times if time is not None), default=None)

    def handle_timeout(self, now: float) -> None:
        """Ends calls whose deadline has passed, and asks silent clients for a sign of life."""
        while (call := self._deadlines.take(now)) is not None:
            self._end(call, Code.DEADLINE_EXCEEDED, "time is up", Cause.DEADLINE)
        self._look_at_blocked(now)
        self._look_at_silent(now)
        if self._grace_ends is not None and now >= self._grace_ends:
            self._grace_ends = None
            for call in self._all_calls():
                self._end(call, Code.UNAVAILABLE, "the server has stopped", Cause.GOING_AWAY)

    # ---- the way out

    def drain(self, now: float) -> None:
        """Takes no new calls, and tells all clients so."""
        if self._admission.is_going_away:
            return
        self._admission.is_going_away = True
        self._grace_ends = now + self._limits.grace
        for peer in self._peers.all():
            peer.outbox.push(write.plain(r.GOING_AWAY, 0))
            self._peers.account(peer)

    def is_idle(self) -> bool:
        """Reports whether no call is left."""
        return not self._peers.with_calls and not self._peers.one_way_calls

    def say_goodbye(self, now: float) -> None:
        """Asks all clients whether they have read what they were sent."""
        self._goodbye_ends = now + _GOODBYE
        for peer in self._peers.all():
            self._ping(peer, now)
            self._peers.account(peer)

    def is_done(self, now: float) -> bool:
        """Reports whether the socket may be closed."""
        if self._goodbye_ends is None:
            return False
        return now >= self._goodbye_ends or not any(peer.pings for peer in self._peers.all())

    # ---- inside

    def _record(self, peer: Peer, record: r.Record, now: float) -> None:
        if isinstance(record, r.Call):
            self._call(peer, record, now)
        elif isinstance(record, r.Ping):
            peer.outbox.push(write.pong(record.id, self._life))
        elif isinstance(record, r.Pong):
            peer.pings = max(peer.pings - 1, 0)
        elif isinstance(record, r.Query):
            if record.id and record.id not in peer.calls:
                text = "the server does not have this call: it was started anew"
                self._refuse(peer, record.id, Code.UNAVAILABLE, text, Cause.SERVER_RESTARTED)
        elif isinstance(record, r.UnknownKind):
            call = peer.calls.get(record.id)
            if call is not None:
                self._forget(call)
                self._events.append(Ended(call, "its client has broken the protocol"))
            text = f"a record of the unknown kind {record.kind}"
            self._refuse(peer, record.id, Code.UNIMPLEMENTED, text, Cause.PROTOCOL)
        elif isinstance(record, _OF_SERVERS):
            self.dropped["record of a server"] += 1
        else:
            call = peer.calls.get(record.id)
            if call is not None:
                self._of_call(call, record)

    def _refuse(self, peer: Peer, id: int, code: Code, text: str, cause: Cause) -> None:
        self._say(peer, Status(code, text, outcome=Outcome.MAYBE_EXECUTED, cause=cause), id)

    def _call(self, peer: Peer, record: r.Call, now: float) -> None:
        refusal = self._admission.refusal(peer, record) or self._no_turn(peer, record)
        if refusal is not None:
            self.dropped["refused call"] += 1
            if not record.one_way:
                id = 0 if refusal.outcome is Outcome.MAYBE_EXECUTED else record.id
                self._say(peer, refusal, id)
            return
        method = self._methods[record.method or ""]
        deadline = r.deadline_after(None if record.timeout is None else record.timeout / 1e6, now)
        call = ServerCall(peer, record, method, deadline, self._limits.stream_window, now)
        self.calls_started += 1
        if deadline is not None:
            self._deadlines.add(deadline, call)
        self._peers.add_call(call)
        self._lookout.call_came(now)
        if call.inbound is not None:
            amount = call.inbound.open()
            if amount:
                peer.outbox.push(write.credit(call.id, amount))
        call.is_claimed = self._is_claimed(record)
        if method.is_own or call.is_claimed or self._turns.begin(call):
            self._events.append(Started(call))

    def _is_claimed(self, record: r.Call) -> bool:
        """Reports whether a call is to find out first who makes it: for that, it takes the place of no other."""
        is_bounded = self._limits.max_running is not None and not self._methods[record.method or ""].is_own
        return is_bounded and self._admission.has_token(record)

    def _no_turn(self, peer: Peer, record: r.Call) -> Status | None:
        """Returns why a call of a client can neither run nor wait."""
        if self._methods[record.method or ""].is_own or self._is_claimed(record):
            return None
        text = self._turns.refusal(peer.route)
        return None if text is None else overloaded(text)

    def _tell(self, call: ServerCall, event: Event) -> None:
        """Tells what has come for a call, once it runs."""
        if call.is_waiting:
            call.held.append(event)
        else:
            self._events.append(event)

    def _take_turns(self) -> None:
        """Begins calls that have waited, as far as fewer run now."""
        while (call := self._turns.next()) is not None:
            held, call.held = call.held, []
            self._events.append(Turned(call, None) if call.is_claimed else Started(call))
            self._events.extend(held)

    def _of_call(self, call: ServerCall, record: r.Record) -> None:
        if isinstance(record, r.Items):
            self._items(call, record)
        elif isinstance(record, r.End):
            if call.inbound is not None and not call.inbound_is_complete:
                call.inbound_is_complete = True
                self._tell(call, ItemsComplete(call))
        elif isinstance(record, r.Credit):
            if call.outbound is not None:
                call.outbound.grant(record.amount)
                self._send_items(call)
        elif isinstance(record, r.Cancel) and self._forget(call):
            self._events.append(Ended(call, "the client has cancelled the call"))

    def _items(self, call: ServerCall, record: r.Items) -> None:
        size = len(record.body)
        if call.inbound is None or call.inbound_is_complete or size == 0:
            return
        limit = self._limits.max_message_size
        if not call.inbound.receive(size):
            self._end(call, Code.RESOURCE_EXHAUSTED, "items without credit", Cause.PROTOCOL)
        elif size > limit + call.inbound.window:
            self._end(call, Code.RESOURCE_EXHAUSTED, too_large("an item", size, limit, "this server"), Cause.TOO_LARGE)
        else:
            self._tell(call, ItemsArrived(call, record.body))

    def _send_items(self, call: ServerCall) -> None:
        """Moves items of a call into its client's outbox, as far as there is credit and room."""
        outbound, outbox = call.outbound, call.peer.outbox
        assert outbound is not None
        items: list[Body] = []
        size = waiting = outbox.size
        while size < MAX_ITEMS_WAITING and (item := outbound.take()) is not None:
            items.append(item)
            size += len(item)
        for body in pack(items):
            outbox.push(write.with_body(r.ITEMS, call.id, body), body.attachments)
        if items:
            self._events.append(RoomMade(call, cost(items)))
        # What was just added had no chance to leave yet.
        if waiting > 2 * self._limits.max_waiting_per_peer:
            text = "the client does not read the stream that it has granted credit for"
            self._end(call, Code.RESOURCE_EXHAUSTED, text, Cause.CLIENT_LOST)
        elif size >= MAX_ITEMS_WAITING:
            call.peer.stalled[call.id] = call
        if outbound.is_complete and self._forget(call):
            outbox.push(write.plain(r.END, call.id))
        self._peers.account(call.peer)

    def _say(self, peer: Peer, status: Status, id: int) -> None:
        peer.outbox.push(write.error(record_of(id, status)))

    def _end(self, call: ServerCall, code: Code, text: str, cause: Cause) -> None:
        """Ends a call whose handler may have begun, and the handler."""
        # No handler has seen a call that waits for its turn.
        outcome = Outcome.NOT_SENT if call.is_waiting else Outcome.MAYBE_EXECUTED
        if self._forget(call):
            self._events.append(Ended(call, text))
            if not call.is_one_way:
                self._say(call.peer, Status(code, text, outcome=outcome, cause=cause), call.id)
                self._peers.account(call.peer)

    def _forget(self, call: ServerCall) -> bool:
        if call.is_over:
            return False
        call.is_over = True
        self._turns.left(call)
        call.held.clear()
        # What runs handlers may be busy, and hear of the call and of its end much later.
        call.body, call.metadata = _NO_BODY, {}
        if call.outbound is not None:
            call.outbound.clear()
        self._peers.remove_call(call)
        return True

    def _all_calls(self) -> list[ServerCall]:
        calls = [call for peer in self._peers.with_calls.values() for call in peer.calls.values()]
        return calls + list(self._peers.one_way_calls)

    def _ping(self, peer: Peer, now: float) -> None:
        peer.pings += 1
        peer.asked_at = now
        peer.outbox.push(write.plain(r.PING, 0))

    def _look_at_blocked(self, now: float) -> None:
        """Tries connections without room again, and gives up clients of those that had none for too long."""
        for link in self._peers.links.retry(now):
            if link.blocked_since is None or now - link.blocked_since < self._limits.peer_timeout:
                continue
            for peer in link.some(_MOST_GIVEN_UP):
                if peer.calls or peer.outbox.size > _LAST_WORD:
                    self._shed(peer, "the client has not read what it was sent for too long")
        for peer in self._peers.past_bounds(_MOST_GIVEN_UP):
            self._shed(peer, "the client does not read what it is sent")

    def _look_at_silent(self, now: float) -> None:
        for peer, silence in self._lookout.look(self._peers.with_calls.values(), now):
            if silence is Silence.ASK:
                self._ping(peer, now)
                self._peers.account(peer)
            else:
                self._shed(peer, "the client has given no sign of life for too long", ends_calls=True)

    def _shed(self, peer: Peer, text: str, *, ends_calls: bool = False) -> None:
        """Ends the calls of a client. One that does not read loses what was kept, and is told once it reads again."""
        self.lost_clients += bool(peer.calls)
        for call in list(peer.calls.values()):
            self._forget(call)
            self._events.append(Ended(call, text))
            if ends_calls:
                self._refuse(peer, call.id, Code.UNAVAILABLE, text, Cause.CLIENT_LOST)
        if not ends_calls:
            peer.outbox.clear()
            self._refuse(peer, 0, Code.UNAVAILABLE, text, Cause.CLIENT_LOST)
        self._peers.account(peer)
