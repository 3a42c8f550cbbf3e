//! The files of a schema in a form that programs carry along and tell their peers: [`Bundle`].
//!
//! Paths of the machine on which a program was built mean nothing elsewhere, and tell of that machine. So each file is named after
//! its package, as `market/v1/tape.svc`, and its imports are written to lead there. The texts are in the canonical format, with
//! all comments. [`compile`] makes a schema of such files again.
//!
//! Not here: how files get into a program (`zsvc-codegen`), and how they are asked for (`zsvc.reflection.v1`).

use std::collections::{BTreeMap, BTreeSet};

use crate::schema::Schema;
use crate::source::{FileId, SourceFile, SourceMap};
use crate::{Compilation, MemoryLoader, format};

/// The name of a file whose own has no character that is kept.
const UNNAMED: &str = "schema.svc";

/// All files of a compilation, by [`FileId`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    files: Vec<BundledFile>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundledFile {
    /// The path: the parts of the package's name and that of the file, with `/` between them. Each is another.
    pub path: String,
    /// The text in the canonical format. Its imports are relative to its folder.
    pub text: String,
    /// Indices of the files that it imports, in the order in which it does.
    pub imports: Vec<usize>,
}

/// What a program needs to tell the schema of some of its services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needs {
    /// The files, as indices into the bundle.
    pub files: Vec<usize>,
    /// The fingerprint of these files.
    pub fingerprint: u128,
}

impl Bundle {
    /// Bundles the files that a schema was compiled from.
    #[must_use]
    pub fn of(schema: &Schema, sources: &SourceMap) -> Self {
        let paths = paths(schema, sources);
        let files = sources.files().iter().enumerate().map(|(index, file)| {
            let imports = file.imports().iter().map(|import| import.file.0 as usize).collect();
            let text = canonical(&paths[index], with_imports(file, index, &paths));
            BundledFile { path: paths[index].clone(), text, imports }
        });
        Self { files: files.collect() }
    }

    /// Returns all files, by [`FileId`].
    #[must_use]
    pub fn files(&self) -> &[BundledFile] {
        &self.files
    }

    /// Returns the indices of a file and of all that it imports, directly or not: itself first, each once.
    #[must_use]
    pub fn closure(&self, file: FileId) -> Vec<usize> {
        let mut found = Vec::new();
        let mut open = vec![file.0 as usize];
        let mut known: BTreeSet<usize> = open.iter().copied().collect();
        while let Some(next) = open.pop() {
            found.push(next);
            open.extend(self.files[next].imports.iter().rev().copied().filter(|file| known.insert(*file)));
        }
        found
    }

    /// Returns what the declarations of each of some files need. A file that comes several times, once for each of its services, is
    /// looked at once, since its needs are of all the text that it imports.
    #[must_use]
    pub fn needs(&self, files: impl Iterator<Item = FileId>) -> BTreeMap<FileId, Needs> {
        let mut needs = BTreeMap::new();
        for file in files {
            needs.entry(file).or_insert_with(|| {
                let files = self.closure(file);
                Needs { fingerprint: self.fingerprint(&files), files }
            });
        }
        needs
    }

    /// Returns the fingerprint of some files, whatever their order.
    #[must_use]
    pub fn fingerprint(&self, files: &[usize]) -> u128 {
        let mut files: Vec<&BundledFile> = files.iter().map(|index| &self.files[*index]).collect();
        files.sort_by_key(|file| &file.path);
        fingerprint(files.into_iter().map(|file| (file.path.as_str(), file.text.as_str())))
    }
}

/// Returns a number that tells files from others: two sets with the same one are the same but for an accident in 2^64. It proves
/// nothing about who has written them.
fn fingerprint<'f>(files: impl Iterator<Item = (&'f str, &'f str)>) -> u128 {
    // FNV-1a with 128 bits.
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    const START: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    // No text has this byte, so what belongs to which is told.
    const END: u8 = 0xff;
    let bytes = files.flat_map(|(path, text)| path.bytes().chain([END]).chain(text.bytes()).chain([END]));
    bytes.fold(START, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME))
}

/// Compiles files that were bundled: pairs of a path and a text, which may be anything, as peers tell them.
#[must_use]
pub fn compile(files: impl IntoIterator<Item = (String, String)>) -> Compilation {
    let mut names = Vec::new();
    let loader = files.into_iter().fold(MemoryLoader::default(), |loader, (path, text)| {
        names.push(path.clone());
        loader.with(path, text)
    });
    crate::compile(&loader, &names, &[])
}

/// Returns the path of each file.
fn paths(schema: &Schema, sources: &SourceMap) -> Vec<String> {
    let mut folders = vec![String::new(); sources.files().len()];
    for package in &schema.packages {
        for span in &package.spans {
            folders[span.file.0 as usize] = package.name.join("/");
        }
    }
    let mut taken = BTreeSet::new();
    // From which number on a name may be free: a thousand files of one name are not each tried with all numbers before.
    let mut numbers = BTreeMap::<String, usize>::new();
    let paths = folders.iter().zip(sources.files()).map(|(folder, file)| {
        let name = plain_name(file.path());
        let mut free = format!("{folder}/{name}");
        let next = numbers.entry(free.clone()).or_insert(2);
        while taken.contains(&free) {
            free = format!("{folder}/{next}-{name}");
            *next += 1;
        }
        taken.insert(free.clone());
        free
    });
    paths.collect()
}

/// Returns the name of a file without its folders, in characters that need no escape anywhere.
fn plain_name(path: &str) -> String {
    let name = path.rsplit(['/', '\\']).next().unwrap_or_default();
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '.' | '_');
    let plain: String = name.chars().map(|letter| if is_plain(letter) { letter } else { '_' }).collect();
    if plain.chars().all(|letter| letter == '.') { UNNAMED.to_owned() } else { plain }
}

