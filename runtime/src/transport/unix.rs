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

/// Time that servers which begin at the same time wait for each other.
const MAX_WAIT: Duration = Duration::from_secs(1);
/// Time between two tries to be the next of them.
const WAIT_STEP: Duration = Duration::from_millis(1);

/// Binds a path, or an abstract name after `@`, and listens. Returns also the file, if there is one. Must be called within a tokio
/// runtime with I/O enabled.
///
/// # Errors
/// A server listens there, a file that is no socket has the name, or the system refuses it.
pub(super) fn listen(path: &str) -> io::Result<(UnixListener, Option<SocketFile>)> {
    let bind = |path: &Path| {
        let socket = UnixSocket::new_stream()?;
        socket.bind(path).map(|()| socket)
    };
    if path.starts_with('@') {
        let socket = bind(Path::new(&system_path(path)))?;
        return Ok((socket.listen(BACKLOG)?, None));
    }
    let path = Path::new(path);
    let _lock = lock_folder(path);
    let socket = match bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            remove_stale(path)?;
            bind(path)?
        }
        bound => bound?,
    };
    let file = SocketFile::of(path)?;
    Ok((socket.listen(BACKLOG)?, Some(file)))
}

/// Locks the folder of a path, until the file is dropped: a server that takes over the file of one that is gone must be alone, or
/// another may have put its own there since the look at it. Returns `None` where that can't be had, as in a folder that may not be
/// read, or where a program has the lock for long: then a server starts without it.
fn lock_folder(path: &Path) -> Option<File> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = File::open(folder.unwrap_or(Path::new("."))).ok()?;
    let until = Instant::now() + MAX_WAIT;
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

/// Removes the file of a server that is gone.
fn remove_stale(path: &Path) -> io::Result<()> {
    let in_use = |what| Err(io::Error::new(io::ErrorKind::AddrInUse, what));
    // A datagram is never for a stream's socket: whether one is there is told by the error, and no server has to accept anything.
    match std::os::unix::net::UnixDatagram::unbound()?.connect(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            if !std::fs::symlink_metadata(path)?.file_type().is_socket() {
                return in_use("a file that is no socket has the name");
            }
            std::fs::remove_file(path)
        }
        // Such as one of permissions.
        Err(error) if error.raw_os_error() != Some(OTHER_TYPE) => Err(error),
        Ok(()) | Err(_) => in_use("another server listens there"),
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
