//! Rules about events: which fields may be keys, and what is kept.

use super::attributes::{only_argument, placed};
use super::types::can_be_key;
use crate::ast::{Field, Item, ItemKind, Value, ValueKind};
use crate::diagnostic::{self, Diagnostic, Report};
use crate::resolve::Model;
use crate::schema::{Builtin, Literal, Type};
use crate::source::FileId;
use crate::suggest;
use crate::value::{MAX_HISTORY, describe, literal, slow_named, slow_words};

/// Largest number of key fields of an event.
const MAX_KEYS: usize = 4;

/// Returns the events of all files, with their fields.
fn events<'a>(model: &Model<'a>) -> impl Iterator<Item = (FileId, &'a Item, &'a [Field])> {
    model.items().filter_map(|(file, item)| match &item.kind {
        ItemKind::Struct(fields) if fields.is_event => Some((file, item, fields.fields.as_slice())),
        _ => None,
    })
}

/// Reports key fields of types of which equal values may differ on the wire, and more key fields than an event may have.
pub(super) fn keys(model: &Model, report: &mut Report) {
    for (file, item, fields) in events(model) {
        let keys = fields.iter().filter(|field| field.preamble.find("key").is_some());
        for (count, field) in (1..).zip(keys) {
            let Some(key) = field.preamble.find("key") else { continue };
            if count == MAX_KEYS + 1 {
                let message = format!("`{}` has more than {MAX_KEYS} key fields", item.name.text);
                let diagnostic = Diagnostic::new(diagnostic::EVENT_KEY, message).at(key.span, "one too many");
                report.add(diagnostic.help("keep those by which subscribers filter"));
            }
            let Some(ty) = model.ty(file, &field.ty) else { continue };
            if model.resolved(&ty).is_some_and(|resolved| !can_be_key(model, &resolved)) {
                let message = format!("`{}` can't be the type of a key", describe(model, &ty));
                let diagnostic = Diagnostic::new(diagnostic::EVENT_KEY, message)
                    .at(field.ty.span, "")
                    .related(key.span, "a key by this")
                    .help(
                        "a key is a string, an integer, a `bool`, a `uuid` or an enum, and is always there",
                    );
                report.add(diagnostic);
            }
        }
    }
}

/// Reports histories of no events or too many, and `@latest` beside `@history`.
pub(super) fn kept(model: &Model, report: &mut Report) {
    for (file, attribute) in placed(model, "history") {
        let Some(value) = only_argument(attribute) else { continue };
        let number = literal(model, file, &Type::Builtin(Builtin::U32), value, report);
        let Some(Literal::Integer(number)) = number else { continue };
        if !(1..=i128::from(MAX_HISTORY)).contains(&number) {
            let message = format!("a history has 1 to {MAX_HISTORY} events of each key, and not {number}");
            let diagnostic = Diagnostic::new(diagnostic::EVENT_HISTORY, message).at(value.span, "");
            report.add(diagnostic.help(
                "keep fewer, or store them where a method reads them; without the attribute, none is kept",
            ));
        }
    }
    for (_, item, _) in events(model) {
        let (latest, history) = (item.preamble.find("latest"), item.preamble.find("history"));
        if let (Some(latest), Some(history)) = (latest, history) {
            let message = "`@latest` keeps one event of each key, and `@history` says how many";
            let diagnostic = Diagnostic::new(diagnostic::EVENT_HISTORY, message)
                .at(latest.span, "one")
                .related(history.span, "this many");
            report.add(diagnostic.help("remove one of the two"));
        }
    }
}

/// Reports unknown words in `@slow`.
pub(super) fn slow(model: &Model, report: &mut Report) {
    for (_, attribute) in placed(model, "slow") {
        let Some(Value { kind: ValueKind::Path(path), span }) = only_argument(attribute) else { continue };
        let word = path.text();
        if slow_named(&word).is_some() {
            continue;
        }
        let message = format!("`{word}` says nothing of a subscriber that does not keep up");
        let nearest = suggest::nearest(&word, slow_words());
        let help = if let Some(nearest) = nearest {
            format!("did you mean `{nearest}`?")
        } else {
            let words: Vec<String> = slow_words().map(|word| format!("`{word}`")).collect();
            format!("the words are {}", words.join(", "))
        };
        let diagnostic = Diagnostic::new(diagnostic::ATTRIBUTE_ARGUMENT, message).at(*span, "");
        report.add(diagnostic.help(help).suggest_if(*span, nearest));
    }
}
