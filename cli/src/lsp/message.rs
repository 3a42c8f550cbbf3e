//! JSON-RPC: what a message asks, and answers to it.

use serde_json::{Value, json};

/// Codes of errors, of JSON-RPC and of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ErrorCode {
    Parse = -32700,
    InvalidRequest = -32600,
    UnknownMethod = -32601,
    InvalidParameters = -32602,
    NotInitialized = -32002,
    /// A request that is right can't be met; the message is for the user.
    Failed = -32803,
}

/// Why a request has no result.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) code: ErrorCode,
    pub(super) message: String,
}

impl Failure {
    /// Returns the failure of a request that is right.
    pub(super) fn told(message: impl Into<String>) -> Self {
        Self { code: ErrorCode::Failed, message: message.into() }
    }
}

/// A message of the client.
#[derive(Debug, PartialEq)]
pub(super) enum Incoming {
    Request {
        id: Value,
        method: String,
        parameters: Value,
    },
    Notification {
        method: String,
        parameters: Value,
    },
    /// The answer to a request, of which the server makes none that it waits for.
    Response,
}

/// Reads a message. The error has the answer.
pub(super) fn parse(content: &[u8]) -> Result<Incoming, Value> {
    let wrong = |code, message: &str| error(&Value::Null, &Failure { code, message: message.to_owned() });
    let value: Value = serde_json::from_slice(content)
        .map_err(|error| wrong(ErrorCode::Parse, &format!("the message is no JSON: {error}")))?;
    let Value::Object(mut fields) = value else {
        return Err(wrong(
            ErrorCode::InvalidRequest,
            "a message is an object of JSON; batches are not taken",
        ));
    };
    let parameters = fields.remove("params").unwrap_or_default();
    let id = fields.remove("id");
    match (fields.remove("method"), id) {
        (Some(Value::String(method)), None) => Ok(Incoming::Notification { method, parameters }),
        (Some(Value::String(method)), Some(id)) if id.is_string() || id.is_i64() || id.is_u64() => {
            Ok(Incoming::Request { id, method, parameters })
        }
        (Some(Value::String(_)), Some(_)) => {
            Err(wrong(ErrorCode::InvalidRequest, "the id of a request is an integer or a string"))
        }
        (None, Some(_)) if fields.contains_key("result") || fields.contains_key("error") => {
            Ok(Incoming::Response)
        }
        _ => Err(wrong(ErrorCode::InvalidRequest, "a message has a `method`, which is a string")),
    }
}

/// Returns the answer to a request.
pub(super) fn response(id: &Value, result: Result<Value, Failure>) -> Value {
    match result {
        Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
        Err(failure) => error(id, &failure),
    }
}

fn error(id: &Value, failure: &Failure) -> Value {
    let error = json!({ "code": failure.code as i32, "message": failure.message });
    json!({ "jsonrpc": "2.0", "id": id, "error": error })
}

/// Returns the answer to a message that is skipped for its size.
pub(super) fn too_large(length: u64, most: u64) -> Value {
    let message = format!("a message of {length} bytes is too large; at most {most} are read");
    error(&Value::Null, &Failure { code: ErrorCode::InvalidRequest, message })
}

/// Returns a notification.
pub(super) fn notification(method: &str, parameters: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "method": method, "params": parameters })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_known_by_its_fields() {
        let request = parse(br#"{"id":1,"method":"a","params":[1]}"#).expect("a request");
        assert_eq!(
            request,
            Incoming::Request { id: json!(1), method: "a".to_owned(), parameters: json!([1]) }
        );
        let notification = parse(br#"{"method":"a"}"#).expect("a notification");
        assert_eq!(notification, Incoming::Notification { method: "a".to_owned(), parameters: Value::Null });
        assert_eq!(parse(br#"{"id":1,"result":null}"#), Ok(Incoming::Response));
    }

    #[test]
    fn what_is_none_is_answered() {
        let deep = vec![b'['; 100_000];
        for (text, code) in [
            (&b"{"[..], -32700),
            (b"\xff", -32700),
            (&deep, -32700),
            (b"[]", -32600),
            (b"{}", -32600),
            (br#"{"method":1}"#, -32600),
            (br#"{"id":1.5,"method":"a"}"#, -32600),
            (br#"{"id":null,"method":"a"}"#, -32600),
        ] {
            let answer = parse(text).expect_err("an error");
            assert_eq!((&answer["error"]["code"], &answer["id"]), (&json!(code), &Value::Null), "{answer}");
        }
    }
}
