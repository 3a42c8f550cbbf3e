//! Random changes of constants, and of defaults that name them.

use super::fields::field;
use crate::draft::Draft;
use crate::random::Random;

pub(super) fn add_constant(draft: &mut Draft, random: &mut Random) {
    draft.constant(random);
}

/// Removes a constant, and writes its value where it was named.
pub(super) fn remove_constant(draft: &mut Draft, random: &mut Random) {
    if !draft.constants.is_empty() {
        let gone = draft.constants.remove(random.below(draft.constants.len()));
        draft.each_value(&mut |value| *value = value.replace(&gone.name, &gone.value));
    }
}

pub(super) fn rename_constant(draft: &mut Draft, random: &mut Random) {
    if !draft.constants.is_empty() {
        let to = draft.fresh("RENAMED_") + "_";
        let at = random.below(draft.constants.len());
        let from = std::mem::replace(&mut draft.constants[at].name, to.clone());
        draft.each_value(&mut |value| *value = value.replace(&from, &to));
    }
}

/// Gives a constant another value, which then is that of all defaults that name it.
pub(super) fn value_of_constant(draft: &mut Draft, random: &mut Random) {
    if !draft.constants.is_empty() {
        let at = random.below(draft.constants.len());
        let ty = draft.constants[at].ty.clone();
        let other = match draft.constants[at].value.as_str() {
            "7" => Some("8".to_owned()),
            "\"seven\"" => Some("\"eight\"".to_owned()),
            _ => draft.written(random, &ty, 0),
        };
        draft.constants[at].value = other.unwrap_or_default();
    }
}

/// Makes a constant the default of a field of its type.
pub(super) fn default_of_constant(draft: &mut Draft, random: &mut Random) {
    let constants = draft.constants.clone();
    field(draft, random, |field, random| {
        let fitting: Vec<&str> = constants
            .iter()
            .filter(|constant| constant.ty == field.ty)
            .map(|constant| constant.name.as_str())
            .collect();
        if !fitting.is_empty() {
            field.default = Some((*random.pick(&fitting)).to_owned());
        }
    });
}
