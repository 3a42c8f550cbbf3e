//! Hostile bytes: random, cut, changed, nested and with false lengths. Nothing may panic, exhaust the stack or reserve more
//! memory than the bytes can be worth.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use rmpv::Value;
use uuid::Uuid;

use super::numbers::{Far, far};
use super::tape::{Order, Side, Trade, trade};
use super::tree::{Tree, tree};
use super::{read, text, written};
use crate::codec::{
    Blob, Body, Boxed, Decode, DecodeError, Encode, Fields, List, MAX_DEPTH, Map, Nanoseconds, Nothing,
    Optional, Plain, Reader, Set, Timestamp, Writer, decode_prefix,
};

/// Reads bytes as each type in turn. The results do not matter, only that there are any.
fn read_as_everything(bytes: &[u8]) {
    let _ = read::<Plain, Trade>(bytes);
    let _ = read::<Plain, Order>(bytes);
    let _ = read::<Plain, Tree>(bytes);
    let _ = read::<Plain, Value>(bytes);
    let _ = read::<Plain, Timestamp>(bytes);
    let _ = read::<Plain, Uuid>(bytes);
    let _ = read::<Plain, BTreeMap<String, Vec<u64>>>(bytes);
    let _ = read::<Map<Plain, List<Blob>>, BTreeMap<i64, Vec<Bytes>>>(bytes);
    let _ = read::<List<Nanoseconds>, Vec<std::time::Duration>>(bytes);
    let _ = read::<Nothing, ()>(bytes);
    let _ = read::<Plain, Far>(bytes);
    let _ = read::<Plain, BTreeSet<Side>>(bytes);
    let _ = read::<Set<Plain>, BTreeSet<String>>(bytes);
    let mut rest = Bytes::copy_from_slice(bytes).into();
    while decode_prefix::<Plain, Value>(&mut rest, usize::MAX).is_ok() {}
}

/// Pseudorandom numbers, the same in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("it is below a usize")
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[2]
    }
}

fn good_ones() -> Vec<Vec<u8>> {
    let value = written::<Plain, Tree>(&tree());
    let by_name = [&[0x82][..], &text("next"), &value, &text("order"), b"\x92\x03\xc0"].concat();
    let by_number = [&[0x82, 1][..], &value, &[3, 0xc0]].concat();
    let set = written::<Plain, _>(&BTreeSet::from(["a".to_owned(), "b".to_owned()]));
    let order = b"\x92\x01\x93\xa1A\x02\x92\x05\x02".to_vec();
    vec![
        written::<Plain, Trade>(&trade()),
        value,
        by_name,
        by_number,
        written::<Plain, Far>(&far()),
        set,
        order,
    ]
}

#[test]
fn random_bytes() {
    let mut random = Random(0x5eed);
    for _ in 0..20_000 {
        let length = random.below(64);
        read_as_everything(&(0..length).map(|_| random.byte()).collect::<Vec<_>>());
    }
}

#[test]
fn cut_bytes() {
    for good in good_ones() {
        for end in 0..good.len() {
            read_as_everything(&good[..end]);
            assert!(read::<Plain, Value>(&good[..end]).is_err(), "a part of a value is none");
        }
    }
}

#[test]
fn changed_bytes() {
    let mut random = Random(0xbad);
    for good in good_ones() {
        for _ in 0..4_000 {
            let mut bytes = good.clone();
            for _ in 0..=random.below(4) {
                let at = random.below(bytes.len());
                bytes[at] = random.byte();
            }
            read_as_everything(&bytes);
        }
    }
}

/// Puts a shell around a value, a number of times.
fn nested(shell: &[u8], times: usize, inside: &[u8]) -> Vec<u8> {
    [shell.repeat(times), inside.to_vec()].concat()
}

fn is_too_deep<T>(result: &Result<T, DecodeError>) -> bool {
    result.as_ref().is_err_and(DecodeError::is_too_deep)
}

#[test]
fn nesting_ends_at_the_bound() {
    let (at, past) = (nested(&[0x91], MAX_DEPTH, &[1]), nested(&[0x91], MAX_DEPTH + 1, &[1]));
    assert!(read::<Plain, Value>(&at).is_ok() && is_too_deep(&read::<Plain, Value>(&past)));
    assert!(read::<Nothing, ()>(&at).is_ok() && is_too_deep(&read::<Nothing, ()>(&past)));
    // An unknown variant in an array of two, and a field that is skipped.
    assert!(is_too_deep(&read::<Plain, Order>(&[&[0x92, 9][..], &at].concat())));
    assert!(is_too_deep(&read::<Plain, Order>(&[&[0x92, 3][..], &at].concat())));
    let skipped = [&[0x99][..], &[0xc0; 8], &at].concat();
    assert!(is_too_deep(&read::<Plain, Tree>(&skipped)));
}

