"""Calls every kind of method of a server of `market.v1.Tape` and `shapes.v1.Shapes`:
`python tape_client.py tcp://127.0.0.1:7100`.

Prints what it does, line by line, and stops with a traceback at the first unexpected result.
"""

import sys

import msgpack
from zsvc_peer import ATTACHED, DEADLINE_EXCEEDED, INVALID_ARGUMENT, UNIMPLEMENTED, Client, Declared, Status

TAPE = "market.v1.Tape/"
NOON = msgpack.Timestamp(1_772_366_400, 250_000_000)
ENOUGH = 20_000  # items: far more than the initial credit of a stream


def trade(symbol):
    """`struct Trade`, by field number; the fields 8 and 9 are holes."""
    return [symbol, [12345, 2, "EUR"], 300, NOON, None, [2], {"desk": "7"}, None, None, 1]


def failure(call):
    """Returns the exception that a call raises."""
    try:
        call()
    except (Declared, Status) as error:
        return error
    raise AssertionError("the call should have failed")


def unary(tape):
    assert tape.unary(TAPE + "last", ["ACME"]) == trade("ACME")
    assert tape.unary(TAPE + "last", {"symbol": "INIT"}) == trade("INIT"), "parameters by name"
    assert tape.unary(TAPE + "ping") is None
    assert tape.unary(TAPE + "last", ["META"], metadata={"tenant": "7"})[4] == "7", "the venue is the tenant"


def errors(tape):
    error = failure(lambda: tape.unary(TAPE + "last", ["NOPE"]))
    assert (error.number, error.value) == (1, ["NOPE"]), error
    assert failure(lambda: tape.unary(TAPE + "last", [""])).code == INVALID_ARGUMENT, "the bound of `symbol`"
    assert failure(lambda: tape.unary(TAPE + "lost", ["ACME"])).code == UNIMPLEMENTED


def deadline(tape):
    assert failure(lambda: tape.unary(TAPE + "last", ["SLOW"], timeout=0.05)).code == DEADLINE_EXCEEDED


def server_stream(tape):
    trades = list(tape.server_stream(TAPE + "watch", [["ACME", "INIT"] * ENOUGH]))
    assert len(trades) == 2 * ENOUGH and trades[1] == trade("INIT")
    error = failure(lambda: list(tape.server_stream(TAPE + "watch", [["ACME", "NOPE"]])))
    assert error.value == ["NOPE"], error
    some = tape.server_stream(TAPE + "watch", [["FOREVER"]])
    assert next(some) == trade("FOREVER")
    some.close()  # cancels the call


def client_stream(tape):
    taken = tape.client_stream(TAPE + "import", ["desk"], (trade("ACME") for _ in range(ENOUGH)))
    assert taken == ENOUGH * 300, taken


def bidirectional(tape):
    with tape.bidirectional(TAPE + "converse") as call:
        fills = call.items()
        call.send([1, ["ACME", 2, [5, 2]]])  # Limit
        assert next(fills) == trade("ACME")
        call.send([2, {"symbol": "INIT", "side": 1, "size": 100}])  # Market, by name
        assert next(fills) == trade("INIT")
        call.finish()
        assert list(fills) == []


def attachments(tape):
    echo = "shapes.v1.Shapes/echo"
    for size in (ATTACHED - 1, ATTACHED, 3 * ATTACHED):
        blob = bytes(size)
        assert tape.unary(echo, [[8, blob]]) == [8, blob]


def main(endpoint):
    tape = Client(endpoint)
    tape.ping()
    print("ping")
    for step in (unary, errors, deadline, server_stream, client_stream, bidirectional, attachments):
        step(tape)
        print(step.__name__)
    tape.one_way(TAPE + "note", ["from python"])
    print("one_way")
    tape.ping()  # the note was read before the pong
    tape.close()
    print("done")


if __name__ == "__main__":
    main(sys.argv[1])
