//! Schemas made up at random, valid by construction: names that mean something in Rust, types of all kinds in all places,
//! docs that Markdown trips over.

use std::collections::BTreeSet;
use std::fmt::Write;

/// Words that are likely to meet what is generated, or are keywords.
const WORDS: &[&str] = &[
    "Self",
    "self",
    "super",
    "crate",
    "type",
    "match",
    "async",
    "gen",
    "static",
    "_",
    "__",
    "Option",
    "Some",
    "None",
    "Ok",
    "Err",
    "Box",
    "Vec",
    "String",
    "Result",
    "Default",
    "Clone",
    "Unknown",
    "number",
    "new",
    "connect",
    "local",
    "channel",
    "core",
    "std",
    "zsvc",
    "wire",
    "context",
    "sink",
    "service",
    "params",
    "fields",
    "formatter",
    "serializer",
    "Tape",
    "TapeClient",
    "TapeServer",
    "tape",
    "METHODS",
    "usize",
    "str",
];

const DOCS: &[&str] = &[
    "",
    "text",
    "```",
    "~~~~",
    "> ```",
    "- ```",
    "1. ```",
    "   ```",
    "    let x = {",
    "*/ /* // \"quoted\" \\ 'c'",
    "[link](nowhere) [`Missing`]",
    "<b>",
    "# Head",
    "/",
    "é",
    "| a | b |",
];

