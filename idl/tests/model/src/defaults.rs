//! Random values of the types of a draft, for defaults and constants.

use crate::draft::{Body, Draft, is_list};
use crate::random::Random;

impl Draft {
    /// Returns a value of a type within the bounds that random fields have, if one can be written: the name of a constant,
    /// or what [`Draft::written`] returns.
    pub(crate) fn default(&self, random: &mut Random, ty: &str, depth: usize) -> Option<String> {
        self.constant_of(random, ty).or_else(|| self.written(random, ty, depth))
    }

    /// Returns such a value that is not the name of a constant itself, though its parts may be.
    pub(crate) fn written(&self, random: &mut Random, ty: &str, depth: usize) -> Option<String> {
        let value = match ty {
            "bool" => "true",
            "u8" | "u16" | "u32" | "u64" | "i8" | "i32" | "i64" => "7",
            "f32" | "f64" => "0.5",
            "string" => "\"seven\"",
            "duration" => "7s",
            "bytes" => "b\"\\x00seven\"",
            "list<u8>" | "set<u8>" | "list<i64>" | "set<u64>" if random.one_in(2) => "[7, 1]",
            "list<string>" | "set<string>" if random.one_in(2) => "[\"b\", \"a\"]",
            "map<string, bool>" | "map<string, u8>" if random.one_in(2) => "{}",
            "map<u8, string>" | "map<i64, string>" => "{ 7: \"seven\", 1: \"one\" }",
            ty if is_list(ty) && !ty.ends_with('?') => {
                let element = &ty[ty.find('<')? + 1..ty.len() - 1];
                let filled = self.default(random, element, depth + 1).filter(|_| random.one_in(2));
                return Some(format!("[{}]", filled.unwrap_or_default()));
            }
            ty => return self.default_of_declared(random, ty, depth),
        };
        Some(value.to_owned())
    }

    /// Returns a value of a declared type: a struct, an enum, flags or an alias.
    fn default_of_declared(&self, random: &mut Random, ty: &str, depth: usize) -> Option<String> {
        let declared = self.types.iter().find(|known| known.name == ty && depth < 4)?;
        match &declared.body {
            Body::Alias(target) => self.written(random, target, depth + 1),
            Body::Enum(values) => Some(random.pick(values).0.clone()),
            Body::Flags(flags) => {
                let set = flags.iter().filter(|_| random.one_in(2)).map(|(name, _)| name.as_str());
                Some(format!("[{}]", set.collect::<Vec<_>>().join(", ")))
            }
            Body::Struct(fields) => {
                let mut given = Vec::new();
                for field in fields {
                    let is_needed = !field.ty.ends_with('?') && field.default.is_none();
                    if is_needed || random.one_in(2) {
                        let value = self.default(random, field.ty.trim_end_matches('?'), depth + 1);
                        match value {
                            Some(value) => given.push(format!("{}: {value}", field.name)),
                            None if is_needed && field.ty != "value" => return None,
                            None => {}
                        }
                    }
                }
                Some(format!("{{ {} }}", given.join(", ")))
            }
            Body::Union(_) | Body::Error(_) => None,
        }
    }
}
