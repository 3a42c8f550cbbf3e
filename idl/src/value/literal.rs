//! Checks that a value without parts is one of a type. Those with parts are in [`super::structured`].

use super::describe;
use crate::ast::{Enum, Item, ItemKind, Path, Value, ValueKind};
use crate::diagnostic::{self, Diagnostic, Report};
use crate::resolve::{Model, NameError, Symbol};
use crate::schema::{Builtin, Literal, Type, TypeId};
use crate::source::{FileId, Span};
use crate::suggest;

/// Returns the values of an enum.
pub(crate) fn enum_values<'a>(model: &Model<'a>, id: TypeId) -> Option<&'a Enum> {
    match &model.declared(id).item.kind {
        ItemKind::Enum(values) if !values.is_flags => Some(values),
        _ => None,
    }
}

/// Returns the flags of `flags`.
pub(super) fn flags_of<'a>(model: &Model<'a>, id: TypeId) -> Option<&'a Enum> {
    match &model.declared(id).item.kind {
        ItemKind::Enum(flags) if flags.is_flags => Some(flags),
        _ => None,
    }
}

/// Reads `Buy`, `Side.Buy` or `market.v1.Side.Buy`, the name of a value or of a flag.
pub(super) fn enum_value(
    model: &Model,
    file: FileId,
    of: (TypeId, &Enum),
    path: &Path,
    report: &mut Report,
) -> Option<Literal> {
    let (id, values) = of;
    let last = path.segments.last()?.text.as_str();
    let named_right = path.segments.len() == 1 || is_value_of(model, file, path, id);
    if let Some(index) = model.value_named(id, last).filter(|_| named_right) {
        return Some(Literal::EnumValue(id, index));
    }
    let declared = model.declared(id).item;
    if declared.damaged {
        return None;
    }
    report.add_with(file, diagnostic::UNKNOWN_CONSTANT, |code| {
        let name = &declared.full_name;
        let names = || values.values.iter().map(|value| value.name.text.as_str());
        let nearest = suggest::nearest(last, names());
        let help = match nearest.or(names().next()) {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None if values.is_flags => format!("`{name}` has no flags"),
            None => format!("`{name}` has no values"),
        };
        let noun = if values.is_flags { "flag" } else { "value" };
        let message = format!("`{}` is no {noun} of `{name}`", path.text());
        let written = path.segments.last().map_or(path.span, |segment| segment.span);
        Diagnostic::new(code, message)
            .at(path.span, "")
            .help(help)
            .suggest_if(written, nearest.filter(|_| named_right))
    });
    None
}

/// Reports whether the words before the last are the name of a type.
fn is_value_of(model: &Model, file: FileId, path: &Path, id: TypeId) -> bool {
    let Ok(Symbol::Type(found)) = model.lookup_words(file, path, path.segments.len() - 1) else {
        return false;
    };
    model.resolved(&Type::Named(found)) == Some(Type::Named(id))
}

/// Returns the value of the constant that a path names, as written, and its file.
pub(super) fn constant<'a>(
    model: &Model<'a>,
    file: FileId,
    path: &Path,
    report: &mut Report,
) -> Option<(FileId, &'a Value)> {
    let message = match model.lookup(file, path) {
        Ok(Symbol::Constant(item)) => match &item.kind {
            ItemKind::Const { value, .. } => return Some((item.name.span.file, value)),
            _ => return None,
        },
        Ok(Symbol::Broken) | Err(NameError::Silent) => return None,
        Ok(_) => format!("`{}` is no constant", path.text()),
        Err(_) => format!("there is no constant `{}`", path.text()),
    };
    report.add_with(file, diagnostic::UNKNOWN_CONSTANT, |code| {
        let items = model.file(file).items.iter();
        // The constant whose value this is part of can't be meant.
        let is_around =
            |value: &Value| value.span.start <= path.span.start && path.span.end <= value.span.end;
        let constants =
            items.filter(|item| matches!(&item.kind, ItemKind::Const { value, .. } if !is_around(value)));
        let literal = ["false", "true"].into_iter().find(|word| path.text().eq_ignore_ascii_case(word));
        let nearest =
            literal.or_else(|| suggest::nearest(&path.text(), constants.map(|item| item.name.text.as_str())));
        let is_hidden = nearest.is_some_and(|nearest| nearest == path.text());
        let nearest = nearest.filter(|_| !is_hidden);
        let help = match nearest {
            _ if is_hidden => {
                let package = &model.packages[model.package(file).0 as usize];
                format!("a type around it has that name: write `{package}.{}`", path.text())
            }
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => {
                "write the value itself, or declare it with `const`; text stands between quotes".to_owned()
            }
        };
        Diagnostic::new(code, message).at(path.span, "").help(help).suggest_if(path.span, nearest)
    });
    None
}

