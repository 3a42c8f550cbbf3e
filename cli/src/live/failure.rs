//! [`Failure`]: what a command tells of what failed, and its exit status.

use std::io::Write as _;

use serde_json::{Value, json};
use zsvc::{Cause, Code, Status};
use zsvc_dynamic::Error;
use zsvc_dynamic::find::NotFound;

use crate::command::Outcome;

/// Maximum number of characters that are shown of a server's message.
const MAX_MESSAGE: usize = 2_000;

/// What failed, with notes below it, for people and as JSON.
#[derive(Debug)]
pub(crate) struct Failure {
    outcome: Outcome,
    message: String,
    /// Lines below: a word and a text, such as `help`.
    notes: Vec<(&'static str, String)>,
    json: Value,
}

impl Failure {
    /// Creates a failure for which the command was used wrongly, or a file can't be read.
    pub(crate) fn unusable(message: impl Into<String>) -> Self {
        Self::new(Outcome::Unusable, message.into())
    }

    pub(crate) fn new(outcome: Outcome, message: String) -> Self {
        Self { outcome, message, notes: Vec::new(), json: Value::Null }
    }

    pub(crate) fn help(self, help: impl Into<String>) -> Self {
        self.note("help", help)
    }

    /// Adds a line below the message.
    pub(crate) fn note(mut self, word: &'static str, text: impl Into<String>) -> Self {
        self.notes.push((word, text.into()));
        self
    }

    /// Creates the failure of a call. Its exit status says of which kind it is.
    pub(crate) fn of_status(status: &Status) -> Self {
        let outcome = match (status.code(), status.cause()) {
            (Code::DeadlineExceeded, _) => Outcome::Late,
            (
                _,
                Some(Cause::NeverConnected | Cause::ConnectionLost | Cause::ServerSilent | Cause::GoingAway),
            ) => Outcome::Unreached,
            // Of a handler, it is a failure as any other.
            (Code::Unavailable, _) if status.outcome() != zsvc::Outcome::Executed => Outcome::Unreached,
            _ => Outcome::Failed,
        };
        let mut failure = Self::new(outcome, format!("{}: {}", status.code(), shown(status.message())));
        if let Some(wait) = status.retry_after() {
            failure = failure.note("retry", format!("after {wait:?}"));
        }
        for (name, _) in status.details() {
            failure = failure.note("detail", shown(name));
        }
        failure.json = json!({
            "code": status.code().name(),
            "message": status.message(),
            "outcome": status.outcome().to_string(),
            "cause": status.cause().map(|cause| format!("{cause:?}")),
        });
        failure.note("outcome", status.outcome().to_string())
    }

    /// Creates the failure of a call that has ended in an error that its method declares.
    pub(crate) fn declared(message: &str, error: &str) -> Self {
        let mut failure = Self::new(Outcome::Wrong, shown(message)).note("error", error);
        failure.json = json!({
            "code": "declared",
            "message": message,
            "outcome": "executed",
            "error": serde_json::from_str::<Value>(error).unwrap_or_default(),
        });
        failure.note("outcome", "executed")
    }

    /// Creates the failure of JSON that is not what the schema says; `what` is where it comes from.
    pub(crate) fn of_value(what: &str, error: &Error) -> Self {
        let mut failure = Self::of_argument(what, error);
        if let Some((line, column)) = error.place() {
            failure.message = format!("{} (line {line}, column {column})", failure.message);
        }
        failure
    }

    /// Creates the failure of a value that is not what the schema says, and was not given as one text.
    pub(crate) fn of_argument(what: &str, error: &Error) -> Self {
        let failure = Self::unusable(format!("{what}: {error}"));
        match error.nearest() {
            Some(nearest) => failure.help(format!("did you mean `{nearest}`?")),
            None => failure,
        }
    }

    /// Creates the failure of a name that is none; `what` says what it names.
    pub(crate) fn of_name(what: &str, error: &NotFound) -> Self {
        let failure = Self::unusable(format!("{error} among the {what}"));
        let names: Vec<String> = error.names().iter().map(|name| format!("`{name}`")).collect();
        match (error.is_ambiguous(), &names[..]) {
            (true, names) => failure.help(format!("write more of its name: {}", names.join(", "))),
            (false, []) => {
                failure.help("`zsvc list` prints all services, and `zsvc list --methods` their methods")
            }
            (false, names) => failure.help(format!("did you mean {}?", names.join(" or "))),
        }
    }

    /// Returns what failed, without the notes.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Tells it: for people to standard error; as a line of JSON to standard output, since that was asked for then.
    pub(crate) fn tell(mut self, as_json: bool) -> Outcome {
        if as_json {
            if self.json.is_null() {
                self.json = json!({ "message": self.message });
            }
            if let Some((_, help)) = self.notes.iter().find(|(word, _)| *word == "help") {
                self.json["help"] = help.as_str().into();
            }
            // A closed stream has no reader.
            let _ = writeln!(std::io::stdout(), "{}", json!({ "failed": self.json }));
            return self.outcome;
        }
        let notes = self.notes.iter().map(|(word, text)| format!(" = {word}: {text}\n"));
        let notes = notes.collect::<Vec<_>>().concat();
        let bar = if notes.is_empty() { "" } else { " |\n" };
        let text = format!("\x1b[1;91merror\x1b[0m\x1b[1m: {}\x1b[0m\n{bar}{notes}", self.message);
        let _ = anstream::stderr().write_all(text.as_bytes());
        self.outcome
    }
}

/// Returns a text of a server's for a terminal: without what would control it, and cut if it is long.
pub(crate) fn shown(text: &str) -> String {
    let mut shown = String::new();
    for char in text.chars().take(MAX_MESSAGE) {
        if char.is_control() && char != '\n' {
            shown.extend(char.escape_default());
        } else {
            shown.push(char);
        }
    }
    if text.chars().nth(MAX_MESSAGE).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_status_says_of_which_kind_a_failure_is() {
        for (status, outcome) in [
            (Status::not_found("x"), Outcome::Failed),
            (Status::deadline_exceeded("x"), Outcome::Late),
            (Status::unavailable("x"), Outcome::Failed),
            (Status::unimplemented("x"), Outcome::Failed),
        ] {
            assert_eq!(Failure::of_status(&status).outcome, outcome, "{status}");
        }
    }

    #[test]
    fn a_server_can_t_control_the_terminal() {
        assert_eq!(shown("a\u{1b}[31m\u{9b}2Jb\r\n"), "a\\u{1b}[31m\\u{9b}2Jb\\r\n");
        assert_eq!(shown(&"x".repeat(3_000)).chars().count(), MAX_MESSAGE + 1);
    }
}
