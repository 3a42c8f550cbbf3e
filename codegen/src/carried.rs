//! The schema that generated code carries along as text, for reflection: a module that holds the files which its services and events need,
//! each once, and which of them each service and event needs. A server has an event as a service with one method.
//!
//! The module stands beside those of the packages. It is named after the first of these, so that two generated files that are
//! included in one place have two. How the files become others that a peer can compile is in [`zsvc_idl::bundle`].

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Ident, Literal, TokenStream};
use quote::quote;
use zsvc_idl::bundle::{Bundle, Needs};
use zsvc_idl::schema::{Package, PackageId, Schema, TypeKind};
use zsvc_idl::source::{FileId, SourceMap, Span};

use crate::docs;
use crate::names::ident;
use crate::options::Choices;

/// The files of a schema, and the services and events that carry them.
#[derive(Debug)]
pub(crate) struct Carried {
    bundle: Bundle,
    /// Name of the module.
    name: String,
    services: Vec<CarriedService>,
    /// What the services and events of each file need. Computed once for a file, since it is of all the text that the file imports.
    needs: BTreeMap<FileId, Needs>,
    /// Index of each service and event among them, by the span of its name.
    indices: BTreeMap<Span, usize>,
    /// Files that the services need, as indices into the bundle, in ascending order.
    files: Vec<usize>,
}

#[derive(Debug)]
struct CarriedService {
    full_name: String,
    /// File that declares it.
    file: FileId,
}

/// Returns all files that are needed, in ascending order.
pub(crate) fn all_needed(needs: &BTreeMap<FileId, Needs>) -> Vec<usize> {
    let files: BTreeSet<usize> = needs.values().flat_map(|needs| needs.files.iter().copied()).collect();
    files.into_iter().collect()
}

impl Carried {
    /// Returns what the services carry that are generated here; none if there is none.
    pub(crate) fn of(schema: &Schema, choices: &Choices, sources: &SourceMap) -> Option<Self> {
        let packages = (0..).map(PackageId).zip(&schema.packages);
        let own: Vec<_> =
            packages.filter(|(id, _)| !choices.is_extern(*id)).map(|(_, package)| package).collect();
        let all: Vec<(&Package, &str, Span)> =
            own.iter().flat_map(|package| carriers(schema, package)).collect();
        let (first, ..) = all.first()?;
        let bundle = Bundle::of(schema, sources);
        let indices = all.iter().enumerate().map(|(index, (_, _, span))| (*span, index)).collect();
        let services = all.iter().map(|(package, name, span)| CarriedService {
            full_name: format!("{}.{name}", package.full_name()),
            file: span.file,
        });
        let services: Vec<_> = services.collect();
        let needs = bundle.needs(services.iter().map(|service| service.file));
        let files = all_needed(&needs);
        let name = format!("schema_of_{}", first.name.join("_"));
        Some(Self { bundle, name, services, needs, indices, files })
    }

