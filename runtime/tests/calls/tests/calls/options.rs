//! The least and the largest value of every option: each counts as the least that works, or as no bound. None panics, here or in
//! the background.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use zsvc::middleware::{ConcurrencyLimit, RateLimit};
use zsvc::{Channel, ChannelBuilder, Code, Resolve, Retry, ServerBuilder, Status};
use zsvc_calls::probe::v1::ProbeClient;

use crate::support::{Running, on_one_thread};

const ZERO: Duration = Duration::ZERO;
const FOR_EVER: Duration = Duration::MAX;
const ALL: usize = usize::MAX;

/// Sets an option of a builder.
type Set<B> = fn(B) -> B;

/// The options of a server, with the least and the largest value.
const OF_SERVERS: &[(&str, Set<ServerBuilder>, Set<ServerBuilder>)] = &[
    ("max_calls", |server| server.max_calls(0), |server| server.max_calls(ALL)),
    ("max_calls_per_peer", |server| server.max_calls_per_peer(0), |server| server.max_calls_per_peer(ALL)),
    ("max_running", |server| server.max_running(0, 0), |server| server.max_running(ALL, ALL)),
    (
        "max_waiting_per_peer",
        |server| server.max_waiting_per_peer(0),
        |server| server.max_waiting_per_peer(ALL),
    ),
    ("max_waiting", |server| server.max_waiting(0), |server| server.max_waiting(ALL)),
    ("stream_window", |server| server.stream_window(0), |server| server.stream_window(u64::MAX)),
    ("peer_timeout", |server| server.peer_timeout(ZERO), |server| server.peer_timeout(FOR_EVER)),
    ("heartbeat", |server| server.heartbeat(ZERO), |server| server.heartbeat(FOR_EVER)),
    ("grace", |server| server.grace(ZERO), |server| server.grace(FOR_EVER)),
    // The least is below.
    ("max_message_size", |server| server, |server| server.max_message_size(ALL)),
    (
        "ConcurrencyLimit",
        |server| server.middleware(ConcurrencyLimit::all(0).retry_after(ZERO)),
        |server| server.middleware(ConcurrencyLimit::per_peer(ALL).retry_after(FOR_EVER)),
    ),
    (
        "RateLimit",
        // As many calls as are made. A burst of none is below.
        |server| server.middleware(RateLimit::all(0).burst(3)),
        |server| server.middleware(RateLimit::per_method(u32::MAX).burst(u32::MAX)),
    ),
];

/// The options of a channel, with the least and the largest value.
const OF_CHANNELS: &[(&str, Set<ChannelBuilder>, Set<ChannelBuilder>)] = &[
    ("max_calls", |channel| channel.max_calls(0), |channel| channel.max_calls(ALL)),
    ("stream_window", |channel| channel.stream_window(0), |channel| channel.stream_window(u64::MAX)),
    ("heartbeat", |channel| channel.heartbeat(ZERO), |channel| channel.heartbeat(FOR_EVER)),
    ("server_timeout", |channel| channel.server_timeout(ZERO), |channel| channel.server_timeout(FOR_EVER)),
    ("lookup_interval", |channel| channel.lookup_interval(ZERO), |channel| channel.lookup_interval(FOR_EVER)),
    // The least are below.
    ("connect_timeout", |channel| channel, |channel| channel.connect_timeout(FOR_EVER)),
    ("max_message_size", |channel| channel, |channel| channel.max_message_size(ALL)),
    ("deadline", |channel| channel, |channel| channel.deadline(FOR_EVER)),
    (
        "Retry",
        |channel| channel.retry(Retry::default().attempts(0).pauses(ZERO, ZERO).budget(0, 0)),
        |channel| {
            let retry = Retry::default().attempts(u32::MAX).pauses(FOR_EVER, FOR_EVER);
            channel.retry(retry.budget(u32::MAX, u32::MAX))
        },
    ),
];

/// Makes a call of each kind that is answered.
async fn call(probe: &ProbeClient) -> Result<(), Status> {
    probe.echo("x").no_retry().await?;
    let counted: Vec<_> = probe.count(3).await?.try_collect().await?;
    assert_eq!(counted.len(), 3);
    let sum = probe.sum("a", stream::iter([1, 2])).await?;
    assert_eq!(sum, 3);
    Ok(())
}

