"""Random values of random types: what is written is read as the same, and every program writes it in the same bytes."""

from __future__ import annotations

from typing import Any

from generated.hall import v1 as hall
from generated.market import v1 as market
from generated.probe import v1 as probe
from generated.shapes import v1 as shapes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import forms, of

from zsvc.codec.body import decode, encode
from zsvc.codec.form import Form
from zsvc.codec.reader import DecodeError
from zsvc.codec.writer import Body

MAX = 1 << 24
quick = settings(
    max_examples=200, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
generated = [
    shapes._form_Shape,
    market._form_Trade,
    market._form_Order,
    probe._form_Chest,
    hall._form_Room,
    hall._form_Door,
]
pairs = (forms | st.sampled_from(generated)).flatmap(lambda form: st.tuples(st.just(form), of(form)))


def written(form: Form, value: Any) -> bytes:
    return encode(form, value).joined()


@quick
@given(pairs)
def test_what_is_written_is_read_as_the_same(pair: tuple[Form, Any]) -> None:
    form, value = pair
    body = encode(form, value)
    found = decode(form, body, max_body=MAX)
    assert found == value
    assert written(form, found) == body.joined(), "the same value has the same bytes"
    assert decode(form, Body(body.joined(), [], []), max_body=MAX) == value, "attached or not"


@quick
@given(pairs, st.data())
def test_damaged_bytes_are_read_or_refused(pair: tuple[Form, Any], data: st.DataObject) -> None:
    form, value = pair
    damaged = bytearray(written(form, value))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at] = data.draw(st.integers(0, 255))
    try:
        found = decode(form, Body(bytes(damaged), [], []), max_body=MAX, bounds=True)
    except DecodeError:
        return
    # What is taken is a value of the type: it can be written, and is read as what was taken.
    again = written(form, found)
    assert written(form, decode(form, Body(again, [], []), max_body=MAX)) == again
