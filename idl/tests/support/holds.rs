//! What holds of every input, whatever it is: what fuzzing looks for a counterexample of, and what tests replay the
//! inputs for that once were one. Each function panics where it does not hold.

use zsvc_idl::compat::{Sources, compare};
use zsvc_idl::diagnostic::{RenderStyle, brief, render};
use zsvc_idl::{Compilation, MemoryLoader, compile, format};

use super::files::files;

/// What the input is called.
pub(crate) const PATH: &str = "input.svc";

fn compiled(loader: &MemoryLoader) -> Compilation {
    compile(loader, &[PATH.to_owned()], &[])
}

/// There is a schema or an error, and all that is told has a place and can be shown in each way.
pub(crate) fn check(bytes: &[u8]) {
    let compilation = compiled(&files(PATH, bytes));
    assert_eq!(compilation.schema.is_none(), compilation.has_errors());
    for diagnostic in &compilation.diagnostics {
        assert_ne!(diagnostic.code.id(), "E0010", "{}", diagnostic.message);
        let label = diagnostic.primary.as_ref().expect("what is said of a text has a place in it");
        assert!(compilation.sources.text(label.span).len() <= bytes.len() * 3);
        let location = compilation.sources.location(label.span);
        assert!(location.line > 0 && location.column > 0);
        for told in [
            render(diagnostic, &compilation.sources, RenderStyle::Plain),
            render(diagnostic, &compilation.sources, RenderStyle::Coloured),
            brief(diagnostic, &compilation.sources),
        ] {
            assert!(told.contains(diagnostic.code.id()));
        }
    }
}

/// A text can be formatted or has an error of form. Formatting again changes nothing, and what it means is the same.
pub(crate) fn formats(bytes: &[u8]) {
    let loader = MemoryLoader::default().with(PATH, bytes);
    let formatting = format(&loader, PATH);
    assert_eq!(formatting.text.is_none(), !formatting.diagnostics.is_empty());
    assert!(formatting.diagnostics.iter().all(|diagnostic| diagnostic.code.id() != "E0010"));
    let Some(text) = formatting.text else { return };
    let formatted = MemoryLoader::default().with(PATH, text.clone());
    assert_eq!(format(&formatted, PATH).text.as_deref(), Some(text.as_str()));
    assert_eq!(meaning(&loader), meaning(&formatted), "{text}");
}

/// The line between the older and the newer side, where an input has two.
const NEWER: &[u8] = b"//===\n";

/// Two schemas can be compared and each change be shown, and a schema has not changed since itself.
pub(crate) fn compares(bytes: &[u8]) {
    let cut = bytes.windows(NEWER.len()).position(|window| window == NEWER);
    let (old, new) = cut.map_or((bytes, bytes), |at| (&bytes[..at], &bytes[at + NEWER.len()..]));
    let (old, new) = (compiled(&files(PATH, old)), compiled(&files(PATH, new)));
    for schema in [&old.schema, &new.schema].into_iter().flatten() {
        assert_eq!(compare(schema, schema), []);
    }
    let (Some(older), Some(newer)) = (&old.schema, &new.schema) else { return };
    let sources = Sources::new(&old.sources, &new.sources, |path| format!("old/{path}"));
    for change in compare(older, newer) {
        assert!(!change.why.is_empty() && !change.help.is_empty(), "{change:?}");
        assert!(change.old.is_some() || change.new.is_some(), "{change:?}");
        for style in [RenderStyle::Plain, RenderStyle::Coloured] {
            assert!(sources.render(&change, style).contains(change.code.id()));
        }
        assert!(sources.brief(&change).contains(change.code.id()));
    }
}

/// What a file means, or what is wrong with it, without where it stands.
pub(crate) fn meaning(loader: &MemoryLoader) -> Vec<String> {
    let Compilation { schema, diagnostics, .. } = compiled(loader);
    match schema {
        Some(schema) => vec![without_spans(&format!("{schema:?}"))],
        None => diagnostics.iter().map(|it| format!("{} {}", it.code, it.message)).collect(),
    }
}

fn without_spans(debugged: &str) -> String {
    let mut parts = debugged.split("Span {");
    let first = parts.next().unwrap_or_default();
    let others = parts.map(|part| part.split_once(" }").map_or(part, |(_, behind)| behind));
    std::iter::once(first).chain(others).collect()
}
