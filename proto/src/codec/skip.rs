//! How many bytes a MessagePack value takes, without reading what it says.
//!
//! Needed where `rmp-serde` has read a value, because it does not tell how far it has come. No recursion, and so no bound
//! on nesting either: the reader asks only about what was read already.

use rmp::Marker;

/// The length of the first value in `bytes`, or `None` where they end before it does.
#[inline]
pub(super) fn length_of_first(bytes: &[u8]) -> Option<usize> {
    let mut rest = bytes;
    // How many values are still to come until the first one is complete.
    let mut values: u64 = 1;
    while values > 0 {
        let inside = skip_head(&mut rest)?;
        values = values - 1 + inside;
    }
    Some(bytes.len() - rest.len())
}

/// Skips a value up to the values that it holds, and tells how many those are.
#[inline]
fn skip_head(rest: &mut &[u8]) -> Option<u64> {
    let [marker] = *take(rest, 1)? else { return None };
    let (data, values) = match Marker::from_u8(marker) {
        Marker::FixPos(_) | Marker::FixNeg(_) | Marker::Null | Marker::True | Marker::False => (0, 0),
        Marker::U8 | Marker::I8 => (1, 0),
        Marker::U16 | Marker::I16 | Marker::FixExt1 => (2, 0),
        Marker::FixExt2 => (3, 0),
        Marker::U32 | Marker::I32 | Marker::F32 => (4, 0),
        Marker::FixExt4 => (5, 0),
        Marker::U64 | Marker::I64 | Marker::F64 => (8, 0),
        Marker::FixExt8 => (9, 0),
        Marker::FixExt16 => (17, 0),
        Marker::FixStr(length) => (length.into(), 0),
        Marker::Str8 | Marker::Bin8 => (number(rest, 1)?, 0),
        Marker::Str16 | Marker::Bin16 => (number(rest, 2)?, 0),
        Marker::Str32 | Marker::Bin32 => (number(rest, 4)?, 0),
        Marker::Ext8 => (number(rest, 1)? + 1, 0),
        Marker::Ext16 => (number(rest, 2)? + 1, 0),
        Marker::Ext32 => (number(rest, 4)? + 1, 0),
        Marker::FixArray(length) => (0, length.into()),
        Marker::Array16 => (0, number(rest, 2)?),
        Marker::Array32 => (0, number(rest, 4)?),
        Marker::FixMap(length) => (0, 2 * u64::from(length)),
        Marker::Map16 => (0, 2 * number(rest, 2)?),
        Marker::Map32 => (0, 2 * number(rest, 4)?),
        Marker::Reserved => return None,
    };
    take(rest, usize::try_from(data).ok()?)?;
    Some(values)
}

/// A length of so many bytes, most significant first.
#[inline]
fn number(rest: &mut &[u8], bytes: usize) -> Option<u64> {
    Some(take(rest, bytes)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

#[inline]
fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    rest.split_off(..length)
}
