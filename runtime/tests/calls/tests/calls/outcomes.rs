//! Every failed call reports its outcome, and the reported outcome is true.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use zsvc::generated::Plain;
use zsvc::{Channel, Code, Method, MethodKind, Outcome, Status};
use zsvc_calls::Probe;
use zsvc_calls::old::shop::v1::ShopClient;
use zsvc_calls::probe::v1::{Chest, ProbeClient, Route, Seen};

use crate::child;
use crate::support::{ANY_PORT, Running, free_endpoint, on_one_thread, on_threads};

fn of(status: &Status) -> (Code, Outcome) {
    (status.code(), status.outcome())
}

#[test]
fn nobody_listens_there() {
    on_one_thread(async {
        let endpoint = free_endpoint();
        let channel = Channel::builder().endpoint(&endpoint).connect_timeout(Duration::from_millis(50));
        let status = channel.connect().await.unwrap_err();
        assert_eq!(of(&status), (Code::Unavailable, Outcome::NotSent));
        assert!(status.message().contains(&endpoint), "{status}");
    });
}

#[test]
fn an_endpoint_is_invalid() {
    on_one_thread(async {
        for endpoint in ["", "nonsense", "tcp://", "tcp://127.0.0.1", "carrier-pigeon://roof", "tcp://a\0b:1"]
        {
            let status = ProbeClient::connect(endpoint).await.unwrap_err();
            assert_eq!(of(&status), (Code::InvalidArgument, Outcome::NotSent), "{endpoint:?}: {status}");
        }
        let status = Channel::builder().connect().await.unwrap_err();
        assert_eq!(of(&status), (Code::InvalidArgument, Outcome::NotSent));
    });
}

#[test]
fn what_listens_there_does_not_speak_zeromq() {
    on_one_thread(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            loop {
                let (mut socket, _) = listener.accept().await.unwrap();
                let _ = tokio::io::AsyncWriteExt::write_all(&mut socket, &[b'?'; 100]).await;
            }
        });
        let channel = Channel::builder().endpoint(format!("tcp://127.0.0.1:{port}"));
        let status = channel.connect_timeout(Duration::from_millis(300)).connect().await.unwrap_err();
        assert_eq!(of(&status), (Code::Unavailable, Outcome::NotSent));
    });
}

#[test]
fn the_server_does_not_offer_the_service() {
    on_one_thread(async {
        let server = Running::start();
        let shop = ShopClient::connect(server.endpoint()).await.unwrap();
        let status = shop.done().await.unwrap_err();
        assert_eq!(of(&status), (Code::Unimplemented, Outcome::NotSent));
        assert_eq!(status.message(), "this server does not offer the service of `shop.v1.Shop/done`");
    });
}

#[test]
fn the_parameters_can_not_be_decoded() {
    static PUT: Method = Method::new("probe.v1.Probe/put", MethodKind::Unary);
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client().await;
        // A string where a chest is expected.
        let call = probe.channel().unary::<Plain, u32, Status>(&PUT, &vec!["text".to_owned()]);
        let status = call.await.unwrap_err();
        assert_eq!(of(&status), (Code::InvalidArgument, Outcome::NotSent));
        assert!(status.message().starts_with("chest: "), "{status}");
        assert_eq!(server.journal.count("put"), 0);
    });
}

#[test]
fn a_method_is_called_as_another_kind() {
    static ONE_WAY: Method = Method::new("probe.v1.Probe/echo", MethodKind::OneWay);
    static UNARY: Method = Method::new("probe.v1.Probe/note", MethodKind::Unary);
    static STREAM: Method = Method::new("probe.v1.Probe/echo", MethodKind::ServerStream);
    on_one_thread(async {
        let server = Running::start().lossy();
        let probe = server.client().await;
        let channel = probe.channel();
        channel.one_way(&ONE_WAY, &vec!["x".to_owned()]).await.unwrap();
        let status = channel.unary::<Plain, u32, Status>(&UNARY, &vec!["x".to_owned()]).await.unwrap_err();
        assert_eq!(of(&status), (Code::InvalidArgument, Outcome::NotSent));
        assert_eq!((server.counters.calls(), server.counters.refused_calls()), (0, 2));
        let body = zsvc::Value::Binary(vec![1]);
        let answers = channel.server_stream::<Plain, u32, Status>(&STREAM, &vec![body]).await;
        let status = answers.unwrap().next().await.unwrap().unwrap_err();
        assert_eq!(of(&status), (Code::Unknown, Outcome::MaybeExecuted));
        assert_eq!(probe.echo("still there").await.unwrap(), "still there");
    });
}

#[test]
fn the_server_is_dropped_while_calls_run() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client().await;
        let journal = server.journal.clone();
        let kill = async {
            server.journal.has_times("a began", 2).await;
            server.kill().await;
        };
        let held = probe.hold("a").no_deadline();
        let streamed = async {
            let mut numbers = probe.hold_stream("a").await.unwrap();
            // Calls right before the end may be lost with the connection.
            loop {
                if let Err(status) = numbers.next().await.unwrap() {
                    break status;
                }
            }
        };
        let (held, streamed, ()) = tokio::join!(held, streamed, kill);
        for status in [held.unwrap_err(), streamed] {
            assert_eq!(of(&status), (Code::Unavailable, Outcome::MaybeExecuted), "{status}");
        }
        journal.has_times("a dropped", 2).await;
    });
}

