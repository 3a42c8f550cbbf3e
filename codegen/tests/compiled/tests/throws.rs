//! Tests the type of a method's errors: its bytes, texts and conversions.

mod common;

use std::error::Error as _;

use common::{check, decode, encode, read, shown};
use rmpv::Value;
use zsvc::generated::Validate;
use zsvc::{Error, UnknownVariant};
use zsvc_codegen_compiled::hazards::throws::{
    self, Denied, NotFound, ShopFindError_, ShopListError, ShopOddError, other,
};
use zsvc_codegen_compiled::{Refused, thrown};

fn not_found() -> NotFound {
    NotFound::Item { id: 7 }
}

fn denied() -> Denied {
    Denied::Denied { why: "closed".to_owned() }
}

#[test]
fn the_first_error_is_written_as_it_is() {
    let error = ShopFindError_::NotFound(not_found());
    check(&error, "[1, [7]]");
    assert_eq!(encode(&error), encode(&not_found()));
}

#[test]
fn each_other_error_has_a_number_by_its_position() {
    check(&ShopFindError_::Denied(denied()), r#"[2147483650, [1, ["closed"]]]"#);
    check(&ShopFindError_::NotFound_(other::NotFound::Item), "[2147483651, [1, nil]]");
}

#[test]
fn an_error_of_a_newer_schema_is_kept() {
    let newer = Value::Array(vec![0x8000_0004_u32.into(), Value::Array(vec![3.into(), "x".into()])]);
    let error: ShopFindError_ = read(&newer).expect("an unknown error is none");
    let ShopFindError_::Unknown(UnknownVariant { number, .. }) = &error else { panic!("{error:?}") };
    assert_eq!(*number, 0x8000_0004);
    assert_eq!(error.to_string(), "unknown error 2147483652");
    assert_eq!(shown(&error), newer.to_string());
    let variant = Value::Array(vec![9.into(), Value::Nil]);
    let error: ShopFindError_ = read(&variant).expect("an unknown variant of the first error is none");
    assert!(matches!(error, ShopFindError_::NotFound(NotFound::Unknown(_))), "{error:?}");
}

#[test]
fn a_reader_that_knows_the_first_alone_keeps_another() {
    let bytes = encode(&ShopFindError_::Denied(denied()));
    let older: NotFound = decode(&bytes).expect("an unknown variant is none");
    assert!(matches!(older, NotFound::Unknown(UnknownVariant { number: 0x8000_0002, .. })), "{older:?}");
    assert_eq!(encode(&older), bytes);
}

#[test]
fn other_bytes_are_refused_with_what_is_wrong() {
    let refusal = |value: Value| read::<ShopFindError_>(&value).expect_err("no error");
    assert!(refusal(5.into()).starts_with("invalid type: integer `5`, expected an array"), "of no form");
    let without = refusal(Value::Array(vec![0x8000_0002_u32.into()]));
    assert!(without.starts_with("variant `Denied` comes without its value"), "{without}");
    let broken = Value::Array(vec![0x8000_0002_u32.into(), Value::Array(vec![1.into(), 2.into()])]);
    assert!(refusal(broken).starts_with("invalid type"), "fields that are none");
}

#[test]
fn texts_and_sources_are_those_of_the_error_inside() {
    let error = ShopFindError_::from(denied());
    assert_eq!(error.to_string(), "denied: closed");
    assert!(error.source().is_none());
    assert_eq!(ShopFindError_::from(not_found()).to_string(), "no item 7");
}

#[test]
fn each_error_becomes_a_failure_by_a_question_mark() {
    fn fail(which: u8) -> Result<(), Error<ShopFindError_>> {
        match which {
            0 => Err(not_found())?,
            1 => Err(denied())?,
            2 => Err(other::NotFound::Item)?,
            3 => Err(ShopFindError_::Denied(denied()))?,
            _ => Err(zsvc::Status::internal("odd"))?,
        }
    }
    assert_eq!(fail(0), Err(Error::Declared(ShopFindError_::NotFound(not_found()))));
    assert_eq!(fail(1), Err(Error::Declared(ShopFindError_::Denied(denied()))));
    assert_eq!(fail(2), Err(Error::Declared(ShopFindError_::NotFound_(other::NotFound::Item))));
    assert_eq!(fail(3), fail(1));
    assert!(matches!(fail(4), Err(Error::Status(_))));
}

#[test]
fn names_that_meet_others_give_way() {
    let ours = ShopOddError::Unknown_(UnknownVariant { number: 0x8000_0009, value: Value::Nil });
    check(&ours, "[2147483657, nil]");
    check(&ShopOddError::Unknown(throws::Unknown::Nothing), "[1, nil]");
    check(&ShopOddError::self_(throws::self_::Item), "[2147483650, [1, nil]]");
    check(&ShopOddError::r#match(throws::r#match::Ratio(0.5)), "[2147483651, [1, 0.5]]");
    let unrelated = throws::ShopFindError { text: "of the schema".to_owned() };
    check(&unrelated, r#"["of the schema"]"#);
}

#[test]
fn the_type_is_eq_where_all_of_its_errors_are() {
    fn is_eq<T: Eq + std::hash::Hash>() {}
    is_eq::<ShopFindError_>();
    is_eq::<ShopListError>();
}

#[test]
fn json_names_the_error() {
    let json = |error: &ShopFindError_| serde_json::to_string(error).expect("every error has one");
    let check = |error: ShopFindError_, text: &str| {
        assert_eq!(json(&error), text);
        assert_eq!(serde_json::from_str::<ShopFindError_>(text).expect("what was written"), error);
    };
    check(ShopFindError_::NotFound(not_found()), r#"{"NotFound":{"Item":{"id":7}}}"#);
    check(ShopFindError_::NotFound(NotFound::Shelf), r#"{"NotFound":"Shelf"}"#);
    check(ShopFindError_::Denied(denied()), r#"{"Denied":{"Denied":{"why":"closed"}}}"#);
    // Two errors of one name: the later has that of its variant.
    check(ShopFindError_::NotFound_(other::NotFound::Item), r#"{"NotFound_":"Item"}"#);
    let unknown = UnknownVariant { number: 0x8000_0009, value: Value::from(1) };
    check(ShopFindError_::Unknown(unknown), r##"{"#2147483657":1}"##);
}

#[test]
fn json_that_is_no_error_is_told() {
    let told = |text: &str| serde_json::from_str::<ShopFindError_>(text).expect_err("no error").to_string();
    assert!(
        told(r#"{"Missing":1}"#).starts_with("unknown error \"Missing\": there are `NotFound`, `Denied`")
    );
    assert!(told(r##"{"#5":1}"##).starts_with("unknown error \"#5\""));
    assert!(told("\"NotFound\"").contains("expected an object of an error's name and the error"));
    assert!(told("{}").contains("expected an object of an error's name and the error"));
    assert!(told(r#"{"NotFound":{"Item":{}}}"#).starts_with("field `id` is missing"));
    let long = r#"{"Denied":{"Denied":{"why":"far too long"}}}"#;
    assert!(serde_json::from_str::<ShopFindError_>(long).is_ok(), "as a client reads it");
    let strict = zsvc::json::strict(|| serde_json::from_str::<ShopFindError_>(long));
    assert!(strict.expect_err("a bound").to_string().starts_with("why: length 12 is not in ..=8"));
}

#[test]
fn bounds_inside_are_found() {
    assert!(ShopFindError_::from(denied()).validate().is_ok());
    let long = Denied::Denied { why: "far too long".to_owned() };
    assert!(ShopFindError_::from(long).validate().is_err());
}

#[test]
fn errors_of_another_crate_and_types_in_place_of_errors_are_taken() {
    use thrown::throws::{ShopFindError_, ShopOddError, ShopPutError};
    let shared: ShopFindError_ = other::NotFound::Item.into();
    check(&shared, "[2147483651, [1, nil]]");
    check(&ShopPutError::from(other::Denied::Why("closed".to_owned())), r#"[2147483650, [1, "closed"]]"#);
    // One type stands for two errors: it becomes the first of them.
    check(&ShopOddError::from(Refused(1, None)), "[1, nil]");
    check(&ShopOddError::r#match(Refused(1, Some(2))), "[2147483651, [1, 2]]");
    assert_eq!(ShopOddError::from(Refused(3, None)).to_string(), "refused 3");
    assert_eq!(
        Error::from(ShopFindError_::from(other::NotFound::Item)),
        Error::Declared(ShopFindError_::NotFound_(other::NotFound::Item)),
    );
}
