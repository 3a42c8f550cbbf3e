//! Whether a server understands a generated client, found before the first call: [`Channel::check_schema`], with the feature
//! `schema-check`.
//!
//! The server is asked for its schema by [`crate::reflection`], and the two are compared by the rules of `zsvc diff`. What the server tells
//! may be anything, so it has bounds, and is compiled on a thread of its own.

use std::time::Duration;

use tokio::runtime::Handle;
use zsvc_idl::bundle;
use zsvc_idl::compat::{self, Change};
use zsvc_idl::diagnostic::brief;
use zsvc_idl::schema::Schema;

use super::Channel;
use crate::reflection::{HasSchema, Incompatible, ReflectionClient, ServiceSchema};
use crate::status::{Cause, Code, Error, Status};

/// Maximum number of bytes of the files of a server's schema, with their paths. Past it the check fails.
const MAX_SCHEMA_BYTES: usize = 4 * 1024 * 1024;

/// Maximum number of those files.
const MAX_FILES: usize = 4_096;

/// Maximum time in which a server tells its schema.
const MAX_TIME: Duration = Duration::from_secs(30);

impl Channel {
    /// Checks whether the calls of a generated client can be understood by the server, and the server's answers by the client, by the rules of
    /// `zsvc diff`: `channel.check_schema::<TapeClient>().await?`. Either may be the older. Who may call is left out, since the server says that
    /// to those who call.
    ///
    /// Where both have the same schema, text by text, this is one call; otherwise the server's schema is fetched and compiled. Of a channel
    /// with several endpoints, one server is asked.
    ///
    /// # Errors
    /// - `failed_precondition`, with the detail [`Incompatible`](crate::reflection::Incompatible), which names the first method that fails:
    ///   they do not understand each other. Without that detail: the server does not tell its schema, or what it tells can't be compiled.
    /// - `resource_exhausted`: the server's schema has more than 4 MiB, or more than 4,096 files.
    /// - Any status that a call may fail with: the server can't be asked.
    pub async fn check_schema<C: HasSchema>(&self) -> Result<(), Status> {
        check(self, C::schema()).await
    }
}

/// Checks a channel for a client with a schema.
pub(super) async fn check(channel: &Channel, own: &'static ServiceSchema) -> Result<(), Status> {
    let reflection = ReflectionClient::new(channel.clone());
    let services = reflection.services().await.map_err(|status| not_told(own, status))?;
    let Some(served) = services.iter().find(|served| served.name == own.service()) else {
        return Err(mismatch(&not_served(own)));
    };
    if served.fingerprint.as_deref() == Some(&own.fingerprint()[..]) {
        return Ok(());
    }
    let files = files(&reflection, own).await?;
    let compare = move || compare(own, files);
    match channel.runtime() {
        Some(runtime) => runtime.spawn_blocking(compare).await.unwrap_or_else(|_| Err(stopped())),
        None => compare(),
    }
}

impl Channel {
    fn runtime(&self) -> Option<&Handle> {
        self.endpoints.config.runtime.as_ref()
    }
}

/// Fetches the files of a service from a server, each whole.
async fn files(reflection: &ReflectionClient, own: &ServiceSchema) -> Result<Vec<(String, String)>, Status> {
    let mut parts =
        reflection.schema(own.service()).deadline(MAX_TIME).await.map_err(|error| of(own, error))?;
    let (mut files, mut bytes): (Vec<(String, String)>, usize) = (Vec::new(), 0);
    while let Some(part) = parts.next().await {
        let part = part.map_err(|error| of(own, error))?;
        bytes = bytes.saturating_add(part.path.len()).saturating_add(part.text.len());
        match files.last_mut() {
            Some((path, text)) if *path == part.path => text.push_str(&part.text),
            _ => files.push((part.path, part.text)),
        }
        if bytes > MAX_SCHEMA_BYTES || files.len() > MAX_FILES {
            let what = format!(
                "the server's schema of `{}` has more than {MAX_SCHEMA_BYTES} bytes or {MAX_FILES} files",
                own.service()
            );
            return Err(Status::resource_exhausted(what).caused_by(Cause::TooLarge));
        }
    }
    Ok(files)
}

/// Compares the schema of a client with the files that a server has told.
fn compare(own: &ServiceSchema, told: Vec<(String, String)>) -> Result<(), Status> {
    let files = own.files().map(|file| (file.path().to_owned(), file.text().to_owned()));
    let client = compiled(files, "of this client", own)?;
    let server = compiled(told, "that the server tells", own)?;
    match compat::incompatible(&client, &server, own.service()) {
        None => Ok(()),
        Some(compat::Incompatible { method, change: Some(change) }) => {
            Err(mismatch(&incompatible(own, method, change)))
        }
        Some(compat::Incompatible { change: None, .. }) => Err(mismatch(&not_served(own))),
    }
}

fn compiled(
    files: impl IntoIterator<Item = (String, String)>,
    whose: &str,
    own: &ServiceSchema,
) -> Result<Schema, Status> {
    let compilation = bundle::compile(files);
    compilation.schema.ok_or_else(|| {
        let first = compilation.diagnostics.first().map(|it| brief(it, &compilation.sources));
        let why = first.unwrap_or_default();
        let what = format!("the schema of `{}` {whose} can't be compiled: {}", own.service(), shown(&why));
        Status::failed_precondition(what)
    })
}

/// Maximum number of bytes of what a server has told in a message.
const MAX_SHOWN_BYTES: usize = 1_000;

fn shown(text: &str) -> &str {
    crate::text::cut(text, MAX_SHOWN_BYTES)
}

fn incompatible(own: &ServiceSchema, method: Option<String>, change: Change) -> Incompatible {
    let short = |text: String| shown(&text).to_owned();
    Incompatible {
        service: own.service().to_owned(),
        method,
        code: Some(change.code.id().to_owned()),
        message: short(change.message),
        why: short(change.why),
    }
}

fn not_served(own: &ServiceSchema) -> Incompatible {
    Incompatible {
        service: own.service().to_owned(),
        method: None,
        code: None,
        message: format!("the server does not serve `{}`", own.service()),
        why: "its calls are answered with `unimplemented`".to_owned(),
    }
}

/// Returns the status of a client and a server that do not understand each other. In the words of `zsvc diff`, the client is the older.
fn mismatch(found: &Incompatible) -> Status {
    let what = match &found.method {
        None => found.message.clone(),
        Some(method) => format!(
            "this client and the server do not understand each other in `{}/{method}`: from the client's schema to the server's, {}; {}",
            found.service, found.message, found.why
        ),
    };
    Status::failed_precondition(what).with_detail(found)
}

fn of(own: &ServiceSchema, error: Error<crate::reflection::ReflectionError>) -> Status {
    match error {
        Error::Status(status) => not_told(own, status),
        Error::Declared(error) => {
            Status::failed_precondition(format!("the server does not tell its schema: {error}"))
        }
    }
}

/// Returns the status of a server that can't be asked.
fn not_told(own: &ServiceSchema, status: Status) -> Status {
    if status.code() != Code::Unimplemented {
        return status;
    }
    let service = own.service();
    Status::failed_precondition(format!(
        "the server does not tell its schema, so it can't be checked for `{service}`: it has no `zsvc.reflection.v1.Reflection`"
    ))
}

fn stopped() -> Status {
    Status::unavailable("the runtime of the channel shut down while the schema was checked")
}
