//! Base64 (RFC 4648): written in the standard alphabet with padding; also read in the alphabet for URLs, and without padding.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Returns the text of bytes.
pub(super) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let bits =
            (0..3).fold(0_usize, |bits, at| bits << 8 | usize::from(chunk.get(at).copied().unwrap_or(0)));
        for digit in 0..4 {
            let has_bits = digit <= chunk.len();
            text.push(if has_bits { char::from(ALPHABET[bits >> (18 - 6 * digit) & 63]) } else { '=' });
        }
    }
    text
}

/// Returns the bytes of a text, or `None` if it is not base64. Bits past the last byte must be zero, so that no two texts of one
/// alphabet and length are the same bytes.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    let padding = text.len() - digits.len();
    if padding > 0 && (padding > 2 || !text.len().is_multiple_of(4)) {
        return None;
    }
    let mut bytes = Vec::with_capacity(digits.len() / 4 * 3 + 2);
    for chunk in digits.as_bytes().chunks(4) {
        let mut bits = 0_u32;
        for digit in chunk {
            bits = bits << 6 | value_of(*digit)?;
        }
        let unused = 4 - chunk.len();
        let [_, all @ ..] = (bits << (6 * unused)).to_be_bytes();
        let (whole, rest) = all.split_at(3 - unused.min(3));
        if chunk.len() == 1 || rest.iter().any(|byte| *byte != 0) {
            return None;
        }
        bytes.extend_from_slice(whole);
    }
    Some(bytes)
}

fn value_of(digit: u8) -> Option<u32> {
    let value = match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    };
    Some(value.into())
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};

    #[test]
    fn the_vectors_of_rfc_4648_hold() {
        let vectors = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ];
        for (bytes, text) in vectors {
            assert_eq!(encode(bytes.as_bytes()), text);
            assert_eq!(decode(text).as_deref(), Some(bytes.as_bytes()), "{text}");
            assert_eq!(decode(text.trim_end_matches('=')).as_deref(), Some(bytes.as_bytes()), "{text}");
        }
    }

    #[test]
    fn all_bytes_return_in_either_alphabet() {
        let bytes: Vec<u8> = (0..=255).collect();
        let text = encode(&bytes);
        assert_eq!(decode(&text), Some(bytes.clone()));
        assert_eq!(decode(&text.replace('+', "-").replace('/', "_")), Some(bytes));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in
            ["A", "AB=C", "Zg=", "Zg===", "Zm9v=", "Zh==", "Zm9=", "Z g==", "Zg==\n", "Zé==", "====", "="]
        {
            assert_eq!(decode(text), None, "{text:?}");
        }
    }
}
