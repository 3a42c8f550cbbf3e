//! CURVE: encrypted connections, between peers that know each other by their keys.
//!
//! A server has a [`SecretKey`], and clients know the [`PublicKey`] that belongs to it: [`CurveServer`] for
//! [`ServerBuilder::curve`](crate::ServerBuilder::curve), [`CurveClient`] for [`ChannelBuilder::curve`](crate::ChannelBuilder::curve). Keys come from
//! files by [`KeyFile`], from the environment by [`secret_key_from_env`] and [`public_key_from_env`], from text by `parse`, or from bytes.
//! `zsvc keygen` makes them.
//!
//! It is there on the engine [`Zmtp`](crate::Engine::Zmtp), over TCP and Unix sockets, and on [`Libzmq`](crate::Engine::Libzmq) where the libzmq
//! that the program is linked with has it: that of the `zmq` crate has not. Over `inproc`, both sides are of one process, and nothing is
//! encrypted. What CURVE protects, and what not, is in the project's `docs/security.md`.

mod access;
mod decision;
mod file;

use std::fmt;
use std::io;
use std::sync::Arc;

use zsvc_proto::zmtp::curve::{self as handshake, ENTROPY_BYTES, Entropy};

use crate::auth::Authenticator;
use crate::identity::{Identity, Mechanism};

pub(crate) use access::Subscription;
pub use access::{Access, AccessError, Client};
#[cfg(feature = "access-file")]
pub use access::{AccessFileError, Mistake};
pub(crate) use decision::{Decision, Refused, Verdict};
pub use file::{KeyError, KeyFile, public_key_from_env, secret_key_from_env};
pub use zsvc_proto::keys::{KEY_BYTES, ParseKeyError, PublicKey, SecretKey};

