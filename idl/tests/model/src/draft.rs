//! Random schemas that can be changed, and written as a file.

use std::fmt::Write;

use crate::constants::Constant;
use crate::random::Random;

/// A schema of one file.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Name of the package.
    pub package: String,
    /// Constants, which defaults and later constants may name.
    pub constants: Vec<Constant>,
    /// Declared types, each of which may use those before it.
    pub types: Vec<Declared>,
    /// Who may call its service, as written in the file; empty if it does not say.
    pub access: &'static str,
    /// The methods of its service.
    pub methods: Vec<Method>,
    /// Who may call the service that its service may extend, as written in the file; empty if it does not say.
    pub base_access: &'static str,
    /// The methods of that other service.
    pub base: Vec<Method>,
    /// Whether its service extends the other.
    pub extends: bool,
    /// Number of names given out so far.
    pub names: usize,
}

/// A declared type.
#[derive(Debug, Clone)]
pub struct Declared {
    /// Name, after those of the types around it: `Type1.Type2`.
    pub name: String,
    /// Text of the docs; empty if there are none.
    pub docs: String,
    /// Value of its `@meta`; empty if there is none.
    pub meta: String,
    /// Kind and members of the type.
    pub body: Body,
    /// Reserved numbers.
    pub reserved: Vec<i64>,
}

/// The kind of a type, and its members.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "each is the keyword that declares it")]
pub enum Body {
    Struct(Vec<Member>),
    Enum(Vec<(String, i64)>),
    Flags(Vec<(String, i64)>),
    Union(Vec<Variant>),
    Error(Vec<Variant>),
    Alias(String),
}

/// A field, or a parameter; the number of a parameter is its position.
#[derive(Debug, Clone)]
pub struct Member {
    /// Name.
    pub name: String,
    /// Number on the wire.
    pub number: u32,
    /// Type, as written in the file.
    pub ty: String,
    /// Default, as written in the file.
    pub default: Option<String>,
    /// Name of an attribute, and the minimum and maximum that it allows.
    pub bound: Option<(&'static str, u32, u32)>,
}

/// A variant.
#[derive(Debug, Clone)]
pub struct Variant {
    /// Name.
    pub name: String,
    /// Number on the wire.
    pub number: u32,
    /// Payload of the variant.
    pub payload: Payload,
}

/// The payload of a variant.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "as in a schema")]
pub enum Payload {
    Nothing,
    Type(String),
    Fields(Vec<Member>),
}

/// A method.
#[derive(Debug, Clone)]
pub struct Method {
    /// Name.
    pub name: String,
    /// Whether it is `oneway`.
    pub one_way: bool,
    /// Parameters that are not streams.
    pub parameters: Vec<Member>,
    /// Type of the items that it takes as a stream.
    pub incoming: Option<String>,
    /// Whether it answers with a stream.
    pub streams: bool,
    /// Type that it answers with.
    pub answer: Option<String>,
    /// Errors that it throws.
    pub throws: Vec<String>,
    /// Attributes such as `@deadline(1s)`, as written in the file.
    pub attributes: &'static str,
    /// Whether calls are spread by the first parameter that they can be spread by.
    pub shard: bool,
    /// Who may call it, as written in the file; empty if it does not say.
    pub access: &'static str,
}

/// What random schemas say of who may call.
pub const ACCESS: [&str; 6] =
    ["", "@public", "@roles(\"a\")", "@roles(\"b\")", "@roles(\"a\", \"b\")", "@roles(\"c\", \"b\")"];

/// Built-in types that random schemas use.
pub const BUILTINS: [&str; 16] = [
    "bool",
    "u8",
    "u16",
    "u32",
    "u64",
    "i8",
    "i32",
    "i64",
    "f32",
    "f64",
    "string",
    "bytes",
    "timestamp",
    "duration",
    "uuid",
    "value",
];

impl Draft {
    /// Returns a random schema.
    #[must_use]
    pub fn random(random: &mut Random) -> Self {
        let mut draft = Self {
            package: "model.v1".to_owned(),
            constants: Vec::new(),
            types: Vec::new(),
            access: if random.one_in(4) { *random.pick(&ACCESS) } else { "" },
            methods: Vec::new(),
            base_access: "",
            base: Vec::new(),
            extends: false,
            names: 0,
        };
        for _ in 0..2 + random.below(4) {
            let declared = draft.declared(random);
            draft.types.push(declared);
            if random.one_in(2) {
                draft.constant(random);
            }
        }
        for _ in 0..random.below(4) {
            draft.error(random);
        }
        for _ in 0..=random.below(3) {
            let method = draft.method(random);
            draft.methods.push(method);
        }
        if random.one_in(3) {
            draft.extends = !random.one_in(3);
            draft.base_access = if random.one_in(4) { *random.pick(&ACCESS) } else { "" };
            let method = draft.method(random);
            draft.base.push(method);
        }
        draft
    }

