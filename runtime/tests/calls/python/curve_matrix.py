"""Connects to a server in every way there is: `python curve_matrix.py tcp://127.0.0.1:7100`. Prints for each type of socket and each way what
comes of it: `DEALER null connected`, `REQ right refused`.

By the environment, as Z85: `SECRET` and `OTHER_SECRET`, the secret keys of two clients; `SERVER` and `OTHER_SERVER`, the public keys of two
servers, of which the first is this one, if it has any.
"""

import os
import sys

import zmq
from curve_refused import first_event


def keys(socket, own, server):
    secret = os.environ[own].encode()
    socket.curve_secretkey, socket.curve_publickey = secret, zmq.curve_public(secret)
    socket.curve_serverkey = os.environ[server].encode()


def plain(socket):
    socket.plain_username, socket.plain_password = b"ada", b"secret"


WAYS = {
    "null": lambda socket: None,
    "plain": plain,
    "right": lambda socket: keys(socket, "SECRET", "SERVER"),
    "wrong-server": lambda socket: keys(socket, "SECRET", "OTHER_SERVER"),
    "unknown-client": lambda socket: keys(socket, "OTHER_SECRET", "SERVER"),
}


def main(endpoint):
    # None is closed: libzmq waits without end to tell of it where nothing reads a socket's events any more.
    sockets = []
    for name, kind in (("DEALER", zmq.DEALER), ("REQ", zmq.REQ)):
        for way, set_up in WAYS.items():
            socket = zmq.Context.instance().socket(kind)
            socket.reconnect_ivl = -1
            sockets.append(socket)
            set_up(socket)
            print(name, way, first_event(socket, endpoint), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
    os._exit(0)
