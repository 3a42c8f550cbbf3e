//! Reads a `zsvc.toml`. All mistakes are reported at once, each at its place, except those of syntax.
//!
//! The keys and what they mean are in docs/tool.md; the names of keys stand here once, in [`KEYS`] and
//! [`GENERATE_KEYS`].

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, PathBuf};

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};
use zsvc_idl::diagnostic::{Code, Diagnostic};
use zsvc_idl::lint::{self, Level, Rule};
use zsvc_idl::source::{FileId, SourceMap, Span};
use zsvc_idl::suggest;

use super::{Client, MAX_BYTES, Output, Project, Wrong, wrong};
use crate::options::{Options, Sides};
use crate::target::Language;

const KEYS: [&str; 5] = ["roots", "include", "generate", "lint", "client"];
const CLIENT_KEYS: [&str; 3] = ["endpoint", "server_key", "key"];
const GENERATE_KEYS: [&str; 9] =
    ["out", "files", "lang", "sides", "mocks", "derive", "replace", "extern_package", "runtime_path"];

type Key<'t, 'i> = &'t Spanned<DeString<'i>>;
type Value<'t, 'i> = &'t Spanned<DeValue<'i>>;

/// Reads the bytes of a project's file. `folder` is put before each path in it.
pub(super) fn project(path: &str, folder: &str, bytes: Vec<u8>) -> Result<Project, Wrong> {
    let mut sources = SourceMap::default();
    let (text, is_text) = match String::from_utf8(bytes) {
        Ok(text) => (text, true),
        Err(error) => (String::from_utf8_lossy(error.as_bytes()).into_owned(), false),
    };
    let too_large = text.len() > MAX_BYTES;
    let file = sources.add(path, if too_large { "" } else { &text });
    let mut reader = Reader { file, folder, diagnostics: Vec::new() };
    if too_large || !is_text {
        let (what, help) = if too_large {
            (format!("this file has more than {} MiB", MAX_BYTES >> 20), "remove what does not belong here")
        } else {
            ("this file is not UTF-8".to_owned(), "save it as UTF-8")
        };
        reader.add(Code::PROJECT_TEXT, 0..0, what, help);
        return Err(wrong(reader.diagnostics, sources));
    }
    // One mistake of syntax causes others, so only the first is reported.
    let table = match DeTable::parse(&text) {
        Ok(table) => table,
        Err(error) => {
            let message = error.message().trim().replace('\n', ", ");
            let help = "write it as TOML: `roots = [\"svc\"]`";
            reader.add(Code::PROJECT_TEXT, error.span().unwrap_or(0..0), message, help);
            return Err(wrong(reader.diagnostics, sources));
        }
    };
    let mut project = reader.top(path, table.get_ref());
    if reader.diagnostics.is_empty() {
        project.sources = sources;
        return Ok(project);
    }
    let mut diagnostics = reader.diagnostics;
    diagnostics.sort_by_key(|diagnostic| diagnostic.primary.as_ref().map(|label| label.span));
    Err(wrong(diagnostics, sources))
}

struct Reader<'a> {
    file: FileId,
    folder: &'a str,
    diagnostics: Vec<Diagnostic>,
}

