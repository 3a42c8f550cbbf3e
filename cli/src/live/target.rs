//! [`Target`]: which server a command talks to, and by which keys.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use zsvc::curve::{CurveClient, KeyFile};
use zsvc::{Cause, Channel, Status};
use zsvc_codegen::Project;
use zsvc_dynamic::duration;

use super::failure::{Failure, shown};
use super::run::{Stop, unless_interrupted};
use crate::command::Outcome;

/// The server to talk to.
#[derive(Debug, Clone, Args)]
pub(crate) struct Target {
    /// Endpoint of the server, such as `tcp://127.0.0.1:7100`; without it, that of `[client]` in `zsvc.toml`.
    #[arg(short, long, value_name = "ENDPOINT", env = "ZSVC_ENDPOINT")]
    endpoint: Option<String>,
    /// How long to look for the server, such as `500ms`.
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = duration)]
    connect_timeout: Duration,
    /// File of the server's public key, where it has one: connections are encrypted then.
    #[arg(long, value_name = "FILE")]
    server_key: Option<PathBuf>,
    /// File of the keys by which the server knows this client; without it, the client has a new one.
    #[arg(long, value_name = "FILE", requires = "server_key")]
    key: Option<PathBuf>,
    /// Prints JSON, one value in a line, also of what failed.
    #[arg(long)]
    pub(crate) json: bool,
}

/// A server that a command talks to.
pub(crate) struct Connected {
    pub(crate) channel: Channel,
    pub(crate) endpoint: String,
}

/// How long a command waits on its way out until the server has read what was sent, such as that a call is cancelled.
const CLOSING: Duration = Duration::from_millis(500);

impl Connected {
    /// Does something with the server unless the user interrupts it, and closes the connection.
    pub(crate) async fn until_interrupted<T>(
        self,
        work: impl AsyncFnOnce(&Self) -> Result<T, Stop>,
    ) -> Result<T, Stop> {
        let done = unless_interrupted(work(&self)).await;
        self.close().await;
        done
    }

    /// Closes the connection once the server knows of all that was sent.
    pub(crate) async fn close(self) {
        // The command is done, whether or not the server has answered.
        let _ = self.channel.close(CLOSING).await;
    }
}

impl Target {
    /// Returns the endpoint that was given, or that of the project.
    pub(crate) fn endpoint(&self) -> Result<String, Failure> {
        let endpoint = match &self.endpoint {
            Some(endpoint) => Some(endpoint.clone()),
            None => project()?.and_then(|project| project.client.endpoint),
        };
        endpoint.ok_or_else(|| {
            Failure::unusable("no server is named")
                .help("give `--endpoint tcp://127.0.0.1:7100`, set `ZSVC_ENDPOINT`, or write `endpoint` below `[client]` in `zsvc.toml`")
        })
    }

    /// Connects, and waits for the server's first sign of life.
    pub(crate) async fn connect(&self) -> Result<Connected, Failure> {
        let endpoint = self.endpoint()?;
        let mut builder = Channel::builder()
            .endpoint(endpoint.as_str())
            .no_deadline()
            .connect_timeout(self.connect_timeout);
        if let Some(curve) = self.curve()? {
            builder = builder.curve(curve);
        }
        let began = Instant::now();
        let channel = builder.connect().await.map_err(|status| self.unreached(&endpoint, &status, began))?;
        Ok(Connected { channel, endpoint })
    }

    /// Connects, does something with the server unless the user interrupts it, and closes the connection.
    pub(crate) async fn with_server<T>(
        &self,
        work: impl AsyncFnOnce(&Connected) -> Result<T, Stop>,
    ) -> Result<T, Stop> {
        self.connect().await?.until_interrupted(work).await
    }

    fn curve(&self) -> Result<Option<CurveClient>, Failure> {
        let (mut server, mut own) = (self.server_key.clone(), self.key.clone());
        if server.is_none()
            && let Some(project) = project()?
        {
            (server, own) = (project.client.server_key, own.or(project.client.key));
        }
        let Some(server) = server else { return Ok(None) };
        let server = KeyFile::new(server).public_key().map_err(|error| bad_key(&error.to_string()))?;
        let curve = match own {
            Some(own) => {
                let key = KeyFile::new(own).secret_key().map_err(|error| bad_key(&error.to_string()))?;
                CurveClient::new(server, key)
            }
            None => CurveClient::anonymous(server).map_err(|error| bad_key(&error.to_string()))?,
        };
        Ok(Some(curve))
    }

    /// Returns what is told where no server was reached: what was tried, and for how long.
    fn unreached(&self, endpoint: &str, status: &Status, began: Instant) -> Failure {
        if status.cause() == Some(Cause::BadValue) || status.code() == zsvc::Code::InvalidArgument {
            return Failure::unusable(shown(status.message()))
                .help("an endpoint is `tcp://HOST:PORT`, `ipc://PATH` or `ipc://@NAME`");
        }
        let tenths = began.elapsed().as_millis() / 100;
        let failure = Failure::new(Outcome::Unreached, format!("no server at `{}`", shown(endpoint)))
            .note("tried", format!("for {}.{} s", tenths / 10, tenths % 10))
            .note("found", shown(status.message()));
        match status.cause() {
            Some(Cause::ServerSilent) => failure.help("is it a server of zsvc that listens there?"),
            _ if self.server_key.is_some() => failure.help(
                "start the server, or check the endpoint and `--server-key`; `zsvc doctor` looks closer",
            ),
            _ => failure.help("start the server, or check the endpoint; `zsvc doctor` looks closer"),
        }
    }
}

fn bad_key(why: &str) -> Failure {
    Failure::unusable(why.to_owned()).help("`zsvc keygen` writes both files of a pair of keys")
}

/// Returns the project of the working folder, if there is one.
pub(crate) fn project() -> Result<Option<Project>, Failure> {
    Project::find(Path::new(".")).map_err(|_| {
        Failure::unusable("the `zsvc.toml` of this folder is wrong").help("`zsvc check` says where")
    })
}