const BUILTINS: &[&str] = &[
    "bool",
    "u8",
    "u16",
    "u32",
    "u64",
    "i8",
    "i16",
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

const TAKES_ANY: &str = "strings take any text";

/// Numbers that only their seed decides.
pub(super) struct Random(u64);

/// What is declared so far, by what it can be used for.
#[derive(Clone, Default)]
struct Declared {
    types: Vec<String>,
    keys: Vec<String>,
    errors: Vec<String>,
    /// Types, and a value of each that can be written. Of a struct, one within its bounds.
    values: Vec<(String, String)>,
    /// Constants, and their types.
    constants: Vec<(String, String)>,
}

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or(0) % bound.max(1)
    }

    fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    fn pick_name(&mut self, from: &[String]) -> Option<String> {
        if from.is_empty() { None } else { Some(from[self.below(from.len())].clone()) }
    }

    /// A name that is not taken yet.
    fn name(&mut self, taken: &mut BTreeSet<String>) -> String {
        loop {
            let mut name = self.pick(WORDS).to_owned();
            for _ in 0..self.below(3) {
                name += self.pick(&["_", "a", "Z", "9", "Client", "Fields", "Params", "r"]);
            }
            if taken.insert(name.clone()) {
                return name;
            }
        }
    }

    fn docs(&mut self) -> String {
        let lines = if self.one_in(3) { self.below(6) } else { 0 };
        let docs: Vec<String> = (0..lines).map(|_| format!("/// {}\n", self.pick(DOCS))).collect();
        docs.concat() + if self.one_in(9) { "@deprecated(\"no \\\"more\\\"\") " } else { "" }
    }

    /// A whole file, of a package that no other seed of this run has.
    pub(super) fn file(&mut self, index: usize) -> String {
        let mut parts: Vec<String> = (0..self.below(3)).map(|_| self.name(&mut BTreeSet::new())).collect();
        let place = self.below(parts.len() + 1);
        parts.insert(place, format!("p{index}"));
        let mut text = format!("package {};\n", parts.join("."));
        let (mut taken, mut declared) = (BTreeSet::new(), Declared::default());
        for _ in 0..self.below(3) {
            let (docs, name) = (self.docs(), self.name(&mut taken));
            writeln!(text, "{docs}const {name}: i64 = -{};", self.below(1 << 40)).expect(TAKES_ANY);
            declared.constants.push((name, "i64".to_owned()));
        }
        for _ in 0..self.below(9) {
            text += &self.definition("", &mut taken, &mut declared);
            if self.one_in(2) {
                text += &self.constant(&mut taken, &mut declared);
            }
        }
        // What is there to extend, and the methods that each serves.
        let mut services: Vec<(String, BTreeSet<String>)> = Vec::new();
        for _ in 0..self.below(4) {
            let (docs, access, name) = (self.docs(), self.access(), self.name(&mut taken));
            let base = if self.one_in(2) { services.get(self.below(services.len())).cloned() } else { None };
            let (extends, mut served) = match base {
                Some((base, served)) => (format!(" extends {base}"), served),
                None => (String::new(), BTreeSet::new()),
            };
            let methods = self.methods(&declared, &mut served);
            writeln!(text, "{docs}{access}service {name}{extends} {{\n{methods}}}").expect(TAKES_ANY);
            services.push((name, served));
        }
        text
    }

    /// A type, and some inside of it. `around` is the name of the type that it is in, with a dot, or nothing.
    fn definition(&mut self, around: &str, taken: &mut BTreeSet<String>, declared: &mut Declared) -> String {
        let (docs, name) = (self.docs(), self.name(taken));
        let full = format!("{around}{name}");
        // An error and an alias are in no other type.
        let text = match self.below(if around.is_empty() { 5 } else { 3 }) {
            0 => {
                let inside = self.inside(&full, taken, declared);
                let (fields, value) = self.fields(declared, Some(&name));
                declared.values.extend(value.map(|value| (full.clone(), value)));
                format!("{docs}struct {name} {{\n{inside}{fields}}}\n")
            }
            1 if self.one_in(3) => {
                let (flags, names) = self.flags();
                declared.values.push((full.clone(), format!("[{names}]")));
                format!("{docs}flags {name} {{\n{flags}}}\n")
            }
            1 => {
                declared.keys.push(full.clone());
                let (values, last) = self.values();
                declared.values.push((full.clone(), last));
                format!("{docs}enum {name} {{\n{values}}}\n")
            }
            2 => {
                let inside = self.inside(&full, taken, declared);
                format!("{docs}union {name} {{\n{}{inside}}}\n", self.variants(declared, false))
            }
            3 => {
                let inside = self.inside(&full, taken, declared);
                let variants = self.variants(declared, true);
                declared.errors.push(name.clone());
                format!("{docs}error {name} {{\n{inside}{variants}}}\n")
            }
            _ => {
                let ty = self.ty(declared, 2);
                let value = self.written(&ty, declared);
                declared.values.extend(value.map(|value| (full.clone(), value)));
                format!("{docs}type {name} = {ty};\n")
            }
        };
        declared.types.push(full);
        text
    }

    /// Types inside of another.
    fn inside(&mut self, around: &str, taken: &mut BTreeSet<String>, declared: &mut Declared) -> String {
        let around = format!("{around}.");
        let count = if self.one_in(3) && around.matches('.').count() < 4 { self.below(4) } else { 0 };
        (0..count).map(|_| self.definition(&around, taken, declared)).collect()
    }

    /// The values of an enum, and the name of the last.
    fn values(&mut self) -> (String, String) {
        let (mut taken, mut last) = (BTreeSet::new(), String::new());
        let values = (0..=self.below(6)).map(|number| {
            let (docs, name) = (self.docs(), self.name(&mut taken));
            let sign = if number > 0 && self.one_in(4) { "-" } else { "" };
            last.clone_from(&name);
            format!("{docs}{name} = {sign}{};\n", number * 1_000_003)
        });
        (values.collect(), last)
    }

    /// Flags, and the names of some.
    fn flags(&mut self) -> (String, String) {
        let (mut taken, mut set) = (BTreeSet::new(), Vec::new());
        let flags = (0..self.below(8)).map(|number| {
            let (docs, name) = (self.docs(), self.name(&mut taken));
            set.extend(self.one_in(2).then(|| name.clone()));
            format!("{docs}{name} = {};\n", number * 9)
        });
        (flags.collect(), set.join(", "))
    }

    /// A constant of a type whose values can be written, if there is such a type among a few.
    fn constant(&mut self, taken: &mut BTreeSet<String>, declared: &mut Declared) -> String {
        let ty = match declared.values.last() {
            Some((ty, _)) if self.one_in(2) => ty.clone(),
            _ => self.ty(declared, 2),
        };
        let Some(value) = self.written(&ty, declared) else {
            return String::new();
        };
        let (docs, name) = (self.docs(), self.name(taken));
        // The name of an enum's value is never that of a constant.
        let is_named = value.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
        if !is_named || value == "true" || value.starts_with("b\"") {
            declared.constants.push((name.clone(), ty.clone()));
        }
        format!("{docs}const {name}: {ty} = {value};\n")
    }

    /// A value of a type, if one can be written, without names of constants: a constant is the name of no other.
    fn written(&mut self, ty: &str, declared: &Declared) -> Option<String> {
        self.value(ty, &Declared { constants: Vec::new(), ..declared.clone() })
    }

    /// A value of a type, if one can be written: now and then the name of a constant.
    fn value(&mut self, ty: &str, declared: &Declared) -> Option<String> {
        let ty = ty.trim_end_matches('?');
        if let Some((name, _)) = declared.constants.iter().rfind(|(_, known)| known == ty)
            && self.one_in(2)
        {
            return Some(name.clone());
        }
        if let Some((_, value)) = declared.values.iter().rfind(|(known, _)| known == ty) {
            return Some(value.clone());
        }
        let inside = ty.find('<').map_or("", |start| &ty[start + 1..ty.len() - 1]);
        Some(match ty.split('<').next().unwrap_or_default() {
            "bool" => "true".to_owned(),
            "f32" | "f64" => format!("-{}.5", self.below(9)),
            "string" => "\"a {} \\\"b\\\" \\u{1f600}\"".to_owned(),
            "bytes" => "b\"\\x00 \\\" \\xff\"".to_owned(),
            "duration" => "1.5ms".to_owned(),
            "u8" | "u16" | "u32" | "u64" | "i8" | "i16" | "i32" | "i64" => self.below(128).to_string(),
            "list" | "set" => {
                let element = self.value(inside, declared).filter(|_| self.one_in(2));
                format!("[{}]", element.unwrap_or_default())
            }
            "map" => {
                let (key, value) = inside.split_once(", ")?;
                let entry = self.value(key, declared).zip(self.value(value, declared));
                entry.map_or_else(|| "{}".to_owned(), |(key, value)| format!("{{ {key}: {value} }}"))
            }
            _ => return None,
        })
    }

    fn variants(&mut self, declared: &Declared, is_error: bool) -> String {
        let mut taken = BTreeSet::new();
        let variants = (1..=1 + self.below(6)).map(|number| {
            let (docs, name) = (self.docs(), self.name(&mut taken));
            let message = if is_error && self.one_in(2) { "@message(\"{{odd}} \\\\ text\") " } else { "" };
            match self.below(3) {
                0 => format!("{docs}{message}{name} = {number};\n"),
                1 => format!("{docs}{message}{name}: {} = {number};\n", self.ty(declared, 2)),
                _ => format!("{docs}{message}{name} {{\n{}}} = {number};\n", self.fields(declared, None).0),
            }
        });
        variants.collect()
    }

    /// Fields, some of which hold the type that they are in, and a value of a struct of them, if one can be written.
    fn fields(&mut self, declared: &Declared, own: Option<&str>) -> (String, Option<String>) {
        let (mut taken, mut number) = (BTreeSet::new(), 0);
        let mut values = Some(Vec::new());
        let fields = (0..self.below(8)).map(|_| {
            // Mostly arrays, as most structs are, and maps of both kinds: with few numbers in use, and with one past 255.
            number += match self.below(12) {
                0 => 300,
                1 => 20,
                step => 1 + step / 9,
            };
            let (docs, name) = (self.docs(), self.name(&mut taken));
            let (attributes, ty, value) = self.field(declared, own);
            match value {
                Some(value) => values.iter_mut().for_each(|values| values.push(format!("{name}: {value}"))),
                None if ty.ends_with('?') || attributes.starts_with("@default") => {}
                None => values = None,
            }
            format!("{docs}{attributes}{name}: {ty} = {number};\n")
        });
        let fields = fields.collect();
        (fields, values.map(|values| format!("{{ {} }}", values.join(", "))))
    }

    /// The attributes of a field, its type, and a value of it, if one can be written and is not left out.
    fn field(&mut self, declared: &Declared, own: Option<&str>) -> (String, String, Option<String>) {
        let (attributes, ty, value) = match (self.below(10), own) {
            (0, _) => ("@default(\"a {} \\\"b\\\"\") ", "string", None),
            (1, _) => ("@default(-12345678) ", "i32", Some("-1")),
            (2, _) => ("@len(1..=9) ", "list<string>", Some("[\"\"]")),
            (3, _) => ("@range(..=1000000) ", "u32?", None),
            (4, Some(own)) => return (String::new(), format!("{own}?"), None),
            (5, Some(own)) => return (String::new(), format!("list<{own}>"), Some("[]".to_owned())),
            (6, _) if !declared.constants.is_empty() => {
                let (name, ty) = declared.constants[self.below(declared.constants.len())].clone();
                return (format!("@default({name}) "), ty, None);
            }
            _ => {
                let ty = self.ty(declared, 3);
                let value = self.value(&ty, declared);
                return (String::new(), ty, value);
            }
        };
        (attributes.to_owned(), ty.to_owned(), value.map(str::to_owned))
    }

    /// A type that is not optional itself.
    fn ty(&mut self, declared: &Declared, depth: usize) -> String {
        match self.below(if depth == 0 { 5 } else { 10 }) {
            0..=2 => self.pick(BUILTINS).to_owned(),
            3 | 4 => self.pick_name(&declared.types).unwrap_or_else(|| "u8".to_owned()),
            5 | 6 => format!("list<{}>", self.ty(declared, depth - 1)),
            7 => format!("list<{}?>", self.ty(declared, depth - 1)),
            8 => format!("set<{}>", self.pick_name(&declared.keys).unwrap_or_else(|| "uuid".to_owned())),
            _ => {
                let key = self.pick_name(&declared.keys).unwrap_or_else(|| "string".to_owned());
                format!("map<{key}, {}>", self.ty(declared, depth - 1))
            }
        }
    }

    /// Who may call.
    fn access(&mut self) -> &'static str {
        match self.below(9) {
            0 => "@public ",
            1 => "@roles(\"admin\") ",
            2 => "@roles(\"a/b:c.d-e_f\", \"7\") ",
            _ => "",
        }
    }

    /// Some of the errors, in any order.
    fn throws(&mut self, declared: &Declared) -> String {
        let mut errors = declared.errors.clone();
        let mut thrown = Vec::new();
        while !errors.is_empty() && !self.one_in(3) {
            thrown.push(errors.swap_remove(self.below(errors.len())));
        }
        if thrown.is_empty() { String::new() } else { format!(" throws {}", thrown.join(", ")) }
    }

    fn methods(&mut self, declared: &Declared, taken: &mut BTreeSet<String>) -> String {
        let methods = (0..self.below(6)).map(|_| {
            let (docs, name) = (self.docs() + self.access(), self.name(taken));
            let mut names = BTreeSet::new();
            let parameters = (0..self.below(4)).map(|_| {
                let name = self.name(&mut names);
                let (attributes, ty, _) = self.field(declared, None);
                format!("{attributes}{name}: {ty}")
            });
            let mut parameters: Vec<String> = parameters.collect();
            if self.one_in(5) {
                return format!("{docs}oneway {name}({});\n", parameters.join(", "));
            }
            if self.one_in(3) {
                parameters.push(format!("{}: stream {}", self.name(&mut names), self.ty(declared, 1)));
            }
            let answer = match self.below(3) {
                0 => String::new(),
                1 => format!(" -> {}", self.ty(declared, 2)),
                _ => format!(" -> stream {}", self.ty(declared, 2)),
            };
            let throws = self.throws(declared);
            format!("{docs}rpc {name}({}){answer}{throws};\n", parameters.join(", "))
        });
        methods.collect()
    }
}
