#!/usr/bin/env python3
"""Sends random values of random schemas between Rust and Python, as bytes and as JSON.

    PYTHONPATH=python/src:python/tests python3 conformance/random_schemas.py [SCHEMAS [any]]

For each schema, the command generates Python, which serves a method for each type; `zsvc call`, in Rust, learns the
schema from that server and sends it values, which it has read from the JSON that Python has written. What comes back
must be the same JSON: each side reads the bytes of the other into what it has of the type, and writes them anew. So the
command is built once, whatever the number of schemas. Only values with `$map` or `$float` in them are left out. The
schemas and values are the same ones each time, unless `any` follows.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import zsvc
import zsvc.json
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from strategies import of
from zsvc.codec.form import Form
from zsvc.testing import Script

HERE = Path(__file__).resolve().parent
COMMAND = os.environ.get("ZSVC_COMMAND", str(HERE.parent / "target/debug/zsvc"))
WAIT = 60.0
VALUES = 12
"""Values of each type."""
SCALARS = [
    "bool", "u8", "u16", "u32", "u64", "i8", "i16", "i32", "i64", "f32", "f64", "string", "bytes", "timestamp",
    "duration", "uuid", "value",
]  # fmt: skip
KEYS = ["string", "u8", "i64", "bool", "uuid"]
NAMES = ["class", "self", "import", "list", "str", "value", "number", "match", "def", "name", "x", "int", "print", "_z"]


class Types:
    """The types that a schema has so far."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.lines: list[str] = []
        self.named: list[str] = []
        self.keys = list(KEYS)

    def type(self, depth: int = 0) -> str:
        """Returns a random type."""
        kinds = ["scalar", "scalar", "named", "list", "set", "map", "optional"]
        kind = self.draw(st.sampled_from(kinds if depth < 2 else kinds[:3]))
        if kind == "named" and self.named:
            return self.draw(st.sampled_from(self.named))
        if kind == "list":
            return f"list<{self.type(depth + 1)}>"
        if kind == "set":
            return f"set<{self.draw(st.sampled_from(self.keys))}>"
        if kind == "map":
            return f"map<{self.draw(st.sampled_from(self.keys))}, {self.type(depth + 1)}>"
        if kind == "optional":
            inner = self.type(depth + 1)
            return inner if inner.endswith("?") or inner == "value" else inner + "?"
        return self.draw(st.sampled_from(SCALARS))

    def fields(self, own: str = "") -> str:
        """Returns random fields. Those that may be absent hold the type itself, too."""
        names = self.draw(st.lists(st.sampled_from(NAMES), max_size=6, unique=True))
        number, lines = 0, []
        for name in names:
            number += self.draw(st.sampled_from([1, 1, 1, 2, 5, 90, 700]))
            type = f"list<{own}>" if own and self.draw(st.integers(0, 7)) == 0 else self.type()
            default = self.default(type)
            lines.append(f"{default}{name}: {type} = {number};")
        return " ".join(lines)

    def default(self, type: str) -> str:
        """Returns a `@default`, now and then, for a type that may have one."""
        known = {"bool": "true", "u8": "7", "i64": "-5", "f64": "1.5", "string": '"so \\" \\\\"', "duration": "2s"}
        return f"@default({known[type]}) " if type in known and self.draw(st.booleans()) else ""

    def declare(self) -> None:
        """Adds a type."""
        name = f"T{len(self.named)}"
        kind = self.draw(st.sampled_from(["struct", "struct", "union", "enum", "flags"]))
        count = range(self.draw(st.integers(1, 5)))
        if kind == "struct":
            self.lines.append(f"struct {name} {{ {self.fields(name)} }}")
        elif kind == "union":
            variants = " ".join(f"V{index}{self.payload()} = {index * 3 + 1};" for index in count)
            self.lines.append(f"union {name} {{ {variants} }}")
        elif kind == "enum":
            values = " ".join(f"Value{index} = {index * index - 2};" for index in count)
            self.lines.append(f"enum {name} {{ {values} }}")
            self.keys.append(name)
        else:
            self.lines.append(f"flags {name} {{ {' '.join(f'Flag{index} = {index * 9};' for index in count)} }}")
        self.named.append(name)

    def payload(self) -> str:
        """Returns what a variant carries."""
        kind = self.draw(st.sampled_from(["nothing", "type", "fields"]))
        if kind == "nothing":
            return ""
        return f": {self.type()}" if kind == "type" else f" {{ {self.fields()} }}"


@st.composite
def schemas(draw: st.DrawFn) -> tuple[str, list[str]]:
    """Returns a schema, and the names of its types."""
    types = Types(draw)
    for _ in range(draw(st.integers(2, 6))):
        types.declare()
    methods = [f"rpc echo_{name.lower()}(items: stream {name}) -> stream {name};" for name in types.named]
    lines = ["package random.v1;", *types.lines, "service Echo {", *methods, "}", ""]
    return "\n".join(lines), types.named


