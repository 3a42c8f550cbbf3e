"""Both directions of every byte listing of docs/protocol.md."""

import datetime
import uuid
from typing import Any

import pytest
from generated.market import v1 as market
from generated.money.v1 import Amount
from generated.shapes import v1 as shapes
from listings import LISTINGS, Listing
from test_codec import FAR, Far

import zsvc
from zsvc import generated as z
from zsvc.codec.body import decode, encode
from zsvc.codec.writer import Body
from zsvc.session.failure import failure_of
from zsvc.wire import read, write
from zsvc.wire import records as r

NOON = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.timezone.utc)
NOON_TIME = zsvc.Timestamp.from_datetime(NOON)
TRADE = market.Trade(
    symbol="ACME",
    price=Amount(units=12345, scale=2, currency="EUR"),
    size=300,
    at=zsvc.Timestamp(NOON_TIME.ns + 250_000_000),
    flags=[market.Flag.ODD],
    attributes={"desk": "7"},
)

ORDER = market._form_Order
VALUES: dict[str, tuple[z.Form, Any]] = {
    "bool": (z.BOOL, True),
    "u8": (z.U8, 200),
    "u64": (z.U64, (1 << 64) - 1),
    "i64": (z.I64, -300),
    "f32": (z.F32, 1.5),
    "f64": (z.F64, 1.5),
    "string": (z.STRING, "é"),
    "bytes": (z.BYTES, b"abc"),
    "timestamp": (z.TIMESTAMP, NOON_TIME),
    "timestamp-with-nanoseconds": (z.TIMESTAMP, zsvc.Timestamp(NOON_TIME.ns + 250_000_000)),
    "timestamp-before-1970": (z.TIMESTAMP, zsvc.Timestamp(-1_000_000_000)),
    "duration": (z.DURATION, zsvc.Duration(1_000_000_000)),
    "uuid": (z.UUID, uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")),
    "value": (z.VALUE, {"a": 1, "b": [None, zsvc.Ext(5, b"\x07")]}),
    "list": (z.ListForm(z.U32), [1, 2, 3]),
    "map": (z.MapForm(z.STRING, z.U32), {"b": 2, "a": 1}),
    "map-by-enum": (z.MapForm(market._form_Side, z.BOOL), {market.Side.SELL: False, market.Side.BUY: True}),
    "set": (z.SetForm(z.U32), {300, 5, 1}),
    "list-of-optionals": (z.ListForm(z.OptionalForm(z.U32)), [1, None]),
    "struct": (z.struct(Amount, "money.v1.Amount", lambda: _amount()), Amount(units=12345, scale=2, currency="EUR")),
    "struct-with-holes": (market._form_Trade, TRADE),
    "enum": (market._form_Side, market.Side.SELL),
    "negative-enum": (market._form_Side, market.Side(-1)),
    "unknown-enum": (market._form_Side, market.Side(25)),
    "flags": (shapes._form_Access, shapes.Access.READ | shapes.Access.SHARE),
    "no-flags": (shapes._form_Access, shapes.Access(0)),
    "unknown-flags": (shapes._form_Access, shapes.Access.READ | shapes.Access(1 << 63)),
    "sparse-struct": (FAR, Far(name="ACME", size=5)),
    "union-with-fields": (
        ORDER,
        market.OrderLimit(symbol="ACME", side=market.Side.SELL, limit=Amount(units=5, scale=2)),
    ),
    "union-with-a-type": (
        ORDER,
        market.OrderMarket(market.MarketOrder(symbol="ACME", side=market.Side.BUY, size=100)),
    ),
    "union-with-nothing": (ORDER, market.OrderCancelAll()),
    "unknown-union": (ORDER, zsvc.UnknownVariant(9, bytes.fromhex("8201020304"))),
}


def _amount() -> list[z.Field]:
    return [
        z.Field(1, "units", z.I64),
        z.Field(2, "scale", z.U8),
        z.Field(3, "currency", z.OptionalForm(z.STRING)),
    ]


VALUES["struct-without-its-last-field"] = (VALUES["struct"][0], Amount(units=12345, scale=2))


def of(*sides: str) -> list[Any]:
    return [pytest.param(listing, id=str(listing)) for listing in LISTINGS if listing.side in sides]


@pytest.mark.parametrize("listing", of("value"))
def test_values_are_written_as_listed(listing: Listing) -> None:
    form, value = VALUES[listing.name]
    assert encode(form, value).joined() == listing.frames[0]


@pytest.mark.parametrize("listing", of("value", "read"))
def test_values_are_read_as_listed(listing: Listing) -> None:
    form, value = VALUES[listing.name]
    assert decode(form, Body(listing.frames[0], [], []), max_body=1 << 20) == value


BAD = {"wrong-version": "version 2"}
ROUTE = memoryview(b"\0abcd")


def message(listing: Listing) -> read.Message:
    frames = [memoryview(frame) for frame in listing.frames]
    if listing.side == "client":
        return read.read_message([ROUTE, *frames], min_route=1)
    return read.read_message(frames, min_route=0)


@pytest.mark.parametrize("listing", of("client", "server"))
def test_batches_are_read(listing: Listing) -> None:
    found = message(listing)
    if listing.name in BAD:
        assert found.error is not None
        assert BAD[listing.name] in found.error.message
        return
    assert found.error is None
    assert found.records
    assert found.route == ([bytes(ROUTE)] if listing.side == "client" else [])


def written(record: r.Record) -> bytes:
    if isinstance(record, r.Call):
        return write.call(record)
    if isinstance(record, (r.Reply, r.Items)):
        return write.with_body(r.REPLY if isinstance(record, r.Reply) else r.ITEMS, record.id, record.body)
    if isinstance(record, r.Error):
        return write.error(record)
    if isinstance(record, r.Credit):
        return write.credit(record.id, record.amount)
    if isinstance(record, r.Pong):
        return write.pong(record.id, record.life)
    if isinstance(record, r.ResponseMetadata):
        assert record.metadata is not None
        return write.response_metadata(record.id, record.metadata)
    kinds = {r.End: r.END, r.Cancel: r.CANCEL, r.Ping: r.PING, r.GoingAway: r.GOING_AWAY, r.Query: r.QUERY}
    return write.plain(kinds[type(record)], record.id)


@pytest.mark.parametrize("listing", [it for it in of("client", "server") if it.values[0].exact])
def test_records_are_written_so_that_they_are_read_the_same(listing: Listing) -> None:
    found = message(listing)
    batch = b"\x01" + b"".join(map(written, found.records))
    frames = [memoryview(frame) for frame in (*listing.frames[:-1], batch)]
    again = read.read_message(frames, min_route=0)
    assert [repr_of(record) for record in again.records] == [repr_of(record) for record in found.records]
    assert len(batch) <= len(listing.frames[-1])


def repr_of(record: r.Record) -> str:
    body = getattr(record, "body", None)
    return repr(body.joined() if isinstance(body, Body) else record)


def the(name: str) -> list[r.Record]:
    return message(next(listing for listing in LISTINGS if listing.name == name)).records


def test_attachments_belong_into_the_body() -> None:
    (call,) = the("call-with-attachments")
    assert isinstance(call, r.Call)
    assert call.body.joined() == b"\x91\xa4ACME"
    (reply,) = the("reply-with-attachments")
    assert isinstance(reply, r.Reply)
    assert decode(market._form_Trade, reply.body, max_body=1 << 20) == TRADE


def test_an_error_has_all_its_elements() -> None:
    (record,) = the("error-of-a-full-server")
    assert isinstance(record, r.Error)
    status = failure_of(record)
    assert isinstance(status, zsvc.Status)
    assert (status.code, status.outcome) == (zsvc.Code.RESOURCE_EXHAUSTED, zsvc.Outcome.NOT_SENT)
    assert (status.cause, status.retry_after) == (zsvc.Cause.OVERLOADED, 0.1)
    (record,) = the("error-with-details")
    assert isinstance(record, r.Error)
    assert record.details == {"money.v1.Amount": VALUES_BYTES}


VALUES_BYTES = bytes.fromhex("93cd303902a3455552")
