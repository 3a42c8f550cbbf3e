//! Methods as types, which generated code declares: one trait for each kind of method.
//!
//! A type per method names its parameters, its answer and how they are written, so that clients and servers need to name
//! the method alone. *Answer* is what comes from the server, be it one value or each item of a stream; *item* is what comes
//! in the client's stream. The types are never made.

use crate::codec::{Encode, Form};
use crate::dispatch::Params;
use crate::method::Method;
use crate::status::CallError;

/// A method that is answered once.
pub trait UnaryMethod {
    /// Its row in the table of its service.
    const METHOD: &'static Method;
    /// Its parameters.
    type Params: Params + Encode;
    /// The answer.
    type Answer: Send + 'static;
    /// How an answer is written and read.
    type AnswerForm: Form<Self::Answer>;
    /// How it may fail.
    type Error: CallError;
}

/// A method that is answered with a stream.
pub trait ServerStreamMethod {
    /// Its row in the table of its service.
    const METHOD: &'static Method;
    /// Its parameters.
    type Params: Params + Encode;
    /// An item of the server's stream.
    type Answer;
    /// How such an item is written and read.
    type AnswerForm: Form<Self::Answer>;
    /// How it may fail.
    type Error: CallError;
}

/// A method that takes a stream and is answered once.
pub trait ClientStreamMethod {
    /// Its row in the table of its service.
    const METHOD: &'static Method;
    /// Its parameters.
    type Params: Params + Encode;
    /// An item of the client's stream.
    type Item;
    /// How such an item is written and read.
    type ItemForm: Form<Self::Item>;
    /// The answer.
    type Answer: Send + 'static;
    /// How an answer is written and read.
    type AnswerForm: Form<Self::Answer>;
    /// How it may fail.
    type Error: CallError;
}

/// A method that takes a stream and is answered with one.
pub trait BidirectionalMethod {
    /// Its row in the table of its service.
    const METHOD: &'static Method;
    /// Its parameters.
    type Params: Params + Encode;
    /// An item of the client's stream.
    type Item;
    /// How such an item is written and read.
    type ItemForm: Form<Self::Item>;
    /// An item of the server's stream.
    type Answer;
    /// How such an item is written and read.
    type AnswerForm: Form<Self::Answer>;
    /// How it may fail.
    type Error: CallError;
}

/// A method that is not answered.
pub trait OneWayMethod {
    /// Its row in the table of its service.
    const METHOD: &'static Method;
    /// Its parameters.
    type Params: Params + Encode;
}
