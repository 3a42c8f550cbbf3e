"""Plays a case: on a server, on a client, or on one of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import zmq

from . import msgpack
from .driver import Driver
from .notation import Bin, Differs, Names, Node, NotationError, compare, write
from .script import Case, Step
from .wire import AsClient, AsServer, Wire


class Failed(Exception):
    """A case does not hold."""


class Servers:
    """The servers of a driver: one for all cases without options, another for each that has some."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self._common: str | None = None

    def get(self, options: Mapping[str, Any], *, apart: bool) -> tuple[str, str]:
        """Returns the name and the endpoint of a server. One that is `apart` must be stopped."""
        if options or apart:
            return self.driver.serve(options)
        if self._common is None:
            self._common = self.driver.serve({})[1]
        return "", self._common


class Play:
    """One run of a case. What a side does not need is `None`."""

    def __init__(self, case: Case, wire: Wire | None, client: Client | None, server: tuple[Driver, str] | None) -> None:
        self.case, self.wire, self.client, self.server = case, wire, client, server
        self.names: Names = {}

    def run(self) -> None:
        """Plays all steps. Raises `Failed`."""
        for step in self.case.steps:
            try:
                self._step(step)
            except (Differs, NotationError, zmq.ZMQError, msgpack.Malformed) as error:
                raise Failed(f"{step.line}\n    {error}") from None
        try:
            self._end()
        except Differs as error:
            raise Failed(f"at the end\n    {error}") from None

    def _step(self, step: Step) -> None:
        if step.verb in ("do", "send", "finish", "cancel", "read", "tell"):
            if self.client is not None:
                self.client.step(step, self.names)
        elif step.verb == "drain":
            if self.server is not None:
                driver, name = self.server
                driver.tell("drain", name)
        elif self.wire is not None:
            self._on_wire(self.wire, step)

    def _on_wire(self, wire: Wire, step: Step) -> None:
        ours = "<" if isinstance(wire, AsServer) else ">"
        if step.verb == ours:
            wire.say(step.frames, self.names)
        elif step.verb in ("<", ">"):
            for node in step.frames[-1].nodes:
                wire.expect(node, self.names)
        elif step.verb in (">items", "<items"):
            if step.verb[0] == ours:
                raise NotationError("items are expected by this step, and sent by a record")
            wire.collect_items(step.nodes[0], step.nodes[1], self.names)
        elif step.verb == "sync":
            wire.sync(0 if isinstance(wire, AsServer) else None)
        elif step.verb == "drop" and isinstance(wire, AsServer):
            wire.drop()

    def _end(self) -> None:
        if self.wire is not None and self.wire.answers_pings:
            # A server that drains may be gone by now, and answers no ping then.
            if isinstance(self.wire, AsClient) and not self.case.drains:
                self.wire.sync()
            else:
                while self.wire.pump(0):
                    pass
                self.wire.check_nothing()
        if self.client is not None:
            self.client.check_nothing()


class Client:
    """A client of a driver, in one case."""

    def __init__(self, driver: Driver, endpoint: str, options: Mapping[str, Any]) -> None:
        self.driver, self.name = driver, driver.fresh("c")
        self._calls: dict[str, str] = {}
        driver.tell("connect", self.name, endpoint=endpoint, options=dict(options))

    def step(self, step: Step, names: Names) -> None:
        """Makes a call, goes on with one, or waits for what is told of one. Raises `Differs`."""
        if step.verb == "tell":
            self._expect(step, names)
        elif step.verb == "do":
            call = self._calls[step.call] = self.driver.fresh("")
            body, *options = step.nodes
            assert isinstance(body, Bin), step.line
            data = b"".join(write(item, names) for item in body.items)
            more = _as_options(options[0], names) if options else {}
            self.driver.tell("call", call, client=self.name, method=step.words[0], body=data.hex(), **more)
        elif step.verb == "send":
            assert isinstance(step.nodes[0], Bin), step.line
            for item in step.nodes[0].items:
                self.driver.tell("send", self._calls[step.call], item=write(item, names).hex())
        else:
            self.driver.tell(step.verb, self._calls[step.call])

    def _expect(self, step: Step, names: Names) -> None:
        what, *words = step.words
        told = self._next(step.call, keep_metadata=what == "metadata")
        if told["what"] != what:
            raise Differs(f"the client tells {told}")
        if what in ("answer", "item"):
            compare(step.nodes[0], bytes.fromhex(told["body"]), names)
        elif what == "metadata":
            found = {
                name: bytes.fromhex(value["hex"]) if isinstance(value, dict) else value
                for name, value in told["names"].items()
            }
            compare(step.nodes[0], msgpack.Pairs(tuple(found.items())), names)
        elif what == "error":
            compare(step.nodes[0], told["text"], names)
            _check_words(told, words)
        elif what == "failed":
            _check_words(told, words)
            for node in step.nodes:
                compare(node, told["message"], names)

    def _next(self, call: str, *, keep_metadata: bool) -> dict[str, Any]:
        while True:
            told = self.driver.next(self._calls[call])
            if told["what"] != "metadata" or keep_metadata:
                return told

    def check_nothing(self) -> None:
        """Raises `Differs` if something was told that no step has expected."""
        for call, name in self._calls.items():
            left = [told for told in self.driver.left(name) if told["what"] != "metadata"]
            if left:
                raise Differs(f"the client tells of the call {call}, too: {left}")

    def close(self) -> None:
        """Closes the client's channel."""
        self.driver.tell("close", self.name)


def _check_words(told: Mapping[str, Any], words: list[str]) -> None:
    """Compares a code, an outcome and a cause by their names; `-` is none, and `_` any."""
    for key, word in zip(
        ("code", "outcome", "cause") if told["what"] == "failed" else ("outcome",), words, strict=False
    ):
        found = told.get(key) or "-"
        if word not in ("_", found):
            raise Differs(f"the {key} is {found} and not {word}: {told}")


def _as_options(node: Node, names: Names) -> dict[str, Any]:
    """Returns the options of a call, which stand in a case as a map from strings."""
    (value,) = msgpack.decode_all(write(node, names))
    return {str(key): _as_json(item) for key, item in value.items}


def _as_json(value: Any) -> Any:
    if isinstance(value, msgpack.Pairs):
        return {str(key): _as_json(item) for key, item in value.items}
    return {"hex": value.hex()} if isinstance(value, bytes) else value


def play(case: Case, side: str, client: Driver | None, servers: Servers | None, context: zmq.Context[Any]) -> None:
    """Plays a case on a side. Raises `Failed`."""
    if side == "client":
        assert client is not None
        wire = AsServer(context, answers_pings=case.answers_pings)
        _with_client(case, client, wire.endpoint, wire, None)
        return
    assert servers is not None
    name, endpoint = servers.get(case.server, apart=case.drains)
    try:
        if side == "pair":
            assert client is not None
            _with_client(case, client, endpoint, None, (servers.driver, name))
            return
        bare = AsClient(context, endpoint, answers_pings=case.answers_pings)
        try:
            Play(case, bare, None, (servers.driver, name)).run()
        finally:
            bare.close()
    finally:
        if name:
            servers.driver.tell("stop", name)


def _with_client(
    case: Case, driver: Driver, endpoint: str, wire: AsServer | None, server: tuple[Driver, str] | None
) -> None:
    client = Client(driver, endpoint, case.client)
    try:
        Play(case, wire, client, server).run()
    finally:
        client.close()
        if wire is not None:
            wire.close()
