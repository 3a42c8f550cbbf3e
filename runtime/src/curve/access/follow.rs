//! [`Access::from_file`]: clients that stand in a file, which is followed.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Access;
use super::file::{self, AccessFileError};
use super::table::{Client, Table};
use crate::caught::caught;
use crate::follow::{Due, Followed};
use crate::telemetry;

impl Access {
    /// Reads the clients from a file, and takes the file over again within a second whenever it, or a key file that it names, has changed,
    /// until the last clone is dropped. A changed file with anything wrong in it changes nothing, and is logged and counted.
    ///
    /// ```toml
    /// [clients.desk]
    /// keys = ["Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"]
    /// roles = ["trader"]
    ///
    /// [clients.auditor]
    /// key_files = ["auditor.key"]
    /// expires = 2027-01-31T00:00:00Z
    /// ```
    ///
    /// Each client has a name, one key or several, and if it is to have some, roles. A key file is one of `zsvc keygen`, by a path from
    /// the folder of this file. From the time `expires` on, which has an offset or `Z`, a client is not let in.
    ///
    /// A file that can't be read is tried again every second, and told of once. A file is read once it has stayed as it is for a quarter of a second. To change several things at once, write another file and
    /// rename it to this one. A child of a process that forks does not follow the files of its parent.
    ///
    /// # Errors
    /// The file can't be read, or something in it is wrong: all that is wrong, each with its place.
    pub fn from_file(path: impl Into<PathBuf>) -> Result<Self, AccessFileError> {
        let path = path.into();
        let access = Self::default();
        let WasRead { clients, followed, .. } = read(&path, Vec::new());
        access.set(table(&path, clients)?);
        let (inner, needed) = (Arc::downgrade(&access.0), Arc::downgrade(&access.0));
        let mut files = followed.others();
        let followed_path = path.clone();
        let started = followed.follow(
            "zsvc-access",
            move || needed.strong_count() > 0,
            move |due| {
                let access = Access(inner.upgrade()?);
                let read = read(&followed_path, std::mem::take(&mut files));
                files = read.followed.others();
                // What was told once is not told again.
                if !(read.is_unread && due == Due::Again) {
                    access.take_over(&followed_path, read.clients);
                }
                Some(if read.is_unread { read.followed.unread() } else { read.followed })
            },
        );
        started.map_err(|why| AccessFileError::unreadable(&path, why))?;
        Ok(access)
    }

    /// Takes over what came of reading a changed file, if nothing is wrong with it.
    fn take_over(&self, path: &Path, clients: Result<Vec<Client>, AccessFileError>) {
        match clients.and_then(|clients| table(path, Ok(clients))) {
            Ok(table) => {
                let clients = table.clients().count();
                {
                    let _changing = self.changing();
                    self.set(table);
                }
                self.0.files.taken.add(1);
                // A log that panics loses its own line alone.
                caught(|| telemetry::access_file_taken(path, clients)).ok();
            }
            Err(why) => {
                self.0.files.refused.add(1);
                caught(|| telemetry::access_file_refused(path, &why)).ok();
            }
        }
    }
}

fn table(path: &Path, clients: Result<Vec<Client>, AccessFileError>) -> Result<Table, AccessFileError> {
    // What could be wrong with the clients was told with its place.
    Table::new(clients?).map_err(|why| AccessFileError::unreadable(path, io::Error::other(why)))
}

/// What came of reading a file, and what it was like before.
struct WasRead {
    clients: Result<Vec<Client>, AccessFileError>,
    is_unread: bool,
    followed: Followed,
}

/// Reads a file, and the key files that it names, which may be these.
fn read(path: &Path, mut key_files: Vec<PathBuf>) -> WasRead {
    loop {
        let followed = Followed::new(path.to_owned(), key_files.clone());
        let read = file::read(path);
        // Of others it is not known what they were like before they were read.
        if read.key_files.iter().all(|file| key_files.contains(file)) {
            return WasRead { clients: read.clients, is_unread: read.is_unread, followed };
        }
        key_files = read.key_files;
    }
}
