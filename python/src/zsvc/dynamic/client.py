"""`connect`: a client of whatever a server serves, without generated code."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from typing_extensions import Never, Self

from ..blocking import BlockingCall, BlockingClient, BlockingDuplex
from ..method import Method
from ..session.config import Kind
from ..status import Cause, Code, Outcome, Status
from .build import Schema, ServiceType
from .plain import PlainError, from_plain, message
from .reflection import load, told_schema, told_services


def connect(
    *endpoints: str, schema: str | Path | Mapping[str, str] | None = None, ready: float | None = None, **options: Any
) -> Remote:
    """Returns a client of all that a server serves: `connect("tcp://…").market.v1.Tape.last(symbol="ACME")`.

    It learns the services and their types from the server. One that does not tell them needs their `schema`: the path
    of a `.svc` file, or texts by their paths. `ready` is how many seconds to wait for the connection: 5, or `timeout`
    if that is less; other options are those of a `Channel`. For threads and notebooks; programs are better off with
    generated code, which editors know. Raises `Status`.
    """
    client = BlockingClient.connect(*endpoints, **options)
    try:
        client.channel.wait_ready(min(5.0, options.get("timeout") or 5.0) if ready is None else ready)
        if schema is None:
            return Remote(client, told_services(client), None)
        known = Schema(schema if isinstance(schema, Mapping) else load(schema))
        return Remote(client, known.services(), known)
    except BaseException:
        client.close()
        raise


class Remote:
    """What a server serves: packages and services are its attributes."""

    def __init__(self, client: BlockingClient, services: Iterable[str], schema: Schema | None) -> None:
        self._client, self._schema = client, schema
        self._services: dict[str, RemoteService | None] = dict.fromkeys(sorted(services))

    def service(self, name: str) -> RemoteService:
        """Returns a service by its full name. Raises `AttributeError` if the server does not serve it."""
        if name not in self._services:
            alike = [it for it in self._services if it.endswith(f".{name}")]
            hint = f"did you mean `{alike[0]}`?" if alike else f"it serves {', '.join(self._services)}"
            raise AttributeError(f"the server serves no `{name}`; {hint}")
        found = self._services[name]
        if found is None:
            schema = self._schema or told_schema(self._client, name)
            found = self._services[name] = RemoteService(self._client, schema.service(name))
        return found

    @property
    def services(self) -> list[str]:
        """The full names of the services."""
        return list(self._services)

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _below(self, name)

    def __dir__(self) -> Iterable[str]:
        return [*{name.partition(".")[0] for name in self._services}, "close", "service", "services"]

    def __repr__(self) -> str:
        return "\n".join(
            [f"<zsvc: {', '.join(self._client.channel.endpoints)}>", *(f"  {it}" for it in self._services)]
        )


def _below(remote: Remote, path: str) -> Any:
    """Returns the service of this name, or the package."""
    if path in remote._services:
        return remote.service(path)
    if any(name.startswith(path + ".") for name in remote._services):
        return RemotePackage(remote, path)
    raise AttributeError(f"the server serves no `{path}`; it serves {', '.join(remote._services)}")


class RemotePackage:
    """A package, or the start of its name: services are its attributes."""

    def __init__(self, remote: Remote, path: str) -> None:
        self._remote, self._path = remote, path

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _below(self._remote, f"{self._path}.{name}")

    def __call__(self, *_: object, **__: object) -> Never:
        """Raises `TypeError`: a package is no method."""
        names = ", ".join(self._names())
        raise TypeError(f"`{self._path}` is a part of the name of {names}, whose methods can be called")

    def _names(self) -> list[str]:
        return [name for name in self._remote.services if name.startswith(self._path + ".")]

    def __dir__(self) -> Iterable[str]:
        return {name[len(self._path) + 1 :].partition(".")[0] for name in self._names()}

    def __repr__(self) -> str:
        return "\n".join([f"<zsvc package {self._path}>", *(f"  {name}" for name in self._names())])


class RemoteService:
    """A service: its methods are its attributes."""

    def __init__(self, client: BlockingClient, type: ServiceType) -> None:
        self._client, self._type = client, type
        self._methods = {method.handler: name for name, method in type.methods.items()}
        self.__doc__ = type.docs

    def with_options(self, **options: Any) -> RemoteService:
        """Returns the service, with options of its calls: see `CallOptions`."""
        return RemoteService(self._client.with_options(**options), self._type)

    def method(self, name: str) -> RemoteMethod:
        """Returns a method by the schema's name. Raises `AttributeError`."""
        if name not in self._type.methods:
            raise AttributeError(f"`{self._type.name}` has no `{name}`; it has {', '.join(self._type.methods)}")
        return RemoteMethod(self._client, self._type, name)

    def __getattr__(self, name: str) -> RemoteMethod:
        if name.startswith("__"):
            raise AttributeError(name)
        return self.method(self._methods.get(name, name))

    def __dir__(self) -> Iterable[str]:
        return [*self._methods, "with_options"]

    def __repr__(self) -> str:
        return "\n".join([f"<zsvc service {self._type.name}>", *(f"  {it};" for it in self._type.signatures.values())])


