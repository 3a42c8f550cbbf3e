"""Reads the text of `.svc` files into declarations.

It trusts that the compiler has checked them, as it has those that a server tells: what is wrong is refused, but not
explained. `docs/language.md` defines the language.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

MAX_DEPTH = 64
_TOKEN = re.compile(
    r"""(?P<doc>///(?!/)[^\n]*) | (?://[^\n]*) | (?P<string>"(?:\\.|[^"\\\n])*") | (?P<bytes>b"(?:\\.|[^"\\\n])*")
    | (?P<number>-?[0-9](?:[eE][+-][0-9]|\w)*(?:\.[0-9](?:[eE][+-][0-9]|\w)*)?)
    | (?P<word>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*) | (?P<mark>->|\.\.=|\.\.|[@{}()\[\]<>:;,=?])""",
    re.VERBOSE,
)
_SPACE = re.compile(r"\s*")


class SchemaError(Exception):
    """A schema that can't be read."""


@dataclass(frozen=True)
class TypeUse:
    """A type where it is used: its name, what is in its `<…>`, and whether it may be absent."""

    name: str
    arguments: tuple[TypeUse, ...] = ()
    is_optional: bool = False


@dataclass(frozen=True)
class Word:
    """A name where a value stands."""

    name: str


@dataclass(frozen=True)
class Entries:
    """What stands in braces where a value does: the entries of a map, or the fields of a struct."""

    pairs: tuple[tuple[Any, Any], ...]


@dataclass
class Member:
    """A field, a parameter, a variant, a flag or a value of an enum."""

    name: str
    number: int
    type: TypeUse | None = None
    is_stream: bool = False
    fields: list[Member] | None = None
    """Of a variant with fields of its own."""
    docs: str = ""
    attributes: dict[str, list[Any]] = field(default_factory=dict[str, "list[Any]"])


@dataclass
class Rpc:
    """A method."""

    name: str
    parameters: list[Member]
    answer: TypeUse | None
    answers_stream: bool
    throws: list[str]
    is_oneway: bool
    docs: str
    attributes: dict[str, list[Any]]


@dataclass
class Declaration:
    """A declaration: `kind` is the word that it begins with."""

    kind: str
    name: str
    docs: str
    attributes: dict[str, list[Any]]
    members: list[Member] = field(default_factory=list[Member])
    nested: list[Declaration] = field(default_factory=list["Declaration"])
    type: TypeUse | None = None
    """Of an alias or a constant."""
    value: Any = None
    """Of a constant."""
    methods: list[Rpc] = field(default_factory=list[Rpc])
    extends: list[str] = field(default_factory=list[str])


@dataclass
class File:
    """A file."""

    package: str = ""
    aliases: dict[str, str] = field(default_factory=dict[str, str])
    """The paths of imports that have a name here."""
    imports: list[str] = field(default_factory=list[str])
    declarations: list[Declaration] = field(default_factory=list[Declaration])


def read(text: str) -> File:
    """Returns what a file declares. Raises `SchemaError`."""
    return _Reader(text).file()


class _Reader:
    """Reads one file."""

    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, str]] = []
        pos = _end_of_space(text, 0)
        while pos < len(text):
            found = _TOKEN.match(text, pos)
            if found is None:
                raise SchemaError(f"no token begins with {text[pos : pos + 20]!r}")
            if found.lastgroup is not None:
                self.tokens.append((found.lastgroup, found.group()))
            pos = _end_of_space(text, found.end())
        self.at = 0
        self.docs = ""
        self.attributes: dict[str, list[Any]] = {}

    # ---- tokens

    def peek(self) -> str:
        return self.tokens[self.at][1] if self.at < len(self.tokens) else ""

    def take(self, kind: str | None = None) -> str:
        if self.at >= len(self.tokens) or kind not in (None, self.tokens[self.at][0]):
            raise SchemaError(f"expected a {kind or 'token'} in place of `{self.peek()}`")
        self.at += 1
        return self.tokens[self.at - 1][1]

    def accept(self, text: str) -> bool:
        if self.peek() != text:
            return False
        self.at += 1
        return True

    def expect(self, text: str) -> None:
        if not self.accept(text):
            raise SchemaError(f"expected `{text}` in place of `{self.peek()}`")

    # ---- files

    def file(self) -> File:
        file = File()
        while self.at < len(self.tokens):
            self.preamble()
            word = self.take("word")
            if word == "package":
                file.package = self.take("word")
                self.expect(";")
            elif word == "import":
                path = _unquoted(self.take("string"))
                file.imports.append(path)
                if self.accept("as"):
                    file.aliases[self.take("word")] = path
                self.expect(";")
            else:
                file.declarations.append(self.declaration(word, 0))
        return file

    def preamble(self) -> None:
        """Takes docs and attributes, which are kept for what comes next."""
        lines: list[str] = []
        self.attributes = {}
        while self.at < len(self.tokens):
            if self.tokens[self.at][0] == "doc":
                lines.append(self.take()[3:].removeprefix(" "))
            elif self.accept("@"):
                name = self.take("word")
                self.attributes[name] = self.arguments() if self.accept("(") else []
            else:
                break
        self.docs = "\n".join(lines)

    def arguments(self) -> list[Any]:
        values: list[Any] = []
        while not self.accept(")"):
            if self.peek() in ("..", "..="):
                self.take()
            else:
                values.append(self.value())
            self.accept(",")
        return values

    def value(self, depth: int = 0) -> Any:
        """Takes a value: a number, a duration in nanoseconds, a text, bytes, a list, entries in braces, or a name."""
        if depth > MAX_DEPTH:
            raise SchemaError(f"a value is nested deeper than {MAX_DEPTH} levels")
        kind, text = self.tokens[self.at] if self.at < len(self.tokens) else ("", "")
        self.at += 1
        if kind == "string":
            return _unquoted(text)
        if kind == "number":
            return number(text)
        if kind == "bytes":
            return _bytes(text)
        if text == "[":
            return self.elements(depth)
        if text == "{":
            return self.entries(depth)
        if kind != "word":
            raise SchemaError(f"expected a value in place of `{text}`")
        return {"true": True, "false": False}.get(text, Word(text))

    def elements(self, depth: int) -> list[Any]:
        values: list[Any] = []
        while not self.accept("]"):
            values.append(self.value(depth + 1))
            self.accept(",")
        return values

    def entries(self, depth: int) -> Entries:
        pairs: list[tuple[Any, Any]] = []
        while not self.accept("}"):
            key = self.value(depth + 1)
            self.expect(":")
            pairs.append((key, self.value(depth + 1)))
            self.accept(",")
        return Entries(tuple(pairs))

    # ---- declarations

    def declaration(self, kind: str, depth: int) -> Declaration:
        if depth > MAX_DEPTH:
            raise SchemaError(f"types are nested deeper than {MAX_DEPTH} levels")
        made = Declaration(kind, self.take("word"), self.docs, self.attributes)
        if kind == "const":
            self.expect(":")
            made.type = self.type()
            self.expect("=")
            made.value = self.value()
            self.expect(";")
        elif kind == "type":
            self.expect("=")
            made.type = self.type()
            self.expect(";")
        elif kind == "service":
            while self.accept("extends") or self.accept(","):
                made.extends.append(self.take("word"))
            self.expect("{")
            while not self.accept("}"):
                made.methods.append(self.method())
        elif kind in ("struct", "event", "enum", "flags", "union", "error"):
            self.expect("{")
            self.members(made, depth)
        else:
            raise SchemaError(f"no declaration begins with `{kind}`")
        return made

    def members(self, made: Declaration, depth: int) -> None:
        while not self.accept("}"):
            self.preamble()
            following = self.tokens[self.at + 1][0] if self.at + 1 < len(self.tokens) else ""
            if self.peek() == "reserved" and following in ("string", "number", "mark") and not self.is_member():
                self.reserved()
            elif self.peek() in ("struct", "enum", "flags", "union") and following == "word":
                made.nested.append(self.declaration(self.take(), depth + 1))
            else:
                made.members.append(self.member())

    def is_member(self) -> bool:
        """Reports whether what comes is a member that is called as a word of the language."""
        return self.tokens[self.at + 1][1] in (":", "=", "{")

    def reserved(self) -> None:
        while not self.accept(";"):
            self.take()

    def member(self) -> Member:
        """Takes a field, a variant or a value of an enum."""
        made = Member(self.take("word"), 0, docs=self.docs, attributes=self.attributes)
        if self.accept(":"):
            made.type = self.type()
        elif self.accept("{"):
            made.fields = []
            while not self.accept("}"):
                self.preamble()
                if self.peek() == "reserved" and not self.is_member():
                    self.reserved()
                else:
                    made.fields.append(self.member())
        self.expect("=")
        made.number = int(number(self.take("number")))
        self.expect(";")
        return made

    def method(self) -> Rpc:
        self.preamble()
        docs, attributes = self.docs, self.attributes
        kind = self.take("word")
        if kind not in ("rpc", "oneway"):
            raise SchemaError(f"no method begins with `{kind}`")
        name = self.take("word")
        self.expect("(")
        parameters: list[Member] = []
        while not self.accept(")"):
            self.preamble()
            made = Member(self.take("word"), len(parameters) + 1, docs=self.docs, attributes=self.attributes)
            self.expect(":")
            made.is_stream, made.type = self.streamed()
            parameters.append(made)
            self.accept(",")
        answers_stream, answer = self.streamed() if self.accept("->") else (False, None)
        throws: list[str] = []
        while self.accept("throws") or (throws and self.accept(",")):
            throws.append(self.take("word"))
        self.expect(";")
        return Rpc(name, parameters, answer, answers_stream, throws, kind == "oneway", docs, attributes)

    def streamed(self) -> tuple[bool, TypeUse]:
        """Takes a type, which `stream` may stand before."""
        # `stream` is the keyword unless it can only be a type of that name.
        is_stream = self.peek() == "stream" and self.tokens[self.at + 1][0] == "word"
        if is_stream and self.tokens[self.at + 1][1] == "throws":
            is_stream = self.tokens[self.at + 2][0] == "word"
        if is_stream:
            self.take()
        return is_stream, self.type()

    def type(self, depth: int = 0) -> TypeUse:
        if depth > MAX_DEPTH:
            raise SchemaError(f"a type is nested deeper than {MAX_DEPTH} levels")
        name = self.take("word")
        arguments: list[TypeUse] = []
        if self.accept("<"):
            while not self.accept(">"):
                arguments.append(self.type(depth + 1))
                self.accept(",")
        return TypeUse(name, tuple(arguments), self.accept("?"))


