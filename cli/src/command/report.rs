//! What goes to standard error. Colours only on a terminal, and not against `NO_COLOR`: `anstream` sees to that.
//!
//! Where standard error is closed there is nobody to tell, so failures to write are let pass.

use std::io::Write;

use zsvc_idl::Compilation;
use zsvc_idl::diagnostic::{RenderStyle, render};

/// Everything there is to say about some files, with a blank line between.
pub(crate) fn diagnostics(compilation: &Compilation) {
    let rendered = compilation
        .diagnostics
        .iter()
        .map(|diagnostic| render(diagnostic, &compilation.sources, RenderStyle::Coloured) + "\n");
    let text = rendered.collect::<Vec<_>>().join("\n");
    let _ = anstream::stderr().write_all(text.as_bytes());
}

/// One error that is about no place in a file, and what to do.
pub(crate) fn error(message: &str, help: &str) {
    let _ =
        write!(anstream::stderr(), "\x1b[1;91merror\x1b[0m\x1b[1m: {message}\x1b[0m\n |\n = help: {help}\n");
}
