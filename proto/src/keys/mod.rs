//! Long-term keys of CURVE: what they are, how they are written as text (Z85), and the [`Certificate`] files that hold them.
//!
//! Reading and writing files is left to others; so is randomness, which is handed in. How keys are used is in [`crate::zmtp::curve`].

mod certificate;
mod secret_box;
mod z85;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use subtle::ConstantTimeEq;
use x25519_dalek::StaticSecret;
use zeroize::{Zeroize, Zeroizing};

pub use certificate::{Certificate, CertificateError};
pub(crate) use secret_box::{OpeningTail, SharedKey, StreamKey, TAG_BYTES};

/// Length of a key in bytes, public or secret.
pub const KEY_BYTES: usize = 32;
/// Length of a key as text.
pub const KEY_CHARACTERS: usize = 40;

/// A public key, by which a peer is known. Its text, by `Display` and [`FromStr`], is Z85, as in libzmq.
///
/// Two keys are compared in constant time.
#[derive(Clone, Copy)]
pub struct PublicKey([u8; KEY_BYTES]);

/// A secret key, with the public key that belongs to it. It is wiped when it is dropped, and never printed: its text is to be had by
/// [`SecretKey::to_z85`] alone.
#[derive(Clone)]
pub struct SecretKey {
    /// Wipes itself.
    secret: StaticSecret,
    public: PublicKey,
}

/// A text that is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParseKeyError {
    /// The text has another length than the 40 characters of a key.
    Length {
        /// Number of bytes of the text.
        bytes: usize,
    },
    /// The text has a character that Z85 does not have, or five that stand for no number of 32 bits.
    Character {
        /// Where the character stands, or the first of the five, counted from 0.
        at: usize,
    },
}

impl PublicKey {
    /// Creates a key of its bytes. Any 32 bytes are one.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes of the key.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }
}

impl SecretKey {
    /// Creates a key of its bytes. Any 32 bytes are one; they must be random, and known to its owner alone.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; KEY_BYTES]) -> Self {
        let secret = StaticSecret::from(*bytes);
        let public = PublicKey(x25519_dalek::PublicKey::from(&secret).to_bytes());
        Self { secret, public }
    }

    /// Returns the public key that belongs to it.
    #[must_use]
    pub const fn public_key(&self) -> PublicKey {
        self.public
    }

    /// Returns the key as text, which is wiped when it is dropped.
    #[must_use]
    pub fn to_z85(&self) -> Zeroizing<String> {
        Zeroizing::new(z85::encode(self.secret.as_bytes()))
    }

    /// Returns the bytes of the key.
    pub(crate) fn as_bytes(&self) -> &[u8; KEY_BYTES] {
        self.secret.as_bytes()
    }

    /// Returns the key that this one and another's public key have in common, or `None` if the public key is one of the few with which
    /// every secret key has the same in common.
    pub(crate) fn agree(&self, public: &PublicKey) -> Option<SharedKey> {
        let shared = self.secret.diffie_hellman(&x25519_dalek::PublicKey::from(public.0));
        shared.was_contributory().then(|| SharedKey::of(shared.as_bytes()))
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for PublicKey {}

impl Hash for PublicKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&z85::encode(&self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretKey").field("public", &self.public).finish_non_exhaustive()
    }
}

impl FromStr for PublicKey {
    type Err = ParseKeyError;

    fn from_str(text: &str) -> Result<Self, ParseKeyError> {
        z85::decode(text.as_bytes()).map(Self)
    }
}

impl FromStr for SecretKey {
    type Err = ParseKeyError;

    fn from_str(text: &str) -> Result<Self, ParseKeyError> {
        let mut bytes = z85::decode(text.as_bytes())?;
        let key = Self::from_bytes(&bytes);
        bytes.zeroize();
        Ok(key)
    }
}

impl fmt::Display for ParseKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { bytes } => {
                write!(f, "a key has {KEY_CHARACTERS} characters of Z85, and this text has {bytes}")
            }
            Self::Character { at } => write!(f, "the text is no Z85 from character {} on", at + 1),
        }
    }
}

impl std::error::Error for ParseKeyError {}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pair of keys from the manual of libzmq (`zmq_curve(7)`, "Test key values").
    const PUBLIC: &str = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID";
    const SECRET: &str = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs";

    #[test]
    fn keys_of_libzmq_are_read_and_belong_together() {
        let secret: SecretKey = SECRET.parse().unwrap();
        assert_eq!(secret.public_key().to_string(), PUBLIC);
        assert_eq!(PUBLIC.parse(), Ok(secret.public_key()));
        assert_eq!(*secret.to_z85(), SECRET);
        assert_eq!(SecretKey::from_bytes(secret.as_bytes()).public_key(), secret.public_key());
    }

    #[test]
    fn nothing_that_is_printed_holds_a_secret() {
        let secret: SecretKey = SECRET.parse().unwrap();
        let printed = format!("{secret:?} {secret:#?} {:?}", SECRET[1..].parse::<SecretKey>().unwrap_err());
        assert!(printed.contains(PUBLIC) && !printed.contains(&SECRET[..5]), "{printed}");
        assert!(!printed.contains(&format!("{:?}", &secret.as_bytes()[..4])[1..10]), "{printed}");
    }

    #[test]
    fn texts_that_are_no_keys_are_told_with_the_place() {
        for (text, error) in [
            ("", ParseKeyError::Length { bytes: 0 }),
            (&PUBLIC[1..], ParseKeyError::Length { bytes: 39 }),
            (&PUBLIC.replace('@', " "), ParseKeyError::Character { at: 3 }),
            (&PUBLIC.replace("{hID", "\"hID"), ParseKeyError::Character { at: 36 }),
            // 85^5 is more than 2^32.
            (&"#".repeat(40), ParseKeyError::Character { at: 0 }),
            (&PUBLIC.replace("Yne@", "Yné"), ParseKeyError::Character { at: 2 }),
        ] {
            assert_eq!(text.parse::<PublicKey>(), Err(error), "{text}");
            assert_eq!(text.parse::<SecretKey>().map(|_| ()), Err(error), "{text}");
        }
        let error = "no key".parse::<PublicKey>().unwrap_err().to_string();
        assert_eq!(error, "a key has 40 characters of Z85, and this text has 6");
    }

    /// With these, the key that two have in common depends on neither.
    #[test]
    fn a_public_key_of_small_order_is_refused() {
        let secret: SecretKey = SECRET.parse().unwrap();
        let mut one = [0; KEY_BYTES];
        one[0] = 1;
        for bytes in [[0; KEY_BYTES], one] {
            assert!(secret.agree(&PublicKey::from_bytes(bytes)).is_none());
        }
        assert!(secret.agree(&secret.public_key()).is_some());
    }
}
