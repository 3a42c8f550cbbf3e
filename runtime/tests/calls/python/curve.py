"""CURVE for the sockets of a peer, by keys in the environment, as Z85: none without them.

- `CURVE_SECRET`: the peer's own secret key.
- `CURVE_SERVER`: at a client, the public key of its server.
- `CURVE_ALLOWED`: at a server, the public keys of clients that are let in, separated by spaces.
- `ROUTING_ID`: at a client, the routing id that it announces.
- `PLAIN_USER`, `PLAIN_PASSWORD`: at either side, PLAIN in place of CURVE.
"""

import os
import threading

import zmq
from zmq.utils import z85


def secure_client(socket):
    if "ROUTING_ID" in os.environ:
        socket.routing_id = os.environ["ROUTING_ID"].encode()
    if "PLAIN_USER" in os.environ:
        socket.plain_username = os.environ["PLAIN_USER"].encode()
        socket.plain_password = os.environ["PLAIN_PASSWORD"].encode()
    server = os.environ.get("CURVE_SERVER")
    if server:
        secret = os.environ["CURVE_SECRET"].encode()
        socket.curve_secretkey = secret
        socket.curve_publickey = zmq.curve_public(secret)
        socket.curve_serverkey = server.encode()


def secure_server(socket):
    if "PLAIN_USER" in os.environ:
        socket.plain_server = True
    if "CURVE_ALLOWED" in os.environ:
        allowed = {z85.decode(key) for key in os.environ["CURVE_ALLOWED"].split()}
        # libzmq lets everyone in where nothing answers here, so it is bound before the socket is.
        judge = zmq.Context.instance().socket(zmq.REP)
        judge.bind("inproc://zeromq.zap.01")
        threading.Thread(target=answer, args=(judge, allowed), daemon=True).start()
        secret = os.environ["CURVE_SECRET"].encode()
        socket.curve_secretkey = secret
        socket.curve_publickey = zmq.curve_public(secret)
        socket.curve_server = True


def answer(judge, allowed):
    """Answers libzmq's questions about clients, by ZAP (RFC 27)."""
    while True:
        version, number, _domain, _address, _identity, mechanism, *credentials = judge.recv_multipart()
        is_in = mechanism == b"CURVE" and credentials[0] in allowed
        judge.send_multipart([version, number, b"200" if is_in else b"400", b"", b"", b""])
