"""CURVE: the keys of both sides, and which clients a server lets in."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import zmq
import zmq.auth
import zmq.utils.z85

from ..identity import Identity

_BATCH = 64
_ZAP_ENDPOINT = "inproc://zeromq.zap.01"


Clients: TypeAlias = "Mapping[str, Sequence[str] | Identity]"
"""Clients by their public keys."""


def _pair_of(path: str) -> tuple[str, str]:
    """Reads both keys of a certificate. Raises `ValueError` if it has one alone, or if others may read it."""
    public, secret = zmq.auth.load_certificate(path)
    if secret is None:
        raise ValueError(f"`{path}` has no secret key: give the file that ends in `.key_secret`")
    if os.name == "posix" and os.stat(path).st_mode & 0o077:
        raise ValueError(f"others may read the secret key in `{path}`: run `chmod 600` on it")
    return public.decode(), secret.decode()


@dataclass(frozen=True)
class ClientCurve:
    """The keys of a client: its own pair, and the public key of the server. As text of 40 characters (Z85)."""

    server_key: str
    public_key: str
    secret_key: str = field(repr=False)

    @classmethod
    def from_files(cls, own_secret: str, server: str) -> ClientCurve:
        """Reads files of `zsvc keygen`: one that ends in `.key_secret` of one's own, and the `.key` of the server."""
        public, secret = _pair_of(own_secret)
        server_key, _ = zmq.auth.load_certificate(server)
        return cls(server_key.decode(), public, secret)

    def apply(self, socket: Any) -> None:
        """Sets the keys of a socket."""
        socket.curve_serverkey = self.server_key.encode()
        socket.curve_publickey = self.public_key.encode()
        socket.curve_secretkey = self.secret_key.encode()


@dataclass(frozen=True)
class ServerCurve:
    """The keys of a server, and the clients that it lets in."""

    public_key: str
    secret_key: str = field(repr=False)
    clients: Clients | None = None
    """Those that are let in, by their public keys: with their roles, or as an `Identity` with a name besides. `None`
    lets in any client, without roles. An `Access` follows a file that says it."""

    @classmethod
    def from_file(cls, own_secret: str, clients: Clients | None = None) -> ServerCurve:
        """Reads a certificate as `zsvc keygen` writes it: the file that ends in `.key_secret`."""
        return cls(*_pair_of(own_secret), clients)

    def apply(self, socket: Any) -> None:
        """Sets the keys of a socket."""
        socket.curve_server = True
        socket.curve_publickey = self.public_key.encode()
        socket.curve_secretkey = self.secret_key.encode()

    def identity_of(self, key: str | None) -> Identity | None:
        """Returns who a client is, by its key; `None` for one that is not known. Its name is the key if it has none."""
        if self.clients is None or key is None or key not in self.clients:
            return None
        client = self.clients[key]
        return client if isinstance(client, Identity) else Identity(key, client)

    def roles_of(self, key: str) -> Sequence[str] | None:
        """Returns the roles of a client; `None` for one that is not known."""
        identity = self.identity_of(key)
        return None if identity is None else identity.roles


class Gatekeeper:
    """Answers libzmq's question whether a client may connect (ZAP, RFC 27). `curve` may be set to another."""

    def __init__(self, context: Any, curve: ServerCurve) -> None:
        self.socket = context.socket(zmq.ROUTER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.bind(_ZAP_ENDPOINT)
        self.curve = curve

    def lets_in(self, key: str) -> bool:
        """Reports whether a client with this public key may connect."""
        return self.curve.clients is None or key in self.curve.clients

    def ready(self, _: int) -> None:
        """Answers the questions that have come, some at a time: other sockets have their turns."""
        for _ in range(_BATCH):
            try:
                frames = self.socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            answer = self._answer(frames)
            if answer is not None:
                self.socket.send_multipart(answer)

    def _answer(self, frames: list[bytes]) -> list[bytes] | None:
        if b"" not in frames:
            return None
        body = frames.index(b"") + 1
        route, request = frames[:body], frames[body:]
        if len(request) < 6:
            return None
        version, id, mechanism = request[0], request[1], request[5]
        key = ""
        if mechanism == b"CURVE" and len(request) == 7 and len(request[6]) == 32:
            key = zmq.utils.z85.encode(request[6]).decode()
        is_allowed = bool(key) and self.lets_in(key)
        status = [b"200", b"OK", key.encode()] if is_allowed else [b"400", b"not let in", b""]
        return [*route, version, id, *status, b""]
