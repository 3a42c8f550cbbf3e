"""What a publisher keeps, who gets an event, and what waits for a slow subscriber: without sockets."""

import gc
import itertools
import tracemalloc
from typing import Any

import pytest
from generated.exchange import v1 as exchange
from hypothesis import given
from hypothesis import strategies as st

from zsvc.codec.body import decode_with
from zsvc.codec.reader import DecodeError
from zsvc.codec.writer import Body
from zsvc.events.event_type import EVENT, LIVE, MISSED, OPENED, Notice, Position, Posted, Slow, find
from zsvc.events.topic import NOT_YET, Limits, Mailbox, Queue, Topic
from zsvc.events.wanted import MAX_KEY_BYTES, FilterForm, Wanted

PRICE, FILL, HALT = find(exchange.Price), find(exchange.Fill), find(exchange.Halt)
ROOM = Limits(1 << 20, 1000, 1 << 20, 1000, 1 << 20)
ANY = Wanted.of(PRICE.name, PRICE.keys)


def price(symbol: str, cents: int = 0) -> Posted:
    return PRICE.post(exchange.Price(symbol=symbol, cents=cents))


def only(*symbols: str) -> Wanted:
    return Wanted.of(PRICE.name, PRICE.keys, [(1, list(symbols))])


def topic(posts: str, limits: Limits = ROOM, event: Any = PRICE) -> Topic:
    made = Topic(event, limits)
    for symbol in posts:
        made.post(price(symbol))
    return made


def shown(notice: Notice) -> str:
    if notice.kind == EVENT:
        return str(notice.value.sequence)
    if notice.kind == MISSED:
        return "?" if notice.value is None else f"-{notice.value}"
    return {OPENED: "open", LIVE: f"live{notice.value}"}[notice.kind]


def taken(mailbox: Mailbox) -> str:
    return " ".join(shown(notice) for notice in iter(mailbox.take, None) if notice is not NOT_YET)


def joined(made: Topic, wanted: Wanted = ANY, since: int | None = None) -> str:
    position = None if since is None else Position(made._epoch, since)
    return taken(made.join(wanted, position, None)).removeprefix("open ")


def test_the_last_of_each_key_come_first_to_those_who_join_late() -> None:
    assert joined(topic("")) == "live0"
    assert joined(topic("abac")) == "2 3 4 live4"
    assert joined(topic("abac"), only("a", "c")) == "3 4 live4"
    made = topic("ab")
    mailbox = made.join(only("b"), None, None)
    made.post(price("a"))
    made.post(price("b"))
    assert taken(mailbox) == "open live2 4", "what was kept when it joined, and is not any more, it holds no longer"
    made.leave(mailbox)
    made.post(price("b"))
    assert (taken(mailbox), made.subscribers, made._by_key) == ("", 0, {})


def test_a_subscriber_goes_on_where_it_was() -> None:
    made = topic("abac")
    assert [joined(made, since=since) for since in (1, 3, 4)] == ["2 3 4 live4", "4 live4", "live4"]
    assert joined(made, since=5) == "? 2 3 4 live4", "what was not given yet is of another life"
    position = Position(made._epoch ^ 1, 1)
    assert taken(made.join(ANY, position, None)) == "open ? 2 3 4 live4"


def test_what_is_gone_is_counted() -> None:
    few = Limits(1 << 20, 1000, 1 << 20, 2, 1 << 20)
    made = topic("abaaaaa", few)
    assert joined(made, since=1) == "2 -3 6 7 live7", "one of the four older ones is kept"
    assert joined(made, since=2) == "-3 6 7 live7"
    assert joined(made, only("a"), since=2) == "? 6 7 live7"
    assert joined(topic("abab", Limits(1 << 20, 0, 0, 0, 0)), since=1) == "-3 live4"
    none = Limits(1 << 20, 1000, 1 << 20, 0, 0)
    for asked in (only("b"), only("a", "b"), only(*map(str, range(70)), "b")):
        assert joined(topic("abba", none), asked, since=1).startswith("? 3 "), "the second has gone before the first"
    made = topic("ab")
    made.kept.forget(price("a").key)
    assert joined(made) == "2 live2"
    made._recent._max_events = 0
    made._recent._shrink()
    assert joined(made, since=0) == "-1 2 live2"


