//! CURVE: encrypted connections, between peers that know each other by their keys.
//!
//! A server has a [`SecretKey`], and clients know the [`PublicKey`] that belongs to it: [`CurveServer`] for
//! [`ServerBuilder::curve`](crate::ServerBuilder::curve), [`CurveClient`] for [`ChannelBuilder::curve`](crate::ChannelBuilder::curve). Keys come from
//! files by [`KeyFile`], from the environment by [`secret_key_from_env`] and [`public_key_from_env`], from text by `parse`, or from bytes.
//! `zsvc keygen` makes them.
//!
//! It is there on the engine [`Zmtp`](crate::Engine::Zmtp), over TCP and Unix sockets. Over `inproc`, both sides are of one process, and nothing is
//! encrypted. What CURVE protects, and what not, is in the project's `docs/security.md`.

mod file;

use std::fmt;
use std::io;
use std::sync::Arc;

use zsvc_proto::zmtp::curve::{Client, ENTROPY_BYTES, Entropy, Rejection, Server};

use crate::identity::{Identity, Mechanism};

pub use file::{KeyError, KeyFile, public_key_from_env, secret_key_from_env};
pub use zsvc_proto::keys::{KEY_BYTES, ParseKeyError, PublicKey, SecretKey};

/// A server's key, and the clients that it lets in.
#[derive(Clone)]
pub struct CurveServer {
    key: Arc<SecretKey>,
    /// The clients that are let in by their keys, and who they are, of those of which the program says it.
    known: Arc<Vec<(PublicKey, Option<Identity>)>>,
    /// Whether every other client is let in, too.
    any: bool,
}

/// A client's key, and that of the servers which it calls.
#[derive(Clone)]
pub struct CurveClient {
    server: PublicKey,
    key: Arc<SecretKey>,
}

/// Why a server without clients does not start.
pub(crate) const NO_CLIENTS: &str =
    "the server has a key and lets no client in; call `allow` with the clients' public keys, or `any_client`";

/// Why the engine `libzmq` does not take keys.
pub(crate) const NOT_ON_LIBZMQ: &str =
    "the engine `libzmq` does not encrypt, and this program asks for `curve`; use the engine `zmtp`";

impl CurveServer {
    /// Creates the settings of a server with a key. It lets no client in yet.
    #[must_use]
    pub fn new(key: SecretKey) -> Self {
        Self { key: Arc::new(key), known: Arc::default(), any: false }
    }

    /// Lets the client with a key in. May be called several times, also to let one client in by an old key and a new one. Its
    /// [`Identity`] has the key, the text of the key as its name, and no roles.
    #[must_use]
    pub fn allow(mut self, client: PublicKey) -> Self {
        Arc::make_mut(&mut self.known).push((client, None));
        self
    }

    /// Lets the client with a key in, and says who it is: the name and the roles of its [`Identity`], to which the key is added. The
    /// last identity of a key counts. Several keys may have the same identity, as an old key and a new one of one client.
    #[must_use]
    pub fn allow_as(mut self, client: PublicKey, identity: Identity) -> Self {
        Arc::make_mut(&mut self.known).push((client, Some(identity)));
        self
    }

    /// Lets every client in that knows this server's public key, whatever its own key is. Connections are encrypted, and clients
    /// know whom they talk to; of clients, the server knows their keys alone, but for those that it is told of by
    /// [`allow_as`](Self::allow_as).
    #[must_use]
    pub fn any_client(mut self) -> Self {
        self.any = true;
        self
    }

    /// Returns the public key, by which clients know the server.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        self.key.public_key()
    }

    /// Reports whether there may be a client at all.
    pub(crate) fn lets_anyone_in(&self) -> bool {
        self.any || !self.known.is_empty()
    }

    /// Judges the key that a client has proved to have. Each key is compared, in constant time, so that the time tells nothing of the keys.
    pub(crate) fn judge(&self, client: &PublicKey) -> Result<(), Rejection> {
        let is_known = self.known.iter().filter(|(key, _)| key == client).count() > 0;
        if is_known || self.any { Ok(()) } else { Err(Rejection::Denied) }
    }

    /// Returns who a client with a key is that was let in.
    pub(crate) fn identity(&self, client: &PublicKey) -> Identity {
        let given = self.known.iter().filter(|(key, _)| key == client);
        // From the first on, so that every key is compared here, too.
        let given = given.fold(None, |earlier, (_, identity)| identity.as_ref().or(earlier));
        let identity = given.cloned().unwrap_or_else(|| Identity::new(client.to_string()));
        identity.with_key(*client).with_mechanism(Mechanism::Curve)
    }

    /// Begins the handshake of a connection.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub(crate) fn begin(&self) -> io::Result<Box<Server>> {
        Ok(Server::new(Arc::clone(&self.key), entropy()?))
    }
}

