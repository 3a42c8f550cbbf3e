//! `zsvc lsp`: a language server. The work is done in `crate::lsp`.

use clap::Args;

use super::Outcome;

/// The arguments of `lsp`.
#[derive(Debug, Args)]
pub(crate) struct Lsp {
    /// Accepted and ignored: editors give it, and there is no other way to talk.
    #[arg(long, hide = true)]
    stdio: bool,
}

#[cfg(feature = "lsp")]
impl Lsp {
    /// Serves the editor that has started the command, until it says that it goes.
    pub(crate) fn run(self) -> Outcome {
        let Self { stdio: _ } = self;
        crate::lsp::serve()
    }
}

#[cfg(not(feature = "lsp"))]
impl Lsp {
    pub(crate) fn run(self) -> Outcome {
        let Self { stdio: _ } = self;
        let message = "this `zsvc` is no language server: it was built without the Cargo feature `lsp`";
        super::report::Report::default()
            .error(message, "install one with it: `cargo install zsvc-cli --features lsp`");
        Outcome::Unusable
    }
}
