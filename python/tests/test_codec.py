"""Values beyond the listings: other forms that readers take, what they refuse, and bounds of all kinds."""

import contextlib
import math
import random
import uuid
from typing import Any

import msgspec
import pytest
from generated.market import v1 as market
from generated.money import v1 as money
from generated.money.v1 import Amount
from generated.probe import v1 as probe
from generated.shapes import v1 as shapes

import zsvc
from zsvc import generated as z
from zsvc.codec.body import decode, encode
from zsvc.codec.reader import DecodeError
from zsvc.codec.structs import Fields
from zsvc.codec.writer import Body, EncodeError, Writer

AMOUNT = money._form_Amount


class Far(z.Struct, kw_only=True):
    """A struct whose numbers are far apart, as it is generated."""

    name: str
    size: int | None = None
    note: str | None = None


FAR = z.StructForm(
    Far,
    "shapes.v1.Far",
    lambda: [
        z.Field(1, "name", z.STRING),
        z.Field(300, "size", z.OptionalForm(z.U32)),
        z.Field(65535, "note", z.OptionalForm(z.STRING)),
    ],
)


def read(form: z.Form, text: str, **options: Any) -> Any:
    return decode(form, Body(bytes.fromhex(text), [], []), max_body=options.pop("max_body", 1 << 20), **options)


def wrong(form: z.Form, text: str, **options: Any) -> DecodeError:
    with pytest.raises(DecodeError) as caught:
        read(form, text, **options)
    return caught.value


@pytest.mark.parametrize(
    ("form", "text", "value"),
    [
        (z.U8, "cf 0000000000000007", 7),
        (z.U8, "d3 0000000000000007", 7),
        (z.I64, "cc ff", 255),
        (z.F64, "ca 3fc00000", 1.5),
        (z.F64, "07", 7.0),
        (z.F32, "cb 3ff8000000000000", 1.5),
        (z.F32, "cb 7fefffffffffffff", math.inf),
        (z.STRING, "d9 01 61", "a"),
        (z.STRING, "db 00000001 61", "a"),
        (z.BYTES, "c6 00000001 61", b"a"),
        (z.TIMESTAMP, "c7 0c ff 00000000 0000000000000005", zsvc.Timestamp(5_000_000_000)),
        (z.ListForm(z.U8), "dd 00000001 05", [5]),
        (z.MapForm(z.STRING, z.U8), "de 0002 a161 01 a161 02", {"a": 2}),
        (z.OptionalForm(z.U8), "c0", None),
        (market._form_Order, "91 03", market.OrderCancelAll()),
        (market._form_Order, "94 03 93010203 01 02", market.OrderCancelAll()),
        (z.SetForm(z.STRING), "92 a162 a161", {"a", "b"}),
        (AMOUNT, "84 01 05 02 02 03 a145 cf ffffffffffffffff 93010203", Amount(units=5, scale=2, currency="E")),
        (FAR, "82 a473697a65 05 a46e616d65 a161", Far(name="a", size=5)),
        (FAR, "91 a161", Far(name="a")),
        (FAR, "83 01 a161 05 c3 cd 012c c0", Far(name="a")),
        (z.ListForm(z.F64), "99" + 9 * "cb3ff8000000000000", 9 * [1.5]),
        (z.ListForm(z.F64), "99" + 8 * "cb3ff8000000000000" + "02", [*(8 * [1.5]), 2.0]),
    ],
)
def test_readers_take_other_forms(form: z.Form, text: str, value: Any) -> None:
    assert read(form, text) == value


