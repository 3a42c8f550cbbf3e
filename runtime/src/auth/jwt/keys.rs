//! [`JwtKeys`]: where the keys of tokens stand; [`Keys`]: what is read there, and what each key may be used for.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use jsonwebtoken::crypto::{CryptoProvider, rust_crypto};
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyOperations, PublicKeyUse};
use jsonwebtoken::{AlgorithmFamily, DecodingKey};
use spki::der::asn1::UintRef;
use spki::der::{Decode as _, Document, Reader as _, SliceReader};
use spki::{ObjectIdentifier, SubjectPublicKeyInfoRef};
use zeroize::Zeroizing;

/// Algorithms by which tokens are signed. Source: RFC 7518, RFC 8037.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[expect(missing_docs, reason = "they are the names of the RFC")]
pub enum Algorithm {
    Hs256,
    Hs384,
    Hs512,
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    EdDsa,
}

impl Algorithm {
    /// Reports whether it is one of the library's.
    pub(super) fn is(self, other: jsonwebtoken::Algorithm) -> bool {
        use jsonwebtoken::Algorithm as Of;
        let own = match self {
            Self::Hs256 => Of::HS256,
            Self::Hs384 => Of::HS384,
            Self::Hs512 => Of::HS512,
            Self::Rs256 => Of::RS256,
            Self::Rs384 => Of::RS384,
            Self::Rs512 => Of::RS512,
            Self::Ps256 => Of::PS256,
            Self::Ps384 => Of::PS384,
            Self::Ps512 => Of::PS512,
            Self::Es256 => Of::ES256,
            Self::Es384 => Of::ES384,
            Self::EdDsa => Of::EdDSA,
        };
        own == other
    }
}

/// Where the keys stand by which tokens are signed.
#[derive(Debug, Clone)]
pub struct JwtKeys {
    path: PathBuf,
    format: Format,
}

#[derive(Debug, Clone, Copy)]
enum Format {
    Jwks,
    Pem,
    Secret,
}

/// Why there are no keys to be had.
#[derive(Debug)]
#[non_exhaustive]
pub enum JwtKeyError {
    /// The file can't be read.
    Unreadable {
        /// Path of the file.
        path: PathBuf,
        /// What the system says.
        why: io::Error,
    },
    /// The file has a secret, and others than its owner may read it.
    Exposed {
        /// Path of the file.
        path: PathBuf,
    },
    /// There is no key in the file that can be used.
    Wrong {
        /// Path of the file.
        path: PathBuf,
        /// What is wrong, without anything of a key.
        why: String,
    },
}

impl JwtKeyError {
    pub(super) fn unreadable(path: &Path, why: io::Error) -> Self {
        Self::Unreadable { path: path.to_owned(), why }
    }
}

impl fmt::Display for JwtKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, why } => {
                write!(f, "the file of token keys `{}` can't be read: {why}", path.display())
            }
            Self::Exposed { path } => {
                write!(
                    f,
                    "others than its owner may read the secret in `{0}`; run `chmod 600 {0}`",
                    path.display()
                )
            }
            Self::Wrong { path, why } => write!(f, "`{}` has no keys for tokens: {why}", path.display()),
        }
    }
}

impl std::error::Error for JwtKeyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable { why, .. } => Some(why),
            Self::Exposed { .. } | Self::Wrong { .. } => None,
        }
    }
}

/// Maximum number of bytes of a file of keys.
const MAX_FILE_BYTES: u64 = 1024 * 1024;
/// Minimum length of a secret in bytes: what RFC 7518, 3.2, asks of HS256. A longer hash asks for as much as it has itself.
const MIN_SECRET_BYTES: usize = 32;
/// Minimum size of an RSA key in bits. Source: RFC 7518, 3.3.
const MIN_RSA_BITS: usize = 2_048;

