//! Log events, with the feature `tracing`: what happens to connections and clients, by the target `zsvc`. Calls have spans, by
//! [`crate::middleware`]. Without the feature this compiles to nothing.
//!
//! What a peer can cause is reported at a bounded rate: of each event, ten in ten seconds. The first after that has the field
//! `suppressed`, the number of those that were not reported.

use std::net::SocketAddr;
#[cfg(any(feature = "access-file", feature = "jwt"))]
use std::path::Path;
#[cfg(feature = "tracing")]
use std::time::Instant;

use zsvc_proto::keys::PublicKey;

#[cfg(feature = "tracing")]
use super::rate::Rate;
use crate::identity::Identity;

/// Reports an event at a bounded rate.
macro_rules! report {
    ($level:ident, $message:literal $(, $($field:tt)+)?) => {{
        #[cfg(feature = "tracing")]
        {
            static RATE: Rate = Rate::new();
            if tracing::enabled!(target: "zsvc", tracing::Level::$level)
                && let Some(suppressed) = RATE.take(Instant::now())
            {
                tracing::event!(target: "zsvc", tracing::Level::$level, $($($field)+,)? suppressed, $message);
            }
        }
    }};
}

/// Reports that a server refused a connection, and where it comes from.
#[cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "there is no log"))]
pub(crate) fn refused_connection(why: &str, reason: &str, address: Option<SocketAddr>) {
    report!(
        WARN,
        "refused a connection that did not complete the ZeroMQ handshake",
        why,
        reason,
        address = address.map(tracing::field::display)
    );
}

/// Reports that a server refused a client that has proved its key. Apart from the others, which anything can cause.
#[cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "there is no log"))]
pub(crate) fn refused_key(key: &PublicKey, why: &str, reason: &str, address: Option<SocketAddr>) {
    report!(
        WARN,
        "refused a client that has proved its key",
        why,
        reason,
        %key,
        address = address.map(tracing::field::display)
    );
}

/// Reports that a server has closed the connection of a client that is not let in any more, or not as it was.
#[cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "there is no log"))]
pub(crate) fn revoked(identity: Option<&Identity>, why: &str, address: Option<SocketAddr>) {
    report!(
        INFO,
        "closed the connection of a client that is not let in as it was any more",
        why,
        client = identity.map(|identity| tracing::field::display(identity.name())),
        mechanism = identity.map(|identity| identity.mechanism().name()),
        key = identity.and_then(Identity::key).map(tracing::field::display),
        address = address.map(tracing::field::display)
    );
}

/// Reports that a task of a server has failed, and is started again.
#[cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "there is no log"))]
pub(crate) fn task_failed(task: &str, why: &str, pause: std::time::Duration) {
    report!(WARN, "a task of the server has failed, and is started again", task, why, ?pause);
}

/// Reports that a changed access file was taken over.
#[cfg(feature = "access-file")]
#[cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "there is no log"))]
pub(crate) fn access_file_taken(path: &Path, clients: usize) {
    report!(INFO, "took a changed access file over", path = %path.display(), clients);
}

/// Reports that a changed access file was not taken over.
#[cfg(feature = "access-file")]
#[cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "there is no log"))]
pub(crate) fn access_file_refused(path: &Path, error: &dyn std::error::Error) {
    report!(WARN, "did not take a changed access file over; all clients stay as they were", path = %path.display(), %error);
}

/// Reports that a changed file of token keys was taken over.
#[cfg(feature = "jwt")]
#[cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "there is no log"))]
pub(crate) fn token_keys_taken(path: &Path) {
    report!(INFO, "took a changed file of token keys over", path = %path.display());
}

/// Reports that a changed file of token keys was not taken over.
#[cfg(feature = "jwt")]
#[cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "there is no log"))]
pub(crate) fn token_keys_refused(path: &Path, error: &dyn std::error::Error) {
    report!(WARN, "did not take a changed file of token keys over; the keys stay as they were", path = %path.display(), %error);
}

/// Reports that a server is not on a registry's list, or may not be for much longer.
#[cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "there is no log"))]
pub(crate) fn not_announced(services: &[String], error: &dyn std::error::Error) {
    report!(WARN, "could not list the server in its registry; it is tried again", ?services, %error);
}

