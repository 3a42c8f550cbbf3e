//! Lints about packages and their files.

use super::context::{Context, Findings};
use crate::ast::{File, ItemKind, Package};
use crate::resolve::Model;

/// Reports packages with a service but no version; with one, the next version can coexist.
pub(super) fn unversioned_package(context: &Context, findings: &mut Findings) {
    for (file, package) in packages(context.model) {
        let service = file.items.iter().find(|item| matches!(item.kind, ItemKind::Service(_)));
        let last = package.path.segments.last().map_or("", |last| last.text.as_str());
        if let Some(service) = service.filter(|_| !is_version(last)) {
            let text = package.path.text();
            let related = Some((service.name.span, "its service"));
            let message = format!("the package `{text}` has no version");
            findings.add_related(package.path.span, message, related, format!("call it `{text}.v1`"));
        }
    }
}

/// Reports whether a part is a version: `v1`, `v2beta3`.
fn is_version(part: &str) -> bool {
    let Some(rest) = part.strip_prefix('v') else { return false };
    let after_number = rest.trim_start_matches(|digit: char| digit.is_ascii_digit());
    let stage = after_number.trim_end_matches(|digit: char| digit.is_ascii_digit());
    after_number.len() < rest.len() && matches!(stage, "" | "alpha" | "beta")
}

/// Crates that every program has.
const CRATES: [&str; 5] = ["alloc", "core", "proc_macro", "std", "zsvc"];

/// Reports packages whose first part is the name of a crate: a module of that name at the root of a program makes paths such
/// as `std::fmt` ambiguous.
pub(super) fn crate_package(context: &Context, findings: &mut Findings) {
    for (_, package) in packages(context.model) {
        let Some(first) = package.path.segments.first().filter(|first| CRATES.contains(&first.text.as_str()))
        else {
            continue;
        };
        let message = format!("the package `{}` starts with the name of a crate", package.path.text());
        let help = format!(
            "put the name of your organisation or product in front; or let Rust programs include the code inside of a module, \
             where `{}` is no other crate's name",
            first.text
        );
        findings.add(first.span, message, help);
    }
}

/// Reports files outside the folders named like their package.
pub(super) fn package_folder(context: &Context, findings: &mut Findings) {
    for (file, package) in packages(context.model) {
        let path = context.model.program.sources.file(file.id).path();
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let wanted = package.path.text().replace('.', "/");
        if folder != wanted && !folder.ends_with(&format!("/{wanted}")) {
            let message = format!("the package `{}` is not in a folder `{wanted}`", package.path.text());
            findings.add(package.path.span, message, format!("move the file to `{wanted}`"));
        }
    }
}

/// Reports file names that are not `snake_case`.
pub(super) fn file_name(context: &Context, findings: &mut Findings) {
    for (file, package) in packages(context.model) {
        let path = context.model.program.sources.file(file.id).path();
        let name = path.rsplit('/').next().unwrap_or_default();
        let stem = name.strip_suffix(".svc").unwrap_or(name);
        let is_plain = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_';
        if !stem.chars().all(is_plain) || stem.is_empty() {
            let message = format!("the file `{name}` is not named in `snake_case`");
            let help = "name it with lower case letters, digits and `_`: `market_data.svc`";
            findings.add(package.path.span, message, help);
        }
    }
}

fn packages<'m>(model: &Model<'m>) -> impl Iterator<Item = (&'m File, &'m Package)> {
    model.program.files.iter().filter_map(|file| Some((file, file.package.as_ref()?)))
}

#[cfg(test)]
mod tests {
    use super::is_version;

    #[test]
    fn versions() {
        assert!(["v1", "v12", "v1alpha", "v2beta3"].into_iter().all(is_version));
        assert!(!["v", "1", "version1", "v1rc1", "vbeta", "value"].into_iter().any(is_version));
    }
}
