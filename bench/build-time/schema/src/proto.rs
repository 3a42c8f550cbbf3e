//! Writes the service as a `.proto` file.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::{Answers, Enum, Field, Method, Schema, Takes, Type, Union};

const HEAD: &str = "// The books of a forwarder.
syntax = \"proto3\";

package fleet.v1;

import \"google/protobuf/empty.proto\";
import \"google/protobuf/timestamp.proto\";
";

impl Schema {
    /// Returns the `.proto` file that a user of tonic would write.
    #[must_use]
    pub fn to_proto(&self) -> String {
        let mut text = HEAD.to_owned();
        self.enums.iter().for_each(|it| text += &enumeration(it));
        self.structs.iter().for_each(|it| text += &message(&it.docs, &it.name, &it.fields));
        self.unions.iter().for_each(|it| text += &union(it));
        for (name, parameters) in self.requests() {
            text += &message("What some methods take.", name, parameters);
        }
        text += "\n// Who drives what, where to, and who pays for it.\nservice Fleet {\n";
        self.methods.iter().for_each(|it| text += &method(it));
        text + "}\n"
    }

    /// Returns the request messages of all methods, each once.
    fn requests(&self) -> BTreeMap<&str, &[Field]> {
        self.methods
            .iter()
            .filter_map(|method| match &method.takes {
                Takes::Parameters { message, parameters } => Some((message.as_str(), parameters.as_slice())),
                Takes::Stream(_) => None,
            })
            .collect()
    }
}

fn enumeration(it: &Enum) -> String {
    let mut text = format!("\n// {}\nenum {} {{\n", it.docs, it.name);
    for (number, value) in it.values.iter().enumerate() {
        let _ = writeln!(text, "  {}_{} = {number};", crate::shouted(&it.name), crate::shouted(value));
    }
    text + "}\n"
}

fn message(docs: &str, name: &str, fields: &[Field]) -> String {
    let mut text = format!("\n// {docs}\nmessage {name} {{\n");
    for (number, field) in (1..).zip(fields) {
        let _ = writeln!(text, "  {} {} = {number};", written(&field.of), field.name);
    }
    text + "}\n"
}

fn union(it: &Union) -> String {
    let mut text = format!("\n// {}\nmessage {} {{\n  oneof kind {{\n", it.docs, it.name);
    for (number, variant) in (1..).zip(&it.variants) {
        let _ = writeln!(text, "    {} {} = {number};", written(&variant.of), variant.name);
    }
    text + "  }\n}\n"
}

fn method(it: &Method) -> String {
    let takes = match &it.takes {
        Takes::Parameters { message, .. } => message.clone(),
        Takes::Stream(of) => format!("stream {of}"),
    };
    let answers = match &it.answers {
        Answers::Done | Answers::Never => "google.protobuf.Empty".to_owned(),
        Answers::One(of) => of.clone(),
        Answers::Stream(of) => format!("stream {of}"),
    };
    format!("  // {}\n  rpc {}({takes}) returns ({answers});\n", it.docs, crate::pascal(&it.name))
}

fn written(of: &Type) -> String {
    match of {
        Type::Bool => "bool".to_owned(),
        Type::U32 => "uint32".to_owned(),
        Type::U64 => "uint64".to_owned(),
        Type::I64 => "sint64".to_owned(),
        Type::F64 => "double".to_owned(),
        Type::Text => "string".to_owned(),
        Type::Time => "google.protobuf.Timestamp".to_owned(),
        Type::Message(name) | Type::Enum(name) => name.clone(),
        Type::Optional(of) => format!("optional {}", written(of)),
        Type::List(of) => format!("repeated {}", written(of)),
        Type::Texts => "map<string, string>".to_owned(),
    }
}
