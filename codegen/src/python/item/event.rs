//! What an event has besides its struct: a statement by which programs may publish it and subscribe to it.

use zsvc_idl::schema::{Event, Slow, TypeId};

use crate::python::lines::Lines;
use crate::python::literal;
use crate::python::site::Site;

/// Adds what makes a struct an event.
pub(super) fn event(site: &Site<'_>, lines: &mut Lines, id: TypeId, event: &Event) {
    let names = site.own(id);
    let mut arguments = vec![names.form.clone()];
    if !event.keys.is_empty() {
        let keys: Vec<String> = event.keys.iter().map(|key| literal::string(&names.members[*key])).collect();
        arguments.push(format!("keys=[{}]", keys.join(", ")));
    }
    if event.kept > 0 {
        arguments.push(format!("kept={}", literal::integer(event.kept.into())));
    }
    arguments.extend(slow(event.slow).map(|slow| format!("slow=_z.Slow.{slow}")));
    let roles: Vec<String> = event.access.roles().iter().map(|role| literal::string(role)).collect();
    if !roles.is_empty() {
        arguments.push(format!("roles=[{}]", roles.join(", ")));
    }
    lines.list("_z.event(", &arguments, ")");
}

fn slow(slow: Slow) -> Option<&'static str> {
    match slow {
        Slow::DropOldest => None,
        Slow::Conflate => Some("CONFLATE"),
        Slow::Disconnect => Some("DISCONNECT"),
    }
}
