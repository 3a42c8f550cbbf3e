//! Reads an access file. All mistakes are told at once, each with its place; those of syntax come first, since others follow from them.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};
use zsvc_proto::keys::PublicKey;

use super::Client;
use crate::codec::Timestamp;
use crate::curve::{KeyError, KeyFile};

/// Maximum size of an access file in bytes.
const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;
/// Maximum length of a name or a role in bytes: they stand in messages and in the log.
const MAX_NAME_BYTES: usize = 200;
/// Maximum number of mistakes that are told.
const MAX_MISTAKES: usize = 50;
/// The keys of a client's table.
const KEYS: [&str; 4] = ["keys", "key_files", "roles", "expires"];

/// Why there are no clients to be had of an access file.
#[derive(Debug)]
#[non_exhaustive]
pub enum AccessFileError {
    /// The file can't be read, or not be followed.
    Unreadable {
        /// Path of the file.
        path: PathBuf,
        /// What the system says.
        why: io::Error,
    },
    /// Something in the file is wrong.
    Wrong {
        /// Path of the file.
        path: PathBuf,
        /// All that is wrong, in the order of their places.
        mistakes: Vec<Mistake>,
    },
}

/// Something wrong in an access file, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    line: usize,
    column: usize,
    message: String,
    help: String,
}

impl Mistake {
    /// Returns the line, counted from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// Returns the column in characters, counted from 1.
    #[must_use]
    pub fn column(&self) -> usize {
        self.column
    }

    /// Returns what is wrong.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns what to do about it.
    #[must_use]
    pub fn help(&self) -> &str {
        &self.help
    }
}

impl AccessFileError {
    pub(super) fn unreadable(path: &Path, why: io::Error) -> Self {
        Self::Unreadable { path: path.to_owned(), why }
    }
}

impl fmt::Display for AccessFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, why } => {
                write!(f, "the access file `{}` can't be read: {why}", path.display())
            }
            Self::Wrong { path, mistakes } => {
                for (number, mistake) in mistakes.iter().enumerate() {
                    let Mistake { line, column, message, help } = mistake;
                    let end = if number == 0 { "" } else { "\n" };
                    write!(f, "{end}{}:{line}:{column}: {message}; {help}", path.display())?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for AccessFileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable { why, .. } => Some(why),
            Self::Wrong { .. } => None,
        }
    }
}

/// What came of reading a file.
pub(super) struct Read {
    pub(super) clients: Result<Vec<Client>, AccessFileError>,
    /// The key files that it names, also where something is wrong.
    pub(super) key_files: Vec<PathBuf>,
    /// Whether one of the files can't be read, which may pass without a change of it.
    pub(super) is_unread: bool,
}

/// Reads a file, and the key files that it names.
pub(super) fn read(path: &Path) -> Read {
    let bytes = match read_bytes(path) {
        Ok(bytes) => bytes,
        Err(why) => {
            let clients = Err(AccessFileError::unreadable(path, why));
            return Read { clients, key_files: Vec::new(), is_unread: true };
        }
    };
    let (text, is_text) = match String::from_utf8(bytes) {
        Ok(text) => (text, true),
        Err(error) => (String::from_utf8_lossy(error.as_bytes()).into_owned(), false),
    };
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut reader = Reader {
        text: &text,
        folder,
        owners: HashMap::new(),
        key_files: Vec::new(),
        is_unread: false,
        mistakes: Vec::new(),
    };
    let mut clients = Vec::new();
    if is_text {
        clients = reader.document();
    } else {
        let at = text.find(char::REPLACEMENT_CHARACTER).unwrap_or(0);
        reader.add(at..at, "this file is not UTF-8".to_owned(), "save it as UTF-8");
    }
    let Reader { key_files, is_unread, mut mistakes, .. } = reader;
    if mistakes.is_empty() {
        return Read { clients: Ok(clients), key_files, is_unread };
    }
    mistakes.sort_by_key(|found| found.at);
    mistakes.truncate(MAX_MISTAKES);
    let mistakes = mistakes.into_iter().map(|found| found.placed(&text)).collect();
    Read { clients: Err(AccessFileError::Wrong { path: path.to_owned(), mistakes }), key_files, is_unread }
}