#[test]
fn the_server_s_process_is_killed_while_a_call_runs() {
    on_one_thread(async {
        let (mut process, endpoint) = child::server().await;
        let probe = ProbeClient::connect(endpoint).await.unwrap();
        let mut numbers = probe.hold_stream("a").await.unwrap();
        assert_eq!(numbers.next().await, Some(Ok(0)));
        let call = tokio::spawn(probe.hold("a").no_deadline());
        // Answered after the call was sent, so the call has arrived.
        probe.echo("x").await.unwrap();
        process.kill().await.unwrap();
        let statuses = [call.await.unwrap().unwrap_err(), numbers.next().await.unwrap().unwrap_err()];
        for status in statuses {
            assert_eq!(of(&status), (Code::Unavailable, Outcome::MaybeExecuted), "{status}");
        }
    });
}

async fn panics_are_answered(server: &Running) {
    let probe = server.client().await;
    for later in [false, true] {
        let status = probe.blow_up(later).await.unwrap_err();
        assert_eq!(of(&status), (Code::Internal, Outcome::MaybeExecuted), "later: {later}");
        assert_eq!(status.message(), "the handler panicked");
    }
    let mut numbers = probe.burst(2).await.unwrap();
    assert_eq!((numbers.next().await, numbers.next().await), (Some(Ok(0)), Some(Ok(1))));
    assert_eq!(of(&numbers.next().await.unwrap().unwrap_err()), (Code::Internal, Outcome::MaybeExecuted));
    probe.blow_up_unheard().await.unwrap();
    assert_eq!(probe.echo("still there").await.unwrap(), "still there");
}

#[test]
fn a_handler_panics_and_the_server_goes_on() {
    on_one_thread(async { panics_are_answered(&Running::start()).await });
    on_threads(async { panics_are_answered(&Running::start()).await });
}

#[test]
fn a_server_whose_handlers_panicked_still_ends() {
    on_one_thread(async {
        let server = Running::start();
        panics_are_answered(&server).await;
        // The server waits for all calls in flight: none may have been forgotten.
        server.stop().await;
    });
}

/// Returns the calls whose marks occur in what a bare ROUTER receives, up to the last.
fn received(router: &zmq::Socket) -> BTreeSet<usize> {
    let mut arrived = BTreeSet::new();
    loop {
        let frames = router.recv_multipart(0).expect("the last call arrives");
        let text = String::from_utf8_lossy(frames.last().unwrap());
        if text.contains("the last") {
            return arrived;
        }
        let marks = text.split('<').skip(1).filter_map(|rest| rest.split_once('>')?.0.parse::<usize>().ok());
        arrived.extend(marks);
    }
}

fn mark(call: usize) -> String {
    format!("<{call}>")
}

/// The server does not read for so long that the client's queues fill up. When their deadlines pass, calls wait at
/// every stage of being sent.
#[test]
fn calls_reported_as_not_sent_never_arrive() {
    const CALLS: usize = 800;
    on_threads(async {
        let router = zmq::Context::new().socket(zmq::ROUTER).unwrap();
        router.set_rcvhwm(1).unwrap();
        router.set_rcvtimeo(10_000).unwrap();
        router.bind("tcp://127.0.0.1:*").unwrap();
        let endpoint = router.get_last_endpoint().unwrap().unwrap();
        let channel = Channel::builder().endpoint(endpoint).max_calls(CALLS).connect_lazy().unwrap();
        let probe = ProbeClient::new(channel);
        let body = |call| [mark(call).into_bytes(), vec![b'.'; 64 * 1024]].concat();
        let calls = (0..CALLS).map(|call| probe.echo(body(call)).deadline(Duration::from_millis(1_500)));
        let results = join_all(calls).await;
        let not_sent =
            |result: &Result<_, Status>| result.as_ref().unwrap_err().outcome() == Outcome::NotSent;
        let unsent: BTreeSet<_> = (0..CALLS).filter(|call| not_sent(&results[*call])).collect();
        assert!(!unsent.is_empty() && unsent.len() < CALLS, "{} calls were not sent", unsent.len());
        let reading = tokio::task::spawn_blocking(move || received(&router));
        probe.note("the last").await.unwrap();
        let arrived = reading.await.unwrap();
        assert!(arrived.is_disjoint(&unsent), "{:?} arrived", arrived.intersection(&unsent));
    });
}

/// A handler whose own call was not sent has still run.
#[test]
fn a_status_that_a_handler_forwards_is_its_own_answer() {
    on_one_thread(async {
        let nowhere = Channel::builder().endpoint(free_endpoint()).deadline(Duration::from_millis(20));
        let behind = Some(ProbeClient::new(nowhere.connect_lazy().unwrap()));
        let server = Running::of(Probe { behind, ..Probe::default() }, |server| server.bind(ANY_PORT));
        let status = server.client().await.look_behind(Route::AtOnce).await.unwrap_err();
        assert_eq!((status.code(), status.outcome()), (Code::Unavailable, Outcome::Executed), "{status}");
        assert_eq!(status.cause(), None);
    });
}

#[test]
fn a_status_carries_details_which_are_found_by_their_types() {
    on_one_thread(async {
        let server = Running::start();
        let chest = Chest {
            level: 3,
            label: "x".to_owned(),
            inside: Vec::new(),
            lid: None,
            by_name: std::collections::BTreeMap::new(),
        };
        let status = server.client().await.fail_in_detail(chest.clone()).await.unwrap_err();
        assert_eq!((status.code(), status.outcome()), (Code::FailedPrecondition, Outcome::Executed));
        assert_eq!(status.detail::<Chest>(), Some(chest));
        assert_eq!(status.detail::<Seen>().unwrap().method, "probe.v1.Probe/fail_in_detail");
        let names: Vec<_> = status.details().map(|(name, _)| name).collect();
        assert_eq!(names, ["probe.v1.Chest", "probe.v1.Seen"]);
    });
}
