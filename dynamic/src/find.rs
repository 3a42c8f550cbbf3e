//! Looks methods and declarations up by what people write: `market.v1.Tape/last`, `Tape/last`, `last`.

use std::collections::BTreeSet;
use std::fmt;

use zsvc_idl::schema::{Method, Package, Schema, Service, TypeId};
use zsvc_idl::source::Span;
use zsvc_idl::suggest::nearest;

/// Maximum number of names that are suggested.
const MAX_SUGGESTED: usize = 5;

/// A method with its full name.
#[derive(Debug, Clone)]
pub struct FoundMethod<'s> {
    /// The name on the wire: `market.v1.Tape/last`.
    pub name: String,
    /// The service that serves it.
    pub service: &'s Service,
    /// The method.
    pub method: &'s Method,
}

/// What a schema declares under a name.
#[derive(Debug, Clone)]
pub enum Declared<'s> {
    /// A package.
    Package(&'s Package),
    /// A service, with its full name.
    Service(String, &'s Service),
    /// A method.
    Method(FoundMethod<'s>),
    /// A type, with its full name.
    Type(String, TypeId),
    /// A constant, with its full name and the span of its name.
    Constant(String, Span),
}

/// A name that is none of a schema's, or that of several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotFound {
    name: String,
    names: Vec<String>,
    is_ambiguous: bool,
}

impl NotFound {
    /// Returns the full names that were likely meant, the nearest first, or all of those that the name may stand for.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Reports whether the name stands for several.
    #[must_use]
    pub const fn is_ambiguous(&self) -> bool {
        self.is_ambiguous
    }
}

impl fmt::Display for NotFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name.escape_debug();
        if self.is_ambiguous {
            write!(f, "`{name}` may be any of {}", self.names.len())
        } else {
            write!(f, "there is no `{name}`")
        }
    }
}

impl std::error::Error for NotFound {}

/// Returns the methods of all services, in the order of the schema.
pub fn methods(schema: &Schema) -> impl Iterator<Item = FoundMethod<'_>> + Clone {
    services(schema).flat_map(|(full, service)| {
        service.methods.iter().map(move |method| {
            let name = format!("{full}/{}", method.name);
            FoundMethod { name, service, method }
        })
    })
}

/// Returns all services with their full names.
pub fn services(schema: &Schema) -> impl Iterator<Item = (String, &Service)> + Clone {
    schema.packages.iter().flat_map(|package| {
        package
            .services
            .iter()
            .map(move |service| (format!("{}.{}", package.full_name(), service.name), service))
    })
}

/// Returns a method by its full name, or by an end of it if that is of one alone: `Tape/last`, `last`. A `.` is taken for the `/`, too.
///
/// # Errors
/// There is none, or there are several.
pub fn method<'s>(schema: &'s Schema, name: &str) -> Result<FoundMethod<'s>, NotFound> {
    let all: Vec<FoundMethod<'s>> = methods(schema).collect();
    let names: Vec<&str> = all.iter().map(|method| method.name.as_str()).collect();
    let found = among(&names, name)?;
    Ok(all[found].clone())
}

/// Returns what is declared under a full name, or under an end of it if that is of one alone.
///
/// # Errors
/// There is none, or there are several.
pub fn declared<'s>(schema: &'s Schema, name: &str) -> Result<Declared<'s>, NotFound> {
    let all = all_declared(schema);
    let names: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
    let found = among(&names, name)?;
    Ok(all[found].1.clone())
}

