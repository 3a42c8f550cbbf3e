//! [`Server`]: the side of the handshake whose public key the other knows.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::{
    COOKIE_BYTES, Entropy, LONG_NONCE_BYTES, PADDING_BYTES, SIGNED, Traffic, VERSION, long_nonce,
    short_nonce, split, split_number,
};
use crate::keys::{KEY_BYTES, PublicKey, SecretKey, SharedKey};
use crate::zmtp::{Error, command};

/// A server of CURVE, on one connection.
pub struct Server {
    own: Arc<SecretKey>,
    stage: Stage,
}

/// Each holds what is known then, and no more.
enum Stage {
    Hello(Entropy),
    /// The keys of this connection are in the cookie, which the client has.
    Initiate {
        cookie_key: SharedKey,
        /// Number of `HELLO`.
        last: u64,
    },
    /// The client has proved its key, and the program is asked about it.
    Verdict {
        session: SharedKey,
        /// Number of `INITIATE`.
        last: u64,
    },
    Over,
}

/// What a client has proved, and what it says of itself.
#[derive(Debug)]
pub(in crate::zmtp) struct Initiated {
    pub(in crate::zmtp) client: PublicKey,
    pub(in crate::zmtp) properties: Bytes,
}

/// Why a program refuses a client's key, with the status code of ZAP. Source: RFC 27 of <https://rfc.zeromq.org>.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rejection {
    /// The key can't be checked now (300). The client is told nothing, as by libzmq, and may try again.
    Temporary,
    /// The key is not let in (400).
    Denied,
    /// Checking the key has failed (500).
    Internal,
}

impl Rejection {
    /// Returns the status code of ZAP.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Temporary => "300",
            Self::Denied => "400",
            Self::Internal => "500",
        }
    }
}

/// Number of `READY`.
const READY: u64 = 1;

impl Server {
    /// Begins the handshake by this server's own key.
    #[must_use]
    pub fn new(own: Arc<SecretKey>, entropy: Entropy) -> Box<Self> {
        Box::new(Self { own, stage: Stage::Hello(entropy) })
    }

    /// Takes `HELLO`. Returns `WELCOME`.
    pub(in crate::zmtp) fn hello(&mut self, data: &[u8]) -> Result<Vec<u8>, Error> {
        let Stage::Hello(entropy) = std::mem::replace(&mut self.stage, Stage::Over) else {
            return Err(unexpected());
        };
        let (theirs, last, signature) =
            read_hello(data).ok_or(Error::Command { expected: "`HELLO` of 200 bytes" })?;
        let shared = self.own.agree(&theirs).ok_or(Error::WeakKey)?;
        let signed = shared.open(&short_nonce(b"CurveZMQHELLO---", last), signature);
        if !signed.is_some_and(|signed| bool::from(signed.ct_eq(&SIGNED))) {
            return Err(Error::Unopened { what: "`HELLO`" });
        }
        let transient = SecretKey::from_bytes(&Zeroizing::new(entropy.part(0)));
        let (welcome_nonce, cookie_nonce) = (entropy.part(32), entropy.part(48));
        let cookie_key = SharedKey::from_bytes(&Zeroizing::new(entropy.part(64)));
        let keys = Zeroizing::new([*theirs.as_bytes(), *transient.as_bytes()].concat());
        let cookie = cookie_key.seal(&long_nonce(*b"COOKIE--", &cookie_nonce), &keys);
        let said = [transient.public_key().as_bytes(), &cookie_nonce[..], &cookie].concat();
        let sealed = shared.seal(&long_nonce(*b"WELCOME-", &welcome_nonce), &said);
        self.stage = Stage::Initiate { cookie_key, last };
        Ok(command::write("WELCOME", &[&welcome_nonce, &sealed]))
    }

    /// Takes `INITIATE`. Returns the key that the client has proved to have, about which the program is to be asked.
    pub(in crate::zmtp) fn initiate(&mut self, mut data: &[u8]) -> Result<Initiated, Error> {
        let stage = std::mem::replace(&mut self.stage, Stage::Over);
        let Stage::Initiate { cookie_key, last: hello } = stage else { return Err(unexpected()) };
        let malformed = || Error::Command { expected: "`INITIATE` of 257 bytes or more" };
        let cookie = split::<COOKIE_BYTES>(&mut data).ok_or_else(malformed)?;
        let last = split_number(&mut data).ok_or_else(malformed)?;
        let (theirs, transient) =
            open_cookie(&cookie_key, cookie).ok_or(Error::Unopened { what: "the cookie" })?;
        if last <= hello {
            return Err(Error::Order);
        }
        let session = transient.agree(&theirs).ok_or(Error::WeakKey)?;
        let said = session.open(&short_nonce(b"CurveZMQINITIATE", last), data);
        let said = said.ok_or(Error::Unopened { what: "`INITIATE`" })?;
        let mut rest = &said[..];
        let client = PublicKey::from_bytes(*split(&mut rest).ok_or_else(malformed)?);
        let nonce = split(&mut rest).ok_or_else(malformed)?;
        let vouch = split::<80>(&mut rest).ok_or_else(malformed)?;
        let shared = transient.agree(&client).ok_or(Error::WeakKey)?;
        let vouched = shared.open(&long_nonce(*b"VOUCH---", nonce), vouch);
        let expected = [*theirs.as_bytes(), *self.own.public_key().as_bytes()].concat();
        if !vouched.is_some_and(|vouched| bool::from(vouched.ct_eq(&expected[..]))) {
            return Err(Error::Unopened { what: "the client's vouch for its key" });
        }
        let properties = Bytes::copy_from_slice(rest);
        self.stage = Stage::Verdict { session, last };
        Ok(Initiated { client, properties })
    }

    /// Lets the client in. Returns `READY`, with what this side says of itself, and what follows the handshake.
    pub(in crate::zmtp) fn accept(&mut self, properties: &[u8]) -> Result<(Vec<u8>, Traffic), Error> {
        let stage = std::mem::replace(&mut self.stage, Stage::Over);
        let Stage::Verdict { session, last } = stage else { return Err(unexpected()) };
        let sealed = session.seal(&short_nonce(b"CurveZMQREADY---", READY), properties);
        let ready = command::write("READY", &[&READY.to_be_bytes(), &sealed]);
        Ok((ready, Traffic::of_server(&session, READY, last)))
    }
}

/// Returns the client's key of this connection, the number and the signature of a `HELLO`.
fn read_hello(mut data: &[u8]) -> Option<(PublicKey, u64, &[u8])> {
    let version: &[u8; 2] = split(&mut data)?;
    let padding: &[u8; PADDING_BYTES] = split(&mut data)?;
    let client = PublicKey::from_bytes(*split(&mut data)?);
    let number = split_number(&mut data)?;
    (*version == VERSION && *padding == [0; PADDING_BYTES] && data.len() == 80)
        .then_some((client, number, data))
}

/// Returns the keys in a cookie: the client's of this connection, and this side's.
fn open_cookie(key: &SharedKey, mut cookie: &[u8]) -> Option<(PublicKey, SecretKey)> {
    let nonce = split::<LONG_NONCE_BYTES>(&mut cookie)?;
    let keys = key.open(&long_nonce(*b"COOKIE--", nonce), cookie)?;
    let (theirs, own) = keys.split_first_chunk::<KEY_BYTES>()?;
    Some((PublicKey::from_bytes(*theirs), SecretKey::from_bytes(own.first_chunk()?)))
}

fn unexpected() -> Error {
    Error::Command { expected: "the commands of the handshake in their order" }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("own", &self.own.public_key()).finish_non_exhaustive()
    }
}
