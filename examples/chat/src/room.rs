//! The room: who is in it, and what is said.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use zsvc::{Context, Error, Sink, Streaming};

use crate::chat::v1::{Chat, ChatError, Line};

/// Number of lines that a slow reader may be behind. What it has missed after that, it is told.
const MAX_BEHIND: usize = 1_000;

pub(crate) struct Room {
    lines: broadcast::Sender<Line>,
    names: Mutex<BTreeSet<String>>,
}

impl Room {
    pub(crate) fn new() -> Self {
        Self { lines: broadcast::Sender::new(MAX_BEHIND), names: Mutex::default() }
    }

    fn say(&self, from: &str, text: String) {
        // Fails if no one hears it, which is no mistake.
        let _ = self.lines.send(Line { from: from.to_owned(), text });
    }

    fn enter(&self, name: &str) -> Result<Seat<'_>, ChatError> {
        if !self.names.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned()) {
            return Err(ChatError::NameTaken { name: name.to_owned() });
        }
        self.say("room", format!("{name} has come"));
        Ok(Seat { room: self, name: name.to_owned() })
    }
}

/// A place in the room. The runtime drops a handler whose client has gone, and its seat with it: so however a client leaves, the
/// others are told.
struct Seat<'a> {
    room: &'a Room,
    name: String,
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.room.names.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.name);
        self.room.say("room", format!("{} has left", self.name));
    }
}

impl Chat for Room {
    async fn join(
        &self,
        context: &Context,
        name: String,
        mut said: Streaming<String>,
        heard: Sink<Line>,
    ) -> Result<(), Error<ChatError>> {
        let mut lines = self.lines.subscribe();
        let _seat = self.enter(&name)?;
        let mut closing = context.draining();
        loop {
            tokio::select! {
                text = said.next() => match text {
                    Some(text) => self.say(&name, text?),
                    None => return Ok(()),
                },
                line = lines.recv() => match line {
                    Ok(line) => heard.send(line).await?,
                    Err(RecvError::Lagged(missed)) => {
                        let text = format!("you have missed {missed} lines");
                        heard.send(Line { from: "room".to_owned(), text }).await?;
                    }
                    Err(RecvError::Closed) => return Ok(()),
                },
                () = closing.wait() => return Ok(()),
            }
        }
    }
}
