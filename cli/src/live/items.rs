//! The items of a call's stream: lines of JSON, from standard input or a file, as they come.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::sync::mpsc;
use zsvc_codegen::reason;

use super::failure::Failure;

/// Maximum length of a line in bytes.
const MAX_LINE_BYTES: u64 = 64 * 1024 * 1024;

/// Maximum size of a file of parameters in bytes.
const MAX_TEXT_BYTES: u64 = 256 * 1024 * 1024;

/// Number of lines that are read ahead: the rest waits where it is, until the server has room.
const LINES_AHEAD: usize = 16;

/// A line with its number, from 1.
pub(crate) type Line = (usize, String);

/// Lines that a thread reads, since reading standard input blocks.
pub(crate) struct Lines(mpsc::Receiver<Result<Line, Failure>>);

impl Lines {
    /// Begins to read a file, or standard input for `-`.
    pub(crate) fn open(path: &str) -> Result<Self, Failure> {
        let (sender, receiver) = mpsc::channel(LINES_AHEAD);
        let name = shown_name(path);
        let input: Box<dyn io::Read + Send> = match path {
            "-" => Box::new(io::stdin()),
            path => Box::new(File::open(path).map_err(|error| unreadable(&name, &error))?),
        };
        std::thread::spawn(move || read_lines(BufReader::new(input), &name, &sender));
        Ok(Self(receiver))
    }

    /// Returns items that come at given times, each as a line.
    pub(crate) fn at_times(items: Vec<(Instant, String)>) -> Self {
        let (sender, receiver) = mpsc::channel(LINES_AHEAD);
        tokio::spawn(async move {
            for (number, (at, item)) in (1..).zip(items) {
                tokio::time::sleep_until(at.into()).await;
                // Where no one waits for items any more, the call is over.
                if sender.send(Ok((number, item))).await.is_err() {
                    return;
                }
            }
        });
        Self(receiver)
    }

    /// Returns the next line that is not empty; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<Result<Line, Failure>> {
        self.0.recv().await
    }
}

fn read_lines(mut input: impl BufRead, name: &str, lines: &mpsc::Sender<Result<Line, Failure>>) {
    for number in 1.. {
        let mut line = String::new();
        let line = match (&mut input).take(MAX_LINE_BYTES).read_line(&mut line) {
            Ok(0) => return,
            Ok(bytes) if bytes as u64 == MAX_LINE_BYTES => Err(too_long(name, number)),
            Ok(_) => Ok((number, line)),
            Err(error) => Err(unreadable(name, &error)),
        };
        let is_last = line.is_err();
        let is_empty = line.as_ref().is_ok_and(|(_, text)| text.trim().is_empty());
        // Where no one waits for lines any more, the call is over.
        if !is_empty && lines.blocking_send(line).is_err() || is_last {
            return;
        }
    }
}

fn too_long(name: &str, line: usize) -> Failure {
    Failure::unusable(format!("line {line} of {name} has more than {} MiB", MAX_LINE_BYTES >> 20))
        .help("each item of a stream is a line of its own")
}

fn unreadable(name: &str, error: &io::Error) -> Failure {
    Failure::unusable(format!("{name} can't be read: {}", reason(error)))
        .help("check the path and who may read it")
}

/// Returns how messages call a file.
pub(crate) fn shown_name(path: &str) -> String {
    if path == "-" { "standard input".to_owned() } else { format!("`{}`", path.escape_debug()) }
}

/// Reads all of a file, or of standard input for `-`.
pub(crate) fn read_all(path: &str) -> Result<String, Failure> {
    let name = shown_name(path);
    let mut text = String::new();
    let read = match path {
        "-" => io::stdin().lock().take(MAX_TEXT_BYTES + 1).read_to_string(&mut text),
        path => File::open(Path::new(path))
            .and_then(|file| file.take(MAX_TEXT_BYTES + 1).read_to_string(&mut text)),
    };
    match read {
        Ok(_) if text.len() as u64 > MAX_TEXT_BYTES => {
            let message = format!("{name} has more than {} MiB", MAX_TEXT_BYTES >> 20);
            Err(Failure::unusable(message).help("no message is as large: send it in parts, by a stream"))
        }
        Ok(_) => Ok(text),
        Err(error) => Err(unreadable(&name, &error)),
    }
}

/// A stream of what a channel of tokio carries.
pub(crate) struct Received<T>(pub(crate) mpsc::Receiver<T>);

impl<T> zsvc::Stream for Received<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        self.0.poll_recv(context)
    }
}
