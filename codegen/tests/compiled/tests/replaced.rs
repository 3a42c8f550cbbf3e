//! Tests types of the user's in the place of generated ones: their bytes are those of the generated ones, and bounds hold.

use std::collections::{BTreeSet, HashSet};
use std::net::IpAddr;
use std::num::NonZeroU32;

use serde::Serialize;
use serde::de::DeserializeOwned;
use zsvc::generated::Validate;
use zsvc_codegen_compiled::direct::replaced::{Host, Kind};
use zsvc_codegen_compiled::hazards::replaced as generated;

fn encode(value: &impl Serialize) -> Vec<u8> {
    rmp_serde::to_vec(value).expect("every value of these tests can be written")
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    rmp_serde::from_slice(bytes).map_err(|error| error.to_string())
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn inside(text: &str) -> generated::Inside {
    generated::Inside { text: text.to_owned() }
}

fn host() -> Host {
    Host {
        address: address("192.0.2.1"),
        count: NonZeroU32::new(9),
        names: BTreeSet::from(["a".to_owned(), "b".to_owned()]),
        inside: inside("abc"),
        many: vec![inside("a")],
        kind: Kind::Near { address: address("10.0.0.1") },
    }
}

#[test]
fn the_bytes_are_those_of_the_generated_types() {
    let bytes = encode(&host());
    let expected = generated::Host {
        address: "192.0.2.1".to_owned(),
        count: Some(9),
        names: vec!["a".to_owned(), "b".to_owned()],
        inside: inside("abc"),
        many: vec![inside("a")],
        kind: generated::Kind::Near { address: "10.0.0.1".to_owned() },
    };
    assert_eq!(bytes, encode(&expected));
    assert_eq!(decode::<Host>(&bytes), Ok(host()));
}

#[test]
fn what_the_type_does_not_take_is_told_with_its_field() {
    let wrong = generated::Host {
        address: "nowhere".to_owned(),
        count: None,
        names: Vec::new(),
        inside: inside("abc"),
        many: Vec::new(),
        kind: generated::Kind::Far,
    };
    let error = decode::<Host>(&encode(&wrong)).expect_err("no address");
    assert!(error.starts_with("address: ") && error.contains("invalid IP address"), "{error}");
}

#[test]
fn json_is_that_of_the_generated_types() {
    let text = r#"{"address":"192.0.2.1","count":9,"names":["a","b"],"inside":{"text":"abc"},"many":[{"text":"a"}],"kind":{"Near":{"address":"10.0.0.1"}}}"#;
    assert_eq!(serde_json::to_string(&host()).expect("a host"), text);
    assert_eq!(serde_json::from_str::<Host>(text).expect("a host"), host());
    let generated: generated::Host = serde_json::from_str(text).expect("a generated host");
    assert_eq!(serde_json::to_string(&generated).expect("a host"), text);
}

#[test]
fn json_that_a_type_does_not_take_is_told_with_its_field() {
    let text = r#"{"address":"nowhere","names":[],"inside":{"text":"abc"},"many":[],"kind":"Far"}"#;
    let error = serde_json::from_str::<Host>(text).expect_err("no address").to_string();
    assert!(error.starts_with("address: ") && error.contains("invalid IP address"), "{error}");
    let text = r#"{"address":"192.0.2.1","names":[],"inside":{"text":""},"many":[],"kind":"Far"}"#;
    let error = zsvc::json::strict(|| serde_json::from_str::<Host>(text)).expect_err("a bound");
    assert!(error.to_string().starts_with("inside.text: length 0 is not in 1..=3"), "{error}");
}

#[test]
fn bounds_of_replaced_types_hold() {
    assert_eq!(host().validate(), Ok(()));
    let check = |host: &Host, expected: &str| {
        assert_eq!(host.validate().expect_err("a broken bound").to_string(), expected);
    };
    check(&Host { address: address("::1"), ..host() }, "address: length 3 is not in 7..=15");
    check(&Host { count: NonZeroU32::new(10), ..host() }, "count: 10 is not in 1..=9");
    let names = ["a", "b", "c"].map(str::to_owned).into();
    check(&Host { names, ..host() }, "names: length 3 is not in ..=2");
    let kind = Kind::Near { address: address("192.0.2.10") };
    check(&Host { kind, ..host() }, "kind.address: length 10 is not in ..=9");
}

#[test]
fn bounds_inside_a_type_of_another_crate_hold() {
    let check = |host: &Host, expected: &str| {
        assert_eq!(host.validate().expect_err("a broken bound").to_string(), expected);
    };
    check(&Host { inside: inside(""), ..host() }, "inside.text: length 0 is not in 1..=3");
    check(
        &Host { many: vec![inside("a"), inside("abcd")], ..host() },
        "many[1].text: length 4 is not in 1..=3",
    );
    check(&Host { kind: Kind::Of(inside("")), ..host() }, "kind.text: length 0 is not in 1..=3");
}

#[test]
fn unions_are_equal_and_hashed_where_their_parts_are() {
    let unknown = zsvc::UnknownVariant { number: 9, value: zsvc::Value::from(1.5) };
    let kinds =
        [generated::Kind::Far, generated::Kind::Unknown(unknown.clone()), generated::Kind::Unknown(unknown)];
    assert_eq!(HashSet::from(kinds).len(), 2);
}
