"""`Method`: what both sides know of a method, and the bodies of its calls."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from .channel.overlap import Overlap
from .codec.body import decode, decode_with, encode
from .codec.form import Form
from .codec.reader import DecodeError
from .codec.structs import Field, Fields
from .codec.unions import ThrownForm, UnionForm
from .codec.writer import Body, EncodeError, Writer
from .session.config import Kind
from .session.failure import Declared, Failure
from .status import Cause, Code, DeclaredError, Outcome, Status, UnknownDeclaredError

T = TypeVar("T")
NIL = Body(b"\xc0", [], [])


@dataclass
class Method(Generic[T]):
    """One method of a service, whose answer is a `T`. Generated code has one for each."""

    name: str
    """The name on the wire: `package.Service/method`."""
    kind: Kind
    handler: str
    """The name of the handler."""
    make_parameters: Callable[[], Sequence[Field]]
    make_item: Callable[[], Form] | None = None
    """The items of a stream parameter."""
    make_answer: Callable[[], Form] | None = None
    """The answer, or its items."""
    make_throws: Callable[[], Sequence[UnionForm]] | None = None
    deadline: float | None = None
    """Seconds."""
    is_idempotent: bool = False
    is_blocking: bool = False
    overlap: Overlap = Overlap.PARALLEL
    roles: Sequence[str] = ()

    def __post_init__(self) -> None:
        self._parameters: Fields | None = None
        self._item: Form | None = None
        self._answer: Form | None = None
        self._throws: ThrownForm | None = None

    @property
    def short_name(self) -> str:
        """The name within its service."""
        return self.name.rpartition("/")[2]

    @property
    def parameters(self) -> Fields:
        """The parameters."""
        if self._parameters is None:
            self._parameters = Fields(self.make_parameters())
        return self._parameters

    @property
    def item(self) -> Form:
        """The form of the items that a client sends."""
        if self._item is None:
            assert self.make_item is not None
            self._item = self.make_item()
        return self._item

    @property
    def answer(self) -> Form | None:
        """The form of the answer, or of its items; `None` where there is nothing to say."""
        if self._answer is None and self.make_answer is not None:
            self._answer = self.make_answer()
        return self._answer

    @property
    def throws(self) -> ThrownForm | None:
        """The form of the declared errors."""
        if self._throws is None and self.make_throws is not None:
            self._throws = ThrownForm(self.make_throws(), UnknownDeclaredError)
        return self._throws

    # ---- parameters

    def encode_parameters(self, values: Sequence[Any]) -> Body:
        """Returns the body of a call. Raises `EncodeError`."""
        writer = Writer()
        self.parameters.write(writer, values)
        return writer.body()

    def decode_parameters(self, body: Body, max_body: int) -> list[Any]:
        """Returns the parameters of a call, whose bounds hold. Raises `Status`."""
        try:
            return decode_with(self.parameters.read, body, max_body=max_body, bounds=True)
        except DecodeError as error:
            code, cause = Code.INVALID_ARGUMENT, Cause.BAD_VALUE
            if error.too_large:
                code, cause = Code.RESOURCE_EXHAUSTED, Cause.TOO_LARGE
            elif error.too_deep:
                code = Code.RESOURCE_EXHAUSTED
            raise Status(code, str(error), outcome=Outcome.NOT_SENT, cause=cause) from None

    # ---- answers

    def encode_answer(self, value: Any) -> Body:
        """Returns the body of an answer. Raises `Status`."""
        if self.answer is None:
            return NIL
        try:
            return encode(self.answer, value)
        except EncodeError as error:
            text = f"the answer of `{self.name}` can't be encoded: {error}"
            raise Status(Code.INTERNAL, text, cause=Cause.BAD_VALUE) from None

    def decode_answer(self, body: Body | None, max_body: int) -> Any:
        """Returns the answer. Raises `Status`."""
        if body is None or self.answer is None:
            return None
        try:
            return decode(self.answer, body, max_body=max_body)
        except DecodeError as error:
            raise unreadable("the answer", error, Outcome.EXECUTED) from None

    # ---- errors

    def encode_error(self, error: DeclaredError) -> Declared:
        """Returns a declared error as it is sent. Raises `EncodeError` for one that the method does not declare."""
        if self.throws is None:
            raise EncodeError(f"`{self.name}` throws nothing, and its handler has raised `{type(error).__name__}`")
        body = encode(self.throws, error)
        return Declared(body.joined(), str(error), Outcome.EXECUTED)

    def exception(self, failure: Failure, max_body: int) -> Exception:
        """Returns what a caller is raised."""
        if isinstance(failure, Status):
            return failure
        if self.throws is None:
            text = f"an error that this program does not know: {failure.message}"
            return Status(Code.UNKNOWN, text, outcome=failure.outcome)
        try:
            error: DeclaredError = decode(self.throws, Body(failure.body, [], []), max_body=max_body)
        except DecodeError as wrong:
            return unreadable("the error", wrong, failure.outcome)
        error.outcome = failure.outcome
        if failure.message:
            error._received_text = failure.message
        return error


def unreadable(what: str, error: DecodeError, outcome: Outcome) -> Status:
    """Returns the status of an answer, an item or an error that can't be read."""
    if error.too_large:
        return Status(Code.RESOURCE_EXHAUSTED, f"{what}: {error}", outcome=outcome, cause=Cause.TOO_LARGE)
    code = Code.RESOURCE_EXHAUSTED if error.too_deep else Code.UNKNOWN
    return Status(code, f"{what} can't be read: {error}", outcome=outcome, cause=Cause.BAD_VALUE)


def encode_item(form: Form, item: Any, max_body: int) -> Body:
    """Returns an item as it is sent. Raises `Status`."""
    try:
        body = encode(form, item)
    except EncodeError as error:
        raise Status(
            Code.INVALID_ARGUMENT,
            f"an item can't be encoded: {error}",
            outcome=Outcome.MAYBE_EXECUTED,
            cause=Cause.BAD_VALUE,
        ) from None
    if len(body) > max_body:
        text = f"an item has {len(body)} bytes, and the limit of this side is {max_body}"
        raise Status(Code.RESOURCE_EXHAUSTED, text, outcome=Outcome.MAYBE_EXECUTED, cause=Cause.TOO_LARGE)
    return body


def seconds_left(deadline: float | None) -> float | None:
    """Returns the seconds left until a deadline."""
    return None if deadline is None else max(deadline - time.monotonic(), 0.0)
