//! Servers and clients that are killed or stopped in the middle of their work.

use std::time::Duration;

use zsvc::{Code, Outcome};
use zsvc_faults::faults::v1::LedgerClient;
use zsvc_faults::{Process, Signal};

use crate::support::{Served, client_with, played, run, until};

/// The status of a call whose server died before it answered.
const LOST: (Code, Outcome) = (Code::Unavailable, Outcome::MaybeExecuted);

#[test]
fn a_server_that_is_killed_fails_its_calls_at_once_and_serves_again_when_it_is_back() {
    run(async {
        let mut server = Served::start().await;
        let ledger = server.client().await;
        let mut items = ledger.watch(u64::MAX, 64).await.unwrap();
        assert!(items.next().await.unwrap().is_ok());
        let waiting = tokio::spawn(ledger.wait().no_deadline());
        let entering = tokio::spawn(ledger.enter(1, Duration::from_mins(1)).no_deadline());
        until(&ledger, |server| server.running == 3).await.unwrap();

        server.kill().await;
        for status in [waiting.await.unwrap().unwrap_err(), entering.await.unwrap().unwrap_err()] {
            assert_eq!((status.code(), status.outcome()), LOST, "{status}");
        }
        let end = loop {
            match items.next().await.expect("the stream does not end well") {
                Ok(_) => {}
                Err(status) => break status,
            }
        };
        assert_eq!((end.code(), end.outcome()), LOST, "{end}");
        assert_eq!(server.written(1), 1, "the call may have run, and has");

        server.again().await;
        assert_eq!(ledger.enter(2, Duration::ZERO).await.unwrap(), 2);
        assert_eq!(server.written(2), 1);
    });
}

#[test]
fn the_handlers_of_a_client_that_is_killed_are_dropped() {
    run(async {
        let server = Served::start().await;
        let ledger = server.client().await;
        for part in ["watch", "hoard", "dawdle"] {
            let mut client = played(server.endpoint(), part).await;
            until(&ledger, |server| server.running == 1).await.unwrap();
            client.signal(Signal::Kill).await.unwrap();
            client.ended().await.unwrap();
            until(&ledger, |server| server.running == 0).await.unwrap();
        }
        assert_eq!(ledger.look().await.unwrap().lost_peers, 3);
    });
}

#[test]
fn calls_of_a_server_that_stands_still_fail_and_it_serves_on_when_it_goes_on() {
    run(async {
        let server = Served::start().await;
        stands_still(&server, server.client().await).await;
    });
}

#[test]
fn by_default_a_server_that_stands_still_is_found_out_as_well() {
    run(async {
        let server = Served::with(&[]).await;
        stands_still(&server, client_with(server.endpoint(), |channel| channel).await).await;
    });
}

async fn stands_still(server: &Served, ledger: LedgerClient) {
    let waiting = tokio::spawn(ledger.wait().no_deadline());
    until(&ledger, |server| server.running == 1).await.unwrap();
    server.signal(Signal::Stop).await;
    let status = waiting.await.unwrap().unwrap_err();
    assert_eq!((status.code(), status.outcome()), LOST, "{status}");
    server.signal(Signal::Continue).await;
    assert_eq!(ledger.enter(1, Duration::ZERO).await.unwrap(), 1);
    until(&ledger, |server| server.running == 0).await.unwrap();
}

#[test]
fn the_handlers_of_a_client_that_stands_still_are_dropped_and_it_is_told_when_it_goes_on() {
    run(async {
        let server = Served::start().await;
        let ledger = server.client().await;
        let mut client = played(server.endpoint(), "watch").await;
        client.signal(Signal::Stop).await.unwrap();
        until(&ledger, |server| server.running == 0 && server.lost_peers == 1).await.unwrap();
        client.signal(Signal::Continue).await.unwrap();
        // The stream ends in an error, and the client exits with it instead of waiting forever.
        let status = client.ended().await.unwrap();
        assert_eq!(status.code(), Some(1), "{status}");
    });
}

/// The program checks everything itself, in its children, too.
#[test]
fn a_child_of_a_process_can_use_nothing_of_its_parent_and_anything_of_its_own() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().to_str().expect("the path of a temporary folder is UTF-8");
        let mut forking = Process::run(env!("CARGO_BIN_EXE_faults-fork"), &[folder]).unwrap();
        forking.says("as before").await.unwrap();
        assert!(forking.ended().await.unwrap().success());
    });
}
