//! Writes the service as a `.svc` file.

use std::fmt::Write as _;

use crate::{Answers, Enum, Field, Method, Schema, Struct, Takes, Type, Union};

impl Schema {
    /// Returns the `.svc` file that a user of zsvc would write.
    #[must_use]
    pub fn to_svc(&self) -> String {
        let mut text = "/// The books of a forwarder.\npackage fleet.v1;\n".to_owned();
        self.enums.iter().for_each(|it| text += &enumeration(it));
        self.structs.iter().for_each(|it| text += &structure(it));
        self.unions.iter().for_each(|it| text += &union(it));
        text += "\n/// Who drives what, where to, and who pays for it.\nservice Fleet {\n";
        self.methods.iter().for_each(|it| text += &method(it));
        text + "}\n"
    }
}

fn enumeration(it: &Enum) -> String {
    let mut text = format!("\n/// {}\nenum {} {{\n", it.docs, it.name);
    for (number, value) in it.values.iter().enumerate() {
        let _ = writeln!(text, "    {value} = {number};");
    }
    text + "}\n"
}

fn structure(it: &Struct) -> String {
    let mut text = format!("\n/// {}\nstruct {} {{\n", it.docs, it.name);
    for (number, field) in (1..).zip(&it.fields) {
        let _ = writeln!(text, "    {} = {number};", declared(field));
    }
    text + "}\n"
}

fn union(it: &Union) -> String {
    let mut text = format!("\n/// {}\nunion {} {{\n", it.docs, it.name);
    for (number, Field { name, of }) in (1..).zip(&it.variants) {
        let _ = writeln!(text, "    {}: {} = {number};", crate::pascal(name), written(of));
    }
    text + "}\n"
}

fn method(it: &Method) -> String {
    let takes = match &it.takes {
        Takes::Parameters { parameters, .. } => {
            parameters.iter().map(declared).collect::<Vec<_>>().join(", ")
        }
        Takes::Stream(of) => format!("items: stream {of}"),
    };
    let (kind, answers) = match &it.answers {
        Answers::Done => ("rpc", String::new()),
        Answers::One(of) => ("rpc", format!(" -> {of}")),
        Answers::Stream(of) => ("rpc", format!(" -> stream {of}")),
        Answers::Never => ("oneway", String::new()),
    };
    format!("    /// {}\n    {kind} {}({takes}){answers};\n", it.docs, it.name)
}

fn declared(Field { name, of }: &Field) -> String {
    format!("{name}: {}", written(of))
}

fn written(of: &Type) -> String {
    match of {
        Type::Bool => "bool".to_owned(),
        Type::U32 => "u32".to_owned(),
        Type::U64 => "u64".to_owned(),
        Type::I64 => "i64".to_owned(),
        Type::F64 => "f64".to_owned(),
        Type::Text => "string".to_owned(),
        Type::Time => "timestamp".to_owned(),
        Type::Message(name) | Type::Enum(name) => name.clone(),
        Type::Optional(of) => format!("{}?", written(of)),
        Type::List(of) => format!("list<{}>", written(of)),
        Type::Texts => "map<string, string>".to_owned(),
    }
}
