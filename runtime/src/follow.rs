//! [`Followed`]: files that are read again once they have changed, by a thread that looks at them. Needs no notifications of the system,
//! which not every file system gives.

use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use crate::caught::{Panicked, caught};

/// Time between two looks. A change is seen at the first look after it, and taken over at the second: within a second, also where
/// threads wait for each other.
const INTERVAL: Duration = Duration::from_millis(250);

// At worst, a change comes right after a look.
const _: () = assert!(INTERVAL.as_millis() * 2 < 1_000, "a change is taken over within a second");

/// Number of looks between two attempts to read what could not be read.
const LOOKS_UNTIL_AGAIN: u32 = 4;

/// Why files are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// Something about them has changed.
    Changed,
    /// Reading them has failed the last time, which was told then.
    Again,
}

/// Files, and what they were like when they were last read.
pub(crate) struct Followed {
    files: Vec<PathBuf>,
    /// What they were like when they were read.
    read: Vec<Option<Stamp>>,
    /// What they were like at the last look, if that was something else.
    seen: Option<Vec<Option<Stamp>>>,
    /// Number of looks after which they are to be read again as they are, if they are.
    again_after: Option<u32>,
}

/// What tells one version of a file from another, without its text. A file that is replaced by renaming another is another file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    bytes: u64,
    /// Device and inode, on Unix.
    file: (u64, u64),
    /// When anything about it has changed, who may read it among it, on Unix: in seconds and nanoseconds. A program can set the time at
    /// which it was modified, and this one not.
    changed: (i64, i64),
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        let (modified, bytes) = (metadata.modified().ok(), metadata.len());
        Some(Self { modified, bytes, file: identity(&metadata), changed: changed(&metadata) })
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

#[cfg(unix)]
fn changed(metadata: &Metadata) -> (i64, i64) {
    use std::os::unix::fs::MetadataExt as _;
    (metadata.ctime(), metadata.ctime_nsec())
}

#[cfg(not(unix))]
fn changed(_metadata: &Metadata) -> (i64, i64) {
    (0, 0)
}

impl Followed {
    /// Takes down what files are like. To be called before they are read, so that no change is missed.
    pub(crate) fn new(first: PathBuf, others: Vec<PathBuf>) -> Self {
        let files: Vec<_> = std::iter::once(first).chain(others).collect();
        Self { read: stamps(&files), files, seen: None, again_after: None }
    }

    /// Has them read again, also as they are: they could not be read, for a reason that may pass without a trace in them.
    pub(crate) fn unread(self) -> Self {
        Self { again_after: Some(LOOKS_UNTIL_AGAIN), ..self }
    }

    /// Returns the files but the first.
    #[cfg(feature = "access-file")]
    pub(crate) fn others(&self) -> Vec<PathBuf> {
        self.files[1..].to_vec()
    }

    /// Returns why the files are to be read, if they are. That they have changed is a reason once they stay as they are: a file that is
    /// still being written would be read in part.
    fn due(&mut self) -> Option<Due> {
        let now = stamps(&self.files);
        if now == self.read {
            self.seen = None;
            self.again_after = self.again_after.map(|looks| looks.saturating_sub(1));
            return (self.again_after == Some(0)).then_some(Due::Again);
        }
        let is_settled = self.seen.as_ref() == Some(&now);
        self.seen = Some(now);
        is_settled.then_some(Due::Changed)
    }