class RemoteMethod:
    """A method, to be called. Its arguments are values, or what JSON has in their place."""

    def __init__(self, client: BlockingClient, service: ServiceType, name: str) -> None:
        self._client, self._service = client, service
        self.method: Method[Any] = service.methods[name]
        """What both sides know of it."""
        self.__name__ = self.method.handler
        self.__doc__ = f"{service.signatures[name]};\n\n{service.method_docs[name]}".strip()
        self.__signature__ = _signature(self.method)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Calls the method. Raises what a generated client does, and `TypeError` for arguments that it has not."""
        bound = self.__signature__.bind(*arguments, **named).arguments
        method, client = self.method, self._client
        values = [self._value(field, bound) for field in method.parameters.fields]
        if method.kind is Kind.CLIENT_STREAM:
            return client._upload(method, _items(method, bound["items"]), *values)
        if method.kind is Kind.SERVER_STREAM:
            return client._stream(method, *values)
        if method.kind is Kind.BIDIRECTIONAL:
            return _Duplex(BlockingCall(client.channel, method, values, client._options))
        return client._unary(method, *values)

    def _value(self, field: Any, bound: Mapping[str, Any]) -> Any:
        given = bound.get(field.attr)
        if given is None and field.may_be_absent:
            return field.absent()
        try:
            return from_plain(field.form, given)
        except PlainError as error:
            raise _wrong(f"`{field.name}` of `{self.method.short_name}`: {message(error)}") from None

    def __repr__(self) -> str:
        return f"<zsvc method {self._service.name}/{self.method.short_name}>\n{self.__doc__}"


class _Duplex(BlockingDuplex[Any, Any]):
    """A stream each way, which takes what JSON has for an item."""

    def send(self, item: Any) -> None:
        super().send(_item(self._call.method, item))


def _items(method: Method[Any], items: Iterable[Any]) -> Iterator[Any]:
    return (_item(method, item) for item in items)


def _item(method: Method[Any], item: Any) -> Any:
    try:
        return from_plain(method.item, item)
    except PlainError as error:
        raise _wrong(f"an item of `{method.short_name}`: {message(error)}") from None


def _wrong(text: str) -> Status:
    return Status(Code.INVALID_ARGUMENT, text, outcome=Outcome.NOT_SENT, cause=Cause.BAD_VALUE)


def _signature(method: Method[Any]) -> inspect.Signature:
    """Returns the parameters, for `help`, editors and notebooks."""
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters: list[inspect.Parameter] = []
    must_be_named = False
    for field in method.parameters.fields:
        default = None if field.may_be_absent else inspect.Parameter.empty
        # Python takes no parameter without a default after one with a default, unless it is named.
        must_be_named |= default is inspect.Parameter.empty and any(it.default is None for it in parameters)
        parameters.append(inspect.Parameter(field.attr, kind, default=default))
    if method.kind is Kind.CLIENT_STREAM:
        parameters.append(inspect.Parameter("items", inspect.Parameter.KEYWORD_ONLY))
    if must_be_named:
        parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters]
    elif method.kind is Kind.CLIENT_STREAM and all(it.default is not None for it in parameters):
        parameters[-1] = parameters[-1].replace(kind=kind)
    return inspect.Signature(parameters)
