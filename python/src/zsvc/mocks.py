"""`Script`: what a fake client, or a fake service, answers. For tests of programs; `zsvc.testing` has it."""

from __future__ import annotations

import inspect
from collections import defaultdict, deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from .aio.client import AsyncClient, Duplex
from .blocking import BlockingClient, BlockingDuplex
from .channel.retry import Retry
from .connect import Channel
from .context import Context
from .method import Method
from .options import CallOptions, Maker
from .session.config import ClientLimits
from .status import Code, DeclaredError, Outcome, Status

S = TypeVar("S")


@dataclass(frozen=True)
class Called:
    """A call that was made."""

    method: str
    """The short name: `last`."""
    values: tuple[Any, ...]
    """The parameters; those of a stream are a list, and the last."""


class Script:
    """What calls are answered with, and which were made, without a socket.

        script = Script()
        script.on("last", Trade(…))
        program(script.client(TapeClient))
        assert script.calls == [Called("last", ("ACME",))]

    Methods go by the names of the schema. Parameters and answers are encoded and decoded as they would be, so that what
    can't be sent fails in the test.
    """

    def __init__(self) -> None:
        self.calls: list[Called] = []
        """The calls that were made, in order."""
        self._always: dict[str, Any] = {}
        self._next: dict[str, deque[Any]] = defaultdict(deque)

    def on(self, method: str, answer: Any, *, times: int | None = None) -> None:
        """Answers calls of a method: all, or the next ones if `times` is given, which come before.

        An answer is a value, or a list of items for a method that streams; an exception is raised. A function is given
        the parameters, and returns or raises such; it may be an `async def`, for asyncio.
        """
        if times is None:
            self._always[method] = answer
        else:
            self._next[method].extend([answer] * times)

    def client(self, cls: Callable[..., S]) -> S:
        """Returns a client of a generated class, for asyncio or for threads. It has no connection."""
        base: Any = _FakeAsync if issubclass(cast(Any, cls), AsyncClient) else _FakeBlocking
        made = type(f"Fake{cast(Any, cls).__name__}", (base, cast(type, cls)), {})
        fake: S = made(self)
        return fake

    def service(self, cls: Callable[..., S]) -> S:
        """Returns a service of a generated class. Raises `ValueError` if it lacks a method that was scripted."""
        methods: list[Method[Any]] = list(cast(Any, cls).__zsvc_methods__)
        unknown = (set(self._always) | set(self._next)) - {method.short_name for method in methods}
        if unknown:
            raise ValueError(f"`{cast(Any, cls).__name__}` has no {', '.join(sorted(unknown))}")
        handlers = {method.handler: _handler(self, method) for method in methods}
        made: Any = type(f"Fake{cast(Any, cls).__name__}", (cast(type, cls),), handlers)
        return cast(S, made())

    # ---- inside

    def _called(self, method: Method[Any], values: list[Any]) -> Any:
        """Takes a call, and returns what it is answered with, or an awaitable of that."""
        name = method.short_name
        self.calls.append(Called(name, tuple(values)))
        if self._next[name]:
            answer = self._next[name].popleft()
        elif name in self._always:
            answer = self._always[name]
        else:
            raise Status(Code.UNIMPLEMENTED, f"the script says nothing of `{name}`", outcome=Outcome.NOT_SENT)
        is_function = callable(answer) and not isinstance(answer, type)
        return answer(*values) if is_function else answer


def _check_error(method: Method[Any], error: BaseException) -> BaseException:
    if isinstance(error, DeclaredError):
        method.encode_error(error)
    return error


def _answered(method: Method[Any], answer: Any) -> Any:
    """Returns an answer as it would arrive, or raises it."""
    if isinstance(answer, BaseException) or (isinstance(answer, type) and issubclass(answer, BaseException)):
        raise _check_error(method, answer() if isinstance(answer, type) else answer)
    return method.decode_answer(method.encode_answer(answer), 1 << 30)


def _sent(method: Method[Any], values: Iterable[Any]) -> list[Any]:
    """Returns parameters as they would arrive. Raises `Status`."""
    body = Maker(ClientLimits(), Retry(), None)._body(method, list(values))
    return method.decode_parameters(body, 1 << 30)


def _handler(script: Script, method: Method[Any]) -> Any:
    async def told(values: tuple[Any, ...]) -> Any:
        given = list(values)
        if method.kind.takes_items:
            given[-1] = [item async for item in given[-1]]
        answer = script._called(method, given)
        return await answer if inspect.isawaitable(answer) else answer

    async def unary(self: Any, context: Context, /, *values: Any) -> Any:
        return _answered(method, await told(values))

    def blocking(self: Any, context: Context, /, *values: Any) -> Any:
        return _answered(method, script._called(method, list(values)))

    async def stream(self: Any, context: Context, /, *values: Any) -> Any:
        async for item in _items(method, await told(values)):
            yield item

    if method.kind.answers_items:
        return stream
    return blocking if method.is_blocking and not method.kind.takes_items else unary


