//! The files of a revision, as git has them.
//!
//! Git itself is called, as everyone has it who needs this. Two processes are started to look at the revision, one to list
//! each path, and one that then gives out any number of files.

use std::cell::RefCell;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use zsvc_codegen::reason;
use zsvc_idl::source::MAX_FILE_BYTES;
use zsvc_idl::{LoadError, Loader};

/// Why a revision can't be looked at, and what to do.
#[derive(Debug)]
pub(crate) struct GitError {
    pub(crate) message: String,
    pub(crate) help: String,
}

/// A revision of the repository that the working folder belongs to. Paths start at the working folder, as on the disk.
pub(crate) struct Revision {
    /// As the user names it.
    name: String,
    /// Of the commit.
    hash: String,
    /// The folder of the repository.
    top: PathBuf,
    objects: RefCell<Objects>,
}

/// `git cat-file --batch`: names of objects in, their bytes out.
struct Objects {
    child: Child,
    names: Option<ChildStdin>,
    bytes: BufReader<ChildStdout>,
}

impl Revision {
    /// Looks the revision up.
    pub(crate) fn open(name: &str) -> Result<Self, GitError> {
        let top = git(&["rev-parse", "--show-toplevel"])?.map_err(|said| GitError {
            message: format!("the working folder is in no git repository: {said}"),
            help: "run the command in a repository, or compare two paths: `zsvc diff OLD NEW`".to_owned(),
        })?;
        let unknown = |said: String| GitError {
            message: format!("git knows no revision `{name}`{said}"),
            help: "name a commit, branch or tag; `git fetch` gets those that are elsewhere".to_owned(),
        };
        // What starts so would be taken for an option.
        if name.starts_with('-') || name.is_empty() {
            return Err(unknown(String::new()));
        }
        let commit = format!("{name}^{{commit}}");
        let hash =
            git(&["rev-parse", "--verify", "--quiet", &commit])?.map_err(|_| unknown(String::new()))?;
        let objects = RefCell::new(Objects::open().map_err(|error| failed(&error))?);
        Ok(Self { name: name.to_owned(), hash, top: PathBuf::from(top), objects })
    }

    /// What a file of this revision is called in messages.
    pub(crate) fn name(&self, path: &str) -> String {
        format!("{}:{path}", self.name)
    }

    /// The `.svc` files that are, or lie below, some paths; none for a path that the revision does not have.
    pub(crate) fn files(&self, paths: &[String]) -> Result<Vec<String>, GitError> {
        let mut files = Vec::new();
        for path in paths {
            let listed = git(&["ls-tree", "-r", "-z", "--name-only", &self.hash, "--", path])?;
            let listed = listed.map_err(|said| GitError {
                message: format!("git can't list `{path}` of `{}`: {said}", self.name),
                help: "name paths inside the repository".to_owned(),
            })?;
            let is_svc =
                |file: &&str| *file == path || Path::new(file).extension().is_some_and(|end| end == "svc");
            files
                .extend(listed.split('\0').filter(|file| !file.is_empty()).filter(is_svc).map(str::to_owned));
        }
        files.dedup();
        Ok(files)
    }

    /// How git calls a file: paths that are not absolute start at the working folder.
    fn object(&self, path: &str) -> Option<String> {
        let at = Path::new(path);
        if at.is_absolute() {
            let inside = at.strip_prefix(&self.top).ok()?;
            return Some(format!("{}:{}", self.hash, inside.to_str()?));
        }
        Some(format!("{}:./{path}", self.hash))
    }
}

impl Loader for Revision {
    fn load(&self, path: &str) -> Result<Vec<u8>, LoadError> {
        // Names are parted by line breaks.
        let object = self.object(path).filter(|object| !object.contains('\n')).ok_or(LoadError::NotFound)?;
        match self.objects.borrow_mut().get(&object) {
            Ok(found) => found,
            Err(error) => Err(LoadError::Unreadable(format!("git has ended: {}", reason(&error)))),
        }
    }
}

impl Objects {
    fn open() -> io::Result<Self> {
        let mut child = Command::new("git")
            .args(["cat-file", "--batch"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let bytes = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let names = child.stdin.take();
        Ok(Self { child, names, bytes: BufReader::new(bytes) })
    }

    /// Asks for an object, and reads the answer: a line that says what it is, then its bytes and a line break.
    fn get(&mut self, object: &str) -> io::Result<Result<Vec<u8>, LoadError>> {
        let names = self.names.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        writeln!(names, "{object}")?;
        names.flush()?;
        let mut head = String::new();
        if self.bytes.read_line(&mut head)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut words = head.trim_end().rsplit(' ');
        let (size, kind) = (words.next().and_then(|size| size.parse::<u64>().ok()), words.next());
        let (Some(size), Some(kind)) = (size, kind) else { return Ok(Err(LoadError::NotFound)) };
        let bytes = self.take(size)?;
        Ok(match kind {
            "blob" => Ok(bytes),
            _ => Err(LoadError::Unreadable("is a directory".to_owned())),
        })
    }

    /// No more than one byte past the limit is kept, which says that there are more.
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
    /// Ends when there are no more names to come. Nobody asks how.
    fn drop(&mut self) {
        drop(self.names.take());
        let _ = self.child.wait();
    }
}

/// What git prints, without the line break at the end; or what it says is wrong.
fn git(arguments: &[&str]) -> Result<Result<String, String>, GitError> {
    let output =
        Command::new("git").args(arguments).stdin(Stdio::null()).output().map_err(|error| failed(&error))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end_matches(['\n', '\r']).to_owned();
    if output.status.success() {
        return Ok(Ok(text(&output.stdout)));
    }
    let said = text(&output.stderr);
    Ok(Err(said.lines().next().unwrap_or("it does not say why").to_owned()))
}

fn failed(error: &io::Error) -> GitError {
    GitError {
        message: format!("`git` can't be run, by which the older files are read: {}", reason(error)),
        help: "install git, or compare two paths: `zsvc diff OLD NEW`".to_owned(),
    }
}
