//! Servers that are restarted while clients call them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use zsvc::{Channel, Outcome, Status};
use zsvc_faults::faults::v1::LedgerClient;

use crate::support::{Served, run};

/// Callers that enter one key after another until they are stopped.
struct Load {
    stop: Arc<AtomicBool>,
    /// The next key; each is used once.
    next: Arc<AtomicU64>,
    callers: JoinSet<Vec<(u64, Result<u64, Status>)>>,
}

impl Load {
    fn on(ledger: &LedgerClient, callers: usize) -> Self {
        let (stop, next) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(1)));
        let mut tasks = JoinSet::new();
        for _ in 0..callers {
            let (ledger, stop, next) = (ledger.clone(), Arc::clone(&stop), Arc::clone(&next));
            tasks.spawn(async move {
                let mut answers = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let key = next.fetch_add(1, Ordering::Relaxed);
                    answers.push((key, ledger.enter(key, Duration::from_millis(1)).await));
                }
                answers
            });
        }
        Self { stop, next, callers: tasks }
    }

    /// Waits until the given number of further calls was started.
    async fn goes_on_for(&self, calls: u64) {
        let until = self.next.load(Ordering::Relaxed) + calls;
        while self.next.load(Ordering::Relaxed) < until {
            tokio::task::yield_now().await;
        }
    }

    /// Stops the callers, and returns the results of all calls.
    async fn end(self) -> Vec<(u64, Result<u64, Status>)> {
        self.stop.store(true, Ordering::Relaxed);
        self.callers.join_all().await.into_iter().flatten().collect()
    }
}

#[test]
fn a_rolling_restart_of_two_servers_behind_one_client_fails_no_call() {
    run(async {
        let mut servers = [Served::start().await, Served::start().await];
        let endpoints = servers.iter().map(|server| server.endpoint().to_owned());
        let channel = endpoints.fold(Channel::builder(), zsvc::ChannelBuilder::endpoint);
        let ledger = LedgerClient::new(channel.connect().await.unwrap());
        let load = Load::on(&ledger, 16);
        for _ in 0..2 {
            for server in &mut servers {
                load.goes_on_for(200).await;
                server.stop().await;
                load.goes_on_for(200).await;
                server.again().await;
            }
        }
        load.goes_on_for(200).await;
        for (key, answer) in load.end().await {
            assert_eq!(answer.as_ref(), Ok(&key));
            let written: usize = servers.iter().map(|server| server.written(key)).sum();
            assert_eq!(written, 1, "each call has run once");
        }
    });
}

#[test]
fn a_server_that_is_killed_and_restarted_under_load_has_run_what_the_outcomes_say() {
    run(async {
        let mut server = Served::start().await;
        let ledger = server.client().await;
        let load = Load::on(&ledger, 16);
        for _ in 0..3 {
            load.goes_on_for(300).await;
            server.kill().await;
            server.again().await;
        }
        load.goes_on_for(300).await;
        let mut failed = 0;
        for (key, answer) in load.end().await {
            let written = server.written(key);
            match answer {
                Ok(answered) => assert_eq!((answered, written), (key, 1)),
                Err(status) => {
                    failed += 1;
                    match status.outcome() {
                        Outcome::NotSent => assert_eq!(written, 0, "{status}"),
                        Outcome::MaybeExecuted => assert!(written <= 1, "{status}"),
                        Outcome::Executed => assert_eq!(written, 1, "{status}"),
                    }
                }
            }
        }
        assert!(failed > 0, "some calls were in flight each time");
    });
}
