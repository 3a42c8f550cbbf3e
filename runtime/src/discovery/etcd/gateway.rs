//! [`Gateway`]: requests to etcd, at whichever of its servers answers. Bodies are JSON, as [etcd's gateway] has them.
//!
//! [etcd's gateway]: https://etcd.io/docs/v3.4/dev-guide/api_grpc_gateway/

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use tokio::time::timeout;
use zeroize::Zeroizing;

/// How long a server of etcd may take to begin its answer.
const ANSWER_TIME: Duration = Duration::from_secs(5);
/// Maximum size of an answer in bytes, but for a watch, which has no end.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;
/// Maximum size in bytes of a refusal's text.
const MAX_REFUSAL_BYTES: usize = 16 * 1024;
/// Has a server that has lost its cluster end a watch, where it would be silent for ever.
const NEEDS_LEADER: &str = "Grpc-Metadata-hasleader";

/// Makes requests. Cheap to clone; clones share what is known of the servers.
#[derive(Clone)]
pub(super) struct Gateway {
    servers: Arc<[String]>,
    client: Client,
    user: Option<Arc<User>>,
    /// Index of the server that has answered last.
    current: Arc<AtomicUsize>,
}

struct User {
    name: String,
    password: Zeroizing<String>,
    /// What etcd has given for the password; it runs out.
    token: Mutex<Option<String>>,
}

impl User {
    fn token(&self) -> MutexGuard<'_, Option<String>> {
        // Nothing panics while the lock is held.
        self.token.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why one server of etcd did not do what was asked.
enum Refusal {
    /// The server is no use as it is now; another may be.
    Unavailable(io::Error),
    /// The token is not good any more.
    Token(io::Error),
    /// The request is at fault; any other server would say the same.
    Request(io::Error),
}

impl Gateway {
    pub(super) fn new(servers: Vec<String>) -> Self {
        let servers = servers.into_iter().map(|server| server.trim_end_matches('/').to_owned()).collect();
        // The system's proxies are for the internet.
        let client = Client::builder().no_proxy().connect_timeout(ANSWER_TIME).tcp_keepalive(ANSWER_TIME);
        // Nothing that can fail was set: without TLS and proxies, a client is a pool.
        let client = client.build().unwrap_or_default();
        Self { servers, client, user: None, current: Arc::default() }
    }

    pub(super) fn set_client(&mut self, client: Client) {
        self.client = client;
    }

    pub(super) fn set_user(&mut self, name: String, password: String) {
        self.user = Some(Arc::new(User { name, password: password.into(), token: Mutex::default() }));
    }

    /// Asks for a lease of that time, in whole seconds. Returns its id.
    pub(super) async fn grant(&self, ttl: Duration) -> io::Result<String> {
        let answer = self.ask("lease/grant", &json!({ "TTL": ttl.as_secs() })).await?;
        text(&answer, "/ID")
    }

    /// Renews a lease. Returns whether it is there still.
    pub(super) async fn keep_alive(&self, lease: &str) -> io::Result<bool> {
        let answer = self.ask("lease/keepalive", &json!({ "ID": lease })).await?;
        // Without a time to live, the lease is unknown.
        Ok(text(&answer, "/result/TTL").is_ok_and(|ttl| ttl != "0"))
    }

    /// Ends a lease, and with it all that was written under it.
    pub(super) async fn revoke(&self, lease: &str) -> io::Result<()> {
        self.ask("lease/revoke", &json!({ "ID": lease })).await.map(drop)
    }

    /// Writes a value under a lease.
    pub(super) async fn put(&self, key: &str, value: &str, lease: &str) -> io::Result<()> {
        let body = json!({ "key": STANDARD.encode(key), "value": STANDARD.encode(value), "lease": lease });
        self.ask("kv/put", &body).await.map(drop)
    }

    /// Reads all keys that begin with a prefix. Returns the answer as it is.
    pub(super) async fn read(&self, prefix: &str) -> io::Result<Vec<u8>> {
        let body = json!({ "key": STANDARD.encode(prefix), "range_end": STANDARD.encode(end_of(prefix)) });
        self.request("kv/range", &body).await
    }

    /// Follows the changes of all keys that begin with a prefix, from a revision on. The answer does not end.
    pub(super) async fn watch(&self, prefix: &str, revision: i64) -> io::Result<Response> {
        let (key, end) = (STANDARD.encode(prefix), STANDARD.encode(end_of(prefix)));
        let create = json!({ "key": key, "range_end": end, "start_revision": revision.to_string() });
        self.send("watch", &json!({ "create_request": create })).await
    }

    async fn ask(&self, method: &str, body: &Value) -> io::Result<Value> {
        let answer = self.request(method, body).await?;
        serde_json::from_slice(&answer)
            .map_err(|error| io::Error::other(format!("etcd's answer is no JSON: {error}")))
    }