class Generated:
    """Generated code of one schema, in a folder of its own."""

    def __init__(self, number: int, schema: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="zsvc-random-"))
        self.schema = self.folder / "random.svc"
        self.schema.write_text(schema)
        self.package = f"random{number}"

    async def module(self) -> Any:
        """Generates the code, and imports it. Raises `AssertionError`."""
        out = str(self.folder / self.package)
        told = await run("gen", str(self.schema), "--lang", "python", "--out", out)
        assert told.returncode == 0, f"{told.shown}\n{self.schema.read_text()}"
        sys.path.insert(0, str(self.folder))
        importlib.invalidate_caches()
        try:
            return importlib.import_module(f"{self.package}.random.v1")
        finally:
            sys.path.pop(0)

    def remove(self) -> None:
        """Removes all of it."""
        shutil.rmtree(self.folder)
        for name in [name for name in sys.modules if name.partition(".")[0] == self.package]:
            del sys.modules[name]


class Ran:
    """What a command has said."""

    def __init__(self, returncode: int | None, out: bytes, shown: str) -> None:
        self.returncode, self.out, self.shown = returncode, out, shown


async def run(*arguments: str, given: bytes = b"") -> Ran:
    """Runs the command."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(COMMAND, *arguments, stdin=pipe, stdout=pipe, stderr=pipe)
    out, error = await asyncio.wait_for(process.communicate(given), WAIT)
    return Ran(process.returncode, out, error.decode(errors="replace")[-2000:])


def is_told_by_json(plain: Any) -> bool:
    """Reports whether a value has the same form of JSON each time."""
    if isinstance(plain, dict):
        return "$map" not in plain and "$float" not in plain and all(map(is_told_by_json, plain.values()))
    return all(map(is_told_by_json, plain)) if isinstance(plain, list) else True


async def echo(module: Any, values: dict[str, list[Any]]) -> int:
    """Has the command send values of each type, and compares what comes back. Raises `AssertionError`."""
    script = Script()
    for name in values:
        script.on(f"echo_{name.lower()}", lambda items: items)
    count = 0
    async with zsvc.Server(script.service(module.Echo), bind="tcp://127.0.0.1:*") as server:
        for name, given in values.items():
            cls = getattr(module, name)
            plain = [zsvc.json.to_json(value, cls) for value in given]
            lines = [json.dumps(it) for it in plain if is_told_by_json(it)]
            method = f"random.v1.Echo/echo_{name.lower()}"
            text = "".join(line + "\n" for line in lines).encode()
            told = await run("call", "-e", server.endpoints[0], "--json", method, "--items", "-", given=text)
            found = [json.loads(line) for line in told.out.splitlines()]
            wanted = [json.loads(line) for line in lines]
            assert told.returncode == 0, f"{method}: {told.shown}"
            assert found == wanted, f"{method}: {first_difference(wanted, found)}"
            count += len(lines)
    return count


def first_difference(wanted: list[Any], found: list[Any]) -> str:
    """Returns what differs, for people."""
    for one, other in zip(wanted, found, strict=False):
        if one != other:
            return f"\n  sent {json.dumps(one)[:2000]}\n  came {json.dumps(other)[:2000]}"
    return f"{len(wanted)} were sent, and {len(found)} came back"


def main() -> None:
    """Sends values of random schemas."""
    most = int(sys.argv[1]) if len(sys.argv) > 1 else 25
    made = {"schemas": 0, "types": 0, "values": 0}

    same = sys.argv[2:] != ["any"]
    random = settings(max_examples=most, deadline=None, database=None, derandomize=same, phases=[Phase.generate])

    @settings(random, suppress_health_check=list(HealthCheck))
    @given(schemas(), st.data())
    def send(schema: tuple[str, list[str]], data: st.DataObject) -> None:
        text, names = schema
        generated = Generated(made["schemas"], text)
        made["schemas"] += 1
        try:
            module = asyncio.run(generated.module())
            values = {name: data.draw(values_of(getattr(module, f"_form_{name}"))) for name in names}
            made["values"] += asyncio.run(echo(module, values))
            made["types"] += len(names)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{text}") from None
        finally:
            generated.remove()

    send()
    print(f"{made['values']} random values of {made['types']} types of {made['schemas']} random schemas came back")


def values_of(form: Form) -> st.SearchStrategy[list[Any]]:
    """Returns a strategy for values of a type."""
    return st.lists(of(form, 3), min_size=2, max_size=VALUES)


if __name__ == "__main__":
    main()
