//! Methods as types, which generated code declares: one trait for each kind of method. [`Event`] is for events, which are types
//! themselves.
//!
//! One type per method names its parameters, its answer and their encodings, so that clients and servers need to name only the
//! method. *Answer* is what the server sends, one value or each item of a stream; *item* is an item of the client's stream. No
//! value of these types exists.

use crate::codec::{Decode, Encode, Form, Validate};
use crate::events::{EventType, KeyWriter};
use crate::method::Method;
use crate::schema::ServiceSchema;
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

/// An event of a `.svc` file: what a [`Publisher`](crate::Publisher) sends, and a channel
/// [subscribes](crate::Channel::subscribe) to. Generated code implements it.
pub trait Event: Send + Sync + Sized + 'static {
    /// What the schema says of the event.
    #[doc(hidden)]
    const EVENT: &'static EventType;
    /// Encoding of the event.
    #[doc(hidden)]
    type Form: Form<Self>;
    /// What a subscription is asked for by: has a method for each key field.
    type Subscribe;

    /// Hands the values of the key fields over, in the order of their numbers.
    #[doc(hidden)]
    fn write_key(&self, key: &mut KeyWriter);

    /// Returns the schema that the code was generated from, if it keeps one: see [`crate::reflection`].
    #[doc(hidden)]
    #[must_use]
    fn schema() -> Option<&'static ServiceSchema> {
        None
    }
}
