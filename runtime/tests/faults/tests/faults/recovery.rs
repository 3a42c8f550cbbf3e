//! A channel comes back from whatever its connection has met: what is no server, a broken one, noise, and answers past every bound.

use std::time::Duration;

use futures_util::future::join_all;
use zsvc::{Channel, Code};
use zsvc_faults::faults::v1::LedgerClient;
use zsvc_faults::{LinkRules, Proxy, Rules};

use crate::impostor::Impostor;
use crate::raw::{COMMAND, LONG, MORE, command, frame, greeting_of_3_1, ready};
use crate::support::{Served, client, client_with, run};

/// What peers say that are no servers, or broken ones.
fn impostors() -> Vec<(&'static str, Vec<u8>)> {
    let greeting = greeting_of_3_1();
    let ready = ready("ROUTER", b"");
    let changed = |at: usize, bytes: &[u8]| {
        let mut greeting = greeting.clone();
        greeting[at..at + bytes.len()].copy_from_slice(bytes);
        greeting
    };
    let greeted = |bytes: &[u8]| [&greeting[..], bytes].concat();
    let after = |bytes: &[u8]| [&greeting[..], &ready, bytes].concat();
    vec![
        ("HTTP", b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
        ("TLS", b"\x15\x03\x03\0\x02\x02\x46".to_vec()),
        ("SSH", b"SSH-2.0-OpenSSH_9.6\r\n".to_vec()),
        ("zeros", vec![0; 100_000]),
        ("version 2", changed(10, &[2])),
        ("CURVE", changed(12, b"CURVE")),
        ("a refusal", greeted(&command("ERROR", b"\x07go away"))),
        ("another command", greeted(&command("WELCOME", b""))),
        ("a message too early", greeted(&frame(0, b"\x01"))),
        ("broken metadata", greeted(&command("READY", b"\x0bSocket-Type\0\0\0\x07ROUTER"))),
        ("the longest length", after(b"\x02\xff\xff\xff\xff\xff\xff\xff\xff")),
        ("unknown flags", after(b"\x80\0")),
        ("a million frames", after(&frame(MORE, b"").repeat(1_000_000))),
        ("a command inside a message", after(&[frame(MORE, b""), command("PING", b"\0\0")].concat())),
        ("an endless command", after(&[COMMAND | LONG, 0, 0, 0, 1, 0, 0, 0, 0])),
        ("a broken ping", after(&command("PING", b"\0"))),
        ("a late refusal", after(&command("ERROR", b"\x07go away"))),
        // Past ten seconds without a handshake, or without a sign of life.
        ("nothing", Vec::new()),
        ("half of a greeting", greeting[..40].to_vec()),
        ("a greeting", greeting.clone()),
        ("half of a frame and no pongs", after(&[2, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3])),
        ("a handshake and no pongs", after(b"")),
    ]
}

#[test]
fn a_client_of_what_is_no_server_comes_back_when_there_is_one() {
    run(async {
        let server = Served::start().await;
        let calls = impostors().into_iter().map(async |(what, says)| {
            let impostor = Impostor::before(Some(&server), 1, says).await;
            let channel =
                Channel::builder().endpoint(&impostor.endpoint).heartbeat(Duration::from_millis(300));
            let ledger = LedgerClient::new(channel.connect_lazy().expect("the endpoint is valid"));
            assert_eq!(ledger.set(1, Duration::ZERO).await, Ok(1), "{what}");
            assert_eq!(ledger.enter(2, Duration::ZERO).await, Ok(2), "{what}");
        });
        join_all(calls).await;
    });
}

/// Has one direction carry noise, until a call has failed of it.
async fn after_noise(line: fn(&mut Rules) -> &mut LinkRules) {
    let server = Served::start().await;
    let proxy = Proxy::to(server.endpoint()).unwrap();
    let ledger = client(proxy.endpoint()).await;
    assert_eq!(ledger.enter(1, Duration::ZERO).await, Ok(1));
    proxy.set(|rules| line(rules).garbles = true);
    assert_eq!(ledger.enter(2, Duration::ZERO).await.unwrap_err().code(), Code::Unavailable);
    proxy.heal();
    assert_eq!(ledger.enter(3, Duration::ZERO).await, Ok(3));
}

#[test]
fn a_channel_comes_back_from_noise_in_its_connection() {
    run(async {
        tokio::join!(after_noise(|rules| &mut rules.to_client), after_noise(|rules| &mut rules.to_server));
    });
}

#[test]
fn a_channel_comes_back_from_an_answer_past_every_bound() {
    run(async {
        let server = Served::start().await;
        let ledger = client_with(server.endpoint(), |channel| channel.max_message_size(1_000)).await;
        for key in 0..3 {
            let mut items = ledger.watch(1, 1_000_000).await.unwrap();
            assert!(items.next().await.unwrap().is_err(), "it is too long");
            assert_eq!(ledger.enter(key, Duration::ZERO).await, Ok(key));
        }
    });
}
