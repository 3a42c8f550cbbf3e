"""`python -m zsvc`: lists what a server serves, and calls it, by what it tells of itself.

    python -m zsvc list tcp://127.0.0.1:7100
    python -m zsvc list tcp://127.0.0.1:7100 market.v1.Tape
    python -m zsvc call tcp://127.0.0.1:7100 market.v1.Tape/last '{"symbol": "ACME"}'

Values are JSON, as `docs/json.md` says: answers on the standard output, one a line. The items of a stream that the
client sends are lines of the standard input. The exit status is 0, 1 if the call has failed, and 2 if it could not be
understood.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
from collections.abc import Iterator
from typing import Any

from .dynamic.client import Remote, RemoteMethod, connect
from .dynamic.plain import to_plain
from .dynamic.text import SchemaError
from .session.config import Kind
from .status import Code, DeclaredError, Outcome, Status


class Misused(Exception):
    """What was asked for makes no sense."""


def main(arguments: list[str] | None = None) -> int:
    """Does what the arguments say. Returns the exit status."""
    given = sys.argv[1:] if arguments is None else arguments
    if given and "://" in given[0]:
        print(f"wrong: the command comes first: {_as_commands(given)}", file=sys.stderr)
        return 2
    options = _parser().parse_args(given)
    try:
        with connect(options.endpoint, schema=options.schema, timeout=options.timeout) as remote:
            return int(options.run(remote, options))
    except (Misused, AttributeError, SchemaError, ValueError, OSError) as error:
        print(f"wrong: {error}", file=sys.stderr)
        return 2
    except DeclaredError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    except Status as status:
        print(status, file=sys.stderr)
        not_understood = status.code is Code.INVALID_ARGUMENT and status.outcome is Outcome.NOT_SENT
        return 2 if not_understood else 1
    except KeyboardInterrupt:
        return 130


def _as_commands(given: list[str]) -> str:
    """Returns what to write in place of arguments as those of `zerorpc`."""
    endpoint, *others = given
    if not others:
        return f"`python -m zsvc list {endpoint}`"
    return f"`python -m zsvc call {endpoint} package.Service/{others[0]} '[…]'`"


def _parser() -> argparse.ArgumentParser:
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m zsvc", description=__doc__, formatter_class=formatter)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("endpoint", help="where the server is: tcp://HOST:PORT or ipc://PATH")
    common.add_argument("--schema", metavar="FILE", help="the .svc file, if the server does not tell its schema")
    common.add_argument("--timeout", type=float, default=30.0, help="seconds that the call may take (30)")
    listing = commands.add_parser("list", parents=[common], help="list services, or the methods of one")
    listing.add_argument("service", nargs="?", help="the full name of a service")
    listing.set_defaults(run=_list)
    calling = commands.add_parser("call", parents=[common], help="call a method")
    calling.add_argument("method", help="package.Service/method")
    calling.add_argument(
        "parameters", nargs="?", default="{}", help="an object of parameters, or an array; `-` reads it"
    )
    calling.add_argument("--metadata", action="append", default=[], metavar="NAME=VALUE", help="goes with the call")
    calling.set_defaults(run=_call)
    return parser


def _list(remote: Remote, options: argparse.Namespace) -> int:
    if options.service is None:
        print("\n".join(remote.services))
        return 0
    service = remote.service(options.service)
    for name, signature in service._type.signatures.items():
        for line in service._type.method_docs[name].splitlines():
            print(f"/// {line}".rstrip())
        print(f"{signature};")
    return 0


def _hint(remote: Remote, name: str) -> str:
    """Returns what to write in place of the name of a method alone."""
    services = [service for service in remote.services if name in remote.service(service)._type.methods]
    alike = ", ".join(f"`{service}/{name}`" for service in services)
    return f"write {alike}" if alike else "write `package.Service/method`"


def _call(remote: Remote, options: argparse.Namespace) -> int:
    service, mark, name = options.method.rpartition("/")
    if not mark:
        raise Misused(f"`{options.method}` is no method: {_hint(remote, options.method)}")
    metadata = dict(entry.split("=", 1) for entry in options.metadata)
    method = remote.service(service).with_options(metadata=metadata, timeout=options.timeout).method(name)
    text = sys.stdin.read() if options.parameters == "-" else options.parameters
    try:
        given = json.loads(text)
    except ValueError as error:
        names = ", ".join(f'"{field.name}": …' for field in method.method.parameters.fields)
        raise Misused(f"the parameters are no JSON: {error}. Write them as '{{{names}}}', or '[…]'") from None
    if not isinstance(given, (dict, list)):
        raise Misused("the parameters are an object of their names, or an array of them")
    _made(method, given)
    return 0


def _made(method: RemoteMethod, given: dict[str, Any] | list[Any]) -> None:
    """Makes a call, and writes its answers."""
    fields = method.method.parameters.fields
    named = given if isinstance(given, dict) else {field.name: it for field, it in zip(fields, given, strict=False)}
    unknown = set(named) - {field.name for field in fields}
    if unknown or len(named) < len(given):
        raise Misused(f"`{method.method.short_name}` takes {', '.join(field.name for field in fields) or 'nothing'}")
    arguments = {field.attr: named[field.name] for field in fields if field.name in named}
    for field in fields:
        if field.name not in named and not field.may_be_absent:
            raise Misused(f"`{field.name}` is missing")
    kind = method.method.kind
    if kind is Kind.CLIENT_STREAM:
        _write(method, method(**arguments, items=_lines()))
    elif kind is Kind.BIDIRECTIONAL:
        with method(**arguments) as call:
            threading.Thread(target=_send_all, args=(call,), daemon=True).start()
            _write_all(method, call)
    elif kind is Kind.SERVER_STREAM:
        with method(**arguments) as answers:
            _write_all(method, answers)
    else:
        _write(method, method(**arguments))


def _lines() -> Iterator[Any]:
    return (json.loads(line) for line in sys.stdin if line.strip())


def _send_all(call: Any) -> None:
    # Why no item can be sent any longer is told by the answers.
    try:
        for item in _lines():
            call.send(item)
        call.finish()
    except (Status, DeclaredError):
        pass


def _write_all(method: RemoteMethod, answers: Iterator[Any]) -> None:
    for answer in answers:
        _write(method, answer)


def _write(method: RemoteMethod, answer: Any) -> None:
    if method.method.answer is not None:
        print(json.dumps(to_plain(method.method.answer, answer), ensure_ascii=False), flush=True)


if __name__ == "__main__":
    sys.exit(main())
