//! The types that a service and its clients share: a library with a schema, of which others import the package `money.v1`.

zsvc::include_generated!();
