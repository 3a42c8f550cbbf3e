//! The client's side: a file is sent or fetched from where the last try has ended.

use std::io::SeekFrom;
use std::path::Path;

use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncSeekExt, AsyncWriteExt};
use zsvc::Error;

use crate::Result;
use crate::files::v1::{FileError, FilesClient};
use crate::store::next_chunk;

pub(crate) async fn put(files: &FilesClient, path: &Path) -> Result {
    let name = path.file_name().and_then(|name| name.to_str()).ok_or("the file has no name to send")?;
    let mut file = File::open(path).await?;
    let all = file.metadata().await?.len();
    let arrived = match files.length(name).await {
        Err(Error::Declared(FileError::NoSuchFile { .. })) => 0,
        length => length?,
    };
    if arrived > all {
        return Err(format!("there is another `{name}`, of {arrived} bytes").into());
    }
    file.seek(SeekFrom::Start(arrived)).await?;
    println!("from byte {arrived}");

    let (chunks, mut written) = files.put(name, arrived).await?;
    let sending = tokio::spawn(async move {
        // The server's credit sets the pace: no more is read than can be sent.
        while let Some(chunk) = next_chunk(&mut file).await? {
            if chunks.send(chunk).await.is_err() {
                return Ok(()); // The other stream says why.
            }
        }
        chunks.finish();
        Ok::<(), std::io::Error>(())
    });
    while let Some(length) = written.next().await {
        progress(length?, all);
    }
    Ok(sending.await??)
}

pub(crate) async fn get(files: &FilesClient, name: &str, into: &Path) -> Result {
    let mut file = OpenOptions::new().create(true).append(true).open(into).await?;
    let mut length = file.metadata().await?.len();
    let all = files.length(name).await?;
    println!("from byte {length}");

    let mut chunks = files.get(name, length).await?;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk?;
        file.write_all(&chunk).await?;
        length += chunk.len() as u64;
        progress(length, all);
    }
    Ok(file.sync_all().await?)
}

fn progress(bytes: u64, all: u64) {
    println!("{bytes} of {all} bytes, {} %", bytes * 100 / all.max(1));
}
