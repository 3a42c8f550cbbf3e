//! Methods as types, which generated code declares: one trait for each kind of method.
//!
//! One type per method names its parameters, its answer and their encodings, so that clients and servers need to name only the
//! method. *Answer* is what the server sends, one value or each item of a stream; *item* is an item of the client's stream. No
//! value of these types exists.

use crate::codec::{Decode, Encode, Form, Validate};
use crate::method::Method;
use crate::status::CallError;

/// The parameters of a method.
pub trait Params: Decode + Validate + Send + 'static {}

impl<P: Decode + Validate + Send + 'static> Params for P {}

/// A method that is answered once.
pub trait UnaryMethod {
    /// The method's row in the table of its service.
    const METHOD: &'static Method;
    /// The method's parameters.
    type Params: Params + Encode;
    /// The answer.
    type Answer: Send + 'static;
    /// Encoding of an answer.
    type AnswerForm: Form<Self::Answer>;
    /// The error that a call may fail with.
    type Error: CallError;
}

/// A method that is answered with a stream.
pub trait ServerStreamMethod {
    /// The method's row in the table of its service.
    const METHOD: &'static Method;
    /// The method's parameters.
    type Params: Params + Encode;
    /// An item of the server's stream.
    type Answer;
    /// Encoding of such an item.
    type AnswerForm: Form<Self::Answer>;
    /// The error that a call may fail with.
    type Error: CallError;
}

/// A method that takes a stream and is answered once.
pub trait ClientStreamMethod {
    /// The method's row in the table of its service.
    const METHOD: &'static Method;
    /// The method's parameters.
    type Params: Params + Encode;
    /// An item of the client's stream.
    type Item;
    /// Encoding of such an item.
    type ItemForm: Form<Self::Item>;
    /// The answer.
    type Answer: Send + 'static;
    /// Encoding of an answer.
    type AnswerForm: Form<Self::Answer>;
    /// The error that a call may fail with.
    type Error: CallError;
}

/// A method that takes a stream and is answered with one.
pub trait BidirectionalMethod {
    /// The method's row in the table of its service.
    const METHOD: &'static Method;
    /// The method's parameters.
    type Params: Params + Encode;
    /// An item of the client's stream.
    type Item;
    /// Encoding of such an item.
    type ItemForm: Form<Self::Item>;
    /// An item of the server's stream.
    type Answer;
    /// Encoding of such an item.
    type AnswerForm: Form<Self::Answer>;
    /// The error that a call may fail with.
    type Error: CallError;
}

/// A method without an answer.
pub trait OneWayMethod {
    /// The method's row in the table of its service.
    const METHOD: &'static Method;
    /// The method's parameters.
    type Params: Params + Encode;
}
