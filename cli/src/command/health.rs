//! `zsvc health [SERVICE] [--watch]`

use clap::Args;
use serde_json::{Value, json};

use super::Outcome;
use crate::live::caller::{CallFailure, Caller};
use crate::live::failure::Failure;
use crate::live::output::Output;
use crate::live::reflection::{builtin, builtin_method};
use crate::live::run::{Stop, run};
use crate::live::target::{Connected, Target};

/// The arguments of `health`.
#[derive(Debug, Args)]
pub(crate) struct Health {
    /// A service by its full name; without it, the server as a whole.
    #[arg(value_name = "SERVICE", default_value = "")]
    service: String,
    /// Prints the status again whenever it changes, until the server shuts down.
    #[arg(short, long)]
    watch: bool,
    #[command(flatten)]
    target: Target,
}

impl Health {
    /// Prints whether a server is fit to be called. The exit status is 1 if it is not.
    pub(crate) fn run(self) -> Outcome {
        run(self.target.json, self.health())
    }

    async fn health(&self) -> Result<(), Stop> {
        self.target.with_server(async |connected| self.ask(connected).await).await
    }

    async fn ask(&self, connected: &Connected) -> Result<(), Stop> {
        let caller = Caller::new(&connected.channel, builtin());
        let params = json!({ "service": self.service }).to_string();
        if !self.watch {
            let method = builtin_method("zsvc.health.v1.Health/check")?;
            return self.print(&caller.unary(&method, &params).await.map_err(untold)?, true);
        }
        let method = builtin_method("zsvc.health.v1.Health/watch")?;
        let mut changes = caller.server_stream(&method, &params).await.map_err(untold)?;
        while let Some(status) = changes.next().await {
            self.print(&status.map_err(untold)?, false)?;
        }
        Ok(())
    }

    fn print(&self, status: &str, is_verdict: bool) -> Result<(), Stop> {
        let status: Value = serde_json::from_str(status).unwrap_or_default();
        let word = match status.as_str() {
            Some("Serving") => "serving".to_owned(),
            Some("NotServing") => "not serving".to_owned(),
            _ => format!("status {status}"),
        };
        let line = if self.target.json {
            json!({ "service": self.service, "status": status }).to_string()
        } else if self.service.is_empty() {
            word.clone()
        } else {
            format!("{}: {word}", self.service)
        };
        Output::new().line(&line)?;
        let is_fit = word == "serving" || !is_verdict;
        if is_fit { Ok(()) } else { Err(Stop::Told(Outcome::Wrong)) }
    }
}

/// Returns what is told where a server does not tell whether it is fit.
fn untold(failure: CallFailure) -> Failure {
    match failure.code() {
        Some(zsvc::Code::Unimplemented) => Failure::unusable("the server has no `zsvc.health.v1.Health`")
            .help("`zsvc ping` tells whether it answers at all"),
        _ => failure.into_failure(),
    }
}
