//! Rules about services that extend others.

use std::collections::{HashMap, HashSet};

use crate::ast::{Method, Path, Preamble};
use crate::diagnostic::{self, Diagnostic, Report};
use crate::graph;
use crate::inherit::{Inheritance, MAX_BASES, Served, methods, service};
use crate::resolve::Model;
use crate::source::Span;

/// Maximum number of methods of a service that extends others, with those that it takes over.
const MAX_METHODS: usize = 1024;
/// Maximum number of methods and parameters that all services together take over. A short line could otherwise stand for a
/// thousand methods, in the schema and in generated code.
const MAX_TAKEN_OVER: usize = 1 << 17;
/// Maximum length of the text of these methods, with docs and attributes.
const MAX_TAKEN_OVER_BYTES: usize = 16 << 20;

/// Applies the rules. A service that extends itself or takes over too many is looked at by the others, too, as far as what it
/// serves is known.
pub(super) fn extends(model: &Model, report: &mut Report) {
    let inheritance = Inheritance::of(model);
    cycles(model, &inheritance, report);
    extended_twice(model, &inheritance, report);
    too_many(model, &inheritance, report);
    if too_many_in_all(model, &inheritance, report) {
        return;
    }
    for index in 0..model.services.len() {
        served_twice(model, &inheritance, index, report);
    }
    contradictions(model, &inheritance, report);
}

fn name<'a>(model: &Model<'a>, index: usize) -> &'a str {
    &model.services[index].item.name.text
}

/// Returns an entry after `extends`, as written.
fn entry<'a>(model: &Model<'a>, index: usize, place: usize) -> Option<&'a Path> {
    service(model.services[index].item)?.extends.get(place)
}

/// Reports services that extend themselves, directly or through others.
fn cycles(model: &Model, inheritance: &Inheritance, report: &mut Report) {
    for cycle in graph::cycles(&inheritance.edges()) {
        let names: Vec<&str> = cycle.iter().map(|index| name(model, *index)).collect();
        let first = &model.services[cycle[0]].item.name;
        let diagnostic = Diagnostic::new(diagnostic::EXTENDS_CYCLE, graph::describe_cycle(&names, "extends"))
            .at(first.span, "")
            .help("move the methods that several of them have into a service that extends none of them");
        report.add(diagnostic);
    }
}

/// Reports a service that stands twice after one `extends`.
fn extended_twice(model: &Model, inheritance: &Inheritance, report: &mut Report) {
    for (index, bases) in inheritance.bases.iter().enumerate() {
        let mut seen: HashMap<usize, usize> = HashMap::new();
        for base in bases {
            let Some(first) = seen.get(&base.service) else {
                seen.insert(base.service, base.place);
                continue;
            };
            let (Some(again), Some(first)) = (entry(model, index, base.place), entry(model, index, *first))
            else {
                continue;
            };
            let message = format!("`{}` extends `{}` twice", name(model, index), name(model, base.service));
            let diagnostic = Diagnostic::new(diagnostic::EXTENDED_TWICE, message)
                .at(again.span, "once more")
                .related(first.span, "first here")
                .help("remove one of the two");
            report.add(diagnostic);
        }
    }
}

/// Reports services that take over too many others, or too many methods.
fn too_many(model: &Model, inheritance: &Inheritance, report: &mut Report) {
    for (index, served) in inheritance.served.iter().enumerate().filter(|(_, served)| served.len() > 1) {
        let what = if served.len() > MAX_BASES + 1 {
            format!("`{}` takes over more than {MAX_BASES} services", name(model, index))
        } else if count(model, served) > MAX_METHODS {
            format!(
                "`{}` has more than {MAX_METHODS} methods, with those that it takes over",
                name(model, index)
            )
        } else {
            continue;
        };
        let diagnostic = Diagnostic::new(diagnostic::TOO_MANY_EXTENDED, what)
            .at(model.services[index].item.name.span, "")
            .help("let a server serve several services, each of which has fewer");
        report.add(diagnostic);
    }
}

/// Reports whether all services together take over too much: where the limit is passed.
fn too_many_in_all(model: &Model, inheritance: &Inheritance, report: &mut Report) -> bool {
    let sizes: Vec<Size> = (0..model.services.len()).map(|index| Size::of(methods(model, index))).collect();
    let mut all = Size::default();
    for (index, served) in inheritance.served.iter().enumerate() {
        for taken in served.iter().filter(|taken| taken.by.is_some()) {
            all = all.plus(sizes[taken.service]);
        }
        let what = if all.pieces > MAX_TAKEN_OVER {
            format!("services take over more than {MAX_TAKEN_OVER} methods and parameters in all")
        } else if all.bytes > MAX_TAKEN_OVER_BYTES {
            format!(
                "services take over methods of more than {} MiB of text in all",
                MAX_TAKEN_OVER_BYTES >> 20
            )
        } else {
            continue;
        };
        let diagnostic = Diagnostic::new(diagnostic::TOO_MANY_EXTENDED, what)
            .at(model.services[index].item.name.span, "with this one")
            .help(
                "let servers serve the extended service beside the others, instead of each that extends it",
            );
        report.add(diagnostic);
        return true;
    }
    false
}