impl JwtKeys {
    /// Names a JSON Web Key Set (RFC 7517), as issuers publish it: public keys, of RSA, of P-256 and P-384, and of Ed25519. A token names
    /// its key by `kid`. Keys of other kinds are left out, also secret ones, and so are those that are for encryption.
    #[must_use]
    pub fn jwks(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), format: Format::Jwks }
    }

    /// Names a public key in PEM, of one of these kinds: `-----BEGIN PUBLIC KEY-----`.
    #[must_use]
    pub fn pem(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), format: Format::Pem }
    }

    /// Names a secret that the issuer has, too, for HS256 and its like: all bytes of the file but line ends at its end, 32 or more. On
    /// Unix, others than its owner must not be able to read the file. Who can verify such tokens can issue them.
    #[must_use]
    pub fn secret(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), format: Format::Secret }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn read(&self) -> Result<Keys, JwtKeyError> {
        let bytes = self.bytes()?;
        let keys = match self.format {
            Format::Jwks => jwks(&bytes),
            Format::Pem => pem(&bytes),
            Format::Secret => secret(&bytes),
        };
        keys.map(Keys).map_err(|why| JwtKeyError::Wrong { path: self.path.clone(), why })
    }

    fn bytes(&self) -> Result<Zeroizing<Vec<u8>>, JwtKeyError> {
        let unreadable = |why| JwtKeyError::unreadable(&self.path, why);
        let file = File::open(&self.path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        if matches!(self.format, Format::Secret) && is_open_to_others(&metadata) {
            return Err(JwtKeyError::Exposed { path: self.path.clone() });
        }
        // All at once: a buffer that grows would leave what it had behind.
        let length = usize::try_from(metadata.len().min(MAX_FILE_BYTES)).unwrap_or(0);
        let mut bytes = Zeroizing::new(Vec::with_capacity(length + 1));
        file.take(MAX_FILE_BYTES).read_to_end(&mut bytes).map_err(unreadable)?;
        Ok(bytes)
    }
}

#[cfg(unix)]
fn is_open_to_others(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o077 != 0
}

/// Elsewhere, the mode of a file does not tell.
#[cfg(not(unix))]
fn is_open_to_others(_metadata: &std::fs::Metadata) -> bool {
    false
}

/// Has the library use its implementation in Rust, also where another crate of the program has asked it for two.
pub(super) fn install() {
    if CryptoProvider::try_get_default().is_none() {
        // It fails where another thread has just done the same.
        let _ = rust_crypto::DEFAULT_PROVIDER.install_default();
    }
}

/// The keys of a file.
pub(super) struct Keys(Vec<Key>);

/// A key, and what it may be used for.
pub(super) struct Key {
    id: Option<String>,
    value: DecodingKey,
    algorithms: Vec<jsonwebtoken::Algorithm>,
}

impl Key {
    pub(super) fn value(&self) -> &DecodingKey {
        &self.value
    }

    pub(super) fn allows(&self, algorithm: jsonwebtoken::Algorithm) -> bool {
        self.algorithms.contains(&algorithm)
    }
}

impl Keys {
    /// Returns the key that a token names.
    ///
    /// # Errors
    /// There is none, or the token names none and there are several.
    pub(super) fn find(
        &self,
        id: Option<&str>,
        algorithm: jsonwebtoken::Algorithm,
    ) -> Result<&Key, &'static str> {
        if let [only] = &self.0[..]
            && (only.id.is_none() || id.is_none())
        {
            return Ok(only);
        }
        if let Some(id) = id {
            let named = self.0.iter().find(|key| key.id.as_deref() == Some(id));
            return named.ok_or("the token names a key that is not known here");
        }
        let mut fitting = self.0.iter().filter(|key| key.allows(algorithm));
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Ok(key),
            _ => Err("the token does not name its key, and there are several"),
        }
    }
}

fn secret(bytes: &[u8]) -> Result<Vec<Key>, String> {
    let secret = bytes.trim_ascii_end();
    if secret.len() < MIN_SECRET_BYTES {
        return Err(format!(
            "a secret has {MIN_SECRET_BYTES} random bytes or more, and this one has {}",
            secret.len()
        ));
    }
    let key = DecodingKey::from_secret(secret).map_err(|error| error.to_string())?;
    let algorithms = AlgorithmFamily::Hmac.algorithms().iter().zip([32, 48, 64]);
    let algorithms = algorithms.filter(|(_, bytes)| secret.len() >= *bytes).map(|(algorithm, _)| *algorithm);
    Ok(vec![Key { id: None, value: key, algorithms: algorithms.collect() }])
}

fn pem(bytes: &[u8]) -> Result<Vec<Key>, String> {
    if bytes.windows(11).any(|text| text == b"PRIVATE KEY") {
        return Err("it is a private key, and a server needs the public one alone".to_owned());
    }
    let read = std::str::from_utf8(bytes).ok().and_then(|text| Document::from_pem(text).ok());
    let key =
        read.filter(|(label, _)| *label == "PUBLIC KEY").and_then(|(_, document)| spki(document.as_bytes()));
    let Some((value, algorithms)) = key else {
        return Err("it is no `PUBLIC KEY` in PEM, of RSA, P-256, P-384 or Ed25519".to_owned());
    };
    if value.family() == AlgorithmFamily::Rsa
        && value.try_get_as_bytes().ok().and_then(rsa_bits).is_none_or(|bits| bits < MIN_RSA_BITS)
    {
        return Err(format!("an RSA key has {MIN_RSA_BITS} bits or more"));
    }
    Ok(vec![Key { id: None, value, algorithms }])
}

