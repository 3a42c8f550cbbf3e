//! Splits one text into several files, as cases and fuzzing use them.

use zsvc_idl::MemoryLoader;

/// Returns the files of a text: each one but the first starts after a line `//--- path`.
pub(crate) fn files(path: &str, bytes: &[u8]) -> MemoryLoader {
    let mut loader = MemoryLoader::default();
    let mut path = path.to_owned();
    let mut text = Vec::new();
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        match line.strip_prefix(b"//--- ") {
            Some(next) => {
                let next = String::from_utf8_lossy(next).trim().to_owned();
                loader = loader.with(std::mem::replace(&mut path, next), std::mem::take(&mut text));
            }
            None => text.extend_from_slice(line),
        }
    }
    loader.with(path, text)
}
