//! Unions: a class for each variant, and an alias for all of them, so that `match` can be exhaustive.

use zsvc_idl::schema::{Payload, TypeId, Variant};

use super::{fields, full_name};
use crate::python::lines::Lines;
use crate::python::names::VariantNames;
use crate::python::site::{Builtins, Site};
use crate::python::{docs, literal};

/// Adds the classes of a union's variants, their union, and its form.
pub(super) fn union(site: &Site<'_>, lines: &mut Lines, id: TypeId, variants: &[Variant]) {
    let (definition, names) = (site.generation.schema.definition(id), site.own(id));
    for (own, variant) in names.variants.iter().zip(variants) {
        variant_class(site, lines, own, variant, &names.name);
    }
    lines.blank();
    lines.blank();
    let classes = names.variants.iter().map(|variant| variant.class.clone());
    let all: Vec<String> = classes.chain(["_z.UnknownVariant".to_owned()]).collect();
    lines.alternatives(&format!("{}: {} = ", names.name, site.import("_TypeAlias")), &all);
    docs::docstring(lines, &definition.notes, "");
    lines.blank();
    form(site, lines, id, variants, "_z.UnknownVariant", &names.variants);
}

fn variant_class(site: &Site<'_>, lines: &mut Lines, own: &VariantNames, variant: &Variant, union: &str) {
    lines.blank();
    lines.blank();
    let fallback = format!("`{}` of `{union}`.", variant.name);
    let keywords = if matches!(variant.payload, Payload::Fields(_)) { ", kw_only=True" } else { "" };
    lines.block(&format!("class {}(_z.Struct{keywords}):", own.class), |lines| {
        docs::docstring(lines, &variant.notes, &fallback);
        match &variant.payload {
            Payload::Nothing => {}
            Payload::Type { ty, .. } => {
                lines.blank();
                lines.line(&format!("value: {}", site.annotation(ty, Builtins::Plain)));
            }
            Payload::Fields(declared) if declared.is_empty() => {}
            Payload::Fields(declared) => {
                lines.blank();
                fields::fields(site, lines, &own.fields, declared);
            }
        }
    });
}

/// Adds the form of a union or an error.
pub(super) fn form(
    site: &Site<'_>,
    lines: &mut Lines,
    id: TypeId,
    variants: &[Variant],
    unknown: &str,
    own: &[VariantNames],
) {
    let names = site.own(id);
    let name = full_name(site, id);
    let open =
        format!("{}: _z.UnionForm = _z.union({}, {unknown}, lambda: [", names.form, literal::string(&name));
    let entry = |(own, variant): (&VariantNames, &Variant)| {
        let head = format!("({}, {}, ", variant.number, own.class);
        match &variant.payload {
            Payload::Nothing => format!("{head}None)"),
            Payload::Type { ty, .. } => format!("{head}{})", site.form(ty)),
            Payload::Fields(declared) => {
                let name = literal::string(&format!("{name}.{}", variant.name));
                let table = fields::table(site, &own.fields, declared);
                if table.is_empty() {
                    return format!("{head}_z.StructForm({}, {name}, list))", own.class);
                }
                Lines::item(&format!("{head}_z.StructForm({}, {name}, lambda: [", own.class), &table, "]))")
            }
        }
    };
    let entries: Vec<String> = own.iter().zip(variants).map(entry).collect();
    let classes: Vec<String> = own.iter().map(|variant| variant.class.clone()).collect();
    let declared: Vec<String> = variants.iter().map(|variant| literal::string(&variant.name)).collect();
    let close = Lines::item("], [", &classes, &format!("], [{}])", declared.join(", ")));
    lines.rows(&open, &entries, &close);
}
