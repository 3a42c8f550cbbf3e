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
    pub(crate) fn new((line, column): (usize, usize), message: String, help: String) -> Self {
        Self { line, column, message, help }
    }

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

    /// Returns the line and the column of each of some places, which are in their order, counted from 1.
    pub(super) fn lines_and_columns(
        &self,
        places: impl IntoIterator<Item = usize>,
    ) -> impl Iterator<Item = (usize, usize)> {
        let (mut rest, mut passed, mut line, mut column) = (self.text, 0, 1, 1);
        places.into_iter().map(move |at| {
            let (before, behind) = rest.split_at_checked(at - passed).unwrap_or((rest, ""));
            (rest, passed) = (behind, passed + before.len());
            match before.rsplit_once('\n') {
                Some((lines, last)) => {
                    line += lines.matches('\n').count() + 1;
                    column = last.chars().count() + 1;
                }
                None => column += before.chars().count(),
            }
            (line, column)
        })
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
        let places = self.lines_and_columns(self.found.iter().map(|(at, ..)| *at)).collect::<Vec<_>>();
        let told = places.into_iter().zip(self.found);
        told.map(|(place, (_, message, help))| Mistake::new(place, message, help)).collect()
    }
}
