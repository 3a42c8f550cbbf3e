//! Properties of the text of every schema, tested with random schemas.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicUsize;

use proc_macro2::TokenStream;
use zsvc_idl::{Compilation, MemoryLoader};

use super::random::Random;
use super::*;
use crate::layout;

/// Number of random schemas: a debug build takes a few seconds. Each has three packages of some 25 types.
const SEEDS: u64 = 32;

fn compiled(files: &[String]) -> Compilation {
    let paths: Vec<String> = (0..files.len()).map(|index| format!("file{index}.svc")).collect();
    let loader = paths
        .iter()
        .zip(files)
        .fold(MemoryLoader::default(), |loader, (path, text)| loader.with(path.clone(), text.clone()));
    zsvc_idl::compile(&loader, &paths, &[])
}

fn random_files(seed: u64) -> Vec<String> {
    let mut random = Random::new(seed);
    (0..3).map(|index| random.file(index)).collect()
}

/// Returns the text for a seed, and its files for messages.
fn random_text(seed: u64) -> (String, String) {
    let files = random_files(seed);
    let shown = format!("seed {seed}:\n{}", files.join("\n"));
    let compilation = compiled(&files);
    let schema = compilation.schema.unwrap_or_else(|| panic!("{shown}\n{:#?}", compilation.diagnostics));
    (generate(&schema, &Choices::default(), &compilation.sources, Placement::Included), shown)
}

#[test]
fn every_text_is_rust_in_which_no_name_is_given_twice() {
    for seed in 0..SEEDS {
        let (text, shown) = random_text(seed);
        let file = syn::parse_file(&text).unwrap_or_else(|error| panic!("{error} in {text}\n{shown}"));
        let mut twice = Vec::new();
        names_given_twice(&file.items, &mut twice);
        assert!(twice.is_empty(), "{twice:?} in {text}\n{shown}");
    }
}

#[test]
fn a_text_that_is_laid_out_again_stays_as_it_is() {
    for seed in 0..SEEDS {
        let (text, shown) = random_text(seed);
        let (heading, items) = text.split_once("\n\n").expect("a heading");
        let tokens: TokenStream = items.parse().unwrap_or_else(|error| panic!("{error} in {text}\n{shown}"));
        let mut again = format!("{heading}\n\n");
        layout::print(tokens, 0, &mut again);
        assert_eq!(again, text, "{shown}");
    }
}

/// Collects names that are declared twice in a namespace: items, members and parameters.
fn names_given_twice(items: &[syn::Item], twice: &mut Vec<String>) {
    let (mut types, mut values) = (BTreeSet::new(), BTreeSet::new());
    for item in items {
        match item {
            syn::Item::Mod(module) => {
                add(&module.ident, &mut types, twice);
                names_given_twice(module.content.as_ref().map_or(&[], |(_, items)| items), twice);
            }
            syn::Item::Struct(item) => {
                add(&item.ident, &mut types, twice);
                all(item.fields.iter().filter_map(|field| field.ident.as_ref()), twice);
            }
            syn::Item::Enum(item) => {
                add(&item.ident, &mut types, twice);
                all(item.variants.iter().map(|variant| &variant.ident), twice);
                for variant in &item.variants {
                    all(variant.fields.iter().filter_map(|field| field.ident.as_ref()), twice);
                }
            }
            syn::Item::Trait(item) => {
                add(&item.ident, &mut types, twice);
                let functions = item.items.iter().filter_map(|item| match item {
                    syn::TraitItem::Fn(function) => Some(&function.sig),
                    _ => None,
                });
                functions_given_twice(functions, twice);
            }
            syn::Item::Impl(item) => {
                let functions = item.items.iter().filter_map(|item| match item {
                    syn::ImplItem::Fn(function) => Some(&function.sig),
                    _ => None,
                });
                functions_given_twice(functions, twice);
            }
            syn::Item::Type(item) => add(&item.ident, &mut types, twice),
            syn::Item::Static(item) => add(&item.ident, &mut values, twice),
            syn::Item::Const(item) if item.ident != "_" => add(&item.ident, &mut values, twice),
            syn::Item::Const(item) => hidden_names_given_twice(item, twice),
            _ => {}
        }
    }
}

fn hidden_names_given_twice(item: &syn::ItemConst, twice: &mut Vec<String>) {
    let syn::Expr::Block(block) = &*item.expr else { return };
    let items = block.block.stmts.iter().filter_map(|statement| match statement {
        syn::Stmt::Item(item) => Some(item.clone()),
        _ => None,
    });
    names_given_twice(&items.collect::<Vec<_>>(), twice);
}

fn functions_given_twice<'a>(functions: impl Iterator<Item = &'a syn::Signature>, twice: &mut Vec<String>) {
    let functions: Vec<&syn::Signature> = functions.collect();
    all(functions.iter().map(|function| &function.ident), twice);
    for function in functions {
        let inputs = function.inputs.iter().filter_map(|input| match input {
            syn::FnArg::Typed(syn::PatType { pat, .. }) => match &**pat {
                syn::Pat::Ident(name) => Some(&name.ident),
                _ => None,
            },
            syn::FnArg::Receiver(_) => None,
        });
        all(inputs, twice);
    }
}

fn all<'a>(names: impl Iterator<Item = &'a syn::Ident>, twice: &mut Vec<String>) {
    let mut taken = BTreeSet::new();
    names.for_each(|name| add(name, &mut taken, twice));
}

fn add(name: &syn::Ident, taken: &mut BTreeSet<String>, twice: &mut Vec<String>) {
    if !taken.insert(name.to_string()) {
        twice.push(name.to_string());
    }
}

/// Returns a schema that is large enough for several threads.
fn large() -> Compilation {
    let structs = (0..40 * CHUNK).map(|number| format!("struct S{number} {{ next: S{number}? = 1; }}\n"));
    let services = (0..4).map(|number| format!("service T{number} {{ rpc call(s: S{number}); }}\n"));
    let text = structs.chain(services).collect::<Vec<_>>().concat();
    compiled(&[format!("package large;\n{text}")])
}

#[test]
fn one_thread_and_several_come_to_the_same_text() {
    let Compilation { schema: Some(schema), sources, .. } = large() else { panic!("it has no errors") };
    let choices = Choices::default();
    let carried = Carried::of(&schema, &choices, &sources);
    let alone = print_chunks(&schema, &choices, carried.as_ref(), &AtomicUsize::new(0));
    assert!(alone.iter().map(|(index, _)| *index).eq(0..alone.len()), "each chunk once, in order");
    let alone: String = alone.into_iter().map(|(_, text)| text).collect();
    let text = generate(&schema, &choices, &sources, Placement::Included);
    assert_eq!(text, heading(&sources) + &alone);
    assert_eq!(text, generate(&schema, &choices, &sources, Placement::Included));
}
