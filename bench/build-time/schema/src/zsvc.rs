//! Handlers and calls for what zsvc generates.

use crate::{Answers, Field, Method, Schema, Takes, Type};

const HEAD: &str = "
/// Handlers that answer nothing yet.
pub struct Books;

/// A server of them.
pub fn server() -> zsvc::ServerBuilder {
    zsvc::Server::builder().service(FleetServer::new(Books))
}
";

impl Schema {
    /// A handler and a call for each method.
    #[must_use]
    pub fn to_zsvc_use(&self) -> String {
        let mut text = HEAD.to_owned() + "\nimpl Fleet for Books {\n";
        self.methods.iter().for_each(|it| text += &handler(it));
        text += "}\n";
        self.methods.iter().for_each(|it| text += &call(it));
        text
    }
}

const NOT_YET: &str = "Err(zsvc::Status::unimplemented(\"not yet\"))";

fn handler(Method { name, takes, answers, .. }: &Method) -> String {
    let mut parameters = match takes {
        Takes::Parameters { parameters, .. } => {
            parameters.iter().map(|it| format!("_{}", parameter(it))).collect()
        }
        Takes::Stream(of) => vec![format!("_: zsvc::Streaming<{of}>")],
    };
    if let Answers::Stream(of) = answers {
        parameters.push(format!("_: zsvc::Sink<{of}>"));
    }
    let (answer, body) = match answers {
        Answers::Done | Answers::Stream(_) => ("Result<(), zsvc::Status>".to_owned(), NOT_YET),
        Answers::One(of) => (format!("Result<{of}, zsvc::Status>"), NOT_YET),
        Answers::Never => ("()".to_owned(), ""),
    };
    let parameters = parameters.join(", ");
    format!("async fn {name}(&self, _: &zsvc::Context, {parameters}) -> {answer} {{ {body} }}\n")
}

fn call(Method { name, takes, answers, .. }: &Method) -> String {
    let (parameters, arguments): (Vec<_>, Vec<_>) = match takes {
        Takes::Parameters { parameters, .. } => parameters.iter().map(|it| (parameter(it), it.name)).unzip(),
        Takes::Stream(of) => {
            (vec![format!("items: tokio_stream::Iter<std::vec::IntoIter<{of}>>")], vec!["items"])
        }
    };
    let answer = match answers {
        Answers::Done | Answers::Never => "()".to_owned(),
        Answers::One(of) => of.clone(),
        Answers::Stream(of) => format!("zsvc::Streaming<{of}>"),
    };
    let (parameters, arguments) = (parameters.join(", "), arguments.join(", "));
    let signature = format!("pub async fn call_{name}(fleet: &FleetClient, {parameters})");
    format!(
        "\n/// Calls it.\n{signature} -> Result<{answer}, zsvc::Status> {{ fleet.{name}({arguments}).await }}\n"
    )
}

fn parameter(Field { name, of }: &Field) -> String {
    format!("{name}: {}", in_rust(of))
}

fn in_rust(of: &Type) -> String {
    match of {
        Type::Bool => "bool".to_owned(),
        Type::U32 => "u32".to_owned(),
        Type::U64 => "u64".to_owned(),
        Type::I64 => "i64".to_owned(),
        Type::F64 => "f64".to_owned(),
        Type::Text => "String".to_owned(),
        Type::Time => "zsvc::Timestamp".to_owned(),
        Type::Message(name) | Type::Enum(name) => name.clone(),
        Type::Optional(of) => format!("Option<{}>", in_rust(of)),
        Type::List(of) => format!("Vec<{}>", in_rust(of)),
        Type::Texts => "std::collections::BTreeMap<String, String>".to_owned(),
    }
}
