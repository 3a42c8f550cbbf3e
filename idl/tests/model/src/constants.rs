//! Random constants of a draft: of every type whose values can be written, from numbers to structs.

use crate::draft::{Body, Draft, Member, Payload};
use crate::random::Random;

/// A constant.
#[derive(Debug, Clone)]
pub struct Constant {
    /// Name, which is the start of no other.
    pub name: String,
    /// Type, as written in the file.
    pub ty: String,
    /// Value, as written in the file.
    pub value: String,
}

impl Draft {
    /// Declares a constant of a random type, if a value of it can be written.
    pub fn constant(&mut self, random: &mut Random) {
        // A struct, as often as all else: its value has parts of other types.
        let structs = self.types.iter().filter(|known| matches!(known.body, Body::Struct(_)));
        let structs: Vec<&str> = structs.map(|known| known.name.as_str()).collect();
        let ty = match structs.as_slice() {
            [_, ..] if random.one_in(2) => (*random.pick(&structs)).to_owned(),
            _ => self.ty(random),
        };
        let ty = ty.trim_end_matches('?').to_owned();
        if let Some(value) = self.written(random, &ty, 0) {
            // Without the sign at the end, `CONSTANT_1` would be the start of `CONSTANT_10`.
            let name = self.fresh("CONSTANT_") + "_";
            self.constants.push(Constant { name, ty, value });
        }
    }

    /// Returns the name of a constant of a type, now and then.
    pub(crate) fn constant_of(&self, random: &mut Random, ty: &str) -> Option<String> {
        // The name of an enum's value is never that of a constant.
        let is_usable = |constant: &&Constant| constant.ty == ty && !constant.value.starts_with("Value");
        let known: Vec<&Constant> = self.constants.iter().filter(is_usable).collect();
        (!known.is_empty() && random.one_in(2)).then(|| random.pick(&known).name.clone())
    }

    /// Changes every value that is written: those of constants, and all defaults.
    pub(crate) fn each_value(&mut self, change: &mut dyn FnMut(&mut String)) {
        self.constants.iter_mut().for_each(|constant| change(&mut constant.value));
        let mut members = |members: &mut Vec<Member>| {
            members.iter_mut().filter_map(|member| member.default.as_mut()).for_each(&mut *change);
        };
        for declared in &mut self.types {
            match &mut declared.body {
                Body::Struct(fields) => members(fields),
                Body::Union(variants) | Body::Error(variants) => {
                    for variant in variants {
                        if let Payload::Fields(fields) = &mut variant.payload {
                            members(fields);
                        }
                    }
                }
                Body::Enum(_) | Body::Flags(_) | Body::Alias(_) => {}
            }
        }
        let methods = self.methods.iter_mut().chain(&mut self.base);
        methods.for_each(|method| members(&mut method.parameters));
    }
}

impl Constant {
    pub(crate) fn text(&self) -> String {
        let Self { name, ty, value } = self;
        format!("const {name}: {ty} = {value};\n")
    }
}
