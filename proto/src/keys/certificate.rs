//! [`Certificate`]: the files in which keys are kept, as czmq (`zcert`) and pyzmq (`zmq.auth`) write them.
//!
//! They are in ZPL: properties with values, in sections by indentation. Source: RFC 4 of <https://rfc.zeromq.org>. Of a certificate, the
//! keys in its section `curve` are read, and the name in its section `metadata`; all else is skipped.

use std::fmt;

use zeroize::Zeroizing;

use super::{ParseKeyError, PublicKey, SecretKey};

/// A public key, or a pair of keys, with a name for people.
#[derive(Debug, Clone)]
pub struct Certificate {
    public: PublicKey,
    secret: Option<SecretKey>,
    name: Option<String>,
}

/// Why a text is no certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateError {
    /// A line is neither a section nor a property.
    Line {
        /// Number of the line, counted from 1.
        line: usize,
    },
    /// A value begins with a quote, and does not end with one.
    Quote {
        /// Number of the line, counted from 1.
        line: usize,
    },
    /// A value is no key.
    Key {
        /// Number of the line, counted from 1.
        line: usize,
        /// What is wrong with it.
        why: ParseKeyError,
    },
    /// A key stands there twice.
    Twice {
        /// Number of the line of the second, counted from 1.
        line: usize,
        /// Name of the property.
        property: &'static str,
    },
    /// There is no key.
    NoKey,
    /// The two keys do not belong together.
    Pair,
    /// The text is longer than a certificate may be, or no UTF-8.
    NoText,
}

/// Maximum length of a certificate in bytes: a few lines, and what a user writes about a key.
const MAX_BYTES: usize = 64 * 1024;

const CURVE: &str = "curve";
const METADATA: &str = "metadata";
const PUBLIC_KEY: &str = "public-key";
const SECRET_KEY: &str = "secret-key";

impl Certificate {
    /// Creates a certificate of a pair of keys.
    #[must_use]
    pub fn of_pair(secret: SecretKey) -> Self {
        Self { public: secret.public_key(), secret: Some(secret), name: None }
    }

    /// Creates a certificate of a public key.
    #[must_use]
    pub const fn of_public(public: PublicKey) -> Self {
        Self { public, secret: None, name: None }
    }

    /// Gives the certificate a name for people. Control characters and quotes in it are left out.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = Some(name.chars().filter(|it| !it.is_control() && *it != '"').collect());
        self
    }

    /// Returns the public key.
    #[must_use]
    pub const fn public_key(&self) -> PublicKey {
        self.public
    }

    /// Returns the secret key, if the certificate has it.
    #[must_use]
    pub const fn secret_key(&self) -> Option<&SecretKey> {
        self.secret.as_ref()
    }

    /// Takes the secret key out of the certificate, if it has one.
    #[must_use]
    pub fn into_secret_key(self) -> Option<SecretKey> {
        self.secret
    }

    /// Returns the name for people, if there is one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Reads a certificate. One without a public key has that of its secret key.
    ///
    /// # Errors
    /// The text is none, or its two keys do not belong together.
    pub fn read(text: &[u8]) -> Result<Self, CertificateError> {
        let text = text.get(..=MAX_BYTES).map_or(Ok(text), |_| Err(CertificateError::NoText))?;
        let text = std::str::from_utf8(text).map_err(|_| CertificateError::NoText)?;
        let mut found = Found::default();
        let mut section = "";
        for (line, content) in (1..).zip(text.lines()) {
            let stripped = content.trim();
            if stripped.is_empty() || stripped.starts_with('#') {
                continue;
            }
            let (name, value) = property(stripped, line)?;
            if !content.starts_with([' ', '\t']) {
                section = name;
            } else if let Some(value) = value {
                found.take(section, name, value, line)?;
            }
        }
        found.into_certificate()
    }

    /// Returns the text of the file for others: the public key, with no secret in it.
    #[must_use]
    pub fn public_text(&self) -> String {
        let head = "# A public key of CURVE, for those who talk to its owner.\n";
        format!("{head}{}curve\n    public-key = \"{}\"\n", self.metadata(), self.public)
    }

    /// Returns the text of the file with the secret key, which is wiped when it is dropped; or `None` if the certificate has none.
    #[must_use]
    pub fn secret_text(&self) -> Option<Zeroizing<String>> {
        let secret = self.secret.as_ref()?.to_z85();
        let head = "# A secret key of CURVE: for its owner alone, not to be sent to anyone.\n";
        let start = format!("{head}{}curve\n    public-key = \"{}\"\n", self.metadata(), self.public);
        // All at once, so that no allocation with the secret in it is left behind.
        let mut text = Zeroizing::new(String::with_capacity(start.len() + secret.len() + 32));
        for part in [&start, "    secret-key = \"", &secret, "\"\n"] {
            text.push_str(part);
        }
        Some(text)
    }

    fn metadata(&self) -> String {
        // pyzmq's own files have the section, too, also where it is empty.
        let name = self.name.as_ref().map(|name| format!("    name = \"{name}\"\n"));
        format!("metadata\n{}", name.unwrap_or_default())
    }
}

