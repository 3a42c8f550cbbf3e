//! One request over HTTP/1.1, and its answer: the numbers, at `/metrics`. The connection is closed after it.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::recorder::Numbers;

/// Maximum length of a request in bytes.
const MAX_REQUEST: usize = 8 * 1024;
/// Maximum number of its headers.
const MAX_HEADERS: usize = 64;
/// Where the numbers are.
pub(super) const PATH: &str = "/metrics";
/// The text format of Prometheus.
const NUMBERS: &str = "text/plain; version=0.0.4; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

/// What is to be done about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// To wait for the rest of it.
    More,
    /// To tell the numbers, or without a body how long they are.
    Numbers { has_body: bool },
    /// To refuse it, with a status and a text.
    Refused(&'static str, &'static str),
}

/// Reads what is asked, and answers it. `has_asked` is set once it is known.
pub(super) async fn answer(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    numbers: &Numbers,
    has_asked: &AtomicBool,
) -> io::Result<()> {
    let mut request = Vec::new();
    let asked = loop {
        let has_ended = (&mut stream).take(1_024).read_buf(&mut request).await? == 0;
        match read(&request) {
            Asked::More if has_ended => return Ok(()),
            Asked::More => {}
            asked => break asked,
        }
    };
    has_asked.store(true, Ordering::Release);
    let (status, format, text, has_body) = match asked {
        Asked::Refused(status, why) => (status, TEXT, why.to_owned(), true),
        Asked::More | Asked::Numbers { has_body: true } => ("200 OK", NUMBERS, numbers.render(), true),
        Asked::Numbers { has_body: false } => ("200 OK", NUMBERS, numbers.render(), false),
    };
    let allow = if status.starts_with("405") { "Allow: GET, HEAD\r\n" } else { "" };
    let length = text.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {format}\r\nContent-Length: {length}\r\n{allow}Connection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    if has_body {
        stream.write_all(text.as_bytes()).await?;
    }
    stream.shutdown().await
}

/// Returns what the bytes of a request ask for that have arrived so far.
pub(super) fn read(bytes: &[u8]) -> Asked {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(bytes) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) if bytes.len() < MAX_REQUEST => return Asked::More,
        Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
            return Asked::Refused("431 Request Header Fields Too Large", "the request is too long\n");
        }
        Err(_) => return Asked::Refused("400 Bad Request", "this is no request of HTTP/1.1\n"),
    }
    let path = request.path.unwrap_or_default();
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    match request.method {
        Some("GET" | "HEAD") if path != PATH => {
            Asked::Refused("404 Not Found", "the numbers are at /metrics\n")
        }
        Some("GET") => Asked::Numbers { has_body: true },
        Some("HEAD") => Asked::Numbers { has_body: false },
        _ => Asked::Refused("405 Method Not Allowed", "the numbers are to be read, by GET\n"),
    }
}
