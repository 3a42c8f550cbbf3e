"""Peers that make up routes, as if from behind a device: they cost no more than their connection does."""

import time
from collections.abc import Iterable, Sequence
from typing import Any

from hostile import Dealer, Serving, batch, packed, slow
from test_server_session import Rig, call

from zsvc import Code, ServerLimits
from zsvc.codec.writer import Body
from zsvc.session import peer as p
from zsvc.session import server as of_server
from zsvc.wire import records as r
from zsvc.wire import write

MANY = 3_000
ATTACKER, OTHER = b"\0\0\0\0\x01", b"\0\0\0\0\x02"


def say(rig: Rig, route: int, *records: bytes) -> None:
    """Says something along a route that is made up."""
    rig.hear_bytes(packed(route), b"\x01" + b"".join(records), route=ATTACKER)


def tried(rig: Rig) -> int:
    """Returns how many messages were to leave. The attacker has room for none of them."""
    tries = 0
    while (message := rig.session.poll_message()) is not None:
        peer, _ = message
        tries += 1
        if peer.route[0] == ATTACKER:
            rig.session.blocked(peer, rig.now)
        else:
            rig.session.sent(peer, rig.now)
    return tries


def test_routes_of_one_connection_are_tried_once_for_all_of_them() -> None:
    rig = Rig(ServerLimits())
    for route in range(MANY):
        say(rig, route, write.plain(r.PING, 5))
    assert tried(rig) == 1
    tries = 0
    for _ in range(2_000):
        rig.wait(0.005)
        tries += tried(rig)
    assert 30 < tries < 100, "more and more rarely, up to four times a second"
    assert rig.session.clients == MANY
    # Once it reads, all is sent.
    rig.wait(0.25)
    assert len(rig.said(ATTACKER)) == MANY


def test_a_connection_that_had_no_room_is_tried_soon_once_it_reads_again() -> None:
    rig = Rig(ServerLimits())
    say(rig, 1, write.plain(r.PING, 5))
    for _ in range(100):
        tried(rig)
        rig.wait(1)
    assert len(rig.said(ATTACKER)) == 1
    say(rig, 1, write.plain(r.PING, 5))
    assert tried(rig) == 1
    rig.wait(0.006)
    assert tried(rig) == 1, "as if it had never been without room"


def test_connections_take_turns_whatever_their_routes() -> None:
    rig = Rig(ServerLimits())
    for route in range(MANY):
        say(rig, route, write.plain(r.PING, 5))
    for id in range(3):
        rig.hear(write.plain(r.PING, id), route=OTHER)
    order: list[bytes] = []
    while (message := rig.session.poll_message()) is not None:
        order.append(message[0].route[0])
        rig.session.sent(message[0], rig.now)
    assert OTHER in order[:2]
    assert len(order) == MANY + 1


def test_those_who_do_not_read_are_given_up_a_few_at_a_time() -> None:
    rig = Rig(ServerLimits())
    for route in range(MANY):
        say(rig, route, call(id=route + 1), write.plain(r.PING, 5))
    started = rig.events()
    tried(rig)
    most = ended = 0
    for _ in range(200):
        rig.wait(0.1)
        tried(rig)
        now = sum(isinstance(event, p.Ended) for event in rig.events())
        most, ended = max(most, now), ended + now
    assert (len(started), ended) == (MANY, MANY)
    assert most <= of_server._MOST_GIVEN_UP, "others do not wait for it"
    rig.wait(0.25)
    told = [record for record in rig.said(ATTACKER) if isinstance(record, r.Error)]
    assert [(error.id, error.code) for error in told] == [(0, Code.UNAVAILABLE)] * MANY


def test_past_all_that_may_wait_those_with_the_most_go_until_a_quarter_is_free() -> None:
    rig = Rig(ServerLimits(max_waiting=1_000_000))
    sizes = [40_000] * 20 + [1_000] * 100 + [90_000, 80_000]
    made = []
    for number, size in enumerate(sizes):
        made.append(rig.call("S/unary", 1, packed(number)))
        rig.session.reply(made[-1], Body(bytes(size), [], []))
    tried_again = rig.session._peers
    assert tried_again.waiting > 1_000_000
    rig.wait(0.001)
    assert 600_000 < tried_again.waiting <= 750_000
    assert all(it.peer.outbox.size > 900 for it in made[20:120]), "those with little keep it"


