//! Several files in one, as cases and fuzzing have them.

use zsvc_idl::MemoryLoader;

/// A text may hold more files: each starts behind a line `//--- path`.
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