_BYTE = re.compile(r"\\x([0-9A-Fa-f]{2})|\\([nrt0\"\\])|([^\\])")
_ESCAPED = {"n": b"\n", "r": b"\r", "t": b"\t", "0": b"\0", '"': b'"', "\\": b"\\"}


def _bytes(text: str) -> bytes:
    """Returns the bytes of a literal."""
    made = bytearray()
    for found in _BYTE.finditer(text[2:-1]):
        code, escape, plain = found.groups()
        made += bytes.fromhex(code) if code else _ESCAPED[escape] if escape else plain.encode()
    return bytes(made)


_UNITS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}


def number(text: str) -> int | float:
    """Returns the value of a literal: a number, or a duration in nanoseconds."""
    found = re.fullmatch(r"(-?[0-9_.]+)(ns|us|ms|s|m|h)", text)
    try:
        if found is not None:
            whole, _, part = found[1].replace("_", "").partition(".")
            unit = _UNITS[found[2]]
            return int(whole) * unit + (int(part) * unit // 10 ** len(part) if part else 0)
        plain = text.replace("_", "")
        is_whole = plain.isdigit() or plain.lstrip("-").isdigit() or plain.lstrip("-")[:2].lower() in ("0x", "0o", "0b")
        return int(plain, 0) if is_whole else float(plain)
    except ValueError:
        raise SchemaError(f"`{text}` is no number") from None


def _unquoted(text: str) -> str:
    """Returns the text of a literal, whose escapes are Rust's."""
    plain = re.sub(r"\\u\{([0-9a-fA-F_]+)\}", lambda found: chr(int(found[1].replace("_", ""), 16)), text)
    plain = plain.replace("\\0", "\\u0000").replace("\\'", "'")
    try:
        return str(json.loads(plain, strict=False))
    except ValueError:
        raise SchemaError(f"{text} is no text") from None


def _end_of_space(text: str, pos: int) -> int:
    found = _SPACE.match(text, pos)
    assert found is not None, "space may be empty"
    return found.end()