def test_a_client_for_which_nothing_waits_is_given_up_though_its_connection_has_no_room() -> None:
    rig = Rig(ServerLimits(peer_timeout=15))
    say(rig, 1, write.plain(r.PING, 5))
    say(rig, 2, call())
    (started,) = rig.events()
    assert isinstance(started, p.Started)
    for _ in range(120):
        tried(rig)
        rig.wait(5)
    assert rig.session.is_idle()
    assert [type(event) for event in rig.events()] == [p.Ended]


def test_a_question_that_could_not_leave_has_its_time_once_it_has() -> None:
    rig = Rig(ServerLimits(peer_timeout=15))
    say(rig, 1, write.plain(r.PING, 5))
    say(rig, 2, call())
    rig.events()
    for _ in range(14):
        tried(rig)
        rig.wait(1)
    assert any(isinstance(record, r.Ping) for record in rig.said(ATTACKER))
    rig.wait(5)
    assert rig.events() == [], "it was asked just now"
    rig.wait(8)
    rig.wait(8)
    assert [type(event) for event in rig.events()] == [p.Ended]


def test_past_all_that_may_wait_a_few_are_given_up_at_a_time_and_none_that_frees_nothing() -> None:
    rig = Rig(ServerLimits(max_waiting=100_000))
    peers = rig.session._peers
    for route in range(MANY):
        say(rig, route, *[write.plain(r.PING, 5)] * 60)
    sizes = {peer: peer.outbox.size for peer in peers.all()}
    assert peers.waiting > 1_000_000
    times = 0
    while (when := rig.session.next_timeout(rig.now)) is not None:
        rig.wait(when - rig.now)
        changed = [peer for peer, size in sizes.items() if peer.outbox.size != size]
        assert len(changed) <= of_server._MOST_GIVEN_UP
        sizes.update({peer: peer.outbox.size for peer in changed})
        times += 1
        assert times < 10, "what is left is not looked through again and again"
    assert max(sizes.values()) < 100, "each has been told why"
    assert peers.waiting > 100_000, "all that is left are these words"
    # It is looked through again once there is more to free.
    before = peers.waiting
    made = rig.call(route=OTHER)
    rig.session.reply(made, Body(b"", [], []))
    say(rig, 1, *[write.plain(r.PING, 5)] * 10_000)
    rig.wait((rig.session.next_timeout(rig.now) or rig.now) - rig.now)
    assert peers.waiting < before + 1_000


def test_a_client_that_cancels_what_waits_from_the_end_costs_no_more() -> None:
    count = 30_000
    limits = ServerLimits(max_running=1, max_queued=count, max_calls_per_peer=count, max_calls=2 * count)

    def cancelling(ids: Iterable[int]) -> float:
        rig = Rig(limits)
        rig.hear(*(call(id=id) for id in range(1, count)))
        began = time.process_time()
        rig.hear(*(write.plain(r.CANCEL, id) for id in ids))
        assert rig.session.calls_in_flight == 0
        return time.process_time() - began

    assert cancelling(range(count - 1, 0, -1)) < 3 * cancelling(range(1, count))


def test_a_flood_of_made_up_routes_leaves_the_server_its_time() -> None:
    with Serving() as server, Dealer(server.endpoint) as other:
        router = server.server.driver._router
        tried, send = [0], router.send

        def counted(frames: Sequence[Any]) -> Any:
            result = send(frames)
            tried[0] += result == "full"
            return result

        router.send = counted  # type: ignore[method-assign]
        with Dealer(server.endpoint, RCVHWM=1, RCVBUF=4_096) as attacker:
            ping = batch([r.PING, 5], [r.PING, 6], [r.QUERY, 1 << 40], [r.QUERY, 1 << 41])
            for route in range(20_000):
                attacker.send(packed(route), ping)
            while server.server.driver.session.clients < 20_000:
                other.good_call()
            assert server.server.driver.session._peers.waiting > 0, "it does not read"
            time.sleep(0.3)
            before = tried[0]
            time.sleep(1)
            assert tried[0] - before < 50, "nor is it tried in vain again and again"
            attacker.send(b"more", batch(slow(1)))
            other.good_call()
