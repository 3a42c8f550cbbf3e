//! Workers in `router.toml`: those that are listed, those that the router runs, and those that it looks for.

use toml::de::DeTable;
use zsvc::curve::{KeyFile, PublicKey};
use zsvc::forward::{check_worker_endpoint, normalized};

use super::reader::{MAX_CALLS, MAX_NAME_BYTES, Mention, Reader};
use super::values::{Value, set};
use crate::config::{Config, DEFAULT_CAPACITY, ListedWorker};
use crate::discovery::{Discovered, Source};
use crate::forwarder::NewWorker;
use crate::names::Holder;
use crate::processes::WorkerProcess;
use crate::rights::{Scope, is_name};

const WORKER_KEYS: [&str; 9] =
    ["name", "connect", "services", "capacity", "standby", "realm", "public_key_file", "command", "count"];
const DISCOVER_KEYS: [&str; 9] =
    ["dns", "srv", "etcd", "prefix", "services", "capacity", "standby", "realm", "public_key_file"];
/// Where workers are found, one of which `[[discover]]` has.
const SOURCES: [&str; 3] = ["dns", "srv", "etcd"];

const ENDPOINT: &str = "an endpoint: `\"tcp://127.0.0.1:7101\"`";
const SERVICES: &str = "the names of services: `[\"market.v1.Tape\"]`";
/// What stands for the number of a process.
const NUMBER: &str = "{n}";
/// Maximum number of processes of one worker.
const MAX_PROCESSES: u64 = 1_000;

/// What the table of a worker says.
#[derive(Default)]
struct Fields {
    name: Option<String>,
    endpoint: Option<String>,
    services: Vec<String>,
    capacity: u64,
    standby: u8,
    realm: String,
    public_key: Option<PublicKey>,
    command: Vec<String>,
    count: u64,
}

impl Fields {
    /// Returns what the worker is called, if it is called anything.
    fn own_name(&self) -> Option<String> {
        let name = self.name.as_ref().or(self.endpoint.as_ref())?;
        Some(if self.count > 1 { name.clone() } else { name.replace(NUMBER, "1") })
    }
}