fn read_bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::other(format!("it has more than {} MiB", MAX_FILE_BYTES >> 20)));
    }
    Ok(bytes)
}

type Key<'t, 'i> = &'t Spanned<DeString<'i>>;
type Value<'t, 'i> = &'t Spanned<DeValue<'i>>;

struct Reader<'a> {
    text: &'a str,
    /// Where paths in the file begin.
    folder: &'a Path,
    /// The clients that have the keys so far.
    owners: HashMap<PublicKey, String>,
    key_files: Vec<PathBuf>,
    is_unread: bool,
    mistakes: Vec<Found>,
}

/// A mistake, and where in the text it begins.
struct Found {
    at: usize,
    message: String,
    help: String,
}

impl Found {
    fn placed(self, text: &str) -> Mistake {
        // Past the end of the text, or within a character, there is no place.
        let before = text.get(..self.at).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let (line, column) = (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1);
        Mistake { line, column, message: self.message, help: self.help }
    }
}

impl Reader<'_> {
    fn document(&mut self) -> Vec<Client> {
        let text = self.text;
        let (document, errors) = DeTable::parse_recoverable(text);
        let mut is_table_twice = false;
        for error in &errors {
            let range = error.span().unwrap_or(0..0);
            if error.message() == "duplicate key" {
                let is_of_client = text.get(range.clone()).is_some_and(|key| KEYS.contains(&key));
                // What is in a table that is there twice is there twice, too.
                if is_of_client && is_table_twice {
                    continue;
                }
                is_table_twice |= !is_of_client;
            }
            let message = error.message().trim().replace('\n', ", ");
            let help = match &*message {
                "duplicate key" => "leave one of the two out: a client has one table, with all of its keys",
                _ => "write it as TOML: `[clients.desk]`, then `keys = [\"…\"]`",
            };
            self.add(range, message, help);
        }
        if !errors.is_empty() {
            return Vec::new();
        }
        let mut clients = None;
        for (key, value) in document.get_ref() {
            match key.get_ref().as_ref() {
                "clients" => clients = Some(self.clients(value)),
                _ => self.unknown_key(key, &["clients"]),
            }
        }
        if clients.is_none() && self.mistakes.is_empty() {
            let help = "write `[clients.NAME]` for each, or `[clients]` alone to let none in";
            self.add(0..0, "this file has no clients".to_owned(), help);
        }
        clients.unwrap_or_default()
    }

    fn clients(&mut self, value: Value) -> Vec<Client> {
        let Some(table) = value.get_ref().as_table() else {
            self.value(value, "`clients` is a table of clients", "write each as `[clients.NAME]`");
            return Vec::new();
        };
        table.iter().filter_map(|(name, value)| self.client(name, value)).collect()
    }

    fn client(&mut self, name: Key, value: Value) -> Option<Client> {
        let Some(table) = value.get_ref().as_table() else {
            let help = format!("write `[clients.{}]`, and its keys below", name.get_ref());
            self.value(value, "a client is a table", &help);
            return None;
        };
        let text = name.get_ref().as_ref();
        if let Some(message) = unfit(text, "a name") {
            self.add(name.span(), message, "give the client another name");
        }
        let mut client = Client::new(text);
        let before = self.mistakes.len();
        for (key, value) in table {
            client = match key.get_ref().as_ref() {
                "keys" => self.keys(client, value),
                "key_files" => self.files(client, value),
                "roles" => self.roles(client, value),
                "expires" => match self.time(value) {
                    Some(end) => client.expires(end),
                    None => client,
                },
                _ => {
                    self.unknown_key(key, &KEYS);
                    client
                }
            };
        }
        if client.keys().is_empty() && self.mistakes.len() == before {
            let help = "write `keys = [\"…\"]` or `key_files = [\"….key\"]`, or leave the client out";
            self.add(name.span(), format!("the client `{text}` has no key"), help);
        }
        Some(client)
    }

    fn keys(&mut self, mut client: Client, value: Value) -> Client {
        for (text, item) in self.strings(value) {
            match text.parse() {
                Ok(key) => client = self.key(client, key, item),
                // Without the text: it may be a secret key.
                Err(error) => {
                    let help =
                        "copy the public key from a file of `zsvc keygen`, or name that file by `key_files`";
                    self.value(item, &error.to_string(), help);
                }
            }
        }
        client
    }

    fn files(&mut self, mut client: Client, value: Value) -> Client {
        for (text, item) in self.strings(value) {
            let path = self.folder.join(&text);
            self.key_files.push(path.clone());
            match KeyFile::new(path).public_key() {
                Ok(key) => client = self.key(client, key, item),
                Err(error) => {
                    self.is_unread |= matches!(error, KeyError::Unreadable { .. });
                    self.value(item, &error.to_string(), "the path starts at the folder of this file");
                }
            }
        }
        client
    }

    fn key(&mut self, client: Client, key: PublicKey, item: Value) -> Client {
        if client.keys().contains(&key) {
            self.value(item, "this client has this key already", "leave it out");
        } else if let Some(owner) = self.owners.insert(key, client.name().to_owned()) {
            let message = format!("the client `{owner}` has this key, too");
            self.value(item, &message, "give each client keys of its own, so that they can be told apart");
        }
        client.key(key)
    }

    fn roles(&mut self, mut client: Client, value: Value) -> Client {
        for (text, item) in self.strings(value) {
            match unfit(&text, "a role") {
                None => client = client.role(text),
                Some(message) => self.value(item, &message, "write it as `@roles` in the schema has it"),
            }
        }
        client
    }

    fn time(&mut self, value: Value) -> Option<SystemTime> {
        let help = "write it as `2027-01-31T00:00:00Z`, without quotes";
        let Some(time) = value.get_ref().as_datetime() else {
            self.value(value, "this must be a time", help);
            return None;
        };
        if time.date.is_none() || time.time.is_none() || time.offset.is_none() {
            self.value(value, "this must be a date and a time with an offset", help);
            return None;
        }
        // Seconds may be left out.
        let mut time = *time;
        if let Some(time) = &mut time.time {
            time.second.get_or_insert(0);
        }
        let read = time.to_string().parse::<Timestamp>().ok();
        let read = read.and_then(|time| SystemTime::try_from(time).ok());
        if read.is_none() {
            self.value(value, "there is no such time", help);
        }
        read
    }

    /// Returns the strings of a list, each with its place.
    fn strings<'t, 'i>(&mut self, value: Value<'t, 'i>) -> Vec<(String, Value<'t, 'i>)> {
        let Some(array) = value.get_ref().as_array() else {
            self.value(value, "this must be a list of strings", "write `[\"…\"]`");
            return Vec::new();
        };
        let mut strings = Vec::with_capacity(array.len());
        for item in array {
            match item.get_ref().as_str() {
                Some(text) => strings.push((text.to_owned(), item)),
                None => self.value(item, "this must be a string", "write it between quotes"),
            }
        }
        strings
    }

    fn unknown_key(&mut self, key: Key, known: &[&str]) {
        let name = key.get_ref().as_ref();
        let meant = known.iter().find(|known| known.starts_with(name) || name.starts_with(**known));
        let help = match meant {
            Some(meant) if !name.is_empty() => format!("did you mean `{meant}`?"),
            _ => {
                let known: Vec<String> = known.iter().map(|key| format!("`{key}`")).collect();
                format!("there are {}", known.join(", "))
            }
        };
        self.add(key.span(), format!("there is no key `{name}` here"), &help);
    }

    fn value(&mut self, value: Value, message: &str, help: &str) {
        self.add(value.span(), message.to_owned(), help);
    }

    fn add(&mut self, range: Range<usize>, message: String, help: &str) {
        self.mistakes.push(Found { at: range.start, message, help: help.to_owned() });
    }
}

/// Returns what is wrong with a name or a role, if anything is.
fn unfit(text: &str, what: &str) -> Option<String> {
    if text.is_empty() {
        return Some(format!("{what} can't be empty"));
    }
    if text.len() > MAX_NAME_BYTES {
        return Some(format!("{what} may have {MAX_NAME_BYTES} bytes, and this one has {}", text.len()));
    }
    text.contains(char::is_control).then(|| format!("{what} can't have control characters"))
}

#[cfg(test)]
mod tests;
