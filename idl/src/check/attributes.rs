//! Rules about attributes, except about the values that they give to fields ([`super::slots`]).

use std::time::Duration;

use super::places::{self, ATTRIBUTES, Known, Place, Takes};
use super::walk;
use crate::ast::{Attribute, Value, ValueKind};
use crate::diagnostic::{self, Diagnostic, Report};
use crate::lint;
use crate::lower::own_fields;
use crate::resolve::Model;
use crate::schema::{Builtin, Literal, Type};
use crate::suggest;
use crate::value::{literal, message, overlap_named, overlap_words};

/// Reports attributes that the language does not have.
pub(super) fn unknown(model: &Model, report: &mut Report) {
    for (_, _, preamble) in places::preambles(model) {
        for attribute in
            preamble.attributes.iter().filter(|attribute| places::known(&attribute.name.text).is_none())
        {
            let names = || ATTRIBUTES.iter().map(|known| known.name);
            let help = if let Some(nearest) = suggest::nearest(&attribute.name.text, names()) {
                format!("did you mean `@{nearest}`?")
            } else {
                let all: Vec<String> = names().map(|name| format!("`@{name}`")).collect();
                format!("the attributes are {}", all.join(", "))
            };
            let message = format!("there is no attribute `@{}`", attribute.name.text);
            report.add(
                Diagnostic::new(diagnostic::UNKNOWN_ATTRIBUTE, message)
                    .at(attribute.span, "unknown")
                    .help(help),
            );
        }
    }
}

/// Reports attributes that are given twice.
pub(super) fn given_twice(model: &Model, report: &mut Report) {
    for (_, _, preamble) in places::preambles(model) {
        for (index, attribute) in preamble.attributes.iter().enumerate() {
            let is_same = |other: &&Attribute| other.name.text == attribute.name.text;
            let first = preamble.attributes[..index].iter().take(ATTRIBUTES.len() + 1).find(is_same);
            let Some(first) = first.filter(|_| places::known(&attribute.name.text).is_some()) else {
                continue;
            };
            let message = format!("`@{}` is given twice", attribute.name.text);
            let diagnostic = Diagnostic::new(diagnostic::DUPLICATE_ATTRIBUTE, message)
                .at(attribute.span, "once more")
                .related(first.span, "first here")
                .help("remove one of the two");
            report.add(diagnostic);
        }
    }
}

/// Reports attributes in places where they are not allowed.
pub(super) fn misplaced(model: &Model, report: &mut Report) {
    for (_, place, preamble) in places::preambles(model) {
        for attribute in &preamble.attributes {
            let Some(known) = places::known(&attribute.name.text) else { continue };
            if !known.places.contains(&place) {
                report.add(misplaced_here(attribute, known, place));
            }
        }
    }
}

fn misplaced_here(attribute: &Attribute, known: &Known, place: Place) -> Diagnostic {
    let message = format!("`@{}` means nothing on {}", known.name, place.described());
    let help = match (known.name, place) {
        ("deadline" | "idempotent" | "overlap", Place::Oneway) => {
            "no client waits for the end of a oneway call: remove it".to_owned()
        }
        _ => format!("it belongs on {}", known.belongs),
    };
    Diagnostic::new(diagnostic::MISPLACED_ATTRIBUTE, message).at(attribute.span, "").help(help)
}

/// Returns attributes in allowed places, each once: what the rules about their arguments check.
fn placed<'a>(model: &Model<'a>, name: &'static str) -> Vec<(crate::source::FileId, &'a Attribute)> {
    let preambles = places::preambles(model);
    let belongs = |place| places::known(name).is_some_and(|known| known.places.contains(&place));
    let here = preambles.filter(|(_, place, preamble)| !preamble.attributes.is_empty() && belongs(*place));
    here.filter_map(|(file, _, preamble)| Some((file, preamble.find(name)?))).collect()
}

/// Reports missing, extra and wrong arguments of attributes.
pub(super) fn arguments(model: &Model, report: &mut Report) {
    for known in &ATTRIBUTES {
        for (_, attribute) in placed(model, known.name) {
            if let Some(message) = wrong_arguments(known, attribute) {
                let diagnostic =
                    Diagnostic::new(diagnostic::ATTRIBUTE_ARGUMENT, message).at(attribute.span, "");
                report.add(diagnostic.help(format!("write, say, `{}`", known.example)));
            }
        }
    }
}

