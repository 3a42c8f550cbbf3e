//! [`Handshake`]: the commands between the greetings and the first message.

use bytes::Bytes;

use super::command::{self, Command, short_string, take_short_string};
use super::error::printable;
use super::greeting::Greeting;
use super::properties::{self, Properties};
use super::{Error, Peer, SocketType};

/// How peers prove who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mechanism {
    /// Not at all.
    Null,
    /// As a client of PLAIN (RFC 24), by name and password, which everyone on the way can read.
    PlainClient(Credentials),
    /// As a server of PLAIN: the clients' credentials come as an event.
    PlainServer,
}

impl Mechanism {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::PlainClient(_) | Self::PlainServer => "PLAIN",
        }
    }

    pub(super) const fn is_server(&self) -> bool {
        matches!(self, Self::PlainServer)
    }
}

/// A name and a password. What is printed of them is the name.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    username: Bytes,
    password: Bytes,
}

impl Credentials {
    /// Creates credentials, or returns `None` if one of the two is longer than the 255 bytes that PLAIN has room for.
    #[must_use]
    pub fn new(username: impl Into<Bytes>, password: impl Into<Bytes>) -> Option<Self> {
        let (username, password) = (username.into(), password.into());
        let fits = |text: &Bytes| u8::try_from(text.len()).is_ok();
        (fits(&username) && fits(&password)).then_some(Self { username, password })
    }

    /// Returns the name.
    #[must_use]
    pub fn username(&self) -> &Bytes {
        &self.username
    }

    /// Returns the password.
    #[must_use]
    pub fn password(&self) -> &Bytes {
        &self.password
    }

    fn read(mut data: Bytes) -> Option<Self> {
        let (username, password) = (take_short_string(&mut data)?, take_short_string(&mut data)?);
        data.is_empty().then_some(Self { username, password })
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("username", &printable(&self.username)).finish_non_exhaustive()
    }
}

/// The handshake of one connection.
#[derive(Debug)]
pub(super) struct Handshake {
    mechanism: Mechanism,
    socket_type: SocketType,
    routing_id: Bytes,
    stage: Stage,
    /// Minor version that the peer speaks.
    minor: u8,
    /// The user that the peer has proved to be.
    username: Option<Bytes>,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Greeting,
    /// At a server of PLAIN.
    Hello,
    /// At a server of PLAIN: the program's verdict.
    Verdict,
    /// At a server of PLAIN.
    Initiate,
    /// At a client of PLAIN.
    Welcome,
    Ready,
    Over,
}

/// What a step of the handshake came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// These bytes are to be sent; nothing more, if there are none.
    Send(Vec<u8>),
    /// The program has to judge these.
    Judge(Credentials),
    /// The handshake is complete, once these bytes are sent.
    Complete(Vec<u8>, Peer),
}

impl Handshake {
    pub(super) fn new(mechanism: Mechanism, socket_type: SocketType, routing_id: Bytes) -> Self {
        Self { mechanism, socket_type, routing_id, stage: Stage::Greeting, minor: 0, username: None }
    }

    pub(super) fn mechanism(&self) -> &Mechanism {
        &self.mechanism
    }

    fn properties(&self) -> Vec<u8> {
        properties::write(self.socket_type, &self.routing_id)
    }

    /// Takes the peer's greeting.
    pub(super) fn handle_greeting(&mut self, greeting: Greeting) -> Result<Step, Error> {
        self.minor = greeting.minor;
        // A server that does not say so is no mistake: libzmq (4.3) says it for CURVE alone.
        if greeting.as_server && self.mechanism.is_server() {
            return Err(Error::Roles);
        }
        let (stage, bytes) = match &self.mechanism {
            Mechanism::Null => (Stage::Ready, command::write("READY", &[&self.properties()])),
            Mechanism::PlainServer => (Stage::Hello, Vec::new()),
            Mechanism::PlainClient(credentials) => {
                let mut hello = Vec::new();
                short_string(&mut hello, &credentials.username);
                short_string(&mut hello, &credentials.password);
                (Stage::Welcome, command::write("HELLO", &[&hello]))
            }
        };
        self.stage = stage;
        Ok(Step::Send(bytes))
    }

    /// Takes a command of the peer.
    pub(super) fn handle_command(&mut self, command: &Command) -> Result<Step, Error> {
        let data = command.data();
        match (self.stage, command.name()) {
            (Stage::Ready | Stage::Welcome | Stage::Initiate | Stage::Hello, b"ERROR") => Err(refused(data)),
            (Stage::Hello, b"HELLO") => {
                let wrong = Error::Command { expected: "a name and a password" };
                let credentials = Credentials::read(data).ok_or(wrong)?;
                self.stage = Stage::Verdict;
                Ok(Step::Judge(credentials))
            }
            (Stage::Welcome, b"WELCOME") => {
                self.stage = Stage::Ready;
                Ok(Step::Send(command::write("INITIATE", &[&self.properties()])))
            }
            (Stage::Initiate, b"INITIATE") => {
                let peer = self.peer(data)?;
                Ok(Step::Complete(command::write("READY", &[&self.properties()]), peer))
            }
            (Stage::Ready, b"READY") => Ok(Step::Complete(Vec::new(), self.peer(data)?)),
            (stage, _) => Err(Error::Command { expected: stage.expected() }),
        }
    }

    /// Takes the program's verdict on the credentials of a client. A name stands for a good one; a verdict that was not
    /// asked for is ignored.
    pub(super) fn judge(&mut self, username: Option<Bytes>) -> Result<Step, Error> {
        if self.stage != Stage::Verdict {
            return Ok(Step::Send(Vec::new()));
        }
        self.username = Some(username.ok_or(Error::Denied)?);
        self.stage = Stage::Initiate;
        Ok(Step::Send(command::write("WELCOME", &[])))
    }

    fn peer(&mut self, data: Bytes) -> Result<Peer, Error> {
        self.stage = Stage::Over;
        Properties::read(data)?.into_peer(self.socket_type, self.minor, self.username.take())
    }
}

impl Stage {
    const fn expected(self) -> &'static str {
        match self {
            Self::Greeting => "a greeting",
            Self::Hello => "`HELLO`",
            Self::Verdict => "nothing before `WELCOME`",
            Self::Initiate => "`INITIATE`",
            Self::Welcome => "`WELCOME`",
            Self::Ready => "`READY`",
            Self::Over => "a message",
        }
    }
}

/// Returns the error of a peer that has sent `ERROR`.
pub(super) fn refused(mut data: Bytes) -> Error {
    let reason = take_short_string(&mut data).unwrap_or_default();
    let reason = if reason.is_empty() { "no reason was given".to_owned() } else { printable(&reason) };
    Error::Refused { reason }
}
