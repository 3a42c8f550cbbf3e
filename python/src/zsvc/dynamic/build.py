"""Makes types and methods of the files of a schema."""

from __future__ import annotations

import keyword
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from ..channel.overlap import Overlap
from ..codec import scalars
from ..codec.containers import EnumForm, FlagsForm, ListForm, MapForm, OptionalForm, SetForm
from ..codec.dynamic import VALUE
from ..codec.form import Form
from ..codec.structs import MISSING, Field, StructForm
from ..codec.unions import UnionForm
from ..method import Method
from ..session.config import Kind
from ..status import DeclaredError
from ..values import Duration, Enum, Flags, Struct, UnknownVariant
from .text import Declaration, Entries, File, Member, Rpc, SchemaError, TypeUse, Word, read

_SCALARS: dict[str, Form] = {
    "bool": scalars.BOOL, "u8": scalars.U8, "u16": scalars.U16, "u32": scalars.U32, "u64": scalars.U64,
    "i8": scalars.I8, "i16": scalars.I16, "i32": scalars.I32, "i64": scalars.I64, "f32": scalars.F32,
    "f64": scalars.F64, "string": scalars.STRING, "bytes": scalars.BYTES, "timestamp": scalars.TIMESTAMP,
    "duration": scalars.DURATION, "uuid": scalars.UUID, "value": VALUE,
}  # fmt: skip
_CONTAINERS = ("list", "set", "map")


class DynamicError(DeclaredError):
    """The base of declared errors that are made of a schema."""

    _message: str | None = None
    _variant = ""

    def __init__(self, value: Any = MISSING, **fields: Any) -> None:
        shown = tuple(fields.values()) if value is MISSING else (value,)
        super().__init__(*shown)
        if value is not MISSING:
            self.value = value
        self.__dict__.update(fields)

    def _text(self) -> str:
        if self._message is None:
            return self._variant
        fields = {name: value for name, value in vars(self).items() if not name.startswith("_")}
        try:
            return self._message.format_map(fields)
        except (KeyError, ValueError, IndexError):
            return self._message


class UnknownError(DeclaredError):
    """A variant of an error that the schema does not have."""

    def __init__(self, number: int, raw: bytes) -> None:
        super().__init__(number)
        self.number, self.raw = number, raw

    def _text(self) -> str:
        return f"an error that the schema does not have, with the number {self.number}"


@dataclass(frozen=True)
class ServiceType:
    """A service: its methods, and what the schema says of them."""

    name: str
    docs: str
    methods: Mapping[str, Method[Any]]
    method_docs: Mapping[str, str]
    signatures: Mapping[str, str]


@dataclass(frozen=True)
class _Site:
    """Where a name stands: in a file, and within these types."""

    file: _Loaded
    within: tuple[str, ...] = ()


class _Loaded:
    """A file, with the paths of those that it imports."""

    def __init__(self, path: str, file: File) -> None:
        self.path, self.file = path, file
        folder = posixpath.dirname(path)
        self.imports = [posixpath.normpath(posixpath.join(folder, it)) for it in file.imports]
        self.aliases = {name: posixpath.normpath(posixpath.join(folder, it)) for name, it in file.aliases.items()}


