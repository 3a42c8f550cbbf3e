//! Rules about one method that both schemas have, except about the errors that it throws ([`super::throws`]).

use std::collections::BTreeMap;

use super::change::{Change, Effects};
use super::fields::{added, mandatory_added, mandatory_removed, may_be_absent, removed};
use super::members::Owner;
use super::notes::{self, notes};
use super::pairs::answer;
use super::relation::Place;
use super::{Comparison, Flow};
use crate::diagnostic;
use crate::schema::{Builtin, Field, Method, MethodKind, Service, StreamParameter, Type};
use crate::source::Span;

impl Comparison<'_> {
    pub(super) fn method(&self, service: &Service, before: &Method, after: &Method, out: &mut Vec<Change>) {
        let what = format!("method `{}` of `{}`", after.name, service.name);
        if is_one_way(before) == is_one_way(after) {
            self.parameters(&what, before, after, out);
            self.incoming(&what, before, after, out);
            self.answer(&what, before, after, out);
            self.throws(&what, before, after, out);
        } else {
            out.push(one_way(&what, before, after));
        }
        attributes(&what, before, after, out);
        notes(&what, (before.span, &before.notes), (after.span, &after.notes), out);
    }

    fn parameters(&self, what: &str, before: &Method, after: &Method, out: &mut Vec<Change>) {
        if let Some(moved) = moved(before, after) {
            out.push(parameters_moved(what, moved));
            return;
        }
        let owner = Owner {
            name: what.to_owned(),
            old: before.span,
            new: after.span,
            old_reserved: &[],
            new_reserved: &[],
            flow: Flow::REQUESTS,
        };
        for (old, new) in before.parameters.iter().zip(&after.parameters) {
            if old.name != new.name {
                out.push(parameter_renamed(what, (&old.name, old.span), (&new.name, new.span)));
            }
            self.slot(&owner, PARAMETER, old, new, out);
        }
        for new in after.parameters.iter().skip(before.parameters.len()) {
            out.push(self.parameter_added(&owner, new));
        }
        for old in before.parameters.iter().skip(after.parameters.len()) {
            out.push(self.parameter_removed(&owner, old));
        }
    }

    fn parameter_added(&self, owner: &Owner<'_>, new: &Field) -> Change {
        if may_be_absent(self.new, new) {
            added(owner, PARAMETER, new).source()
        } else {
            mandatory_added(owner, PARAMETER, new, true)
        }
    }

    fn parameter_removed(&self, owner: &Owner<'_>, old: &Field) -> Change {
        let change = if may_be_absent(self.old, old) {
            removed(owner, PARAMETER, old)
        } else {
            mandatory_removed(owner, PARAMETER, old)
        };
        change.help(
            "keep it, and let the handler pass over it: parameters count by position, and can't be reserved",
        )
    }

    /// Compares what clients stream.
    fn incoming(&self, what: &str, before: &Method, after: &Method, out: &mut Vec<Change>) {
        match (stream(before), stream(after)) {
            (Some(old), Some(new)) => {
                if old.name != new.name {
                    out.push(parameter_renamed(what, (&old.name, old.span), (&new.name, new.span)));
                }
                let of_stream = format!("stream parameter `{}` of {what}", new.name);
                notes::meta(&of_stream, (old.span, &old.meta), (new.span, &new.meta), out);
                let what = format!("what clients stream to {what}");
                let place = Place { what, old: old.span, new: new.span, flow: Flow::REQUESTS };
                self.type_change(&place, &old.item, &new.item, out);
            }
            (None, None) => {}
            (old, new) => out.push(incoming_stream(what, (before, old), (after, new))),
        }
    }

    fn answer(&self, what: &str, before: &Method, after: &Method, out: &mut Vec<Change>) {
        if streams(before) != streams(after) {
            out.push(answer_stream(what, before, after));
            return;
        }
        match (answer(&before.kind), answer(&after.kind)) {
            (Some(old), Some(new)) => {
                let place = Place {
                    what: format!("the answer of {what}"),
                    old: before.answer_span.unwrap_or(before.span),
                    new: after.answer_span.unwrap_or(after.span),
                    flow: Flow::ANSWERS,
                };
                self.type_change(&place, old, new, out);
            }
            (None, Some(new)) => {
                let takes_nil = takes_nil(self.new.resolved(new));
                out.push(answer_given(what, before, after, takes_nil));
            }
            (Some(old), None) => {
                let takes_nil = takes_nil(self.old.resolved(old));
                out.push(answer_taken(what, before, after, takes_nil));
            }
            (None, None) => {}
        }
    }
}