/// How much there is of methods.
#[derive(Clone, Copy, Default)]
struct Size {
    /// Number of methods and parameters.
    pieces: usize,
    /// Length of their text.
    bytes: usize,
}

impl Size {
    fn of(methods: &[Method]) -> Self {
        methods.iter().fold(Self::default(), |size, method| size.plus(Self::of_one(method)))
    }

    fn of_one(method: &Method) -> Self {
        let of_preamble = |preamble: &Preamble| {
            let attributes = preamble.attributes.iter().map(|attribute| length(attribute.span));
            preamble.docs.len() + attributes.sum::<usize>()
        };
        let parameters = method.parameters.iter().map(|parameter| {
            of_preamble(&parameter.preamble) + length(parameter.name.span) + length(parameter.ty.span)
        });
        let throws = method.throws.iter().map(|path| length(path.span));
        let answer = method.answer.as_ref().map_or(0, |answer| length(answer.span));
        let bytes = of_preamble(&method.preamble) + length(method.name.span) + answer;
        Self {
            pieces: 1 + method.parameters.len(),
            bytes: bytes + parameters.sum::<usize>() + throws.sum::<usize>(),
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            pieces: self.pieces.saturating_add(other.pieces),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }
}

fn length(span: Span) -> usize {
    (span.end - span.start) as usize
}

fn count(model: &Model, served: &[Served]) -> usize {
    served.iter().map(|it| methods(model, it.service).len()).sum()
}

/// Reports methods of one name that a service serves twice: its own and one that it takes over, or two of the latter. One that has
/// too many is not looked at: that would take too long.
fn served_twice(model: &Model, inheritance: &Inheritance, index: usize, report: &mut Report) {
    let served = &inheritance.served[index];
    if served.len() < 2 || count(model, served) > MAX_METHODS {
        return;
    }
    let mut seen: HashMap<&str, (&Served, &Method)> = HashMap::new();
    // Of methods that come by one entry, that entry's own service is told.
    let mut told: HashSet<(Option<usize>, Option<usize>, &str)> = HashSet::new();
    for from in served {
        for method in methods(model, from.service) {
            let Some((first, earlier)) = seen.get(method.name.text.as_str()).copied() else {
                seen.insert(&method.name.text, (from, method));
                continue;
            };
            let key = (first.by, from.by, method.name.text.as_str());
            if first.by == from.by || !told.insert(key) {
                continue;
            }
            report.add(twice(model, index, (first, earlier), (from, method)));
        }
    }
}

fn twice(
    model: &Model,
    index: usize,
    (first, earlier): (&Served, &Method),
    (from, method): (&Served, &Method),
) -> Diagnostic {
    let (method_name, base) = (&method.name.text, name(model, from.service));
    if first.by.is_none() {
        let message = format!("`{}` takes over a method `{method_name}` already", name(model, index));
        return Diagnostic::new(diagnostic::SERVED_TWICE, message)
            .at(earlier.name.span, "declared once more")
            .related(method.name.span, format!("taken over from `{base}`"))
            .help("give it another name, or remove it: a method that is taken over stays as it is");
    }
    let message = format!("`{}` and `{base}` both have a method `{method_name}`", name(model, first.service));
    let place = from.by.and_then(|place| entry(model, index, place));
    Diagnostic::new(diagnostic::SERVED_TWICE, message)
        .at(place.map_or(model.services[index].item.name.span, |path| path.span), "both are taken over")
        .related(earlier.name.span, "the first one")
        .related(method.name.span, "the second one")
        .help("extend one of the two, and let the server serve the other beside it")
}

/// Reports methods that are taken over in two ways which disagree on who may call: to guess could let anybody in.
fn contradictions(model: &Model, inheritance: &Inheritance, report: &mut Report) {
    for it in &inheritance.contradictions {
        let (Some(first), Some(second)) =
            (entry(model, it.service, it.by.0), entry(model, it.service, it.by.1))
        else {
            continue;
        };
        let twice = name(model, it.twice);
        let message = format!(
            "the methods of `{twice}` are for others by `{}` than by `{}`",
            first.text(),
            second.text()
        );
        let diagnostic = Diagnostic::new(diagnostic::EXTENDED_ACCESS, message)
            .at(second.span, "these callers")
            .related(first.span, "and those")
            .help(format!("say on `{twice}` itself, by `@roles` or `@public`, who may call its methods"));
        report.add(diagnostic);
    }
}
