//! The values in the document, sent through a service that decodes and encodes each of them.

use rmpv::Value;

use crate::listings::listings;
use crate::raw::{Dealer, kind, record};
use crate::rig::{Serving, assert_no_panics};

/// Returns the variant of `Shape` with the type of a listing.
pub(crate) fn variant_of(name: &str) -> Option<u8> {
    Some(match name {
        "bool" => 1,
        "u8" => 2,
        "u64" => 3,
        "i64" => 4,
        "f32" => 5,
        "f64" => 6,
        "string" => 7,
        "bytes" => 8,
        "timestamp" | "timestamp-with-nanoseconds" | "timestamp-before-1970" => 9,
        "duration" => 10,
        "uuid" => 11,
        "value" => 12,
        "list" => 13,
        "map" => 14,
        "map-by-enum" => 15,
        "list-of-optionals" => 16,
        "struct" | "struct-without-its-last-field" => 17,
        "struct-with-holes" => 18,
        "sparse-struct" => 22,
        "set" => 23,
        "enum" | "unknown-enum" | "negative-enum" => 19,
        "flags" | "no-flags" | "unknown-flags" => 24,
        "union-with-fields" | "union-with-a-type" | "union-with-nothing" | "unknown-union" => 20,
        _ => return None,
    })
}

/// Returns the answer to a value of the given variant's type.
fn echoed(dealer: &mut Dealer, variant: u8, value: &[u8]) -> Vec<u8> {
    let body = [&[0x91, 0x92, variant], value].concat();
    dealer.say(&[record![kind::CALL, 1, "shapes.v1.Shapes/echo", Value::Binary(body)]]);
    let reply = dealer.next();
    assert_eq!(reply.kind(), kind::REPLY, "{value:02x?} of variant {variant}: {reply:?}");
    let body = reply.bin(2);
    assert_eq!(body[..2], [0x92, variant]);
    body[2..].to_vec()
}

#[test]
fn values_are_written_as_the_document_says() {
    let server = Serving::start();
    let mut dealer = Dealer::connect(&server.endpoint);
    for listing in listings().iter().filter(|listing| listing.from == "value") {
        let variant = variant_of(&listing.name).expect("every listing has a type");
        assert_eq!(echoed(&mut dealer, variant, listing.bytes()), listing.bytes(), "`{}`", listing.name);
    }
    assert_no_panics();
}

#[test]
fn values_are_read_in_other_encodings_too() {
    let server = Serving::start();
    let mut dealer = Dealer::connect(&server.endpoint);
    let all = listings();
    for listing in all.iter().filter(|listing| listing.from == "read") {
        let variant = variant_of(&listing.name).expect("every listing has a type");
        let value = all.iter().find(|other| other.from == "value" && other.name == listing.name);
        let value = value.unwrap_or_else(|| panic!("`read {}` has a `value`", listing.name));
        assert_eq!(echoed(&mut dealer, variant, listing.bytes()), value.bytes(), "`{}`", listing.name);
    }
    assert_no_panics();
}