@pytest.mark.parametrize(
    ("form", "text", "message"),
    [
        (z.U8, "cd 0100", "256 is no `u8`"),
        (z.U8, "ff", "-1 is no `u8`"),
        (z.U8, "cb 3ff0000000000000", "expected `u8`, found a float"),
        (z.BOOL, "01", "expected `bool`, found an integer"),
        (z.STRING, "c4 01 61", "expected `string`, found bytes"),
        (z.STRING, "a1 ff", "not UTF-8"),
        (z.STRING, "a2 61", "end in the middle"),
        (z.BYTES, "a1 61", "expected `bytes`, found a string"),
        (z.BYTES, "c4 05 61", "end in the middle"),
        (z.UUID, "c4 02 6161", "a uuid has 16 bytes"),
        (z.TIMESTAMP, "d6 05 00000000", "expected `timestamp`"),
        (z.TIMESTAMP, "d7 ff ffffffff 00000000", "more nanoseconds"),
        (z.TIMESTAMP, "c7 05 ff 0000000000", "4, 8 or 12 bytes"),
        (z.DURATION, "ff", "no `duration`"),
        (z.U8, "", "too soon"),
        (z.U8, "01 01", "bytes after the value"),
        (z.ListForm(z.U8), "dd ffffffff", "in the middle of a list"),
        (z.MapForm(z.STRING, z.U8), "df ffffffff", "in the middle of a map"),
        (z.ListForm(z.U8), "92 01 c0", "[1]: expected `u8`, found nil"),
        (market._form_Trade, "91 a0", "missing field `price`"),
        (market._form_Trade, "92 a0 93 01 02 03", "price.currency: expected `string`"),
        (market._form_Trade, "82 a473697a65 01 a473697a65 01", "`size` is given twice"),
        (market._form_Order, "90", "begins with the number of a variant"),
        (market._form_Order, "91 02", "a variant without its value"),
        (market._form_Order, "92 02 90", "OrderMarket: missing field `symbol`"),
        (z.SetForm(z.U8), "93 01 05 01", "[2]: `1` is in the set twice"),
        (z.SetForm(z.U8), "91 c0", "[0]: expected `u8`, found nil"),
        (z.SetForm(z.U8), "dd ffffffff", "in the middle of a set"),
        (z.SetForm(z.U8), "80", "expected a set, found a map"),
        (market._form_Side, "d2 80000000 00", "bytes after the value"),
        (market._form_Side, "ce 80000000", "32 bits with a sign"),
        (market._form_Side, "d3 ffffffff7fffffff", "32 bits with a sign"),
        (AMOUNT, "83 01 05 03 c0 02 02", "field number 2 comes after 3"),
        (AMOUNT, "82 01 05 01 05", "field number 1 comes after 1"),
        (AMOUNT, "81 00 05", "field number 0 comes after 0"),
        (AMOUNT, "81 ff 05", "field number -1 comes after 0"),
        (AMOUNT, "82 01 05 a57363616c65 02", "expected the number of a field, found a string"),
        (AMOUNT, "82 a57363616c65 02 01 05", "expected the name of a field, found an integer"),
        (AMOUNT, "81 01 05", "missing field `scale`"),
        (AMOUNT, "81 01 c3", "units: expected `i64`"),
        (AMOUNT, "df ffffffff 01 05 02 02", "end"),
        (AMOUNT, "05", "a map from their numbers or names"),
        (z.VALUE, "81 90 01", "whose key is an array"),
        (z.VALUE, "c1", "begins no value"),
    ],
)
def test_readers_refuse(form: z.Form, text: str, message: str) -> None:
    assert message in str(wrong(form, text))


def test_a_default_stands_in_for_nil_and_for_nothing() -> None:
    head = "9a a0 92 01 02 01 d6ff00000000 c0 90 80 c0 c0"
    assert read(market._form_Trade, head + "c0").lot == 1
    assert read(market._form_Trade, "97" + head[2:].replace("c0 c0", "")).lot == 1
    assert read(market._form_Trade, "9b" + head[2:] + "05 07").lot == 5


def test_what_a_message_becomes_is_bounded() -> None:
    few = "dd 0000ffff" + 0xFFFF * "c0"
    assert len(read(z.VALUE, few)) == 0xFFFF
    assert wrong(z.VALUE, few, max_body=1000).too_large
    trees = "91 dd 00008000" + 0x8000 * "91 90"
    assert wrong(shapes._form_Tree, trees, max_body=1000).too_large


def test_nesting_is_bounded() -> None:
    assert read(z.VALUE, 127 * "91" + "c0") is not None
    assert wrong(z.VALUE, 129 * "91" + "c0").too_deep
    assert wrong(z.VALUE, 100_000 * "91" + "c0").too_deep
    assert wrong(shapes._form_Tree, 100_000 * "91").too_deep
    # What is not known is skipped, however deep it is.
    assert read(market._form_Side, "01") == market.Side.BUY
    deep = 100_000 * "91" + "c0"
    assert isinstance(read(market._form_Order, "92 09" + deep), zsvc.UnknownVariant)


def test_bounds_hold_for_parameters_alone() -> None:
    chest = probe.Chest(level=10, label="x", inside=[], by_name={})
    body = encode(probe._form_Chest, chest)
    assert decode(probe._form_Chest, body, max_body=1000) == chest
    with pytest.raises(DecodeError, match=r"level: 10 is not in 1\.\.=9"):
        decode(probe._form_Chest, body, max_body=1000, bounds=True)
    inner = probe.Chest(level=1, label="", inside=[], by_name={})
    body = encode(probe._form_Chest, probe.Chest(level=1, label="x", inside=[inner], by_name={}))
    with pytest.raises(DecodeError, match=r"inside\[0\]\.label: its length is 0"):
        decode(probe._form_Chest, body, max_body=1000, bounds=True)


