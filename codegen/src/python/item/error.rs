//! Errors: an exception for each variant, below one for the whole error.

use zsvc_idl::schema::{Builtin, Field, MessagePart, Payload, Type, TypeId, Variant};

use super::{fields, union};
use crate::names::words;
use crate::python::lines::Lines;
use crate::python::names::VariantNames;
use crate::python::site::{Builtins, Site};
use crate::python::{docs, literal};

/// Adds the exceptions of an error, and its form.
pub(super) fn error(site: &Site<'_>, lines: &mut Lines, id: TypeId, variants: &[Variant]) {
    let (definition, names) = (site.generation.schema.definition(id), site.own(id));
    lines.blank();
    lines.blank();
    lines.block(&format!("class {}(_z.DeclaredError):", names.name), |lines| {
        docs::docstring(
            lines,
            &definition.notes,
            &format!("The error `{}`: one of its variants.", definition.name),
        );
    });
    for (own, variant) in names.variants.iter().zip(variants) {
        exception(site, lines, own, variant, &names.name);
    }
    unknown(lines, &names.unknown, &names.name);
    lines.blank();
    lines.blank();
    union::form(site, lines, id, variants, &names.unknown, &names.variants);
}

fn exception(site: &Site<'_>, lines: &mut Lines, own: &VariantNames, variant: &Variant, base: &str) {
    lines.blank();
    lines.blank();
    let fallback = format!("`{}` of `{base}`.", variant.name);
    lines.block(&format!("class {}({base}):", own.class), |lines| {
        docs::docstring(lines, &variant.notes, &fallback);
        match &variant.payload {
            Payload::Nothing => {}
            Payload::Type { ty, .. } => {
                let annotation = site.annotation(ty, Builtins::Plain);
                constructor(lines, &["value".to_owned()], &[format!("value: {annotation}")], None);
            }
            Payload::Fields(declared) if declared.is_empty() => {}
            Payload::Fields(declared) => with_fields(site, lines, own, declared),
        }
        lines.blank();
        let text = text(site, own, variant);
        let builtins = Builtins::among(&own.fields);
        lines.block(&format!("def _text(self) -> {}:", site.builtin("str", builtins)), |lines| {
            lines.line(&format!("return {text}"));
        });
    });
}

fn with_fields(site: &Site<'_>, lines: &mut Lines, own: &VariantNames, declared: &[Field]) {
    let builtins = Builtins::among(&own.fields);
    let parameters = own.fields.iter().zip(declared).map(|(name, field)| {
        let default = match &field.default {
            Some(value) => Some(literal::value(site, &field.ty, value)),
            None => fields::is_nullable(site, &field.ty).then(|| "None".to_owned()),
        };
        let default = default.map(|default| format!(" = {default}")).unwrap_or_default();
        format!("{name}: {}{default}", site.annotation(&field.ty, builtins))
    });
    let parameters: Vec<String> = parameters.collect();
    constructor(lines, &own.fields, &parameters, Some("*"));
}

fn constructor(lines: &mut Lines, names: &[String], parameters: &[String], star: Option<&str>) {
    lines.blank();
    let quoted: Vec<String> = names.iter().map(|name| literal::string(name)).collect();
    lines.list("__match_args__ = (", &quoted, if quoted.len() == 1 { ",)" } else { ")" });
    lines.blank();
    let all = ["self"].into_iter().chain(star).map(str::to_owned).chain(parameters.iter().cloned());
    lines.list("def __init__(", &all.collect::<Vec<_>>(), ") -> None:");
    lines.block_body(|lines| {
        lines.list("super().__init__(", names, ")");
        for name in names {
            lines.line(&format!("self.{name} = {name}"));
        }
    });
}

fn unknown(lines: &mut Lines, name: &str, base: &str) {
    lines.blank();
    lines.blank();
    lines.block(&format!("class {name}({base}):"), |lines| {
        docs::write(lines, &format!("A variant of `{base}` that this program does not know yet."));
        lines.blank();
        lines.line("def __init__(self, number: int, raw: bytes) -> None:");
        lines.block_body(|lines| {
            lines.line("super().__init__(number, raw)");
            lines.line("self.number = number");
            lines.line("self.raw = raw");
        });
        lines.blank();
        lines.block("def _text(self) -> str:", |lines| {
            lines.line(&format!("return f\"an unknown variant of {base}, with the number {{self.number}}\""));
        });
    });
}

/// Returns the expression of an error's text.
fn text(site: &Site<'_>, own: &VariantNames, variant: &Variant) -> String {
    let Some(parts) = &variant.message else { return literal::string(&words(&variant.name)) };
    let mut out = String::new();
    let mut has_fields = false;
    for part in parts {
        match part {
            MessagePart::Text(text) => out += &literal::escaped(text).replace('{', "{{").replace('}', "}}"),
            MessagePart::Field(index) => {
                has_fields = true;
                let conversion = if holds_bytes(site, variant, *index) { "!r" } else { "" };
                out.extend(["{self.", own.fields[*index].as_str(), conversion, "}"]);
            }
        }
    }
    if has_fields {
        format!("f\"{out}\"")
    } else {
        format!("\"{}\"", out.replace("{{", "{").replace("}}", "}"))
    }
}

/// Reports whether a field holds bytes, of which Python has no text.
fn holds_bytes(site: &Site<'_>, variant: &Variant, index: usize) -> bool {
    let Payload::Fields(fields) = &variant.payload else { return false };
    let schema = site.generation.schema;
    let ty = match schema.resolved(&fields[index].ty) {
        Type::Optional(inner) => schema.resolved(inner),
        ty => ty,
    };
    *ty == Type::Builtin(Builtin::Bytes)
}