class _FakeAsync(AsyncClient):
    """A client whose calls go to a script."""

    def __init__(self, script: Script, options: CallOptions | None = None) -> None:
        self._script, self._options, self._owns = script, options or CallOptions(), False

    @property
    def channel(self) -> Channel:
        raise RuntimeError("a fake client has no channel")

    def with_options(self, **options: Any) -> Any:
        return type(self)(self._script, self._options.but(options))

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    async def _unary(self, method: Method[Any], *values: Any) -> Any:
        answer = self._script._called(method, _sent(method, values))
        return _answered(method, await answer if inspect.isawaitable(answer) else answer)

    async def _upload(self, method: Method[Any], items: Any, *values: Any) -> Any:
        given = [item async for item in items] if isinstance(items, AsyncIterable) else list(items)
        answer = self._script._called(method, [*_sent(method, values), given])
        return _answered(method, await answer if inspect.isawaitable(answer) else answer)

    def _stream(self, method: Method[Any], *values: Any) -> Any:
        return _FakeStreaming(self._script, method, _sent(method, values))

    def _duplex(self, method: Method[Any], *values: Any) -> Any:
        return _FakeStreaming(self._script, method, _sent(method, values))


class _FakeStreaming(Duplex[Any, Any]):
    """Answers of a script. Those of a call that streams both ways come once its client has finished."""

    def __init__(self, script: Script, method: Method[Any], values: list[Any]) -> None:
        super().__init__(None)
        self._script, self._method, self._values = script, method, values
        self._sent: list[Any] = []
        self._answers: Any = None

    async def send(self, item: Any) -> None:
        self._sent.append(item)

    async def finish(self) -> None:
        pass

    async def __anext__(self) -> Any:
        if self._answers is None:
            values = [*self._values, self._sent] if self._method.kind.takes_items else self._values
            answer = self._script._called(self._method, values)
            self._answers = _items(self._method, await answer if inspect.isawaitable(answer) else answer)
        return await self._answers.__anext__()


async def _items(method: Method[Any], answer: Any) -> AsyncIterator[Any]:
    if isinstance(answer, AsyncIterable):
        async for item in answer:
            yield _answered(method, item)
    else:
        for item in _listed(method, answer):
            yield _answered(method, item)


def _listed(method: Method[Any], answer: Any) -> Iterable[Any]:
    """Returns the items of an answer, or raises it."""
    is_error = isinstance(answer, BaseException) or (isinstance(answer, type) and issubclass(answer, BaseException))
    if is_error:
        _answered(method, answer)
    return cast("Iterable[Any]", answer)


class _FakeBlocking(BlockingClient):
    """A client for threads whose calls go to a script."""

    def __init__(self, script: Script, options: CallOptions | None = None) -> None:
        self._script, self._options, self._owns = script, options or CallOptions(), False

    @property
    def channel(self) -> Channel:
        raise RuntimeError("a fake client has no channel")

    def with_options(self, **options: Any) -> Any:
        return type(self)(self._script, self._options.but(options))

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def _unary(self, method: Method[Any], *values: Any) -> Any:
        return _answered(method, self._script._called(method, _sent(method, values)))

    def _upload(self, method: Method[Any], items: Iterable[Any], *values: Any) -> Any:
        return _answered(method, self._script._called(method, [*_sent(method, values), list(items)]))

    def _stream(self, method: Method[Any], *values: Any) -> Any:
        return _FakeBlockingStreaming(self._script, method, _sent(method, values))

    def _duplex(self, method: Method[Any], *values: Any) -> Any:
        return _FakeBlockingStreaming(self._script, method, _sent(method, values))


class _FakeBlockingStreaming(BlockingDuplex[Any, Any]):
    """Answers of a script, for threads."""

    def __init__(self, script: Script, method: Method[Any], values: list[Any]) -> None:
        self._script, self._method, self._values = script, method, values
        self._sent: list[Any] = []
        self._answers: Any = None

    def send(self, item: Any) -> None:
        self._sent.append(item)

    def finish(self) -> None:
        pass

    def close(self) -> None:
        pass

    def __next__(self) -> Any:
        if self._answers is None:
            values = [*self._values, self._sent] if self._method.kind.takes_items else self._values
            self._answers = iter(_listed(self._method, self._script._called(self._method, values)))
        return _answered(self._method, next(self._answers))
