"""JSON Web Tokens, signed by keys that stand in a file, which is followed. Needs the extra `jwt`.

What is allowed is decided by the keys, and never by the token: a token says which of the keys and algorithms it is
about, and no more. Nothing is fetched over the network.
"""

from __future__ import annotations

import json
import logging
import math
import os
import re
import threading
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from .access.follow import INTERVAL, Due, Followed, keep_looking
from .identity import Identity
from .io.keys import why_unreadable
from .status import Cause, Code, Outcome, Status

_LOG = logging.getLogger("zsvc")
_MAX_FILE_BYTES = 1024 * 1024
_MIN_SECRET_BYTES = 32
_MIN_RSA_BITS = 2_048
_MAX_LEEWAY = 600.0
_OF_SECRETS = {"HS256": 32, "HS384": 48, "HS512": 64}
_OF_RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
ALGORITHMS = (*_OF_SECRETS, *_OF_RSA, "ES256", "ES384", "EdDSA")
"""Those by which tokens may be signed."""
_NOT_TAKEN = "the token is signed by an algorithm that is not taken here"
_UNREADABLE = "this is no JSON Web Token that can be read here"
_TOLD: list[tuple[type[Exception], str]] = [
    (jwt.ExpiredSignatureError, "the token's time is up"),
    (jwt.ImmatureSignatureError, "the token's time has not come yet"),
    (jwt.InvalidAudienceError, "the token is meant for another audience"),
    (jwt.InvalidIssuerError, "the token is of another issuer"),
    (jwt.InvalidSignatureError, "the token's signature does not fit"),
    (jwt.InvalidAlgorithmError, _NOT_TAKEN),
]


class JwtKeyError(ValueError):
    """Why there are no keys to be had."""

    def __init__(self, message: str, *, is_unread: bool = False) -> None:
        super().__init__(message)
        self.is_unread = is_unread
        """Whether the file can't be read, which may pass without a change of it."""


@dataclass(frozen=True)
class _Key:
    id: str | None
    value: Any
    algorithms: tuple[str, ...]


class JwtKeys:
    """Where the keys stand by which tokens are signed: `jwks`, `pem` or `secret`."""

    def __init__(self, path: str | Path, read: Callable[[bytes], list[_Key]], *, is_secret: bool = False) -> None:
        self.path = Path(path)
        self._read, self._is_secret = read, is_secret

    @classmethod
    def jwks(cls, path: str | Path) -> JwtKeys:
        """Names a JSON Web Key Set (RFC 7517), as issuers publish it. Keys that are not for signatures are left out."""
        return cls(path, _jwks)

    @classmethod
    def pem(cls, path: str | Path) -> JwtKeys:
        """Names a public key in PEM: `-----BEGIN PUBLIC KEY-----`."""
        return cls(path, _pem)

    @classmethod
    def secret(cls, path: str | Path) -> JwtKeys:
        """Names a secret that the issuer has, too: all bytes of the file but line ends at its end, 32 or more.

        On Unix, others than its owner must not be able to read the file. Who can verify such tokens can issue them.
        """
        return cls(path, _secret, is_secret=True)

    def read(self) -> list[_Key]:
        """Returns the keys. Raises `JwtKeyError`."""
        try:
            with self.path.open("rb") as file:
                if self._is_secret and os.name == "posix" and os.fstat(file.fileno()).st_mode & 0o077:
                    text = f"others than its owner may read the secret in `{self.path}`; run `chmod 600 {self.path}`"
                    raise JwtKeyError(text, is_unread=True)
                data = file.read(_MAX_FILE_BYTES)
        except OSError as why:
            text = f"the file of token keys `{self.path}` can't be read: {why_unreadable(why)}"
            raise JwtKeyError(text, is_unread=True) from None
        try:
            return self._read(data)
        except ValueError as why:
            raise JwtKeyError(f"`{self.path}` has no keys for tokens: {why}") from None


