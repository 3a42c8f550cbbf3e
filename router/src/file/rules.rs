//! Rules in `router.toml`: realms, grants and quotas.

use toml::de::DeTable;

use super::reader::{MAX_CALLS, MAX_NAME_BYTES, Mention, Reader};
use super::values::Value;
use crate::config::Config;
use crate::quota::Quota;
use crate::rights::{Grant, Realm, Scope};

const REALM_KEYS: [&str; 2] = ["name", "roles"];
const GRANT_KEYS: [&str; 6] = ["roles", "realm", "call", "subscribe", "publish", "serve"];
const QUOTA_KEYS: [&str; 4] = ["roles", "max_calls", "calls_per_second", "bytes_per_second"];
const SCOPES: &str = "`\"*\"`, a package as `\"market.v1.*\"`, a service as `\"market.v1.Tape\"`, or a method as `\"market.v1.Tape/last\"`";
const EVENTS: &str = "`\"*\"`, a package as `\"market.v1.*\"`, or an event as `\"market.v1.Price\"`";
const MAX_BYTES_PER_SECOND: u64 = 1 << 40;

/// Returns the names of realms, as far as they can be read.
pub(super) fn names_of(realms: Option<Value>) -> Vec<String> {
    let tables = realms.and_then(|value| value.get_ref().as_array()).into_iter().flatten();
    let names = tables.filter_map(|entry| entry.get_ref().as_table()?.get("name")?.get_ref().as_str());
    names.map(str::to_owned).collect()
}

