//! Rules about methods, except about the errors that they throw ([`super::throws`]).

use super::walk;
use crate::ast::{Method, Parameter};
use crate::diagnostic::{self, Diagnostic, Report};
use crate::resolve::Model;
use crate::source::Span;

/// Reports a second stream parameter, and one that is not after all plain parameters.
pub(super) fn stream_place(model: &Model, report: &mut Report) {
    for (_, method) in walk::methods(model) {
        let streams: Vec<&Parameter> =
            method.parameters.iter().filter(|parameter| parameter.stream.is_some()).collect();
        match streams.as_slice() {
            [one] if method.parameters.last().is_some_and(|last| last.name.span != one.name.span) => {
                let diagnostic = Diagnostic::new(diagnostic::STREAM_PLACE, "a stream parameter comes last")
                    .at(one.stream.unwrap_or(one.name.span), "")
                    .help(format!("move `{}` behind the other parameters", one.name.text));
                report.add(diagnostic);
            }
            [first, more @ ..] => {
                for parameter in more {
                    report.add(second_stream(first, parameter));
                }
            }
            [] => {}
        }
    }
}

fn second_stream(first: &Parameter, second: &Parameter) -> Diagnostic {
    let span = |parameter: &Parameter| parameter.stream.unwrap_or(parameter.name.span);
    Diagnostic::new(diagnostic::STREAM_PLACE, "a method takes one stream at most")
        .at(span(second), "a second one")
        .related(span(first), "the first one")
        .help("make one stream of a union of both")
}

/// Reports replies and streams of `oneway` methods: such a call has no reply, and its arguments are sent at once.
pub(super) fn oneway_answers(model: &Model, report: &mut Report) {
    for (_, method) in walk::methods(model) {
        let Some(oneway) = method.oneway else { continue };
        let Some((span, what)) = answering(method) else { continue };
        let diagnostic = Diagnostic::new(diagnostic::ONEWAY_ANSWER, format!("a oneway method {what}"))
            .at(span, "")
            .related(oneway, "declared so here")
            .help("make it `rpc`, or remove this");
        report.add(diagnostic);
    }
}

fn answering(method: &Method) -> Option<(Span, &'static str)> {
    let stream = method.parameters.iter().find_map(|parameter| parameter.stream);
    let answer = method.answer.as_ref().map(|answer| (answer.span, "answers with nothing"));
    let throws = method.throws.first().map(|path| (path.span, "throws nothing"));
    stream.map(|span| (span, "takes no stream")).or(answer).or(throws)
}

/// Reports methods with more parameters than there are numbers: they are numbered by position.
pub(super) fn too_many_parameters(model: &Model, report: &mut Report) {
    let most = usize::from(u8::MAX);
    for (_, method) in walk::methods(model) {
        let plain = method.parameters.iter().filter(|parameter| parameter.stream.is_none());
        if let Some(parameter) = plain.into_iter().nth(most) {
            let message = format!("`{}` has more than {most} parameters", method.name.text);
            let diagnostic = Diagnostic::new(diagnostic::TOO_MANY_PARAMETERS, message)
                .at(parameter.name.span, "one too many")
                .help("put them into a struct");
            report.add(diagnostic);
        }
    }
}
