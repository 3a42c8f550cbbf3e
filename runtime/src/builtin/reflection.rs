//! What a server serves, for clients that ask: the service `zsvc.reflection.v1.Reflection`, which is on by default.
//!
//! Clients and tools learn by it which services and methods a server has, and get the `.svc` files of a service, from which
//! `zsvc_idl::bundle::compile` makes its schema. It is off with [`ServerBuilder::reflection`](crate::ServerBuilder::reflection). A server at which anything needs
//! an identity tells it to known clients alone; see [`ServerBuilder::introspection_roles`](crate::ServerBuilder::introspection_roles).
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use zsvc::reflection::ReflectionClient;
//!
//! let reflection = ReflectionClient::connect("tcp://127.0.0.1:7100").await?;
//! for service in reflection.services().await? {
//!     println!("{}", service.name);
//! }
//! # Ok(())
//! # }
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

pub use super::generated::zsvc::reflection::v1::*;
use super::guard::Guard;
use crate::codec::Timestamp;
use crate::context::Context;
use crate::dispatch::Service;
use crate::method;
pub use crate::schema::{HasSchema, SchemaFile, ServiceSchema};
use crate::status::{Error, Status};
use crate::stream::Sink;
use crate::text::cut;
use crate::wire::VERSION;

/// Maximum number of bytes of a part of a file: small beside what a message may have, by default and by most settings.
const PART_BYTES: usize = 64 * 1024;

/// What a server serves.
pub(super) struct Mirror {
    guard: Guard,
    /// In the order of their names.
    services: Vec<ServiceInfo>,
    schemas: BTreeMap<&'static str, &'static ServiceSchema>,
}

impl Mirror {
    /// Returns the service that tells of these services, and of itself.
    pub(super) fn of(guard: Guard, services: &[Arc<dyn Service>]) -> ReflectionServer<Self> {
        let blank = Self { guard: Guard::Open, services: Vec::new(), schemas: BTreeMap::new() };
        let itself: Arc<dyn Service> = Arc::new(ReflectionServer::new(blank));
        let all = || services.iter().chain([&itself]);
        let schemas: BTreeMap<_, _> =
            all().filter_map(|service| service.schema()).map(|schema| (schema.service(), schema)).collect();
        let methods = all().flat_map(|service| service.methods());
        let services = listed(methods, &schemas);
        ReflectionServer::new(Self { guard, services, schemas })
    }
}

/// Returns the services that have these methods, in the order of their names.
fn listed(
    methods: impl Iterator<Item = &'static method::Method>,
    schemas: &BTreeMap<&'static str, &'static ServiceSchema>,
) -> Vec<ServiceInfo> {
    let mut services: BTreeMap<&str, Vec<MethodInfo>> = BTreeMap::new();
    // A service may have no method.
    for service in schemas.keys() {
        services.entry(service).or_default();
    }
    for method in methods {
        let Some((service, name)) = method.name().rsplit_once('/') else { continue };
        services.entry(service).or_default().push(MethodInfo {
            name: name.to_owned(),
            kind: kind(method.kind()),
            roles: method.required_roles().iter().map(|role| (*role).to_owned()).collect(),
        });
    }
    let info = |(name, methods): (&str, Vec<MethodInfo>)| ServiceInfo {
        name: name.to_owned(),
        methods,
        fingerprint: schemas.get(name).map(|schema| Bytes::copy_from_slice(&schema.fingerprint())),
    };
    services.into_iter().map(info).collect()
}

fn kind(kind: method::MethodKind) -> MethodKind {
    match kind {
        method::MethodKind::Unary => MethodKind::Unary,
        method::MethodKind::ServerStream => MethodKind::ServerStream,
        method::MethodKind::ClientStream => MethodKind::ClientStream,
        method::MethodKind::Bidirectional => MethodKind::Bidirectional,
        method::MethodKind::OneWay => MethodKind::OneWay,
    }
}

impl Reflection for Mirror {
    async fn services(&self, context: &Context) -> Result<Vec<ServiceInfo>, Status> {
        self.guard.check(context)?;
        Ok(self.services.clone())
    }

    async fn server(&self, context: &Context) -> Result<ServerInfo, Status> {
        self.guard.check(context)?;
        Ok(ServerInfo {
            implementation: "rust".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            protocol: u32::from(VERSION),
            now: Timestamp::now(),
        })
    }

    async fn schema(
        &self,
        context: &Context,
        service: String,
        sink: Sink<FilePart>,
    ) -> Result<(), Error<ReflectionError>> {
        self.guard.check(context)?;
        let Some(schema) = self.schemas.get(service.as_str()) else {
            let is_served = self.services.iter().any(|served| served.name == service);
            return Err(if is_served {
                ReflectionError::NoSchema { service }.into()
            } else {
                ReflectionError::NoSuchService { service: cut(&service, MAX_NAME_BYTES).to_owned() }.into()
            });
        };
        for file in schema.files() {
            for part in parts(file.text()) {
                sink.send(FilePart { path: file.path().to_owned(), text: part.to_owned() }).await?;
            }
        }
        Ok(())
    }
}

/// Maximum number of bytes of a service's name in an error.
const MAX_NAME_BYTES: usize = 200;

/// Returns a text in parts of up to [`PART_BYTES`]; an empty one is one part.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest.take()?;
        let (part, left) = text.split_at(cut(text, PART_BYTES).len());
        rest = Some(left).filter(|left| !left.is_empty());
        Some(part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_between_characters() {
        for text in ["", "a", &"ä".repeat(PART_BYTES)] {
            let parts: Vec<&str> = parts(text).collect();
            assert_eq!(parts.concat(), text);
            assert!(parts.iter().all(|part| part.len() <= PART_BYTES));
            assert!(parts.len() == 1 || parts.iter().all(|part| !part.is_empty()));
        }
        let odd = format!("a{}", "ä".repeat(PART_BYTES));
        assert_eq!(parts(&odd).next().map(str::len), Some(PART_BYTES - 1));
    }
}
