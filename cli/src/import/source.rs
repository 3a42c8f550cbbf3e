//! `.proto` files and all that they import, parsed and resolved by `protox`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};
use protox::prost_reflect::prost_types::FileDescriptorProto;
use protox::{Compiler, Error};
use zsvc_codegen::reason;

use super::{Note, Request};

/// Every file that was read.
#[derive(Debug)]
pub(crate) struct Sources {
    /// By name, as imports name them.
    pub(crate) files: BTreeMap<String, Source>,
    /// Names of those that were asked for.
    pub(crate) named: Vec<String>,
    /// What was asked for and is left out.
    pub(crate) notes: Vec<Note>,
}

/// A file.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) text: String,
    /// The file as it is written: its options are not interpreted, and have places in the text.
    pub(crate) written: FileDescriptorProto,
    /// The file with full names of types.
    pub(crate) resolved: FileDescriptorProto,
}

/// Why there is nothing to write.
#[derive(Debug)]
pub(crate) struct Wrong {
    pub(crate) message: String,
    pub(crate) help: String,
    /// Whether a file can't be read, rather than being wrong.
    pub(crate) is_unreadable: bool,
}

impl Wrong {
    pub(crate) fn file(message: String, help: &str) -> Self {
        Self { message, help: help.to_owned(), is_unreadable: false }
    }
}

/// Texts and parsed files, which the compiler does not hand out.
type Kept = Arc<Mutex<BTreeMap<String, (String, FileDescriptorProto)>>>;

/// Reads the files of a request.
pub(crate) fn read(request: &Request) -> Result<Sources, Wrong> {
    let kept = Kept::default();
    let mut chain = ChainFileResolver::new();
    chain.add(Roots { roots: request.roots.clone(), kept: Arc::clone(&kept) });
    chain.add(Google { kept: Arc::clone(&kept) });
    let mut compiler = Compiler::with_file_resolver(chain);
    compiler.include_imports(true).include_source_info(true);
    let (mut named, mut notes) = (Vec::new(), Vec::new());
    for asked in &request.files {
        let name = name_of(&asked.path, &request.roots)?;
        if name == DESCRIPTOR {
            notes.push(left_out(asked.is_found)?);
            continue;
        }
        is_found_first(&asked.path, &name, &request.roots)?;
        compiler.open_file(&name).map_err(|error| wrong(&error, &name))?;
        named.push(name);
    }
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    let resolved = compiler.file_descriptor_set().file.into_iter();
    let files = resolved.filter_map(|resolved| {
        let name = resolved.name().to_owned();
        let (text, written) = kept.remove(&name)?;
        Some((name.clone(), Source { name, text, written, resolved }))
    });
    Ok(Sources { files: files.collect(), named, notes })
}

/// Returns the note that [`DESCRIPTOR`] is left out, or an error if it was named rather than found in a folder.
fn left_out(is_found: bool) -> Result<Note, Wrong> {
    const WHY: &str = "its types are used by options alone, which are kept as comments";
    if is_found {
        let text = format!("the file describes protobuf itself, and is left out: {WHY}");
        return Ok(Note { file: DESCRIPTOR.to_owned(), line: 1, text });
    }
    let message = format!("`{DESCRIPTOR}` describes protobuf itself, and is not imported");
    Err(Wrong::file(message, &format!("leave it out: {WHY}")))
}

/// Returns the name of a file: its path from the first root that it is in.
fn name_of(path: &Path, roots: &[PathBuf]) -> Result<String, Wrong> {
    let mut names = roots.iter().filter_map(|root| {
        let root = root.strip_prefix(".").unwrap_or(root);
        let below = path.strip_prefix(".").unwrap_or(path).strip_prefix(root).ok()?;
        let parts = below.components().map(|part| part.as_os_str().to_str());
        let name = parts.collect::<Option<Vec<_>>>()?.join("/");
        leads_down(&name).then_some(name)
    });
    match names.next() {
        Some(name) => Ok(name),
        None => Err(Wrong::file(
            format!("`{}` is in none of the folders of `-I`", path.display()),
            "name the folder that its imports are relative to: `-I DIR`",
        )),
    }
}

/// Reports whether a name leads to a file below whatever folder it is joined to. `protoc` takes no others.
fn leads_down(name: &str) -> bool {
    let is_plain = |part: &str| !matches!(part, "" | "." | "..") && !part.contains('\\');
    // The second finds what else a system takes for the start of a path.
    name.split('/').all(is_plain)
        && Path::new(name).components().all(|part| matches!(part, Component::Normal(_)))
}

/// Checks that a file is the one that its name leads to: another root, before that of the file, may have a file of the same name.
fn is_found_first(path: &Path, name: &str, roots: &[PathBuf]) -> Result<(), Wrong> {
    // Where there is none, opening it says so.
    let Some(found) = roots.iter().map(|root| root.join(name)).find(|found| found.exists()) else {
        return Ok(());
    };
    match fs::canonicalize(path) {
        Err(error) => Err(Wrong {
            message: format!("`{}` can't be read: {}", path.display(), reason(&error)),
            help: "check the path and its permissions".to_owned(),
            is_unreadable: true,
        }),
        Ok(path) if fs::canonicalize(&found).is_ok_and(|found| found == path) => Ok(()),
        Ok(_) => Err(Wrong::file(
            format!(
                "`{}` has the name `{name}`, and so has `{}`, which is found first",
                path.display(),
                found.display()
            ),
            "a file's name is its path below a folder of `-I DIR`: name the folder that both are below, or put the one of this file first",
        )),
    }
}

