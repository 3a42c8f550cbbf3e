"""Calls a server of `market.v1.Tape` by a REQ socket: `python curve_req.py tcp://127.0.0.1:7100`. Prints a line for each answer."""

import sys

import zmq
from curve import secure_client
from zsvc_peer import CALL, REPLY, message, open_message, pack, unpack


def main(endpoint):
    socket = zmq.Context.instance().socket(zmq.REQ)
    socket.setsockopt(zmq.RCVTIMEO, 10_000)
    secure_client(socket)
    socket.connect(endpoint)
    for number in (1, 2):
        socket.send_multipart(message([CALL, number, "market.v1.Tape/last", pack(["ACME"])]))
        _, records = open_message(socket.recv_multipart())
        kind, call, rest = next(records)
        assert (kind, call, unpack(rest[0])[0]) == (REPLY, number, "ACME")
        print("answered", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