    /// Returns the expression of the schema of a service or an event, by the span of its name, from a module with this many around it.
    pub(crate) fn schema(&self, name: Span, depth: usize) -> TokenStream {
        let module = self.name();
        let index = Literal::usize_unsuffixed(self.indices.get(&name).copied().unwrap_or_default());
        let up = (0..depth).map(|_| quote!(super::));
        quote!(&#(#up)*#module::SERVICES[#index])
    }

    /// Returns the module. `lints` are the attributes that keep users' lints off it.
    pub(crate) fn module(&self, lints: &TokenStream) -> TokenStream {
        let docs = docs::doc("The files of the schema, as servers tell them by `zsvc.reflection.v1`.");
        let name = self.name();
        let files = self.files.iter().map(|index| {
            let file = &self.bundle.files()[*index];
            let (path, text) = (&file.path, literal(&file.text));
            quote!(wire::SchemaFile::new(#path, #text))
        });
        let services = self.services.iter().filter_map(|service| self.service(service));
        let (file_count, service_count) = (count(self.files.len()), count(self.services.len()));
        quote! {
            #docs
            #lints
            mod #name {
                use ::zsvc::generated as wire;
                static FILES: [wire::SchemaFile; #file_count] = [#(#files),*];
                pub(super) static SERVICES: [wire::ServiceSchema; #service_count] = [#(#services),*];
            }
        }
    }

    fn service(&self, service: &CarriedService) -> Option<TokenStream> {
        let (name, needs) = (&service.full_name, self.needs.get(&service.file)?);
        let places = needs.files.iter().map(|file| self.files.binary_search(file).unwrap_or_default());
        let places = places.map(Literal::usize_unsuffixed);
        let fingerprint = hexadecimal(needs.fingerprint);
        Some(quote!(wire::ServiceSchema::new(#name, &FILES, &[#(#places),*], #fingerprint)))
    }

    fn name(&self) -> Ident {
        ident(&self.name)
    }
}

/// Returns the services and the events of a package, each with its name and the span of that.
fn carriers<'s>(
    schema: &'s Schema,
    package: &'s Package,
) -> impl Iterator<Item = (&'s Package, &'s str, Span)> {
    let services = package.services.iter().map(|service| (service.name.as_str(), service.span));
    let types = package.types.iter().map(|id| schema.definition(*id));
    let events = types.filter(|definition| match &definition.kind {
        TypeKind::Struct(structure) => structure.event.is_some(),
        _ => false,
    });
    let events = events.map(|definition| (definition.name.as_str(), definition.span));
    services.chain(events).map(move |(name, span)| (package, name, span))
}

/// Returns a number of 128 bits as people can read it, in groups of four digits.
fn hexadecimal(number: u128) -> TokenStream {
    let groups: Vec<String> =
        (0..8).rev().map(|group| format!("{:04x}", number >> (16 * group) & 0xffff)).collect();
    format!("0x{}", groups.join("_")).parse().unwrap_or_default()
}

fn count(number: usize) -> Literal {
    Literal::usize_unsuffixed(number)
}

/// Returns a text as people can read it in a file of Rust, unless it has characters that such a file should not have.
fn literal(text: &str) -> Literal {
    let is_plain = |letter: char| {
        matches!(letter, '\n' | '"' | '\'' | '\\') || !letter.is_control() && letter.escape_debug().len() == 1
    };
    // No more than are needed: Clippy would say so of users' code.
    let hashes = "#".repeat(if text.contains('"') { longest_run_of_hashes(text) + 1 } else { 0 });
    let raw = text.chars().all(is_plain).then(|| format!("r{hashes}\"{text}\"{hashes}"));
    raw.and_then(|raw| raw.parse().ok()).unwrap_or_else(|| Literal::string(text))
}

fn longest_run_of_hashes(text: &str) -> usize {
    text.split(|letter| letter != '#').map(str::len).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Services of one file that import another: nothing is read once for each of them.
    #[test]
    fn what_a_file_needs_is_computed_once_for_all_of_its_services() {
        let services: Vec<_> = (0..1_000).map(|number| format!("service S{number} {{ rpc a(); }}")).collect();
        let services = services.join("\n");
        let loader = zsvc_idl::MemoryLoader::default()
            .with("a.svc", format!("package a;\nimport \"b.svc\";\n{services}"))
            .with("b.svc", "package b;\nservice S {}\n");
        let compilation = zsvc_idl::compile(&loader, &["a.svc".to_owned()], &[]);
        let schema = compilation.schema.expect("it has no errors");
        let carried = Carried::of(&schema, &Choices::default(), &compilation.sources).expect("services");
        assert_eq!((carried.services.len(), carried.needs.len()), (1_001, 2));
        assert_eq!(
            carried.module(&TokenStream::new()).to_string().matches("ServiceSchema :: new").count(),
            1_001
        );
    }

    #[test]
    fn texts_are_raw_where_people_can_read_them() {
        assert_eq!(literal("/// \"a\"\n\\").to_string(), "r#\"/// \"a\"\n\\\"#");
        assert_eq!(literal("\"##").to_string(), "r###\"\"##\"###");
        assert_eq!(literal("# a\n").to_string(), "r\"# a\n\"");
        for odd in ["\u{202e}", "a\r\n", "\0", "\u{feff}"] {
            assert!(literal(odd).to_string().starts_with('"'), "{odd:?}");
        }
    }
}
