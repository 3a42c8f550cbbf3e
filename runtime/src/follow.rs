//! [`Followed`]: files that are read again once they have changed, by a thread that looks at them. Needs no notifications of the system,
//! which not every file system gives.

use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

/// Time between two looks. A change is seen at the first look after it, and taken over at the second: within a second, also where
/// threads wait for each other.
const INTERVAL: Duration = Duration::from_millis(250);

/// Files, and what they were like when they were last read.
pub(crate) struct Followed {
    files: Vec<PathBuf>,
    /// What they were like when they were read.
    read: Vec<Option<Stamp>>,
    /// What they were like at the last look, if that was something else.
    seen: Option<Vec<Option<Stamp>>>,
}

/// What tells one version of a file from another, without its text. A file that is replaced by renaming another is another file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    bytes: u64,
    /// Device and inode, on Unix.
    file: (u64, u64),
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        let (modified, bytes) = (metadata.modified().ok(), metadata.len());
        Some(Self { modified, bytes, file: identity(&metadata) })
    }
}

#[cfg(unix)]
fn identity(metadata: &Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt as _;
    (metadata.dev(), metadata.ino())
}

#[cfg(not(unix))]
fn identity(_metadata: &Metadata) -> (u64, u64) {
    (0, 0)
}

impl Followed {
    /// Takes down what files are like. To be called before they are read, so that no change is missed.
    pub(crate) fn new(first: PathBuf, others: Vec<PathBuf>) -> Self {
        let files: Vec<_> = std::iter::once(first).chain(others).collect();
        Self { read: stamps(&files), files, seen: None }
    }

    /// Returns the files but the first.
    #[cfg(feature = "access-file")]
    pub(crate) fn others(&self) -> Vec<PathBuf> {
        self.files[1..].to_vec()
    }

    /// Reports whether the files have changed and stay as they are: a file that is still being written would be read in part.
    fn is_due(&mut self) -> bool {
        let now = stamps(&self.files);
        if now == self.read {
            self.seen = None;
            return false;
        }
        let is_settled = self.seen.as_ref() == Some(&now);
        self.seen = Some(now);
        is_settled
    }

    /// Reads files again whenever they have changed, on a thread of that name. `read` returns what is to be followed from then on, or
    /// `None` to end it, and is asked now and then whether anything still needs it.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(crate) fn follow(
        mut self,
        thread: &str,
        is_needed: impl Fn() -> bool + Send + 'static,
        mut read: impl FnMut() -> Option<Self> + Send + 'static,
    ) -> io::Result<()> {
        let run = move || {
            while is_needed() {
                thread::sleep(INTERVAL);
                if self.is_due() {
                    let Some(next) = read() else { return };
                    self = next;
                }
            }
        };
        thread::Builder::new().name(thread.to_owned()).spawn(run).map(drop)
    }
}

fn stamps(files: &[PathBuf]) -> Vec<Option<Stamp>> {
    files.iter().map(|file| Stamp::of(file)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_due_once_it_has_changed_and_stays_as_it_is() {
        let folder = std::env::temp_dir().join(format!("zsvc-follow-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (path, other) = (folder.join("followed"), folder.join("other"));
        fs::write(&path, "one").unwrap();
        let mut followed = Followed::new(path.clone(), Vec::new());
        assert!(!followed.is_due() && !followed.is_due());
        fs::write(&path, "three").unwrap();
        assert!(!followed.is_due());
        fs::write(&path, "threefold").unwrap();
        assert!(!followed.is_due(), "it was written to meanwhile");
        assert!(followed.is_due());
        let mut followed = Followed::new(path.clone(), Vec::new());
        // Of the same length, and perhaps of the same time.
        fs::write(&other, "threefoil").unwrap();
        fs::rename(&other, &path).unwrap();
        assert!(!followed.is_due() && followed.is_due(), "another file is in its place");
        let mut followed = Followed::new(path.clone(), Vec::new());
        fs::remove_file(&path).unwrap();
        assert!(!followed.is_due() && followed.is_due(), "it is gone");
        let mut followed = Followed::new(path.clone(), vec![folder.join("none")]);
        assert!(!followed.is_due());
        fs::write(folder.join("none"), "").unwrap();
        assert!(!followed.is_due() && followed.is_due(), "it is there");
        fs::remove_dir_all(&folder).unwrap();
    }
}
