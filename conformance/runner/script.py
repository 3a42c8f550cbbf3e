"""Cases: read from TOML, and their scripts line by line."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .notation import Bin, Node, NotationError, Parser

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def toml(path: Path) -> dict[str, Any]:
    """Returns what a file of TOML says."""
    return tomllib.loads(path.read_text())


SERVICE = "conformance.v1.Conformance"
SIDES = ("server", "client", "pair")


@dataclass(frozen=True)
class Frame:
    """One frame that is sent: its nodes, and whether it is a batch, which begins with the version."""

    nodes: tuple[Node, ...]
    is_batch: bool


@dataclass(frozen=True)
class Step:
    """One line of a script."""

    line: str
    verb: str
    """`do`, `send`, `finish`, `cancel`, `read`, `tell`; `>`, `<`, `>items`, `<items`; `sync`, `drop`, `drain`."""
    call: str = ""
    words: tuple[str, ...] = ()
    nodes: tuple[Node, ...] = ()
    frames: tuple[Frame, ...] = ()


@dataclass
class Case:
    """A case: what it is called, and what happens in it."""

    name: str
    file: str
    sides: tuple[str, ...]
    steps: list[Step]
    server: dict[str, Any] = field(default_factory=dict[str, Any])
    """Options of the server."""
    client: dict[str, Any] = field(default_factory=dict[str, Any])
    """Options of the client."""
    answers_pings: bool = True

    @property
    def drains(self) -> bool:
        """Whether the server drains in it."""
        return any(step.verb == "drain" for step in self.steps)

    def __str__(self) -> str:
        return f"{self.file}: {self.name}"


def load(folder: Path) -> list[Case]:
    """Returns the cases of all files of a folder, in their order. Raises `NotationError`."""
    cases: list[Case] = []
    names: set[str] = set()
    for path in sorted(folder.glob("*.toml")):
        table = toml(path)
        for case in [*table.get("case", []), *_values(table)]:
            made = _case(case, path.stem, len(cases))
            if str(made) in names:
                raise NotationError(f"two cases are called `{made}`")
            names.add(str(made))
            cases.append(made)
    return cases


def _values(table: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns a case for each value of a file: a call of `echo` with it, in each of its forms."""
    cases: list[dict[str, Any]] = []
    for value in table.get("value", []):
        name, wire = value["name"], value["wire"]
        answer = f"tell 1 answer <<{wire}>>"
        script = f'do 1 echo <<[{wire}]>>\n> [1, @1, "/echo", <<[{wire}]>>, ...]\n< [3, @1, <<{wire}>>]\n{answer}'
        cases.append({"name": name, "script": script})
        if "text" in value:
            text = value["text"]
            script = f'do 1 describe <<[{wire}]>>\n> [1, @1, "/describe", <<[{wire}]>>, ...]\n< [3, @1, <<"{text}">>]'
            cases.append({"name": f"{name}, described", "script": f'{script}\ntell 1 answer <<"{text}">>'})
        for number, other in enumerate(value.get("read", []), 1):
            script = f'do 1 echo <<[{wire}]>>\n> [1, @1, "/echo", <<[{wire}]>>, ...]\n< [3, @1, <<{other}>>]\n{answer}'
            cases.append({"name": f"{name}, form {number}, in an answer", "sides": ["client"], "script": script})
            script = f'> [1, 1, "/echo", <<[{other}]>>]\n< [3, 1, <<{wire}>>]'
            cases.append({"name": f"{name}, form {number}, in parameters", "script": script})
    for wrong in table.get("wrong", []):
        name, wire = wrong["name"], wrong["wire"]
        code, cause = wrong.get("code", 3), wrong.get("cause", 6)
        script = f'> [1, 1, "/echo", <<[{wire}]>>]\n< [4, 1, {code}, ~"{wrong.get("says", "")}", 0, nil, nil, {cause}]'
        cases.append({"name": f"{name}, in parameters", "script": script})
        failed = "unknown" if code == 3 else "resource_exhausted"
        asked = 'do 1 echo <<[[33, nil]]>>\n> [1, @1, "/echo", ...]'
        script = f"{asked}\n< [3, @1, <<{wire}>>]\ntell 1 failed {failed} executed"
        cases.append({"name": f"{name}, in an answer", "sides": ["client"], "script": script})
    return cases


def _case(table: dict[str, Any], file: str, number: int) -> Case:
    script = table["script"].replace('"/', f'"{SERVICE}/').replace("$", f"c{number}")
    lines = [line.strip() for line in script.splitlines()]
    try:
        steps = [_step(line) for line in lines if line and not line.startswith("#")]
    except (NotationError, ValueError) as error:
        raise NotationError(f"{file}: {table['name']}: {error}") from None
    verbs = {step.verb for step in steps}
    does, speaks = "do" in verbs, bool(verbs & {">", "<"})
    possible = [does and "pair", speaks and "server", speaks and does and "client"]
    sides = table.get("sides") or [side for side in possible if side]
    unknown = set(table) - {"name", "script", "sides", "server", "client", "pings"}
    if unknown or set(sides) - set(SIDES):
        raise NotationError(f"{file}: {table['name']}: what is {unknown or sides}")
    options = table.get("server", {}), table.get("client", {})
    return Case(table["name"], file, tuple(sides), steps, *options, answers_pings=table.get("pings", True))


def _step(line: str) -> Step:
    verb, _, rest = line.partition(" ")
    if verb in ("sync", "drop", "drain"):
        return Step(line, verb)
    if verb in (">items", "<items"):
        parser = Parser(rest + " |")
        return Step(line, verb, nodes=tuple(parser.nodes("|")))
    if verb in (">", "<"):
        return Step(line, verb, frames=_frames(rest))
    call, _, rest = rest.partition(" ")
    if verb == "do":
        method, _, rest = rest.partition(" ")
        return Step(line, verb, call, (method,), tuple(Parser(rest + " |").nodes("|")))
    if verb in ("send", "finish", "cancel", "read"):
        return Step(line, verb, call, (), tuple(Parser(rest + " |").nodes("|")))
    if verb == "tell":
        return _tell(line, call, rest)
    raise NotationError(f"no step begins with `{verb}`")


def _tell(line: str, call: str, rest: str) -> Step:
    what, _, rest = rest.partition(" ")
    words = [what]
    if what == "failed":
        *named, text = rest.split(" ", 3) if rest.count(" ") > 2 else (*rest.split(" "), "")
        return Step(line, "tell", call, (what, *named), tuple(Parser(text + " |").nodes("|")))
    nodes = tuple(Parser(rest + " |").nodes("|"))
    if what in ("answer", "item") and not (len(nodes) == 1 and isinstance(nodes[0], Bin)):
        raise NotationError(f"what is told stands in `<<…>>`: {line}")
    return Step(line, "tell", call, tuple(words), nodes)


def _frames(text: str) -> tuple[Frame, ...]:
    """Reads `attachment | … | record, record`; `frame NODE` in place of the records is no batch, but these bytes."""
    parser = Parser(text + " |")
    frames: list[Frame] = []
    while not parser.at_end():
        is_raw = parser.accept("frame")
        frames.append(Frame(tuple(parser.nodes("|")), not is_raw))
    before = [Frame(frame.nodes, is_batch=False) for frame in frames[:-1]]
    return (*before, frames[-1])
