//! Every mechanism of a client against every one of a server, of this crate's engine and of libzmq in Python: two that are the same and whose
//! keys fit connect, and no others do. Neither side falls back to another mechanism.

use std::time::Duration;

use zsvc::Engine;
use zsvc::curve::CurveClient;

use crate::curve::{Keys, channel, keys, python_server, serving};
use crate::python::Script;
use crate::rig::{Serving, assert_no_panics, run};

/// How a client connects, and whether a server without keys and one with keys let it in.
const CLIENTS: [(&str, bool, bool); 5] = [
    ("null", true, false),
    ("plain", false, false),
    ("right", false, true),
    ("wrong-server", false, false),
    ("unknown-client", false, false),
];

fn outcome(is_in: bool) -> &'static str {
    if is_in { "connected" } else { "refused" }
}

/// Each of them with a DEALER and with a REQ.
#[test]
fn python_clients_of_every_mechanism_connect_where_all_fits_and_nowhere_else() {
    let keys = keys();
    let own = [keys.client.to_z85(), keys.other.to_z85()];
    let servers = [keys.server.public_key().to_string(), keys.other.public_key().to_string()];
    let variables = [
        ("SECRET", own[0].as_str()),
        ("OTHER_SECRET", own[1].as_str()),
        ("SERVER", &servers[0]),
        ("OTHER_SERVER", &servers[1]),
    ];
    let without = Serving::with(|server| server.engine(Engine::Zmtp));
    for (server, has_keys) in [(without, false), (serving(&keys), true)] {
        let mut script = Script::with("curve_matrix.py", &server.endpoint, &variables);
        for socket in ["DEALER", "REQ"] {
            for (client, by_null, by_keys) in CLIENTS {
                let expected = outcome(if has_keys { by_keys } else { by_null });
                assert_eq!(script.line(), format!("{socket} {client} {expected}"), "keys: {has_keys}");
            }
        }
    }
    assert_no_panics();
}

/// Returns the keys of a channel that connects in a way; `None` without keys.
fn curve(keys: &Keys, client: &str) -> Option<CurveClient> {
    let (right, other) = (keys.server.public_key(), keys.other.public_key());
    Some(match client {
        "right" => CurveClient::new(right, keys.client.clone()),
        "wrong-server" => CurveClient::new(other, keys.client.clone()),
        "unknown-client" => CurveClient::new(right, keys.other.clone()),
        _ => return None,
    })
}

/// Servers of Python, with PLAIN as well, and of this crate.
#[test]
fn channels_of_every_mechanism_connect_where_all_fits_and_nowhere_else() {
    let keys = keys();
    let plain = [("PLAIN_USER", "ada"), ("PLAIN_PASSWORD", "secret")];
    let [mut null, mut of_plain] =
        [&[][..], &plain[..]].map(|variables| Script::with("tape_server.py", "tcp://127.0.0.1:*", variables));
    let (_with_keys, encrypted) = python_server(&keys);
    let own = [Serving::with(|server| server.engine(Engine::Zmtp)), serving(&keys)];
    // Each with which clients it lets in: those without keys, or those with the right ones.
    let servers = [
        ("null", null.line()),
        ("plain", of_plain.line()),
        ("right", encrypted),
        ("null", own[0].endpoint.clone()),
        ("right", own[1].endpoint.clone()),
    ];
    run(async {
        for (server, (lets_in, endpoint)) in servers.into_iter().enumerate() {
            // Of PLAIN, a channel has none.
            for (client, ..) in CLIENTS.into_iter().filter(|(client, ..)| *client != "plain") {
                let builder = channel(&endpoint).fail_fast().connect_timeout(Duration::from_secs(10));
                let builder = match curve(&keys, client) {
                    Some(curve) => builder.curve(curve),
                    None => builder,
                };
                let is_in = builder.connect().await.is_ok();
                assert_eq!(outcome(is_in), outcome(client == lets_in), "`{client}` at {lets_in}, {server}");
            }
        }
    });
    assert_no_panics();
}
