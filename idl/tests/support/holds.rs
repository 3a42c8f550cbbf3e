//! Properties of every input. Fuzzing looks for counterexamples, and tests replay those that were found. Each function
//! panics if its property does not hold.

use zsvc_idl::compat::{Sources, compare};
use zsvc_idl::diagnostic::{RenderStyle, brief, render};
use zsvc_idl::{Compilation, MemoryLoader, compile, format};

use super::files::files;

/// Name of the input.
pub(crate) const PATH: &str = "input.svc";

fn compiled(loader: &MemoryLoader) -> Compilation {
    compile(loader, &[PATH.to_owned()], &[])
}

/// Checks that there is a schema or an error, and that each diagnostic has a place and can be shown in each format.
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

/// Checks that a text can be formatted or has a syntax error, that formatting again changes nothing, and that the schema
/// stays the same.
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

/// Checks that two schemas can be compared and each change be shown, and that a schema has no changes to itself.
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

/// Returns the schema of a file, or its diagnostics, without spans.
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
