//! Outlier detection: a server that keeps failing calls gets no calls for a while, if there is another server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use zsvc::middleware::{Response, ServerMiddleware, ServerNext, ServerRequest};
use zsvc::{Channel, Code, ConnectionState, Status};
use zsvc_calls::probe::v1::ProbeClient;

use crate::support::{Running, on_one_thread};

/// Fails all calls while the flag is set.
#[derive(Clone, Default)]
struct Sick(Arc<AtomicBool>);

impl ServerMiddleware for Sick {
    async fn handle(&self, request: ServerRequest, next: ServerNext<'_>) -> Response {
        if self.0.load(Ordering::SeqCst) {
            return Status::internal("the disk is full").into();
        }
        next.run(request).await
    }
}

/// Returns a server that can be made to fail, and a client of it and of the others.
async fn sick_among(others: &[&Running]) -> (Running, Sick, ProbeClient) {
    let sick = Sick::default();
    let server = Running::with(|server| server.middleware(sick.clone()));
    let mut builder = Channel::builder().endpoint(server.endpoint());
    for other in others {
        builder = builder.endpoint(other.endpoint());
    }
    let channel = builder.connect_lazy().unwrap();
    let mut watch = channel.watch();
    while channel.states().iter().any(|state| state.state != ConnectionState::Ready) {
        watch.changed().await.unwrap();
    }
    (server, sick, ProbeClient::new(channel))
}

/// Makes calls one after another until the first server is ejected. Returns the number of failed calls.
async fn until_ejected(probe: &ProbeClient) -> usize {
    let mut failed = 0;
    while probe.channel().states()[0].state != ConnectionState::Ejected {
        failed += usize::from(probe.echo("x").await.is_err());
    }
    failed
}

async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

#[test]
fn a_server_that_keeps_failing_is_left_alone_until_it_is_well() {
    on_one_thread(async {
        let well = Running::start();
        let (_server, sick, probe) = sick_among(&[&well]).await;
        sick.0.store(true, Ordering::SeqCst);
        assert_eq!(until_ejected(&probe).await, 5);
        for _ in 0..50 {
            probe.echo("x").await.unwrap();
        }
        // One call finds that the server still fails.
        pass(Duration::from_secs(5)).await;
        assert_eq!(probe.echo("x").await.unwrap_err().code(), Code::Internal);
        pass(Duration::from_secs(5)).await;
        for _ in 0..50 {
            probe.echo("x").await.unwrap();
        }
        // Another call finds that the server has recovered.
        sick.0.store(false, Ordering::SeqCst);
        pass(Duration::from_secs(5)).await;
        let before = well.counters.calls();
        probe.echo("x").await.unwrap();
        assert_eq!(well.counters.calls(), before, "it was tried");
        assert_eq!(probe.channel().states()[0].state, ConnectionState::Ready);
    });
}

#[test]
fn without_another_server_the_failing_one_is_called() {
    on_one_thread(async {
        let (_server, sick, probe) = sick_among(&[]).await;
        sick.0.store(true, Ordering::SeqCst);
        assert_eq!(until_ejected(&probe).await, 5);
        assert!(probe.echo("x").await.is_err());
        sick.0.store(false, Ordering::SeqCst);
        probe.echo("x").await.unwrap();
        assert_eq!(probe.channel().states()[0].state, ConnectionState::Ready);
    });
}

#[test]
fn if_all_servers_fail_all_are_called() {
    on_one_thread(async {
        let well = Running::start();
        let (_server, sick, probe) = sick_among(&[&well]).await;
        sick.0.store(true, Ordering::SeqCst);
        until_ejected(&probe).await;
        well.kill().await;
        let mut watch = probe.channel().watch();
        while probe.channel().states()[1].state != ConnectionState::Connecting {
            watch.changed().await.unwrap();
        }
        assert_eq!(probe.echo("x").await.unwrap_err().message(), "the disk is full");
    });
}