    /// Returns a name that nothing else has.
    pub fn fresh(&mut self, start: &str) -> String {
        self.names += 1;
        format!("{start}{}", self.names)
    }

    /// Returns a built-in type, one that is declared already, or a list, map or optional of one.
    pub fn ty(&self, random: &mut Random) -> String {
        let plain = if self.types.is_empty() || random.one_in(2) {
            (*random.pick(&BUILTINS)).to_owned()
        } else {
            random.pick(&self.types).name.clone()
        };
        let is_optional = self
            .types
            .iter()
            .any(|known| known.name == plain && matches!(&known.body, Body::Alias(ty) if ty.ends_with('?')));
        match random.below(8) {
            0 if !is_optional => format!("{plain}?"),
            1 if is_key(&plain) && random.one_in(2) => format!("set<{plain}>"),
            1 => format!("list<{plain}>"),
            2 => format!("map<{}, {plain}>", random.pick(&["string", "u8", "i64", "uuid"])),
            _ => plain,
        }
    }

    /// Returns a random field with an unused name.
    pub fn member(&mut self, random: &mut Random, number: u32) -> Member {
        let ty = self.ty(random);
        let bound = match ty.as_str() {
            "u8" | "u16" | "u32" | "u64" | "i8" | "i32" | "i64" if random.one_in(3) => {
                Some(("range", 1, 100))
            }
            "string" | "bytes" if random.one_in(3) => Some(("len", 1, 10)),
            ty if is_list(ty) && random.one_in(3) => Some(("len", 0, 3)),
            _ => None,
        };
        let default = if random.one_in(2) { None } else { self.default(random, &ty, 0) };
        Member { name: self.fresh("field_"), number, ty, default, bound }
    }

    fn members(&mut self, random: &mut Random) -> Vec<Member> {
        let mut number = 0;
        let members = (0..random.below(4)).map(|_| {
            number += match random.below(24) {
                // Numbers so far apart that the struct is a map.
                0 => 9,
                1 => 300,
                2 => 20_000,
                step => 1 + u32::from(step % 4 == 0),
            };
            self.member(random, number)
        });
        members.collect()
    }

    /// Returns a random variant with an unused name.
    pub fn variant(&mut self, random: &mut Random, number: u32) -> Variant {
        let payload = match random.below(3) {
            0 => Payload::Nothing,
            1 => Payload::Type(self.ty(random)),
            _ => Payload::Fields(self.members(random)),
        };
        Variant { name: self.fresh("Variant"), number, payload }
    }

    /// Returns the name of a type in which others may be.
    pub fn home(&self, random: &mut Random) -> Option<String> {
        let holds = |body: &Body| matches!(body, Body::Struct(_) | Body::Union(_) | Body::Error(_));
        let homes: Vec<&Declared> = self.types.iter().filter(|known| holds(&known.body)).collect();
        if homes.is_empty() { None } else { Some(random.pick(&homes).name.clone()) }
    }