fn wrong(error: &Error, name: &str) -> Wrong {
    let file = error.file().unwrap_or(name);
    let text = error.to_string();
    let is_unreadable = error.is_io() || error.is_file_not_found();
    // With the line and the column, where there are some.
    let placed = match format!("{error:?}") {
        placed if placed.starts_with(file) => placed,
        _ => format!("{file}: {text}"),
    };
    let (message, help) = if let Some(edition) = text.strip_prefix(EDITION) {
        (
            format!("{edition}, and `zsvc import` reads proto2 and proto3"),
            "write it as proto3 for the import: `syntax = \"proto3\";`, and `optional` before fields with explicit presence",
        )
    } else if let Some(place) = text.strip_prefix(IMPORT) {
        (
            format!("{place} is no path below a folder of `-I`"),
            "write the path from one of these folders, without `.`, `..`, backslashes and a `/` in front: `import \"shared/money.proto\";`",
        )
    } else if error.is_file_not_found() {
        (placed, "files are looked for in the folders of `-I DIR`: name the one that holds it")
    } else {
        (
            placed,
            "`zsvc import` reads what `protoc` takes: mend the file first; if it is found by two names, name the folder that its imports are relative to: `-I DIR`",
        )
    };
    Wrong { message, help: help.to_owned(), is_unreadable }
}

/// Start of the text of an error about an edition, which only [`open`] makes.
const EDITION: &str = "edition: ";

/// Start of the text of an error about the path of an import, which only [`open`] makes.
const IMPORT: &str = "import: ";

/// The file that options are declared against. The one that comes with `protox` is read, since later ones use what only editions have.
const DESCRIPTOR: &str = "google/protobuf/descriptor.proto";

/// Opens files below some folders, and keeps their texts.
struct Roots {
    roots: Vec<PathBuf>,
    kept: Kept,
}

impl FileResolver for Roots {
    fn open_file(&self, name: &str) -> Result<File, Error> {
        if name == DESCRIPTOR || !leads_down(name) {
            return Err(Error::file_not_found(name));
        }
        for root in &self.roots {
            match fs::read(root.join(name)) {
                Ok(bytes) => {
                    let text = String::from_utf8(bytes).map_err(|_| Error::new("it is not UTF-8"))?;
                    return open(name, text, &self.kept);
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(Error::new(error)),
            }
        }
        Err(Error::file_not_found(name))
    }
}

/// Files that come with protobuf and declare a message with neither a counterpart in the language nor a part that few use. Their
/// texts are not handed out by `protox`.
const TEXTS: [(&str, &str); 2] = [
    (
        "google/protobuf/any.proto",
        "// A message of any type.\nsyntax = \"proto3\";\npackage google.protobuf;\n\n\
         // The bytes of a message as protobuf writes it, with the name of its type.\n\
         message Any {\n  string type_url = 1;\n  bytes value = 2;\n}\n",
    ),
    (
        "google/protobuf/empty.proto",
        "syntax = \"proto3\";\npackage google.protobuf;\n\n// Nothing, where the language asks for a type.\nmessage Empty {}\n",
    ),
];

/// Opens the files that come with protobuf.
struct Google {
    kept: Kept,
}

impl FileResolver for Google {
    fn open_file(&self, name: &str) -> Result<File, Error> {
        match TEXTS.iter().find(|(known, _)| *known == name) {
            Some((_, text)) => open(name, (*text).to_owned(), &self.kept),
            None => GoogleFileResolver::new().open_file(name),
        }
    }
}

fn open(name: &str, text: String, kept: &Kept) -> Result<File, Error> {
    if let Some(edition) = edition(&text) {
        return Err(Error::new(format!("{EDITION}{name} is of the edition {edition}")));
    }
    let file = File::from_source(name, &text).map_err(|error| match refused_import(&error, &text) {
        Some(import) => Error::new(format!("{IMPORT}{import}")),
        None => error,
    })?;
    let parsed = (text, file.file_descriptor_proto().clone());
    kept.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), parsed);
    Ok(file)
}

/// Returns the path of an import that `protox` refuses, with its place: the text of that error speaks of groups.
fn refused_import(error: &Error, text: &str) -> Option<String> {
    let placed = format!("{error:?}");
    let place = placed.strip_suffix(": invalid group name")?;
    let mut numbers = place.rsplit(':').map_while(|number| number.parse::<usize>().ok());
    let (column, line) = (numbers.next()?, numbers.next()?);
    let rest = text.lines().nth(line.checked_sub(1)?)?.get(column.checked_sub(1)?..)?;
    let quote = rest.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    Some(format!("{place}: `{}`", rest[1..].split(quote).next()?))
}

/// Returns the edition that a file names in the place of its syntax.
fn edition(text: &str) -> Option<&str> {
    let rest = super::comments::skip(text).strip_prefix("edition")?.trim_start();
    let value = rest.strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    value[1..].split(quote).next()
}
