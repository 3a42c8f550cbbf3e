//! The keys of this example, in files that are made on the first run. In earnest, each program makes its own, by `zsvc keygen`, and its secret
//! key stays where it was made.

use std::error::Error;
use std::fs::{DirBuilder, OpenOptions};
use std::io::Write;
use std::path::Path;

use zsvc::curve::{KeyFile, SecretKey, generate};

/// Returns the keys of these names, which are made if there are none.
pub(crate) fn of<const N: usize>(folder: &Path, names: [&str; N]) -> Result<[SecretKey; N], Box<dyn Error>> {
    let keys = names.iter().map(|name| key(folder, name)).collect::<Result<Vec<_>, _>>()?;
    keys.try_into().map_err(|_| "there is one for each name".into())
}

fn key(folder: &Path, name: &str) -> Result<SecretKey, Box<dyn Error>> {
    let path = folder.join(format!("{name}.key_secret"));
    if path.exists() {
        // Refused where others may read it.
        return Ok(KeyFile::new(path).secret_key()?);
    }
    let key = generate()?;
    make(&path, &format!("curve\n    secret-key = \"{}\"\n", key.to_z85().as_str()))?;
    println!("{name:10}has a new key, in {}", path.display());
    Ok(key)
}

/// Writes a file for its owner alone. It must not be there yet.
fn make(path: &Path, text: &str) -> std::io::Result<()> {
    let (mut folder, mut file) = (DirBuilder::new(), OpenOptions::new());
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
        folder.mode(0o700);
        file.mode(0o600);
    }
    if let Some(parent) = path.parent() {
        folder.recursive(true).create(parent)?;
    }
    file.write(true).create_new(true).open(path)?.write_all(text.as_bytes())
}