#[test]
fn a_type_that_holds_itself_is_read_up_to_a_bound() {
    let next = [&[0x81][..], &text("next")].concat();
    let child = [&[0x81][..], &text("children"), &[0x91]].concat();
    let named = [&[0x81][..], &text("named"), &[0x81], &text("k")].concat();
    let by_number = [0x81, 1];
    for (shell, levels) in
        [(&[0x91][..], 1), (&[0x92, 0xc0, 0x91], 2), (&next, 1), (&child, 2), (&named, 2), (&by_number, 1)]
    {
        // Without optimization the bound on the stack is reached before that on levels, so not all levels.
        let fits = nested(shell, MAX_DEPTH / levels / 3, &[0x90]);
        assert!(read::<Plain, Tree>(&fits).is_ok(), "{shell:02x?}");
        let deep = nested(shell, MAX_DEPTH / levels + 1, &[0x90]);
        assert!(is_too_deep(&read::<Plain, Tree>(&deep)), "{shell:02x?}");
        assert!(
            read::<Plain, Tree>(&deep).is_err_and(|error| error.to_string().contains(": nested too deep"))
        );
    }
}

/// A struct that holds itself and 16 KiB more, as one of hundreds of fields would.
struct Wide {
    next: Option<Box<Wide>>,
    rest: [u64; 2048],
}

impl Encode for Wide {
    fn encode(&self, out: &mut Writer) {
        let mut fields = out.fields(1);
        fields.write::<Optional<Boxed<Plain>>, _>(1, &self.next);
        fields.end();
    }
}

impl Decode for Wide {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut fields = Fields::new(reader, &["next"])?;
        let value = Self { next: fields.optional::<Boxed<Plain>, _>(1)?, rest: [7; 2048] };
        fields.end()?;
        Ok(value)
    }
}

#[test]
fn large_structs_nest_less_deep() {
    assert!(
        read::<Plain, Wide>(&[0x91, 0x90]).is_ok_and(|wide| wide.next.is_some_and(|next| next.rest[9] == 7))
    );
    assert!(is_too_deep(&read::<Plain, Wide>(&nested(&[0x91], MAX_DEPTH - 1, &[0x90]))));
    let next = [&[0x81][..], &text("next")].concat();
    assert!(is_too_deep(&read::<Plain, Wide>(&nested(&next, MAX_DEPTH - 1, &[0x90]))));
    // The bound applies to one value: many of them may follow each other.
    let many = nested(&[0x91], 2, &[0x90]).repeat(1000);
    let mut rest = Body::from(Bytes::from(many));
    while !rest.is_empty() {
        assert!(decode_prefix::<Plain, Wide>(&mut rest, usize::MAX).is_ok());
    }
}

#[test]
fn no_nesting_exhausts_the_stack() {
    let next = [&[0x81][..], &text("next")].concat();
    let unknown = [&[0x81][..], &text("unknown")].concat();
    let any = [&[0x81][..], &text("any")].concat();
    let shells = [
        &[0x91][..],
        &[0x81, 1],
        &[0x92, 9],
        &[0x92, 3],
        &[0x92, 0xc0, 0x91],
        &[0x93, 1, 2],
        &next,
        &unknown,
        &any,
    ];
    for shell in shells {
        for inside in [&[0x90][..], &[]] {
            read_as_everything(&nested(shell, 100_000, inside));
        }
    }
    // Maps as keys of maps.
    read_as_everything(&vec![0x81; 100_000]);
}

#[test]
fn lengths_that_lie_set_nothing_aside() {
    // Arrays, maps, strings, bytes and extensions of 2^32 - 1: if they were believed, each would take gigabytes.
    for marker in [0xdd, 0xdf, 0xdb, 0xc6, 0xc9] {
        let header = [marker, 255, 255, 255, 255];
        read_as_everything(&header);
        read_as_everything(&[&header[..], &[0xc0; 100]].concat());
        for at in 1..=8 {
            let mut fields = vec![0x98];
            fields.resize(at, 0xc0);
            read_as_everything(&[&fields[..], &header].concat());
        }
        read_as_everything(&[&[0x81][..], &text("children"), &header].concat());
        read_as_everything(&[&[0x92, 9][..], &header].concat());
    }
}
