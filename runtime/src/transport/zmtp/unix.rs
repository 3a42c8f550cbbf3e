//! [`IpcListener`]: a server's Unix socket. Its file is taken over from a server that is gone, and goes with this one.

use std::ffi::OsString;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::task::{Context, Poll};

use tokio::net::{UnixListener, UnixStream};

/// A Unix socket that listens at a path, or at an abstract name.
#[derive(Debug)]
pub(super) struct IpcListener {
    socket: UnixListener,
    /// Removed when the server is dropped.
    _file: Option<SocketFile>,
}

/// The file of a socket, which tells it from one that another server has put in its place.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl IpcListener {
    /// Binds a path, or an abstract name after `@`.
    ///
    /// # Errors
    /// A server listens there, a file that is no socket has the name, or the system refuses it.
    pub(super) fn bind(path: &str) -> io::Result<Self> {
        if path.starts_with('@') {
            return Ok(Self { socket: UnixListener::bind(system_path(path))?, _file: None });
        }
        let path = Path::new(path);
        let socket = match UnixListener::bind(path) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                remove_stale(path)?;
                UnixListener::bind(path)?
            }
            bound => bound?,
        };
        let file = SocketFile::of(path)?;
        Ok(Self { socket, _file: Some(file) })
    }

    /// Is ready with the next connection.
    pub(super) fn poll_accept(&mut self, context: &mut Context<'_>) -> Poll<io::Result<UnixStream>> {
        self.socket.poll_accept(context).map_ok(|(stream, _)| stream)
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
