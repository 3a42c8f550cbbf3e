"""JSON Web Tokens that are good, and all ways in which they are not, by the cases and the tokens of Rust's tests."""

import asyncio
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from conftest import ROOT, run
from floor import Floor
from generated.market import v1 as market

import zsvc
from zsvc import Code, Outcome, Status
from zsvc.jwt import Jwt, JwtKeyError, JwtKeys

VECTORS = ROOT / "runtime/src/auth/jwt/vectors"
JWKS, RSA = VECTORS / "jwks.json", VECTORS / "rsa.pem"
TOKENS = dict(line.split(" ", 1) for line in (VECTORS / "tokens.txt").read_text().splitlines() if " " in line)
SECRET = "a secret that is known to these tests, and to no other"


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    """Writes a file for its owner alone, in place of the one that is there."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.chmod(mode)
    return new.replace(path)


def by_secret(folder: Path, *audiences: str, **options: Any) -> Jwt:
    return Jwt(JwtKeys.secret(write(folder / "secret", f"{SECRET}\n")), *(audiences or ("orders",)), **options)


def signed(secret: str = SECRET, **more: Any) -> str:
    """Signs claims by the secret, in addition to those that a good token has. `None` takes one of these away."""
    claims = {"sub": "alice", "aud": "orders", "roles": ["trader"], "exp": int(time.time()) + 600, **more}
    return str(jwt.api_jws.encode(json.dumps({k: v for k, v in claims.items() if v is not None}).encode(), secret))


def refuses(verifier: Jwt, token: str, told: str) -> None:
    with pytest.raises(Status) as caught:
        verifier.verify(token)
    assert (caught.value.code, caught.value.outcome) == (Code.UNAUTHENTICATED, Outcome.NOT_SENT)
    assert told in caught.value.message
    assert len(token) < 20 or token[:20] not in caught.value.message


def test_tokens_of_other_programs_by_each_kind_of_key_are_taken() -> None:
    verifier = Jwt(JwtKeys.jwks(JWKS), "orders", issuers=["https://login.example"])
    for name in ("rs256", "ps256", "es256", "eddsa"):
        assert verifier.verify(TOKENS[name]) == zsvc.Identity("alice", ["clerk", "trader"]), name
    for pem, name in (("rsa", "rs256"), ("rsa", "rs256-unknown-kid"), ("p256", "es256"), ("ed25519", "eddsa")):
        assert Jwt(JwtKeys.pem(VECTORS / f"{pem}.pem"), "orders").verify(TOKENS[name]).name == "alice", name


def test_a_token_names_one_of_the_keys_and_can_not_choose_what_it_is_used_for() -> None:
    verifier = Jwt(JwtKeys.jwks(JWKS), "orders")
    refuses(verifier, TOKENS["rs256-unknown-kid"], "names a key that is not known")
    refuses(verifier, TOKENS["rs256-for-encryption"], "names a key that is not known")
    refuses(verifier, TOKENS["rs256-kid-of-another"], "an algorithm that is not taken")
    assert verifier.verify(TOKENS["rs256-no-kid"]).name == "alice", "one key alone is of that algorithm"
    narrow = Jwt(JwtKeys.jwks(JWKS), "orders", algorithms=["ES256", "PS256"])
    assert narrow.verify(TOKENS["es256"]) == narrow.verify(TOKENS["ps256"])
    refuses(narrow, TOKENS["rs256"], "an algorithm that is not taken")


def forged(header: dict[str, Any], claims: str, signature: str) -> str:
    return f"{jwt.utils.base64url_encode(json.dumps(header).encode()).decode()}.{claims}.{signature}"


def test_a_public_key_is_no_secret_and_no_signature_is_none(tmp_path: Path) -> None:
    import hashlib
    import hmac

    claims = signed().split(".")[1]
    text = forged({"alg": "HS256", "typ": "JWT"}, claims, "").rstrip(".")
    # Who takes the algorithm from the token would take the public key for the secret of an HMAC.
    mac = hmac.new(RSA.read_bytes(), text.encode(), hashlib.sha256).digest()
    token = f"{text}.{jwt.utils.base64url_encode(mac).decode()}"
    for algorithms in ((), ("HS256",)):
        refuses(Jwt(JwtKeys.pem(RSA), "orders", algorithms=algorithms), token, "an algorithm that is not taken")
    for alg in ("none", "None", "", None, 7):
        for signature in ("", signed().split(".")[2]):
            for verifier in (by_secret(tmp_path), Jwt(JwtKeys.pem(RSA), "orders")):
                refuses(verifier, forged({"alg": alg}, claims, signature), "")


def test_the_time_the_audience_and_the_issuer_of_a_token_are_heeded(tmp_path: Path) -> None:
    verifier, now = by_secret(tmp_path), int(time.time())
    assert verifier.verify(signed(iat=now + 1_000)).name == "alice"
    for claims, told in (
        ({"exp": now - 600}, "time is up"),
        ({"exp": None}, "lacks the claim `exp`"),
        ({"exp": "tomorrow"}, ""),
        ({"exp": str(now + 600)}, "`exp` of the token must be a number"),
        ({"exp": float("inf")}, ""),
        ({"exp": -1}, ""),
        ({"nbf": now + 600}, "has not come yet"),
        ({"nbf": "now"}, ""),
        ({"aud": "invoices"}, "another audience"),
        ({"aud": None}, "lacks the claim `aud`"),
    ):
        refuses(verifier, signed(**claims), told)
    assert verifier.verify(signed(aud=["invoices", "orders"])).name == "alice"
    assert by_secret(tmp_path, "orders", "invoices").verify(signed(aud="invoices")).name == "alice"
    of_one = by_secret(tmp_path, issuers=["https://login.example"])
    refuses(of_one, signed(iss="https://login.evil"), "another issuer")
    refuses(of_one, signed(), "lacks the claim `iss`")
    assert of_one.verify(signed(iss="https://login.example")).name == "alice"
    just_past = signed(exp=now - 10, nbf=now + 10)
    assert verifier.verify(just_past).name == "alice", "clocks differ by a little"
    refuses(by_secret(tmp_path, leeway=0), just_past, "time")
    assert by_secret(tmp_path, leeway=1e9).verify(signed(exp=now - 500)).name == "alice"
    refuses(by_secret(tmp_path, leeway=1e9), signed(exp=now - 700), "time is up")
    with pytest.raises(ValueError, match="`leeway` is a number of seconds"):
        by_secret(tmp_path, leeway=float("nan"))


def test_names_and_roles_are_read_where_the_program_says(tmp_path: Path) -> None:
    verifier = by_secret(tmp_path)
    assert verifier.verify(signed(roles=None)).roles == ()
    assert verifier.verify(signed(roles="admin trader")).roles == ("admin", "trader")
    assert verifier.verify(signed(roles="read\u00a0admin ")).roles == ("read\u00a0admin",)
    nested = by_secret(tmp_path, role_claim="realm_access.roles")
    assert nested.verify(signed(realm_access={"roles": ["a"]})).roles == ("a",)
    more: dict[str, Any] = {"realm_access": {}, "realm_access.roles": ["b"]}
    assert nested.verify(signed(**more)).roles == ("b",)
    assert nested.verify(signed()).roles == (), "those of `roles` are not meant"
    refuses(verifier, signed(roles=["a", 1]), "`roles` of the token must be a list of texts")
    refuses(verifier, signed(roles={"admin": True}), "must be a list of texts")
    for sub in (None, "", 7, "alice\nbob", "\ud800"):
        refuses(verifier, signed(sub=sub), "")
    assert by_secret(tmp_path, name_claim="email").verify(signed(email="a@example")).name == "a@example"


def test_what_is_no_token_is_refused_whatever_it_is(tmp_path: Path) -> None:
    verifier, good = by_secret(tmp_path), signed()
    wrong = ["", ".", "..", "...", "a.b.c", "{}", "\0", "é.é.é", "x" * 8_192, "." * 8_192]
    wrong += [f"{good}.", f"{good}.{good}", good[1:]]
    # Each character changed, but for the last of a part, some of whose bits stand for nothing.
    for at in range(len(good) - 1):
        if good[at] != "." and good[at + 1] != ".":
            wrong.append(f"{good[:at]}{'B' if good[at] == 'A' else 'A'}{good[at + 1 :]}")
    for token in wrong:
        refuses(verifier, token, "")
    assert verifier.verify(good).name == "alice"


@pytest.mark.parametrize(
    ("text", "keys", "told"),
    [
        ("{}", JwtKeys.jwks, "no JSON Web Key Set"),
        ("[", JwtKeys.jwks, "no JSON Web Key Set: line 1"),
        ('{"keys": []}', JwtKeys.jwks, "none of its keys is public"),
        (
            '{"keys": [5, {"kty": "oct", "k": "c2VjcmV0"}, {"kty": "RSA", "n": 5, "e": "AQAB"}]}',
            JwtKeys.jwks,
            "none of its",
        ),
        (RSA.read_text(), JwtKeys.jwks, "no JSON Web Key Set"),
        (JWKS.read_text(), JwtKeys.pem, "no `PUBLIC KEY` in PEM"),
        ((VECTORS / "rsa-1968.pem").read_text(), JwtKeys.pem, "an RSA key has 2048 bits or more"),
        ("-----BEGIN PRIVATE KEY-----\n", JwtKeys.pem, "it is a private key"),
        ("too short\n", JwtKeys.secret, "32 random bytes or more, and this one has 9"),
        (JWKS.read_text().replace('"kid": "e"', '"kid": "r"'), JwtKeys.jwks, "the same `kid`"),
    ],
)
def test_files_without_keys_are_told_with_what_is_wrong(
    tmp_path: Path, text: str, keys: Callable[[Path], JwtKeys], told: str
) -> None:
    with pytest.raises(JwtKeyError) as caught:
        Jwt(keys(write(tmp_path / "keys", text)), "orders")
    assert told in str(caught.value)


def test_what_can_not_be_read_or_asked_for(tmp_path: Path) -> None:
    with pytest.raises(JwtKeyError, match=r"`/nowhere/jwks\.json` can't be read: No such file"):
        Jwt(JwtKeys.jwks("/nowhere/jwks.json"), "orders")
    if os.name == "posix":
        with pytest.raises(JwtKeyError, match="run `chmod 600 "):
            Jwt(JwtKeys.secret(write(tmp_path / "secret", SECRET, 0o640)), "orders")
    with pytest.raises(ValueError, match="name an audience"):
        Jwt(JwtKeys.pem(RSA))
    with pytest.raises(ValueError, match="there is no algorithm `none`; there are HS256"):
        by_secret(tmp_path, algorithms=["none"])
    assert SECRET not in repr(by_secret(tmp_path))


@run
async def test_a_server_takes_tokens_and_changed_keys(tmp_path: Path) -> None:
    verifier, seen = by_secret(tmp_path), []

    class Seeing(Floor):
        async def ping(self, context: zsvc.Context) -> None:
            seen.append(context.identity)

    tokens = zsvc.Tokens(verifier, remember=1_000)
    async with zsvc.Server(Seeing(), bind="tcp://127.0.0.1:*", tokens=tokens) as server:
        async with market.TapeClient.connect(*server.endpoints) as tape:

            async def call(token: str) -> None:
                await tape.with_options(timeout=20, metadata={"authorization": f"Bearer {token}"}).ping()

            good = signed()
            await call(good)
            assert seen == [zsvc.Identity("alice", ["trader"])]
            with pytest.raises(Status, match="time is up"):
                await call(signed(exp=5))
            write(tmp_path / "secret", "too short")
            while not verifier.refused:
                await asyncio.sleep(0.01)
            await call(good)
            other = "another secret, of which the tokens so far know nothing"
            write(tmp_path / "secret", other, 0o640)
            while verifier.refused < 2:
                await asyncio.sleep(0.01)
            os.chmod(tmp_path / "secret", 0o600)
            while not verifier.taken:
                await asyncio.sleep(0.01)
            # What is remembered is forgotten.
            with pytest.raises(Status, match="signature does not fit"):
                await call(good)
            await call(signed(other))
            assert (verifier.taken, verifier.refused, len(seen)) == (1, 2, 3)
    verifier.close()
