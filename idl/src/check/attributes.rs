//! Rules about attributes, except about the values that they give to fields ([`super::slots`]).

use std::collections::HashMap;
use std::time::Duration;

use super::places::{self, ATTRIBUTES, Known, Place, Takes};
use super::walk;
use crate::ast::{Attribute, Value, ValueKind};
use crate::diagnostic::{self, Diagnostic, Report};
use crate::lint;
use crate::lower::{meta, own_fields};
use crate::resolve::Model;
use crate::schema::{Builtin, Literal, PackageId, Type};
use crate::source::Span;
use crate::suggest;
use crate::value::{literal, message, overlap_named, overlap_words};

/// Reports attributes that the language does not have.
pub(super) fn unknown(model: &Model, report: &mut Report) {
    for (_, _, preamble) in places::preambles(model) {
        for attribute in
            preamble.attributes.iter().filter(|attribute| places::known(&attribute.name.text).is_none())
        {
            let names = || ATTRIBUTES.iter().map(|known| known.name);
            let nearest = suggest::nearest(&attribute.name.text, names());
            let help = if let Some(nearest) = nearest {
                format!("did you mean `@{nearest}`?")
            } else {
                let all: Vec<String> = names().map(|name| format!("`@{name}`")).collect();
                format!("the attributes are {}", all.join(", "))
            };
            let message = format!("there is no attribute `@{}`", attribute.name.text);
            report.add(
                Diagnostic::new(diagnostic::UNKNOWN_ATTRIBUTE, message)
                    .at(attribute.span, "unknown")
                    .help(help)
                    .suggest_if(attribute.name.span, nearest),
            );
        }
    }
}

/// Reports attributes that are given twice, and keys that `@meta` gives twice.
pub(super) fn given_twice(model: &Model, report: &mut Report) {
    for (_, _, preamble) in places::preambles(model).filter(|(_, _, preamble)| preamble.attributes.len() > 1)
    {
        let mut seen: HashMap<(&str, &str), Span> = HashMap::new();
        for attribute in preamble.attributes.iter().filter(|it| places::known(&it.name.text).is_some()) {
            let name = attribute.name.text.as_str();
            let key = if name == "meta" { meta(attribute).map_or("", |(key, _)| key) } else { "" };
            // What has no key is an error of its own.
            if name == "meta" && key.is_empty() {
                continue;
            }
            twice(&mut seen, (name, key), attribute.span, report);
        }
    }
    // The files of a package say things about one package.
    let mut seen: HashMap<(PackageId, &str), Span> = HashMap::new();
    for file in &model.program.files {
        let Some(package) = &file.package else { continue };
        for attribute in package.preamble.attributes.iter().filter(|it| it.name.text == "meta") {
            let Some((key, _)) = meta(attribute) else { continue };
            let first = *seen.entry((model.package(file.id), key)).or_insert(attribute.span);
            if first.file != file.id {
                report.add(given_twice_here(("meta", key), first, attribute.span));
            }
        }
    }
}

fn twice<'a>(
    seen: &mut HashMap<(&'a str, &'a str), Span>,
    attribute: (&'a str, &'a str),
    span: Span,
    report: &mut Report,
) {
    match seen.get(&attribute) {
        Some(first) => {
            report.add_with(span.file, diagnostic::DUPLICATE_ATTRIBUTE, |_| {
                given_twice_here(attribute, *first, span)
            });
        }
        None => {
            seen.insert(attribute, span);
        }
    }
}

fn given_twice_here((name, key): (&str, &str), first: Span, again: Span) -> Diagnostic {
    let (message, help) = if key.is_empty() {
        (format!("`@{name}` is given twice"), "remove one of the two")
    } else {
        let message = format!("`@{name}` gives `{}` twice", key.escape_debug());
        (message, "remove one of the two, or give it another key")
    };
    Diagnostic::new(diagnostic::DUPLICATE_ATTRIBUTE, message)
        .at(again, "once more")
        .related(first, "first here")
        .help(help)
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
pub(super) fn placed<'a>(
    model: &Model<'a>,
    name: &'static str,
) -> Vec<(crate::source::FileId, &'a Attribute)> {
    let preambles = places::preambles(model);
    let belongs = |place| places::known(name).is_some_and(|known| known.places.contains(&place));
    let here = preambles.filter(|(_, place, preamble)| !preamble.attributes.is_empty() && belongs(*place));
    here.flat_map(|(file, _, preamble)| {
        let named = preamble.attributes.iter().filter(|attribute| attribute.name.text == name);
        // `@meta` alone may be given several times.
        named.take(if name == "meta" { usize::MAX } else { 1 }).map(move |attribute| (file, attribute))
    })
    .collect()
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
        (Takes::Pair, [key, value]) if is_string(key) && is_string(value) => {
            let is_empty = matches!(&key.kind, ValueKind::String(key) if key.is_empty());
            is_empty.then(|| format!("the key that `@{name}` gives is empty"))
        }
        (Takes::Pair, _) => Some(format!("`@{name}` takes two strings: a key and a value")),
        (Takes::Word, [value]) => (!is_word(value)).then(|| format!("`@{name}` takes a word")),
        (Takes::Strings, strings) => {
            let right = !strings.is_empty() && strings.iter().all(is_string);
            (!right).then(|| format!("`@{name}` takes one or more strings"))
        }
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
            let nearest = suggest::nearest(&word, overlap_words());
            report.add(diagnostic.help(overlap_help(&word)).suggest_if(*span, nearest));
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
                let nearest = lint::nearest_rule(&name).map(|rule| rule.name().replace('-', "_"));
                report.add(diagnostic.help(unknown_rule_help(&name)).suggest_if(value.span, nearest));
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
