//! The server's side: a folder of files.

use std::io::{ErrorKind, SeekFrom};
use std::path::{Path, PathBuf};

use tokio::fs::{File, OpenOptions, create_dir_all, metadata};
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use zsvc::{Bytes, Context, Error, Sink, Streaming};

use crate::files::v1::{FileError, Files};

/// Number of bytes of a chunk. Longer than 4 KiB, so that chunks are not copied on their way.
pub(crate) const CHUNK_BYTES: usize = 256 * 1024;

pub(crate) struct Store {
    folder: PathBuf,
}

impl Store {
    pub(crate) fn new(folder: impl AsRef<Path>) -> std::io::Result<Self> {
        std::fs::create_dir_all(&folder)?;
        Ok(Self { folder: folder.as_ref().to_owned() })
    }

    /// Returns the path of a file. What comes from a client must not lead out of the folder.
    fn path(&self, name: &str) -> Result<PathBuf, FileError> {
        let is_plain = !name.starts_with('.') && !name.contains(['/', '\\', '\0']);
        if is_plain { Ok(self.folder.join(name)) } else { Err(FileError::BadName { name: name.to_owned() }) }
    }

    async fn length_of(&self, name: &str) -> Result<u64, Error<FileError>> {
        match metadata(self.path(name)?).await {
            Ok(found) => Ok(found.len()),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Err(FileError::NoSuchFile { name: name.to_owned() }.into())
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl Files for Store {
    async fn length(&self, _: &Context, name: String) -> Result<u64, Error<FileError>> {
        self.length_of(&name).await
    }

    async fn get(
        &self,
        _: &Context,
        name: String,
        offset: u64,
        out: Sink<Bytes>,
    ) -> Result<(), Error<FileError>> {
        let length = self.length_of(&name).await?;
        if offset > length {
            return Err(FileError::NotThere { name, length }.into());
        }
        let mut file = File::open(self.path(&name)?).await?;
        file.seek(SeekFrom::Start(offset)).await?;
        while let Some(chunk) = next_chunk(&mut file).await? {
            out.send(chunk).await?;
        }
        Ok(())
    }

    async fn put(
        &self,
        _: &Context,
        name: String,
        offset: u64,
        mut chunks: Streaming<Bytes>,
        written: Sink<u64>,
    ) -> Result<(), Error<FileError>> {
        let path = self.path(&name)?;
        create_dir_all(&self.folder).await?;
        let mut file = OpenOptions::new().create(true).append(true).open(path).await?;
        let mut length = file.metadata().await?.len();
        if offset != length {
            return Err(FileError::NotThere { name, length }.into());
        }
        // If the client goes, this future is dropped at an `await`: what was written stays, and the next `put` begins there.
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk?;
            file.write_all(&chunk).await?;
            file.flush().await?;
            length += chunk.len() as u64;
            written.send(length).await?;
        }
        file.sync_all().await?;
        Ok(())
    }
}

/// Reads the next chunk of a file; `None` at its end.
pub(crate) async fn next_chunk(file: &mut File) -> std::io::Result<Option<Bytes>> {
    let mut chunk = Vec::with_capacity(CHUNK_BYTES);
    let read = file.take(CHUNK_BYTES as u64).read_to_end(&mut chunk).await?;
    Ok((read > 0).then(|| chunk.into()))
}