/// Returns the text of a file with its imports written anew.
fn with_imports(file: &SourceFile, index: usize, paths: &[String]) -> String {
    let mut text = file.text().to_owned();
    // From the end, so that the spans before stay right.
    for import in file.imports().iter().rev() {
        let path = relative(&paths[index], &paths[import.file.0 as usize]);
        text.replace_range(import.span.range(), &format!("\"{path}\""));
    }
    text
}

/// Returns the path to a file from the folder of another.
fn relative(from: &str, to: &str) -> String {
    let folder: Vec<&str> = from.split('/').rev().skip(1).collect();
    let folder = || folder.iter().rev();
    let common = folder().zip(to.split('/')).take_while(|(one, other)| *one == other).count();
    let up = folder().skip(common).map(|_| "..");
    up.chain(to.split('/').skip(common)).collect::<Vec<_>>().join("/")
}

/// Returns a text in the canonical format. What was compiled can be formatted; if it were not, it would stay as it is.
fn canonical(path: &str, text: String) -> String {
    let loader = MemoryLoader::default().with(path, text.clone());
    format(&loader, path).text.unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compat;

    /// Files below folders of a machine, found beside each other and by an include path.
    fn shop() -> (Schema, SourceMap) {
        let loader = MemoryLoader::default()
            .with(
                "/home/ann/shop/svc/shop.svc",
                "package shop.v1;\nimport \"money.svc\" as money; // of all\nimport \"deep/parts.svc\";\n/// Sells.\nservice   Shop \
                 extends Base { rpc buy(what: shop.v1.Part) -> money.v1.Amount; }\n",
            )
            .with("/home/ann/shop/svc/deep/parts.svc", "package shop.v1;\nstruct Part {}\nservice Base {}\n")
            .with("/usr/svc/money.svc", "package money.v1;\nstruct Amount { minor: i64 = 1; }\n")
            .with("/usr/svc/other.svc", "package other;\nimport \"money.svc\";\nstruct Other { a: money.v1.Amount = 1; }\n");
        let files = ["/home/ann/shop/svc/shop.svc", "/usr/svc/other.svc"].map(str::to_owned);
        let compilation = crate::compile(&loader, &files, &["/usr/svc".to_owned()]);
        (compilation.schema.expect("it compiles"), compilation.sources)
    }

    fn pairs(bundle: &Bundle, files: &[usize]) -> Vec<(String, String)> {
        files
            .iter()
            .map(|index| &bundle.files[*index])
            .map(|file| (file.path.clone(), file.text.clone()))
            .collect()
    }

    #[test]
    fn files_are_named_after_their_packages_and_tell_nothing_of_the_machine() {
        let (schema, sources) = shop();
        let bundle = Bundle::of(&schema, &sources);
        let paths: Vec<&str> = bundle.files().iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["shop/v1/shop.svc", "other/other.svc", "money/v1/money.svc", "shop/v1/parts.svc"]);
        let shop = &bundle.files()[0].text;
        assert!(shop.contains("import \"../../money/v1/money.svc\" as money; // of all"), "{shop}");
        assert!(shop.contains("import \"parts.svc\";\n\n/// Sells.\nservice Shop extends Base {"), "{shop}");
    }

    #[test]
    fn what_was_bundled_compiles_to_the_same_schema() {
        let (schema, sources) = shop();
        let bundle = Bundle::of(&schema, &sources);
        let again = compile(pairs(&bundle, &[0, 1, 2, 3]));
        let again = again.schema.unwrap_or_else(|| panic!("{:#?}", again.diagnostics));
        assert_eq!(compat::compare(&schema, &again), []);
        assert_eq!(compat::compare(&again, &schema), []);
    }

    #[test]
    fn a_service_needs_its_file_and_what_that_imports() {
        let (schema, sources) = shop();
        let bundle = Bundle::of(&schema, &sources);
        assert_eq!(bundle.closure(FileId(0)), [0, 2, 3]);
        assert_eq!(bundle.closure(FileId(1)), [1, 2]);
        assert!(!compile(pairs(&bundle, &[0, 2, 3])).has_errors());
    }

    #[test]
    fn a_fingerprint_is_of_the_files_and_not_of_their_order() {
        let (schema, sources) = shop();
        let bundle = Bundle::of(&schema, &sources);
        assert_eq!(bundle.fingerprint(&[0, 2, 3]), bundle.fingerprint(&[3, 0, 2]));
        assert_ne!(bundle.fingerprint(&[0, 2, 3]), bundle.fingerprint(&[0, 2]));
        assert_ne!(fingerprint([("a", "b")].into_iter()), fingerprint([("ab", "")].into_iter()));
    }

    #[test]
    fn odd_and_equal_names_become_paths_that_differ() {
        let loader = MemoryLoader::default()
            .with("a/b \"c\".svc", "package p;\nimport \"../x/y.svc\";\nimport \"../z/y.svc\";\n")
            .with("x/y.svc", "package p;\n")
            .with("z/y.svc", "package p;\n");
        let compilation = crate::compile(&loader, &["a/b \"c\".svc".to_owned()], &[]);
        let bundle = Bundle::of(&compilation.schema.expect("it compiles"), &compilation.sources);
        let paths: Vec<&str> = bundle.files().iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["p/b__c_.svc", "p/y.svc", "p/2-y.svc"]);
        assert!(!compile(pairs(&bundle, &[0, 1, 2])).has_errors());
        assert_eq!(plain_name(".."), UNNAMED);
    }
}
