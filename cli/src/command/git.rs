//! Reads the files of a git revision.
//!
//! Runs the `git` command, which users of this have anyway: two processes to look up the revision, one per path to list
//! files, and one that returns the content of any number of files.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Component, Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use zsvc_codegen::{Disk, is_taken, reason};
use zsvc_idl::source::MAX_FILE_BYTES;
use zsvc_idl::{LoadError, Loader};

/// Why a revision can't be read, and what to do.
#[derive(Debug)]
pub(crate) struct GitError {
    pub(crate) message: String,
    pub(crate) help: String,
}

/// A revision of the repository of the working folder. Paths are relative to the working folder, as on disk.
pub(crate) struct Revision {
    /// As the user names it.
    name: String,
    /// Hash of the commit.
    hash: String,
    /// The folder of the repository.
    top: PathBuf,
    /// The working folder, relative to that.
    here: PathBuf,
    objects: RefCell<Objects>,
    /// Objects of files, by path: paths with the same object are one file, as links are.
    known: RefCell<BTreeMap<String, String>>,
    /// Loads files outside the repository, which have no older state.
    outside: Disk,
}

/// The object of a name, with links followed.
enum Object {
    File { hash: String, bytes: Vec<u8> },
    Folder { hash: String },
    Nothing,
}

/// `git cat-file --batch`: names of objects in, their bytes out.
struct Objects {
    child: Child,
    names: Option<ChildStdin>,
    bytes: BufReader<ChildStdout>,
}

impl Revision {
    /// Looks up the revision.
    pub(crate) fn open(name: &str) -> Result<Self, GitError> {
        let top = git(&["rev-parse", "--show-toplevel"])?.map_err(|said| GitError {
            message: format!("the working folder is not in a git repository: {said}"),
            help: "run the command in a repository, or compare two paths: `zsvc diff OLD NEW`".to_owned(),
        })?;
        let unknown = |said: String| GitError {
            message: format!("git knows no revision `{name}`{said}"),
            help: "name a commit, branch or tag; `git fetch` downloads those of other repositories"
                .to_owned(),
        };
        let here = git(&["rev-parse", "--show-prefix"])?.map_err(&unknown)?;
        // Git would take it for an option.
        if name.starts_with('-') || name.is_empty() {
            return Err(unknown(String::new()));
        }
        let commit = format!("{name}^{{commit}}");
        let hash =
            git(&["rev-parse", "--verify", "--quiet", &commit])?.map_err(|_| unknown(String::new()))?;
        let objects = RefCell::new(Objects::open().map_err(|error| failed(&error))?);
        let (top, here) = (PathBuf::from(top), PathBuf::from(here));
        let (known, outside) = (RefCell::default(), Disk::default());
        Ok(Self { name: name.to_owned(), hash, top, here, objects, known, outside })
    }

    /// Returns the name of a file of this revision in messages.
    pub(crate) fn name(&self, path: &str) -> String {
        format!("{}:{path}", self.name)
    }

    /// Returns the `.svc` files at or below some paths, by the rules of [`zsvc_codegen::svc_files`]; none for a path that the
    /// revision does not have.
    pub(crate) fn files(&self, paths: &[String]) -> Result<Vec<String>, GitError> {
        let mut files = Vec::new();
        for path in paths {
            let listed = git(&["ls-tree", "-r", "-z", &self.hash, "--", path])?;
            let listed = listed.map_err(|said| GitError {
                message: format!("git can't list `{path}` of `{}`: {said}", self.name),
                help: "name paths inside the repository".to_owned(),
            })?;
            let mut seen = BTreeSet::new();
            for (file, is_link) in entries(&listed) {
                let below = self.below(file, path);
                if below.as_os_str().is_empty() {
                    files.push(file.to_owned());
                } else if is_link {
                    self.follow(file, &below, &mut seen, &mut files)?;
                } else if is_taken(&below) {
                    files.push(file.to_owned());
                }
            }
        }
        files.sort();
        files.dedup();
        Ok(files)
    }

