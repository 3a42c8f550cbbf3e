//! Random changes of schemas. A changed schema need not compile; then another change is tried.
//!
//! The changes themselves are in the modules here, by what they change.

mod constants;
mod fields;
mod methods;
mod types;
mod variants;

use crate::draft::Draft;
use crate::random::Random;

/// A change of a draft; it does nothing if the draft has nothing of the kind that it changes.
pub type Mutation = fn(&mut Draft, &mut Random);

/// All changes; those listed twice are picked twice as often.
pub const MUTATIONS: &[Mutation] = &[
    fields::add_field,
    fields::add_field,
    fields::remove_field,
    fields::remove_field,
    fields::rename_field,
    fields::renumber_field,
    fields::swap_numbers,
    fields::retype_field,
    fields::retype_field,
    fields::optional_field,
    fields::optional_field,
    fields::default_of_field,
    fields::bound_of_field,
    fields::widen_integer,
    constants::add_constant,
    constants::remove_constant,
    constants::rename_constant,
    constants::value_of_constant,
    constants::default_of_constant,
    variants::add_value,
    variants::remove_value,
    variants::rename_value,
    variants::renumber_value,
    variants::add_variant,
    variants::remove_variant,
    variants::rename_variant,
    variants::payload,
    types::alias,
    types::retarget,
    types::rename_type,
    types::move_type,
    types::kind_of_type,
    types::error_or_union,
    types::reserve,
    types::docs,
    types::meta,
    types::swap_type,
    types::add_type,
    types::remove_type,
    methods::add_method,
    methods::remove_method,
    methods::rename_method,
    methods::one_way,
    methods::answer_stream,
    methods::incoming_stream,
    methods::answer,
    methods::throws,
    methods::add_error,
    methods::remove_error,
    methods::swap_errors,
    methods::add_parameter,
    methods::add_parameter,
    methods::remove_parameter,
    methods::swap_parameters,
    methods::rename_parameter,
    methods::attributes,
    methods::access,
    methods::access,
    methods::extends,
    methods::to_or_from_base,
    methods::change_base,
    package,
];

/// Makes one random change.
pub fn mutate(draft: &mut Draft, random: &mut Random) {
    let mutation = *random.pick(MUTATIONS);
    mutation(draft, random);
}

fn package(draft: &mut Draft, random: &mut Random) {
    if random.one_in(3) {
        "model.v2".clone_into(&mut draft.package);
    }
}
