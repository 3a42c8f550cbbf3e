//! [`Error`]: why a text or bytes are not the value that they should be.

use std::fmt;

use zsvc_proto::codec::DecodeError;

/// Why a text or bytes are not the value that they should be: where in the value, what is there and what is expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    path: Option<String>,
    reason: String,
    place: Option<(usize, usize)>,
    nearest: Option<String>,
}

impl Error {
    pub(crate) fn of(error: &DecodeError) -> Self {
        let (path, reason) = error.parts();
        Self { path: path.map(str::to_owned), reason: reason.to_owned(), place: None, nearest: None }
    }

    /// Returns the error of a text that is no JSON.
    pub(crate) fn of_syntax(error: &serde_json::Error) -> Self {
        let text = error.to_string();
        // The place is told apart from the text.
        let reason = text.split(" at line ").next().unwrap_or(&text).to_owned();
        Self { path: None, reason, place: None, nearest: None }.at(error)
    }

    pub(crate) fn at(mut self, error: &serde_json::Error) -> Self {
        self.place = (error.line() > 0).then(|| (error.line(), error.column()));
        self
    }

    pub(crate) fn near(mut self, nearest: Option<String>) -> Self {
        self.nearest = nearest;
        self
    }

    /// Returns the path to the part that is wrong, such as `orders[2].limit`; `None` if it is the whole value, or the text is no JSON.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// Returns what is wrong with that part.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Returns the line and the column of a text, both from 1, where it was found to be wrong.
    #[must_use]
    pub const fn place(&self) -> Option<(usize, usize)> {
        self.place
    }

    /// Returns the known name that is nearest to an unknown one, if one is near.
    #[must_use]
    pub fn nearest(&self) -> Option<&str> {
        self.nearest.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.path {
            write!(f, "{path}: ")?;
        }
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Error {}
