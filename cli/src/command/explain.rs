//! `zsvc explain CODE | --all`

use std::io::Write;

use clap::Args;
use zsvc_idl::diagnostic::{Code, explain, reference};

use super::Outcome;
use super::report::Report;

/// The arguments of `explain`.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The code, as in `error[E0301]`.
    #[arg(value_name = "CODE", required_unless_present = "all", conflicts_with = "all")]
    code: Option<String>,
    /// Prints all pages, as one document.
    #[arg(long)]
    all: bool,
}

impl Explain {
    /// Prints the page.
    pub(crate) fn run(self) -> Outcome {
        let Some(code) = self.code else { return print(&reference()) };
        match Code::named(&code) {
            Some(code) => print(&explain(code)),
            None => unknown(&code),
        }
    }
}

/// Prints; a closed standard output is no error, since its reader has read enough.
fn print(text: &str) -> Outcome {
    let _ = std::io::stdout().write_all(text.as_bytes());
    Outcome::Fine
}

fn unknown(text: &str) -> Outcome {
    let help = match Code::nearest(text) {
        Some(code) => format!("did you mean `{code}`, {}?", code.title()),
        None => "a code is what stands in `error[…]`; `zsvc explain --all` prints all of them".to_owned(),
    };
    Report::default().error(&format!("there is no code `{}`", text.escape_debug()), &help);
    Outcome::Unusable
}