    /// Returns a random type with an unused name.
    pub fn declared(&mut self, random: &mut Random) -> Declared {
        let kind = random.below(8);
        let own = self.fresh("Type");
        // An error and an alias are in no other type.
        let name = match self.home(random).filter(|_| kind < 6 && random.one_in(3)) {
            Some(home) => format!("{home}.{own}"),
            None => own,
        };
        let body = match kind {
            0..=3 => {
                // A struct without fields has only one value, from which no misreading can be seen.
                let mut fields = self.members(random);
                if fields.is_empty() {
                    fields.push(self.member(random, 1));
                }
                let number = fields.last().map_or(1, |field| field.number + 1);
                let ty = (*random.pick(&[format!("list<{name}>"), format!("{name}?")])).clone();
                let itself = Member { name: self.fresh("field_"), number, ty, default: None, bound: None };
                fields.extend(random.one_in(5).then_some(itself));
                Body::Struct(fields)
            }
            4 if random.one_in(2) => {
                let numbers = (0..).step_by(1 + random.below(3));
                Body::Flags((0..=1 + random.below(3)).map(|_| self.fresh("Flag")).zip(numbers).collect())
            }
            4 => {
                let least = if random.one_in(3) { -1 } else { 0 };
                Body::Enum((1..=2 + random.below(2)).map(|_| self.fresh("Value")).zip(least..).collect())
            }
            5 => Body::Union((1..=2).map(|number| self.variant(random, number)).collect()),
            6 => Body::Error((1..=2).map(|number| self.variant(random, number)).collect()),
            _ => Body::Alias(self.ty(random)),
        };
        Declared { name, docs: String::new(), meta: String::new(), body, reserved: Vec::new() }
    }

    /// Returns a random method with an unused name.
    pub fn method(&mut self, random: &mut Random) -> Method {
        let parameters = (1..).take(random.below(4)).map(|number| self.member(random, number)).collect();
        let one_way = random.one_in(6);
        let throws = if one_way { Vec::new() } else { self.errors(random) };
        let answer = (!one_way && !random.one_in(4)).then(|| self.ty(random));
        Method {
            one_way,
            parameters,
            incoming: (!one_way && random.one_in(4)).then(|| self.ty(random)),
            streams: answer.is_some() && random.one_in(4),
            answer,
            throws,
            attributes: "",
            shard: random.one_in(4),
            access: if random.one_in(4) { ACCESS[random.below(ACCESS.len())] } else { "" },
            name: self.fresh("method_"),
        }
    }

    /// Returns the names of some errors, in any order.
    fn errors(&self, random: &mut Random) -> Vec<String> {
        let errors = self.types.iter().filter(|known| matches!(known.body, Body::Error(_)));
        let mut errors: Vec<String> = errors.map(|known| known.name.clone()).collect();
        while errors.len() > 1 && random.one_in(2) {
            errors.swap_remove(random.below(errors.len()));
        }
        errors
    }

    /// Declares an error, and returns its name.
    pub fn error(&mut self, random: &mut Random) -> String {
        let name = self.fresh("Type");
        let body = Body::Error((1..=2).map(|number| self.variant(random, number)).collect());
        let (docs, meta, reserved) = (String::new(), String::new(), Vec::new());
        self.types.push(Declared { name: name.clone(), docs, meta, body, reserved });
        name
    }

    /// Returns the text of the file.
    ///
    /// # Panics
    /// Never: strings take any text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("package {};\n", self.package);
        text.extend(self.constants.iter().map(Constant::text));
        for declared in self.types.iter().filter(|known| !known.name.contains('.')) {
            text += &self.declared_text(declared);
        }
        let methods = |of: &[Method]| of.iter().map(Method::text).collect::<String>();
        let (own, base) = (methods(&self.methods), methods(&self.base));
        let extends = if self.extends { "extends Base " } else { "" };
        write!(text, "\n{} service Base {{\n{base}}}\n", self.base_access).expect("strings take any text");
        write!(text, "\n{} service Model {extends}{{\n{own}}}\n", self.access)
            .expect("strings take any text");
        text
    }
}

impl Draft {
    /// Returns the text of a type and those inside of it. Some of what is inside is named from within.
    fn declared_text(&self, declared: &Declared) -> String {
        let prefix = format!("{}.", declared.name);
        let is_inside = |name: &str| name.strip_prefix(&prefix).is_some_and(|rest| !rest.contains('.'));
        let inside = self.types.iter().filter(|known| is_inside(&known.name));
        let inside: String = inside.map(|known| self.declared_text(known)).collect();
        let text = declared.text(&inside);
        if prefix.len().is_multiple_of(2) { text.replace(&prefix, "") } else { text }
    }
}

