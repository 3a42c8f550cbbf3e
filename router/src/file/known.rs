//! [`Known`]: what `.svc` files declare, against which grants and workers are checked.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{ErrorKind, Read as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use zsvc_idl::schema::{Method, Schema, TypeKind};
use zsvc_idl::source::MAX_FILE_BYTES;
use zsvc_idl::suggest::nearest;
use zsvc_idl::{LoadError, Loader, compile, diagnostic};

use crate::forwarder::ShardKey;
use crate::rights::Scope;

/// Services and events, with their methods, by their whole names.
#[derive(Debug)]
pub(super) struct Known {
    methods: BTreeMap<String, BTreeSet<String>>,
    /// Names of the events among them.
    events: BTreeSet<String>,
    schema: Schema,
}

/// What is wrong with a name: the message, and what to do.
pub(super) type Wrong = (String, String);

/// A part of the configuration.
pub(super) type Place = Range<usize>;

/// Maximum number of files of a folder.
const MAX_FILES: usize = 10_000;
/// How deep folders are looked into.
const MAX_DEPTH: usize = 16;
/// What every server, and the router itself, has besides what schemas declare.
const BUILT_IN: &str = "zsvc.";
/// The method of an event.
const SUBSCRIBE: &str = "subscribe";

impl Known {
    /// Reads files, and all `.svc` files of folders, with what they import. Each path has its place; `all` is that of all.
    ///
    /// # Errors
    /// Files can't be read, or something in them is wrong: all that is.
    pub(super) fn read(paths: &[(PathBuf, Place)], all: &Place) -> Result<Self, Vec<(Wrong, Place)>> {
        let (mut files, mut wrong) = (Vec::new(), Vec::new());
        for (path, place) in paths {
            let (before, shown) = (files.len(), path.display());
            let collected = match collect(path, 0, &mut files) {
                Ok(()) if !path.exists() => Err(format!("there is no file `{shown}`")),
                Ok(()) if files.len() == before => Err(format!("there is no `.svc` file in `{shown}`")),
                collected => collected,
            };
            if let Err(why) = collected {
                let help = "name a `.svc` file, or a folder with some".to_owned();
                wrong.push(((why, help), place.clone()));
            }
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let compiled = compile(&Disk, &files, &[]);
        compiled.schema.map(Self::of).ok_or_else(|| {
            let errors = compiled.diagnostics.iter();
            let errors = errors.filter(|found| found.severity() == diagnostic::Severity::Error);
            let wrong = errors.map(|error| {
                let help = error.help.clone().unwrap_or_else(|| "run `zsvc check` on it".to_owned());
                let message = format!("a schema is wrong: {}", diagnostic::brief(error, &compiled.sources));
                ((message, help), all.clone())
            });
            wrong.collect()
        })
    }

    fn of(schema: Schema) -> Self {
        let (mut methods, mut events) = (BTreeMap::<_, BTreeSet<_>>::new(), BTreeSet::new());
        for package in &schema.packages {
            for service in &package.services {
                let names = service.methods.iter().map(|method| method.name.clone());
                let service_name = format!("{}.{}", package.full_name(), service.name);
                methods.entry(service_name).or_default().extend(names);
            }
            for id in &package.types {
                let definition = schema.definition(*id);
                if matches!(&definition.kind, TypeKind::Struct(fields) if fields.event.is_some()) {
                    let name = format!("{}.{}", package.full_name(), definition.name);
                    events.insert(name.clone());
                    methods.entry(name).or_default().insert(SUBSCRIBE.to_owned());
                }
            }
        }
        Self { methods, events, schema }
    }

    /// Returns all that the files declare.
    pub(super) fn into_schema(self) -> Schema {
        self.schema
    }

    /// Returns the parameters by which calls are spread.
    pub(super) fn shards(&self) -> Vec<ShardKey> {
        let packages = self.schema.packages.iter();
        let services = packages.flat_map(|package| package.services.iter().map(move |it| (package, it)));
        let keys = services.flat_map(|(package, service)| {
            let name = format!("{}.{}", package.full_name(), service.name);
            service.methods.iter().filter_map(move |method| shard_key(&name, method))
        });
        keys.collect()
    }

    /// Returns what is wrong with a set of events, each of which is named by one of its methods.
    pub(super) fn check_events(&self, scope: &Scope) -> Option<Wrong> {
        let event = match scope {
            Scope::All if self.events.is_empty() => {
                return Some(("no schema has an event".to_owned(), "declare one, or remove this".to_owned()));
            }
            Scope::All => return None,
            Scope::Package(package)
                if self.events.iter().any(|event| event.starts_with(package.as_str())) =>
            {
                return None;
            }
            Scope::Package(package) => {
                let message =
                    format!("no schema has an event in the package `{}`", package.trim_end_matches('.'));
                return self.check(scope).or_else(|| Some((message, meant(None, ""))));
            }
            Scope::Service(event) => event.as_str(),
            Scope::Method(method) => method.split_once('/')?.0,
        };
        if self.events.contains(event) {
            return None;
        }
        if self.methods.contains_key(event) {
            return Some((format!("`{event}` is a service, and no event"), "name an event".to_owned()));
        }
        let near = nearest(event, self.events.iter().map(String::as_str));
        Some((format!("no schema has an event `{event}`"), meant(near, "")))
    }

    /// Returns what is wrong with the name of a service.
    pub(super) fn check_service(&self, service: &str) -> Option<Wrong> {
        if service.starts_with(BUILT_IN) || self.methods.contains_key(service) {
            return None;
        }
        let near = nearest(service, self.methods.keys().map(String::as_str));
        Some((format!("no schema has a service or event `{service}`"), meant(near, "")))
    }

    /// Returns what is wrong with a set of methods.
    pub(super) fn check(&self, scope: &Scope) -> Option<Wrong> {
        match scope {
            Scope::All => None,
            Scope::Service(service) => self.check_service(service),
            Scope::Package(package) => {
                let is_known = package.starts_with(BUILT_IN)
                    || self.methods.keys().any(|service| service.starts_with(package.as_str()));
                if is_known {
                    return None;
                }
                let package = package.trim_end_matches('.');
                let packages: BTreeSet<_> =
                    self.methods.keys().filter_map(|service| Some(service.rsplit_once('.')?.0)).collect();
                let near = nearest(package, packages);
                Some((format!("no schema has a package `{package}`"), meant(near, ".*")))
            }
            Scope::Method(method) => {
                let (service, name) = method.split_once('/')?;
                if service.starts_with(BUILT_IN) {
                    return None;
                }
                let Some(methods) = self.methods.get(service) else { return self.check_service(service) };
                if methods.contains(name) {
                    return None;
                }
                let near = nearest(name, methods.iter().map(String::as_str));
                let near = near.map(|near| format!("{service}/{near}"));
                Some((format!("`{service}` has no method `{name}`"), meant(near.as_deref(), "")))
            }
        }
    }
}

/// Returns the parameter by which calls of a method are spread, if its schema says one.
fn shard_key(service: &str, method: &Method) -> Option<ShardKey> {
    let parameter = method.parameters.get(method.shard?)?;
    Some(ShardKey {
        method: format!("{service}/{}", method.name),
        number: parameter.number,
        parameter: parameter.name.clone(),
    })
}

fn meant(near: Option<&str>, behind: &str) -> String {
    match near {
        Some(near) => format!("did you mean `{near}{behind}`?"),
        None => "write the name as in the `.svc` files, or add the file to `schemas`".to_owned(),
    }
}

/// Adds a file, or all `.svc` files of a folder and those below it.
fn collect(path: &Path, depth: usize, files: &mut Vec<String>) -> Result<(), String> {
    let shown = path.display();
    if !path.is_dir() {
        let text = path.to_str().ok_or_else(|| format!("the path `{shown}` is no text"))?;
        files.push(text.to_owned());
        return if files.len() > MAX_FILES {
            Err(format!("there are more than {MAX_FILES} `.svc` files"))
        } else {
            Ok(())
        };
    }
    let unreadable = |error: std::io::Error| format!("the folder `{shown}` can't be read: {error}");
    let mut entries = Vec::new();
    for entry in fs::read_dir(path).map_err(unreadable)? {
        entries.push(entry.map_err(unreadable)?.path());
    }
    entries.sort();
    for entry in entries {
        let is_svc = entry.extension().is_some_and(|extension| extension == "svc");
        if is_svc || depth < MAX_DEPTH && entry.is_dir() {
            collect(&entry, depth + 1, files)?;
        }
    }
    Ok(())
}

/// The file system.
struct Disk;

impl Loader for Disk {
    fn load(&self, path: &str) -> Result<Vec<u8>, LoadError> {
        let mut bytes = Vec::new();
        let read =
            File::open(path).and_then(|file| file.take(MAX_FILE_BYTES as u64 + 1).read_to_end(&mut bytes));
        match read {
            Ok(_) => Ok(bytes),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(LoadError::NotFound),
            Err(error) => Err(LoadError::Unreadable(error.to_string())),
        }
    }

    fn identity(&self, path: &str) -> Option<String> {
        fs::canonicalize(path).ok()?.into_os_string().into_string().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_methods_are_those_of_the_schema_also_where_they_are_taken_over() {
        let text = "package a.v1;\nservice B { @shard(key) rpc last(size: u8, key: string); rpc all(); }\nservice C extends B {}\n";
        let compiled = zsvc_idl::bundle::compile([("a.svc".to_owned(), text.to_owned())]);
        let key =
            |method: &str| ShardKey { method: method.to_owned(), number: 2, parameter: "key".to_owned() };
        assert_eq!(Known::of(compiled.schema.unwrap()).shards(), [key("a.v1.B/last"), key("a.v1.C/last")]);
    }
}
