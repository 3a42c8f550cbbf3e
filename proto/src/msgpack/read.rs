//! Reads headers off the front of bytes. Each function returns what the header says and the bytes after it, or `None` where the
//! bytes begin with something else or end inside the header. Nothing here allocates or recurses.

use rmp::Marker;

/// What a header says, and the bytes after it.
type Header<'a, T> = Option<(T, &'a [u8])>;

/// Reads the number of elements of an array.
#[inline]
pub(crate) fn array_header(bytes: &[u8]) -> Header<'_, usize> {
    Some(match *bytes {
        [short @ 0x90..=0x9f, ref rest @ ..] => (usize::from(short & 0x0f), rest),
        [0xdc, a, b, ref rest @ ..] => (usize::from(u16::from_be_bytes([a, b])), rest),
        [0xdd, a, b, c, d, ref rest @ ..] => (length_of([a, b, c, d])?, rest),
        _ => return None,
    })
}

/// Reads the number of entries of a map.
#[inline]
pub(crate) fn map_header(bytes: &[u8]) -> Header<'_, usize> {
    Some(match *bytes {
        [short @ 0x80..=0x8f, ref rest @ ..] => (usize::from(short & 0x0f), rest),
        [0xde, a, b, ref rest @ ..] => (usize::from(u16::from_be_bytes([a, b])), rest),
        [0xdf, a, b, c, d, ref rest @ ..] => (length_of([a, b, c, d])?, rest),
        _ => return None,
    })
}

/// Reads the length of a string in bytes.
#[inline]
pub(crate) fn str_header(bytes: &[u8]) -> Header<'_, usize> {
    Some(match *bytes {
        [short @ 0xa0..=0xbf, ref rest @ ..] => (usize::from(short & 0x1f), rest),
        [0xd9, a, ref rest @ ..] => (usize::from(a), rest),
        [0xda, a, b, ref rest @ ..] => (usize::from(u16::from_be_bytes([a, b])), rest),
        [0xdb, a, b, c, d, ref rest @ ..] => (length_of([a, b, c, d])?, rest),
        _ => return None,
    })
}

/// Reads the length of a binary in bytes.
#[inline]
pub(crate) fn bin_header(bytes: &[u8]) -> Header<'_, usize> {
    Some(match *bytes {
        [0xc4, a, ref rest @ ..] => (usize::from(a), rest),
        [0xc5, a, b, ref rest @ ..] => (usize::from(u16::from_be_bytes([a, b])), rest),
        [0xc6, a, b, c, d, ref rest @ ..] => (length_of([a, b, c, d])?, rest),
        _ => return None,
    })
}

/// Reads a number in one of the unsigned forms.
#[inline]
pub(crate) fn uint(bytes: &[u8]) -> Header<'_, u64> {
    match *bytes {
        [value @ 0..0x80, ref rest @ ..] => Some((value.into(), rest)),
        _ => long_uint(bytes),
    }
}

/// Reads a number in one of the unsigned forms of more than one byte.
pub(crate) fn long_uint(bytes: &[u8]) -> Header<'_, u64> {
    Some(match *bytes {
        [0xcc, a, ref rest @ ..] => (a.into(), rest),
        [0xcd, a, b, ref rest @ ..] => (u16::from_be_bytes([a, b]).into(), rest),
        [0xce, a, b, c, d, ref rest @ ..] => (u32::from_be_bytes([a, b, c, d]).into(), rest),
        [0xcf, ref rest @ ..] => {
            let (number, rest) = rest.split_first_chunk()?;
            (u64::from_be_bytes(*number), rest)
        }
        _ => return None,
    })
}

/// Reads a number in any form.
pub(crate) fn int(bytes: &[u8]) -> Header<'_, i64> {
    Some(match *bytes {
        [value @ 0..0x80, ref rest @ ..] => (value.into(), rest),
        [value @ 0xe0..=0xff, ref rest @ ..] => (i8::from_be_bytes([value]).into(), rest),
        [0xd0, a, ref rest @ ..] => (i8::from_be_bytes([a]).into(), rest),
        [0xd1, a, b, ref rest @ ..] => (i16::from_be_bytes([a, b]).into(), rest),
        [0xd2, a, b, c, d, ref rest @ ..] => (i32::from_be_bytes([a, b, c, d]).into(), rest),
        [0xd3, ref rest @ ..] => {
            let (number, rest) = rest.split_first_chunk()?;
            (i64::from_be_bytes(*number), rest)
        }
        _ => {
            let (value, rest) = long_uint(bytes)?;
            (value.try_into().ok()?, rest)
        }
    })
}

/// Returns the length in bytes of the next `values` values, or `None` where the bytes end before they do or hold the byte `0xc1`,
/// which MessagePack never uses.
///
/// Counts instead of recursing, so no bound on nesting is needed.
#[inline]
pub(crate) fn length_of_values(bytes: &[u8], values: u64) -> Option<usize> {
    extent_of_values(bytes, values).map(|(length, _)| length)
}

/// Returns the length in bytes of the next `values` values, and the number of values in them, themselves among these. Otherwise as
/// [`length_of_values`].
#[inline]
pub(crate) fn extent_of_values(bytes: &[u8], values: u64) -> Option<(usize, usize)> {
    let (mut rest, mut left, mut count) = (bytes, values, 0);
    while left > 0 {
        // Each value takes a byte, so a count that overflows is one of values that can't be there.
        left = (left - 1).checked_add(skip_head(&mut rest)?)?;
        count += 1;
    }
    Some((bytes.len() - rest.len(), count))
}

/// Skips a value up to the values inside it. Returns how many those are.
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

/// Reads a big-endian number of up to four bytes.
#[inline]
fn number(rest: &mut &[u8], bytes: usize) -> Option<u64> {
    Some(take(rest, bytes)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

#[inline]
fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    rest.split_off(..length)
}

fn length_of(bytes: [u8; 4]) -> Option<usize> {
    usize::try_from(u32::from_be_bytes(bytes)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_that_of_all_that_is_inside() {
        // [1, {"a": nil}, bin of 2, ext of 4] and 7
        let two = [0x94, 1, 0x81, 0xa1, b'a', 0xc0, 0xc4, 2, 9, 9, 0xd6, 5, 1, 2, 3, 4, 7];
        assert_eq!(length_of_values(&two, 1), Some(16));
        assert_eq!(length_of_values(&two, 2), Some(17));
        assert_eq!(extent_of_values(&two, 2), Some((17, 8)));
        assert_eq!(length_of_values(&two, 3), None);
        assert!((0..16).all(|end| length_of_values(&two[..end], 1).is_none()));
        assert_eq!(length_of_values(&[], 0), Some(0));
    }

    #[test]
    fn hostile_counts_end_with_the_bytes() {
        let nested = [0xdd, 0xff, 0xff, 0xff, 0xff].repeat(1_000);
        assert_eq!(length_of_values(&nested, u64::MAX), None);
        assert_eq!(length_of_values(&[0xc1], 1), None);
    }
}