const PARAMETER: &str = "parameter";

fn is_one_way(method: &Method) -> bool {
    matches!(method.kind, MethodKind::OneWay)
}

/// Reports whether a method replies with a stream.
fn streams(method: &Method) -> bool {
    matches!(method.kind, MethodKind::ServerStream(_) | MethodKind::Bidirectional(..))
}

fn stream(method: &Method) -> Option<&StreamParameter> {
    match &method.kind {
        MethodKind::ClientStream(parameter, _) | MethodKind::Bidirectional(parameter, _) => Some(parameter),
        MethodKind::Unary(_) | MethodKind::ServerStream(_) | MethodKind::OneWay => None,
    }
}

/// Reports whether nil is read as a value of this type: a method without a result replies with nil.
fn takes_nil(resolved: &Type) -> bool {
    matches!(resolved, Type::Optional(_) | Type::Builtin(Builtin::Value))
}

/// Returns a parameter that is at another position now, on both sides.
fn moved<'a>(before: &'a Method, after: &'a Method) -> Option<(&'a Field, &'a Field)> {
    let known: BTreeMap<&str, &Field> =
        before.parameters.iter().map(|parameter| (parameter.name.as_str(), parameter)).collect();
    let pairs = after.parameters.iter().filter_map(|new| Some((*known.get(new.name.as_str())?, new)));
    pairs.into_iter().find(|(old, new)| old.number != new.number)
}

fn one_way(what: &str, before: &Method, after: &Method) -> Change {
    let kind = |method| if is_one_way(method) { "`oneway`" } else { "`rpc`" };
    let (old, new) = (kind(before), kind(after));
    Change::new(diagnostic::ONE_WAY_CHANGED, format!("{what} was {old}, and is {new} now"))
        .was(before.span, format!("{old} here"))
        .is(after.span, format!("{new} here"))
        .both(Flow::REQUESTS)
        .why("a call of a `oneway` is refused, and a one-way call of an `rpc` is dropped, counted by the server alone")
        .help("leave it as it is, and add a method of another name")
}

fn parameters_moved(what: &str, (old, new): (&Field, &Field)) -> Change {
    let (name, from, to) = (&new.name, old.number, new.number);
    let message = format!(
        "parameters of {what} stand in another order: `{name}` was number {from}, and is number {to} now"
    );
    Change::new(diagnostic::PARAMETERS_MOVED, message)
        .was(old.span, format!("number {from} here"))
        .is(new.span, format!("number {to} here"))
        .both(Flow::REQUESTS)
        .why("parameters are sent by position, so each side takes one parameter for the other")
        .help("keep their order, and add a new one, which may be absent, after all others")
}

fn parameter_renamed(what: &str, (old, old_span): (&str, Span), (new, new_span): (&str, Span)) -> Change {
    Change::new(diagnostic::PARAMETER_RENAMED, format!("parameter `{old}` of {what} is named `{new}` now"))
        .was(old_span, "named so")
        .is(new_span, "at the same place")
        .why("parameters are passed by position, on the wire and in Rust; only peers that send maps from names have to change")
        .help("if it means something else now, it is another parameter: add that one after all others")
}

fn incoming_stream(
    what: &str,
    (before, old): (&Method, Option<&StreamParameter>),
    (after, new): (&Method, Option<&StreamParameter>),
) -> Change {
    let message = if new.is_some() {
        format!("{what} takes a stream now")
    } else {
        format!("{what} no longer takes a stream")
    };
    Change::new(diagnostic::STREAM_PARAMETER_CHANGED, message)
        .was(old.map_or(before.span, |stream| stream.span), "before")
        .is(new.map_or(after.span, |stream| stream.span), "now")
        .both(Flow::REQUESTS)
        .why("items for a server that takes none are lost, and a server that waits for some waits until the deadline")
        .help("leave it as it is, and add a method of another name")
}

