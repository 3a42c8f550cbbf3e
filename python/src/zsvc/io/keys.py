"""Keys of CURVE as text, and the files of `zsvc keygen` that have them."""

from __future__ import annotations

from pathlib import Path

import zmq

KEY_CHARACTERS = 40
_MAX_BYTES = 64 * 1024
_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
_OF_NAMES = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789$-_@.&+/")


class Unreadable(ValueError):
    """A file can't be read, which may pass without a change of it."""


def why_unreadable(error: OSError) -> str:
    """Returns what the system says."""
    return f"{error.strerror or error} (os error {error.errno})"


def check_key(text: str) -> None:
    """Raises `ValueError` for what is no key, without the text: it may be a secret one."""
    size = len(text.encode("utf-8", "surrogatepass"))
    if size != KEY_CHARACTERS:
        raise ValueError(f"a key has {KEY_CHARACTERS} characters of Z85, and this text has {size}")
    for start in range(0, KEY_CHARACTERS, 5):
        number = 0
        for at in range(start, start + 5):
            digit = _ALPHABET.find(text[at]) if at < len(text) else -1
            if digit < 0:
                raise ValueError(f"the text is no Z85 from character {at + 1} on")
            number = number * 85 + digit
        if number >= 1 << 32:
            raise ValueError(f"the text is no Z85 from character {start + 1} on")


def public_key_of(path: Path) -> str:
    """Returns the public key in a file of `zsvc keygen`. Raises `ValueError` with what is wrong."""
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise Unreadable(f"the key file `{path}` can't be read: {why_unreadable(error)}") from None
    try:
        return _public_key(data)
    except ValueError as why:
        raise ValueError(f"`{path}` is no file of keys: {why}") from None


def _public_key(data: bytes) -> str:
    try:
        text = data.decode() if len(data) <= _MAX_BYTES else None
    except UnicodeDecodeError:
        text = None
    if text is None:
        raise ValueError(f"it is no text of up to {_MAX_BYTES} bytes")
    found: dict[str, str] = {}
    section = ""
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        name, value = _property(stripped, number)
        if not line.startswith((" ", "\t")):
            section = name
        elif value is not None and section == "curve" and name in ("public-key", "secret-key"):
            try:
                check_key(value)
            except ValueError as why:
                raise ValueError(f"line {number} has no key: {why}") from None
            if name in found:
                raise ValueError(f"line {number} has a second `{name}`")
            found[name] = value
    return _of_pair(found.get("public-key"), found.get("secret-key"))


def _of_pair(public: str | None, secret: str | None) -> str:
    of_secret = None if secret is None else zmq.curve_public(secret.encode()).decode()
    if public is not None and of_secret is not None and public != of_secret:
        raise ValueError("its `public-key` does not belong to its `secret-key`")
    key = public or of_secret
    if key is None:
        raise ValueError("there is no `public-key` or `secret-key` in a section `curve`")
    return key


def _property(stripped: str, line: int) -> tuple[str, str | None]:
    """Splits a line into a name and a value, if it has one."""
    end = next((at for at, it in enumerate(stripped) if it not in _OF_NAMES), len(stripped))
    name, rest = stripped[:end], stripped[end:].lstrip()
    if name and (not rest or rest.startswith("#")):
        return name, None
    if not name or not rest.startswith("="):
        raise ValueError(f"line {line} is neither a section nor `name = value`")
    value = rest[1:].strip()
    if not value.startswith(('"', "'")):
        # Up to the end of its line, since a key may have a `#`.
        return name, value
    text, quote, after = value[1:].partition(value[0])
    if not quote or not (after.lstrip() == "" or after.lstrip().startswith("#")):
        raise ValueError(f"the value in line {line} does not end with the quote that it begins with")
    return name, text
