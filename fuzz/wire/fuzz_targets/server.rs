//! Feeds arbitrary messages of a few clients, in any order, to a server with handlers of all kinds. The server must
//! not panic, what it sends must be readable, and no call may be left once the clients are gone.

#![no_main]

use std::time::Duration;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use zsvc::Server;
use zsvc::fuzzing::{FuzzedServer, is_readable};
use zsvc_calls::probe::v1::{ClockServer, ProbeServer};
use zsvc_calls::{Probe, Ticker};
use zsvc_fuzz_wire::{Message, run, settle};

/// An event.
#[derive(Debug, Arbitrary)]
enum Step {
    Receive(u8, Message),
    Send,
    Lose(u8),
    Wait(u16),
    Open(u8),
}

fn route(client: u8) -> [u8; 1] {
    [client % 3]
}

fuzz_target!(|steps: Vec<Step>| run(serve(steps)));

async fn serve(steps: Vec<Step>) {
    let probe = Probe::default();
    let journal = probe.journal.clone();
    let builder = Server::builder().service(ProbeServer::new(probe)).service(ClockServer::new(Ticker));
    let builder = builder.max_message_size(4_096).max_calls(64).max_calls_per_peer(32).stream_window(1_024);
    let mut server = FuzzedServer::new(builder).expect("two services with other methods");
    for step in steps {
        match step {
            Step::Receive(client, message) => {
                server.receive(&route(client), &message.batch(), &message.frames());
            }
            Step::Send => assert!(server.messages().iter().all(|(_, message)| is_readable(message))),
            Step::Lose(client) => server.lose(&route(client)),
            Step::Wait(millis) => {
                tokio::time::advance(Duration::from_millis(u64::from(millis))).await;
                server.check();
            }
            Step::Open(gate) => journal.open(char::from(gate).to_string()),
        }
        settle().await;
    }
    assert!(server.messages().iter().all(|(_, message)| is_readable(message)));
    (0..3).for_each(|client| server.lose(&route(client)));
    // One-way calls outlive their clients; other calls do not.
    settle().await;
    server.messages();
    drop(server);
    settle().await;
}