fn answer_stream(what: &str, before: &Method, after: &Method) -> Change {
    let message = if streams(after) {
        format!("{what} answers with a stream now")
    } else {
        format!("{what} no longer answers with a stream")
    };
    Change::new(diagnostic::ANSWER_STREAM_CHANGED, message)
        .was(before.answer_span.unwrap_or(before.span), "before")
        .is(after.answer_span.unwrap_or(after.span), "now")
        .both(Flow::ANSWERS)
        .why("a call ends with `unknown`, or with its deadline where a client wants no stream and there are items")
        .help("leave it as it is, and add a method of another name")
}

fn answer_given(what: &str, before: &Method, after: &Method, takes_nil: bool) -> Change {
    let effects =
        Effects { new_reads_old: !takes_nil, source: true, flow: Flow::ANSWERS, ..Effects::default() };
    let why = if takes_nil {
        "old clients take it for done, and new ones take nothing for an absent value; but in Rust it is another answer"
    } else {
        "old clients take it for done, but new ones refuse that old servers answer with nothing"
    };
    Change::new(diagnostic::ANSWER_GIVEN, format!("{what} answers with something now"))
        .was(before.span, "answers with nothing")
        .is(after.answer_span.unwrap_or(after.span), "answers with this")
        .effects(effects)
        .why(why)
        .help("deploy the servers before the clients; or let it answer with an optional")
}

fn answer_taken(what: &str, before: &Method, after: &Method, takes_nil: bool) -> Change {
    let effects =
        Effects { old_reads_new: !takes_nil, source: true, flow: Flow::ANSWERS, ..Effects::default() };
    let why = if takes_nil {
        "old clients take nothing for an absent value; but in Rust it is another answer"
    } else {
        "old clients refuse that new servers answer with nothing"
    };
    Change::new(diagnostic::ANSWER_REMOVED, format!("{what} no longer answers with anything"))
        .was(before.answer_span.unwrap_or(before.span), "answers with this")
        .is(after.span, "answers with nothing")
        .effects(effects)
        .why(why)
        .help("leave it as it is, and add a method of another name")
}

/// Compares attributes that only clients or routers use, each by itself.
fn attributes(what: &str, before: &Method, after: &Method, out: &mut Vec<Change>) {
    let told = |change: Change| change.was(before.span, "before").is(after.span, "now");
    if before.deadline != after.deadline {
        out.push(told(deadline(what, before, after)));
    }
    if before.idempotent != after.idempotent {
        out.push(told(idempotent(what, after)));
    }
    if before.overlap != after.overlap {
        out.push(told(overlap(what)));
    }
    if before.shard != after.shard {
        out.push(told(shard(what, before, after)));
    }
}

fn deadline(what: &str, before: &Method, after: &Method) -> Change {
    let shown =
        |method: &Method| method.deadline.map_or("none".to_owned(), |deadline| format!("`{deadline:?}`"));
    let message = format!("the deadline of {what} was {}, and is {} now", shown(before), shown(after));
    Change::new(diagnostic::DEADLINE_CHANGED, message)
        .why("a client sends its own with each call, and a server uses the one that it is sent")
        .help("make sure that handlers finish in time for old and new clients")
}

fn idempotent(what: &str, after: &Method) -> Change {
    let message = if after.idempotent {
        format!("{what} may be tried again now")
    } else {
        format!("{what} may no longer be tried again")
    };
    let help = if after.idempotent {
        "deploy servers for which this is true before the clients"
    } else {
        "let the handler bear being called twice for as long as there are old clients"
    };
    Change::new(diagnostic::IDEMPOTENT_CHANGED, message)
        .why("it is not sent: a client tries again by what its own schema says")
        .help(help)
}

fn shard(what: &str, before: &Method, after: &Method) -> Change {
    let by = |method: &Method| {
        let parameter = method.shard.and_then(|index| method.parameters.get(index));
        parameter.map_or("no parameter".to_owned(), |parameter| format!("`{}`", parameter.name))
    };
    let message = format!("calls of {what} were spread by {}, and are by {} now", by(before), by(after));
    Change::new(diagnostic::SHARD_CHANGED, message)
        .why("it is not sent: a router spreads calls by what its own schema says")
        .help("give the schema to routers once workers bear it that equal keys go elsewhere")
}

fn overlap(what: &str) -> Change {
    Change::new(diagnostic::OVERLAP_CHANGED, format!("{what} says something else of calls that overlap"))
        .why("it is not sent: a client goes by what its own schema says")
        .help("make sure that handlers work with old and new clients")
}
