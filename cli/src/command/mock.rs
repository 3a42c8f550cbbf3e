//! `zsvc mock [FILE…]`

use std::sync::Arc;

use clap::Args;
use zsvc::Server;
use zsvc_dynamic::find;

use super::Outcome;
use crate::live::failure::{Failure, shown};
use crate::live::items::read_all;
use crate::live::known::{Known, SchemaFiles};
use crate::live::output::Output;
use crate::live::run::{Stop, run};
use crate::mock::script::Script;
use crate::mock::service::{self, Mock as Answers};

/// The arguments of `mock`.
#[derive(Debug, Args)]
pub(crate) struct Mock {
    /// The .svc files whose services to serve, or folders that hold some; without any, those of the project.
    #[arg(value_name = "FILE")]
    files: Vec<String>,
    /// Endpoint to bind; at port 0 the system chooses one.
    #[arg(short, long, value_name = "ENDPOINT", default_value = "tcp://127.0.0.1:7100")]
    bind: String,
    /// A file of JSON that says which calls are answered how; all others get answers that are made up.
    #[arg(short, long, value_name = "FILE")]
    script: Option<String>,
    /// Does not print calls.
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    schema: SchemaFiles,
}

impl Mock {
    /// Serves the schema until it is interrupted.
    pub(crate) fn run(self) -> Outcome {
        run(false, self.serve())
    }

    async fn serve(&self) -> Result<(), Stop> {
        // Handlers may outlive everything but the process.
        let known: &'static Known = Box::leak(Box::new(self.schema.read_named(&self.files)?));
        let script = match &self.script {
            Some(path) => Script::read(&read_all(path)?, known)?,
            None => Script::default(),
        };
        let services: Vec<String> = find::services(&known.schema).map(|(name, _)| name).collect();
        if services.is_empty() {
            return Err(Failure::unusable("the schema has no service")
                .help("name a file that has one")
                .into());
        }
        let mock = Arc::new(Answers::new(known, script, !self.quiet));
        let builder = service::services(&mock).fold(Server::builder(), zsvc::ServerBuilder::service);
        let server = builder.bind(self.bind.as_str()).listen().map_err(|error| {
            Failure::unusable(shown(&error.to_string())).help("choose another endpoint by `--bind`")
        })?;
        let endpoint = server.endpoints().first().cloned().unwrap_or_default();
        Output::new().line(&format!("mock of {} at {endpoint}", services.join(", ")))?;
        let ended = server.serve_until(zsvc::shutdown_signal()).await;
        ended.map_err(|error| Failure::unusable(shown(&error.to_string())).into())
    }
}
