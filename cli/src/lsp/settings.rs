//! What a client says of itself when it starts the server. What is missing or odd counts as not said.

use serde_json::Value;

use super::position::Encoding;

/// The client's abilities and wishes.
#[derive(Debug, Clone, Copy, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is one ability or wish, as the protocol has them")]
pub(super) struct Settings {
    /// How characters are counted.
    pub(super) encoding: Encoding,
    /// Whether the client shows why a change of many files needs a confirmation.
    pub(super) annotates: bool,
    /// Whether the client can be asked to tell of files that others change.
    pub(super) registers_watchers: bool,
    /// Whether changes since `HEAD` are told.
    pub(super) diff: bool,
    /// Whether what waits until nothing else is to be done is done at once, so that answers are in one order; for tests.
    pub(super) eager: bool,
}

impl Settings {
    /// Reads the parameters of `initialize`.
    pub(super) fn of(parameters: &Value) -> Self {
        let capabilities = &parameters["capabilities"];
        let encodings = capabilities["general"]["positionEncodings"].as_array();
        let takes_utf8 = encodings.is_some_and(|encodings| encodings.iter().any(|it| it == "utf-8"));
        let edits = &capabilities["workspace"]["workspaceEdit"];
        let options = &parameters["initializationOptions"];
        Self {
            encoding: if takes_utf8 { Encoding::Utf8 } else { Encoding::Utf16 },
            annotates: edits["changeAnnotationSupport"].is_object() && edits["documentChanges"] == true,
            registers_watchers: capabilities["workspace"]["didChangeWatchedFiles"]["dynamicRegistration"]
                == true,
            diff: options["diff"] != false,
            eager: options["eager"] == true,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn utf_8_is_taken_where_it_is_offered() {
        let settings = |encodings: Value| {
            Settings::of(&json!({ "capabilities": { "general": { "positionEncodings": encodings } } }))
                .encoding
        };
        assert_eq!(settings(json!(["utf-32", "utf-8"])), Encoding::Utf8);
        assert_eq!(settings(json!(["utf-16"])), Encoding::Utf16);
        assert_eq!(settings(json!({ "odd": 1 })), Encoding::Utf16);
    }

    #[test]
    fn what_is_odd_is_not_said() {
        let settings = Settings::of(&json!([1, "a"]));
        assert!(settings.diff && !settings.eager && !settings.annotates);
        assert!(!Settings::of(&json!({ "initializationOptions": { "diff": false } })).diff);
    }
}
