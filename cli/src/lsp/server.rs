//! The order of messages: from `initialize` to `exit`, requests and notifications as they come, and what waits until none does.

use std::io::{self, BufReader, Write};
use std::sync::mpsc::{self, Receiver, SyncSender, TryRecvError};
use std::thread;

use serde_json::{Value, json};

use super::frame::{self, Frame};
use super::history::Hints;
use super::message::{self, ErrorCode, Failure, Incoming};
use super::publish::Publisher;
use super::settings::Settings;
use super::workspace::Workspace;
use crate::command::Outcome;

/// Number of messages that wait to be handled; the client's next ones wait in the pipe.
const MAX_WAITING: usize = 16;

/// What the server is told.
pub(super) enum Event {
    /// A message, or the end of the input.
    Frame(Frame),
    /// The input can't be understood any more; why.
    Broken(String),
    /// What has changed since `HEAD` in some project.
    Hints(Hints),
}

/// How far the conversation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    New,
    Running,
    /// After `shutdown`: only `exit` is expected.
    Down,
}

/// A server, which writes to `W`.
pub(super) struct Server<W: Write> {
    pub(super) workspace: Workspace,
    pub(super) settings: Settings,
    pub(super) publisher: Publisher,
    /// For what is done beside it.
    pub(super) events: SyncSender<Event>,
    phase: Phase,
    output: W,
}

/// Serves the client at standard input and output until it says `exit`. Returns what the process ends with: success after `shutdown`
/// and `exit`.
pub(crate) fn serve() -> Outcome {
    let (sender, events) = mpsc::sync_channel(MAX_WAITING);
    let reader = sender.clone();
    // Ends with the process: it may wait for input that never comes.
    thread::spawn(move || read(&reader));
    let mut server = Server::new(io::stdout().lock(), sender);
    match server.run(&events) {
        Ok(outcome) => outcome,
        Err(why) => {
            anstream::eprintln!("error: {why}");
            Outcome::Unusable
        }
    }
}

fn read(sender: &SyncSender<Event>) {
    let mut input = BufReader::new(io::stdin());
    loop {
        let (event, is_last) = match frame::read(&mut input) {
            Ok(Frame::End) => (Event::Frame(Frame::End), true),
            Ok(frame) => (Event::Frame(frame), false),
            Err(why) => (Event::Broken(why), true),
        };
        if sender.send(event).is_err() || is_last {
            return;
        }
    }
}

impl<W: Write> Server<W> {
    fn new(output: W, events: SyncSender<Event>) -> Self {
        Self {
            workspace: Workspace::default(),
            settings: Settings::default(),
            publisher: Publisher::default(),
            events,
            phase: Phase::New,
            output,
        }
    }

    /// Handles what comes, and what waits when nothing comes. An error tells why the conversation can't go on.
    fn run(&mut self, events: &Receiver<Event>) -> Result<Outcome, String> {
        loop {
            let event = if self.has_work() {
                match events.try_recv() {
                    Ok(event) => event,
                    Err(TryRecvError::Empty) => {
                        self.work()?;
                        continue;
                    }
                    Err(TryRecvError::Disconnected) => return Ok(Outcome::Wrong),
                }
            } else {
                match events.recv() {
                    Ok(event) => event,
                    Err(_) => return Ok(Outcome::Wrong),
                }
            };
            if let Some(outcome) = self.handle(event)? {
                return Ok(outcome);
            }
            while self.settings.eager && self.has_work() {
                self.work()?;
            }
        }
    }

    fn handle(&mut self, event: Event) -> Result<Option<Outcome>, String> {
        let ended = if self.phase == Phase::Down { Outcome::Fine } else { Outcome::Wrong };
        match event {
            Event::Frame(Frame::Content(content)) => match message::parse(&content) {
                Ok(Incoming::Request { id, method, parameters }) => {
                    let result = self.request(&method, parameters);
                    self.send(&message::response(&id, result))?;
                }
                Ok(Incoming::Notification { method, .. }) if method == "exit" => return Ok(Some(ended)),
                Ok(Incoming::Notification { method, parameters }) if self.phase == Phase::Running => {
                    if let Err(why) = self.notified(&method, parameters) {
                        self.tell(&why)?;
                    }
                }
                Ok(Incoming::Notification { .. } | Incoming::Response) => {}
                Err(answer) => self.send(&answer)?,
            },
            Event::Frame(Frame::TooLarge(length)) => {
                self.send(&message::too_large(length, frame::MAX_MESSAGE_BYTES))?;
            }
            Event::Frame(Frame::End) => return Ok(Some(ended)),
            Event::Broken(why) => return Err(why),
            Event::Hints(hints) => self.publisher.take_hints(hints),
        }
        Ok(None)
    }

    /// Writes a message. A client that does not read has gone.
    pub(super) fn send(&mut self, content: &Value) -> Result<(), String> {
        frame::write(&mut self.output, content)
            .map_err(|error| format!("standard output can't be written: {error}"))
    }

    /// Shows a message to the user.
    fn tell(&mut self, why: &str) -> Result<(), String> {
        self.send(&message::notification(
            "window/showMessage",
            &json!({ "type": 1, "message": format!("zsvc: {why}") }),
        ))
    }

    fn request(&mut self, method: &str, parameters: Value) -> Result<Value, Failure> {
        let failure = |code, message: &str| Err(Failure { code, message: message.to_owned() });
        match (self.phase, method) {
            (Phase::New, "initialize") => {
                self.settings = Settings::of(&parameters);
                self.workspace.encoding = self.settings.encoding;
                self.publisher.tells_history = self.settings.diff;
                self.phase = Phase::Running;
                Ok(super::dispatch::capabilities(self.settings))
            }
            (Phase::New, _) => failure(ErrorCode::NotInitialized, "the first request is `initialize`"),
            (Phase::Running, "initialize") => {
                failure(ErrorCode::InvalidRequest, "`initialize` was there already")
            }
            (Phase::Running, "shutdown") => {
                self.phase = Phase::Down;
                Ok(Value::Null)
            }
            (Phase::Running, _) => {
                super::dispatch::answer(&mut self.workspace, self.settings, method, parameters)
            }
            (Phase::Down, _) => failure(ErrorCode::InvalidRequest, "after `shutdown` only `exit` follows"),
        }
    }
}
