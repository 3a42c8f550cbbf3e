//! `zsvc router`: a router by a configuration file. The work is done by the crate `zsvc-router`.

use std::path::PathBuf;

use clap::Args;

use super::Outcome;

/// The arguments of `router`.
#[derive(Debug, Args)]
pub(crate) struct Router {
    /// The configuration file.
    #[arg(value_name = "FILE", default_value = "router.toml")]
    file: PathBuf,
    /// Reports what is wrong with the file, and does not start.
    #[arg(long)]
    check: bool,
}

#[cfg(feature = "router")]
impl Router {
    /// Routes until SIGTERM or SIGINT, then drains.
    pub(crate) fn run(self) -> Outcome {
        if self.check { crate::router::check(&self.file) } else { crate::router::serve(self.file) }
    }
}

#[cfg(not(feature = "router"))]
impl Router {
    pub(crate) fn run(self) -> Outcome {
        let Self { file: _, check: _ } = self;
        let message = "this `zsvc` is no router: it was built without the Cargo feature `router`";
        super::report::Report::default()
            .error(message, "install one with it: `cargo install zsvc-cli --features router`");
        Outcome::Unusable
    }
}
