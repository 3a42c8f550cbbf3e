//! Rules about who may call. Servers alone check it: roles are not sent.

use super::Flow;
use super::change::{Change, Effects};
use crate::diagnostic;
use crate::schema::{Access, Method, Service};
use crate::source::Span;

/// Compares who may call the methods that both services have. Methods that say nothing are told once, at their service.
pub(super) fn access(
    (before, after): (&Service, &Service),
    common: &[(&Method, &Method)],
    out: &mut Vec<Change>,
) {
    let follows =
        |(old, new): &(&Method, &Method)| old.access == Access::Unsaid && new.access == Access::Unsaid;
    if common.iter().any(follows) {
        let what = format!("service `{}`", after.name);
        out.extend(changed(&what, (before.span, &before.access), (after.span, &after.access)));
    }
    for (old, new) in common.iter().filter(|pair| !follows(pair)) {
        let what = format!("method `{}` of `{}`", new.name, after.name);
        let (was, is) = (before.access_of(old), after.access_of(new));
        out.extend(changed(&what, (old.span, was), (new.span, is)));
    }
}

/// Compares who may call something, or subscribe to it.
pub(super) fn changed(what: &str, (old, was): (Span, &Access), (new, is): (Span, &Access)) -> Option<Change> {
    let (was, is) = (was.roles(), is.roles());
    let change = if takes_from(was, is) {
        tightened(what, was, is)
    } else if takes_from(is, was) {
        widened(what, was, is)
    } else {
        return None;
    };
    Some(change.was(old, shown(was)).is(new, shown(is)))
}

/// Reports whether there are clients that may call by the first, and not by the second.
fn takes_from(first: &[String], second: &[String]) -> bool {
    !second.is_empty() && (first.is_empty() || first.iter().any(|role| !second.contains(role)))
}

fn tightened(what: &str, was: &[String], is: &[String]) -> Change {
    let message = format!("{what} was for {}, and is for {} now", shown(was), shown(is));
    Change::new(diagnostic::ROLES_TIGHTENED, message)
        .effects(Effects { new_reads_old: true, flow: Flow::REQUESTS, ..Effects::default() })
        .why("new servers refuse the calls of clients that have none of these roles, with `permission_denied`, or with `unauthenticated` where they don't know who calls")
        .help("give one of these roles to every client that calls it before the servers are deployed")
}

fn widened(what: &str, was: &[String], is: &[String]) -> Change {
    let message = format!("{what} was for {}, and is for {} now", shown(was), shown(is));
    Change::new(diagnostic::ROLES_WIDENED, message)
        .why("clients that could call it still can; old servers refuse those who may call it from now on")
        .help("make sure that they may; and deploy the servers before the clients that make use of it")
}

fn shown(roles: &[String]) -> String {
    match roles {
        [] => "anybody".to_owned(),
        roles => roles.iter().map(|role| format!("`{role}`")).collect::<Vec<_>>().join(", "),
    }
}