fn all_declared(schema: &Schema) -> Vec<(String, Declared<'_>)> {
    let mut all: Vec<(String, Declared<'_>)> = Vec::new();
    for package in &schema.packages {
        let full = package.full_name();
        all.push((full.clone(), Declared::Package(package)));
        for constant in &package.constants {
            let name = format!("{full}.{}", constant.name);
            all.push((name.clone(), Declared::Constant(name, constant.span)));
        }
        for id in &package.types {
            let name = format!("{full}.{}", schema.definition(*id).name);
            all.push((name.clone(), Declared::Type(name, *id)));
        }
    }
    // A subscription has the name of its event.
    let types = schema.packages.iter().flat_map(|package| &package.types);
    let types: BTreeSet<Span> = types.map(|id| schema.definition(*id).span).collect();
    let services = services(schema).filter(|(_, service)| !types.contains(&service.span));
    all.extend(services.map(|(name, service)| (name.clone(), Declared::Service(name, service))));
    all.extend(methods(schema).map(|method| (method.name.clone(), Declared::Method(method))));
    all
}

/// Returns the index of a name among full names, of which it may be an end.
///
/// # Errors
/// It is none of them, or an end of several.
pub fn among(names: &[&str], name: &str) -> Result<usize, NotFound> {
    let wanted = name.trim_start_matches('/').replace('/', ".");
    let is_end = |full: &str| {
        let full = full.replace('/', ".");
        full.strip_suffix(&wanted).is_some_and(|before| before.is_empty() || before.ends_with('.'))
    };
    if let Some(exact) = names.iter().position(|full| full.replace('/', ".") == wanted) {
        return Ok(exact);
    }
    let ends: Vec<usize> = (0..names.len()).filter(|index| is_end(names[*index])).collect();
    match ends[..] {
        [only] if !wanted.is_empty() => Ok(only),
        _ => {
            let is_ambiguous = ends.len() > 1 && !wanted.is_empty();
            let names = if is_ambiguous {
                ends.iter().take(MAX_SUGGESTED).map(|index| names[*index].to_owned()).collect()
            } else {
                near(names, &wanted)
            };
            Err(NotFound { name: name.to_owned(), names, is_ambiguous })
        }
    }
}

/// Returns the full names that are near to a name, by all of them, by their last two parts, and by the last.
fn near(names: &[&str], wanted: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for parts in [usize::MAX, 2, 1] {
        let wanted = last_parts(wanted, parts);
        while found.len() < MAX_SUGGESTED {
            let left = names.iter().filter(|full| !found.iter().any(|known| known == *full));
            let ends: Vec<(&str, String)> =
                left.map(|full| (*full, last_parts(&full.replace('/', "."), parts))).collect();
            let Some(nearest) = nearest(&wanted, ends.iter().map(|(_, end)| end.as_str())) else { break };
            let full = ends.iter().find(|(_, end)| end == nearest).map(|(full, _)| (*full).to_owned());
            found.extend(full);
        }
    }
    found
}

/// Returns the last parts of a name with dots.
fn last_parts(name: &str, parts: usize) -> String {
    let all: Vec<&str> = name.split('.').collect();
    all[all.len().saturating_sub(parts)..].join(".")
}

#[cfg(test)]
mod tests {
    use super::*;
    use zsvc_idl::MemoryLoader;

    fn schema() -> Schema {
        let loader = MemoryLoader::default()
            .with("a.svc", "package market.v1; struct Trade { n: u8 = 1; } service Tape { rpc last(); rpc watch(); rpc ping(); }")
            .with("b.svc", "package clock.v1; const MAX: u8 = 1; service Clock { rpc now() -> u64; rpc ping(); }");
        let files = ["a.svc".to_owned(), "b.svc".to_owned()];
        zsvc_idl::compile(&loader, &files, &[]).schema.expect("no errors")
    }

    #[test]
    fn methods_are_found_by_any_end_of_their_name() {
        let schema = schema();
        for name in ["market.v1.Tape/last", "market.v1.Tape.last", "Tape/last", "v1.Tape/last", "last"] {
            assert_eq!(method(&schema, name).expect(name).name, "market.v1.Tape/last");
        }
        let several = method(&schema, "ping").expect_err("two of them");
        assert!(several.is_ambiguous());
        assert_eq!(several.names(), ["clock.v1.Clock/ping", "market.v1.Tape/ping"]);
        assert_eq!(several.to_string(), "`ping` may be any of 2");
    }

    #[test]
    fn an_unknown_name_comes_with_those_that_are_near() {
        let schema = schema();
        for (name, nearest) in [
            ("market.v1.Tape/lst", "market.v1.Tape/last"),
            ("Tap/last", "market.v1.Tape/last"),
            ("lsat", "market.v1.Tape/last"),
            ("market.v2.Tape/watch", "market.v1.Tape/watch"),
        ] {
            let error = method(&schema, name).expect_err("misspelt");
            assert_eq!(error.names().first().map(String::as_str), Some(nearest), "{name}");
            assert_eq!(error.to_string(), format!("there is no `{name}`"));
        }
        assert!(method(&schema, "something.else").expect_err("none").names().is_empty());
        assert!(method(&schema, "").is_err());
    }

    #[test]
    fn everything_that_is_declared_is_found() {
        let schema = schema();
        let kind = |name| match declared(&schema, name).expect(name) {
            Declared::Package(_) => "package",
            Declared::Service(..) => "service",
            Declared::Method(_) => "method",
            Declared::Type(..) => "type",
            Declared::Constant(..) => "constant",
        };
        assert_eq!(kind("market.v1"), "package");
        assert_eq!(kind("Clock"), "service");
        assert_eq!(kind("now"), "method");
        assert_eq!(kind("Trade"), "type");
        assert_eq!(kind("clock.v1.MAX"), "constant");
    }
}
