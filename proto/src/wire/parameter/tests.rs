//! One parameter is found in bodies of all forms, and hostile ones are told.

use super::{Body, Unreadable};

/// Returns the hash of the second parameter, `key`, of a body in pieces.
fn in_pieces(pieces: &[&[u8]]) -> Result<u64, Unreadable> {
    let mut pieces = pieces.to_vec();
    pieces.reverse();
    Body { pieces, passed: 0 }.parameter(2, "key")
}

fn hash(body: &[u8]) -> Result<u64, Unreadable> {
    let whole = in_pieces(&[body]);
    // Wherever it is cut, it is the same.
    for at in 0..=body.len() {
        let (first, rest) = body.split_at(at);
        assert_eq!(in_pieces(&[first, b"", rest]), whole, "cut at {at}");
    }
    whole
}

#[test]
fn equal_values_have_equal_hashes_in_every_form() {
    let five: [&[u8]; 7] = [
        &[0x92, 0xc0, 5],
        &[0x93, 0x93, 1, 0x81, 0xa1, b'x', 0xc3, 0xc4, 1, 0, 0xcc, 5, 0xc0],
        &[0xdc, 0, 2, 0xcb, 0, 0, 0, 0, 0, 0, 0, 0, 0xcd, 0, 5],
        &[0x92, 0xd6, 1, 2, 3, 4, 5, 0xd3, 0, 0, 0, 0, 0, 0, 0, 5],
        &[0x82, 1, 0xa1, b'x', 2, 0xd0, 5],
        &[0x82, 0xa3, b'k', b'e', b'y', 5, 0xa1, b'x', 0xc0],
        &[0xde, 0, 2, 0xa3, b'k', b'e', b'x', 0x90, 0xd9, 3, b'k', b'e', b'y', 0xce, 0, 0, 0, 5],
    ];
    let hashes: Vec<_> = five.iter().map(|body| hash(body)).collect();
    assert!(hashes[0].is_ok() && hashes.iter().all(|hash| *hash == hashes[0]), "{hashes:?}");
    assert_eq!(hash(&[0x92, 0, 0xff]), hash(&[0x92, 0, 0xd1, 0xff, 0xff]), "-1");
    assert_eq!(hash(&[0x92, 0, 0xa1, b'a']), hash(&[0x92, 0, 0xdb, 0, 0, 0, 1, b'a']));
    let others: [&[u8]; 9] = [
        &[0x92, 0, 5],
        &[0x92, 0, 0xfb],
        &[0x92, 0, 0xc2],
        &[0x92, 0, 0xc3],
        &[0x92, 0, 0xa1, 5],
        &[0x92, 0, 0xc4, 1, 5],
        &[0x92, 0, 0xa0],
        &[0x92, 0, 0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        &[0x92, 0, 0xff],
    ];
    let hashes: std::collections::HashSet<_> = others.iter().map(|body| hash(body).unwrap()).collect();
    assert_eq!(hashes.len(), others.len());
}

/// Other processes, and other versions of the router, have to choose the same worker.
#[test]
fn hashes_stay_as_they_are() {
    assert_eq!(hash(&[0x92, 0, 5]), Ok(HASH_OF_FIVE));
    assert_eq!(hash(&[0x92, 0, 0xa4, b'A', b'C', b'M', b'E']), Ok(HASH_OF_ACME));
}

const HASH_OF_FIVE: u64 = 0xe21d_7333_ecd5_1644;
const HASH_OF_ACME: u64 = 0x6b33_6196_52bc_9b7b;

#[test]
fn what_can_not_be_read_is_told() {
    for (body, why) in [
        (&[][..], Unreadable::Malformed),
        (&[0xc0], Unreadable::Malformed),
        (&[0x90], Unreadable::Missing),
        (&[0x91, 1], Unreadable::Missing),
        (&[0x92, 1, 0xc0], Unreadable::Missing),
        (&[0x92, 1], Unreadable::Malformed),
        (&[0x92, 1, 0xc1], Unreadable::Malformed),
        (&[0x92, 0xc1, 1], Unreadable::Malformed),
        (&[0x92, 1, 0xa5, b'a'], Unreadable::Malformed),
        (&[0x92, 1, 0x91, 1], Unreadable::Kind),
        (&[0x92, 1, 0xca, 0, 0, 0, 0], Unreadable::Kind),
        (&[0x92, 1, 0xc6, 0xff, 0xff, 0xff, 0xff], Unreadable::TooLong),
        (&[0x92, 0xdd, 0xff, 0xff, 0xff, 0xff, 1], Unreadable::Malformed),
        (&[0x80], Unreadable::Missing),
        (&[0x81, 1, 1], Unreadable::Missing),
        (&[0x81, 0xc0, 1], Unreadable::Malformed),
        (&[0x81, 0xa4, b'k', b'e', b'y', b's', 1], Unreadable::Missing),
        (&[0xdf, 0xff, 0xff, 0xff, 0xff, 1, 1], Unreadable::Malformed),
    ] {
        assert_eq!(hash(body), Err(why), "{body:x?}");
    }
}

#[test]
fn what_is_passed_over_is_bounded() {
    let nested = [&[0x92][..], &[0x91].repeat(100_000), &[0, 5]].concat();
    assert_eq!(in_pieces(&[&nested]), Err(Unreadable::TooFar));
    let bombs = [&[0x92][..], &[0xdf, 0xff, 0xff, 0xff, 0xff].repeat(100_000)].concat();
    assert_eq!(in_pieces(&[&bombs]), Err(Unreadable::TooFar));
    let long = |length: u16| {
        let [high, low] = length.to_be_bytes();
        [&[0x92, 0, 0xc5, high, low][..], &vec![7; length.into()]].concat()
    };
    assert!(in_pieces(&[&long(4_096)]).is_ok());
    assert_eq!(in_pieces(&[&long(4_097)]), Err(Unreadable::TooLong));
    let many = [&[0x92, 0xdc, 0x3f, 0xf0][..], &[1; 0x3ff0], &[5]].concat();
    assert_eq!(in_pieces(&[&many]), in_pieces(&[&[0x92, 0, 5]]));
}
