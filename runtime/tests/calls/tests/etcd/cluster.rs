//! [`Cluster`]: a real etcd of one server, in a folder of its own.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use zsvc::discovery::Etcd;

/// How long to wait between two looks at etcd, which says nothing by itself.
const MOMENT: Duration = Duration::from_millis(20);

pub(crate) struct Cluster {
    process: Option<Child>,
    data: PathBuf,
    client: String,
    peer: String,
    http: reqwest::Client,
}

impl Cluster {
    /// Starts etcd, and waits until it answers.
    pub(crate) async fn start() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("zsvc-etcd-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        // Both are held until both are drawn, so that they differ.
        let drawn = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let [client, peer] = drawn.map(|port| format!("http://{}", port.local_addr().unwrap()));
        let data = std::env::temp_dir().join(name);
        let mut this = Self { process: None, data, client, peer, http: reqwest::Client::new() };
        this.start_again().await;
        this
    }

    /// Starts it again with what it has stored.
    pub(crate) async fn start_again(&mut self) {
        let etcd = Command::new("etcd")
            .args(["--name", "test", "--log-level", "error", "--unsafe-no-fsync"])
            .arg("--data-dir")
            .arg(&self.data)
            .args(["--listen-client-urls", &self.client, "--advertise-client-urls", &self.client])
            .args(["--listen-peer-urls", &self.peer, "--initial-advertise-peer-urls", &self.peer])
            .args(["--initial-cluster", &format!("test={}", self.peer)])
            .stderr(Stdio::null())
            .spawn()
            .expect("`etcd` is on the PATH; Debian has it in the package `etcd-server`");
        self.process = Some(etcd);
        while self.ask("kv/range", &json!({ "key": STANDARD.encode("x") })).await.is_none() {
            tokio::time::sleep(MOMENT).await;
        }
    }

    /// Kills it.
    pub(crate) fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Removes all that it has stored, while it is stopped.
    pub(crate) fn forget(&self) {
        std::fs::remove_dir_all(&self.data).unwrap();
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.client
    }

    pub(crate) fn registry(&self) -> Etcd {
        Etcd::new([self.endpoint()])
    }

    /// Makes a request. `None` if it fails.
    async fn ask(&self, method: &str, body: &Value) -> Option<Value> {
        let answer = self
            .http
            .post(format!("{}/v3/{method}", self.client))
            .body(body.to_string())
            .send()
            .await
            .ok()?;
        if !answer.status().is_success() {
            return None;
        }
        serde_json::from_slice(&answer.bytes().await.ok()?).ok()
    }

    async fn must(&self, method: &str, body: Value) -> Value {
        self.ask(method, &body).await.unwrap_or_else(|| panic!("{method} {body}"))
    }

    pub(crate) async fn put(&self, key: &str, value: &str) {
        self.must("kv/put", json!({ "key": STANDARD.encode(key), "value": STANDARD.encode(value) })).await;
    }

    /// Returns the keys that begin with a prefix.
    pub(crate) async fn keys(&self, prefix: &str) -> Vec<String> {
        let end = prefix.replace("services/", "services0");
        let body =
            json!({ "key": STANDARD.encode(prefix), "range_end": STANDARD.encode(end), "keys_only": true });
        let answer = self.must("kv/range", body).await;
        let keys = answer["kvs"].as_array().cloned().unwrap_or_default();
        let text = |pair: &Value| {
            String::from_utf8(STANDARD.decode(pair["key"].as_str().unwrap()).unwrap()).unwrap()
        };
        keys.iter().map(text).collect()
    }

    /// Waits until there are this many keys.
    pub(crate) async fn has_keys(&self, prefix: &str, count: usize) {
        while self.keys(prefix).await.len() != count {
            tokio::time::sleep(MOMENT).await;
        }
    }

    pub(crate) async fn revoke_all_leases(&self) {
        let leases = self.must("kv/lease/leases", json!({})).await;
        for lease in leases["leases"].as_array().unwrap() {
            self.must("lease/revoke", json!({ "ID": lease["ID"] })).await;
        }
    }

    /// Forgets all changes before the last.
    pub(crate) async fn compact(&self) {
        let answer = self.must("kv/range", json!({ "key": STANDARD.encode("x") })).await;
        self.must("kv/compaction", json!({ "revision": answer["header"]["revision"], "physical": true }))
            .await;
    }

    /// Makes a user, as whom alone etcd may be asked from then on.
    pub(crate) async fn protect(&self, user: &str, password: &str) {
        self.must("auth/user/add", json!({ "name": user, "password": password })).await;
        self.must("auth/role/add", json!({ "name": "root" })).await;
        self.must("auth/user/grant", json!({ "user": user, "role": "root" })).await;
        self.must("auth/enable", json!({})).await;
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop();
        // It may be gone: the test has failed then, and says why.
        std::fs::remove_dir_all(&self.data).ok();
    }
}