impl Reader<'_> {
    fn top(&mut self, path: &str, table: &DeTable) -> Project {
        let mut project = Project {
            path: path.to_owned(),
            roots: Vec::new(),
            include: Vec::new(),
            outputs: Vec::new(),
            client: Client::default(),
            lint: Vec::new(),
            roots_span: self.span(0..0),
            sources: SourceMap::default(),
        };
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "roots" => {
                    project.roots_span = self.span(value.span());
                    project.roots = self.inside(value, Wanted::Folder);
                    if value.get_ref().as_array().is_some_and(|array| array.is_empty()) {
                        self.value(value, "a project has a root", "write `roots = [\".\"]`");
                    }
                }
                "include" => project.include = self.include(value),
                "generate" => project.outputs = self.outputs(value),
                "lint" => project.lint = self.levels(value),
                "client" => project.client = self.client(value),
                _ => self.unknown_key(key, &KEYS),
            }
        }
        if project.roots.is_empty() {
            project.roots.push(or_here(self.folder));
        }
        project
    }

    fn client(&mut self, value: Value) -> Client {
        let mut client = Client::default();
        let Some(table) = value.get_ref().as_table() else {
            self.value(value, "`client` is a table", "write it as `[client]`");
            return client;
        };
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "endpoint" => client.endpoint = self.string(value),
                "server_key" => client.server_key = self.key_file(value),
                "key" => client.key = self.key_file(value),
                _ => self.unknown_key(key, &CLIENT_KEYS),
            }
        }
        client
    }

    fn key_file(&mut self, value: Value) -> Option<PathBuf> {
        let text = self.string(value)?;
        if text.is_empty() {
            self.value(value, "this path is empty", "name a file of `zsvc keygen`: `\"keys/floor.key\"`");
        }
        Some(PathBuf::from(self.placed(&text)))
    }

    /// Folders or files inside the project.
    fn inside(&mut self, value: Value, wanted: Wanted) -> Vec<String> {
        let mut paths = Vec::new();
        for (text, item) in self.strings(value) {
            let parts: Vec<&str> = text.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
            if text.is_empty() {
                self.value(item, "this path is empty", "the folder of this file is `\".\"`");
                continue;
            }
            if text.starts_with('/') || parts.contains(&"..") {
                let help = "write a path below the folder of this file; `include` is for folders elsewhere";
                self.value(item, &format!("`{text}` is outside of the project"), help);
                continue;
            }
            let path = or_here(&format!("{}{}", self.folder, parts.join("/")));
            match fs::metadata(&path) {
                Ok(found) if found.is_dir() || wanted == Wanted::Any => paths.push(path),
                Ok(_) => self.value(item, &format!("`{text}` is not a folder"), "a root is a folder"),
                Err(_) => {
                    let what = if wanted == Wanted::Folder { "folder" } else { "file or folder" };
                    let help = "the path starts at the folder of this file: check its spelling";
                    self.value(item, &format!("there is no {what} `{text}`"), help);
                }
            }
        }
        paths
    }

    fn include(&mut self, value: Value) -> Vec<String> {
        let mut folders = Vec::new();
        for (text, item) in self.strings(value) {
            let path = self.placed(&text);
            if fs::metadata(&path).is_ok_and(|found| found.is_dir()) {
                folders.push(path);
            } else {
                let help = "the path starts at the folder of this file: check its spelling";
                self.value(item, &format!("there is no folder `{text}`"), help);
            }
        }
        folders
    }

    /// Returns a path of the file, relative to where the search began.
    fn placed(&self, text: &str) -> String {
        if text.starts_with('/') { text.to_owned() } else { format!("{}{text}", self.folder) }
    }

    fn outputs(&mut self, value: Value) -> Vec<Output> {
        let Some(entries) = value.get_ref().as_array() else {
            self.value(value, "`generate` is a list of outputs", "write each as `[[generate]]`");
            return Vec::new();
        };
        let mut outputs: Vec<Output> = Vec::new();
        for entry in entries {
            let Some(table) = entry.get_ref().as_table() else {
                self.value(entry, "an output is a table", "write each as `[[generate]]`");
                continue;
            };
            let output = self.output(entry, table);
            if let Some(mocks) = table.get("mocks").filter(|_| output.options.mocks)
                && output.options.sides == Sides::Client
            {
                self.value(
                    mocks,
                    "clients alone have no mocks",
                    "leave out `sides`, or set `mocks` to `false`",
                );
            }
            if output.out.is_some() && outputs.iter().any(|earlier| folded(earlier) == folded(&output)) {
                let place = table.get("out").unwrap_or(entry);
                self.value(place, "two outputs have one folder", "give each a folder of its own");
            }
            outputs.push(output);
        }
        outputs
    }

    fn output(&mut self, entry: Value, table: &DeTable) -> Output {
        let mut output = Output {
            out: None,
            options: Options::default(),
            files: Vec::new(),
            span: self.span(entry.span()),
            places: BTreeMap::new(),
        };
        for (key, value) in table {
            output.places.entry(key.get_ref().to_string()).or_insert_with(|| self.span(value.span()));
            match key.get_ref().as_ref() {
                "out" => output.out = self.out(value),
                "files" => output.files = self.inside(value, Wanted::Any),
                "lang" => output.options.language = self.language(value),
                "sides" => output.options.sides = self.sides(value),
                "mocks" => output.options.mocks = self.boolean(value),
                "derive" => output.options.derives = self.by_type(value, &mut output.places, true),
                "replace" => output.options.replacements = self.by_type(value, &mut output.places, false),
                "extern_package" => {
                    output.options.extern_packages = self.by_type(value, &mut output.places, false);
                }
                "runtime_path" => {
                    output.options.runtime = self.string(value);
                    output.places.insert("zsvc".to_owned(), self.span(value.span()));
                }
                _ => self.unknown_key(key, &GENERATE_KEYS),
            }
        }
        output
    }

    /// Reads a folder that need not exist yet, and may lie anywhere.
    fn out(&mut self, value: Value) -> Option<PathBuf> {
        let text = self.string(value)?;
        if text.is_empty() {
            self.value(
                value,
                "this path is empty",
                "name a folder for the generated code: `\"src/generated\"`",
            );
        }
        Some(PathBuf::from(self.placed(&text)))
    }

    fn language(&mut self, value: Value) -> Language {
        let Some(text) = self.string(value) else { return Language::default() };
        Language::named(&text).unwrap_or_else(|| {
            let help = did_you_mean(&text, &Language::ALL.map(Language::name))
                .unwrap_or_else(|| "write `\"rust\"` or `\"python\"`".to_owned());
            self.value(value, &format!("there is no language `{text}` to generate"), &help);
            Language::default()
        })
    }

    fn sides(&mut self, value: Value) -> Sides {
        match self.string(value).as_deref() {
            Some("both") | None => Sides::Both,
            Some("client") => Sides::Client,
            Some("server") => Sides::Server,
            Some(text) => {
                let help = did_you_mean(text, &["both", "client", "server"])
                    .unwrap_or_else(|| "write `\"client\"`, `\"server\"` or `\"both\"`".to_owned());
                self.value(value, &format!("there is no side `{text}`"), &help);
                Sides::Both
            }
        }
    }

    /// Reads pairs of a type's name and some text; with `lists` also lists of text.
    fn by_type(
        &mut self,
        value: Value,
        places: &mut BTreeMap<String, Span>,
        lists: bool,
    ) -> Vec<(String, String)> {
        let Some(table) = value.get_ref().as_table() else {
            let help = "write it as a table: `\"market.v1.Side\" = \"Ord\"`";
            self.value(value, "this must be a table of types", help);
            return Vec::new();
        };
        let mut pairs = Vec::new();
        for (name, value) in table {
            if value.get_ref().is_table() {
                let help = "put it between quotes: `\"market.v1.Trade\"`";
                self.add(Code::PROJECT_VALUE, name.span(), "the name of a type has dots in it".into(), help);
                continue;
            }
            let text = if lists && value.get_ref().is_array() {
                let texts: Vec<String> = self.strings(value).into_iter().map(|(text, _)| text).collect();
                Some(texts.join(", "))
            } else {
                self.string(value)
            };
            places.insert(name.get_ref().to_string(), self.span(name.span()));
            pairs.extend(text.map(|text| (name.get_ref().to_string(), text)));
        }
        pairs
    }

    fn levels(&mut self, value: Value) -> Vec<(&'static Rule, Level)> {
        let Some(table) = value.get_ref().as_table() else {
            self.value(
                value,
                "this must be a table of rules and levels",
                "write `[lint]`, then `missing-docs = \"deny\"`",
            );
            return Vec::new();
        };
        let mut levels = Vec::new();
        for (name, value) in table {
            let Some(rule) = lint::rule(name.get_ref()) else {
                let help =
                    lint::nearest_rule(name.get_ref()).map(|rule| format!("did you mean `{}`?", rule.name()));
                let help = help.unwrap_or_else(|| "`zsvc lint --list` shows all rules".to_owned());
                let message = format!("there is no rule `{}`", name.get_ref());
                self.add(Code::NO_SUCH_RULE, name.span(), message, &help);
                continue;
            };
            let Some(text) = self.string(value) else { continue };
            if let Some(level) = Level::named(&text) {
                levels.push((rule, level));
            } else {
                let help = did_you_mean(&text, &["off", "warn", "deny"])
                    .unwrap_or_else(|| "write `\"off\"`, `\"warn\"` or `\"deny\"`".to_owned());
                self.value(value, &format!("there is no level `{text}`"), &help);
            }
        }
        levels
    }

    /// Returns the strings of a list, each with its place.
    fn strings<'t, 'i>(&mut self, value: Value<'t, 'i>) -> Vec<(String, Value<'t, 'i>)> {
        let Some(array) = value.get_ref().as_array() else {
            self.value(value, "this must be a list of strings", "write `[\"…\"]`");
            return Vec::new();
        };
        array.iter().filter_map(|item| Some((self.string(item)?, item))).collect()
    }

    fn string(&mut self, value: Value) -> Option<String> {
        let text = value.get_ref().as_str().map(str::to_owned);
        if text.is_none() {
            self.value(value, "this must be a string", "write it between quotes");
        }
        text
    }

    fn boolean(&mut self, value: Value) -> bool {
        let boolean = value.get_ref().as_bool();
        if boolean.is_none() {
            self.value(value, "this must be `true` or `false`", "write it without quotes");
        }
        boolean.unwrap_or_default()
    }

    fn unknown_key(&mut self, key: Key, known: &[&str]) {
        let help = did_you_mean(key.get_ref(), known).unwrap_or_else(|| {
            let known: Vec<String> = known.iter().map(|key| format!("`{key}`")).collect();
            format!("the keys are {}", known.join(", "))
        });
        self.add(Code::PROJECT_KEY, key.span(), format!("there is no key `{}`", key.get_ref()), &help);
    }

    fn value(&mut self, value: Value, message: &str, help: &str) {
        self.add(Code::PROJECT_VALUE, value.span(), message.to_owned(), help);
    }

    fn add(&mut self, code: Code, range: std::ops::Range<usize>, message: String, help: &str) {
        self.diagnostics.push(Diagnostic::new(code, message).at(self.span(range), "").help(help));
    }

    fn span(&self, range: std::ops::Range<usize>) -> Span {
        // A project's file is far smaller than 4 GiB.
        let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Span { file: self.file, start: offset(range.start), end: offset(range.end) }
    }
}

/// Returns a folder without the `/` at its end; `.` for the one in which the search began.
fn or_here(path: &str) -> String {
    match path.strip_suffix('/').unwrap_or(path) {
        "" if path.is_empty() => ".".to_owned(),
        "" => path.to_owned(),
        folder => folder.to_owned(),
    }
}

/// What a path may refer to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Folder,
    Any,
}

fn did_you_mean(text: &str, known: &[&str]) -> Option<String> {
    suggest::nearest(text, known.iter().copied()).map(|nearest| format!("did you mean `{nearest}`?"))
}

/// Returns the folder of an output, normalized without access to the disk: `./o` and `a/../o` as `o`.
fn folded(output: &Output) -> Option<PathBuf> {
    let mut folded = PathBuf::new();
    for component in output.out.as_ref()?.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if matches!(folded.components().next_back(), Some(Component::Normal(_))) => {
                folded.pop();
            }
            other => folded.push(other),
        }
    }
    Some(folded)
}
