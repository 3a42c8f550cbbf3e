"""A server of `market.v1.Tape`: `python tape_server.py tcp://127.0.0.1:7100`.

Prints its endpoint, and a line for every note. Announces that it drains, and stops, when its standard input ends.
"""

import os
import select
import sys
import time

import msgpack
from zsvc_peer import LATER, NOT_FOUND, Declared, Server, Status

TAPE = "market.v1.Tape/"
NOON = msgpack.Timestamp(1_772_366_400, 250_000_000)


def trade(symbol):
    """`struct Trade`, by field number; the fields 8 and 9 are holes."""
    if symbol == "NOPE":
        raise Declared(1, ["NOPE"], "no such symbol: NOPE")
    return [symbol, [12345, 2, "EUR"], 300, NOON, None, [2], {"desk": "7"}, None, None, 1]


def last(symbol):
    return LATER if symbol == "SLOW" else trade(symbol)


def watch(symbols):
    for symbol in symbols:
        while symbol == "FOREVER":
            yield trade(symbol)
        yield trade(symbol)


def take(account, trades):
    if account == "nobody":
        raise Status(NOT_FOUND, "no such account")
    return sum(size for _, _, size, *_ in trades)


def converse(order):
    number, value = order
    if number != 3:  # CancelAll fills no order
        yield trade(value[0])


def note(text):
    print("note:", text, flush=True)


METHODS = {
    TAPE + "last": ("unary", ["symbol"], last),
    TAPE + "poll": ("unary", ["symbol"], lambda symbol: [trade(symbol)]),
    TAPE + "ping": ("unary", [], lambda: None),
    TAPE + "watch": ("server stream", ["symbols"], watch),
    TAPE + "import": ("client stream", ["account"], take),
    TAPE + "converse": ("bidirectional", [], converse),
    TAPE + "note": ("one way", ["text"], note),
    "shapes.v1.Shapes/echo": ("unary", ["shape"], lambda shape: shape),
}


def input_has_ended():
    readable, _, _ = select.select([sys.stdin], [], [], 0)
    return bool(readable) and not os.read(sys.stdin.fileno(), 4096)


def main(endpoint):
    server = Server(endpoint, METHODS)
    print(server.endpoint, flush=True)
    server.serve(until=input_has_ended)
    server.going_away()
    end = time.monotonic() + 0.2
    server.serve(until=lambda: time.monotonic() > end)


if __name__ == "__main__":
    main(sys.argv[1])