    async fn request(&self, method: &str, body: &Value) -> io::Result<Vec<u8>> {
        let answer = self.send(method, body).await?;
        let whole = timeout(ANSWER_TIME, whole(answer, MAX_ANSWER_BYTES)).await;
        whole.unwrap_or_else(|_| {
            Err(io::Error::new(io::ErrorKind::TimedOut, "etcd's answer did not end in time"))
        })
    }

    /// Makes a request at the first server that answers, the last one first. Returns its answer, which has begun.
    async fn send(&self, method: &str, body: &Value) -> io::Result<Response> {
        let first = self.current.load(Ordering::Relaxed);
        let mut failed = io::Error::new(io::ErrorKind::InvalidInput, "no server of etcd was given");
        for offset in 0..self.servers.len() {
            let index = (first + offset) % self.servers.len();
            match self.send_to(&self.servers[index], method, body).await {
                Ok(answer) => {
                    self.current.store(index, Ordering::Relaxed);
                    return Ok(answer);
                }
                Err(Refusal::Unavailable(error)) => failed = error,
                Err(Refusal::Token(error) | Refusal::Request(error)) => return Err(error),
            }
        }
        Err(failed)
    }

    /// Makes a request at one server, and logs in before it and once more where that is needed.
    async fn send_to(&self, server: &str, method: &str, body: &Value) -> Result<Response, Refusal> {
        let Some(user) = &self.user else { return self.post(server, method, body, None).await };
        let known = user.token().clone();
        if known.is_some() {
            match self.post(server, method, body, known.as_deref()).await {
                Err(Refusal::Token(_)) => {}
                answered => return answered,
            }
        }
        let token = self.log_in(server, user).await?;
        user.token().replace(token.clone());
        self.post(server, method, body, Some(&token)).await
    }

    async fn log_in(&self, server: &str, user: &User) -> Result<String, Refusal> {
        let body = json!({ "name": user.name, "password": *user.password });
        let answer = self.post(server, "auth/authenticate", &body, None).await?;
        let answer = timeout(ANSWER_TIME, whole(answer, MAX_REFUSAL_BYTES)).await.unwrap_or_else(|_| {
            Err(io::Error::new(io::ErrorKind::TimedOut, "etcd's answer did not end in time"))
        });
        let answer: Value =
            serde_json::from_slice(&answer.map_err(Refusal::Unavailable)?).unwrap_or_default();
        text(&answer, "/token").map_err(Refusal::Request)
    }

    async fn post(
        &self,
        server: &str,
        method: &str,
        body: &Value,
        token: Option<&str>,
    ) -> Result<Response, Refusal> {
        let at_server = |what: &dyn fmt::Display| io::Error::other(format!("etcd at {server}: {what}"));
        let mut request = self.client.post(format!("{server}/v3/{method}")).body(body.to_string());
        request = request.header(NEEDS_LEADER, "true");
        if let Some(token) = token {
            request = request.header("Authorization", token);
        }
        let answer = match timeout(ANSWER_TIME, request.send()).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(Refusal::Unavailable(at_server(&causes(&error)))),
            Err(_) => {
                let what = format!("there was no answer within {ANSWER_TIME:?}");
                return Err(Refusal::Unavailable(at_server(&what)));
            }
        };
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let why = timeout(ANSWER_TIME, whole(answer, MAX_REFUSAL_BYTES)).await;
        let why = why.ok().and_then(Result::ok).unwrap_or_default();
        let why = at_server(&format_args!("{status}: {}", reason(&why)));
        Err(match status {
            StatusCode::UNAUTHORIZED => Refusal::Token(why),
            _ if status.is_server_error() => Refusal::Unavailable(why),
            _ => Refusal::Request(why),
        })
    }
}

/// Reads an answer to its end.
async fn whole(mut answer: Response, limit: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(io::Error::other)? {
        if bytes.len() + chunk.len() > limit {
            return Err(io::Error::other(format!("etcd's answer has more than {limit} bytes")));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// Returns what an HTTP client's error says with all of its causes: the outermost one alone does not say what happened.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

/// Returns the reason of a refusal: the field `message` or `error` of JSON, or the text as it is.
fn reason(answer: &[u8]) -> String {
    let value: Value = serde_json::from_slice(answer).unwrap_or_default();
    let told = value.get("message").or_else(|| value.get("error")).and_then(Value::as_str);
    told.map_or_else(|| String::from_utf8_lossy(answer).trim().to_owned(), str::to_owned)
}

fn text(answer: &Value, at: &str) -> io::Result<String> {
    let text = answer.pointer(at).and_then(Value::as_str);
    text.map(str::to_owned).ok_or_else(|| io::Error::other(format!("etcd's answer has no text at `{at}`")))
}

/// Returns the first key that does not begin with a prefix.
fn end_of(prefix: &str) -> Vec<u8> {
    let mut end = prefix.as_bytes().to_vec();
    // A prefix ends in `/`, so there is a last byte, and it can grow.
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    end
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = self.user.as_ref().map(|user| &user.name);
        f.debug_struct("Gateway").field("servers", &self.servers).field("user", &user).finish_non_exhaustive()
    }
}
