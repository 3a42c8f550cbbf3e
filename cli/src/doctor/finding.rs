//! [`Finding`]: what was looked at, and what to do if it is bad.

use serde_json::json;

use crate::live::output::{Closed, Output};

/// What was looked at, what was found, and what to do about it if that is bad.
#[derive(Debug)]
pub(crate) struct Finding {
    about: &'static str,
    found: String,
    advice: Option<String>,
}

impl Finding {
    pub(crate) fn good(about: &'static str, found: impl Into<String>) -> Self {
        Self { about, found: found.into(), advice: None }
    }

    pub(crate) fn bad(about: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { about, found: found.into(), advice: Some(advice.into()) }
    }

    pub(crate) fn is_bad(&self) -> bool {
        self.advice.is_some()
    }

    /// Prints it: for people, or as a line of JSON.
    pub(crate) fn print(&self, output: Output, as_json: bool) -> Result<(), Closed> {
        let Self { about, found, advice } = self;
        if as_json {
            let line = json!({ "about": about, "found": found, "good": !self.is_bad(), "advice": advice });
            return output.line(&line.to_string());
        }
        let mark = if self.is_bad() { "bad " } else { "good" };
        output.line(&format!("{mark}  {about:12}  {found}"))?;
        advice.iter().try_for_each(|advice| output.line(&format!("{:18}  {advice}", "")))
    }
}