/// Returns the type of the constant that a path names, with aliases followed.
pub(super) fn constant_type(model: &Model, file: FileId, path: &Path) -> Option<Type> {
    match model.lookup(file, path) {
        Ok(Symbol::Constant(Item { kind: ItemKind::Const { ty, .. }, name, .. })) => {
            model.resolved(&model.ty(name.span.file, ty)?)
        }
        _ => None,
    }
}

/// Reports whether a value is a negative integer, literally or as a constant.
pub(crate) fn is_negative(model: &Model, file: FileId, value: &Value) -> bool {
    let value = match &value.kind {
        ValueKind::Path(path) => match model.lookup(file, path) {
            Ok(Symbol::Constant(Item { kind: ItemKind::Const { value, .. }, .. })) => value,
            _ => return false,
        },
        _ => value,
    };
    matches!(value.kind, ValueKind::Integer(value) if value < 0)
}

/// Returns a value without parts as one of a type.
pub(super) fn fit(
    model: &Model,
    ty: &Type,
    value: &ValueKind,
    span: Span,
    report: &mut Report,
) -> Option<Literal> {
    let fitting = match (ty, value) {
        (_, ValueKind::Invalid | ValueKind::Path(_)) => return None,
        (Type::Builtin(Builtin::Bool), ValueKind::Bool(value)) => Literal::Bool(*value),
        (Type::Builtin(Builtin::String), ValueKind::String(text)) => Literal::String(text.clone()),
        (Type::Builtin(Builtin::Duration), ValueKind::Duration(value)) => Literal::Duration(*value),
        (Type::Builtin(Builtin::Bytes), ValueKind::Bytes(bytes)) => Literal::Bytes(bytes.clone()),
        (Type::Builtin(builtin @ (Builtin::F32 | Builtin::F64)), ValueKind::Float(value)) => {
            return float(*builtin, *value, span, report);
        }
        (Type::Builtin(builtin @ (Builtin::F32 | Builtin::F64)), ValueKind::Integer(value)) => {
            return float(*builtin, whole(*value), span, report);
        }
        (Type::Builtin(builtin), ValueKind::Integer(value)) if integer_limits(*builtin).is_some() => {
            return integer(*builtin, *value, span, report);
        }
        _ => {
            report.add(wrong_kind(model, ty, value, span));
            return None;
        }
    };
    Some(fitting)
}

#[allow(clippy::cast_precision_loss, reason = "a float written without a point is rounded as any float is")]
fn whole(value: i128) -> f64 {
    value as f64
}

/// Returns the least and the greatest value of an integer type.
pub(crate) fn integer_limits(builtin: Builtin) -> Option<(i128, i128)> {
    Some(match builtin {
        Builtin::U8 => (0, i128::from(u8::MAX)),
        Builtin::U16 => (0, i128::from(u16::MAX)),
        Builtin::U32 => (0, i128::from(u32::MAX)),
        Builtin::U64 => (0, i128::from(u64::MAX)),
        Builtin::I8 => (i128::from(i8::MIN), i128::from(i8::MAX)),
        Builtin::I16 => (i128::from(i16::MIN), i128::from(i16::MAX)),
        Builtin::I32 => (i128::from(i32::MIN), i128::from(i32::MAX)),
        Builtin::I64 => (i128::from(i64::MIN), i128::from(i64::MAX)),
        _ => return None,
    })
}

