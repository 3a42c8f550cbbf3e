//! Appends headers and short values to a buffer, each in the shortest form.

use super::NIL;

#[inline]
pub(crate) fn nil(out: &mut Vec<u8>) {
    out.push(NIL);
}

/// Appends an unsigned number.
#[inline]
pub(crate) fn uint(out: &mut Vec<u8>, value: u64) {
    let bytes = value.to_be_bytes();
    match value {
        0..0x80 => out.push(bytes[7]),
        0x80..0x100 => out.extend_from_slice(&[0xcc, bytes[7]]),
        0x100..0x1_0000 => out.extend_from_slice(&[0xcd, bytes[6], bytes[7]]),
        0x1_0000..0x1_0000_0000 => {
            out.extend_from_slice(&[0xce, bytes[4], bytes[5], bytes[6], bytes[7]]);
        }
        _ => marked(out, 0xcf, bytes),
    }
}

/// Appends `marker` and eight bytes.
#[inline]
pub(crate) fn marked(out: &mut Vec<u8>, marker: u8, value: [u8; 8]) {
    out.push(marker);
    out.extend_from_slice(&value);
}

/// Appends the header of a string of `length` bytes.
///
/// # Errors
/// No header holds a length above `u32::MAX`. The same goes for the functions below.
#[inline]
pub(crate) fn str_header(out: &mut Vec<u8>, length: usize) -> Result<(), TooLong> {
    match u8::try_from(length) {
        Ok(short @ 0..0x20) => out.push(0xa0 | short),
        Ok(length) => out.extend_from_slice(&[0xd9, length]),
        Err(_) => return long_header(out, length, 0xda, 0xdb),
    }
    Ok(())
}

/// Appends the header of a binary of `length` bytes.
#[inline]
pub(crate) fn bin_header(out: &mut Vec<u8>, length: usize) -> Result<(), TooLong> {
    match u8::try_from(length) {
        Ok(length) => out.extend_from_slice(&[0xc4, length]),
        Err(_) => return long_header(out, length, 0xc5, 0xc6),
    }
    Ok(())
}

/// Appends the header of an array of `length` elements.
#[inline]
pub(crate) fn array_header(out: &mut Vec<u8>, length: usize) -> Result<(), TooLong> {
    match u8::try_from(length) {
        Ok(short @ 0..0x10) => out.push(0x90 | short),
        _ => return long_header(out, length, 0xdc, 0xdd),
    }
    Ok(())
}

/// Appends the header of a map of `length` entries.
#[inline]
pub(crate) fn map_header(out: &mut Vec<u8>, length: usize) -> Result<(), TooLong> {
    match u8::try_from(length) {
        Ok(short @ 0..0x10) => out.push(0x80 | short),
        _ => return long_header(out, length, 0xde, 0xdf),
    }
    Ok(())
}

/// A length that no header holds. Nothing was written.
#[derive(Debug)]
pub(crate) struct TooLong;

/// Appends a length in 16 bits after the marker `short`, or in 32 after the marker `long`.
fn long_header(out: &mut Vec<u8>, length: usize, short: u8, long: u8) -> Result<(), TooLong> {
    if let Ok(length) = u16::try_from(length) {
        let [a, b] = length.to_be_bytes();
        out.extend_from_slice(&[short, a, b]);
    } else {
        let [a, b, c, d] = u32::try_from(length).map_err(|_| TooLong)?.to_be_bytes();
        out.extend_from_slice(&[long, a, b, c, d]);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;

    #[test]
    fn headers_are_read_as_they_were_written() {
        type Write = fn(&mut Vec<u8>, usize) -> Result<(), TooLong>;
        type Read = fn(&[u8]) -> Option<(usize, &[u8])>;
        let pairs: [(Write, Read); 4] = [
            (array_header, read::array_header),
            (map_header, read::map_header),
            (str_header, read::str_header),
            (bin_header, read::bin_header),
        ];
        for (write, read) in pairs {
            for length in [0, 1, 15, 16, 31, 32, 255, 256, 65_535, 65_536, u32::MAX as usize] {
                let mut bytes = Vec::new();
                write(&mut bytes, length).unwrap();
                assert_eq!(read(&bytes), Some((length, &[][..])));
                assert!((0..bytes.len()).all(|end| read(&bytes[..end]).is_none()));
            }
        }
    }

    #[test]
    fn numbers_take_the_shortest_form() {
        for (value, length) in
            [(0, 1), (127, 1), (128, 2), (255, 2), (256, 3), (65_536, 5), (1 << 32, 9), (u64::MAX, 9)]
        {
            let mut bytes = Vec::new();
            uint(&mut bytes, value);
            assert_eq!((bytes.len(), read::uint(&bytes)), (length, Some((value, &[][..]))));
        }
    }
}
