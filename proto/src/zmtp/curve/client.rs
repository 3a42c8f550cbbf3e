//! [`Client`]: the side of the handshake that knows the other's public key.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use zeroize::Zeroizing;

use super::{
    Entropy, LONG_NONCE_BYTES, PADDING_BYTES, SIGNED, Traffic, VERSION, long_nonce, short_nonce, split_number,
};
use crate::keys::{PublicKey, SecretKey, SharedKey};
use crate::zmtp::{Error, command};

/// A client of CURVE, on one connection.
pub struct Client {
    server: PublicKey,
    own: Arc<SecretKey>,
    /// The key pair of this connection.
    transient: SecretKey,
    vouch_nonce: [u8; LONG_NONCE_BYTES],
    /// What this connection's key and the server's public key have in common, from `HELLO` to `WELCOME`.
    greeted: Option<SharedKey>,
    /// What the keys of this connection have in common, from `INITIATE` on.
    session: Option<SharedKey>,
}

/// Numbers of the commands of a client.
const HELLO: u64 = 1;
const INITIATE: u64 = 2;

impl Client {
    /// Begins the handshake with the server that has this public key, by this client's own key.
    #[must_use]
    pub fn new(server: PublicKey, own: Arc<SecretKey>, entropy: &Entropy) -> Box<Self> {
        Box::new(Self {
            server,
            own,
            transient: SecretKey::from_bytes(&Zeroizing::new(entropy.part(0))),
            vouch_nonce: entropy.part(32),
            greeted: None,
            session: None,
        })
    }

    /// Returns the server's public key.
    pub(in crate::zmtp) fn server(&self) -> PublicKey {
        self.server
    }

    /// Returns `HELLO`.
    pub(in crate::zmtp) fn hello(&mut self) -> Result<Vec<u8>, Error> {
        let shared = self.transient.agree(&self.server).ok_or(Error::WeakKey)?;
        let signature = shared.seal(&short_nonce(b"CurveZMQHELLO---", HELLO), &SIGNED);
        self.greeted = Some(shared);
        let (padding, own) = ([0; PADDING_BYTES], self.transient.public_key());
        let parts: [&[u8]; 5] = [&VERSION, &padding, own.as_bytes(), &HELLO.to_be_bytes(), &signature];
        Ok(command::write("HELLO", &parts))
    }

    /// Takes `WELCOME`. Returns `INITIATE`, with what this side says of itself.
    pub(in crate::zmtp) fn welcome(&mut self, data: &[u8], properties: &[u8]) -> Result<Vec<u8>, Error> {
        let malformed = Error::Command { expected: "`WELCOME` of 168 bytes" };
        let (nonce, sealed) =
            data.split_first_chunk().filter(|(_, sealed)| sealed.len() == 144).ok_or(malformed)?;
        let wrong = Error::Unopened { what: "`WELCOME`" };
        let greeted = self.greeted.take().ok_or_else(|| wrong.clone())?;
        let opened = greeted.open(&long_nonce(*b"WELCOME-", nonce), sealed).ok_or_else(|| wrong.clone())?;
        let (theirs, cookie) = opened.split_first_chunk().ok_or(wrong)?;
        let theirs = PublicKey::from_bytes(*theirs);
        let session = self.transient.agree(&theirs).ok_or(Error::WeakKey)?;
        let own = self.own.agree(&theirs).ok_or(Error::WeakKey)?;
        let vouched = [*self.transient.public_key().as_bytes(), *self.server.as_bytes()].concat();
        let vouch = own.seal(&long_nonce(*b"VOUCH---", &self.vouch_nonce), &vouched);
        let public = self.own.public_key();
        let said = [public.as_bytes(), &self.vouch_nonce[..], &vouch, properties].concat();
        let sealed = session.seal(&short_nonce(b"CurveZMQINITIATE", INITIATE), &said);
        self.session = Some(session);
        Ok(command::write("INITIATE", &[cookie, &INITIATE.to_be_bytes(), &sealed]))
    }

    /// Takes `READY`. Returns what the server says of itself, and what follows the handshake.
    pub(in crate::zmtp) fn ready(&mut self, mut data: &[u8]) -> Result<(Bytes, Traffic), Error> {
        let malformed = Error::Command { expected: "`READY` of 30 bytes or more" };
        let number = split_number(&mut data).ok_or(malformed)?;
        let wrong = Error::Unopened { what: "`READY`" };
        let session = self.session.take().ok_or_else(|| wrong.clone())?;
        let said = session.open(&short_nonce(b"CurveZMQREADY---", number), data).ok_or(wrong)?;
        Ok((Bytes::copy_from_slice(&said), Traffic::of_client(&session, INITIATE, number)))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let own = self.own.public_key();
        f.debug_struct("Client").field("own", &own).field("server", &self.server).finish_non_exhaustive()
    }
}
