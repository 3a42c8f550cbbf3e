//! [`Zap`]: answers libzmq's questions about the clients of a server with keys. Source: RFC 27 of <https://rfc.zeromq.org>.

use std::collections::VecDeque;
use std::task::{Context, Poll};

use zsvc_proto::keys::PublicKey;
use zsvc_proto::zmtp::curve::Rejection;

use super::Watched;
use crate::auth::Asker;
use crate::curve::{CurveServer, Decision};
use crate::identity::Identity;
use crate::source::Source;
use crate::transport::{HandshakeFailure, Refusal, TransportError};

/// Where libzmq asks, in each context. **It lets every key in where nothing is bound there**, so this comes before the server's own socket.
const ENDPOINT: &str = "inproc://zeromq.zap.01";

/// Maximum number of refusals that wait to be counted. Those past it are not.
const MAX_REFUSED: usize = 1_024;

/// What lets clients in by their keys, and knows them by what libzmq says of their messages.
pub(super) struct Zap {
    questions: Watched,
    curve: CurveServer,
    refused: VecDeque<Box<Refusal>>,
    /// The client of the message before, which mostly is that of the next.
    last: Option<(PublicKey, Identity)>,
    context: Private,
}

/// The context of one server, since questions are answered by context.
pub(super) struct Private(Option<zmq::Context>);

impl Private {
    fn get(&self) -> &zmq::Context {
        // It is there until this is dropped.
        self.0.as_ref().unwrap_or_else(|| super::context())
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        // Ending a context waits until what its sockets have sent last has left.
        let context = self.0.take();
        let ended = std::thread::Builder::new().name("zsvc-context".to_owned()).spawn(move || drop(context));
        // Without a thread, it has ended here.
        drop(ended);
    }
}

impl Zap {
    /// Begins to answer. Must be called within a tokio runtime.
    pub(super) fn new(curve: CurveServer) -> Result<Self, TransportError> {
        let context = zmq::Context::new();
        let socket = context.socket(zmq::ROUTER)?;
        socket.set_linger(0)?;
        socket.bind(ENDPOINT)?;
        let context = Private(Some(context));
        Ok(Self { questions: Watched::new(socket)?, curve, refused: VecDeque::new(), last: None, context })
    }

    /// Returns the context in which the server's own socket has to be.
    pub(super) fn context(&self) -> &zmq::Context {
        self.context.get()
    }

    /// Sets the options of the server's own socket.
    pub(super) fn configure(&self, socket: &zmq::Socket) -> zmq::Result<()> {
        socket.set_curve_server(true)?;
        socket.set_curve_secretkey(self.curve.key().to_z85().as_bytes())
    }

    /// Answers what was asked. Is ready when a client was refused, which [`Zap::take_refused`] tells.
    pub(super) fn poll_changed(&mut self, context: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        while self.questions.poll_changed(context)?.is_ready() {
            while let Some(question) = self.question()? {
                self.answer(&question)?;
            }
        }
        if self.refused.is_empty() { Poll::Pending } else { Poll::Ready(Ok(())) }
    }

    pub(super) fn take_refused(&mut self) -> Option<Box<Refusal>> {
        self.refused.pop_front()
    }

    fn question(&self) -> Result<Option<Vec<zmq::Message>>, TransportError> {
        let mut frames = Vec::new();
        while let Some(frame) = self.questions.receive()? {
            let has_more = frame.get_more();
            frames.push(frame);
            if !has_more {
                return Ok(Some(frames));
            }
        }
        Ok(None)
    }

    fn answer(&mut self, question: &[zmq::Message]) -> Result<(), TransportError> {
        // Nothing but libzmq asks here, since the context is this server's own.
        let [route, _, version, number, _domain, address, _identity, mechanism, credentials @ ..] = question
        else {
            return Ok(());
        };
        let key = credentials.first().filter(|_| &mechanism[..] == b"CURVE");
        let key = key.and_then(|key| key.first_chunk()).map(|key| PublicKey::from_bytes(*key));
        let verdict = key.ok_or(Rejection::Internal).and_then(|key| Ok((key, self.decide(&key)?)));
        let (status, user) = match verdict {
            Ok((key, _)) => ("200", key.to_string()),
            Err(why) => {
                self.refuse(key, why, address);
                (why.code(), String::new())
            }
        };
        let answer = [route, &b""[..], version, number, status.as_bytes(), b"", user.as_bytes(), b""];
        for (index, frame) in answer.iter().enumerate() {
            let more = if index + 1 < answer.len() { zmq::SNDMORE } else { 0 };
            match self.questions.send_copy(frame, zmq::DONTWAIT | more) {
                // The connection that it was about has gone.
                Err(zmq::Error::EAGAIN | zmq::Error::EHOSTUNREACH) => return Ok(()),
                sent => sent?,
            }
        }
        Ok(())
    }

    fn refuse(&mut self, key: Option<PublicKey>, why: Rejection, address: &[u8]) {
        if self.refused.len() < MAX_REFUSED {
            let from = String::from_utf8_lossy(address);
            let why =
                format!("the peer's key was refused with the status {}; it connects from {from}", why.code());
            self.refused.push_back(Box::new(Refusal {
                reason: HandshakeFailure::Denied,
                why,
                key,
                address: None,
            }));
        }
    }

    /// Returns who the client with a key is, if it is let in.
    fn decide(&self, key: &PublicKey) -> Result<Identity, Rejection> {
        match self.curve.decide(key, Asker::of_address(Source::Local)) {
            Decision::Now(verdict) => {
                verdict.map(|grant| grant.identity().clone()).map_err(|refused| refused.rejection)
            }
            // Not taken where the server was bound: see `CurveServer::is_fixed`.
            Decision::Listed(_) | Decision::Later(_) => Err(Rejection::Temporary),
        }
    }

    /// Returns who has sent a frame, by what libzmq says of it; `None` if it says nothing that was said here.
    pub(super) fn sender(&mut self, frame: &mut zmq::Message) -> Option<Identity> {
        let key: PublicKey = frame.gets("User-Id")?.parse().ok()?;
        match &self.last {
            Some((last, identity)) if *last == key => Some(identity.clone()),
            _ => {
                let identity = self.decide(&key).ok()?;
                self.last = Some((key, identity.clone()));
                Some(identity)
            }
        }
    }
}
