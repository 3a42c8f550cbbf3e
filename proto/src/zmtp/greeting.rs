//! The greeting: the first 64 bytes that each peer sends.

use super::Error;
use super::error::printable;

/// Length of a greeting in bytes.
pub(super) const GREETING_BYTES: usize = 64;
/// Length of the signature, with the version's first byte, after which a peer that does not speak ZMTP 3 is told.
const SIGNATURE: [u8; 10] = [0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f];
/// Where the major version stands.
const MAJOR_AT: usize = 10;
/// Where the minor version stands.
const MINOR_AT: usize = 11;
/// Where the name of the mechanism stands, padded with zeros to 20 bytes.
const MECHANISM_AT: usize = 12;
const MECHANISM_BYTES: usize = 20;
/// Where it stands whether the peer is the server of the mechanism.
const AS_SERVER_AT: usize = 32;

/// What a greeting says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Greeting {
    /// Minor version: 3.1 has commands that 3.0 has not.
    pub(super) minor: u8,
    pub(super) as_server: bool,
}

/// Returns the greeting of this side.
pub(super) fn write(mechanism: &str, as_server: bool) -> [u8; GREETING_BYTES] {
    let mut greeting = [0; GREETING_BYTES];
    greeting[..SIGNATURE.len()].copy_from_slice(&SIGNATURE);
    (greeting[MAJOR_AT], greeting[MINOR_AT]) = (3, 1);
    greeting[MECHANISM_AT..MECHANISM_AT + mechanism.len()].copy_from_slice(mechanism.as_bytes());
    greeting[AS_SERVER_AT] = u8::from(as_server);
    greeting
}

/// Checks the first bytes of a greeting, as far as they have arrived: a peer that does not speak ZMTP is told apart at once.
///
/// The eight bytes of padding may be anything: older versions put a length there.
///
/// # Errors
/// They are no ZMTP, or of a version before 3.0.
pub(super) fn check(bytes: &[u8]) -> Result<(), Error> {
    let is_wrong = |at: usize| bytes.get(at).is_some_and(|byte| *byte != SIGNATURE[at]);
    if is_wrong(0) || is_wrong(9) {
        return Err(Error::NotZmtp);
    }
    match bytes.get(MAJOR_AT) {
        Some(&major) if major < 3 => Err(Error::Version { major }),
        _ => Ok(()),
    }
}

/// Reads a whole greeting of a peer.
///
/// # Errors
/// It is no greeting of ZMTP 3, or the peer wants another mechanism.
pub(super) fn read(greeting: &[u8; GREETING_BYTES], mechanism: &'static str) -> Result<Greeting, Error> {
    check(greeting)?;
    let theirs = &greeting[MECHANISM_AT..MECHANISM_AT + MECHANISM_BYTES];
    let theirs = theirs.split(|byte| *byte == 0).next().unwrap_or_default();
    if theirs != mechanism.as_bytes() {
        return Err(Error::Mechanism { theirs: printable(theirs), ours: mechanism });
    }
    // A later major version has to understand ours.
    let minor = if greeting[MAJOR_AT] == 3 { greeting[MINOR_AT] } else { u8::MAX };
    Ok(Greeting { minor, as_server: greeting[AS_SERVER_AT] == 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_greeting_is_read_as_it_was_written() {
        for as_server in [false, true] {
            let greeting = write("PLAIN", as_server);
            assert_eq!(read(&greeting, "PLAIN"), Ok(Greeting { minor: 1, as_server }));
        }
        let expected = [&[0xff][..], &[0; 8], &[0x7f, 3, 1], b"NULL", &[0; 16], &[0], &[0; 31]].concat();
        assert_eq!(write("NULL", false).to_vec(), expected);
    }

    #[test]
    fn what_is_no_zmtp_is_told_by_its_first_byte() {
        for bytes in [&b"G"[..], b"GET / HTTP/1.1", b"\x16\x03\x01", b"\0"] {
            assert_eq!(check(bytes), Err(Error::NotZmtp));
        }
        assert_eq!(check(&[0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0]), Err(Error::NotZmtp));
        assert_eq!(check(&[0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 2]), Err(Error::Version { major: 2 }));
        assert_eq!(check(&[0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f]), Ok(()));
        assert_eq!(check(&[]), Ok(()));
    }

    #[test]
    fn another_mechanism_is_named() {
        let error = read(&write("CURVE", false), "NULL").unwrap_err();
        assert_eq!(error, Error::Mechanism { theirs: "CURVE".to_owned(), ours: "NULL" });
        let mut later = write("NULL", false);
        (later[MAJOR_AT], later[MINOR_AT]) = (4, 0);
        assert!(read(&later, "NULL").is_ok_and(|greeting| greeting.minor >= 1));
    }
}
