//! `.proto` files and all that they import, parsed and resolved by `protox`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};
use protox::prost_reflect::prost_types::FileDescriptorProto;
use protox::{Compiler, Error};

use super::Request;

/// Every file that was read.
#[derive(Debug)]
pub(crate) struct Sources {
    /// By name, as imports name them.
    pub(crate) files: BTreeMap<String, Source>,
    /// Names of those that were asked for.
    pub(crate) named: Vec<String>,
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
    let mut named = Vec::new();
    for path in &request.files {
        let name = name_of(path, &request.roots)?;
        compiler.open_file(&name).map_err(|error| wrong(&error, &name))?;
        named.push(name);
    }
    if named.iter().any(|name| name == DESCRIPTOR) {
        let message = format!("`{DESCRIPTOR}` describes protobuf itself, and is not imported");
        return Err(Wrong::file(
            message,
            "leave it out: its types are used by options alone, which are kept as comments",
        ));
    }
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    let resolved = compiler.file_descriptor_set().file.into_iter();
    let files = resolved.filter_map(|resolved| {
        let name = resolved.name().to_owned();
        let (text, written) = kept.remove(&name)?;
        Some((name.clone(), Source { name, text, written, resolved }))
    });
    Ok(Sources { files: files.collect(), named })
}

/// Returns the name of a file: its path from the first root that it is in.
fn name_of(path: &Path, roots: &[PathBuf]) -> Result<String, Wrong> {
    let mut inside = roots.iter().filter_map(|root| {
        let root = root.strip_prefix(".").unwrap_or(root);
        path.strip_prefix(".").unwrap_or(path).strip_prefix(root).ok()
    });
    match inside.find_map(Path::to_str) {
        Some(name) => Ok(name.replace('\\', "/")),
        None => Err(Wrong::file(
            format!("`{}` is in none of the folders of `-I`", path.display()),
            "name the folder that its imports are relative to: `-I DIR`",
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

/// The file that options are declared against. The one that comes with `protox` is read, since later ones use what only editions have.
const DESCRIPTOR: &str = "google/protobuf/descriptor.proto";

/// Opens files below some folders, and keeps their texts.
struct Roots {
    roots: Vec<PathBuf>,
    kept: Kept,
}

impl FileResolver for Roots {
    fn open_file(&self, name: &str) -> Result<File, Error> {
        if name == DESCRIPTOR {
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
    let file = File::from_source(name, &text)?;
    let parsed = (text, file.file_descriptor_proto().clone());
    kept.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), parsed);
    Ok(file)
}

/// Returns the edition that a file names in the place of its syntax.
fn edition(text: &str) -> Option<&str> {
    let rest = super::comments::skip(text).strip_prefix("edition")?.trim_start();
    let value = rest.strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    value[1..].split(quote).next()
}
