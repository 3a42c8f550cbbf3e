"""Calls methods of `vault.v1.Vault`: `python curve_roles.py tcp://127.0.0.1:7100`, with keys as `curve` has them. Prints for each what it ends
with, `look 7` for a status and `look answered` for an answer; then waits, and prints `lost` once the connection has ended, and `refused` once
the server does not let this client in any more."""

import sys

import zmq
from curve import secure_client
from zmq.utils.monitor import recv_monitor_message
from zsvc_peer import CALL, REPLY, message, open_message, pack


def main(endpoint):
    socket = zmq.Context.instance().socket(zmq.DEALER)
    socket.rcvtimeo = 20_000
    secure_client(socket)
    events = socket.get_monitor_socket()
    socket.connect(endpoint)
    for number, method in enumerate(["look", "time"], 1):
        socket.send_multipart(message([CALL, number, f"vault.v1.Vault/{method}", pack([])]))
        _, records = open_message(socket.recv_multipart())
        kind, call, rest = next(records)
        assert call == number, (call, number)
        print(method, "answered" if kind == REPLY else rest[0], flush=True)
    told = {zmq.EVENT_DISCONNECTED: "lost", zmq.EVENT_HANDSHAKE_FAILED_AUTH: "refused"}
    while True:
        event = recv_monitor_message(events)["event"]
        if event in told:
            print(told[event], flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