fn integer(builtin: Builtin, value: i128, span: Span, report: &mut Report) -> Option<Literal> {
    let (least, greatest) = integer_limits(builtin)?;
    if (least..=greatest).contains(&value) {
        return Some(Literal::Integer(value));
    }
    let name = builtin.keyword();
    let diagnostic = Diagnostic::new(diagnostic::VALUE_RANGE, format!("{value} does not fit into `{name}`"))
        .at(span, "")
        .help(format!("`{name}` holds {least} to {greatest}"));
    report.add(diagnostic);
    None
}

fn float(builtin: Builtin, value: f64, span: Span, report: &mut Report) -> Option<Literal> {
    if as_held(builtin, value).is_finite() {
        return Some(Literal::Float(value));
    }
    let diagnostic = Diagnostic::new(diagnostic::VALUE_RANGE, format!("{value:e} does not fit into `f32`"))
        .at(span, "")
        .help("`f32` holds up to about 3.4e38; `f64` holds more");
    report.add(diagnostic);
    None
}

/// Returns a value as a float type stores it: `f32` takes the nearest one, which is infinity beyond its greatest.
pub(crate) fn as_held(builtin: Builtin, value: f64) -> f64 {
    #[allow(clippy::cast_possible_truncation, reason = "the rounding is what is asked for")]
    let rounded = f64::from(value as f32);
    if builtin == Builtin::F32 { rounded } else { value }
}

fn wrong_kind(model: &Model, ty: &Type, value: &ValueKind, span: Span) -> Diagnostic {
    let name = describe(model, ty);
    let found = match value {
        ValueKind::Bool(_) => "a bool",
        ValueKind::Integer(_) => "an integer",
        ValueKind::Float(_) => "a float",
        ValueKind::String(_) => "a string",
        ValueKind::Duration(_) => "a duration",
        ValueKind::Bytes(_) => "a string of bytes",
        ValueKind::List(values) if values.is_empty() => "`[]`",
        ValueKind::List(_) => "a list",
        ValueKind::Object(entries) if entries.is_empty() => "`{}`",
        ValueKind::Object(_) => "what stands in braces",
        _ => "a range",
    };
    Diagnostic::new(diagnostic::WRONG_KIND, format!("{found} is no `{name}`"))
        .at(span, "")
        .help(example(model, ty, &name))
}

fn example(model: &Model, ty: &Type, name: &str) -> String {
    let example = match ty {
        Type::Builtin(Builtin::Bool) => "write `true` or `false`",
        Type::Builtin(Builtin::String) => "write text between quotes: `\"text\"`",
        Type::Builtin(Builtin::Duration) => "write a duration: `500ms`, `10s`, `2h`",
        Type::Builtin(Builtin::F32 | Builtin::F64) => "write a number: `1.5`",
        Type::Builtin(builtin) if integer_limits(*builtin).is_some() => "write an integer: `1`",
        Type::Builtin(Builtin::Bytes) => "write bytes: `b\"ASCII, or \\x00\"`",
        Type::List(_) | Type::Set(_) => "write a list: `[…, …]`",
        Type::Map(..) => "write a map: `{ key: value, … }`",
        Type::Named(id) if flags_of(model, *id).is_some() => {
            return format!("write a list of the flags of `{name}` that are set, or `[]`");
        }
        Type::Named(id) if matches!(model.declared(*id).item.kind, ItemKind::Struct(_)) => {
            return format!("write the fields of `{name}`: `{{ name: value, … }}`");
        }
        Type::Named(id) if enum_values(model, *id).is_some() => {
            return format!("write the name of one of the values of `{name}`");
        }
        _ => return format!("a value of `{name}` can't be written; make the field optional: `{name}?`"),
    };
    example.to_owned()
}
