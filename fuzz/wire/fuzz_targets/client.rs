//! Feeds arbitrary messages of a server, in any order, to a client with calls of every kind in flight. The client
//! must not panic, what it sends must be readable, and every call must have ended once the connection is lost.

#![no_main]

use std::time::Duration;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use tokio::task::JoinSet;
use zsvc::fuzzing::{FuzzedClient, is_readable};
use zsvc_calls::probe::v1::ProbeClient;
use zsvc_fuzz_wire::{Message, run, settle};

/// An event.
#[derive(Debug, Arbitrary)]
enum Step {
    Call(u8),
    Receive(Message),
    Send,
    Reconnect,
    Wait(u16),
    GiveUp,
}

/// Maximum number of calls of one case.
const CALLS: usize = 16;

fuzz_target!(|steps: Vec<Step>| run(call(steps)));

async fn call(steps: Vec<Step>) {
    let mut client = FuzzedClient::new();
    let probe = ProbeClient::new(client.channel());
    let mut calls = JoinSet::new();
    for step in steps {
        match step {
            Step::Call(kind) if calls.len() < CALLS => begin(&mut calls, &probe, kind),
            Step::Call(_) => {}
            Step::Receive(message) => client.receive(&message.batch(), &message.frames()),
            Step::Send => assert!(client.messages().iter().all(|message| is_readable(message))),
            Step::Reconnect => {
                client.disconnect();
                client.connect();
            }
            Step::Wait(millis) => {
                tokio::time::advance(Duration::from_millis(u64::from(millis))).await;
                client.check();
            }
            Step::GiveUp => calls.abort_all(),
        }
        settle().await;
    }
    assert!(client.messages().iter().all(|message| is_readable(message)));
    while !calls.is_empty() {
        client.disconnect();
        settle().await;
        tokio::time::advance(Duration::from_secs(60)).await;
        client.check();
        settle().await;
        while calls.try_join_next().is_some_and(|call| call.is_ok() || call.is_err_and(|e| e.is_cancelled()))
        {
        }
    }
}

fn begin(calls: &mut JoinSet<()>, probe: &ProbeClient, kind: u8) {
    let probe = probe.clone();
    let deadline = Duration::from_secs(30);
    match kind % 6 {
        0 => drop(calls.spawn(async move { drop(probe.echo(vec![1]).deadline(deadline).await) })),
        1 => drop(calls.spawn(async move { drop(probe.hold_again("a").await) })),
        2 => drop(calls.spawn(async move { drop(probe.refuse(None).deadline(deadline).await) })),
        3 => drop(calls.spawn(async move {
            if let Ok(mut numbers) = probe.count(3).deadline(deadline).await {
                while let Some(Ok(_)) = numbers.next().await {}
            }
        })),
        4 => drop(calls.spawn(async move {
            if let Ok((sink, mut items)) = probe.mirror("a").deadline(deadline).await {
                let _ = sink.send(vec![1; 100].into()).await;
                sink.finish();
                while let Some(Ok(_)) = items.next().await {}
            }
        })),
        _ => drop(calls.spawn(async move { drop(probe.note("a").await) })),
    }
}
