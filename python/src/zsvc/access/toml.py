"""Reads TOML with the places of keys and values, which the standard library does not tell.

It reads what access files have: of numbers and truth values, which they do not have, it only finds the end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_BLANK = re.compile(r"[ \t]*")
_COMMENT = re.compile(r"#[^\x00-\x08\x0a-\x1f\x7f]*")
_NEWLINE = re.compile(r"\r?\n")
_END = r"(?=[ \t\r\n,\]}#]|\Z)"
_DATE, _TIME = r"\d{4}-\d{2}-\d{2}", r"\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?"
_WHEN = re.compile(rf"(?:{_DATE}(?:[Tt ]{_TIME}(?:[Zz]|[+-]\d{{2}}:\d{{2}})?)?|{_TIME}){_END}")
_DIGITS = r"(?:0|[1-9](?:_?[0-9])*)"
_NUMBER = re.compile(
    rf"(?:[+-]?(?:inf|nan|{_DIGITS}(?:\.[0-9](?:_?[0-9])*)?(?:[eE][+-]?[0-9](?:_?[0-9])*)?)"
    rf"|0x[0-9A-Fa-f](?:_?[0-9A-Fa-f])*|0o[0-7](?:_?[0-7])*|0b[01](?:_?[01])*|true|false){_END}"
)
_ESCAPES = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", '"': '"', "\\": "\\"}
_LONG_ESCAPES = {"u": 4, "U": 8}
_MAX_DEPTH = 100


class TomlError(Exception):
    """Text that is no TOML, from a place on."""

    def __init__(self, at: int, message: str) -> None:
        super().__init__(message)
        self.at, self.message = at, message


@dataclass
class Value:
    """A value, and where it begins. A key has the place of its first text in the table."""

    at: int
    kind: Literal["string", "array", "table", "time", "other"]
    text: str = ""
    items: list[Value] = field(default_factory=list["Value"])
    table: dict[str, tuple[int, Value]] = field(default_factory=dict[str, "tuple[int, Value]"])
    is_open: bool = False
    """Whether headers may still name the table, which was only there for those below it."""
    is_fixed: bool = False
    """Whether it is written in one piece: nothing is added to it."""
    section: int = -1
    """The header below which dotted keys have made the table; -1 if headers have."""


class Toml:
    """Reads a document. `twice` has the places of keys that are there a second time, which is wrong."""

    def __init__(self, text: str) -> None:
        # Behind the mark that some editors begin a file with.
        self._text, self._pos = text, int(text.startswith("\ufeff"))
        self._depth = 0
        self._section = 0
        self.twice: list[int] = []
        self.document = Value(0, "table")
        self._within = self.document

    def read(self) -> Value:
        """Reads all of it. Raises `TomlError`."""
        while True:
            self._blanks()
            if self._pos < len(self._text) and self._text[self._pos] == "[":
                self._header()
            elif self._pos < len(self._text) and not self._at_end_of_line():
                self._pair(self._within)
            if not self._end_of_line():
                return self.document

    # ---- tables

    def _header(self) -> None:
        is_array = self._takes("[[")
        if not is_array:
            self._must("[")
        path = self._path()
        self._must("]]" if is_array else "]")
        self._section += 1
        table: Value | None = self.document
        for at, name in path[:-1]:
            table = table and self._below(table, at, name)
        if table is None:
            self.twice.append(path[-1][0])
        # What is in a table that is there twice is there twice, too, and not told.
        found = None if table is None else self._named(table, path[-1], is_array=is_array)
        self._within = found or Value(0, "table")

    def _below(self, table: Value, at: int, name: str) -> Value | None:
        """Returns the table of this name, which is made if it is not there; `None` if it is no table to be added to."""
        if name not in table.table:
            table.table[name] = (at, Value(at, "table", is_open=True))
        value = table.table[name][1]
        if value.kind == "array" and not value.is_fixed:
            return value.items[-1]
        return value if value.kind == "table" and not value.is_fixed else None

    def _named(self, table: Value, key: tuple[int, str], *, is_array: bool) -> Value | None:
        at, name = key
        made = Value(at, "table")
        if name not in table.table:
            table.table[name] = (at, Value(at, "array", items=[made]) if is_array else made)
            return made
        value = table.table[name][1]
        if is_array and value.kind == "array" and not value.is_fixed:
            value.items.append(made)
            return made
        if not is_array and value.kind == "table" and value.is_open:
            value.is_open = False
            return value
        self.twice.append(at)
        return None

    def _pair(self, table: Value) -> None:
        path = self._path()
        self._must("=")
        self._blanks()
        value = self._value()
        for at, name in path[:-1]:
            if name not in table.table:
                table.table[name] = (at, Value(at, "table", section=self._section))
            table = table.table[name][1]
            if table.kind != "table" or table.is_fixed or table.section != self._section:
                self.twice.append(at)
                return
        at, name = path[-1]
        if name in table.table:
            self.twice.append(at)
        else:
            table.table[name] = (at, value)

    def _path(self) -> list[tuple[int, str]]:
        path: list[tuple[int, str]] = []
        while True:
            self._blanks()
            at, text = self._pos, self._text
            if text[at : at + 1] in ("'", '"'):
                path.append((at, self._string(is_key=True)))
            else:
                found = _BARE.match(text, at)
                if found is None:
                    raise TomlError(at, "expected a key")
                self._pos = found.end()
                path.append((at, found[0]))
            self._blanks()
            if not self._takes("."):
                return path
            if len(path) > _MAX_DEPTH:
                raise TomlError(path[0][0], "nested too deep")

    # ---- values

    def _value(self) -> Value:
        text, at = self._text, self._pos
        head = text[at : at + 1]
        if head in ("'", '"') and head:
            return Value(at, "string", self._string())
        if head in ("[", "{") and head:
            self._depth += 1
            if self._depth > _MAX_DEPTH:
                raise TomlError(at, "nested too deep")
            value = self._array() if head == "[" else self._inline()
            self._depth -= 1
            return value
        found, kind = _WHEN.match(text, at), "time"
        if found is None:
            found, kind = _NUMBER.match(text, at), "other"
        if found is None:
            raise TomlError(at, "expected a value")
        self._pos = found.end()
        return Value(at, "time" if kind == "time" else "other", found[0])

    def _array(self) -> Value:
        array = Value(self._pos, "array", is_fixed=True)
        self._pos += 1
        while True:
            self._lines()
            if self._takes("]"):
                return array
            array.items.append(self._value())
            self._lines()
            if not self._takes(","):
                self._must("]")
                return array

    def _inline(self) -> Value:
        table = Value(self._pos, "table")
        self._pos += 1
        self._blanks()
        outer, self._section = self._section, -2 - self._pos
        is_over = self._takes("}")
        while not is_over:
            self._pair(table)
            self._blanks()
            is_over = not self._takes(",")
            if is_over:
                self._must("}")
        self._section = outer
        _fix(table)
        return table

    # ---- strings

    def _string(self, *, is_key: bool = False) -> str:
        quote = self._text[self._pos]
        is_long = not is_key and self._takes(3 * quote)
        if is_long:
            found = _NEWLINE.match(self._text, self._pos)
            self._pos = found.end() if found else self._pos
        else:
            self._pos += 1
        out: list[str] = []
        while not self._closes(quote, out, is_long=is_long):
            self._character(out, quote, is_long=is_long)
        return "".join(out)

    def _closes(self, quote: str, out: list[str], *, is_long: bool) -> bool:
        if not is_long:
            return self._takes(quote)
        if not self._takes(3 * quote):
            return False
        # Up to two quotes before those that end it are its own.
        for _ in range(2):
            if self._takes(quote):
                out.append(quote)
        return True

    def _character(self, out: list[str], quote: str, *, is_long: bool) -> None:
        text, at = self._text, self._pos
        if at >= len(text):
            raise TomlError(at, "a string that does not end")
        newline = _NEWLINE.match(text, at)
        if newline is not None and is_long:
            out.append("\n")
            self._pos = newline.end()
        elif text[at] == "\\" and quote == '"':
            out.append(self._escape(is_long=is_long))
        elif (text[at] < " " and text[at] != "\t") or text[at] == "\x7f":
            raise TomlError(at, "a string that does not end in its line, or has control characters")
        else:
            out.append(text[at])
            self._pos += 1

    def _escape(self, *, is_long: bool) -> str:
        at = self._pos
        head = self._text[at + 1 : at + 2]
        if head in _LONG_ESCAPES:
            digits = self._text[at + 2 : at + 2 + _LONG_ESCAPES[head]]
            if re.fullmatch(rf"[0-9A-Fa-f]{{{_LONG_ESCAPES[head]}}}", digits):
                number = int(digits, 16)
                if number < 0xD800 or 0xDFFF < number < 0x110000:
                    self._pos += 2 + len(digits)
                    return chr(number)
        elif head in _ESCAPES:
            self._pos += 2
            return _ESCAPES[head]
        elif is_long and (found := re.compile(r"\\[ \t]*\r?\n(?:[ \t]|\r?\n)*").match(self._text, at)):
            self._pos = found.end()
            return ""
        raise TomlError(at, "an escape that there is not")

    # ---- between them

    def _takes(self, what: str) -> bool:
        if self._text.startswith(what, self._pos):
            self._pos += len(what)
            return True
        return False

    def _must(self, what: str) -> None:
        if not self._takes(what):
            raise TomlError(self._pos, f"expected `{what}`")

    def _blanks(self) -> None:
        found = _BLANK.match(self._text, self._pos)
        self._pos = found.end() if found else self._pos

    def _at_end_of_line(self) -> bool:
        return self._text[self._pos] == "#" or _NEWLINE.match(self._text, self._pos) is not None

    def _end_of_line(self) -> bool:
        """Takes the rest of a line, and returns whether there is a further one."""
        self._blanks()
        comment = _COMMENT.match(self._text, self._pos)
        self._pos = comment.end() if comment else self._pos
        newline = _NEWLINE.match(self._text, self._pos)
        if newline is None and self._pos < len(self._text):
            raise TomlError(self._pos, "expected the end of the line")
        self._pos = newline.end() if newline else self._pos
        return newline is not None

    def _lines(self) -> None:
        """Takes blanks, comments and ends of lines."""
        while True:
            self._blanks()
            if self._pos >= len(self._text) or not self._at_end_of_line():
                return
            self._end_of_line()


def _fix(table: Value) -> None:
    """Has nothing added to a table any more, nor to those in it."""
    table.is_fixed = True
    for _, value in table.table.values():
        if value.kind == "table" and not value.is_fixed:
            _fix(value)