impl Reader<'_> {
    /// Returns the tables of a list of tables.
    fn tables<'t, 'i>(&mut self, value: Value<'t, 'i>, name: &str) -> Vec<(Value<'t, 'i>, &'t DeTable<'i>)> {
        let Some(array) = value.get_ref().as_array() else {
            let message = format!("`{name}` is a list of tables");
            self.mistakes.add(&value.span(), message, format!("write each as `[[{name}]]`"));
            return Vec::new();
        };
        let example = format!("`[[{name}]]`");
        array.iter().filter_map(|entry| Some((entry, self.mistakes.table(entry, &example)?))).collect()
    }

    pub(super) fn realms_of(&mut self, value: Value, mut config: Config) -> Config {
        for (entry, table) in self.tables(value, "realm") {
            let mut realm = Realm::default();
            for (key, value) in table {
                match key.get_ref().as_ref() {
                    "name" => realm.name = self.new_realm(value),
                    "roles" => realm.roles = self.roles(value),
                    _ => self.mistakes.unknown_key(key, &REALM_KEYS),
                }
            }
            for (key, help) in [("name", "add `name = \"eu\"`"), ("roles", "add `roles = [\"eu-desk\"]`")] {
                if !table.contains_key(key) {
                    self.mistakes.add(&entry.span(), format!("a realm has `{key}`"), help);
                }
            }
            config = config.realm(realm);
        }
        config
    }

    fn new_realm(&mut self, value: Value) -> String {
        let name = self.mistakes.text(value, "a name: `\"eu\"`").unwrap_or_default();
        if name.len() > MAX_NAME_BYTES {
            let help = format!("write up to {MAX_NAME_BYTES} bytes");
            self.mistakes.add(&value.span(), "this name is too long", help);
        }
        if self.realms.iter().filter(|other| **other == name).count() > 1 {
            let message = format!("two realms are called `{name}`");
            self.mistakes.add(&value.span(), message, "give each a `name` of its own");
        }
        name
    }

    /// Reads the name of a realm that there is.
    pub(super) fn realm_name(&mut self, value: Value) -> String {
        let name = self.mistakes.text(value, "the name of a realm: `\"eu\"`").unwrap_or_default();
        if !name.is_empty() && !self.realms.contains(&name) {
            let help = match zsvc_idl::suggest::nearest(&name, self.realms.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "add it as `[[realm]]`".to_owned(),
            };
            self.mistakes.add(&value.span(), format!("there is no realm `{name}`"), help);
        }
        name
    }

    fn roles(&mut self, value: Value) -> Vec<String> {
        let texts = self.mistakes.texts(value, "roles: `[\"desk\"]`");
        if texts.is_empty() && value.get_ref().as_array().is_some_and(|array| array.is_empty()) {
            let help = "name some, or leave `roles` out to mean everybody";
            self.mistakes.add(&value.span(), "no role is named", help);
        }
        texts.into_iter().map(|(role, _)| role).collect()
    }

    pub(super) fn quotas(&mut self, value: Value, mut config: Config) -> Config {
        for (entry, table) in self.tables(value, "quota") {
            let mut quota = Quota::default();
            for (key, value) in table {
                match key.get_ref().as_ref() {
                    "roles" => quota.roles = self.roles(value),
                    "max_calls" => {
                        let number = self.mistakes.number(value, 1..=MAX_CALLS);
                        quota.max_calls = number.and_then(|number| usize::try_from(number).ok());
                    }
                    "calls_per_second" => {
                        let number = self.mistakes.number(value, 1..=u64::from(u32::MAX));
                        quota.calls_per_second = number.and_then(|number| u32::try_from(number).ok());
                    }
                    "bytes_per_second" => {
                        let bytes = self.mistakes.size(value, 1..=MAX_BYTES_PER_SECOND);
                        quota.bytes_per_second = bytes.map(|bytes| bytes as u64);
                    }
                    _ => self.mistakes.unknown_key(key, &QUOTA_KEYS),
                }
            }
            if !QUOTA_KEYS[1..].iter().any(|key| table.contains_key(*key)) {
                let help = "add `max_calls`, `calls_per_second` or `bytes_per_second`";
                self.mistakes.add(&entry.span(), "this bounds nothing", help);
            }
            config = config.quota(quota);
        }
        config
    }

    /// Reads the events that clients may publish. What they are has to be known.
    fn published(&mut self, value: Value) -> Vec<Scope> {
        self.publishes.get_or_insert_with(|| value.span());
        self.events(value, "publish")
    }

    /// Reads the events of workers that the router subscribes to for all clients. What they are has to be known.
    pub(super) fn relayed(&mut self, value: Value) -> Vec<Scope> {
        self.publishes.get_or_insert_with(|| value.span());
        self.events(value, "subscribe")
    }

    /// Reads events, each as the method by which something is done with it.
    fn events(&mut self, value: Value, method: &str) -> Vec<Scope> {
        let mut scopes = Vec::new();
        for (text, place) in self.mistakes.texts(value, EVENTS) {
            let scope = match Scope::read(&text) {
                Some(Scope::Service(event)) => Scope::Method(format!("{event}/{method}")),
                Some(scope @ (Scope::All | Scope::Package(_))) => scope,
                Some(Scope::Method(_)) | None => {
                    let message = format!("`{text}` names no events");
                    self.mistakes.add(&place, message, format!("write {EVENTS}"));
                    continue;
                }
            };
            self.events.push(Mention::of(scope.clone(), place));
            scopes.push(scope);
        }
        scopes
    }

    pub(super) fn grants(&mut self, value: Value, mut config: Config) -> Config {
        let Some(array) = value.get_ref().as_array() else {
            self.mistakes.add(&value.span(), "grants are a list of tables", "write each as `[[grant]]`");
            return config;
        };
        for entry in array {
            if let Some(table) = self.mistakes.table(entry, "`[[grant]]`") {
                config = config.grant(self.one_grant(entry, table));
            }
        }
        config
    }

    fn one_grant(&mut self, entry: Value, table: &DeTable) -> Grant {
        let mut grant = Grant::default();
        let before = (self.mentioned.len(), self.events.len());
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "roles" => grant.roles = self.roles(value),
                "realm" => grant.realm = self.realm_name(value),
                "call" => grant.call = self.scopes(value),
                "subscribe" => grant.subscribe = self.events(value, "subscribe"),
                "publish" => grant.publish = self.published(value),
                "serve" => grant.serve = self.scopes(value),
                _ => self.mistakes.unknown_key(key, &GRANT_KEYS),
            }
        }
        let named = self.mentioned[before.0..].iter_mut().chain(&mut self.events[before.1..]);
        named.for_each(|it| it.realm.clone_from(&grant.realm));
        if !GRANT_KEYS[2..].iter().any(|key| table.contains_key(*key)) {
            let help = "add `call`, `subscribe`, `publish` or `serve`";
            self.mistakes.add(&entry.span(), "this grants nothing", help);
        }
        grant
    }

    fn scopes(&mut self, value: Value) -> Vec<Scope> {
        let mut scopes = Vec::new();
        for (text, place) in self.mistakes.texts(value, SCOPES) {
            match Scope::read(&text) {
                Some(scope) => {
                    self.mentioned.push(Mention::of(scope.clone(), place));
                    scopes.push(scope);
                }
                None => {
                    self.mistakes.add(
                        &place,
                        format!("`{text}` names no methods"),
                        format!("write {SCOPES}"),
                    );
                }
            }
        }
        scopes
    }
}
