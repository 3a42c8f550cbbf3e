//! Links from names of the schema in docs, such as `[market.v1.Trade]`, to what is generated. Names in the way of Rust, such
//! as `[Trade]`, are rustdoc's to find.

use std::collections::BTreeMap;

use proc_macro2::Ident;
use zsvc_idl::schema::{PackageId, Schema};

use crate::names::Names;
use crate::options::{Choices, Sides};

/// The items that names of the schema lead to, by full name.
#[derive(Debug)]
pub(crate) struct Links {
    items: BTreeMap<String, (PackageId, String)>,
    /// Paths of the crates from which packages come.
    roots: BTreeMap<PackageId, String>,
}

impl Links {
    /// Collects everything that has an item of its own.
    pub(crate) fn new(schema: &Schema, choices: &Choices, names: &Names) -> Self {
        let (mut items, mut roots) = (BTreeMap::new(), BTreeMap::new());
        for (id, package) in (0..).map(PackageId).zip(&schema.packages) {
            roots.extend(
                choices.extern_package(id).map(|root| (id, root.to_string().replace(' ', "") + "::")),
            );
            let (prefix, idents) = (package.full_name() + ".", names.package(id));
            let mut add =
                |name: &str, ident: &Ident| items.insert(format!("{prefix}{name}"), (id, plain(ident)));
            for ty in package.types.iter().filter(|ty| !choices.is_replaced(**ty)) {
                add(&schema.definition(*ty).name, names.definition(*ty));
            }
            for (constant, ident) in package.constants.iter().zip(&idents.constants) {
                add(&constant.name, ident);
            }
            for (service, own) in package.services.iter().zip(&idents.services) {
                let has_trait = choices.sides() != Sides::Client;
                add(&service.name, if has_trait { &own.service } else { &own.client });
            }
        }
        Self { items, roots }
    }

    /// Returns the path of a name's item, from a module that lies below others.
    pub(crate) fn path(&self, name: &str, names: &Names, modules_above: usize) -> Option<String> {
        let (package, item) = self.items.get(name)?;
        let up = match (self.roots.get(package), modules_above) {
            (Some(root), _) => root.clone(),
            (None, 0) => "self::".to_owned(),
            (None, above) => "super::".repeat(above),
        };
        let down = names.package(*package).path.iter().map(|module| plain(module) + "::");
        Some(up + &down.collect::<String>() + item)
    }
}

/// Returns an identifier as rustdoc's links have it, which know no raw ones.
fn plain(ident: &Ident) -> String {
    let text = ident.to_string();
    text.strip_prefix("r#").map(str::to_owned).unwrap_or(text)
}

/// Returns a line with links: `[name]`, `` [`name`] `` and `[text][name]` of a name that `target` knows get its path.
pub(super) fn linked(line: &str, target: &dyn Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find(['`', '[', '\\']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let (text, length) = match rest.as_bytes()[0] {
            b'`' => (None, code_span(rest)),
            b'[' => link(rest, target).map_or((None, 1), |(text, length)| (Some(text), length)),
            // What is escaped is plain text.
            _ => (None, 1 + rest[1..].chars().next().map_or(0, char::len_utf8)),
        };
        out.push_str(text.as_deref().unwrap_or(&rest[..length]));
        rest = &rest[length..];
    }
    out + rest
}

/// Returns the length of the code span that a text starts with, or of its backticks if there is no end.
fn code_span(text: &str) -> usize {
    let ticks = text.len() - text.trim_start_matches('`').len();
    let mut at = ticks;
    while let Some(next) = text[at..].find('`') {
        let start = at + next;
        let length = text[start..].len() - text[start..].trim_start_matches('`').len();
        at = start + length;
        if length == ticks {
            return at;
        }
    }
    ticks
}

/// Returns the link that a text starts with, and its length before.
fn link(text: &str, target: &dyn Fn(&str) -> Option<String>) -> Option<(String, usize)> {
    let end = text.find(']')?;
    let shown = &text[..=end];
    let after = &text[end + 1..];
    let (name, length) = match after.as_bytes().first() {
        Some(b'(' | b':') => return None,
        Some(b'[') => (&after[1..after.find(']')?], end + 2 + after.find(']')?),
        _ => (&text[1..end], end + 1),
    };
    let path = target(name.trim_matches('`'))?;
    Some((format!("{shown}({path})"), length))
}