impl Reader<'_> {
    pub(super) fn workers(&mut self, value: Value, mut config: Config) -> Config {
        let Some(array) = value.get_ref().as_array() else {
            self.mistakes.add(&value.span(), "workers are a list of tables", "write each as `[[worker]]`");
            return config;
        };
        for entry in array {
            if let Some(table) = self.mistakes.table(entry, "`[[worker]]`") {
                let before = self.mentioned.len();
                let fields = self.fields(table);
                for named in &mut self.mentioned[before..] {
                    named.realm.clone_from(&fields.realm);
                    named.holder = match fields.own_name() {
                        Some(name) if fields.count == 1 => Holder::Worker(name),
                        _ => Holder::Any,
                    };
                }
                config = self.worker(entry, table, &fields, config);
            }
        }
        config
    }

    fn fields(&mut self, table: &DeTable) -> Fields {
        let mut fields = Fields { capacity: u64::from(DEFAULT_CAPACITY), count: 1, ..Fields::default() };
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "name" => fields.name = self.name(value),
                "connect" => fields.endpoint = self.endpoint(value),
                "services" => fields.services = self.services(value),
                "capacity" => set(&mut fields.capacity, self.mistakes.number(value, 1..=MAX_CALLS)),
                "standby" => set(&mut fields.standby, self.mistakes.number(value, 0..=9)),
                "realm" => fields.realm = self.realm_name(value),
                "public_key_file" => fields.public_key = self.worker_key(value),
                "command" => fields.command = self.command(value),
                "count" => set(&mut fields.count, self.mistakes.number(value, 1..=MAX_PROCESSES)),
                _ => self.mistakes.unknown_key(key, &WORKER_KEYS),
            }
        }
        fields
    }

    fn command(&mut self, value: Value) -> Vec<String> {
        let example = "a program and its arguments: `[\"./tape-server\", \"--verbose\"]`";
        let texts = self.mistakes.texts(value, example);
        if texts.is_empty() && value.get_ref().as_array().is_some_and(|array| array.is_empty()) {
            self.mistakes.add(&value.span(), "this command is empty", format!("write {example}"));
        }
        texts.into_iter().map(|(text, _)| text).collect()
    }

    /// Tells what is missing from the table of a worker, or does not go together.
    fn check_worker(&mut self, entry: Value, table: &DeTable, fields: &Fields) {
        let has = |key: &str| table.contains_key(key);
        let mistakes = &mut self.mistakes;
        if !has("connect") && !has("command") {
            mistakes.add(
                &entry.span(),
                "a worker has `connect`",
                format!("add {ENDPOINT}; or `command`, to start it"),
            );
        }
        if !has("services") && (has("connect") || !has("command")) {
            mistakes.add(&entry.span(), "a worker has `services`", format!("add {SERVICES}"));
        }
        if has("count") && !has("command") {
            mistakes.add(
                &entry.span(),
                "there is no `command` to run several of",
                "add `command`, or remove `count`",
            );
        }
        if has("command") && !has("name") {
            mistakes.add(
                &entry.span(),
                "a process has `name`, by which the log knows it",
                "add `name = \"tape\"`",
            );
        }
        if fields.count > 1 && fields.endpoint.as_ref().is_some_and(|endpoint| !endpoint.contains(NUMBER)) {
            let help = "put `{n}` into `connect`, and into `command`, for the number of the process";
            mistakes.add(&entry.span(), "all of these processes would listen at one endpoint", help);
        }
    }

    /// Adds a worker; or the processes of one, from 1 on, with their numbers in place of `{n}`.
    fn worker(&mut self, entry: Value, table: &DeTable, fields: &Fields, mut config: Config) -> Config {
        self.check_worker(entry, table, fields);
        let name = fields.own_name().unwrap_or_default();
        let is_numbered = fields.count > 1 && !name.contains(NUMBER);
        for number in 1..=fields.count {
            let fill = |text: &String| text.replace(NUMBER, &number.to_string());
            let name = if is_numbered { format!("{name}-{number}") } else { fill(&name) };
            if !name.is_empty() && !self.names.insert(name.clone()) {
                let help = "give each a `name` of its own";
                self.mistakes.add(&entry.span(), format!("two workers are called `{name}`"), help);
            }
            if !fields.command.is_empty() {
                let command = fields.command.iter().map(fill).collect();
                config = config.process(WorkerProcess {
                    name: name.clone(),
                    command,
                    folder: self.folder.to_owned(),
                });
            }
            if let Some(endpoint) = fields.endpoint.as_ref().map(fill) {
                self.check_endpoint(entry, &endpoint, fields);
                let capacity = u32::try_from(fields.capacity).unwrap_or(u32::MAX);
                let services = fields.services.clone();
                let (standby, realm) = (fields.standby, fields.realm.clone());
                let worker = NewWorker { name, services, capacity, standby, realm };
                config = config.worker(ListedWorker { endpoint, worker, public_key: fields.public_key });
            }
        }
        config
    }

    /// Tells where a worker stands twice, or is the router itself: by where its endpoint leads, however that is written.
    fn check_endpoint(&mut self, entry: Value, endpoint: &str, fields: &Fields) {
        let meant = normalized(endpoint);
        if self.listens.contains(&meant) {
            let help = "name where the worker listens";
            self.mistakes.add(&entry.span(), format!("the router itself listens at `{endpoint}`"), help);
        }
        let mut twice = None;
        for service in &fields.services {
            let place = (meant.clone(), fields.realm.clone(), service.clone());
            if !self.served.insert(place) {
                twice.get_or_insert(service);
            }
        }
        if let Some(service) = twice {
            let message = format!("another worker at `{endpoint}` has `{service}` already");
            self.mistakes.add(&entry.span(), message, "list each worker once, with all of its services");
        }
    }

    pub(super) fn discoveries(&mut self, value: Value, mut config: Config) -> Config {
        let Some(array) = value.get_ref().as_array() else {
            let help = "write each as `[[discover]]`";
            self.mistakes.add(&value.span(), "places where workers are found are a list of tables", help);
            return config;
        };
        for entry in array {
            let before = self.mentioned.len();
            if let Some(table) = self.mistakes.table(entry, "`[[discover]]`")
                && let Some(discovered) = self.discovered(entry, table)
            {
                let named = &mut self.mentioned[before..];
                for named in named {
                    named.realm.clone_from(&discovered.realm);
                    named.holder = Holder::Any;
                }
                config = config.discover(discovered);
            }
        }
        config
    }

    fn discovered(&mut self, entry: Value, table: &DeTable) -> Option<Discovered> {
        let (mut capacity, mut standby, mut realm) = (DEFAULT_CAPACITY, 0, String::new());
        let (mut services, mut public_key, mut source, mut prefix) = (Vec::new(), None, None, None);
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "dns" => source = self.dns(value),
                "srv" => {
                    let name =
                        self.mistakes.text(value, "the name of the records: `\"_tape._tcp.example.com\"`");
                    source = name.map(|name| Source::Srv { name });
                }
                "etcd" => {
                    let endpoints =
                        self.mistakes.texts(value, "the servers of etcd: `[\"http://10.0.0.1:2379\"]`");
                    let endpoints = endpoints.into_iter();
                    let endpoints =
                        endpoints.map(|(endpoint, _)| endpoint.trim_end_matches('/').to_owned()).collect();
                    source = Some(Source::Etcd { endpoints, prefix: None });
                }
                "prefix" => prefix = self.mistakes.text(value, "what the keys begin with: `\"/zsvc\"`"),
                "services" => services = self.services(value),
                "capacity" => set(&mut capacity, self.mistakes.number(value, 1..=MAX_CALLS)),
                "standby" => set(&mut standby, self.mistakes.number(value, 0..=9)),
                "realm" => realm = self.realm_name(value),
                "public_key_file" => public_key = self.worker_key(value),
                _ => self.mistakes.unknown_key(key, &DISCOVER_KEYS),
            }
        }
        self.check_discovered(entry, table, source.as_ref());
        let source = match (source?, prefix) {
            (Source::Etcd { endpoints, .. }, prefix) => Source::Etcd { endpoints, prefix },
            (source, _) => source,
        };
        Some(Discovered { source, services, capacity, standby, realm, public_key })
    }

    /// Tells what is missing from the table of a place where workers are found, or does not go together.
    fn check_discovered(&mut self, entry: Value, table: &DeTable, source: Option<&Source>) {
        let mistakes = &mut self.mistakes;
        let places = SOURCES.iter().filter(|place| table.contains_key(**place)).count();
        let help = "write one of `dns`, `srv` and `etcd`";
        match places {
            1 => {}
            0 => mistakes.add(&entry.span(), "it is not said where workers are found", help),
            _ => mistakes.add(&entry.span(), "workers are found in one place of each `[[discover]]`", help),
        }
        if !table.contains_key("services") {
            mistakes.add(&entry.span(), "it is not said what is looked for", format!("add {SERVICES}"));
        }
        if table.contains_key("prefix") && !table.contains_key("etcd") {
            mistakes.add(&entry.span(), "only etcd has keys", "remove `prefix`");
        }
        if let Some(feature) = source.and_then(Source::missing_feature) {
            let help = format!("build it with the feature: `cargo install zsvc-cli --features {feature}`");
            mistakes.add(
                &entry.span(),
                format!("this router was built without the feature `{feature}`"),
                help,
            );
        }
    }

    /// Reads a name and a port.
    fn dns(&mut self, value: Value) -> Option<Source> {
        let example = "a name and a port: `\"tape.example:7100\"`";
        let text = self.mistakes.text(value, example)?;
        let read = text.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
        match read {
            Some((host, port)) if !host.is_empty() && port > 0 && !host.contains('/') => {
                Some(Source::Dns { host: host.to_owned(), port })
            }
            _ => {
                self.mistakes.add(
                    &value.span(),
                    format!("`{text}` has no name and port"),
                    format!("write {example}"),
                );
                None
            }
        }
    }

    fn name(&mut self, value: Value) -> Option<String> {
        let name = self.mistakes.text(value, "a name: `\"tape-1\"`")?;
        if name.len() > MAX_NAME_BYTES {
            let help = format!("write up to {MAX_NAME_BYTES} bytes");
            self.mistakes.add(&value.span(), "this name is too long", help);
        }
        Some(name)
    }

    fn endpoint(&mut self, value: Value) -> Option<String> {
        let endpoint = self.mistakes.text(value, ENDPOINT)?;
        if let Err(why) = check_worker_endpoint(&endpoint.replace(NUMBER, "1")) {
            self.mistakes.add(&value.span(), format!("can't connect to `{endpoint}`"), why);
        }
        Some(endpoint)
    }

    fn services(&mut self, value: Value) -> Vec<String> {
        let texts = self.mistakes.texts(value, SERVICES);
        if texts.is_empty() && value.get_ref().as_array().is_some_and(|array| array.is_empty()) {
            self.mistakes.add(&value.span(), "a worker has a service", format!("write {SERVICES}"));
        }
        let mut services = Vec::new();
        for (service, place) in texts {
            if !is_service(&service) {
                self.mistakes.add(
                    &place,
                    format!("`{service}` is no name of a service"),
                    format!("write {SERVICES}"),
                );
            } else if services.contains(&service) {
                self.mistakes.add(&place, format!("`{service}` stands here twice"), "remove one");
            } else {
                self.mentioned.push(Mention::of(Scope::Service(service.clone()), place));
                services.push(service);
            }
        }
        services
    }

    /// Reads the public key of a worker, by which the connection to it is encrypted.
    fn worker_key(&mut self, value: Value) -> Option<PublicKey> {
        let path = self.path(value)?;
        if self.key.is_none() {
            let help = "add `key_file` at the top, which `zsvc keygen` writes";
            self.mistakes.add(&value.span(), "the router has no key of its own to encrypt by", help);
        }
        match KeyFile::new(path).public_key() {
            Ok(key) => Some(key),
            Err(why) => {
                let help = "name the `.key` file that `zsvc keygen` has written";
                self.mistakes.add(&value.span(), why.to_string(), help);
                None
            }
        }
    }
}

/// Reports whether a text is `package.Service`: names of letters, digits and `_`, with dots between them.
fn is_service(text: &str) -> bool {
    text.contains('.') && text.split('.').all(is_name)
}