/// Splits a line into a name and a value, if it has one.
fn property(stripped: &str, line: usize) -> Result<(&str, Option<&str>), CertificateError> {
    let is_of_name = |it: char| it.is_ascii_alphanumeric() || "$-_@.&+/".contains(it);
    let end = stripped.find(|it| !is_of_name(it)).unwrap_or(stripped.len());
    let (name, rest) = stripped.split_at(end);
    let rest = rest.trim_start();
    let wrong = CertificateError::Line { line };
    if name.is_empty() {
        return Err(wrong);
    }
    if rest.is_empty() || rest.starts_with('#') {
        return Ok((name, None));
    }
    let value = rest.strip_prefix('=').ok_or(wrong)?.trim();
    Ok((name, Some(unquoted(value, line)?)))
}

/// Returns a value without its quotes, and without the comment that may follow them. One without quotes goes up to the end of its line,
/// since a key may have a `#`.
fn unquoted(value: &str, line: usize) -> Result<&str, CertificateError> {
    let Some(quote) = value.chars().next().filter(|first| ['"', '\''].contains(first)) else {
        return Ok(value);
    };
    let wrong = CertificateError::Quote { line };
    let (text, rest) = value[1..].split_once(quote).ok_or_else(|| wrong.clone())?;
    let rest = rest.trim_start();
    if rest.is_empty() || rest.starts_with('#') { Ok(text) } else { Err(wrong) }
}

/// What was found of a certificate.
#[derive(Default)]
struct Found {
    public: Option<PublicKey>,
    secret: Option<SecretKey>,
    name: Option<String>,
}

impl Found {
    fn take(&mut self, section: &str, name: &str, value: &str, line: usize) -> Result<(), CertificateError> {
        let wrong = |why| CertificateError::Key { line, why };
        match (section, name) {
            (CURVE, PUBLIC_KEY) => set(&mut self.public, value.parse().map_err(wrong)?, PUBLIC_KEY, line),
            (CURVE, SECRET_KEY) => set(&mut self.secret, value.parse().map_err(wrong)?, SECRET_KEY, line),
            (METADATA, "name") => {
                self.name = Some(value.to_owned());
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn into_certificate(self) -> Result<Certificate, CertificateError> {
        let Self { public, secret, name } = self;
        let of_secret = secret.as_ref().map(SecretKey::public_key);
        if let (Some(public), Some(of_secret)) = (public, of_secret)
            && public != of_secret
        {
            return Err(CertificateError::Pair);
        }
        let public = public.or(of_secret).ok_or(CertificateError::NoKey)?;
        Ok(Certificate { public, secret, name })
    }
}

fn set<T>(
    place: &mut Option<T>,
    value: T,
    property: &'static str,
    line: usize,
) -> Result<(), CertificateError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(CertificateError::Twice { line, property }),
    }
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { line } => write!(f, "line {line} is neither a section nor `name = value`"),
            Self::Quote { line } => {
                write!(f, "the value in line {line} does not end with the quote that it begins with")
            }
            Self::Key { line, why } => write!(f, "line {line} has no key: {why}"),
            Self::Twice { line, property } => write!(f, "line {line} has a second `{property}`"),
            Self::NoKey => f.write_str("there is no `public-key` or `secret-key` in a section `curve`"),
            Self::Pair => f.write_str("its `public-key` does not belong to its `secret-key`"),
            Self::NoText => write!(f, "it is no text of up to {MAX_BYTES} bytes"),
        }
    }
}