/// Returns the size of an RSA key, which is that of its modulus. Source: RFC 8017, A.1.1.
fn rsa_bits(der: &[u8]) -> Option<usize> {
    let read = SliceReader::new(der).ok()?.sequence(|key| {
        let (modulus, _exponent) = (UintRef::decode(key)?, UintRef::decode(key)?);
        let bytes = modulus.as_bytes();
        let zeros = bytes.first().map_or(0, |first| first.leading_zeros() as usize);
        Ok::<_, spki::der::Error>(bytes.len() * 8 - zeros)
    });
    read.ok()
}

/// Reads a public key with the name of its algorithm. Source: RFC 5280, 4.1.2.7; RFC 3279; RFC 5480; RFC 8410.
fn spki(der: &[u8]) -> Option<(DecodingKey, Vec<jsonwebtoken::Algorithm>)> {
    use jsonwebtoken::Algorithm as Of;
    const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
    const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
    const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
    const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
    const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
    let key = SubjectPublicKeyInfoRef::try_from(der).ok()?;
    let bits = key.subject_public_key.as_bytes()?;
    Some(match (key.algorithm.oid, key.algorithm.parameters_oid().ok()) {
        (RSA, _) => (DecodingKey::from_rsa_der(bits), AlgorithmFamily::Rsa.algorithms().to_vec()),
        (EC, Some(P256)) => (DecodingKey::from_ec_der(bits), vec![Of::ES256]),
        (EC, Some(P384)) => (DecodingKey::from_ec_der(bits), vec![Of::ES384]),
        (ED25519, _) => (DecodingKey::from_ed_der(bits), vec![Of::EdDSA]),
        _ => return None,
    })
}

fn jwks(bytes: &[u8]) -> Result<Vec<Key>, String> {
    let set: JwkSet = serde_json::from_slice(bytes).map_err(|error| {
        format!("it is no JSON Web Key Set: line {}, column {}", error.line(), error.column())
    })?;
    let mut keys: Vec<Key> = Vec::new();
    for key in set.keys.iter().filter(|key| is_for_signatures(key)).filter_map(jwk) {
        if key.id.is_some() && keys.iter().any(|known| known.id == key.id) {
            return Err("two keys have the same `kid`".to_owned());
        }
        keys.push(key);
    }
    if keys.is_empty() {
        return Err(
            "none of its keys is public, for signatures, and of RSA, P-256, P-384 or Ed25519".to_owned()
        );
    }
    Ok(keys)
}

fn is_for_signatures(key: &Jwk) -> bool {
    let common = &key.common;
    let operations = common.key_operations.as_ref();
    common.public_key_use.as_ref().is_none_or(|use_| *use_ == PublicKeyUse::Signature)
        && operations.is_none_or(|operations| operations.contains(&KeyOperations::Verify))
}

/// Reads a key, if it is of a kind that is used here. A secret is none: a file of public keys has no place for it.
fn jwk(key: &Jwk) -> Option<Key> {
    use jsonwebtoken::Algorithm as Of;
    let fitting: &[Of] = match &key.algorithm {
        // In base64, six bits to a character, of which `A` has none.
        AlgorithmParameters::RSA(of) if of.n.trim_start_matches('A').len() * 6 >= MIN_RSA_BITS => {
            AlgorithmFamily::Rsa.algorithms()
        }
        AlgorithmParameters::EllipticCurve(of) if of.curve == EllipticCurve::P256 => &[Of::ES256],
        AlgorithmParameters::EllipticCurve(of) if of.curve == EllipticCurve::P384 => &[Of::ES384],
        AlgorithmParameters::OctetKeyPair(of) if of.curve == EllipticCurve::Ed25519 => &[Of::EdDSA],
        _ => return None,
    };
    let algorithms: Vec<Of> = match key.common.key_algorithm {
        None => fitting.to_vec(),
        Some(named) => fitting.iter().copied().filter(|of| format!("{of:?}") == named.to_string()).collect(),
    };
    let read = DecodingKey::from_jwk(key).ok()?;
    (!algorithms.is_empty()).then(|| Key { id: key.common.key_id.clone(), value: read, algorithms })
}
