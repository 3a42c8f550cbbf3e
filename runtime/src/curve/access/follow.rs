//! [`Access::from_file`]: clients that stand in a file, which is followed.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Access;
use super::file::{self, AccessFileError};
use super::table::{Client, Table};
use crate::follow::Followed;
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
    /// A file is read once it has stayed as it is for a quarter of a second. To change several things at once, write another file and
    /// rename it to this one. A child of a process that forks does not follow the files of its parent.
    ///
    /// # Errors
    /// The file can't be read, or something in it is wrong: all that is wrong, each with its place.
    pub fn from_file(path: impl Into<PathBuf>) -> Result<Self, AccessFileError> {
        let path = path.into();
        let access = Self::default();
        let (clients, followed) = read(&path, Vec::new());
        access.set(table(&path, clients)?);
        let (inner, needed) = (Arc::downgrade(&access.0), Arc::downgrade(&access.0));
        let mut files = followed.others();
        let followed_path = path.clone();
        let started = followed.follow(
            "zsvc-access",
            move || needed.strong_count() > 0,
            move || {
                let access = Access(inner.upgrade()?);
                let (clients, followed) = read(&followed_path, std::mem::take(&mut files));
                files = followed.others();
                access.take_over(&followed_path, clients);
                Some(followed)
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
                telemetry::access_file_taken(path, clients);
            }
            Err(why) => {
                self.0.files.refused.add(1);
                telemetry::access_file_refused(path, &why);
            }
        }
    }
}

fn table(path: &Path, clients: Result<Vec<Client>, AccessFileError>) -> Result<Table, AccessFileError> {
    // What could be wrong with the clients was told with its place.
    Table::new(clients?).map_err(|why| AccessFileError::unreadable(path, io::Error::other(why)))
}

/// Reads a file, and the key files that it names, which may be these. Returns also what they were like before.
fn read(path: &Path, mut key_files: Vec<PathBuf>) -> (Result<Vec<Client>, AccessFileError>, Followed) {
    loop {
        let followed = Followed::new(path.to_owned(), key_files.clone());
        let read = file::read(path);
        // Of others it is not known what they were like before they were read.
        if read.key_files.iter().all(|file| key_files.contains(file)) {
            return (read.clients, followed);
        }
        key_files = read.key_files;
    }
}