/// Reports that the servers of a service can't be asked for.
#[cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "there is no log"))]
pub(crate) fn not_followed(service: &str, error: &dyn std::error::Error) {
    report!(WARN, "could not ask a registry for the servers of a service; those that are known stay", service, %error);
}

/// Reports that a server knows who is at the other end of a connection.
#[cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "there is no log"))]
pub(crate) fn let_in(identity: &Identity, address: Option<SocketAddr>) {
    report!(
        DEBUG,
        "let a client in",
        client = identity.name(),
        mechanism = identity.mechanism().name(),
        key = identity.key().map(tracing::field::display),
        address = address.map(tracing::field::display)
    );
}

/// Reports that other machines can reach a server over connections that are not encrypted.
#[cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "there is no log"))]
pub(crate) fn in_the_clear(endpoint: &str) {
    report!(
        WARN,
        "listening without encryption where other machines can connect: they can call, and read and change what is sent; call `curve`, or bind a loopback address or `ipc`",
        endpoint
    );
}

/// Reports that a server registers at a router that may be on another machine, over a connection that is not encrypted.
#[cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "there is no log"))]
pub(crate) fn registering_in_the_clear(endpoint: &str) {
    report!(
        WARN,
        "registering without encryption at a router that may be on another machine: others could read and change what is sent, or stand in its place; call `Register::curve`",
        endpoint
    );
}

/// Reports that a server could not accept a connection.
#[cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "there is no log"))]
pub(crate) fn accept_failed(error: &std::io::Error) {
    report!(WARN, "could not accept a connection; it waits, and is tried again", %error);
}

/// Reports that a client's connection was lost.
#[cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "there is no log"))]
pub(crate) fn connection_lost(endpoint: &str) {
    report!(WARN, "lost the connection to a server", endpoint);
}

/// Reports that a client's connection is back.
#[cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "there is no log"))]
pub(crate) fn connection_back(endpoint: &str) {
    report!(INFO, "the connection to a server is back", endpoint);
}

/// Reports that a router has taken the registration of a server of this process.
#[cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "there is no log"))]
pub(crate) fn registered(endpoint: &str) {
    report!(INFO, "registered at a router", endpoint);
}

/// Reports that a router has refused the registration of a server of this process, or has ended it.
#[cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "there is no log"))]
pub(crate) fn registration_refused(endpoint: &str, why: &str) {
    report!(WARN, "a router does not take the registration of this server", endpoint, why);
}

/// Reports that a server of this process can't reach a router.
#[cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "there is no log"))]
pub(crate) fn router_unreachable(endpoint: &str, why: &str) {
    report!(WARN, "can't reach a router to register at", endpoint, why);
}

/// Reports that a server has given a client up that had calls in flight.
#[cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "there is no log"))]
pub(crate) fn client_given_up(peer: &impl std::fmt::Display, identity: Option<&Identity>, why: &str) {
    report!(
        WARN,
        "gave up a client with calls in flight",
        %peer,
        client = identity.map(|identity| tracing::field::display(identity.name())),
        mechanism = identity.map(|identity| identity.mechanism().name()),
        why
    );
}

/// Reports that a server does not hear a client, since it announces a routing id.
#[cfg(all(feature = "libzmq", unix))]
#[cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "there is no log"))]
pub(crate) fn client_not_heard(routing_id: &[u8]) {
    report!(
        WARN,
        "a client announces a routing id, and is not heard on the engine `libzmq`; have it set none, or use the engine `zmtp`",
        routing_id = %routing_id.escape_ascii()
    );
}

/// Reports that a client waits to send while the answers to the same call lie unread.
#[cfg(feature = "tracing")]
pub(crate) fn both_sides_wait(method: &str) {
    report!(
        WARN,
        "a send has waited for a second while answers to the same call lie unread; read them while you send, or both sides wait for each other",
        method
    );
}

/// Reports whether the program takes warnings.
#[cfg(feature = "tracing")]
pub(crate) fn logs_warnings() -> bool {
    tracing::enabled!(target: "zsvc", tracing::Level::WARN)
}