@pytest.mark.parametrize(
    ("form", "value", "message"),
    [
        (z.U8, 256, "256 is no `u8`"),
        (z.U8, True, "expected an `int`"),
        (z.U8, 1.0, "expected an `int`, found `float`"),
        (z.F32, 1e300, "past what `f32`"),
        (z.F64, "1", "expected a `float`"),
        (z.BOOL, 1, "expected a `bool`"),
        (z.STRING, b"a", "expected a `str`"),
        (z.STRING, "\ud800", "surrogate"),
        (z.BYTES, "a", "expected `bytes`"),
        (z.BYTES, memoryview(bytes(8))[::2], "not contiguous"),
        (z.UUID, "a", "expected a `UUID`"),
        (z.TIMESTAMP, 1, "expected a `Timestamp`"),
        (z.TIMESTAMP, zsvc.Timestamp(1 << 100), "past what a `timestamp`"),
        (z.DURATION, 1.0, "expected a `Duration`"),
        (z.ListForm(z.U8), [1, 2, 3, 4, 5, 6, 7, 8, 9, 300], "[9]: 300 is no `u8`"),
        (z.ListForm(z.U8), "abc", "expected a `list`"),
        (z.MapForm(z.STRING, z.U8), {"a": 300}, '["a"]: 300'),
        (z.MapForm(z.STRING, z.U8), {"a": 1, 2: 3}, "of one type"),
        (market._form_Side, 1, "expected a `Side`"),
        (market._form_Order, market.MarketOrder(symbol="", side=market.Side.BUY, size=1), "expected a variant of"),
        (market._form_Trade, None, "expected a `Trade`"),
        (z.VALUE, 1 << 64, "more than 64 bits"),
        (z.VALUE, {"a": object()}, "`object` is not"),
    ],
)
def test_writers_refuse(form: z.Form, value: Any, message: str) -> None:
    with pytest.raises(EncodeError) as caught:
        encode(form, value)
    assert message in str(caught.value)


def test_a_circle_is_refused() -> None:
    circle: list[Any] = []
    circle.append(circle)
    with pytest.raises(EncodeError, match="deeper"):
        encode(z.VALUE, circle)


def test_integers_have_their_shortest_form() -> None:
    randomness = random.Random(7)
    numbers = [randomness.getrandbits(64) >> randomness.randint(0, 63) for _ in range(2000)]
    edges = [edge + step for edge in (0, 1 << 7, 1 << 8, 1 << 15, 1 << 16, 1 << 31, 1 << 32) for step in (-1, 0, 1)]
    for number in [*numbers, *edges]:
        assert encode(z.VALUE, number).data == msgspec.msgpack.encode(number)
        if number < 1 << 63:
            assert encode(z.I64, -number).data == msgspec.msgpack.encode(-number)
    signed = [number >> 1 for number in numbers]
    assert encode(z.ListForm(z.I64), signed).data[3:] == b"".join(encode(z.I64, number).data for number in signed)


def random_value(randomness: random.Random, depth: int) -> Any:
    kinds = 8 if depth < 4 else 6
    kind = randomness.randrange(kinds)
    if kind == 0:
        return randomness.choice([None, True, False])
    if kind == 1:
        return randomness.getrandbits(63) - (1 << 62)
    if kind == 2:
        return randomness.random()
    if kind == 3:
        return "ä" * randomness.randrange(40)
    if kind == 4:
        return bytes(randomness.randrange(300))
    if kind == 5:
        return zsvc.Ext(randomness.randrange(100), bytes(randomness.randrange(20)))
    if kind == 6:
        return [random_value(randomness, depth + 1) for _ in range(randomness.randrange(20))]
    return {str(index): random_value(randomness, depth + 1) for index in range(randomness.randrange(20))}


@pytest.mark.parametrize("seed", range(50))
def test_random_values_come_back(seed: int) -> None:
    value = random_value(random.Random(seed), 0)
    body = encode(z.VALUE, value)
    assert decode(z.VALUE, body, max_body=1 << 24) == value
    assert msgspec.msgpack.decode(body.data, ext_hook=lambda code, data: zsvc.Ext(code, bytes(data))) == value


@pytest.mark.parametrize("seed", range(200))
def test_random_bytes_are_read_or_refused(seed: int) -> None:
    randomness = random.Random(seed)
    good = bytearray(encode(shapes._form_Shape, shapes.ShapeAny(random_value(randomness, 0))).data)
    for _ in range(randomness.randrange(4)):
        good[randomness.randrange(len(good))] = randomness.randrange(256)
    with contextlib.suppress(DecodeError):
        decode(shapes._form_Shape, Body(bytes(good), [], []), max_body=1 << 20)


def test_long_bytes_are_attached_and_not_copied() -> None:
    blob = bytes(range(256)) * 200
    body = encode(shapes._form_Shape, shapes.ShapeBlob(blob))
    assert [bytes(it) for it in body.attachments] == [blob]
    assert body.attachments[0].obj is blob
    assert len(body) == len(body.joined())
    shape = decode(shapes._form_Shape, body, max_body=1 << 20)
    assert shape == shapes.ShapeBlob(memoryview(blob))
    assert shape.value.obj is blob


