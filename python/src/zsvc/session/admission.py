"""Which calls a server takes. They are refused in the order that `docs/protocol.md` says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ..status import Cause, Code, Outcome, Status
from ..wire.records import NAME_OF_TOKENS, Call
from .config import Kind, ServerLimits
from .peer import Method, Peer, Peers

_RETRY_AFTER = 0.1


class Admission:
    """Decides about new calls."""

    def __init__(self, limits: ServerLimits, methods: Mapping[str, Method], peers: Peers) -> None:
        self._limits, self._methods, self._peers = limits, methods, peers
        self.is_going_away = False
        self.roles_of: Callable[[str], Sequence[str] | None] = lambda _: None
        """Returns the roles of a client by its public key."""
        self.bars_others = False
        """Whether a client without an entry may call nothing: it was taken out after it had connected."""
        self.takes_tokens = False
        """Whether calls may say who makes them."""

    def refusal(self, peer: Peer, call: Call) -> Status | None:
        """Returns why a call is not taken. One with the id 0 is the only one that is maybe executed."""
        if call.id == 0 and not call.one_way:
            text = "0 is no call's id"
            return Status(Code.INVALID_ARGUMENT, text, outcome=Outcome.MAYBE_EXECUTED, cause=Cause.PROTOCOL)
        return (
            self._of_client(peer, call)
            or self._of_server(peer)
            or self._of_method(peer, call)
            or self._of_time(call)
            or self._of_size(call)
        )

    def _of_client(self, peer: Peer, call: Call) -> Status | None:
        limits = self._limits
        if peer.in_flight >= limits.max_calls_per_peer:
            return overloaded(f"the client has {peer.in_flight} calls in flight, as many as it may")
        if peer.outbox.size >= limits.max_waiting_per_peer:
            return overloaded(f"the client has not read {peer.outbox.size} bytes, as many as may wait")
        if call.id and call.id in peer.calls:
            text = f"a call with the id {call.id} is in flight already"
            return _refused(Code.INVALID_ARGUMENT, text, Cause.PROTOCOL)
        return None

    def _of_server(self, peer: Peer) -> Status | None:
        most, calls = self._limits.max_calls, self._peers.calls
        if calls >= most:
            return overloaded(f"the server has {calls} calls in flight, as many as it may")
        left, own = most - calls, peer.in_flight
        if most >= 4 and own and 4 * left <= most and 4 * own * len(self._peers.with_calls) >= left:
            return overloaded(
                f"the client has {own} calls in flight, which is its share: the server has room for {left}"
            )
        return None

    def _of_method(self, peer: Peer, call: Call) -> Status | None:
        method = self._methods.get(call.method) if call.method is not None else None
        if method is None:
            shown = "a name that is not UTF-8" if call.method is None else f"`{call.method[:200]}`"
            return _refused(Code.UNIMPLEMENTED, f"there is no method {shown}", Cause.NO_SUCH_METHOD)
        if (method.kind is Kind.ONE_WAY) != call.one_way:
            text = f"`{method.name}` is called by the other kind of call record"
            return _refused(Code.INVALID_ARGUMENT, text, Cause.NO_SUCH_METHOD)
        roles = self._roles_of(peer)
        if self.bars_others and peer.key is not None and roles is None and not peer.is_router:
            return _refused(Code.UNAUTHENTICATED, "the client is not let in any more", Cause.FORBIDDEN)
        if method.roles and not self.has_token(call):
            return role_refusal(method, roles)
        return None

    def _roles_of(self, peer: Peer) -> Sequence[str] | None:
        """Returns the roles of a client; `None` for one that is not known."""
        if peer.is_router:
            return None if peer.identity is None else peer.identity.roles
        return None if peer.key is None else self.roles_of(peer.key)

    def has_token(self, call: Call) -> bool:
        """Reports whether a call says who makes it, which is looked at once it runs."""
        return self.takes_tokens and any(name.lower() == NAME_OF_TOKENS for name in call.metadata or ())

    def _of_time(self, call: Call) -> Status | None:
        if self.is_going_away and not call.one_way:
            return _refused(Code.UNAVAILABLE, "the server is going away", Cause.GOING_AWAY)
        if call.timeout == 0:
            return _refused(Code.DEADLINE_EXCEEDED, "time was up when the call came", Cause.DEADLINE)
        return None

    def _of_size(self, call: Call) -> Status | None:
        size, limit = len(call.body), self._limits.max_message_size
        if size > limit:
            text = f"the parameters have {size} bytes, and the limit of this server is {limit}"
            return _refused(Code.RESOURCE_EXHAUSTED, text, Cause.TOO_LARGE)
        if call.metadata is None:
            text = "a call has at most 64 entries of metadata, and 16384 bytes"
            return _refused(Code.RESOURCE_EXHAUSTED, text, Cause.TOO_LARGE)
        return None


def role_refusal(method: Method, roles: Sequence[str] | None) -> Status | None:
    """Returns why a client with these roles may not call a method with roles; it is not known if it has `None`."""
    if roles is None:
        text = f"`{method.name}` is for clients with a role, and this client is not known"
        return _refused(Code.UNAUTHENTICATED, text, Cause.FORBIDDEN)
    if not set(roles) & set(method.roles):
        text = f"`{method.name}` is for clients with one of the roles {', '.join(method.roles)}"
        return _refused(Code.PERMISSION_DENIED, text, Cause.FORBIDDEN)
    return None


def _refused(code: Code, text: str, cause: Cause) -> Status:
    return Status(code, text, outcome=Outcome.NOT_SENT, cause=cause)


def overloaded(text: str) -> Status:
    """Returns the status of a call for which there is no room now."""
    return Status(
        Code.RESOURCE_EXHAUSTED,
        text,
        outcome=Outcome.NOT_SENT,
        cause=Cause.OVERLOADED,
        retry_after=_RETRY_AFTER,
    )