class Schema:
    """The files of a schema. Types are made when they are first asked for, since they may contain each other."""

    def __init__(self, files: Mapping[str, str]) -> None:
        """`files` are texts by their paths. Raises `SchemaError`."""
        self._files = {path: _Loaded(path, read(text)) for path, text in files.items()}
        self._forms: dict[str, Form] = {}
        self._declared: dict[str, tuple[Declaration, _Site]] = {}
        self._aliases: set[str] = set()
        """Those that are being followed."""
        for loaded in self._files.values():
            self._declare(loaded.file.declarations, _Site(loaded), loaded.file.package)

    def _declare(self, declarations: Sequence[Declaration], site: _Site, prefix: str) -> None:
        for declaration in declarations:
            name = f"{prefix}.{declaration.name}"
            self._declared[name] = (declaration, site)
            self._declare(declaration.nested, _Site(site.file, (*site.within, declaration.name)), name)

    # ---- names

    def _names(self, name: str, site: _Site) -> Iterator[str]:
        """Yields what a name may stand for, the nearest first."""
        package = site.file.file.package
        for depth in range(len(site.within), 0, -1):
            yield ".".join((package, *site.within[:depth], name))
        yield f"{package}.{name}"
        alias, _, rest = name.partition(".")
        imported = self._files.get(site.file.aliases.get(alias, ""))
        if imported is not None and rest:
            yield f"{imported.file.package}.{rest}"
        yield name

    def _find(self, name: str, site: _Site) -> str:
        for found in self._names(name, site):
            if found in self._declared:
                return found
        raise SchemaError(f"there is no `{name}` in `{site.file.path}`")

    # ---- types

    def form(self, name: str) -> Form:
        """Returns the form of a type by its full name. Raises `SchemaError`."""
        found = self._forms.get(name)
        if found is not None:
            return found
        if name not in self._declared:
            raise SchemaError(f"there is no type `{name}`")
        declaration, site = self._declared[name]
        if declaration.kind == "type":
            made = self._alias(declaration, site, name)
        elif declaration.kind == "enum":
            made = _enum(declaration)
        elif declaration.kind == "flags":
            made = _flags(declaration)
        elif declaration.kind in ("struct", "event"):
            made = self._struct(declaration, site, name)
        elif declaration.kind in ("union", "error"):
            made = self._union(declaration, site, name)
        else:
            raise SchemaError(f"`{name}` is a {declaration.kind}, and no type")
        return self._forms.setdefault(name, made)

    def _alias(self, declaration: Declaration, site: _Site, name: str) -> Form:
        if name in self._aliases or declaration.type is None:
            raise SchemaError(f"`{name}` is another name for itself")
        self._aliases.add(name)
        try:
            return self.use(declaration.type, site)
        finally:
            self._aliases.discard(name)

    def use(self, use: TypeUse, site: _Site) -> Form:
        """Returns the form of a type where it is used."""
        inner = [self.use(argument, site) for argument in use.arguments]
        form: Form
        if use.name in _SCALARS:
            form = _SCALARS[use.name]
        elif use.name in _CONTAINERS and inner:
            form = {"list": ListForm, "set": SetForm, "map": MapForm}[use.name](*inner)
        else:
            form = self.form(self._find(use.name, site))
        return OptionalForm(form) if use.is_optional else form

    def _struct(self, declaration: Declaration, site: _Site, name: str) -> StructForm:
        inside = _Site(site.file, (*site.within, declaration.name))
        cls = _class(declaration.name, declaration.members, declaration.docs, lambda it: self._default(it, inside))
        return StructForm(cls, name, lambda: self.fields(declaration.members, inside))

    def _union(self, declaration: Declaration, site: _Site, name: str) -> UnionForm:
        inside = _Site(site.file, (*site.within, declaration.name))
        is_error = declaration.kind == "error"
        base = type(declaration.name, (DynamicError,), {"__doc__": declaration.docs}) if is_error else None

        def variants() -> list[tuple[int, type[Any], Form | None]]:
            return [self._variant(declaration, member, inside, base) for member in declaration.members]

        names = [member.name for member in declaration.members]
        return UnionForm(name, UnknownError if is_error else UnknownVariant, variants, names)

    def _variant(
        self, declaration: Declaration, member: Member, site: _Site, base: type[Any] | None
    ) -> tuple[int, type[Any], Form | None]:
        name = declaration.name + member.name
        cls: type[Any]
        if base is not None:
            message = member.attributes.get("message", [None])[0]
            cls = type(name, (base,), {"_message": message, "_variant": member.name, "__doc__": member.docs})
        elif member.fields is not None:
            cls = _class(name, member.fields, member.docs, lambda it: self._default(it, site))
        else:
            fields = [] if member.type is None else [("value", Any)]
            cls = msgspec.defstruct(name, fields, bases=(Struct,))
        form: Form | None = None
        if member.fields is not None:
            form = StructForm(cls, name, lambda: self.fields(member.fields or [], site))
        elif member.type is not None:
            form = self.use(member.type, site)
        return (member.number, cls, form)

    # ---- fields

    def fields(self, members: Sequence[Member], site: _Site) -> list[Field]:
        """Returns fields, or parameters."""
        return [
            Field(
                member.number,
                member.name,
                self.use(_type(member), site),
                attr=attribute(member.name),
                default=self._default(member, site),
            )
            for member in members
        ]

    def _default(self, member: Member, site: _Site) -> Any:
        given = member.attributes.get("default")
        if not given:
            return MISSING
        value, form = given[0], self.use(_type(member), site)
        makers: dict[type[Form], Any] = {ListForm: list, SetForm: set, MapForm: dict}
        if type(form) in makers and value in ([], Entries(())):
            return makers[type(form)]
        if isinstance(form, (ListForm, SetForm, MapForm, StructForm)):
            # Made anew each time, since it can be changed.
            return lambda: self._value(value, form, site)
        return self._value(value, form, site)

    def _value(self, value: Any, form: Form, site: _Site) -> Any:
        """Returns what a value in the schema is."""
        if isinstance(value, Word):
            value, site = self._named_value(value.name, form, site)
        match form:
            case OptionalForm():
                return self._value(value, form.inner, site)
            case scalars.DurationForm():
                return Duration(value)
            case scalars.FloatForm():
                return float(value)
            case FlagsForm():
                return form.flags(sum(1 << _number_of(form.names, flag.name) for flag in value))
            case ListForm():
                return [self._value(element, form.element, site) for element in value]
            case SetForm():
                return {self._value(element, form.element, site) for element in value}
            case MapForm():
                pairs = value.pairs if isinstance(value, Entries) else ()
                return {self._value(key, form.key, site): self._value(it, form.value, site) for key, it in pairs}
            case StructForm():
                fields = {field.name: field for field in form.fields().fields}
                given = {fields[name.name]: it for name, it in value.pairs}
                return form.cls(**{field.attr: self._value(it, field.form, site) for field, it in given.items()})
            case _:
                return value

    def _named_value(self, name: str, form: Form, site: _Site) -> tuple[Any, _Site]:
        """Returns the value that a name stands for, one of the form's enum or a constant, and where that is written."""
        if isinstance(form, EnumForm):
            return form.enum(_number_of(form.names, name)), site
        declaration, site = self._declared[self._find(name, site)]
        return declaration.value, site

    # ---- services

    def services(self) -> list[str]:
        """Returns the full names of all services."""
        return [name for name, (declaration, _) in self._declared.items() if declaration.kind == "service"]

    def service(self, name: str) -> ServiceType:
        """Returns a service by its full name. Raises `SchemaError`."""
        declaration, _ = self._declared.get(name, (None, None))
        if declaration is None or declaration.kind != "service":
            raise SchemaError(f"the schema has no service `{name}`")
        found = dict(self._methods(name, set()))
        return ServiceType(
            name,
            declaration.docs,
            {rpc.name: self._method(name, rpc, site) for rpc, site in found.values()},
            {rpc.name: rpc.docs for rpc, _ in found.values()},
            {rpc.name: signature(rpc) for rpc, _ in found.values()},
        )

    def _methods(self, name: str, seen: set[str]) -> Iterator[tuple[str, tuple[Rpc, _Site]]]:
        """Yields the methods of a service, its own first, and then those that it takes over."""
        if name in seen:
            return
        seen.add(name)
        declaration, site = self._declared[name]
        for rpc in declaration.methods:
            yield rpc.name, (rpc, site)
        for extended in declaration.extends:
            yield from self._methods(self._find(extended, site), seen)

    def _method(self, service: str, rpc: Rpc, site: _Site) -> Method[Any]:
        plain = [parameter for parameter in rpc.parameters if not parameter.is_stream]
        stream = next((parameter for parameter in rpc.parameters if parameter.is_stream), None)
        deadline = rpc.attributes.get("deadline")
        overlap = rpc.attributes.get("overlap")
        return Method(
            f"{service}/{rpc.name}",
            _kind(rpc, stream),
            attribute(rpc.name),
            lambda: self.fields(plain, site),
            make_item=None if stream is None else (lambda: self.use(_type(stream), site)),
            make_answer=None if rpc.answer is None else (lambda: self.use(rpc.answer or TypeUse("value"), site)),
            make_throws=(lambda: [self._error(it, site) for it in rpc.throws]) if rpc.throws else None,
            deadline=deadline[0] / 1e9 if deadline else None,
            is_idempotent="idempotent" in rpc.attributes,
            overlap=Overlap(overlap[0].name) if overlap else Overlap.PARALLEL,
        )

    def _error(self, name: str, site: _Site) -> UnionForm:
        form = self.form(self._find(name, site))
        if not isinstance(form, UnionForm):
            raise SchemaError(f"`{name}` is no error")
        return form


