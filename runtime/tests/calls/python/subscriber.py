"""A plain SUB socket, without zsvc: subscribes to what it is told, and prints what comes.

Run with an endpoint. A line `+PREFIX` of standard input subscribes, `-PREFIX` takes that back, and each message is printed as its topic, its
sequence number and its value. With CURVE keys in the environment, the connection is encrypted.
"""

import os
import struct
import sys

import msgpack
import zmq


def main():
    socket = zmq.Context.instance().socket(zmq.SUB)
    if "CURVE_SERVER" in os.environ:
        secret = os.environ["CURVE_SECRET"].encode()
        socket.curve_secretkey, socket.curve_publickey = secret, zmq.curve_public(secret)
        socket.curve_serverkey = os.environ["CURVE_SERVER"].encode()
    socket.connect(sys.argv[1])
    poller = zmq.Poller()
    poller.register(socket, zmq.POLLIN)
    poller.register(sys.stdin.fileno(), zmq.POLLIN)
    commands = os.fdopen(sys.stdin.fileno(), "rb", buffering=0)
    while True:
        ready = dict(poller.poll())
        if sys.stdin.fileno() in ready:
            command = commands.readline().decode().rstrip("\n")
            if not command:
                return
            option = zmq.SUBSCRIBE if command[0] == "+" else zmq.UNSUBSCRIBE
            socket.setsockopt_string(option, command[1:])
            print("said", flush=True)
        if socket in ready:
            topic, number, value = socket.recv_multipart()
            sequence, _epoch = struct.unpack(">QQ", number)
            print(topic.decode(), sequence, msgpack.unpackb(value, strict_map_key=False), flush=True)


if __name__ == "__main__":
    main()
