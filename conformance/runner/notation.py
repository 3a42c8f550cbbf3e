"""The notation of cases: values, bytes, and patterns for them. `docs/conformance.md` defines it.

A node can be written (`write`), which gives its bytes, and compared with a value that was read (`compare`).
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from . import msgpack
from .msgpack import Ext, Pairs, Single

Names: TypeAlias = "dict[str, Any]"
"""What `@name` stands for."""


class NotationError(Exception):
    """A case is written wrongly."""


class Differs(Exception):
    """A value is not as a case says."""


@dataclass(frozen=True)
class Plain:
    """A value that stands for itself."""

    value: Any


@dataclass(frozen=True)
class Array:
    """An array, of which the rest may be anything."""

    items: tuple[Node, ...]
    is_open: bool = False


@dataclass(frozen=True)
class Map:
    """A map, in the order of its keys."""

    items: tuple[tuple[Node, Node], ...]


@dataclass(frozen=True)
class Bin:
    """`bin` that contains values, one after another."""

    items: tuple[Node, ...]


@dataclass(frozen=True)
class Raw:
    """Bytes that stand for themselves where a value would stand."""

    data: bytes


@dataclass(frozen=True)
class Name:
    """A value that is bound where it stands first, and the same from there on."""

    name: str


@dataclass(frozen=True)
class Anything:
    """Any value."""


@dataclass(frozen=True)
class Containing:
    """A string in which this occurs."""

    text: str


@dataclass(frozen=True)
class Between:
    """An integer within bounds, both included."""

    low: int
    high: int


Node: TypeAlias = "Plain | Array | Map | Bin | Raw | Name | Anything | Containing | Between"


def sent(node: Node) -> Node:
    """Returns what is sent where a pattern stands, so that a line can be expected of one side and said for another."""
    match node:
        case Anything():
            return Plain(None)
        case Containing(text):
            return Plain(text)
        case Between(_, high):
            return Plain(high)
        case Array(items, _):
            return Array(tuple(map(sent, items)))
        case Bin(items):
            return Bin(tuple(map(sent, items)))
    return node


def write(node: Node, names: Names) -> bytes:
    """Returns the bytes of a node. Raises `NotationError` for a pattern."""
    match node:
        case Plain(value):
            return msgpack.encode(value)
        case Raw(data):
            return data
        case Bin(items):
            return msgpack.encode(b"".join(write(item, names) for item in items))
        case Array(items, False):
            return _with_header([None] * len(items), [write(item, names) for item in items])
        case Map(items):
            parts = [write(key, names) + write(item, names) for key, item in items]
            return _with_header(Pairs(((None, None),) * len(items)), parts)
        case Name(name) if name in names:
            return msgpack.encode(names[name])
    raise NotationError(f"this can be expected, but not sent: {node}")


def _with_header(empty: Any, parts: Sequence[bytes]) -> bytes:
    """Returns the header of an array or a map of nils, with other content."""
    nils = len(parts) * (2 if isinstance(empty, Pairs) else 1)
    encoded = msgpack.encode(empty)
    return encoded[: len(encoded) - nils] + b"".join(parts)


def compare(node: Node, value: Any, names: Names) -> None:
    """Compares a value with a node. Raises `Differs`."""
    match node:
        case Anything():
            return
        case Name(name):
            _same(names.setdefault(name, value), value)
        case Containing(text):
            if not isinstance(value, str) or text not in value:
                raise Differs(f"{shown(value)} is no text with {text!r} in it")
        case Between(low, high):
            if not isinstance(value, int) or not low <= value <= high:
                raise Differs(f"{shown(value)} is not in {low}..{high}")
        case Array(items, is_open):
            if not isinstance(value, list) or (len(value) < len(items) if is_open else len(value) != len(items)):
                raise Differs(f"{shown(value)} is no array of {len(items)}")
            for item, found in zip(items, value, strict=False):
                compare(item, found, names)
        case Bin(items):
            _compare_bin(items, value, names)
        case Map():
            _compare_map(node, value, names)
        case Plain(expected):
            _same(expected, value)
        case Raw(data):
            if msgpack.encode(value) != data:
                raise Differs(f"{shown(value)} is not {data.hex()}")


def is_written(node: Node, names: Names) -> bool:
    """Reports whether a node is a value, and no pattern."""
    try:
        write(node, names)
    except NotationError:
        return False
    return True


def _compare_map(node: Map, value: Any, names: Names) -> None:
    """Compares a map; the order of its keys does not matter outside of bodies, which are compared to the byte."""
    if not isinstance(value, Pairs) or len(value.items) != len(node.items):
        raise Differs(f"{shown(value)} is no map of {len(node.items)}")
    found = {msgpack.encode(key): item for key, item in value.items}
    for key, item in node.items:
        data = write(key, names)
        if data not in found:
            raise Differs(f"{shown(value)} has no {key}")
        compare(item, found[data], names)


def _compare_bin(items: Sequence[Node], value: Any, names: Names) -> None:
    """Compares content to the byte, or by its values if one of them is a pattern."""
    if not isinstance(value, bytes):
        raise Differs(f"{shown(value)} is not `bin`")
    try:
        expected = b"".join(write(item, names) for item in items)
    except NotationError:
        values = msgpack.decode_all(value)
        compare(Array(tuple(items)), values, names)
        return
    if value != expected:
        raise Differs(f"the content is {value[:200].hex()}, which is {_content(value)}, and not {expected[:200].hex()}")


def _content(data: bytes) -> str:
    try:
        return ", ".join(map(shown, msgpack.decode_all(data)))[:400]
    except (msgpack.Malformed, UnicodeDecodeError) as error:
        return f"no values: {error}"


def _same(expected: Any, value: Any) -> None:
    if type(expected) is not type(value) or msgpack.encode(expected) != msgpack.encode(value):
        raise Differs(f"{shown(value)} is not {shown(expected)}")


def shown(value: Any) -> str:
    """Returns a value as people read it."""
    if value is None:
        return "nil"
    if isinstance(value, bytes):
        return f"h'{value[:40].hex()}{'…' if len(value) > 40 else ''}'"
    if isinstance(value, list):
        inside = ", ".join(map(shown, value[:20]))
        return f"[{inside}{', …' if len(value) > 20 else ''}]"
    if isinstance(value, Pairs):
        return "{" + ", ".join(f"{shown(key)}: {shown(item)}" for key, item in value.items[:20]) + "}"
    return json.dumps(value) if isinstance(value, str | bool) else str(value)


_TOKENS = re.compile(
    r"""\s*(?:
    (?P<bytes>h'[0-9a-fA-F\s]*')
    | (?P<raw>raw'[0-9a-fA-F\s]*')
    | (?P<contains>~"(?:[^"\\]|\\.)*")
    | (?P<text>"(?:[^"\\]|\\.)*")
    | (?P<float>-?(?:\d+\.\d+(?:e-?\d+)?|inf|nan)f?(?!\w))
    | (?P<number>-?\d+)
    | (?P<name>@\w+)
    | (?P<rest>\.\.\.)
    | (?P<between>\.\.)
    | (?P<mark><<|>>|[\[\]{},:|()*])
    | (?P<word>\w+)
    )""",
    re.VERBOSE,
)


class Parser:
    """Reads the notation."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[tuple[str, str]] = []
        pos, text = 0, text.rstrip()
        while pos < len(text):
            found = _TOKENS.match(text, pos)
            if found is None:
                raise NotationError(f"what is this: {text[pos : pos + 40]!r}")
            self.tokens.append((str(found.lastgroup), found.group(str(found.lastgroup))))
            pos = found.end()
        self.pos = 0

    def at_end(self) -> bool:
        """Reports whether all was read."""
        return self.pos >= len(self.tokens)

    def peek(self) -> str:
        """Returns the next token, which is empty at the end."""
        return "" if self.at_end() else self.tokens[self.pos][1]

    def take(self) -> tuple[str, str]:
        """Takes a token: its kind, and its text."""
        if self.at_end():
            raise NotationError(f"it ends too soon: {self.text}")
        self.pos += 1
        return self.tokens[self.pos - 1]

    def accept(self, text: str) -> bool:
        """Takes a token if it is this one."""
        if self.peek() != text or self.at_end():
            return False
        self.pos += 1
        return True

    def expect(self, text: str) -> None:
        """Takes a token that must be this one."""
        if not self.accept(text):
            raise NotationError(f"`{text}` is missing before `{self.peek()}` in: {self.text}")

    def nodes(self, end: str) -> list[Node]:
        """Takes nodes, which commas may separate, up to `end`. `N * value` is the value N times."""
        found: list[Node] = []
        while not self.accept(end):
            node = self.node()
            times = 1
            if self.accept("*"):
                if not isinstance(node, Plain) or not isinstance(node.value, int):
                    raise NotationError(f"`*` stands after a number: {self.text}")
                times, node = node.value, self.node()
            found += [node] * times
            self.accept(",")
        return found

    def node(self) -> Node:
        """Takes a node."""
        kind, text = self.take()
        match kind:
            case "bytes":
                return Plain(bytes.fromhex(text[2:-1]))
            case "raw":
                return Raw(bytes.fromhex(text[4:-1]))
            case "contains":
                return Containing(json.loads(text[1:]))
            case "text":
                return Plain(json.loads(text))
            case "float":
                return _float(text)
            case "number":
                return self._number(int(text))
            case "name":
                return Name(text[1:])
            case "word":
                return self._word(text)
        return self._group(text)

    def _number(self, value: int) -> Node:
        if not self.accept(".."):
            return Plain(value)
        kind, high = self.take()
        if kind != "number":
            raise NotationError(f"bounds are numbers: {self.text}")
        return Between(value, int(high))

    def _group(self, text: str) -> Node:
        if text == "<<":
            return Bin(tuple(self.nodes(">>")))
        if text == "[":
            items: list[Node] = []
            while not self.accept("]"):
                if self.accept("..."):
                    self.expect("]")
                    return Array(tuple(items), is_open=True)
                items.append(self.node())
                if self.accept("*"):
                    times = items.pop()
                    assert isinstance(times, Plain), self.text
                    items += [self.node()] * times.value
                self.accept(",")
            return Array(tuple(items))
        if text == "{":
            pairs: list[tuple[Node, Node]] = []
            while not self.accept("}"):
                key = self.node()
                self.expect(":")
                pairs.append((key, self.node()))
                self.accept(",")
            return Map(tuple(pairs))
        raise NotationError(f"no value begins with `{text}`: {self.text}")

    def _word(self, word: str) -> Node:
        constants: dict[str, Node] = {
            "nil": Plain(None), "true": Plain(True), "false": Plain(False), "_": Anything(),
        }  # fmt: skip
        if word in constants:
            return constants[word]
        self.expect("(")
        arguments = self.nodes(")")
        values = [argument.value for argument in arguments if isinstance(argument, Plain)]
        try:
            made: Node = _FUNCTIONS[word](*values)
        except (KeyError, TypeError, ValueError):
            raise NotationError(f"what is `{word}` here: {self.text}") from None
        return made


def _float(text: str) -> Node:
    if text.endswith("f") and text != "inf" and text != "-inf":
        value = float(text[:-1])
        return Plain(Single(struct.unpack(">f", struct.pack(">f", value))[0]))
    return Plain(float(text))


def _nested(depth: int) -> Node:
    """Returns arrays of one element in each other."""
    return Raw(b"\x91" * depth + b"\xc0")


_FUNCTIONS: dict[str, Any] = {
    "ext": lambda code, data: Plain(Ext(code, data)),
    "bin": lambda count: Plain(b"\x07" * count),
    "text": lambda count: Plain("x" * count),
    "nils": lambda count: Plain([None] * count),
    "nested": _nested,
}


def parse(text: str) -> list[Node]:
    """Returns the nodes of a text, which commas may separate."""
    parser = Parser(text + " |")
    return parser.nodes("|")
