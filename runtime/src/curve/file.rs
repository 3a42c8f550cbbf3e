//! [`KeyFile`]: keys from files, and from the environment.

use std::env;
use std::fmt;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;
use zsvc_proto::keys::{Certificate, CertificateError, ParseKeyError, PublicKey, SecretKey};

/// A file of keys, as `zsvc keygen`, czmq and pyzmq's `zmq.auth` write it.
///
/// ```no_run
/// use zsvc::curve::{CurveServer, KeyFile};
///
/// let key = KeyFile::new("/etc/tape/floor.key_secret").secret_key()?;
/// let desk = KeyFile::new("/etc/tape/desk.key").public_key()?;
/// let curve = CurveServer::new(key).allow(desk);
/// # Ok::<(), zsvc::curve::KeyError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "a file is not read before it is asked for a key"]
pub struct KeyFile {
    path: PathBuf,
    may_be_read_by_others: bool,
}

/// Why there is no key to be had.
#[derive(Debug)]
#[non_exhaustive]
pub enum KeyError {
    /// The file can't be read.
    Unreadable {
        /// Path of the file.
        path: PathBuf,
        /// What the system says.
        why: io::Error,
    },
    /// Others than the owner of the file may read it, although it has a secret key.
    Exposed {
        /// Path of the file.
        path: PathBuf,
    },
    /// The file is no certificate, or one with something wrong.
    NoCertificate {
        /// Path of the file.
        path: PathBuf,
        /// What is wrong.
        why: CertificateError,
    },
    /// The file has no secret key, but a public one.
    NoSecretKey {
        /// Path of the file.
        path: PathBuf,
    },
    /// An environment variable is not set, or empty.
    NotSet {
        /// Name of the variable.
        variable: String,
    },
    /// The value of an environment variable is no key. The value is not told.
    NoKey {
        /// Name of the variable.
        variable: String,
        /// What is wrong.
        why: ParseKeyError,
    },
}

/// Maximum number of bytes that are read: more than a certificate may have.
const MAX_READ_BYTES: u64 = 128 * 1024;

impl KeyFile {
    /// Names a file, which is read when it is asked for a key.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), may_be_read_by_others: false }
    }

    /// Takes a secret key also from a file that others than its owner may read, as where a container gets its files from elsewhere. Without
    /// this, such a file is refused, on Unix: its key may be known by now.
    pub fn may_be_read_by_others(mut self) -> Self {
        self.may_be_read_by_others = true;
        self
    }

    /// Reads the secret key, and the public key that belongs to it.
    ///
    /// # Errors
    /// The file can't be read, others may read it, or it has no secret key.
    pub fn secret_key(&self) -> Result<SecretKey, KeyError> {
        let path = || self.path.clone();
        let (certificate, metadata) = self.read()?;
        let key = certificate.into_secret_key().ok_or_else(|| KeyError::NoSecretKey { path: path() })?;
        if is_open_to_others(&metadata) && !self.may_be_read_by_others {
            return Err(KeyError::Exposed { path: path() });
        }
        Ok(key)
    }

    /// Reads the public key. A file that has a secret key as well is good for it.
    ///
    /// # Errors
    /// The file can't be read, or it has no key.
    pub fn public_key(&self) -> Result<PublicKey, KeyError> {
        Ok(self.read()?.0.public_key())
    }

    fn read(&self) -> Result<(Certificate, Metadata), KeyError> {
        let (text, metadata) =
            read(&self.path).map_err(|why| KeyError::Unreadable { path: self.path.clone(), why })?;
        let certificate = Certificate::read(&text);
        let certificate =
            certificate.map_err(|why| KeyError::NoCertificate { path: self.path.clone(), why })?;
        Ok((certificate, metadata))
    }
}

fn read(path: &Path) -> io::Result<(Zeroizing<Vec<u8>>, Metadata)> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    // All at once: a buffer that grows would leave what it had behind.
    let bytes = usize::try_from(metadata.len().min(MAX_READ_BYTES)).unwrap_or(0);
    let mut text = Zeroizing::new(Vec::with_capacity(bytes + 1));
    file.take(MAX_READ_BYTES).read_to_end(&mut text)?;
    Ok((text, metadata))
}

#[cfg(unix)]
fn is_open_to_others(metadata: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o077 != 0
}

/// Elsewhere, the mode of a file does not tell.
#[cfg(not(unix))]
fn is_open_to_others(_metadata: &Metadata) -> bool {
    false
}

/// Reads a secret key, in Z85, from an environment variable.
///
/// # Errors
/// The variable is not set, or no key.
pub fn secret_key_from_env(variable: &str) -> Result<SecretKey, KeyError> {
    from_env(variable)
}

