//! `zsvc import FILE… --out DIR`: `.proto` files as `.svc` files. The work is done in `crate::import`.

use std::path::PathBuf;

use clap::Args;

use super::Outcome;
use super::report::Report;

/// The arguments of `import`.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The .proto files, or folders that hold some.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The folder to write the .svc files into, made if it is not there.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// A folder that imports are relative to; may be given several times. Without any: the folders that are named, those of the files,
    /// and the working folder.
    #[arg(short = 'I', long = "include", value_name = "DIR")]
    include: Vec<PathBuf>,
    /// Whether a field of proto3 without presence has a default value, or is optional.
    #[arg(long, value_enum, value_name = "PRESENCE", default_value_t = Presence::Default)]
    presence: Presence,
    /// Writes over files that are there and differ.
    #[arg(long)]
    force: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Presence {
    /// `@default(0) size: u32`, which evolves as in protobuf.
    Default,
    /// `size: u32?`
    Explicit,
}

#[cfg(not(feature = "import"))]
impl Import {
    pub(crate) fn run(self) -> Outcome {
        let name = self.files.first().map(|path| path.display().to_string()).unwrap_or_default();
        let message =
            format!("`{name}` can't be read: this `zsvc` was built without the Cargo feature `import`");
        Report::default().error(&message, "install one with it: `cargo install zsvc-cli --features import`");
        Outcome::Unusable
    }
}

#[cfg(feature = "import")]
mod with_protox {
    use std::collections::BTreeSet;
    use std::fs;
    use std::io;
    use std::path::{Path, PathBuf};

    use zsvc_codegen::{Freshness, freshness, reason, update};

    use super::{Import, Outcome, Presence, Report};
    use crate::command::inputs::all_there;
    use crate::import::{self, Asked, Imported, Request};

    impl Import {
        /// Reads the files and writes them anew, or nothing if one is wrong.
        pub(crate) fn run(self) -> Outcome {
            self.import().map_or_else(|outcome| outcome, |()| Outcome::Fine)
        }

        fn import(&self) -> Result<(), Outcome> {
            let request = self.request()?;
            let imported = import::import(&request).map_err(|wrong| {
                Report::default().error(&wrong.message, &wrong.help);
                if wrong.is_unreadable { Outcome::Unusable } else { Outcome::Wrong }
            })?;
            self.write(&imported)?;
            for note in &imported.notes {
                anstream::eprintln!("{}:{}: note: {}", note.file, note.line, note.text);
            }
            Ok(())
        }

        fn request(&self) -> Result<Request, Outcome> {
            self.include_all_there()?;
            let mut files = Vec::new();
            for path in &self.files {
                if path.is_dir() {
                    let mut below = Vec::new();
                    collect(path, &mut BTreeSet::new(), &mut below)
                        .map_err(|error| unreadable(path, &error))?;
                    if below.is_empty() {
                        let message = format!("there is no .proto file below `{}`", path.display());
                        Report::default().error(&message, "name another folder, or files");
                        return Err(Outcome::Unusable);
                    }
                    files.extend(below.into_iter().map(|path| Asked { path, is_found: true }));
                } else {
                    files.push(Asked { path: path.clone(), is_found: false });
                }
            }
            let presence = match self.presence {
                Presence::Default => import::Presence::Default,
                Presence::Explicit => import::Presence::Explicit,
            };
            Ok(Request { files, roots: self.roots(), presence })
        }

        /// Reports the first folder of `-I` that is none.
        fn include_all_there(&self) -> Result<(), Outcome> {
            let folders: Vec<String> =
                self.include.iter().map(|folder| folder.display().to_string()).collect();
            all_there(&folders, |folder| Path::new(folder).is_dir(), Report::default())
        }

        fn roots(&self) -> Vec<PathBuf> {
            if !self.include.is_empty() {
                return self.include.clone();
            }
            let folders = self.files.iter().filter(|path| path.is_dir()).cloned();
            let parents = self.files.iter().filter(|path| !path.is_dir()).filter_map(|path| path.parent());
            folders.chain(parents.map(Path::to_owned)).chain([PathBuf::from(".")]).collect()
        }

        /// Writes all files, if none of them is there and differs.
        fn write(&self, imported: &Imported) -> Result<(), Outcome> {
            let paths: Vec<(PathBuf, &String)> =
                imported.files.iter().map(|(path, text)| (self.out.join(path), text)).collect();
            for (path, text) in paths.iter().filter(|_| !self.force) {
                if freshness(path, text).map_err(|error| unreadable(path, &error))? == Freshness::Stale {
                    let message =
                        format!("`{}` is there and differs, so nothing was written", path.display());
                    let help = "choose another folder, or write over it with `--force`";
                    Report::default().error(&message, help);
                    return Err(Outcome::Unusable);
                }
            }
            for (path, text) in paths {
                update(&path, text).map_err(|error| {
                    let message = format!("`{}` can't be written: {}", path.display(), reason(&error));
                    Report::default().error(&message, "check the path and its permissions");
                    Outcome::Unusable
                })?;
            }
            Ok(())
        }
    }

    fn unreadable(path: &Path, error: &io::Error) -> Outcome {
        let message = format!("`{}` can't be read: {}", path.display(), reason(error));
        Report::default().error(&message, "check the path and its permissions");
        Outcome::Unusable
    }

    /// Collects the `.proto` files below a folder, in order. Each folder is visited once, so links in a circle end.
    fn collect(folder: &Path, visited: &mut BTreeSet<PathBuf>, files: &mut Vec<PathBuf>) -> io::Result<()> {
        if !visited.insert(fs::canonicalize(folder)?) {
            return Ok(());
        }
        let entries = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path()));
        let mut entries = entries.collect::<io::Result<Vec<_>>>()?;
        entries.sort();
        for path in entries {
            let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            if is_hidden {
                continue;
            }
            if path.is_dir() {
                collect(&path, visited, files)?;
            } else if path.extension().is_some_and(|extension| extension == "proto") {
                files.push(path);
            }
        }
        Ok(())
    }
}