@pytest.mark.parametrize("at", range(0, 60, 3))
def test_attachments_at_any_place_are_read(at: int) -> None:
    whole = encode(shapes._form_Shape, shapes.ShapeNumbers(list(range(1000, 1030)))).data
    cut = min(at, len(whole))
    parts = Body(whole[:cut] + whole[cut + 7 :], [memoryview(whole[cut : cut + 7]), memoryview(b"")], [cut, cut])
    assert decode(shapes._form_Shape, parts, max_body=1 << 20) == shapes.ShapeNumbers(list(range(1000, 1030)))


def test_an_attachment_that_only_looks_like_a_value_is_joined() -> None:
    # The header before the place is content of the outer `bin`, and fits the attachment.
    whole = bytes.fromhex("92 08 c4 05 c4 03") + b"abc"
    parts = Body(whole[:-3], [memoryview(whole[-3:])], [len(whole) - 3])
    assert decode(shapes._form_Shape, parts, max_body=1 << 20) == shapes.ShapeBlob(memoryview(b"\xc4\x03abc"))


def test_an_unknown_enum_is_kept() -> None:
    side = market.Side(25)
    assert (int(side), side.is_known, market.Side.BUY.is_known) == (25, False, True)
    assert isinstance(side, market.Side)
    assert side == market.Side(25)
    assert {side: 1}[market.Side(25)] == 1
    assert market.Side(-1).is_known is False
    for number in (1 << 31, -(1 << 31) - 1):
        with pytest.raises(ValueError, match=str(number)):
            market.Side(number)


def test_maps_are_sorted_as_in_rust() -> None:
    class Late(zsvc.Enum):
        B = 7
        A = 3

    body = encode(z.MapForm(z.EnumForm(Late), z.U8), {Late(9): 1, Late.A: 2, Late(8): 3, Late.B: 4})
    assert body.data == bytes.fromhex("84 0704 0302 0803 0901")
    texts = encode(z.MapForm(z.STRING, z.U8), {"ä": 1, "b": 2, "": 3, "\uffff": 4, "\U0001f600": 5})
    assert texts.data == b"\x85\xa0\x03\xa1b\x02\xa2\xc3\xa4\x01\xa3\xef\xbf\xbf\x04\xa4\xf0\x9f\x98\x80\x05"
    assert encode(z.MapForm(z.I8, z.BOOL), {1: True, -1: False}).data == bytes.fromhex("82 ffc2 01c3")


def test_sets_are_sorted_as_keys() -> None:
    class Late(zsvc.Enum):
        B = 7
        A = -3

    assert encode(z.SetForm(z.EnumForm(Late)), {Late(9), Late.A, Late(-8), Late.B}).data == b"\x94\x07\xfd\xf8\x09"
    assert encode(z.SetForm(z.I8), frozenset({1, -1})).data == b"\x92\xff\x01"
    for value, message in (([1], "expected a `set`"), ({1, "a"}, "of one type"), ({1, 300}, "300")):
        with pytest.raises(EncodeError, match=message):
            encode(z.SetForm(z.U8), value)


def test_structs_are_maps_where_their_numbers_are_far_apart() -> None:
    def written(*numbers: int) -> bytes:
        fields = Fields([z.Field(number, f"f{number}", z.OptionalForm(z.U8)) for number in numbers])
        writer = Writer()
        fields.write(writer, len(numbers) * [1])
        return bytes(writer.out)

    assert written(4) == bytes.fromhex("94 c0c0c0 01")
    assert written(5) == bytes.fromhex("81 05 01")
    assert written(1, 8) == bytes.fromhex("98 01 c0c0c0c0c0c0 01")
    assert written(1, 9) == bytes.fromhex("82 01 01 09 01")
    assert written(*range(1, 256))[:3] == bytes.fromhex("dc 00ff")
    assert written(*range(1, 257))[:3] == bytes.fromhex("de 0100")


def test_types_of_our_own() -> None:
    assert str(zsvc.Timestamp(1_772_366_400_250_000_000)) == "2026-03-01T12:00:00.25Z"
    assert zsvc.Timestamp.now() < zsvc.Timestamp(1 << 62)
    assert zsvc.Duration.from_seconds(1.5).to_timedelta().total_seconds() == 1.5
    with pytest.raises(ValueError, match="time zone"):
        zsvc.Timestamp.from_datetime(zsvc.Timestamp(0).to_datetime().replace(tzinfo=None))
    with pytest.raises(ValueError, match="nanoseconds"):
        zsvc.Duration(-1)
    assert decode(z.UUID, encode(z.UUID, uuid.UUID(int=5)), max_body=100) == uuid.UUID(int=5)