/// Waits until calls are answered. With timeouts of a millisecond, some fail first.
async fn works(probe: &ProbeClient, option: &str) {
    let answered = async {
        while let Err(status) = call(probe).await {
            assert_ne!(status.cause(), Some(zsvc::Cause::Closed), "{option}: {status}");
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(15), answered)
        .await
        .unwrap_or_else(|_| panic!("{option} hangs"));
}

#[test]
fn every_option_of_a_server_takes_every_value() {
    on_one_thread(async {
        for (option, least, largest) in OF_SERVERS {
            for set in [least, largest] {
                assert!(set(zsvc::Server::builder()).worst_case_memory(ALL) > 0, "{option}");
                let server = Running::with(set).lossy();
                let channel = Channel::builder().endpoint(server.endpoint()).connect_lazy().unwrap();
                works(&ProbeClient::new(channel), option).await;
            }
        }
    });
}

#[test]
fn every_option_of_a_channel_takes_every_value() {
    on_one_thread(async {
        let server = Running::start().lossy();
        let port = server.endpoint().rsplit_once(':').unwrap().1;
        for (option, least, largest) in OF_CHANNELS {
            for set in [least, largest] {
                let channel = set(Channel::builder().endpoint(format!("tcp://localhost:{port}")));
                works(&ProbeClient::new(channel.connect_lazy().unwrap()), option).await;
            }
        }
    });
}

#[test]
fn the_least_size_and_the_least_time_are_told() {
    on_one_thread(async {
        let server = Running::with(|server| server.max_message_size(0));
        let refused = server.client().await.echo("x").await.unwrap_err();
        assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
        let server = Running::start();
        let refused =
            server.client_with(|channel| channel.max_message_size(0)).await.echo("x").await.unwrap_err();
        assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
        let server = Running::with(|server| server.middleware(RateLimit::all(0).burst(0)));
        let probe = server.client_with(|channel| channel.retry(Retry::none())).await;
        assert_eq!(probe.echo("x").await.unwrap(), "x", "a second has one");
        assert_eq!(probe.echo("x").await.unwrap_err().code(), Code::ResourceExhausted);
        let server = Running::start();
        let probe = server.client_with(|channel| channel.deadline(ZERO)).await;
        assert_eq!(probe.echo("x").await.unwrap_err().code(), Code::DeadlineExceeded);
        let nowhere = Channel::builder().endpoint(crate::support::free_endpoint()).connect_timeout(ZERO);
        assert_eq!(nowhere.connect().await.unwrap_err().code(), Code::Unavailable);
    });
}

#[test]
fn a_stream_of_a_client_has_no_deadline_but_its_own() {
    on_one_thread(async {
        let server = Running::start();
        let moment = Duration::from_millis(50);
        let probe = server.client_with(|channel| channel.deadline(moment)).await;
        assert_eq!(probe.hold("a").await.unwrap_err().code(), Code::DeadlineExceeded, "it is the channel's");
        let late = stream::once(tokio::time::sleep(4 * moment)).map(|()| 7);
        assert_eq!(probe.sum("a", late).await, Ok(7));
        let never = stream::pending();
        assert_eq!(probe.sum("b", never).deadline(moment).await.unwrap_err().code(), Code::DeadlineExceeded);
    });
}

/// Panics the first time.
struct Shaky(Arc<AtomicBool>, SocketAddr);

impl Resolve for Shaky {
    async fn resolve(&self, _: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
        assert!(self.0.swap(true, Ordering::Relaxed), "a resolver may be at fault");
        Ok(vec![self.1])
    }
}

#[test]
fn a_resolver_that_panics_is_asked_again() {
    on_one_thread(async {
        let server = Running::start();
        let address = server.endpoint().strip_prefix("tcp://").unwrap().parse().unwrap();
        let asked = Arc::new(AtomicBool::new(false));
        let channel =
            Channel::builder().endpoint("tcp://tape.example:1").resolver(Shaky(Arc::clone(&asked), address));
        let status = channel.clone().fail_fast().connect().await.unwrap_err();
        assert!(status.message().ends_with("the resolver has panicked"), "{status}");
        asked.store(false, Ordering::Relaxed);
        let probe = ProbeClient::new(channel.connect().await.unwrap());
        assert_eq!(probe.echo("x").await.unwrap(), "x");
    });
}
