//! [`method`]: methods whose names are known at run time alone.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use crate::method::{Method, MethodKind};

/// What tells one method from another, in [`method`].
type Key = (String, MethodKind, Option<Duration>, bool);

/// The methods that [`method`] has returned.
static METHODS: LazyLock<Mutex<HashMap<Key, &'static Method>>> = LazyLock::new(Mutex::default);

/// Returns a method by its full name, `package.Service/method`, with its `@deadline` and whether it is `@idempotent`.
///
/// Methods live as long as the process, as those of generated code do: each different one takes some hundred bytes for good, however
/// often it is asked for. So a program that takes names from others should bound how many.
#[must_use]
pub fn method(
    name: &str,
    kind: MethodKind,
    deadline: Option<Duration>,
    is_idempotent: bool,
) -> &'static Method {
    let make = || {
        let method = Method::new(String::leak(name.to_owned()), kind);
        let method = deadline.map_or(method, |deadline| method.deadline(deadline));
        &*Box::leak(Box::new(if is_idempotent { method.idempotent() } else { method }))
    };
    // Nothing panics while the lock is held but for lack of memory.
    let mut methods = METHODS.lock().unwrap_or_else(PoisonError::into_inner);
    methods.entry((name.to_owned(), kind, deadline, is_idempotent)).or_insert_with(make)
}