fn wrong_arguments(known: &Known, attribute: &Attribute) -> Option<String> {
    let name = known.name;
    match (known.takes, attribute.arguments.as_slice()) {
        (Takes::Nothing, []) | (Takes::Value, [_]) => None,
        (Takes::Nothing, _) => Some(format!("`@{name}` takes no argument")),
        (Takes::String, [value]) => (!is_string(value)).then(|| format!("`@{name}` takes a string")),
        (Takes::Word, [value]) => (!is_word(value)).then(|| format!("`@{name}` takes a word")),
        (Takes::Words, words) => {
            let right = !words.is_empty() && words.iter().all(is_word);
            (!right).then(|| format!("`@{name}` takes the names of rules"))
        }
        (Takes::String | Takes::Word | Takes::Value, _) => Some(format!("`@{name}` takes one argument")),
    }
}

fn is_string(value: &Value) -> bool {
    matches!(value.kind, ValueKind::String(_) | ValueKind::Invalid)
}

fn is_word(value: &Value) -> bool {
    matches!(value.kind, ValueKind::Path(_) | ValueKind::Invalid)
}

/// Reports unknown words in `@overlap`.
pub(super) fn overlaps(model: &Model, report: &mut Report) {
    for (_, attribute) in placed(model, "overlap") {
        let Some(Value { kind: ValueKind::Path(path), span }) = only_argument(attribute) else { continue };
        let word = path.text();
        if overlap_named(&word).is_none() {
            let message = format!("`{word}` is no way in which calls overlap");
            let diagnostic = Diagnostic::new(diagnostic::ATTRIBUTE_ARGUMENT, message).at(*span, "");
            report.add(diagnostic.help(overlap_help(&word)));
        }
    }
}

/// Reports unknown rules in `@allow`.
pub(super) fn allows(model: &Model, report: &mut Report) {
    for (_, attribute) in placed(model, "allow") {
        for value in &attribute.arguments {
            let ValueKind::Path(path) = &value.kind else { continue };
            let name = path.text();
            if lint::rule(&name).is_none() {
                let message = format!("there is no rule `{name}`");
                let diagnostic = Diagnostic::new(diagnostic::UNKNOWN_RULE, message).at(value.span, "unknown");
                report.add(diagnostic.help(unknown_rule_help(&name)));
            }
        }
    }
}

fn unknown_rule_help(name: &str) -> String {
    match lint::nearest_rule(name) {
        Some(rule) => format!("did you mean `{}`?", rule.name().replace('-', "_")),
        None => "`zsvc lint --list` shows all rules".to_owned(),
    }
}

fn overlap_help(word: &str) -> String {
    if let Some(nearest) = suggest::nearest(word, overlap_words()) {
        return format!("did you mean `{nearest}`?");
    }
    let words: Vec<String> = overlap_words().map(|word| format!("`{word}`")).collect();
    format!("the ways are {}", words.join(", "))
}

/// Returns the argument of an attribute that has just one.
pub(super) fn only_argument(attribute: &Attribute) -> Option<&Value> {
    match attribute.arguments.as_slice() {
        [one] => Some(one),
        _ => None,
    }
}

/// Reports deadlines that are not a duration, or zero.
pub(super) fn deadlines(model: &Model, report: &mut Report) {
    for (file, attribute) in placed(model, "deadline") {
        let Some(value) = only_argument(attribute) else { continue };
        let duration = literal(model, file, &Type::Builtin(Builtin::Duration), value, report);
        if duration == Some(Literal::Duration(Duration::ZERO)) {
            let diagnostic = Diagnostic::new(diagnostic::DEADLINE_ZERO, "no call is done in no time")
                .at(value.span, "")
                .help("give it some time, `@deadline(500ms)`, or remove the attribute");
            report.add(diagnostic);
        }
    }
}

/// Reports `@message` texts with anything other than fields of their variant in braces.
pub(super) fn messages(model: &Model, report: &mut Report) {
    for (item, is_error, variant) in walk::variants(model) {
        if let Some(value) = variant.preamble.find("message").filter(|_| is_error).and_then(only_argument) {
            message(&model.program.sources, value, &own_fields(&variant.payload), !item.damaged, report);
        }
    }
}
