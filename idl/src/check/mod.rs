//! The rules that keep a schema sound, one function each.
//!
//! A rule checks one thing and reports all that breaks it, in the order of the text. It is silent about what is
//! unknown, which was reported where it was found missing. Rules about names across files are in [`crate::resolve`];
//! what a value means for a type is in [`crate::value`]. `tests/cases` has at least one case for each code.

mod access;
mod attributes;
pub(crate) mod attributes_listed;
mod constants;
mod depth;
mod endless;
mod events;
mod extends;
pub(crate) mod free;
mod methods;
mod names;
pub(crate) mod numbers;
pub(crate) mod places;
mod shards;
mod slots;
pub(crate) mod subjects;
mod throws;
mod types;
pub(crate) mod walk;

use crate::diagnostic::Report;
use crate::resolve::Model;

/// Applies all rules to all files.
pub(crate) fn check(model: &Model, report: &mut Report) {
    names::builtin_names(model, report);
    names::duplicate_members(model, report);
    names::nothing_in_it(model, report);
    names::package_parts(model, report);
    numbers::out_of_range(model, report);
    numbers::duplicates(model, report);
    numbers::reserved_numbers(model, report);
    numbers::reserved_names(model, report);
    numbers::reserved_no_names(model, report);
    numbers::reserved_twice(model, report);
    types::map_keys(model, report);
    types::set_elements(model, report);
    types::optional_twice(model, report);
    types::alias_cycles(model, report);
    depth::too_deep(model, report);
    endless::endless(model, report);
    methods::stream_place(model, report);
    throws::throws_no_error(model, report);
    throws::thrown_twice(model, report);
    throws::too_many_errors(model, report);
    methods::oneway_answers(model, report);
    methods::too_many_parameters(model, report);
    extends::extends(model, report);
    attributes::unknown(model, report);
    attributes::given_twice(model, report);
    attributes::misplaced(model, report);
    attributes::arguments(model, report);
    attributes::allows(model, report);
    attributes::overlaps(model, report);
    events::keys(model, report);
    events::kept(model, report);
    events::slow(model, report);
    shards::shards(model, report);
    access::roles(model, report);
    access::public_and_roles(model, report);
    attributes::deadlines(model, report);
    attributes::messages(model, report);
    slots::bounds_on_other_types(model, report);
    slots::default_of_optional(model, report);
    slots::values(model, report);
    constants::types(model, report);
    constants::values(model, report);
}
