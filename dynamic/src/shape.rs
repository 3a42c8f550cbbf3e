//! [`Shape`]: what a body is: a value of a type, parameters, or an error.

use std::borrow::Cow;

use zsvc_idl::schema::{Field, Schema, Thrown, Type};

/// What a body is.
#[derive(Debug, Clone, Copy)]
pub enum Shape<'s> {
    /// A value of a type: an answer, or an item of a stream.
    Type(&'s Type),
    /// The plain parameters of a method.
    Parameters(&'s [Field]),
    /// An error that a method throws, of these.
    Errors(&'s [Thrown]),
    /// The answer of a method that answers with nothing: `null`. What a newer server answers with is skipped.
    Nothing,
}

/// Returns the names of the errors that a method throws: those of the schema. Of errors of several packages that have one name, the first
/// has it, and the others get underscores, as their variants in Rust.
pub(crate) fn names_of<'s>(schema: &'s Schema, errors: &[Thrown]) -> Vec<Cow<'s, str>> {
    let mut names: Vec<Cow<'s, str>> = Vec::with_capacity(errors.len());
    for thrown in errors {
        let mut name = Cow::Borrowed(schema.definition(thrown.error).name.as_str());
        while names.contains(&name) {
            name.to_mut().push('_');
        }
        names.push(name);
    }
    names
}
