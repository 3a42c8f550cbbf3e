//! The keys of `router.toml`, and what they mean.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::DeTable;
use zsvc::curve::{Access, CurveServer, KeyFile};
use zsvc::forward::{check_front_endpoint, normalized};

use super::known::Known;
use super::mistake::{Mistake, Mistakes};
use super::rules::names_of;
use super::values::{Value, replace, set};
use crate::config::Config;
use crate::forwarder::Limits;
use crate::names::{Holder, Named};
use crate::rights::Scope;

const KEYS: [&str; 16] = [
    "listen",
    "grace",
    "max_message_size",
    "deny_plaintext",
    "key_file",
    "access_file",
    "admin",
    "schemas",
    "limits",
    "metrics",
    "relay",
    "realm",
    "grant",
    "quota",
    "worker",
    "discover",
];
const LIMIT_KEYS: [&str; 8] = [
    "max_calls",
    "max_calls_per_caller",
    "max_queued",
    "max_queued_bytes",
    "max_wait",
    "max_unsent_per_worker",
    "max_unsent_per_caller",
    "slow_start",
];

/// Maximum length of a name in bytes: it stands in messages and in the log.
pub(super) const MAX_NAME_BYTES: usize = 200;
const MAX_TIME: Duration = Duration::from_secs(24 * 3_600);
const MAX_BYTES: u64 = 1 << 40;
pub(super) const MAX_CALLS: u64 = 1_000_000;
const METRICS_ADDRESS: &str = "an address with a port: `\"127.0.0.1:9100\"`";
const ENDPOINT: &str = "an endpoint: `\"tcp://127.0.0.1:7200\"`";
const FILE: &str = "the path of a file, from the folder of this one";

/// Reads a configuration.
pub(super) fn config(text: &str, folder: &Path) -> Result<Config, Vec<Mistake>> {
    let mut mistakes = Mistakes::of(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    // A key that stands twice is read as it stands first. After any other mistake of syntax come those that follow from it.
    let (twice, others): (Vec<_>, Vec<_>) = errors.iter().partition(|error| is_twice(error));
    for error in &twice {
        mistakes.add(&error.span().unwrap_or(0..0), told(error), "remove one of the two");
    }
    if let Some(error) = others.first() {
        let help = "write it as TOML: `listen = [\"tcp://*:7200\"]`";
        mistakes.add(&error.span().unwrap_or(0..0), told(error), help);
        return Err(mistakes.take());
    }
    let mut reader = Reader {
        mistakes,
        folder,
        names: HashSet::new(),
        listens: HashSet::new(),
        served: HashSet::new(),
        key: None,
        mentioned: Vec::new(),
        events: Vec::new(),
        publishes: None,
        realms: Vec::new(),
    };
    let config = reader.top(table.get_ref());
    let config = match reader.known(table.get_ref()) {
        Some(known) => known.shards().into_iter().fold(config, Config::shard).events(known.into_schema()),
        // Workers may know better.
        None => config.names(reader.named()),
    };
    let mistakes = reader.mistakes.take();
    if mistakes.is_empty() { Ok(config) } else { Err(mistakes) }
}

pub(super) struct Reader<'t> {
    pub(super) mistakes: Mistakes<'t>,
    /// Paths are relative to it.
    pub(super) folder: &'t Path,
    /// Names of workers.
    pub(super) names: HashSet<String>,
    /// Where the router listens, each endpoint as all are written that mean the same.
    pub(super) listens: HashSet<String>,
    /// The endpoints of workers, written so, with their realms and each of their services.
    pub(super) served: HashSet<(String, String, String)>,
    /// Path of the file with the router's own key, if there is one.
    pub(super) key: Option<PathBuf>,
    /// What the file names of schemas, and where.
    pub(super) mentioned: Vec<Mention>,
    /// Events that it names, and where.
    pub(super) events: Vec<Mention>,
    /// Where it first names events that are to be the router's own, if it does.
    pub(super) publishes: Option<Range<usize>>,
    /// Names of realms.
    pub(super) realms: Vec<String>,
}

/// What the file names of a schema.
pub(super) struct Mention {
    pub(super) scope: Scope,
    pub(super) place: Range<usize>,
    /// The realm in which it is to be.
    pub(super) realm: String,
    pub(super) holder: Holder,
}

impl Mention {
    pub(super) fn of(scope: Scope, place: Range<usize>) -> Self {
        Self { scope, place, realm: String::new(), holder: Holder::Unsaid }
    }
}