class Jwt:
    """Verifies JSON Web Tokens: `Server(…, tokens=Jwt(JwtKeys.jwks("keys/jwks.json"), "orders"))`.

    A token must be signed by one of the keys, by an algorithm of that key; have a time (`exp`) that is not up; be meant
    for an audience that is named (`aud`); and have a name. A time before which it does not count (`nbf`) is heeded. The
    file of the keys is followed; one with anything wrong in it changes nothing, and is logged and counted.
    """

    def __init__(
        self,
        keys: JwtKeys,
        *audiences: str,
        issuers: Sequence[str] = (),
        algorithms: Sequence[str] = (),
        leeway: float = 30.0,
        name_claim: str = "sub",
        role_claim: str = "roles",
    ) -> None:
        """`issuers` and `algorithms` are all that the keys allow, if there are none. `leeway` is by how many seconds
        clocks may differ, ten minutes at most. Points in claims lead into objects: `realm_access.roles`. Roles are
        a list of texts, or one text with spaces between them. Raises `JwtKeyError` and `ValueError`.
        """
        if math.isnan(leeway):
            raise ValueError("`leeway` is a number of seconds")
        if not audiences or isinstance(issuers, str) or isinstance(algorithms, str):
            raise ValueError("name an audience at least; `issuers` and `algorithms` are lists")
        unknown = [name for name in algorithms if name not in ALGORITHMS]
        if unknown:
            raise ValueError(f"there is no algorithm `{unknown[0]}`; there are {', '.join(ALGORITHMS)}")
        self._audiences, self._issuers, self._algorithms = list(audiences), list(issuers), tuple(algorithms)
        self._leeway = min(max(leeway, 0.0), _MAX_LEEWAY)
        self._name_claim, self._role_claim = name_claim, role_claim
        self._file = keys
        self._followed = Followed([keys.path])
        self._keys = keys.read()
        self.taken = self.refused = self.generation = 0
        self._is_closed = threading.Event()
        keep_looking(self, "zsvc-token-keys", self._is_closed)

    async def __call__(self, token: str) -> Identity:
        """Returns whose token this is. Raises `Status` if it is not good."""
        return self.verify(token)

    def verify(self, token: str) -> Identity:
        """Returns whose token this is. Raises `Status` if it is not good."""
        try:
            return self._identity(self._claims(token))
        except jwt.MissingRequiredClaimError as why:
            text = f"the token lacks the claim `{why.claim}`"
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as why:
            text = next((text for kind, text in _TOLD if isinstance(why, kind)), _UNREADABLE)
        raise _refused(text)

    def close(self) -> None:
        """Follows the file no longer."""
        self._is_closed.set()

    def look(self) -> None:
        """Takes over changed keys."""
        due = self._followed.due()
        if due is None:
            return
        self._followed = Followed([self._file.path])
        try:
            self._keys = self._file.read()
        except JwtKeyError as why:
            if why.is_unread:
                self._followed.unread()
            # What was told once is not told again.
            if not (why.is_unread and due is Due.AGAIN):
                self.refused += 1
                _LOG.warning("did not take a changed file of token keys over; the keys stay as they were: %s", why)
            return
        self.generation += 1
        self.taken += 1
        _LOG.info("took the changed file of token keys `%s` over", self._file.path)

    def wait(self) -> float:
        """Returns the seconds until the next look."""
        return INTERVAL

    def _claims(self, token: str) -> dict[str, Any]:
        header = jwt.get_unverified_header(token)
        algorithm, id = header.get("alg"), header.get("kid")
        if not isinstance(algorithm, str) or not isinstance(id, str | None):
            raise jwt.DecodeError
        key = _find(self._keys, id, algorithm)
        if algorithm not in key.algorithms or (self._algorithms and algorithm not in self._algorithms):
            raise jwt.InvalidAlgorithmError
        claims: dict[str, Any] = jwt.decode(
            token,
            key.value,
            algorithms=[algorithm],
            audience=self._audiences,
            issuer=self._issuers or None,
            leeway=self._leeway,
            options={
                "require": ["exp", "aud", *(["iss"] if self._issuers else [])],
                "verify_iat": False,
                "verify_sub": False,
                "verify_jti": False,
            },
        )
        if isinstance(claims["exp"], bool) or not isinstance(claims["exp"], int | float):
            raise _refused("the claim `exp` of the token must be a number")
        return claims

    def _identity(self, claims: dict[str, Any]) -> Identity:
        name, roles = _at(claims, self._name_claim), _at(claims, self._role_claim)
        # It stands in logs.
        if not isinstance(name, str) or not name or any(unicodedata.category(it) in ("Cc", "Cs") for it in name):
            what = "a text that is not empty, without control characters"
            raise _refused(f"the claim `{self._name_claim}` of the token must be {what}")
        if isinstance(roles, str):
            # As Rust does it: other blanks are a part of a role.
            roles = [role for role in re.split(r"[ \t\n\r\f]+", roles) if role]
        if roles is not None and not (isinstance(roles, list) and all(isinstance(it, str) for it in roles)):
            raise _refused(f"the claim `{self._role_claim}` of the token must be a list of texts")
        return Identity(name, sorted(set(roles or ())))

    def __repr__(self) -> str:
        return f"<zsvc.jwt.Jwt by {self._file.path} for {', '.join(self._audiences)}>"


def _refused(text: str) -> Status:
    return Status(Code.UNAUTHENTICATED, text, outcome=Outcome.NOT_SENT, cause=Cause.FORBIDDEN)