def test_events_for_some_alone_are_known_to_be_missing_and_never_kept() -> None:
    made = topic("a")
    chosen, other = made.join(ANY, None, "chosen"), made.join(ANY, None, "other")
    audience, newest = made.audience(price("a"))
    late = made.join(ANY, None, None)
    made.post_to(price("a"), {it.number for it in audience if it.user == "chosen"}, newest)
    assert (taken(chosen), taken(other), taken(late)) == ("open 1 live1 2", "open 1 live1", "open 1 live1 ?")
    assert joined(made) == "1 live2"
    assert joined(made, since=1) == "? live2"


def test_kept_events_have_bounds() -> None:
    size = price("a").size
    made = topic("abcab", Limits(1 << 20, 2, 1 << 20, 0, 0))
    assert joined(made) == "4 5 live5"
    made = topic("abcab", Limits(1 << 20, 1000, size, 0, 0))
    assert (joined(made), made.kept._bytes, len(made.kept._keys)) == ("5 live5", size, 1)
    made = topic("ab", Limits(1 << 20, 1000, size - 1, 0, 0))
    assert (joined(made), made.kept._bytes, len(made.kept._keys)) == ("live2", 0, 0)


def pushed(slow: Slow, room: int, keys: str) -> tuple[list[int | None], str]:
    queue = Queue(slow, room * price("a").size)
    came = []
    for number, key in enumerate(keys, 1):
        posted = price(key)
        posted.sequence = number
        came.append(queue.push(posted))
    return came, " ".join(shown(notice) for notice in iter(queue.pop, None))


def test_past_the_bound_of_a_queue_the_schema_says_what_happens() -> None:
    assert pushed(Slow.DROP_OLDEST, 3, "abcde") == ([0, 0, 0, 1, 1], "-2 3 4 5")
    assert pushed(Slow.CONFLATE, 3, "abaab") == ([0, 0, 0, 0, 0], "4 5")
    assert pushed(Slow.CONFLATE, 3, "abaabcd")[1] == "-1 5 6 7"
    assert pushed(Slow.DISCONNECT, 2, "abc")[0] == [0, 0, None]
    for slow in Slow:
        assert pushed(slow, 0, "a")[1] == "1", "one alone may be larger"


def test_a_subscriber_that_is_not_kept_up_with_holds_nothing() -> None:
    size = price("a").size
    made = Topic(HALT, Limits(2 * size, 0, 0, 0, 0))
    made._event = FILL  # the one with `@slow(disconnect)`
    mailbox = made.join(Wanted([]), None, None)
    overs: list[bool] = []
    mailbox.on_over = lambda: overs.append(True)
    for _ in range(5):
        came = made.post(HALT.post(exchange.Halt(reason="x" * size)))
        for wake in came.wakes:
            wake()
    assert (mailbox.is_over, overs, mailbox.take()) == (True, [True], None)


def read_filter(data: bytes, event: Any = PRICE) -> Wanted:
    form = FilterForm(event.name, event.keys)
    return decode_with(form.read, Body(data, [], []), max_body=1 << 20)


def test_filters() -> None:
    for data, passes in [
        (b"\x80", "abc"),
        (b"\x81\x01\xa1a", "a"),
        (b"\x81\xa6symbol\x92\xa1a\xa1b", "ab"),
        (b"\x81\x01\x90", ""),
    ]:
        wanted = read_filter(data)
        assert "".join(it for it in "abc" if wanted.passes(price(it).key)) == passes, data
    assert read_filter(b"\x80").is_everything
    numbers = read_filter(b"\x81\x02\x93\x01\xd0\x05\x19", FILL)
    assert numbers.fields[0] == frozenset({b"\x01", b"\x05", b"\x19"}), "in the shortest form"
    wrong = [
        (b"\x81\x02\xa1a", "no key field 2; its key fields: `symbol` (1)"),
        (b"\x81\xa5cents\x01", "no key field cents"),
        (b"\x82\x01\xa1a\xa6symbol\xa1b", "names `symbol` twice"),
        (b"\x82\x01\xa1a\x01\xa1a", "names `symbol` twice"),
        (b"\x81\x01\x91\x05", "values of `symbol`: each is a string"),
        (b"\x81\x01\xc4\x01a", "values of `symbol`: each is a string"),
        (b"\x81\x01\xdc\x04\x01" + b"\xa1a" * 1025, "more than 1024 values"),
        (b"\x81\x01\x92" + 2 * (b"\xda\x9c\x40" + b"x" * 40_000), "more than 65536 bytes"),
        (b"\x81\x90\x01", "no key field"),
        (b"\x92\x01\x02", "expected a map"),
    ]
    for data, text in wrong:
        with pytest.raises(DecodeError) as caught:
            read_filter(data)
        assert text in str(caught.value), data
    with pytest.raises(DecodeError, match="each is a bool"):
        read_filter(b"\x81\x03\x01", FILL)
    with pytest.raises(DecodeError, match="each is a uuid"):
        read_filter(b"\x81\x07\xc4\x01\x01", FILL)


