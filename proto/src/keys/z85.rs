//! Z85: bytes as printable characters, five for four bytes. Source: RFC 32 of <https://rfc.zeromq.org>.

use super::{KEY_BYTES, KEY_CHARACTERS, ParseKeyError};

const ALPHABET: &[u8; 85] =
    b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

/// Number of characters for [`GROUP_BYTES`] bytes.
const GROUP_CHARACTERS: usize = 5;
const GROUP_BYTES: usize = 4;

/// Returns the text of a key. Takes the same time for every key.
pub(super) fn encode(key: &[u8; KEY_BYTES]) -> String {
    // No allocation is left behind while it grows.
    let mut text = String::with_capacity(KEY_CHARACTERS);
    let (groups, _) = key.as_chunks::<GROUP_BYTES>();
    for group in groups {
        let number = u32::from_be_bytes(*group);
        for power in [85_u32.pow(4), 85_u32.pow(3), 85_u32.pow(2), 85, 1] {
            text.push(char::from(character(number / power % 85)));
        }
    }
    text
}

/// Returns the bytes of a key's text. Takes the same time for every text that is one.
pub(super) fn decode(text: &[u8]) -> Result<[u8; KEY_BYTES], ParseKeyError> {
    if text.len() != KEY_CHARACTERS {
        return Err(ParseKeyError::Length { bytes: text.len() });
    }
    let mut key = [0; KEY_BYTES];
    let (groups, _) = text.as_chunks::<GROUP_CHARACTERS>();
    for (index, (group, out)) in groups.iter().zip(key.chunks_exact_mut(GROUP_BYTES)).enumerate() {
        let mut number = 0_u64;
        for (place, character) in group.iter().enumerate() {
            let wrong = ParseKeyError::Character { at: index * GROUP_CHARACTERS + place };
            number = number * 85 + u64::from(digit(*character).ok_or(wrong)?);
        }
        let wrong = ParseKeyError::Character { at: index * GROUP_CHARACTERS };
        out.copy_from_slice(&u32::try_from(number).map_err(|_| wrong)?.to_be_bytes());
    }
    Ok(key)
}

/// Returns the character of a digit. Looks at the whole alphabet, since which of its cache lines are read could be observed.
fn character(digit: u32) -> u8 {
    let of = |(index, character): (u32, &u8)| if index == digit { *character } else { 0 };
    (0..).zip(ALPHABET).map(of).fold(0, |found, character| found | character)
}

/// Returns the digit of a character, if it has one.
fn digit(character: u8) -> Option<u8> {
    let of = |(index, other): (u8, &u8)| if *other == character { index + 1 } else { 0 };
    // One more than the digit, or 0.
    (0..).zip(ALPHABET).map(of).fold(0, |found, digit| found | digit).checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Source: RFC 32, "Test case".
    #[test]
    fn the_test_case_of_the_rfc_holds() {
        let mut key = [0; KEY_BYTES];
        key[..8].copy_from_slice(&[0x86, 0x4F, 0xD2, 0x6F, 0xB5, 0x59, 0xF7, 0x5B]);
        let text = encode(&key);
        assert_eq!(text, format!("HelloWorld{}", "0".repeat(30)));
        assert_eq!(decode(text.as_bytes()), Ok(key));
    }

    #[test]
    fn each_byte_is_read_as_it_was_written() {
        for byte in 0..=u8::MAX {
            let key = [byte; KEY_BYTES];
            assert_eq!(decode(encode(&key).as_bytes()), Ok(key));
        }
    }

    #[test]
    fn only_the_alphabet_is_read() {
        for byte in 0..=u8::MAX {
            let mut text = [b'0'; KEY_CHARACTERS];
            text[7] = byte;
            assert_eq!(decode(&text).is_ok(), ALPHABET.contains(&byte), "{byte}");
        }
    }
}