def attribute(name: str) -> str:
    """Returns what a field, a parameter or a method is called in Python."""
    return f"{name}_" if keyword.iskeyword(name) else name


def signature(rpc: Rpc) -> str:
    """Returns a method as the schema writes it."""
    inside = ", ".join(f"{it.name}: {'stream ' if it.is_stream else ''}{shown(_type(it))}" for it in rpc.parameters)
    answer = f" -> {'stream ' if rpc.answers_stream else ''}{shown(rpc.answer)}" if rpc.answer else ""
    throws = f" throws {', '.join(rpc.throws)}" if rpc.throws else ""
    return f"{'oneway' if rpc.is_oneway else 'rpc'} {rpc.name}({inside}){answer}{throws}"


def shown(use: TypeUse) -> str:
    """Returns a type as the schema writes it."""
    arguments = f"<{', '.join(map(shown, use.arguments))}>" if use.arguments else ""
    return f"{use.name}{arguments}{'?' if use.is_optional else ''}"


def _kind(rpc: Rpc, stream: Member | None) -> Kind:
    if rpc.is_oneway:
        return Kind.ONE_WAY
    if stream is not None:
        return Kind.BIDIRECTIONAL if rpc.answers_stream else Kind.CLIENT_STREAM
    return Kind.SERVER_STREAM if rpc.answers_stream else Kind.UNARY


