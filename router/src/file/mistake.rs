//! [`Mistake`]: something wrong in a configuration file, and [`FileError`]: all that is.

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::PathBuf;

/// Something wrong in a configuration file, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    line: usize,
    column: usize,
    message: String,
    help: String,
}

/// Why there is no configuration to be had of a file.
#[derive(Debug)]
#[non_exhaustive]
pub enum FileError {
    /// The file can't be read.
    Unreadable {
        /// Path of the file.
        path: PathBuf,
        /// What the system says.
        why: io::Error,
    },
    /// Something in the file is wrong.
    Wrong {
        /// Path of the file.
        path: PathBuf,
        /// All that is wrong, in the order of their places.
        mistakes: Vec<Mistake>,
    },
}

/// Maximum number of mistakes that are told one by one. Of the others their number is told, where the first of them is.
const MAX_MISTAKES: usize = 200;

impl Mistake {
    /// Returns the line, counted from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// Returns the column in characters, counted from 1.
    #[must_use]
    pub fn column(&self) -> usize {
        self.column
    }

    /// Returns what is wrong.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns what to do about it.
    #[must_use]
    pub fn help(&self) -> &str {
        &self.help
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, why } => write!(f, "the file `{}` can't be read: {why}", path.display()),
            Self::Wrong { path, mistakes } => {
                for (number, mistake) in mistakes.iter().enumerate() {
                    let Mistake { line, column, message, help } = mistake;
                    let end = if number == 0 { "" } else { "\n" };
                    write!(f, "{end}{}:{line}:{column}: {message}; {help}", path.display())?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for FileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable { why, .. } => Some(why),
            Self::Wrong { .. } => None,
        }
    }
}

/// Mistakes in one text, as they are found.
#[derive(Debug)]
pub(super) struct Mistakes<'t> {
    text: &'t str,
    found: Vec<(usize, String, String)>,
}

impl<'t> Mistakes<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        Self { text, found: Vec::new() }
    }

    /// Adds a mistake at a place.
    pub(super) fn add(&mut self, at: &Range<usize>, message: impl Into<String>, help: impl Into<String>) {
        self.found.push((at.start, message.into(), help.into()));
    }

    /// Returns all that were found, in the order of their places.
    pub(super) fn take(mut self) -> Vec<Mistake> {
        self.found.sort();
        let more = self.found.len().saturating_sub(MAX_MISTAKES);
        if let Some((_, message, help)) = self.found.get_mut(MAX_MISTAKES) {
            *message = format!("from here on there are {more} mistakes more");
            "mend the others first".clone_into(help);
        }
        self.found.truncate(MAX_MISTAKES + 1);
        let text = self.text;
        let told = self.found.into_iter().map(|(at, message, help)| {
            let before = text.get(..at).unwrap_or(text);
            let line_start = before.rfind('\n').map_or(0, |end| end + 1);
            let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
            let column = before[line_start..].chars().count() + 1;
            Mistake { line, column, message, help }
        });
        told.collect()
    }
}