def test_few_short_keys_are_indexed_and_others_looked_at() -> None:
    assert only("a", "b").full_keys() is not None
    assert only(*map(str, range(65))).full_keys() is None
    assert only(*["x" * 1000 + str(it) for it in range(9)]).full_keys() is None
    assert ANY.full_keys() is None
    assert only("x" * (MAX_KEY_BYTES + 5)).fields == (frozenset(),), "no event has such a value"


@given(
    st.text("abc", max_size=30),
    st.integers(0, 30),
    st.sets(st.sampled_from("abc")),
    st.integers(0, 5),
    st.integers(0, 4),
)
def test_whatever_was_published_a_resumed_subscriber_lacks_nothing_untold(
    posts: str, since: int, symbols: set[str], recent: int, keys: int
) -> None:
    lacks_nothing_untold(posts, since, symbols, recent, keys)


@pytest.mark.parametrize("recent", [0, 1, 2])
@pytest.mark.parametrize("keys", [1, 2, 3])
def test_whatever_few_events_were_published_a_resumed_subscriber_lacks_nothing_untold(recent: int, keys: int) -> None:
    for length in range(1, 6):
        for posts in map("".join, itertools.product("abc", repeat=length)):
            for since in range(length):
                for symbols in ({"a"}, {"b"}, {"a", "b"}):
                    lacks_nothing_untold(posts, since, symbols, recent, keys)


def lacks_nothing_untold(posts: str, since: int, symbols: set[str], recent: int, keys: int) -> None:
    limits = Limits(1 << 20, keys, 1 << 20, recent, 1 << 20)
    made = topic(posts, limits)
    since = min(since, len(posts))
    wanted = only(*symbols) if symbols else ANY
    asked = [number for number, it in enumerate(posts, 1) if number > since and (not symbols or it in symbols)]
    told = joined(made, wanted, since).split()
    missed = [it for it in told if it[0] in "-?"]
    found = [int(it) for it in told if it[0] not in "-?l"]
    assert found == sorted(found)
    assert set(found) <= set(asked)
    if not missed:
        assert found == asked
    elif "?" not in missed:
        assert sum(int(it[1:]) for it in missed) == len(asked) - len(found)
    assert "?" not in missed or len(missed) == 1


def test_a_step_looks_at_no_more_than_a_few_events() -> None:
    made = topic("")
    for number in range(900):
        made.post(price(str(number)))
    many = [str(number) for number in range(890, 990)]
    assert only(*many).full_keys() is None
    mailbox = made.join(only(*many), None, None)
    told = [shown(notice) if notice is not NOT_YET else "." for notice in iter(mailbox.take, None)]
    assert told == ["open", ".", ".", ".", *map(str, range(891, 901)), "live900"]


def test_places_are_those_of_events_though_most_have_gone() -> None:
    made = topic("")
    for number in range(2_000):
        made.post(price(str(number % 10)))
        assert len(made.kept._order) <= 84
    for number in range(0, 10, 2):
        made.kept.forget(price(str(number)).key)
    assert joined(made) == "1992 1994 1996 1998 2000 live2000"
    assert joined(made, only("3", "4")) == "1994 live2000"
    made.kept._max_keys = 3
    made.post(price("x"))
    assert joined(made) == "1998 2000 2001 live2001"


def test_late_subscribers_that_do_not_read_hold_none_of_what_is_kept() -> None:
    kept, subscribers, room = 1_000, 100, Limits(16 << 10, 1 << 20, 1 << 30, 0, 0)
    made = Topic(PRICE, room)

    def post_all() -> None:
        for number in range(kept):
            made.post(PRICE.post(exchange.Price(symbol=f"{number:0900}", cents=0)))

    def held() -> int:
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        post_all()
        before = held()
        mailboxes = [made.join(ANY, None, None) for _ in range(subscribers)]
        # One half has read nothing, the other a little.
        for mailbox in mailboxes[::2]:
            mailbox.take()
            mailbox.take()
        assert held() - before < subscribers * 4_000, "a place for each, and what one step finds"
        all_joined = held()
        # All that was kept is replaced: what has gone is held no longer, and what waits is shared by all.
        post_all()
        assert held() - all_joined < 300_000
    finally:
        tracemalloc.stop()