def _type(member: Member) -> TypeUse:
    if member.type is None:
        raise SchemaError(f"`{member.name}` has no type")
    return member.type


def _enum(declaration: Declaration) -> EnumForm:
    members = {attribute(member.name): member.number for member in declaration.members}
    make: Any = Enum
    made: Any = make(declaration.name, members)
    return EnumForm(made, {member.number: member.name for member in declaration.members})


def _flags(declaration: Declaration) -> FlagsForm:
    members = {attribute(member.name): 1 << member.number for member in declaration.members}
    make: Any = Flags
    made: Any = make(declaration.name, members)
    return FlagsForm(made, {member.number: member.name for member in declaration.members})


def _number_of(names: Mapping[int, str], path: str) -> int:
    """Returns the number of the value or flag that a path names."""
    numbers = {known: number for number, known in names.items()}
    return numbers[path.rpartition(".")[2]]


def _class(name: str, members: Sequence[Member], docs: str, default: Any) -> type[Any]:
    """Returns a class with these fields, which may be left off where they may be absent."""
    fields: list[Any] = []
    for member in members:
        attr, given = attribute(member.name), default(member)
        if _type(member).is_optional or _type(member).name == "value":
            fields.append((attr, Any, None))
        elif given is MISSING:
            fields.append((attr, Any))
        else:
            fields.append((attr, Any, msgspec.field(default_factory=given) if callable(given) else given))
    return msgspec.defstruct(name, fields, bases=(Struct,), kw_only=True, namespace={"__doc__": docs})