impl std::error::Error for CertificateError {}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLIC: &str = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID";
    const SECRET: &str = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs";

    fn read(text: &str) -> Result<Certificate, CertificateError> {
        Certificate::read(text.as_bytes())
    }

    /// The layouts of both libraries: pyzmq leaves `metadata` empty, and czmq writes what its user has set.
    #[test]
    fn files_of_czmq_and_pyzmq_are_read() {
        for text in [
            format!(
                "#   ****  Generated  ****\n\nmetadata\ncurve\n    public-key = \"{PUBLIC}\"\n    secret-key = \"{SECRET}\"\n"
            ),
            format!(
                "#   ZeroMQ CURVE **Secret** Certificate\r\ncurve\r\n    public-key = \"{PUBLIC}\"\r\n    secret-key = \"{SECRET}\"\r\n"
            ),
            format!("metadata\n    email = \"a@b.example\"\ncurve\n\tsecret-key = '{SECRET}'  # it is\n"),
            format!("curve  # keys\n    secret-key={SECRET}"),
        ] {
            let certificate = read(&text).unwrap();
            assert_eq!(certificate.public_key().to_string(), PUBLIC, "{text}");
            assert_eq!(certificate.secret_key().map(|key| key.to_z85().to_string()).as_deref(), Some(SECRET));
        }
        let certificate =
            read(&format!("metadata\n    name = \"floor\"\ncurve\n    public-key = \"{PUBLIC}\"\n"));
        let certificate = certificate.unwrap();
        assert!(certificate.secret_key().is_none());
        assert_eq!(certificate.name(), Some("floor"));
    }

    #[test]
    fn what_is_written_is_read_and_the_public_text_has_no_secret() {
        let pair = Certificate::of_pair(SECRET.parse().unwrap()).named("the \"floor\"\n");
        let (public, secret) = (pair.public_text(), pair.secret_text().unwrap());
        assert!(!public.contains(SECRET) && !format!("{pair:?}").contains(SECRET));
        let (public, secret) = (read(&public).unwrap(), read(&secret).unwrap());
        assert_eq!((public.name(), secret.name()), (Some("the floor"), Some("the floor")));
        assert_eq!(public.public_key(), secret.public_key());
        assert!(public.secret_key().is_none() && public.secret_text().is_none());
        assert_eq!(*secret.into_secret_key().unwrap().to_z85(), SECRET);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let curve = |lines: &str| format!("curve\n{lines}");
        for (text, error) in [
            (String::new(), CertificateError::NoKey),
            // Not in the section.
            (format!("public-key = \"{PUBLIC}\"\n"), CertificateError::NoKey),
            (format!("other\n    public-key = \"{PUBLIC}\"\n"), CertificateError::NoKey),
            (PUBLIC.to_owned(), CertificateError::Line { line: 1 }),
            (curve("    = 7\n"), CertificateError::Line { line: 2 }),
            (curve(&format!("    public-key = \"{PUBLIC}\n")), CertificateError::Quote { line: 2 }),
            (curve(&format!("    public-key = \"{PUBLIC}\" x\n")), CertificateError::Quote { line: 2 }),
            (
                curve("    public-key = \"short\"\n"),
                CertificateError::Key { line: 2, why: ParseKeyError::Length { bytes: 5 } },
            ),
            (
                curve(&format!("    public-key = \"{PUBLIC}\"\n").repeat(2)),
                CertificateError::Twice { line: 3, property: "public-key" },
            ),
            (
                curve(&format!("    public-key = \"{SECRET}\"\n    secret-key = \"{SECRET}\"\n")),
                CertificateError::Pair,
            ),
            ("#".repeat(MAX_BYTES + 1), CertificateError::NoText),
        ] {
            assert_eq!(read(&text).map(|_| ()), Err(error), "{text:.200}");
        }
        assert_eq!(Certificate::read(b"curve\n\xff").map(|_| ()), Err(CertificateError::NoText));
    }
}
