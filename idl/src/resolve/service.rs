//! Reports what a service extends that is no service, or unknown.

use super::report::unknown_part;
use super::{Model, NameError, Symbol};
use crate::ast::Path;
use crate::diagnostic::{self, Diagnostic};
use crate::source::FileId;
use crate::suggest;

/// Reports a path that means something else than a service.
pub(super) fn no_service(path: &Path, symbol: Symbol) -> Diagnostic {
    let (what, help) = match symbol {
        Symbol::Constant(_) => ("a constant", "name a service, or remove it"),
        _ => ("a type", "only the methods of a service can be taken over: declare them with `service`"),
    };
    Diagnostic::new(diagnostic::NO_SERVICE, format!("`{}` is {what}, not a service", path.text()))
        .at(path.span, "a service belongs here")
        .help(help)
}

/// Reports the first unknown word of a path to a service, of which there are `known` others before it.
pub(super) fn unknown_service(model: &Model, file: FileId, path: &Path, known: usize) -> Diagnostic {
    let part = unknown_part(path, &NameError::Unknown(known));
    let words: Vec<&str> = path.segments.iter().map(|segment| segment.text.as_str()).collect();
    let known = known.min(words.len().saturating_sub(1));
    let (prefix, name) = (words[..known].join("."), words[known]);
    let message = if prefix.is_empty() {
        format!("there is no service `{name}`")
    } else {
        format!("`{prefix}` has no service `{name}`")
    };
    // Nothing follows after a service.
    let is_last = known + 1 == words.len();
    // A service can't extend itself.
    let own = enclosing(model, file, path).filter(|_| prefix.is_empty());
    let candidates = model.service_candidates(file, &prefix).into_iter().filter(|it| Some(*it) != own);
    let nearest = suggest::nearest(name, candidates).filter(|_| is_last);
    let help = match nearest {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => service_elsewhere(model, file, words[words.len() - 1])
            .unwrap_or_else(|| "declare it, or import the file that does".to_owned()),
    };
    let diagnostic = Diagnostic::new(diagnostic::UNKNOWN_SERVICE, message);
    diagnostic.at(part, "unknown").help(help).suggest_if(part, nearest)
}

/// Returns the name of the declaration in which a path stands.
fn enclosing<'a>(model: &Model<'a>, file: FileId, path: &Path) -> Option<&'a str> {
    let before = model.file(file).items.iter().filter(|item| item.name.span.start < path.span.start);
    before.max_by_key(|item| item.name.span.start).map(|item| item.name.text.as_str())
}

/// Returns what to do to name a service of this name that is not where it was looked for.
fn service_elsewhere(model: &Model, file: FileId, name: &str) -> Option<String> {
    let scope = model.scope_of(file);
    let packages = scope.packages.keys().map(|package| model.packages[package.0 as usize].as_str());
    // Without a prefix it is one of this package.
    let mut prefixes = std::iter::once("").chain(scope.aliases.keys().copied()).chain(packages);
    if let Some(prefix) = prefixes.find(|prefix| model.service_candidates(file, prefix).contains(&name)) {
        let dot = if prefix.is_empty() { "" } else { "." };
        return Some(format!("write `{prefix}{dot}{name}`"));
    }
    let other = model.services.iter().find(|it| it.item.name.text == name && it.file != file)?;
    Some(format!("`{}` declares one: import it", model.program.sources.file(other.file).path()))
}
