//! A service of 200 methods, and the schema texts that the crates `zsvc-200` and `tonic-200` are built from.
//!
//! [`Schema::fleet`] describes the service once, so that both crates have the same methods, structs, enums and
//! unions, with the same docs. [`Schema::to_svc`] writes it as a user of zsvc would, [`Schema::to_proto`] as a user
//! of tonic would. What only one of the languages has is left out: bounds, deadlines and declared errors in `.svc`;
//! in `.proto`, methods that take the same parameters share a message, where the style guides of Protobuf ask for one
//! message per method.

mod fleet;
mod part;
mod proto;
mod svc;
mod tonic;
mod zsvc;

pub use part::{choose_part, write};

/// A package with one service.
pub struct Schema {
    structs: Vec<Struct>,
    enums: Vec<Enum>,
    unions: Vec<Union>,
    methods: Vec<Method>,
}

struct Struct {
    name: String,
    docs: String,
    fields: Vec<Field>,
}

struct Enum {
    name: String,
    docs: String,
    /// Names of the values, numbered from 0.
    values: Vec<&'static str>,
}

/// A choice between variants. In a `.proto` file it is a message with a `oneof`.
struct Union {
    name: String,
    docs: String,
    variants: Vec<Field>,
}

/// A field, a variant of a union, or a parameter. The order determines the numbers.
#[derive(Clone, PartialEq, Eq)]
struct Field {
    name: &'static str,
    of: Type,
}

#[derive(Clone, PartialEq, Eq)]
enum Type {
    Bool,
    U32,
    U64,
    I64,
    F64,
    Text,
    Time,
    /// A struct or a union, by name.
    Message(String),
    Enum(String),
    Optional(Box<Type>),
    List(Box<Type>),
    /// A map from strings to strings.
    Texts,
}

struct Method {
    /// Name in snake case.
    name: String,
    docs: String,
    takes: Takes,
    answers: Answers,
}

enum Takes {
    /// Parameters. In a `.proto` file they are the fields of the message `message`.
    Parameters { message: String, parameters: Vec<Field> },
    /// A stream of the named struct.
    Stream(String),
}

enum Answers {
    /// An empty answer.
    Done,
    /// The named struct.
    One(String),
    /// A stream of the named struct.
    Stream(String),
    /// No answer (a one-way method). In a `.proto` file, an answer without fields.
    Never,
}

/// Converts `get_order` to `GetOrder`.
fn pascal(snake: &str) -> String {
    let capital = |word: &str| word[..1].to_uppercase() + &word[1..];
    snake.split('_').map(capital).collect()
}

/// Converts `OrderState` to `ORDER_STATE`.
fn shouted(pascal: &str) -> String {
    let mut text = String::new();
    for (place, letter) in pascal.char_indices() {
        if place > 0 && letter.is_uppercase() {
            text.push('_');
        }
        text.push(letter.to_ascii_uppercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn there_are_two_hundred_methods() {
        let methods = Schema::fleet().methods;
        let count = |is: fn(&Method) -> bool| methods.iter().filter(|method| is(method)).count();
        assert_eq!(methods.len(), 200);
        assert_eq!(count(|method| matches!(method.answers, Answers::Stream(_))), 20);
        assert_eq!(count(|method| matches!(method.takes, Takes::Stream(_))), 10);
        assert_eq!(count(|method| matches!(method.answers, Answers::Never)), 10);
    }

    #[test]
    fn both_texts_have_the_same_declarations() {
        let (svc, proto) = (Schema::fleet().to_svc(), Schema::fleet().to_proto());
        let count = |text: &str, start: &str| {
            text.lines().filter(|line| line.trim_start().starts_with(start)).count()
        };
        assert_eq!(count(&svc, "rpc ") + count(&svc, "oneway "), count(&proto, "rpc "));
        assert_eq!(count(&svc, "enum "), count(&proto, "enum "));
        let requests = count(&proto, "message ") - count(&svc, "struct ") - count(&svc, "union ");
        assert!(requests < 40, "{requests} messages for parameters alone");
    }

    #[test]
    fn methods_that_share_a_message_take_the_same() {
        let mut taken: HashMap<String, Vec<Field>> = HashMap::new();
        for method in Schema::fleet().methods {
            if let Takes::Parameters { message, parameters } = method.takes {
                let before = taken.entry(message).or_insert_with(|| parameters.clone());
                assert!(*before == parameters, "{}", method.name);
            }
        }
    }

    #[test]
    fn names_are_written_in_every_style() {
        assert_eq!(pascal("get_order"), "GetOrder");
        assert_eq!(shouted("OrderState"), "ORDER_STATE");
    }
}
