//! Unix sockets of servers and clients, the same for every engine. The file of a server's socket is taken over from a server that
//! is gone, never from one that listens, and goes with its server.

use std::ffi::OsString;
use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::net::{UnixListener, UnixSocket, UnixStream};

use super::listen::BACKLOG;

/// The file of a server's socket, which is removed when this is dropped, unless another server has put its own in its place. To be
/// dropped before the socket: as long as that is open, no other file has the same inode, and no server takes the path over.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

/// Time between two tries to be the next of the servers that take a file over.
const WAIT_STEP: Duration = Duration::from_millis(1);

/// Binds a path, or an abstract name after `@`, and listens. Returns also the file, if there is one. Must be called within a tokio
/// runtime with I/O enabled. Waits for other servers that take over the file of one that is gone, at most until this time.
///
/// # Errors
/// A server listens there, a file that is no socket has the name, or the system refuses it.
pub(super) fn listen(path: &str, until: Instant) -> io::Result<(UnixListener, Option<SocketFile>)> {
    if path.starts_with('@') {
        let socket = bind(Path::new(&system_path(path)))?;
        return Ok((socket.listen(BACKLOG)?, None));
    }
    let path = Path::new(path);
    let socket = match bind(path) {
        Err(error) if is_in_use(&error) => take_over(path, until)?,
        bound => bound?,
    };
    let file = SocketFile::of(path)?;
    Ok((socket.listen(BACKLOG)?, Some(file)))
}

fn bind(path: &Path) -> io::Result<UnixSocket> {
    let socket = UnixSocket::new_stream()?;
    socket.bind(path).map(|()| socket)
}

fn is_in_use(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrInUse
}

/// Binds a path whose file was left behind by a server that is gone. Only a server that removes a file needs the lock, so no other is
/// held up by a program that has it.
fn take_over(path: &Path, until: Instant) -> io::Result<UnixSocket> {
    is_stale(path)?;
    let _lock = lock_folder(path, until);
    // The server that had the lock may be there now.
    match bind(path) {
        Err(error) if is_in_use(&error) => {}
        bound => return bound,
    }
    if is_stale(path)? {
        std::fs::remove_file(path)?;
    }
    match bind(path) {
        // A server that needed no lock has come first, or a link leads nowhere.
        Err(error) if is_in_use(&error) => is_stale(path).and(Err(error)),
        bound => bound,
    }
}

/// Locks the folder of a path, until the file is dropped: a server that takes over the file of one that is gone must be alone, or
/// another may have put its own there since the look at it. Returns `None` where that can't be had, as in a folder that may not be
/// read, or where a program has the lock for long: then a server starts without it.
fn lock_folder(path: &Path, until: Instant) -> Option<File> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = File::open(folder.unwrap_or(Path::new("."))).ok()?;
    loop {
        match folder.try_lock() {
            Ok(()) => return Some(folder),
            Err(TryLockError::WouldBlock) if Instant::now() < until => std::thread::sleep(WAIT_STEP),
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => return None,
        }
    }
}

/// `EPROTOTYPE`: the socket there is not one for datagrams. Source: `connect(2)`.
const OTHER_TYPE: i32 = if cfg!(any(target_os = "linux", target_os = "android")) { 91 } else { 41 };

/// What is wrong with a path at which a server listens.
const SERVED: &str = "another server listens there";

fn in_use(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::AddrInUse, what)
}

/// Reports whether a path has the file of a server that is gone, or none.
///
/// # Errors
/// A server listens there, or a file that is no socket has the name.
fn is_stale(path: &Path) -> io::Result<bool> {
    // A datagram is never for a stream's socket: whether one is there is told by the error, and no server has to accept anything.
    match std::os::unix::net::UnixDatagram::unbound()?.connect(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            match std::fs::symlink_metadata(path) {
                Ok(found) if found.file_type().is_socket() => Ok(true),
                Ok(_) => Err(in_use("a file that is no socket has the name")),
                // A server that takes it over has removed it meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
                Err(error) => Err(error),
            }
        }
        // Such as one of permissions.
        Err(error) if error.raw_os_error() != Some(OTHER_TYPE) => Err(error),
        Ok(()) | Err(_) => Err(in_use(SERVED)),
    }
}

impl SocketFile {
    fn of(path: &Path) -> io::Result<Self> {
        let metadata = std::fs::symlink_metadata(path)?;
        // The program may change its folder before it ends.
        let path = std::path::absolute(path)?;
        Ok(Self { path, device: metadata.dev(), inode: metadata.ino() })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let is_own = std::fs::symlink_metadata(&self.path)
            .is_ok_and(|now| (now.dev(), now.ino()) == (self.device, self.inode));
        if is_own {
            // It fails if the folder is not writable any more; a later server finds a stale file then.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Returns the path as the system has it: it is asked for an abstract name by a leading NUL. Source: `unix(7)`.
fn system_path(path: &str) -> OsString {
    match path.strip_prefix('@') {
        None => path.into(),
        Some(name) => format!("\0{name}").into(),
    }
}

/// Connects to a path, or to an abstract name after `@`.
pub(super) async fn connect(path: &str) -> io::Result<UnixStream> {
    UnixStream::connect(system_path(path)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After this long, a test has failed.
    const HANGS: Duration = Duration::from_secs(20);

    /// A folder of one test, which is removed with it.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("zsvc-{}-{name}", std::process::id()));
            std::fs::create_dir_all(&folder).unwrap();
            Self(folder)
        }

        fn path(&self, name: &str) -> String {
            self.0.join(name).to_str().expect("the system's folder for such files is UTF-8").to_owned()
        }

        /// Locks the folder, as any program may.
        fn lock(&self) -> File {
            let folder = File::open(&self.0).unwrap();
            folder.lock().unwrap();
            folder
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).unwrap();
        }
    }

    #[tokio::test]
    async fn a_server_waits_for_no_program_that_has_locked_the_folder_of_its_socket() {
        let folder = Folder::new("locked");
        let (path, stale, mut until) = (folder.path("new"), folder.path("stale"), Instant::now() + HANGS);
        drop(std::os::unix::net::UnixListener::bind(&stale).unwrap());
        let _lock = folder.lock();
        let (_socket, _file) = listen(&path, until).unwrap();
        assert_eq!(listen(&path, until).unwrap_err().to_string(), SERVED);
        assert!(Instant::now() < until, "it waits for the lock");
        // Only one that takes a file over does, for a bounded time.
        until = Instant::now();
        let (_socket, _file) = listen(&stale, until).unwrap();
        assert_eq!(listen(&stale, until).unwrap_err().to_string(), SERVED);
    }

    #[tokio::test]
    async fn a_server_that_takes_a_file_over_waits_for_the_one_that_does_so_before_it() {
        let folder = Folder::new("stale");
        let path = folder.path("stale");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let (lock, next) = (folder.lock(), folder.path("next"));
        let before = std::thread::spawn(move || {
            // In one step, so that the path is never free.
            let socket = std::os::unix::net::UnixListener::bind(&next).unwrap();
            std::fs::rename(&next, &path).unwrap();
            drop(lock);
            socket
        });
        let until = Instant::now() + HANGS;
        assert_eq!(listen(&folder.path("stale"), until).unwrap_err().to_string(), SERVED);
        before.join().unwrap();
    }
}
