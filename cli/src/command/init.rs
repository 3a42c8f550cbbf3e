//! `zsvc init [NAME]`: a new crate with a service.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use zsvc_codegen::reason;

use super::Outcome;
use super::report::Report;
use crate::init::{Name, NewFile, Origin, files};

/// The arguments of `init`.
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// The name of the crate, and of its folder, which may have a folder before it; without it, the working folder becomes the crate.
    #[arg(value_name = "NAME")]
    name: Option<PathBuf>,
    /// A checkout of zsvc, from which the new crate takes the runtime and the generator; without it, they come from crates.io.
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
}

impl Init {
    /// Writes the files of a new crate, none over one that is there.
    pub(crate) fn run(self) -> Outcome {
        self.create().map_or_else(|outcome| outcome, |()| Outcome::Fine)
    }

    fn create(&self) -> Result<(), Outcome> {
        let folder = self.folder()?;
        let text = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let name =
            Name::parse(&text).map_err(|wrong| unusable(&format!("`{text}` {}", wrong.what), wrong.help))?;
        let files = files(&name, &self.origin()?);
        if let Some(there) = files.iter().map(|file| folder.join(&file.path)).find(|path| is_there(path)) {
            let message = format!("`{}` is there already, and is not written over", there.display());
            return Err(unusable(&message, "choose another name, or an empty folder; nothing was written"));
        }
        files.iter().try_for_each(|file| write(&folder, file))?;
        self.tell(&files);
        Ok(())
    }

    /// Returns the folder of the crate, which need not be there.
    fn folder(&self) -> Result<PathBuf, Outcome> {
        let Some(name) = &self.name else {
            return std::env::current_dir().map_err(|error| {
                let message = format!("the working folder can't be told: {}", reason(&error));
                unusable(&message, "name the new crate, for example `zsvc init demo`")
            });
        };
        if name.file_name().is_none() {
            let message = format!("`{}` is no name for a crate", name.display());
            return Err(unusable(&message, "give one, for example `zsvc init demo`"));
        }
        Ok(name.clone())
    }

    fn origin(&self) -> Result<Origin, Outcome> {
        let Some(path) = &self.path else { return Ok(Origin::Version(env!("CARGO_PKG_VERSION"))) };
        let is_checkout = ["runtime", "codegen"].iter().all(|it| path.join(it).join("Cargo.toml").is_file());
        let absolute = fs::canonicalize(path).ok().filter(|_| is_checkout);
        let absolute = absolute.as_deref().and_then(Path::to_str).ok_or_else(|| {
            let message = format!("`{}` is no checkout of zsvc", path.display());
            unusable(&message, "name the folder that has `runtime/` and `codegen/`, each with a `Cargo.toml`")
        })?;
        Ok(Origin::Checkout(absolute.to_owned()))
    }

    fn tell(&self, files: &[NewFile]) {
        let about = |path: &str| match path {
            "src/lib.rs" => "  what its methods do",
            "zsvc.toml" => "  what the command `zsvc` takes in this folder",
            path if path.starts_with("svc/") => "  what the service is",
            _ => "",
        };
        let list = files.iter().map(|file| format!("  {}{}", file.path, about(&file.path)));
        let list = list.collect::<Vec<_>>().join("\n");
        let enter = self.name.as_ref().map(|name| format!("  cd {}\n", name.display())).unwrap_or_default();
        let next = "  cargo run                 the server\n  \
                    cargo run --bin client    a client, in another terminal\n  \
                    zsvc call greet name=Ada  the same from the shell\n  \
                    cargo test\n";
        let text = format!("wrote\n{list}\nnext\n{enter}{next}");
        // A closed standard output is no error, since its reader has read enough.
        let _ = io::stdout().write_all(text.as_bytes());
    }
}

/// Reports whether there is something at a path, be it a link that leads nowhere.
fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

fn write(folder: &Path, file: &NewFile) -> Result<(), Outcome> {
    let path = folder.join(&file.path);
    let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| {
        OpenOptions::new().write(true).create_new(true).open(&path)?.write_all(file.text.as_bytes())
    });
    written.map_err(|error| {
        let message = format!("`{}` can't be written: {}", path.display(), reason(&error));
        unusable(&message, "check the path and its permissions")
    })
}

fn unusable(message: &str, help: &str) -> Outcome {
    Report::default().error(message, help);
    Outcome::Unusable
}