/// Reports whether a built-in type may be in a set.
fn is_key(ty: &str) -> bool {
    matches!(ty, "bool" | "u8" | "u16" | "u32" | "u64" | "i8" | "i32" | "i64" | "string" | "uuid")
}

pub(crate) fn is_list(ty: &str) -> bool {
    ty.starts_with("list<") || ty.starts_with("set<")
}

impl Declared {
    fn text(&self, inside: &str) -> String {
        let Self { name, docs, meta, .. } = self;
        let name = name.rsplit('.').next().unwrap_or(name);
        let reserved: Vec<String> = self.reserved.iter().map(i64::to_string).collect();
        let reserved = if reserved.is_empty() {
            String::new()
        } else {
            format!("    reserved {};\n", reserved.join(", "))
        };
        let docs = if docs.is_empty() { String::new() } else { format!("/// {docs}\n") };
        let meta = if meta.is_empty() { String::new() } else { format!("@meta(\"key\", \"{meta}\")\n") };
        let docs = docs + &meta;
        let (keyword, members): (_, String) = match &self.body {
            Body::Alias(ty) => return format!("\n{docs}type {name} = {ty};\n"),
            Body::Struct(fields) => ("struct", fields.iter().map(Member::field).collect()),
            Body::Enum(values) | Body::Flags(values) => {
                let value = |(name, number): &(String, i64)| format!("    {name} = {number};\n");
                let keyword = if matches!(self.body, Body::Flags(_)) { "flags" } else { "enum" };
                (keyword, values.iter().map(value).collect::<Vec<_>>().concat())
            }
            Body::Union(variants) => ("union", variants.iter().map(Variant::text).collect()),
            Body::Error(variants) => ("error", variants.iter().map(Variant::text).collect()),
        };
        format!("\n{docs}{keyword} {name} {{\n{members}{inside}{reserved}}}\n")
    }
}

impl Member {
    fn field(&self) -> String {
        format!("    {} = {};\n", self.parameter(), self.number)
    }

    fn parameter(&self) -> String {
        let default = self.default.as_ref().map_or_else(String::new, |value| format!("@default({value}) "));
        let bound =
            self.bound.map_or_else(String::new, |(name, min, max)| format!("@{name}({min}..={max}) "));
        format!("{default}{bound}{}: {}", self.name, self.ty)
    }
}

impl Variant {
    fn text(&self) -> String {
        let Self { name, number, payload } = self;
        match payload {
            Payload::Nothing => format!("    {name} = {number};\n"),
            Payload::Type(ty) => format!("    {name}: {ty} = {number};\n"),
            Payload::Fields(fields) => {
                let fields: String = fields.iter().map(Member::field).collect();
                format!("    {name} {{\n{fields}    }} = {number};\n")
            }
        }
    }
}

impl Method {
    fn text(&self) -> String {
        let mut parameters: Vec<String> = self.parameters.iter().map(Member::parameter).collect();
        parameters.extend(self.incoming.iter().map(|ty| format!("items: stream {ty}")));
        let keyword = if self.one_way { "oneway" } else { "rpc" };
        let stream = if self.streams { "stream " } else { "" };
        let answer = self.answer.as_ref().map_or_else(String::new, |ty| format!(" -> {stream}{ty}"));
        let throws = match self.throws.as_slice() {
            [] => String::new(),
            errors => format!(" throws {}", errors.join(", ")),
        };
        let key = self.parameters.iter().find(|key| {
            let has_key_type = is_key(&key.ty) || key.ty == "bytes";
            self.shard && has_key_type && key.default.is_none()
        });
        let shard = key.map_or_else(String::new, |key| format!("@shard({})", key.name));
        let (attributes, access, name) = (self.attributes, self.access, &self.name);
        let parameters = parameters.join(", ");
        format!("    {attributes} {shard} {access} {keyword} {name}({parameters}){answer}{throws};\n")
    }
}
