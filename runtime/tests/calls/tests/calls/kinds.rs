//! Every kind of method, over every transport, on both kinds of runtime.

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::sync::oneshot;
use zsvc::{Code, Error, Outcome, Server, Service};
use zsvc_calls::probe::v1::{ClockClient, ProbeClient, ProbeServer, Refused};
use zsvc_calls::{Journal, Probe, engines};

use crate::support::{ANY_PORT, Running, on_one_thread, on_threads};

/// Calls a method of every kind, with every way in which a call may end.
async fn call_everything(probe: &ProbeClient, journal: &Journal) {
    unary(probe).await;
    streams(probe).await;
    long_values(probe).await;
    probe.note("noted").await.unwrap();
    journal.has("noted").await;
}

async fn unary(probe: &ProbeClient) {
    assert_eq!(probe.echo("here").await.unwrap(), "here");
    let because = Refused::Because { why: "no".to_owned() };
    assert_eq!(probe.refuse(Some("no".to_owned())).await, Err(Error::Declared(because)));
    assert_eq!(probe.refuse(None).await, Err(Error::Declared(Refused::Flatly)));
    let status = probe.fail(5, "nothing there").await.unwrap_err();
    assert_eq!(
        (status.code(), status.message(), status.outcome()),
        (Code::NotFound, "nothing there", Outcome::Executed)
    );
}

async fn streams(probe: &ProbeClient) {
    let numbers: Vec<_> = probe.count(3).await.unwrap().collect().await;
    assert_eq!(numbers, [Ok(0), Ok(1), Ok(2)]);
    let broken: Vec<_> = probe.break_off(2).await.unwrap().collect().await;
    assert_eq!(broken, [Ok(0), Ok(1), Err(Error::Declared(Refused::Flatly))]);
    assert_eq!(probe.sum("sum", stream::iter(1..=10)).await, Ok(55));
    assert_eq!(probe.sum("sum", stream::empty()).await, Ok(0));
    let (sink, mut back) = probe.mirror("mirror").await.unwrap();
    for item in ["a", "", "b"] {
        sink.send(Bytes::from_static(item.as_bytes())).await.unwrap();
        assert_eq!(back.next().await.unwrap().unwrap(), item);
    }
    sink.finish();
    assert!(back.next().await.is_none());
}

/// Calls with values that are sent as attachments, among others.
async fn long_values(probe: &ProbeClient) {
    let long = |length| Bytes::from((0..length).map(|n: u32| n.to_le_bytes()[1]).collect::<Vec<_>>());
    let (a, b, c) = (long(100_000), long(40_000), long(3_000_000));
    let (first, second, third) =
        tokio::join!(probe.echo(a.clone()), probe.echo(b.clone()), probe.echo(c.clone()));
    assert!(first.unwrap() == a && second.unwrap() == b && third.unwrap() == c);
    let (sink, back) = probe.mirror("mirror").await.unwrap();
    let items = [&b[..5], &a, &b[..2_000], &c, &b, &b[..9]].map(Bytes::copy_from_slice);
    let sent = async {
        for item in &items {
            sink.send(item.clone()).await.unwrap();
        }
        sink.finish();
    };
    let ((), came) = tokio::join!(sent, back.map(Result::unwrap).collect::<Vec<_>>());
    assert!(came == items, "items keep their order");
}

async fn over(endpoint: String) {
    let server = Running::of(Probe::default(), |server| server.bind(endpoint));
    call_everything(&server.client().await, &server.journal).await;
    server.stop().await;
}

#[test]
fn every_kind_over_tcp_on_one_thread() {
    on_one_thread(over(ANY_PORT.to_owned()));
}

#[test]
fn every_kind_over_tcp_on_threads() {
    on_threads(over(ANY_PORT.to_owned()));
}

#[test]
fn every_kind_over_ipc() {
    let path = std::env::temp_dir().join(format!("zsvc-calls-{}.sock", std::process::id()));
    on_one_thread(over(format!("ipc://{}", path.display())));
}

#[test]
fn every_kind_over_inproc() {
    if !zsvc_calls::engines::are_same() {
        return;
    }
    on_one_thread(over("inproc://every-kind".to_owned()));
    on_threads(over("inproc://every-kind-again".to_owned()));
}

#[test]
fn every_kind_without_a_socket() {
    let local = async {
        let probe = Probe::default();
        let journal = probe.journal.clone();
        call_everything(&ProbeClient::local(probe), &journal).await;
    };
    on_one_thread(local);
}

/// Which implementation is served is decided at run time.
#[test]
fn every_kind_of_a_service_that_is_an_object() {
    on_one_thread(async {
        let probe = Probe::default();
        let journal = probe.journal.clone();
        let service: Box<dyn Service> = Box::new(ProbeServer::new(probe));
        let server = Server::builder().service(service).bind(ANY_PORT).listen().unwrap();
        let endpoint = server.endpoints()[0].clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(server.serve_until(stopped));
        call_everything(&ProbeClient::connect(endpoint).await.unwrap(), &journal).await;
        drop(stop);
        serving.await.unwrap().unwrap();
    });
}

/// Callers have to wait for room, and are woken between answers.
#[test]
fn more_long_values_than_fit_are_sent_and_answered() {
    on_threads(async {
        let server = Running::start();
        let probe = server.client().await;
        let value = Bytes::from(vec![7; 64 * 1024]);
        let calls = (0..256).map(|_| probe.echo(value.clone()));
        let answers = futures_util::future::join_all(calls).await;
        assert!(answers.into_iter().all(|answer| answer.unwrap() == value));
    });
}

/// A value that its handler returns is the caller's own buffer, all the way there and back.
#[test]
fn long_values_are_not_copied() {
    on_one_thread(async {
        let probe = ProbeClient::local(Probe::default());
        let value = Bytes::from(vec![7; 100_000]);
        assert_eq!(probe.echo(value.clone()).await.unwrap().as_ptr(), value.as_ptr());
        let (sink, mut back) = probe.mirror("mirror").await.unwrap();
        sink.send(value.clone()).await.unwrap();
        assert_eq!(back.next().await.unwrap().unwrap().as_ptr(), value.as_ptr());
    });
}

#[test]
fn every_kind_without_a_socket_on_threads() {
    let local = async {
        let probe = Probe::default();
        let journal = probe.journal.clone();
        call_everything(&ProbeClient::local(probe), &journal).await;
    };
    on_threads(local);
}

#[test]
fn a_server_offers_several_services() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client().await;
        let clock = ClockClient::new(probe.channel().clone());
        assert_eq!(clock.tick(7).await, Ok(7));
        assert_eq!(probe.echo("x").await.unwrap(), "x");
    });
}

#[test]
fn a_server_listens_at_several_endpoints() {
    on_one_thread(async {
        let server = Running::of(Probe::default(), |server| {
            let server = server.bind(ANY_PORT).bind(ANY_PORT);
            if engines::are_same() { server.bind("inproc://one-of-several") } else { server.bind(ANY_PORT) }
        });
        assert_eq!(server.endpoints().len(), 3);
        for endpoint in server.endpoints() {
            let probe = ProbeClient::connect(endpoint).await.unwrap();
            call_everything(&probe, &server.journal).await;
        }
    });
}
