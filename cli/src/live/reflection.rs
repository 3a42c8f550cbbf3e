//! What a server tells of itself: its services, their schemas, whether they are fit to be called, and what they have done.
//!
//! The server is asked by schema, as any other service is; the schemas of these services are those of the runtime (`runtime/svc`), and a test
//! holds the copies here against them.

use std::sync::LazyLock;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use zsvc::{Channel, Code, Timestamp};
use zsvc_dynamic::find::{self, FoundMethod};
use zsvc_dynamic::remote::{MAX_BYTES, MAX_FILES};
use zsvc_idl::schema::Schema;
use zsvc_idl::{MemoryLoader, compile};

use super::caller::{CallFailure, Caller};
use super::failure::Failure;
use super::run::Stop;

/// The services that every server has by itself, by path and text.
const FILES: [(&str, &str); 3] = [
    ("reflection.svc", include_str!("builtin/reflection.svc")),
    ("health.svc", include_str!("builtin/health.svc")),
    ("stats.svc", include_str!("builtin/stats.svc")),
];

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let loader = FILES.iter().fold(MemoryLoader::default(), |loader, (path, text)| loader.with(*path, *text));
    let files = FILES.map(|(path, _)| path.to_owned());
    // A test compiles the same files.
    compile(&loader, &files, &[]).schema.unwrap_or_default()
});

/// How long a server may take to tell of itself.
const PATIENCE: Duration = Duration::from_secs(10);

/// Reports whether a service, or a method of one, is one that servers have by themselves.
pub(crate) fn is_builtin(name: &str) -> bool {
    name.starts_with("zsvc.")
}

/// Returns the schema of the services that servers have by themselves.
pub(crate) fn builtin() -> &'static Schema {
    &SCHEMA
}

/// Returns a method of these services.
pub(crate) fn builtin_method(name: &str) -> Result<FoundMethod<'static>, Failure> {
    find::method(builtin(), name).map_err(|error| Failure::of_name("built-in methods", &error))
}

/// A service that a server has.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ServiceInfo {
    pub(crate) name: String,
    pub(crate) methods: Vec<MethodInfo>,
}

/// A method of such a service.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct MethodInfo {
    pub(crate) name: String,
    kind: serde_json::Value,
    #[serde(default)]
    pub(crate) roles: Vec<String>,
}

impl ServiceInfo {
    /// Returns the full names of its methods.
    pub(crate) fn method_names(&self) -> impl Iterator<Item = String> {
        self.methods.iter().map(|method| format!("{}/{}", self.name, method.name))
    }
}

impl MethodInfo {
    /// Returns how it is called, in words.
    pub(crate) fn kind(&self) -> &'static str {
        match self.kind.as_str() {
            Some("Unary") => "unary",
            Some("ServerStream") => "server stream",
            Some("ClientStream") => "client stream",
            Some("Bidirectional") => "bidirectional",
            Some("OneWay") => "one-way",
            _ => "of a kind that this version does not know",
        }
    }
}

/// What a server is made of, and what its clock said.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ServerInfo {
    pub(crate) implementation: String,
    pub(crate) version: String,
    pub(crate) protocol: u64,
    #[serde(deserialize_with = "timestamp")]
    pub(crate) now: Timestamp,
}

fn timestamp<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
    String::deserialize(from)?.parse().map_err(D::Error::custom)
}

#[derive(Deserialize)]
struct FilePart {
    path: String,
    text: String,
}

/// Asks a server about itself.
pub(crate) struct Reflection<'c> {
    caller: Caller<'c>,
}

impl<'c> Reflection<'c> {
    pub(crate) fn new(channel: &'c Channel) -> Self {
        Self { caller: Caller::new(channel, builtin()).deadline(Some(PATIENCE)) }
    }

    /// Returns the services that the server has, in the order of their names.
    pub(crate) async fn services(&self) -> Result<Vec<ServiceInfo>, Stop> {
        let method = builtin_method("zsvc.reflection.v1.Reflection/services")?;
        let answer = self.caller.unary(&method, "{}").await.map_err(untold)?;
        serde_json::from_str(&answer).map_err(|error| unreadable(&error).into())
    }

    /// Returns what the server is made of, and what its clock says; `None` from one that does not tell, since it is older.
    pub(crate) async fn server(&self) -> Result<Option<ServerInfo>, Stop> {
        let method = builtin_method("zsvc.reflection.v1.Reflection/server")?;
        match self.caller.unary(&method, "{}").await {
            Ok(answer) => serde_json::from_str(&answer).map(Some).map_err(|error| unreadable(&error).into()),
            Err(failure) if failure.code() == Some(Code::Unimplemented) => Ok(None),
            Err(failure) => Err(untold(failure).into()),
        }
    }

    /// Returns the files of a service's schema, by path and text. What is past the bounds is not waited for.
    pub(crate) async fn schema(&self, service: &str) -> Result<Vec<(String, String)>, Stop> {
        let method = builtin_method("zsvc.reflection.v1.Reflection/schema")?;
        let params = serde_json::json!({ "service": service }).to_string();
        let mut files: Vec<(String, String)> = Vec::new();
        let mut bytes = 0;
        let mut answers = self.caller.server_stream(&method, &params).await.map_err(untold)?;
        while let Some(part) = answers.next().await {
            let part: FilePart =
                serde_json::from_str(&part.map_err(untold)?).map_err(|error| unreadable(&error))?;
            bytes += part.path.len() + part.text.len();
            match files.last_mut() {
                Some((path, text)) if *path == part.path => text.push_str(&part.text),
                _ => files.push((part.path, part.text)),
            }
            if bytes > MAX_BYTES || files.len() > MAX_FILES {
                break;
            }
        }
        Ok(files)
    }
}

fn unreadable(error: &serde_json::Error) -> Failure {
    Failure::unusable(format!("the server tells of itself in a form that this version can't read: {error}"))
}

/// Returns what is told where a server does not tell its schema.
fn untold(failure: CallFailure) -> Failure {
    match failure.code() {
        Some(Code::Unimplemented) => {
            Failure::unusable("the server does not tell its schema: it has no `zsvc.reflection.v1.Reflection`")
                .help("give the files of its schema by `--schema FILE`, or turn reflection on where the server is built")
        }
        Some(Code::PermissionDenied | Code::Unauthenticated) => {
            failure.into_failure().help("this server tells its schema to clients alone that it knows: give `--key FILE`, or `--schema FILE`")
        }
        _ => failure.into_failure(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_copies_here_are_those_of_the_runtime() {
        for (name, text) in FILES {
            let path = format!("{}/../runtime/svc/{name}", env!("CARGO_MANIFEST_DIR"));
            assert_eq!(
                std::fs::read_to_string(&path).expect("it is there"),
                text,
                "copy `{path}` to cli/src/live/builtin"
            );
        }
    }

    #[test]
    fn the_schema_of_the_built_in_services_compiles() {
        assert_eq!(builtin().packages.len(), FILES.len());
        for name in [
            "Reflection/services",
            "Reflection/server",
            "Reflection/schema",
            "Health/check",
            "Health/watch",
            "Stats/read",
        ] {
            assert!(builtin_method(name).is_ok(), "{name}");
        }
    }
}
