//! The notation of descriptions.
//!
//! It is that of the language, on one line, with these differences: aliases are resolved, another named type is `#` and its place
//! among the types that come with the text, and a field with a default value ends in `default`.
//!
//! ```text
//! struct symbol: string = 1; price: #0 = 2; tags: list<string> = 4; venue: string? = 5; lot: u32 = 10 default;
//! enum Buy = 1; Sell = 2;
//! flags Read = 0; Write = 1;
//! union Limit { size: u32 = 1; } = 1; Market: #0 = 2; CancelAll = 3;
//! throws TapeError: #0; FeeError: #1;
//! ```
//!
//! The last is of the errors that a method throws, which have no numbers of their own.

use super::description::{Definition, Description, Field, Integer, Malformed, Payload, Type, Variant};
use super::members::Members;

type Types = &'static [fn() -> &'static Description];

/// Reads the text of a description.
pub(super) fn definition(text: &'static str, types: Types) -> Result<Definition, Malformed> {
    let mut parser = Parser { rest: text, types };
    let definition = match parser.word() {
        "struct" => Definition::Struct(Members::of(parser.fields()?)),
        "enum" => Definition::Enum(Members::of(parser.values()?)),
        "flags" => Definition::Flags(parser.flags()?),
        "union" => Definition::Union(Members::of(parser.variants()?)),
        "throws" => Definition::Errors(parser.errors()?),
        _ => return Err(Malformed),
    };
    if parser.rest.is_empty() { Ok(definition) } else { Err(Malformed) }
}

struct Parser {
    rest: &'static str,
    types: Types,
}

impl Parser {
    /// Takes a name, a keyword or a number, with the space after it. Returns an empty string if none comes next.
    fn word(&mut self) -> &'static str {
        let is_inside = |char: char| char.is_ascii_alphanumeric() || char == '_';
        let (word, rest) =
            self.rest.split_at(self.rest.find(|char| !is_inside(char)).unwrap_or(self.rest.len()));
        self.rest = rest.trim_start();
        word
    }

    /// Takes a sign, with the space after it. Returns `false` if another comes next.
    fn sign(&mut self, sign: char) -> bool {
        match self.rest.strip_prefix(sign) {
            Some(rest) => {
                self.rest = rest.trim_start();
                true
            }
            None => false,
        }
    }

    fn require(&mut self, sign: char) -> Result<(), Malformed> {
        if self.sign(sign) { Ok(()) } else { Err(Malformed) }
    }

    fn number(&mut self) -> Result<u32, Malformed> {
        self.word().parse().map_err(|_| Malformed)
    }

    /// Takes a number that may be negative.
    fn signed(&mut self) -> Result<i32, Malformed> {
        let is_negative = self.sign('-');
        let number = i64::from(self.number()?);
        i32::try_from(if is_negative { -number } else { number }).map_err(|_| Malformed)
    }

    /// Takes fields up to a closing brace or the end.
    fn fields(&mut self) -> Result<Vec<Field>, Malformed> {
        let mut fields = Vec::new();
        while !self.rest.is_empty() && !self.rest.starts_with('}') {
            let name = self.word();
            self.require(':')?;
            let ty = self.ty()?;
            self.require('=')?;
            let number = usize::try_from(self.number()?).map_err(|_| Malformed)?;
            let has_default = self.word() == "default";
            self.require(';')?;
            fields.push(Field { name, number, ty, has_default });
        }
        let is_ascending = fields.is_sorted_by(|a, b| a.number < b.number);
        if is_ascending && fields.first().is_none_or(|first| first.number > 0) {
            Ok(fields)
        } else {
            Err(Malformed)
        }
    }

    fn values(&mut self) -> Result<Vec<(&'static str, i32)>, Malformed> {
        let mut values = Vec::new();
        while !self.rest.is_empty() {
            let name = self.word();
            self.require('=')?;
            values.push((name, self.signed()?));
            self.require(';')?;
        }
        Ok(values)
    }

    /// Takes flags, whose numbers are those of the bits of 64.
    fn flags(&mut self) -> Result<Vec<(&'static str, i32)>, Malformed> {
        let flags = self.values()?;
        let are_bits = flags.iter().all(|(_, number)| (0..=63).contains(number));
        if are_bits { Ok(flags) } else { Err(Malformed) }
    }

    fn variants(&mut self) -> Result<Vec<Variant>, Malformed> {
        let mut variants = Vec::new();
        while !self.rest.is_empty() {
            let name = self.word();
            let payload = self.payload()?;
            self.require('=')?;
            variants.push(Variant { name, number: self.number()?, payload });
            self.require(';')?;
        }
        Ok(variants)
    }

    fn errors(&mut self) -> Result<Vec<(&'static str, Type)>, Malformed> {
        let mut errors = Vec::new();
        while !self.rest.is_empty() {
            let name = self.word();
            self.require(':')?;
            errors.push((name, self.ty()?));
            self.require(';')?;
        }
        Ok(errors)
    }

    fn payload(&mut self) -> Result<Payload, Malformed> {
        if self.sign(':') {
            return Ok(Payload::Type(self.ty()?));
        }
        if self.sign('{') {
            let fields = self.fields()?;
            return self.require('}').map(|()| Payload::Fields(Members::of(fields)));
        }
        Ok(Payload::Nothing)
    }

    fn ty(&mut self) -> Result<Type, Malformed> {
        let ty = if self.sign('#') { self.named()? } else { self.unnamed()? };
        Ok(if self.sign('?') { Type::Optional(Box::new(ty)) } else { ty })
    }

    fn named(&mut self) -> Result<Type, Malformed> {
        let place = usize::try_from(self.number()?).map_err(|_| Malformed)?;
        self.types.get(place).map(|description| Type::Named(description())).ok_or(Malformed)
    }

    fn unnamed(&mut self) -> Result<Type, Malformed> {
        let word = self.word();
        match word {
            "list" => {
                self.require('<')?;
                let element = self.ty()?;
                self.require('>').map(|()| Type::List(Box::new(element)))
            }
            "map" => {
                self.require('<')?;
                let key = self.ty()?;
                self.require(',')?;
                let value = self.ty()?;
                self.require('>').map(|()| Type::Map(Box::new(key), Box::new(value)))
            }
            _ => builtin(word).ok_or(Malformed),
        }
    }
}

pub(super) fn builtin(word: &'static str) -> Option<Type> {
    let integer = |min, max| Some(Type::Integer(Integer { name: word, min, max }));
    match word {
        "bool" => Some(Type::Bool),
        "u8" => integer(0, u8::MAX.into()),
        "u16" => integer(0, u16::MAX.into()),
        "u32" => integer(0, u32::MAX.into()),
        "u64" => integer(0, u64::MAX),
        "i8" => integer(i8::MIN.into(), i8::MAX.unsigned_abs().into()),
        "i16" => integer(i16::MIN.into(), i16::MAX.unsigned_abs().into()),
        "i32" => integer(i32::MIN.into(), i32::MAX.unsigned_abs().into()),
        "i64" => integer(i64::MIN, i64::MAX.unsigned_abs()),
        "f32" => Some(Type::F32),
        "f64" => Some(Type::F64),
        "string" => Some(Type::String),
        "bytes" => Some(Type::Bytes),
        "timestamp" => Some(Type::Timestamp),
        "duration" => Some(Type::Duration),
        "uuid" => Some(Type::Uuid),
        "value" => Some(Type::Value),
        _ => None,
    }
}
