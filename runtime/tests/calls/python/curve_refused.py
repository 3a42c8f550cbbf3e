"""Connects to a server that is to refuse it: `python curve_refused.py tcp://127.0.0.1:7100`. Prints `refused` once the connection has failed
in the handshake, or `connected`."""

import sys

import zmq
from curve import secure_client
from zmq.utils.monitor import recv_monitor_message

REFUSED = [
    zmq.EVENT_DISCONNECTED,
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL,
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL,
    zmq.EVENT_HANDSHAKE_FAILED_AUTH,
]


def first_event(socket, endpoint):
    """Connects, and returns what comes of the handshake."""
    events = socket.get_monitor_socket()
    socket.connect(endpoint)
    while True:
        event = recv_monitor_message(events)["event"]
        if event in REFUSED or event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            return "refused" if event in REFUSED else "connected"


def main(endpoint):
    socket = zmq.Context.instance().socket(zmq.DEALER)
    secure_client(socket)
    print(first_event(socket, endpoint), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
