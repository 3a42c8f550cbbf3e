//! A server that is not written yet: answers of a schema, made up or by a script.
//!
//! - [`made_up`]: a value of any type, the same every time.
//! - [`script`]: which calls are answered how, as a file says.
//! - [`service`]: the handler of all methods.

pub(crate) mod made_up;
pub(crate) mod script;
pub(crate) mod service;