def _at(claims: Any, path: str) -> Any:
    """Returns the value of a claim: of that name, or else by a path with points; `None` if there is none."""
    if path in claims:
        return claims[path]
    for name in path.split("."):
        claims = claims.get(name) if isinstance(claims, dict) else None
    return claims


def _find(keys: list[_Key], id: str | None, algorithm: str) -> _Key:
    """Returns the key that a token names. Raises `Status`."""
    if len(keys) == 1 and (keys[0].id is None or id is None):
        return keys[0]
    if id is not None:
        named = next((key for key in keys if key.id == id), None)
        if named is None:
            raise _refused("the token names a key that is not known here")
        return named
    fitting = [key for key in keys if algorithm in key.algorithms]
    if len(fitting) != 1:
        raise _refused("the token does not name its key, and there are several")
    return fitting[0]


def _secret(data: bytes) -> list[_Key]:
    secret = data.rstrip(b" \t\r\n\f")
    if len(secret) < _MIN_SECRET_BYTES:
        raise ValueError(f"a secret has {_MIN_SECRET_BYTES} random bytes or more, and this one has {len(secret)}")
    return [_Key(None, secret, tuple(name for name, size in _OF_SECRETS.items() if len(secret) >= size))]


def _pem(data: bytes) -> list[_Key]:
    if b"PRIVATE KEY" in data:
        raise ValueError("it is a private key, and a server needs the public one alone")
    key: Any = None
    if b"-----BEGIN PUBLIC KEY-----" in data:
        try:
            key = load_pem_public_key(data)
        except (ValueError, UnsupportedAlgorithm):
            key = None
    algorithms = _algorithms_of(key)
    if not algorithms:
        raise ValueError("it is no `PUBLIC KEY` in PEM, of RSA, P-256, P-384 or Ed25519")
    if isinstance(key, RSAPublicKey) and key.key_size < _MIN_RSA_BITS:
        raise ValueError(f"an RSA key has {_MIN_RSA_BITS} bits or more")
    return [_Key(None, key, algorithms)]


def _algorithms_of(key: Any) -> tuple[str, ...]:
    if isinstance(key, RSAPublicKey):
        return _OF_RSA
    if isinstance(key, EllipticCurvePublicKey):
        return {SECP256R1: ("ES256",), SECP384R1: ("ES384",)}.get(type(key.curve), ())
    return ("EdDSA",) if isinstance(key, Ed25519PublicKey) else ()


def _jwks(data: bytes) -> list[_Key]:
    try:
        given = json.loads(data)
    except json.JSONDecodeError as why:
        raise ValueError(f"it is no JSON Web Key Set: line {why.lineno}, column {why.colno}") from None
    except (UnicodeDecodeError, RecursionError):
        raise ValueError("it is no JSON Web Key Set") from None
    if not isinstance(given, dict) or not isinstance(given.get("keys"), list):
        raise ValueError("it is no JSON Web Key Set: it has no list of `keys`")
    keys: list[_Key] = []
    for one in given["keys"]:
        key = _jwk(one) if isinstance(one, dict) else None
        if key is None:
            continue
        if key.id is not None and any(known.id == key.id for known in keys):
            raise ValueError("two keys have the same `kid`")
        keys.append(key)
    if not keys:
        raise ValueError("none of its keys is public, for signatures, and of RSA, P-256, P-384 or Ed25519")
    return keys


_PARTS: dict[str, tuple[Any, tuple[str, ...]]] = {
    "RSA": (RSAAlgorithm, ("kty", "n", "e")),
    "EC": (ECAlgorithm, ("kty", "crv", "x", "y")),
    "OKP": (OKPAlgorithm, ("kty", "crv", "x")),
}


def _jwk(given: dict[str, Any]) -> _Key | None:
    """Reads a key, if it is of a kind that is used here, and for signatures. A secret is none."""
    operations, id = given.get("key_ops"), given.get("kid")
    if given.get("use", "sig") != "sig" or (isinstance(operations, list) and "verify" not in operations):
        return None
    algorithm, parts = _PARTS.get(str(given.get("kty")), (None, ()))
    if algorithm is None or not all(name in given for name in parts):
        return None
    try:
        key = algorithm.from_jwk({name: given[name] for name in parts})
    except (jwt.PyJWTError, UnsupportedAlgorithm, ValueError, TypeError, AttributeError):
        return None
    algorithms = _algorithms_of(key)
    if isinstance(key, RSAPublicKey) and key.key_size < _MIN_RSA_BITS:
        return None
    if given.get("alg") is not None:
        algorithms = tuple(name for name in algorithms if name == given["alg"])
    return _Key(id if isinstance(id, str) else None, key, algorithms) if algorithms else None


__all__ = ["ALGORITHMS", "Jwt", "JwtKeyError", "JwtKeys"]