    /// Reads files again whenever they have changed, on a thread of that name. `read` returns what is to be followed from then on, or
    /// `None` to end it; where it panics, it is called again. `is_needed` is asked now and then whether anything still needs it.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(crate) fn follow(
        mut self,
        thread: &str,
        is_needed: impl Fn() -> bool + Send + 'static,
        mut read: impl FnMut(Due) -> Option<Self> + Send + 'static,
    ) -> io::Result<()> {
        let run = move || {
            while is_needed() {
                thread::sleep(INTERVAL);
                if let Some(due) = self.due() {
                    match caught(|| read(due)) {
                        Ok(Some(next)) => self = next,
                        Ok(None) => return,
                        // The hook for panics has said so.
                        Err(Panicked) => {}
                    }
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
        assert!(followed.due().is_none() && followed.due().is_none());
        fs::write(&path, "three").unwrap();
        assert!(followed.due().is_none());
        fs::write(&path, "threefold").unwrap();
        assert!(followed.due().is_none(), "it was written to meanwhile");
        assert!(followed.due().is_some());
        let mut followed = Followed::new(path.clone(), Vec::new());
        // Of the same length, and perhaps of the same time.
        fs::write(&other, "threefoil").unwrap();
        fs::rename(&other, &path).unwrap();
        assert!(
            followed.due().is_none() && followed.due() == Some(Due::Changed),
            "another file is in its place"
        );
        let mut followed = Followed::new(path.clone(), Vec::new());
        fs::remove_file(&path).unwrap();
        assert!(followed.due().is_none() && followed.due() == Some(Due::Changed), "it is gone");
        let mut followed = Followed::new(path.clone(), vec![folder.join("none")]);
        assert!(followed.due().is_none());
        fs::write(folder.join("none"), "").unwrap();
        assert!(followed.due().is_none() && followed.due() == Some(Due::Changed), "it is there");
        fs::remove_dir_all(&folder).unwrap();
    }

    /// Waits until a change would be of a later time than that of a file: file systems take the time of the system's last tick.
    #[cfg(unix)]
    fn next_tick(path: &Path) {
        let (probe, before) = (path.with_extension("probe"), changed(&fs::metadata(path).unwrap()));
        loop {
            fs::write(&probe, "").unwrap();
            if changed(&fs::metadata(&probe).unwrap()) > before {
                return fs::remove_file(probe).unwrap();
            }
        }
    }

    #[test]
    #[cfg(unix)]
    fn a_file_is_due_once_others_may_read_it_or_its_text_has_changed_in_secret() {
        use std::os::unix::fs::PermissionsExt as _;
        let path = std::env::temp_dir().join(format!("zsvc-follow-mode-{}", std::process::id()));
        fs::write(&path, "one").unwrap();
        let modified = fs::metadata(&path).unwrap().modified().unwrap();
        let mut followed = Followed::new(path.clone(), Vec::new());
        next_tick(&path);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(followed.due().is_none() && followed.due() == Some(Due::Changed));
        let mut followed = Followed::new(path.clone(), Vec::new());
        next_tick(&path);
        fs::write(&path, "two").unwrap();
        fs::File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
        assert!(followed.due().is_none() && followed.due() == Some(Due::Changed));
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn what_could_not_be_read_is_due_again_as_it_is() {
        let path = std::env::temp_dir().join(format!("zsvc-follow-unread-{}", std::process::id()));
        fs::write(&path, "one").unwrap();
        let mut followed = Followed::new(path.clone(), Vec::new()).unread();
        for _ in 1..LOOKS_UNTIL_AGAIN {
            assert_eq!(followed.due(), None);
        }
        assert_eq!(followed.due(), Some(Due::Again));
        assert_eq!(followed.due(), Some(Due::Again), "nothing came of it");
        fs::write(&path, "three").unwrap();
        assert!(followed.due().is_none() && followed.due() == Some(Due::Changed));
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn following_goes_on_after_a_panic() {
        let path = std::env::temp_dir().join(format!("zsvc-follow-panic-{}", std::process::id()));
        fs::write(&path, "one").unwrap();
        let followed = Followed::new(path.clone(), Vec::new());
        let (tell, told) = std::sync::mpsc::channel();
        let mut has_panicked = false;
        let read = move |due| {
            tell.send(due).unwrap();
            assert!(std::mem::replace(&mut has_panicked, true), "requested by the test");
            None
        };
        followed.follow("zsvc-test", || true, read).unwrap();
        fs::write(&path, "three").unwrap();
        for _ in 0..2 {
            assert_eq!(told.recv_timeout(Duration::from_secs(20)), Ok(Due::Changed));
        }
        assert!(told.recv_timeout(Duration::from_secs(20)).is_err(), "it has ended");
        fs::remove_file(&path).unwrap();
    }
}