impl CurveClient {
    /// Creates the settings of a channel whose servers have a public key, and whose own key servers know it by.
    #[must_use]
    pub fn new(server: PublicKey, key: SecretKey) -> Self {
        Self { server, key: Arc::new(key) }
    }

    /// Creates the settings of a channel that has no key of its own: it makes one for as long as it is there. A server that lets
    /// [any client](CurveServer::any_client) in is called so.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn anonymous(server: PublicKey) -> io::Result<Self> {
        Ok(Self::new(server, generate()?))
    }

    /// Returns the public key, by which servers know the channel.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        self.key.public_key()
    }

    /// Begins the handshake of a connection.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub(crate) fn begin(&self) -> io::Result<Box<Client>> {
        Ok(Client::new(self.server, Arc::clone(&self.key), &entropy()?))
    }
}

/// Creates a key of random bytes of the system.
///
/// # Errors
/// The system gives none.
pub fn generate() -> io::Result<SecretKey> {
    let mut bytes = zeroize::Zeroizing::new([0; KEY_BYTES]);
    getrandom::fill(&mut *bytes).map_err(no_random)?;
    Ok(SecretKey::from_bytes(&bytes))
}

fn entropy() -> io::Result<Entropy> {
    let mut bytes = [0; ENTROPY_BYTES];
    getrandom::fill(&mut bytes).map_err(no_random)?;
    Ok(Entropy::take(&mut bytes))
}

fn no_random(error: getrandom::Error) -> io::Error {
    io::Error::other(format!("the system gives no random bytes: {error}"))
}

impl fmt::Debug for CurveServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = if self.any { None } else { Some(self.known.len()) };
        f.debug_struct("CurveServer")
            .field("public_key", &self.public_key())
            .field("clients", &known)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for CurveClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CurveClient")
            .field("public_key", &self.public_key())
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_those_are_let_in_that_are_allowed() {
        let [one, two] = [(); 2].map(|()| generate().unwrap().public_key());
        let server = CurveServer::new(generate().unwrap());
        assert!(!server.lets_anyone_in());
        assert_eq!(server.judge(&one), Err(Rejection::Denied));
        let server = server.allow(one);
        assert!(server.lets_anyone_in());
        assert_eq!((server.judge(&one), server.judge(&two)), (Ok(()), Err(Rejection::Denied)));
        let server = server.any_client();
        assert_eq!((server.judge(&one), server.judge(&two)), (Ok(()), Ok(())));
        assert!(server.allow(one).judge(&two).is_ok(), "any client stays any client");
    }

    #[test]
    fn a_client_is_who_its_server_says_and_its_key_without_a_word() {
        let [one, two, three] = [(); 3].map(|()| generate().unwrap().public_key());
        let desk = Identity::new("desk").with_role("trader");
        let server = CurveServer::new(generate().unwrap()).allow(one).allow_as(two, Identity::new("old"));
        let server = server.allow_as(two, desk.clone()).allow(two).any_client();
        for (key, name, roles) in
            [(one, one.to_string(), 0), (two, "desk".into(), 1), (three, three.to_string(), 0)]
        {
            assert_eq!(server.judge(&key), Ok(()));
            let identity = server.identity(&key);
            assert_eq!((identity.name(), identity.roles().count()), (name.as_str(), roles));
            assert_eq!((identity.key(), identity.mechanism()), (Some(key), Mechanism::Curve));
        }
    }

    #[test]
    fn settings_are_printed_without_secrets() {
        let (server, client) = (generate().unwrap(), generate().unwrap());
        let secrets = [server.to_z85(), client.to_z85()];
        let client = CurveClient::new(server.public_key(), client);
        let printed = format!("{:?} {client:?}", CurveServer::new(server));
        assert!(secrets.iter().all(|secret| !printed.contains(secret.as_str())), "{printed}");
    }
}
