//! What `@shard` names.
//!
//! Not here: that the attribute is allowed in its place, and that there is such a parameter, which `crate::check` ensures.

use crate::ast::{Attribute, Method, ValueKind};

/// Returns the name of a parameter that an attribute has as its argument.
pub(crate) fn shard_name(attribute: &Attribute) -> Option<String> {
    match attribute.arguments.as_slice() {
        [value] => match &value.kind {
            ValueKind::Path(path) => Some(path.text()),
            _ => None,
        },
        _ => None,
    }
}

/// Returns the index, among the plain parameters, of the one by which calls of a method are spread. Returns `None` if it is invalid.
#[allow(clippy::option_option, reason = "the outer one is every lowering's, the inner one is the answer")]
pub(crate) fn shard(method: &Method) -> Option<Option<usize>> {
    let Some(attribute) = method.preamble.find("shard") else { return Some(None) };
    let name = shard_name(attribute)?;
    let mut plain = method.parameters.iter().filter(|parameter| parameter.stream.is_none());
    plain.position(|parameter| parameter.name.text == name).map(Some)
}
