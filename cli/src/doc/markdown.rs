//! Markdown: one file for each package, and one that lists them. Docs stand in it as they were written, since they are Markdown.

use std::fmt::Write as _;

use zsvc_idl::schema::{Field, Package, Payload, Schema, TypeId, TypeKind};

use super::Page;
use super::model::{Index, Part, deprecation, facts, field_facts, kind, literal};
use super::prose::first_sentence;

/// Returns all files.
pub(crate) fn pages(schema: &Schema, title: &str) -> Vec<Page> {
    let index = Index::new(schema);
    let mut front = format!("# {title}\n\n");
    for package in &schema.packages {
        let full = package.full_name();
        // A string takes whatever is written to it, here and below.
        let _ = writeln!(front, "- [{full}]({full}.md): {}", first_sentence(&package.docs));
    }
    let mut pages = vec![("README.md".to_owned(), front)];
    pages.extend(
        schema.packages.iter().map(|package| (format!("{}.md", package.full_name()), page(&index, package))),
    );
    pages
}

fn page(index: &Index<'_>, package: &Package) -> String {
    let full = package.full_name();
    let mut out = format!("# Package `{full}`\n");
    paragraph(&mut out, &package.docs);
    for service in &package.services {
        let _ = write!(out, "\n## Service `{}`\n", service.name);
        paragraph(&mut out, &service.notes.docs);
        for method in &service.methods {
            let _ = write!(
                out,
                "\n### `{}`\n\n```svc\n{}\n```\n",
                method.name,
                text(index, &Index::signature(method))
            );
            paragraph(&mut out, &facts(service, method).join(", "));
            paragraph(&mut out, &method.notes.docs);
        }
    }
    for id in &package.types {
        definition(&mut out, index, *id);
    }
    for constant in &package.constants {
        let value = literal(index.schema, &constant.value);
        let ty = text(index, &Index::ty(&constant.ty));
        let _ = write!(
            out,
            "\n## Constant `{}`\n\n```svc\nconst {}: {ty} = {value};\n```\n",
            constant.name, constant.name
        );
        paragraph(&mut out, &constant.notes.docs);
    }
    out
}

fn definition(out: &mut String, index: &Index<'_>, id: TypeId) {
    let definition = index.schema.definition(id);
    let word = kind(&definition.kind);
    let _ = write!(out, "\n## {}{} `{}`\n", word[..1].to_uppercase(), &word[1..], definition.name);
    paragraph(out, &definition.notes.docs);
    paragraph(out, &deprecation(&definition.notes).unwrap_or_default());
    match &definition.kind {
        TypeKind::Alias(ty) => paragraph(out, &format!("Stands for `{}`.", text(index, &Index::ty(ty)))),
        TypeKind::Struct(structure) => fields(out, index, &structure.fields),
        TypeKind::Enum(values) => {
            out.push_str("\n| number | value | meaning |\n|---|---|---|\n");
            for value in values {
                let _ =
                    writeln!(out, "| {} | `{}` | {} |", value.number, value.name, cell(&value.notes.docs));
            }
        }
        TypeKind::Flags(flags) => {
            out.push_str("\n| number | flag | meaning |\n|---|---|---|\n");
            for flag in flags {
                let _ = writeln!(out, "| {} | `{}` | {} |", flag.number, flag.name, cell(&flag.notes.docs));
            }
        }
        TypeKind::Union(variants) | TypeKind::Error(variants) => {
            for variant in variants {
                let _ = write!(out, "\n### `{}` = {}\n", variant.name, variant.number);
                paragraph(out, &variant.notes.docs);
                match &variant.payload {
                    Payload::Nothing => {}
                    Payload::Type { ty, .. } => paragraph(out, &format!("`{}`", text(index, &Index::ty(ty)))),
                    Payload::Fields(own) => fields(out, index, own),
                }
            }
        }
    }
}

fn fields(out: &mut String, index: &Index<'_>, fields: &[Field]) {
    out.push_str("\n| number | field | type | meaning |\n|---|---|---|---|\n");
    for field in fields {
        let facts = field_facts(index.schema, field).join(", ");
        let meaning = [cell(&field.notes.docs), cell(&facts)].join(" ");
        let ty = text(index, &Index::ty(&field.ty));
        let _ = writeln!(out, "| {} | `{}` | `{ty}` | {} |", field.number, field.name, meaning.trim());
    }
}

fn paragraph(out: &mut String, text: &str) {
    if !text.trim().is_empty() {
        let _ = write!(out, "\n{}\n", text.trim());
    }
}

/// Returns a text for a cell of a table, which has one line.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

fn text(index: &Index<'_>, parts: &[Part]) -> String {
    let shown = parts.iter().map(|part| match part {
        Part::Text(text) => text.clone(),
        Part::Type(id) => index.schema.definition(*id).name.clone(),
    });
    shown.collect()
}
