//! Schema evolution: each row of the table in `docs/language.md` of what may change later, tested with an old and a
//! new schema at the two ends of real calls, in both directions.
//!
//! [`TABLE`] is that table with the tests of each row. A test compares the two word by word, so that a row that is
//! added, removed or reworded in the document must be reviewed here. Changes to values are in [`values`], changes to
//! methods in [`methods`], to what they throw in [`errors`], to events in [`events`]; [`shop`] makes many changes at once. Which changes are allowed at all is checked by the
//! compiler's tests.

mod desk;
mod errors;
mod events;
mod guards;
mod methods;
mod sets;
mod shop;
mod values;

use zsvc::{Server, Service};

use crate::support::ANY_PORT;

/// Starts a task that serves the given services, and returns the endpoint.
fn serve<S: Service>(services: impl IntoIterator<Item = S>) -> String {
    let server = services.into_iter().fold(Server::builder(), zsvc::ServerBuilder::service);
    let server = server.bind(ANY_PORT).listen().unwrap();
    let endpoint = server.endpoints()[0].clone();
    tokio::spawn(server.serve());
    endpoint
}

/// A row of the table: its cells, and its tests.
type Row = ([&'static str; 3], &'static [fn()]);

/// The table of the document, in the same order.
const TABLE: &[Row] = &[
    (
        [
            "add a field that is optional, a `value`, or has a `@default`",
            "ignores it",
            "absent, nil, or the default",
        ],
        &[
            values::add_an_optional_field,
            shop::an_added_field_is_ignored_by_the_old_and_absent_or_its_default_for_the_new,
            shop::a_field_added_to_a_variant_is_ignored_by_the_old,
        ],
    ),
    (
        ["add a field that must be there", "ignores it", "**refuses it: the field is missing**"],
        &[values::add_a_mandatory_field],
    ),
    (
        [
            "remove a field that is optional, a `value` or has a `@default`, and reserve number and name",
            "absent, nil, or the default",
            "ignores it",
        ],
        &[
            values::remove_an_optional_field,
            shop::a_removed_field_is_absent_for_the_old_and_ignored_by_the_new,
        ],
    ),
    (
        ["remove a field that must be there", "**refuses it: the field is missing**", "ignores it"],
        &[values::remove_a_mandatory_field],
    ),
    (
        [
            "make a mandatory field optional",
            "**refuses it where it is absent**, else no difference",
            "no difference",
        ],
        &[values::make_a_mandatory_field_optional],
    ),
    (
        [
            "give a mandatory field a `@default`",
            "no difference: a default is always written",
            "no difference",
        ],
        &[values::give_a_mandatory_field_a_default],
    ),
    (
        ["make an optional field mandatory", "no difference", "**refuses it where it is absent**"],
        &[values::make_an_optional_field_mandatory],
    ),
    (
        [
            "add or remove a field, so that a struct becomes a map from numbers, or an array",
            "takes either",
            "takes either",
        ],
        &[values::change_the_layout],
    ),
    (
        ["change the value of a `@default`", "no difference", "has the new one where the field is absent"],
        &[values::change_the_value_of_a_default],
    ),
    (
        [
            "add a value to an enum, a flag to `flags`, or a variant to a union or error",
            "keeps it as unknown, with its number, and writes it again unchanged",
            "no difference",
        ],
        &[
            shop::an_unknown_enum_value_comes_back_through_a_server_that_does_not_know_it,
            shop::an_unknown_variant_comes_back_through_a_server_that_does_not_know_it,
            shop::an_unknown_variant_is_kept_with_its_number_and_value,
            shop::a_new_declared_error_reaches_an_old_client_as_unknown_with_its_text,
            sets::add_a_negative_value,
            sets::add_or_remove_a_flag,
        ],
    ),
    (
        ["remove a value, flag or variant and reserve it", "no difference", "keeps it as unknown"],
        &[values::remove_a_value_or_variant, sets::add_or_remove_a_flag, methods::remove_a_declared_error],
    ),
    (
        ["append a parameter that is optional or has a `@default`", "ignores it", "absent, or the default"],
        &[
            methods::append_an_optional_parameter,
            shop::an_appended_parameter_is_ignored_by_the_old_and_absent_for_the_new,
        ],
    ),
    (
        ["append a parameter that must be there", "ignores it", "**answers `invalid_argument`**"],
        &[methods::append_a_mandatory_parameter],
    ),
    (
        [
            "rename a field, parameter, type, value, variant or constant",
            "no difference, but for peers that send maps with names, and [in JSON](json.md#evolution)",
            "the same",
        ],
        &[
            values::rename_all_about_a_value,
            values::rename_what_a_peer_sends_by_name,
            methods::rename_a_parameter,
        ],
    ),
    (
        [
            "move a type into another, or out of it, and name it so where it is used",
            "no difference",
            "no difference",
        ],
        &[values::move_a_type_out_of_another_and_into_one],
    ),
    (
        [
            "give a type another name with `type`, or put an alias in its place",
            "no difference",
            "no difference",
        ],
        &[values::put_an_alias_in_the_place_of_a_type, methods::put_an_alias_in_the_place_of_a_parameter],
    ),
    (
        [
            "put `flags` in the place of a `u64`, or a `u64` in the place of `flags`",
            "no difference, but [in JSON](json.md#evolution)",
            "the same",
        ],
        &[sets::put_flags_in_the_place_of_a_number_or_a_number_in_that_of_flags],
    ),
    (
        ["turn a `list` into a `set`", "no difference", "**refuses a list with an element twice**"],
        &[sets::turn_a_list_into_a_set],
    ),
    (
        ["turn a `set` into a `list`", "**refuses a list with an element twice**", "no difference"],
        &[sets::turn_a_set_into_a_list],
    ),
    (
        [
            "tighten `@len` or `@range`",
            "no difference",
            "**a server refuses what is outside now**; a client takes what it is given",
        ],
        &[values::tighten_bounds],
    ),
    (
        [
            "widen `@len` or `@range`",
            "**a server refuses what is outside for it**; a client takes what it is given",
            "no difference",
        ],
        &[values::widen_bounds],
    ),
    (
        [
            "change docs, `@deadline`, `@idempotent`, `@blocking`, `@deprecated`, `@message`",
            "no difference: each has its own",
            "no difference: each has its own",
        ],
        &[values::change_words_about_a_value, methods::change_words_about_a_method],
    ),
    (
        [
            "ask for `@roles` where there were none, or take one away",
            "no difference",
            "**refuses clients that have none of them, with `permission_denied` or `unauthenticated`**",
        ],
        &[guards::ask_for_roles_or_take_one_away],
    ),
    (
        [
            "add a role to `@roles`, or ask for none",
            "**refuses clients that may call from now on**",
            "no difference",
        ],
        &[guards::add_a_role_or_ask_for_none],
    ),
    (
        [
            "let a method that answers with nothing answer with something",
            "takes it for done",
            "**refuses the answer**",
        ],
        &[methods::begin_to_answer_with_something],
    ),
    (
        [
            "let a method throw errors, or none any more",
            "has one that it does not know of as `unknown`, with its text",
            "the same",
        ],
        &[errors::let_a_method_throw, errors::let_a_method_throw_no_more],
    ),
    (
        [
            "append an error to those that a method throws",
            "keeps it as unknown, with its number: as a variant of the one error that it knows, or as one of several errors",
            "no difference",
        ],
        &[errors::append_a_second_error, errors::append_a_third_error],
    ),
    (
        ["remove the last of the errors that a method throws", "no difference", "keeps it as unknown"],
        &[errors::remove_the_last_error],
    ),
    (
        [
            "reorder the errors that a method throws, or put another in the place of one",
            "**takes one for another, and nothing tells**; refuses what does not fit",
            "**takes one for another, and nothing tells**; refuses what does not fit",
        ],
        &[errors::reorder_errors, errors::put_another_error_in_the_place_of_one],
    ),
    (
        ["move a method to a service that is extended, or back", "no difference", "no difference"],
        &[methods::move_a_method_to_a_service_that_is_extended],
    ),
    (
        [
            "add a method, service or event, or make a struct an event",
            "never calls it",
            "calls are answered with `unimplemented`",
        ],
        &[methods::add_a_method_or_service, events::add_an_event_or_make_a_struct_one],
    ),
    (
        [
            "let a field of an event be a key",
            "never filters by it",
            "**filters by it are answered with `invalid_argument`**; others are not",
        ],
        &[events::let_a_field_be_a_key],
    ),
    (
        [
            "let a field of an event be no key any more",
            "**filters by it are answered with `invalid_argument`**",
            "never filters by it",
        ],
        &[events::let_a_field_be_no_key_any_more],
    ),
    (
        ["change `@latest`, `@history` or `@slow` of an event", "has what its publisher does", "the same"],
        &[events::change_what_is_kept],
    ),
    (
        [
            "remove or rename a package, service, method or event",
            "**calls are answered with `unimplemented`**",
            "**calls are answered with `unimplemented`**",
        ],
        &[
            methods::remove_or_rename_a_method,
            methods::remove_or_rename_a_service_or_package,
            events::remove_or_rename_an_event,
        ],
    ),
    (
        [
            "change a type, reuse a number or reorder parameters, where the types differ in form",
            "**refuses it**",
            "**refuses it**",
        ],
        &[values::change_a_type_to_one_of_another_form, values::reuse_a_number, methods::reorder_parameters],
    ),
    (
        [
            "change a type, reuse a number or reorder parameters, where the forms are alike",
            "**misreads it, and nothing tells**; refuses what does not fit",
            "**misreads it, and nothing tells**; refuses what does not fit",
        ],
        &[values::change_a_type_to_one_of_the_same_form, values::reuse_a_number, methods::reorder_parameters],
    ),
    (
        [
            "add or take away the `stream` of an answer",
            "**ends with `unknown`, or with its deadline where a client wants no stream and there are items**",
            "**the same**",
        ],
        &[methods::add_or_take_away_a_stream_of_answers],
    ),
    (
        [
            "add or take away a `stream` parameter",
            "**items for a server that takes none are lost; a server that waits for some waits until the deadline**",
            "**the same**",
        ],
        &[methods::add_or_take_away_a_stream_parameter],
    ),
    (
        [
            "turn `rpc` into `oneway` or back",
            "**a call of a `oneway` is refused; a one-way call of an `rpc` is dropped, counted by the server alone**",
            "**the same**",
        ],
        &[methods::turn_rpc_into_oneway, methods::turn_oneway_into_rpc],
    ),
];

/// Returns the rows of the table in the document, each a list of its cells.
fn documented() -> Vec<Vec<&'static str>> {
    let language = include_str!("../../../../../docs/language.md");
    let chapter = language.split("\n## ").find(|chapter| chapter.starts_with("Evolution\n"));
    let lines = chapter.expect("it has a chapter on evolution").lines().filter(|line| line.starts_with('|'));
    // Skips the header and the line below it.
    lines.skip(2).map(|line| line.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

#[test]
fn each_row_of_the_document_is_tested() {
    let documented = documented();
    for (row, tests) in TABLE {
        assert!(documented.iter().any(|cells| cells == row), "docs/language.md has no row {row:?}");
        assert!(!tests.is_empty(), "{row:?} has no test");
    }
    for cells in &documented {
        assert!(TABLE.iter().any(|(row, _)| row == cells.as_slice()), "no test is named for {cells:?}");
    }
    assert_eq!(documented.len(), TABLE.len(), "a row is there twice");
}