impl Reader<'_> {
    fn top(&mut self, table: &DeTable) -> Config {
        let mut config = Config::new();
        if !table.contains_key("listen") {
            self.mistakes.add(
                &(0..0),
                "the router listens nowhere",
                "add `listen = [\"tcp://127.0.0.1:7200\"]`",
            );
        }
        self.key = table.get("key_file").and_then(|value| self.path(value));
        self.realms = names_of(table.get("realm"));
        self.listens = endpoints_of(table.get("listen"));
        for (key, value) in table {
            config = match key.get_ref().as_ref() {
                "listen" => self.listen(value, config),
                "grace" => match self.mistakes.time(value, Duration::ZERO..=MAX_TIME) {
                    Some(grace) => config.grace(grace),
                    None => config,
                },
                "max_message_size" => match self.mistakes.size(value, 1..=1 << 30) {
                    Some(bytes) => config.max_message_size(bytes),
                    None => config,
                },
                "deny_plaintext" => match self.mistakes.boolean(value) {
                    Some(true) => config.deny_plaintext(),
                    _ => config,
                },
                "admin" => match self.mistakes.boolean(value) {
                    Some(true) => config.admin(),
                    _ => config,
                },
                "key_file" => self.curve(value, table.get("access_file"), config),
                "access_file" => {
                    if !table.contains_key("key_file") {
                        self.mistakes.add(
                            &key.span(),
                            "clients are known by their keys, and the router has none of its own",
                            "add `key_file`, which `zsvc keygen` writes",
                        );
                    }
                    config
                }
                "limits" => config.limits(self.limits(value)),
                "metrics" => self.metrics(value, table, config),
                "relay" => self.relayed(value).into_iter().fold(config, Config::relay),
                "realm" => self.realms_of(value, config),
                "grant" => self.grants(value, config),
                "quota" => self.quotas(value, config),
                "worker" => self.workers(value, config),
                "discover" => self.discoveries(value, config),
                // Once all that is to be in them is known.
                "schemas" => config,
                _ => {
                    self.mistakes.unknown_key(key, &KEYS);
                    config
                }
            };
        }
        config
    }

    /// Checks what grants and workers name against schemas, if there are any. Returns what these declare.
    fn known(&mut self, table: &DeTable) -> Option<Known> {
        let Some(value) = table.get("schemas") else {
            if let Some(place) = self.publishes.take() {
                let message = "the router has to know what these events are, and there is no schema";
                self.mistakes.add(&place, message, "add `schemas`, with the files that declare them");
            }
            return None;
        };
        let paths = self.mistakes.texts(value, "`.svc` files, or folders with some: `[\"svc\"]`");
        let paths: Vec<_> = paths.into_iter().map(|(path, place)| (self.folder.join(path), place)).collect();
        let known = match Known::read(&paths, &value.span()) {
            Ok(known) => known,
            Err(wrong) => {
                for ((message, help), place) in wrong {
                    self.mistakes.add(&place, message, help);
                }
                return None;
            }
        };
        let mentioned = std::mem::take(&mut self.mentioned).into_iter();
        let wrong = mentioned.map(|it| (known.check(&it.scope), it.place));
        let events = std::mem::take(&mut self.events).into_iter();
        let wrong = wrong.chain(events.map(|it| (known.check_events(&it.scope), it.place)));
        for (wrong, place) in wrong {
            if let Some((message, help)) = wrong {
                self.mistakes.add(&place, message, help);
            }
        }
        Some(known)
    }

    /// Returns what the file names, with its places.
    fn named(&mut self) -> Vec<Named> {
        let mut all: Vec<_> = self.mentioned.drain(..).chain(self.events.drain(..)).collect();
        all.sort_by_key(|it| it.place.start);
        let places: Vec<_> = self.mistakes.lines_and_columns(all.iter().map(|it| it.place.start)).collect();
        let named = all.into_iter().zip(places);
        named.filter_map(|(it, place)| Named::of(&it.scope, it.realm, it.holder, place)).collect()
    }

    pub(super) fn path(&mut self, value: Value) -> Option<PathBuf> {
        self.mistakes.text(value, FILE).map(|path| self.folder.join(path))
    }

    fn listen(&mut self, value: Value, mut config: Config) -> Config {
        let texts = self.mistakes.texts(value, "endpoints: `[\"tcp://127.0.0.1:7200\"]`");
        if texts.is_empty() && value.get_ref().as_array().is_some_and(|array| array.is_empty()) {
            self.mistakes.add(&value.span(), "the router listens nowhere", format!("write {ENDPOINT}"));
        }
        for (endpoint, place) in texts {
            match check_front_endpoint(&endpoint) {
                Ok(()) if config.listen.iter().any(|other| is_same_place(other, &endpoint)) => {
                    let message = format!("the router listens at `{endpoint}` already");
                    self.mistakes.add(&place, message, "remove one");
                }
                Ok(()) => config = config.listen(endpoint),
                Err(why) => self.mistakes.add(&place, format!("can't listen at `{endpoint}`"), why),
            }
        }
        config
    }

    /// Reads the router's own key, and who may connect.
    fn curve(&mut self, value: Value, access: Option<Value>, config: Config) -> Config {
        let Some(path) = self.key.clone() else { return config };
        let key = match KeyFile::new(&path).secret_key() {
            Ok(key) => key,
            Err(why) => {
                self.mistakes.add(&value.span(), why.to_string(), "write one with `zsvc keygen`");
                return config;
            }
        };
        let config = config.worker_key(key.clone());
        let server = CurveServer::new(key);
        let Some(access) = access else { return config.curve(server.any_client()) };
        let Some(path) = self.path(access) else { return config };
        match Access::from_file(&path) {
            Ok(access) => config.curve(server.access(access)).access_file(path),
            Err(why) => {
                self.mistakes.add(
                    &access.span(),
                    format!("the access file is not right: {why}"),
                    "see docs/security.md",
                );
                config
            }
        }
    }

    /// Reads where metrics are told.
    fn metrics(&mut self, value: Value, top: &DeTable, config: Config) -> Config {
        let Some(table) = self.mistakes.table(value, "`[metrics]`") else { return config };
        if cfg!(not(feature = "prometheus")) {
            let help = "build it with the feature `prometheus` of the crate `zsvc-router`";
            let message = "this router was built without the feature `prometheus`";
            self.mistakes.add(&value.span(), message, help);
        }
        for (key, _) in table.iter().filter(|(key, _)| key.get_ref() != "listen") {
            self.mistakes.unknown_key(key, &["listen"]);
        }
        let Some(listen) = table.get("listen") else {
            let help = format!("add `listen`, {METRICS_ADDRESS}");
            self.mistakes.add(&value.span(), "it is not said where metrics are told", help);
            return config;
        };
        let Some(text) = self.mistakes.text(listen, METRICS_ADDRESS) else { return config };
        let any_port = text.strip_suffix(":*").map(|host| format!("{host}:0"));
        let read = any_port.as_ref().unwrap_or(&text).parse::<SocketAddr>().ok();
        // Any free port is written as for endpoints.
        let Some(address) = read.filter(|address| address.port() != 0 || any_port.is_some()) else {
            let message = format!("`{text}` is no address with a port");
            self.mistakes.add(&listen.span(), message, format!("write {METRICS_ADDRESS}"));
            return config;
        };
        let is_private =
            top.get("deny_plaintext").is_some_and(|value| value.get_ref().as_bool() == Some(true));
        if is_private && !address.ip().is_loopback() {
            let message = "other machines could read the metrics in the clear, and `deny_plaintext` is set";
            self.mistakes.add(&listen.span(), message, format!("write {METRICS_ADDRESS}"));
        }
        config.metrics(address)
    }

    fn limits(&mut self, value: Value) -> Limits {
        let mut limits = Limits::default();
        let Some(table) = self.mistakes.table(value, "`[limits]`") else { return limits };
        let mistakes = &mut self.mistakes;
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "max_calls" => set(&mut limits.max_calls, mistakes.number(value, 1..=MAX_CALLS)),
                "max_calls_per_caller" => {
                    set(&mut limits.max_calls_per_caller, mistakes.number(value, 1..=MAX_CALLS));
                }
                "max_queued" => set(&mut limits.max_queued, mistakes.number(value, 0..=MAX_CALLS)),
                "max_queued_bytes" => {
                    replace(&mut limits.max_queued_bytes, mistakes.size(value, 0..=MAX_BYTES));
                }
                "max_wait" => replace(&mut limits.max_wait, mistakes.time(value, Duration::ZERO..=MAX_TIME)),
                "max_unsent_per_worker" => {
                    replace(&mut limits.max_unsent_per_worker, mistakes.size(value, 64 << 10..=MAX_BYTES));
                }
                "max_unsent_per_caller" => {
                    replace(&mut limits.max_unsent_per_caller, mistakes.size(value, 64 << 10..=MAX_BYTES));
                }
                "slow_start" => {
                    replace(&mut limits.slow_start, mistakes.time(value, Duration::ZERO..=MAX_TIME));
                }
                _ => mistakes.unknown_key(key, &LIMIT_KEYS),
            }
        }
        limits
    }
}

/// Returns what the parser says.
fn told(error: &toml::de::Error) -> String {
    error.message().trim().replace('\n', ", ")
}

/// Reports whether all that is wrong is that a key stands twice.
fn is_twice(error: &toml::de::Error) -> bool {
    error.message().contains("duplicate key")
}

/// Returns where the router listens, as far as that can be read: each endpoint as all are written that mean the same.
fn endpoints_of(listen: Option<Value>) -> HashSet<String> {
    let texts = listen.and_then(|value| value.get_ref().as_array()).into_iter().flatten();
    texts.filter_map(|text| text.get_ref().as_str()).map(normalized).collect()
}

/// Reports whether two endpoints are one place. Of any free port there are two.
fn is_same_place(one: &str, other: &str) -> bool {
    let one = normalized(one);
    one == normalized(other) && !(one.starts_with("tcp://") && one.ends_with(":0"))
}
