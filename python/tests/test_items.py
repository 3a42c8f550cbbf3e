"""Items of streams: how they are read, with attachments and without, and how far ahead of who reads them."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from zsvc import generated as z
from zsvc.codec.body import encode
from zsvc.codec.items import ItemBuffer
from zsvc.codec.reader import DecodeError
from zsvc.codec.writer import Body


def test_items_are_read_one_by_one() -> None:
    data = b"".join(encode(z.STRING, text).data for text in ("a", "bc", ""))
    found = [("a", 2), ("bc", 3), ("", 1)]
    assert read_items(z.STRING, Body(data, [], [])) == (found, None)
    for end, text in [
        (b"\xc0", "expected `string`, found nil"),
        (b"\xa5abc", "end in the middle"),
        (b"\xc1", "expected"),
    ]:
        items, error = read_items(z.STRING, Body(data + end, [], []), Body(data, [], []))
        assert items == found
        assert text in str(error)
    items, error = read_items(z.STRING, Body(data + encode(z.STRING, "x" * 200).data, [], []))
    assert (items, error is not None and error.too_large) == (found, True)


def read_items(form: Any, *bodies: Body, max_body: int = 100) -> tuple[list[tuple[Any, int]], DecodeError | None]:
    buffer: ItemBuffer[Any] = ItemBuffer(form, max_body)
    for body in bodies:
        buffer.add(body)
    items: list[tuple[Any, int]] = []
    try:
        while buffer:
            items.append(buffer.take())
    except DecodeError as error:
        return items, error
    return items, None


def test_few_items_are_decoded_ahead_of_who_reads() -> None:
    buffer: ItemBuffer[Any] = ItemBuffer(z.BYTES, 100)
    buffer.add(Body(10_000 * b"\xc4\x00", [], []))
    buffer.take()
    assert len(buffer._ready) < 32
    left = 0
    while buffer:
        buffer.take()
        left += 1
    assert left == 9_999


@given(st.lists(st.binary(max_size=9), min_size=1, max_size=4), st.data())
def test_items_may_be_attached_anywhere(values: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(encode(z.BYTES, value).joined() for value in values)
    body, at = Body(b"", [], []), 0
    for cut in sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6))):
        if data.draw(st.booleans()):
            body.attachments.append(memoryview(whole[at:cut]))
            body.places.append(len(body.data))
        else:
            body.data += whole[at:cut]
        at = cut
    body.data += whole[at:]
    expected = [(value, len(value) + 2) for value in values]
    assert read_items(z.BYTES, body, body) == (2 * expected, None)