/// Reads a public key, in Z85, from an environment variable.
///
/// # Errors
/// The variable is not set, or no key.
pub fn public_key_from_env(variable: &str) -> Result<PublicKey, KeyError> {
    from_env(variable)
}

fn from_env<K: std::str::FromStr<Err = ParseKeyError>>(variable: &str) -> Result<K, KeyError> {
    // As everywhere, a variable that is empty is none.
    let value = env::var_os(variable).filter(|value| !value.is_empty());
    let value = value.ok_or_else(|| KeyError::NotSet { variable: variable.to_owned() })?;
    let value = Zeroizing::new(value.to_string_lossy().into_owned());
    value.trim().parse().map_err(|why| KeyError::NoKey { variable: variable.to_owned(), why })
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, why } => {
                write!(f, "the key file `{}` can't be read: {why}", path.display())
            }
            Self::Exposed { path } => write!(
                f,
                "others than its owner may read the secret key in `{0}`; run `chmod 600 {0}`, or call `may_be_read_by_others`",
                path.display()
            ),
            Self::NoCertificate { path, why } => write!(f, "`{}` is no file of keys: {why}", path.display()),
            Self::NoSecretKey { path } => write!(
                f,
                "`{}` has a public key and no secret one; name the file whose name ends in `.key_secret`",
                path.display()
            ),
            Self::NotSet { variable } => {
                write!(f, "the environment variable `{variable}` is to hold a key, and is not set")
            }
            Self::NoKey { variable, why } => {
                write!(f, "the environment variable `{variable}` holds no key: {why}")
            }
        }
    }
}

impl std::error::Error for KeyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable { why, .. } => Some(why),
            Self::NoCertificate { why, .. } => Some(why),
            Self::NoKey { why, .. } => Some(why),
            Self::Exposed { .. } | Self::NoSecretKey { .. } | Self::NotSet { .. } => None,
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// A file that is removed when this is dropped.
    struct Written(PathBuf);

    impl Written {
        fn new(name: &str, text: &str, mode: u32) -> Self {
            let path = env::temp_dir().join(format!("zsvc-key-{}-{name}", std::process::id()));
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            Self(path)
        }
    }

    impl Drop for Written {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
        }
    }

    fn pair() -> Certificate {
        Certificate::of_pair(crate::curve::generate().unwrap())
    }

    #[test]
    fn keys_are_read_from_files() {
        let pair = pair();
        let secret = Written::new("secret", &pair.secret_text().unwrap(), 0o600);
        let public = Written::new("public", &pair.public_text(), 0o644);
        assert_eq!(KeyFile::new(&secret.0).secret_key().unwrap().public_key(), pair.public_key());
        assert_eq!(KeyFile::new(&secret.0).public_key().unwrap(), pair.public_key());
        assert_eq!(KeyFile::new(&public.0).public_key().unwrap(), pair.public_key());
        let error = KeyFile::new(&public.0).secret_key().unwrap_err();
        assert!(
            matches!(&error, KeyError::NoSecretKey { .. }) && error.to_string().contains("`.key_secret`")
        );
    }

    #[test]
    fn a_secret_that_others_may_read_is_refused_unless_an_option_says_otherwise() {
        let pair = pair();
        for mode in [0o640, 0o604, 0o660, 0o610] {
            let file = Written::new("exposed", &pair.secret_text().unwrap(), mode);
            let error = KeyFile::new(&file.0).secret_key().unwrap_err();
            assert!(matches!(error, KeyError::Exposed { .. }), "{error}");
            assert!(error.to_string().contains("chmod 600"), "{error}");
            let file = KeyFile::new(&file.0).may_be_read_by_others();
            assert_eq!(file.secret_key().unwrap().public_key(), pair.public_key());
        }
    }

    #[test]
    fn what_is_no_key_is_told_without_its_text() {
        let file = Written::new("wrong", "curve\n    secret-key = \"not-to-be-told\"\n", 0o600);
        let error = KeyFile::new(&file.0).secret_key().unwrap_err();
        let told = format!("{error} {error:?}");
        assert!(told.contains("line 2") && !told.contains("not-to-be-told"), "{told}");
        let error = KeyFile::new("/nowhere/at/all.key").public_key().unwrap_err();
        assert!(matches!(error, KeyError::Unreadable { .. }), "{error}");
        let error = secret_key_from_env("ZSVC_TEST_NO_SUCH_KEY").unwrap_err();
        assert!(error.to_string().contains("`ZSVC_TEST_NO_SUCH_KEY`"), "{error}");
        // It is set by every shell and cargo, and no key.
        let error = public_key_from_env("PATH").unwrap_err();
        assert!(matches!(
            error,
            KeyError::NoKey { why: ParseKeyError::Length { .. } | ParseKeyError::Character { .. }, .. }
        ));
    }
}