    /// Adds the target of a link: a file, or those of a folder, each of which is searched once.
    fn follow(
        &self,
        link: &str,
        below: &Path,
        seen: &mut BTreeSet<String>,
        files: &mut Vec<String>,
    ) -> Result<(), GitError> {
        match self.object(link).map_err(|error| failed(&error))? {
            Object::File { .. } if is_taken(below) => files.push(link.to_owned()),
            Object::Folder { hash } if seen.insert(hash.clone()) => {
                let listed = git(&["ls-tree", "-r", "-z", "--full-tree", &hash])?.unwrap_or_default();
                for (file, is_link) in entries(&listed) {
                    let (path, below) = (format!("{link}/{file}"), below.join(file));
                    if is_link {
                        self.follow(&path, &below, seen, files)?;
                    } else if is_taken(&below) {
                        files.push(path);
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Reports whether a path equals another or lies below it, however they are written.
    pub(crate) fn is_below(&self, path: &str, folder: &str) -> bool {
        match (self.inside(path), self.inside(folder)) {
            (Some(path), Some(folder)) => path.starts_with(folder),
            _ => false,
        }
    }

    /// Returns a path relative to a folder above it.
    fn below(&self, path: &str, folder: &str) -> PathBuf {
        let (path, folder) = (self.inside(path).unwrap_or_default(), self.inside(folder).unwrap_or_default());
        path.strip_prefix(folder).map(Path::to_owned).unwrap_or(path)
    }

    /// Returns a path relative to the folder of the repository; `None` outside of it. Paths that are not absolute start at the
    /// working folder.
    fn inside(&self, path: &str) -> Option<PathBuf> {
        let path = Path::new(path);
        let whole = if path.is_absolute() {
            path.strip_prefix(&self.top).ok()?.to_owned()
        } else {
            self.here.join(path)
        };
        let mut inside = PathBuf::new();
        for component in whole.components() {
            match component {
                Component::Normal(name) => inside.push(name),
                Component::ParentDir if !inside.pop() => return None,
                _ => {}
            }
        }
        Some(inside)
    }

    fn object(&self, path: &str) -> io::Result<Object> {
        let inside = self.inside(path);
        // Names are separated by line breaks.
        match inside.as_deref().and_then(Path::to_str).filter(|inside| !inside.contains('\n')) {
            Some(inside) => self.objects.borrow_mut().get(&format!("{}:{inside}", self.hash)),
            None => Ok(Object::Nothing),
        }
    }
}

/// Returns the paths that `git ls-tree -z` lists, and which of them are links: `120000 blob HASH\tPATH`.
fn entries(listed: &str) -> impl Iterator<Item = (&str, bool)> {
    let parted = listed.split('\0').filter_map(|entry| entry.split_once('\t'));
    parted.map(|(head, path)| (path, head.starts_with("120000 ")))
}

impl Loader for Revision {
    fn load(&self, path: &str) -> Result<Vec<u8>, LoadError> {
        if self.inside(path).is_none() {
            return self.outside.load(path);
        }
        match self.object(path) {
            Ok(Object::File { hash, bytes }) => {
                self.known.borrow_mut().insert(path.to_owned(), hash);
                Ok(bytes)
            }
            Ok(Object::Folder { .. }) => Err(LoadError::Unreadable("is a directory".to_owned())),
            Ok(Object::Nothing) => Err(LoadError::NotFound),
            Err(error) => Err(LoadError::Unreadable(format!("git has ended: {}", reason(&error)))),
        }
    }

    fn identity(&self, path: &str) -> Option<String> {
        if self.inside(path).is_none() {
            return self.outside.identity(path);
        }
        if let Some(hash) = self.known.borrow().get(path) {
            return Some(hash.clone());
        }
        self.load(path).ok()?;
        self.known.borrow().get(path).cloned()
    }
}

impl Objects {
    fn open() -> io::Result<Self> {
        let mut child = Command::new("git")
            .args(["cat-file", "--batch", "--follow-symlinks"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let bytes = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let names = child.stdin.take();
        Ok(Self { child, names, bytes: BufReader::new(bytes) })
    }

    /// Asks for an object, and reads the answer: a line that describes it, then its bytes and a line break. A link that is
    /// broken, circular or leads out of the repository is answered as such, with its target in place of bytes.
    fn get(&mut self, object: &str) -> io::Result<Object> {
        let names = self.names.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        writeln!(names, "{object}")?;
        names.flush()?;
        let mut head = String::new();
        if self.bytes.read_line(&mut head)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // A missing object is answered by its name, which may contain spaces, and without a size.
        let mut words = head.trim_end().rsplit(' ');
        let (size, kind) = (words.next().and_then(|size| size.parse::<u64>().ok()), words.next());
        let (Some(size), Some(kind)) = (size, kind) else { return Ok(Object::Nothing) };
        let bytes = self.take(size)?;
        let hash = words.next().unwrap_or_default().to_owned();
        Ok(match kind {
            "blob" => Object::File { hash, bytes },
            "tree" => Object::Folder { hash },
            _ => Object::Nothing,
        })
    }

    /// Keeps at most one byte past the limit, which shows that there are more.
    fn take(&mut self, size: u64) -> io::Result<Vec<u8>> {
        let kept = size.min(MAX_FILE_BYTES as u64 + 1);
        let mut bytes = Vec::new();
        let mut whole = self.bytes.by_ref().take(size + 1);
        whole.by_ref().take(kept).read_to_end(&mut bytes)?;
        io::copy(&mut whole, &mut io::sink())?;
        Ok(bytes)
    }
}

impl Drop for Objects {
    /// The process ends when its input does. Its status does not matter.
    fn drop(&mut self) {
        drop(self.names.take());
        let _ = self.child.wait();
    }
}

/// Returns what git prints, without the line break at the end; or its error message.
fn git(arguments: &[&str]) -> Result<Result<String, String>, GitError> {
    let output =
        Command::new("git").args(arguments).stdin(Stdio::null()).output().map_err(|error| failed(&error))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end_matches(['\n', '\r']).to_owned();
    if output.status.success() {
        return Ok(Ok(text(&output.stdout)));
    }
    let said = text(&output.stderr);
    Ok(Err(said.lines().next().unwrap_or("no reason given").to_owned()))
}

fn failed(error: &io::Error) -> GitError {
    GitError {
        message: format!("`git`, which reads the older files, can't be run: {}", reason(error)),
        help: "install git, or compare two paths: `zsvc diff OLD NEW`".to_owned(),
    }
}
