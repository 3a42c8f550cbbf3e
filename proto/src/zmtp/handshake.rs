//! [`Handshake`]: the commands between the greetings and the first message.

use bytes::Bytes;

use super::command::{self, Command, short_string, take_short_string};
use super::curve::{self, HELLO_BYTES, Initiated, Rejection, Traffic};
use super::error::printable;
use super::greeting::Greeting;
use super::properties::{self, Properties};
use super::{Error, Peer, SocketType};
use crate::keys::PublicKey;

/// How peers prove who they are.
#[derive(Debug)]
#[non_exhaustive]
pub enum Mechanism {
    /// Not at all.
    Null,
    /// As a client of PLAIN (RFC 24), by name and password, which everyone on the way can read.
    PlainClient(Credentials),
    /// As a server of PLAIN: the clients' credentials come as an event.
    PlainServer,
    /// As a client of CURVE, by keys. Everything after the handshake is encrypted.
    CurveClient(Box<curve::Client>),
    /// As a server of CURVE: the clients' keys come as an event, once they are proved.
    CurveServer(Box<curve::Server>),
}

impl Mechanism {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::PlainClient(_) | Self::PlainServer => "PLAIN",
            Self::CurveClient(_) | Self::CurveServer(_) => "CURVE",
        }
    }

    pub(super) const fn is_server(&self) -> bool {
        matches!(self, Self::PlainServer | Self::CurveServer(_))
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
    /// What is known of a client of CURVE about which the program is asked.
    asked: Option<Box<Peer>>,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Greeting,
    /// At a server of PLAIN or CURVE.
    Hello,
    /// At a server: the program's verdict.
    Verdict,
    /// At a server.
    Initiate,
    /// At a client of PLAIN or CURVE.
    Welcome,
    Ready,
    Over,
}

/// What a step of the handshake came to.
#[derive(Debug)]
pub(super) enum Step {
    /// These bytes are to be sent; nothing more, if there are none.
    Send(Vec<u8>),
    /// The program has to judge these.
    Judge(Credentials),
    /// The program has to judge this key.
    JudgeKey(PublicKey),
    /// The handshake is complete, once these bytes are sent.
    Complete {
        bytes: Vec<u8>,
        peer: Peer,
        /// What decrypts and encrypts from then on, with CURVE.
        traffic: Option<Traffic>,
    },
}

impl Handshake {
    pub(super) fn new(mechanism: Mechanism, socket_type: SocketType, routing_id: Bytes) -> Self {
        Self {
            mechanism,
            socket_type,
            routing_id,
            stage: Stage::Greeting,
            minor: 0,
            username: None,
            asked: None,
        }
    }

    pub(super) fn mechanism(&self) -> &Mechanism {
        &self.mechanism
    }

    /// Returns the length in bytes of the longest command that may come now, and what it is, where that is less than of others.
    pub(super) fn max_command(&self) -> Option<(usize, &'static str)> {
        let is_before_hello =
            matches!((&self.mechanism, self.stage), (Mechanism::CurveServer(_), Stage::Hello));
        is_before_hello.then_some((HELLO_BYTES, "`HELLO` of 200 bytes"))
    }

    /// Reports whether the peer may be sent an `ERROR`. RFC 26 has no client do so.
    pub(super) fn tells_errors(&self) -> bool {
        !matches!(self.mechanism, Mechanism::CurveClient(_))
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
        let properties = self.properties();
        let (stage, bytes) = match &mut self.mechanism {
            Mechanism::Null => (Stage::Ready, command::write("READY", &[&properties])),
            Mechanism::PlainServer | Mechanism::CurveServer(_) => (Stage::Hello, Vec::new()),
            Mechanism::CurveClient(client) => (Stage::Welcome, client.hello()?),
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
            (Stage::Hello, b"HELLO") => self.take_hello(data),
            (Stage::Welcome, b"WELCOME") => {
                self.stage = Stage::Ready;
                let properties = self.properties();
                Ok(Step::Send(match &mut self.mechanism {
                    Mechanism::CurveClient(client) => client.welcome(&data, &properties)?,
                    _ => command::write("INITIATE", &[&properties]),
                }))
            }
            (Stage::Initiate, b"INITIATE") => self.take_initiate(data),
            (Stage::Ready, b"READY") => self.take_ready(data),
            (stage, _) => Err(Error::Command { expected: stage.expected() }),
        }
    }

    fn take_hello(&mut self, data: Bytes) -> Result<Step, Error> {
        if let Mechanism::CurveServer(server) = &mut self.mechanism {
            self.stage = Stage::Initiate;
            return Ok(Step::Send(server.hello(&data)?));
        }
        let wrong = Error::Command { expected: "a name and a password" };
        let credentials = Credentials::read(data).ok_or(wrong)?;
        self.stage = Stage::Verdict;
        Ok(Step::Judge(credentials))
    }

    fn take_initiate(&mut self, data: Bytes) -> Result<Step, Error> {
        let Mechanism::CurveServer(server) = &mut self.mechanism else {
            let peer = self.peer(data)?;
            let bytes = command::write("READY", &[&self.properties()]);
            return Ok(Step::Complete { bytes, peer, traffic: None });
        };
        let Initiated { client, properties } = server.initiate(&data)?;
        let peer = Peer { public_key: Some(client), ..self.peer(properties)? };
        (self.asked, self.stage) = (Some(Box::new(peer)), Stage::Verdict);
        Ok(Step::JudgeKey(client))
    }

    fn take_ready(&mut self, data: Bytes) -> Result<Step, Error> {
        let (bytes, mut traffic) = (Vec::new(), None);
        let Mechanism::CurveClient(client) = &mut self.mechanism else {
            return Ok(Step::Complete { bytes, peer: self.peer(data)?, traffic });
        };
        let server = client.server();
        let (properties, both) = client.ready(&data)?;
        traffic = Some(both);
        let peer = Peer { public_key: Some(server), ..self.peer(properties)? };
        Ok(Step::Complete { bytes, peer, traffic })
    }

    /// Takes the program's verdict on the credentials of a client. A name stands for a good one; a verdict that was not
    /// asked for is ignored.
    pub(super) fn judge(&mut self, username: Option<Bytes>) -> Result<Step, Error> {
        if self.stage != Stage::Verdict || self.asked.is_some() {
            return Ok(Step::Send(Vec::new()));
        }
        self.username = Some(username.ok_or(Error::Denied)?);
        self.stage = Stage::Initiate;
        Ok(Step::Send(command::write("WELCOME", &[])))
    }

    /// Takes the program's verdict on the key of a client: it is good unless there is a reason against it. A verdict that was not asked
    /// for is ignored.
    pub(super) fn judge_key(&mut self, against: Option<Rejection>) -> Result<Step, Error> {
        let properties = self.properties();
        let (Mechanism::CurveServer(server), Some(peer)) = (&mut self.mechanism, self.asked.take()) else {
            return Ok(Step::Send(Vec::new()));
        };
        self.stage = Stage::Over;
        if let Some(why) = against {
            return Err(Error::Rejected { why });
        }
        let (bytes, traffic) = server.accept(&properties)?;
        Ok(Step::Complete { bytes, peer: *peer, traffic: Some(traffic) })
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
            Self::Verdict => "nothing before the answer",
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
    let meant = match &reason[..] {
        b"" => "no reason was given",
        // The status codes of ZAP. Source: RFC 27.
        b"300" => "300, it can't check this side now",
        b"400" => "400, this side is not let in",
        b"500" => "500, checking this side has failed",
        other => return Error::Refused { reason: printable(other) },
    };
    Error::Refused { reason: meant.to_owned() }
}
