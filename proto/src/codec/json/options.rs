//! What a program may ask of the mapping, for all that one closure writes or reads.
//!
//! Serde hands no options through, and values may be anywhere inside the types of a program. So options are those of the thread, while
//! the closure runs.

use std::cell::Cell;

thread_local! {
    static OPTIONS: Cell<Options> = const { Cell::new(Options { safe_integers: false, strict: false }) };
}

#[derive(Debug, Clone, Copy)]
struct Options {
    safe_integers: bool,
    strict: bool,
}

/// Sets the options that were there before, also after a panic.
struct Restore(Options);

impl Drop for Restore {
    fn drop(&mut self) {
        OPTIONS.set(self.0);
    }
}

fn with<R>(options: Options, run: impl FnOnce() -> R) -> R {
    let _restore = Restore(OPTIONS.replace(options));
    run()
}

/// Has what `run` writes carry integers as strings that a reader with floats alone would change: those of 64 bits past
/// ±9,007,199,254,740,991 (2^53 - 1), as JavaScript is one. Reading takes either, always.
///
/// ```
/// # mod zsvc { pub use zsvc_proto::codec::json; }
/// # let trade = [1];
/// # fn to_string<T>(_: &T) {}
/// let text = zsvc::json::safe_integers(|| to_string(&trade));
/// ```
pub fn safe_integers<R>(run: impl FnOnce() -> R) -> R {
    with(Options { safe_integers: true, ..OPTIONS.get() }, run)
}

/// Has what `run` reads refuse names of fields that the schema does not have, values of variants that have none, and values out of
/// their bounds (`@len`, `@range`): for what people write by hand, such as configuration. Without it, unknown names are skipped and
/// bounds are not checked, as where a client reads what a server with a newer schema sends.
///
/// ```
/// # mod zsvc { pub use zsvc_proto::codec::json; }
/// # fn from_str(text: &str) -> usize { text.len() }
/// # let text = "{}";
/// let trade = zsvc::json::strict(|| from_str(text));
/// ```
pub fn strict<R>(run: impl FnOnce() -> R) -> R {
    with(Options { strict: true, ..OPTIONS.get() }, run)
}

/// Reports whether [`strict`] reading was asked for.
pub(in crate::codec) fn is_strict() -> bool {
    OPTIONS.get().strict
}

/// Reports whether [`safe_integers`] were asked for.
pub(super) fn has_safe_integers() -> bool {
    OPTIONS.get().safe_integers
}