/// A server's key, and the clients that it lets in.
#[derive(Clone)]
pub struct CurveServer {
    key: Arc<SecretKey>,
    /// The clients that are let in by their keys, and who they are, of those of which the program says it.
    known: Arc<Vec<(PublicKey, Option<Identity>)>>,
    /// Those that may come and go.
    access: Option<Access>,
    /// Says who others are.
    authenticator: Option<Authenticator>,
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
pub(crate) const NO_CLIENTS: &str = "the server has a key and lets no client in; call `allow` with the clients' public keys, `access` with a list of them, \
     `authenticate`, or `any_client`";

/// Why the engine `libzmq` does not take keys, where its libzmq does not.
pub(crate) const NOT_ON_LIBZMQ: &str = "the libzmq of this program has no CURVE, so that the engine `libzmq` does not encrypt, and this \
                                        program asks for `curve`; use the engine `zmtp`";

/// Why a server on the engine `libzmq` does not take what may change, or has to be asked.
#[cfg(all(feature = "libzmq", unix))]
pub(crate) const NOT_FIXED: &str = "on the engine `libzmq`, clients are let in by `allow`, `allow_as` and `any_client` alone; use the \
                                    engine `zmtp` for `access` and `authenticate`";

/// Why a server with keys has no endpoints within its process on the engine `libzmq`.
#[cfg(all(feature = "libzmq", unix))]
pub(crate) const NOT_INPROC: &str = "on the engine `libzmq`, a server with keys has a context of its own, to which nothing connects by \
                                     `inproc`; bind `tcp` or `ipc`, or use the engine `zmtp`";

impl CurveServer {
    /// Creates the settings of a server with a key. It lets no client in yet.
    #[must_use]
    pub fn new(key: SecretKey) -> Self {
        Self { key: Arc::new(key), known: Arc::default(), access: None, authenticator: None, any: false }
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

    /// Lets the clients in that are in a list, which may change while the server runs. See [`Access`]. The last list counts.
    #[must_use]
    pub fn access(mut self, access: Access) -> Self {
        self.access = Some(access);
        self
    }

    /// Has the program asked about clients that are neither allowed nor in a list: see [`Authenticate`](crate::auth::Authenticate). Where
    /// every client is let in, one that the program does not let in is known by its key alone.
    #[must_use]
    pub fn authenticate(mut self, authenticator: impl Into<Authenticator>) -> Self {
        self.authenticator = Some(authenticator.into());
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

    /// Returns the secret key.
    #[cfg(all(feature = "libzmq", unix))]
    pub(crate) fn key(&self) -> &SecretKey {
        &self.key
    }

    /// Reports whether which clients are let in is known now, and does not change.
    #[cfg(all(feature = "libzmq", unix))]
    pub(crate) fn is_fixed(&self) -> bool {
        self.access.is_none() && self.authenticator.is_none()
    }

    /// Reports whether there may be a client at all.
    pub(crate) fn lets_anyone_in(&self) -> bool {
        self.any || !self.known.is_empty() || self.access.is_some() || self.authenticator.is_some()
    }

    /// Reports whether a client that is let in may have one of these roles: those that the program has named do or do not, and of others it
    /// becomes known.
    pub(crate) fn may_have(&self, roles: &[&str]) -> bool {
        let named = || self.known.iter().filter_map(|(_, identity)| identity.as_ref());
        let has_role = |identity: &Identity| roles.iter().any(|role| identity.has_role(role));
        self.access.is_some() || self.authenticator.is_some() || named().any(has_role)
    }

    /// Returns who the client with a key is, if the program has allowed it. Each key is compared, in constant time, so that the time tells
    /// nothing of the keys.
    fn listed(&self, client: &PublicKey) -> Option<Identity> {
        let given = self.known.iter().filter(|(key, _)| key == client);
        // From the first on, so that every key is compared here, too.
        let given =
            given.fold(None, |earlier, (_, identity)| Some(identity.as_ref().or(earlier.flatten())))?;
        let identity = given.cloned().unwrap_or_else(|| Identity::new(client.to_string()));
        Some(identity.with_key(*client).with_mechanism(Mechanism::Curve))
    }

    /// Begins the handshake of a connection.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub(crate) fn begin(&self) -> io::Result<Box<handshake::Server>> {
        Ok(handshake::Server::new(Arc::clone(&self.key), entropy()?))
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

    /// Returns the public key of the servers.
    pub(crate) fn server(&self) -> &PublicKey {
        &self.server
    }

    /// Returns the secret key.
    #[cfg(all(feature = "libzmq", unix))]
    pub(crate) fn key(&self) -> &SecretKey {
        &self.key
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
    pub(crate) fn begin(&self) -> io::Result<Box<handshake::Client>> {
        Ok(handshake::Client::new(self.server, Arc::clone(&self.key), &entropy()?))
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
        f.debug_struct("CurveServer")
            .field("public_key", &self.public_key())
            .field("clients", &self.known.len())
            .field("access", &self.access)
            .field("authenticator", &self.authenticator)
            .field("any", &self.any)
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
    use crate::auth::Asker;
    use crate::source::Source;

    /// Returns who a client is of whom is decided at once; `None` if it is not let in.
    fn decided(server: &CurveServer, client: &PublicKey) -> Option<Identity> {
        match server.decide(client, Asker::of_address(Source::Local)) {
            Decision::Listed(grant) => Some(grant.identity().clone()),
            Decision::Now(verdict) => verdict.ok().map(|grant| grant.identity().clone()),
            Decision::Later(_) => panic!("nothing is asked"),
        }
    }

    #[test]
    fn only_those_are_let_in_that_are_allowed() {
        let [one, two] = [(); 2].map(|()| generate().unwrap().public_key());
        let server = CurveServer::new(generate().unwrap());
        let is_in = |server: &CurveServer| [&one, &two].map(|key| decided(server, key).is_some());
        assert!(!server.lets_anyone_in());
        assert_eq!(is_in(&server), [false, false]);
        let server = server.allow(one);
        assert!(server.lets_anyone_in());
        assert_eq!(is_in(&server), [true, false]);
        let server = server.any_client();
        assert_eq!(is_in(&server), [true, true]);
        assert_eq!(is_in(&server.allow(one)), [true, true], "any client stays any client");
    }

    #[test]
    fn a_client_is_who_its_server_says_and_its_key_without_a_word() {
        let [one, two, three, four] = [(); 4].map(|()| generate().unwrap().public_key());
        let desk = Identity::new("desk").with_role("trader");
        let access = Access::new([Client::new("listed").key(one).key(four).role("a").role("b")]).unwrap();
        let server = CurveServer::new(generate().unwrap()).allow(one).allow_as(two, Identity::new("old"));
        let server = server.allow_as(two, desk.clone()).allow(two).access(access).any_client();
        for (key, name, roles) in [
            (one, one.to_string(), 0),
            (two, "desk".into(), 1),
            (three, three.to_string(), 0),
            (four, "listed".into(), 2),
        ] {
            let identity = decided(&server, &key).unwrap();
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
