//! Client middleware: what it sees of a call, what it may change, and how long it lives.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use zsvc::middleware::{ClientMiddleware, ClientNext, ClientRequest, Response};
use zsvc::{Cause, Code, Error, Outcome, Status};
use zsvc_calls::Journal;
use zsvc_calls::probe::v1::{ProbeClient, Refused};

use crate::support::{Running, on_one_thread, on_threads};

async fn client(server: &Running, middleware: impl ClientMiddleware) -> ProbeClient {
    server.client_with(|channel| channel.middleware(middleware)).await
}

fn of(status: &Status) -> (Code, Outcome) {
    (status.code(), status.outcome())
}

fn short(request: &ClientRequest) -> &'static str {
    request.method().name().rsplit('/').next().unwrap_or_default()
}

/// Writes the start and end of calls to the journal.
struct Watching(&'static str, Journal);

impl ClientMiddleware for Watching {
    async fn handle(&self, request: ClientRequest, mut next: ClientNext<'_>) -> Response {
        let line = format!("{} {}", self.0, short(&request));
        let entry = self.1.begin(&line);
        let (parameters, traffic) = (request.parameter_bytes(), request.traffic());
        let response = next.run(request).await;
        let (sent, streamed) = (traffic.request_bytes(), traffic.answer_bytes());
        self.1.write(format!(
            "{line}: {parameters} of {sent}, {} + {streamed}, {response}",
            response.answer_bytes()
        ));
        entry.done();
        response
    }
}

async fn every_kind() {
    let (server, journal) = (Running::start(), Journal::default());
    let probe = client(&server, Watching("w", journal.clone())).await;
    assert_eq!(probe.echo("here").await.unwrap(), "here");
    assert_eq!(probe.refuse(None).await, Err(Error::Declared(Refused::Flatly)));
    probe.fail(5, "nothing there").await.unwrap_err();
    let numbers: Vec<_> = probe.count(3).await.unwrap().collect().await;
    assert_eq!(numbers, [Ok(0), Ok(1), Ok(2)]);
    let broken: Vec<_> = probe.break_off(2).await.unwrap().collect().await;
    assert_eq!(broken, [Ok(0), Ok(1), Err(Error::Declared(Refused::Flatly))]);
    assert_eq!(probe.sum("s", stream::iter(1..=10)).await, Ok(55));
    let (sink, mut back) = probe.mirror("m").await.unwrap();
    sink.send(Bytes::from_static(b"abc")).await.unwrap();
    assert_eq!(back.next().await.unwrap().unwrap(), "abc");
    assert_eq!(journal.count("w mirror done"), 0);
    sink.finish();
    assert!(back.next().await.is_none());
    assert!(back.next().await.is_none(), "the stream has ended");
    probe.note("noted").await.unwrap();
    server.journal.has("noted").await;
    let ended: Vec<_> = journal.lines().into_iter().filter(|line| line.contains(':')).collect();
    let expected = [
        "w echo: 7 of 7, 6 + 0, ok",
        "w refuse: 1 of 1, 3 + 0, declared: refused flatly",
        "w fail: 16 of 16, 0 + 0, not_found: nothing there (executed)",
        "w count: 2 of 2, 0 + 3, ok",
        "w break_off: 2 of 2, 3 + 2, declared: refused flatly",
        "w sum: 3 of 13, 1 + 0, ok",
        "w mirror: 3 of 8, 0 + 5, ok",
        "w note: 7 of 7, 0 + 0, ok",
    ];
    assert_eq!(ended, expected);
}

#[test]
fn it_wraps_every_kind_of_call() {
    on_one_thread(every_kind());
    on_threads(every_kind());
}

/// Sets a metadata entry, and records the previous one.
struct Adding(&'static str, Journal);

impl ClientMiddleware for Adding {
    async fn handle(&self, mut request: ClientRequest, mut next: ClientNext<'_>) -> Response {
        let before = request.metadata().text("by").unwrap_or("nobody").to_owned();
        self.1.write(format!("{} after {before}", self.0));
        request.metadata_mut().insert("by", self.0);
        next.run(request).await
    }
}

#[test]
fn it_reads_and_adds_metadata_and_the_first_is_the_outermost() {
    on_one_thread(async {
        let (server, journal) = (Running::start(), Journal::default());
        let (outer, inner) = (Adding("outer", journal.clone()), Adding("inner", journal.clone()));
        let probe = server.client_with(|channel| channel.middleware(outer).middleware(inner)).await;
        let seen = probe.look().metadata("by", "caller").metadata("other", "7").await.unwrap();
        assert_eq!((seen.texts["by"].as_str(), seen.texts["other"].as_str()), ("inner", "7"));
        assert_eq!(journal.lines(), ["outer after caller", "inner after outer"]);
    });
}

/// Refuses every call.
struct Closed;

impl ClientMiddleware for Closed {
    async fn handle(&self, _: ClientRequest, _: ClientNext<'_>) -> Response {
        Status::permission_denied("not today").into()
    }
}

#[test]
fn a_call_that_it_refuses_is_not_sent() {
    on_one_thread(async {
        let server = Running::start();
        let probe = client(&server, Closed).await;
        let refused = (Code::PermissionDenied, Outcome::NotSent);
        assert_eq!(of(&probe.echo("x").await.unwrap_err()), refused);
        assert_eq!(of(&probe.count(3).await.unwrap_err()), refused);
        assert_eq!(of(&probe.sum("s", stream::pending()).await.unwrap_err()), refused);
        assert_eq!(of(&probe.mirror("m").await.unwrap_err()), refused);
        assert_eq!(of(&probe.note("x").await.unwrap_err()), refused);
        let mut call = probe.echo("x");
        assert_eq!(of(&(&mut call).await.unwrap_err()), refused);
        assert_eq!((&mut call).await.unwrap_err().code(), Code::Internal, "the call was awaited again");
        server.client().await.look().await.unwrap();
        assert_eq!(server.counters.calls(), 1);
    });
}

/// Makes calls up to three times.
struct Stubborn;

impl ClientMiddleware for Stubborn {
    async fn handle(&self, request: ClientRequest, mut next: ClientNext<'_>) -> Response {
        for attempt in ["1", "2"] {
            let mut again = request.clone();
            again.metadata_mut().insert("attempt", attempt);
            let response = next.run(again).await;
            if response.is_ok() && request.metadata().get("greedy").is_none() {
                return response;
            }
        }
        next.run(request).await
    }
}

#[test]
fn it_may_repeat_a_call_which_is_answered_once() {
    on_one_thread(async {
        let server = Running::start();
        let probe = client(&server, Stubborn).await;
        assert_eq!(of(&probe.fail(5, "never").await.unwrap_err()), (Code::NotFound, Outcome::Executed));
        assert_eq!(server.counters.calls(), 3);
        let seen = probe.look().metadata("greedy", "yes").await.unwrap();
        assert_eq!((server.counters.calls(), seen.texts.len()), (6, 1));
        assert_eq!(probe.look().await.unwrap().texts["attempt"], "1");
        let large = Bytes::from(vec![7; 300_000]);
        assert_eq!(probe.echo(large.clone()).metadata("greedy", "yes").await.unwrap(), large);
        assert_eq!(server.counters.calls(), 10);
        probe.note("again").metadata("greedy", "yes").await.unwrap();
        server.journal.has_times("again", 3).await;
        assert_eq!(
            probe.channel().counters().calls(),
            5,
            "each call counts once, however often it was retried"
        );
    });
}

#[test]
fn it_may_not_repeat_a_call_whose_items_are_consumed() {
    on_one_thread(async {
        let server = Running::start();
        let probe = client(&server, Stubborn).await;
        let broken: Vec<_> = probe.burst(1).await.unwrap().collect().await;
        // The outcome of all attempts together is unknown.
        let last = broken.last().unwrap().as_ref().unwrap_err();
        assert_eq!(of(last), (Code::FailedPrecondition, Outcome::MaybeExecuted), "{last}");
        assert_eq!(server.counters.calls(), 1);
    });
}

/// Repeats a call until it succeeds.
struct Endless;

impl ClientMiddleware for Endless {
    async fn handle(&self, request: ClientRequest, mut next: ClientNext<'_>) -> Response {
        loop {
            let response = next.run(request.clone()).await;
            if response.is_ok() {
                return response;
            }
        }
    }
}

#[test]
fn one_that_retries_forever_does_not_starve_others() {
    on_one_thread(async {
        let server = Running::start();
        let hopeless = server.client_with(|channel| channel.middleware(Endless).middleware(Closed)).await;
        let trying = tokio::spawn(hopeless.echo("x"));
        let spent = client(&server, Endless).await;
        let streaming = tokio::spawn(async move { spent.burst(1).await.unwrap().count().await });
        assert_eq!(server.client().await.echo("y").await.unwrap(), "y");
        assert!(!trying.is_finished() && !streaming.is_finished());
        trying.abort();
        streaming.abort();
    });
}

/// Drops a call when the journal has the line that the metadata name.
struct Impatient(Journal);

impl ClientMiddleware for Impatient {
    async fn handle(&self, request: ClientRequest, mut next: ClientNext<'_>) -> Response {
        let line = request.metadata().text("until").unwrap_or("never").to_owned();
        tokio::select! {
            response = next.run(request) => response,
            () = self.0.has(&line) => Status::aborted("enough").with_outcome(Outcome::NotSent).into(),
        }
    }
}

#[test]
fn a_call_that_it_drops_is_cancelled_and_may_have_run() {
    on_one_thread(async {
        let server = Running::start();
        let probe = client(&server, Impatient(server.journal.clone())).await;
        let given_up = (Code::Aborted, Outcome::MaybeExecuted);
        assert_eq!(of(&probe.hold("a").metadata("until", "a began").await.unwrap_err()), given_up);
        server.journal.has("a dropped").await;
        let mut numbers = probe.hold_stream("b").metadata("until", "b began").await.unwrap();
        let last = loop {
            match numbers.next().await {
                Some(Ok(_)) => {}
                last => break last,
            }
        };
        assert_eq!(of(&last.unwrap().unwrap_err()), given_up);
        assert!(numbers.next().await.is_none());
        server.journal.has("b dropped").await;
        server.client().await.look().await.unwrap();
    });
}

#[test]
fn it_is_dropped_with_its_call_and_with_its_stream() {
    on_one_thread(async {
        let (server, journal) = (Running::start(), Journal::default());
        let probe = client(&server, Watching("w", journal.clone())).await;
        tokio::select! {
            _ = probe.hold("a") => panic!("the call has ended early"),
            () = server.journal.has("a began") => {}
        }
        assert_eq!(journal.lines(), ["w hold began", "w hold dropped"]);
        server.journal.has("a dropped").await;
        let mut numbers = probe.hold_stream("b").await.unwrap();
        assert_eq!(numbers.next().await, Some(Ok(0)));
        assert_eq!(journal.count("w hold_stream dropped"), 0);
        drop(numbers);
        assert_eq!(journal.count("w hold_stream dropped"), 1);
        server.journal.has("b dropped").await;
        let (sink, back) = probe.mirror("m").await.unwrap();
        drop(sink);
        let last = back.collect::<Vec<_>>().await.pop().unwrap().unwrap_err();
        assert_eq!(last.code(), Code::Cancelled);
        assert_eq!(journal.count("w mirror done"), 1, "the middleware has seen that");
        drop(probe.look());
        assert_eq!(journal.count("w look began"), 0, "a call does nothing until it is awaited");
    });
}

/// Panics before the call, or after it.
struct Clumsy;

impl ClientMiddleware for Clumsy {
    async fn handle(&self, request: ClientRequest, mut next: ClientNext<'_>) -> Response {
        let when = request.metadata().text("panic").unwrap_or_default().to_owned();
        assert_ne!(when, "before", "requested by the test");
        let response = next.run(request).await;
        assert_ne!(when, "after", "requested by the test");
        response
    }
}

#[test]
fn its_panic_ends_the_call_and_no_other() {
    on_one_thread(async {
        let server = Running::start();
        let probe = client(&server, Clumsy).await;
        let unsent = probe.echo("x").metadata("panic", "before").await.unwrap_err();
        assert_eq!(of(&unsent), (Code::Internal, Outcome::NotSent));
        let sent = probe.echo("x").metadata("panic", "after").await.unwrap_err();
        assert_eq!(of(&sent), (Code::Internal, Outcome::Executed));
        let numbers: Vec<_> = probe.count(2).metadata("panic", "after").await.unwrap().collect().await;
        assert_eq!(numbers[..2], [Ok(0), Ok(1)]);
        assert_eq!(of(numbers[2].as_ref().unwrap_err()), (Code::Internal, Outcome::Executed));
        assert_eq!(probe.echo("x").await.unwrap(), "x");
    });
}

/// Waits forever, before the call or after it.
struct Lost(Journal);

impl ClientMiddleware for Lost {
    async fn handle(&self, request: ClientRequest, mut next: ClientNext<'_>) -> Response {
        let entry = self.0.begin(short(&request));
        if request.metadata().text("waits") == Some("after") {
            let _ = next.run(request).await;
        }
        std::future::pending::<()>().await;
        entry.done();
        Status::internal("it came").into()
    }
}

/// Deadline for calls whose middleware never finishes.
const LATE: Duration = Duration::from_millis(50);
/// The same for calls that are answered before, or have begun: far longer than that takes on a busy machine.
const LATE_AFTER: Duration = Duration::from_secs(1);

#[test]
fn the_deadline_holds_for_what_it_does_besides() {
    on_one_thread(async {
        let (server, journal) = (Running::start(), Journal::default());
        let probe = client(&server, Lost(journal.clone())).await;
        let unsent = probe.echo("x").deadline(LATE).await.unwrap_err();
        assert_eq!(of(&unsent), (Code::DeadlineExceeded, Outcome::NotSent), "{unsent}");
        assert_eq!(unsent.cause(), Some(Cause::Deadline));
        assert!(unsent.message().ends_with("`probe.v1.Probe/echo` was not done within 50ms"), "{unsent}");
        assert_eq!(journal.lines(), ["echo began", "echo dropped"]);
        let sent = probe.echo("x").metadata("waits", "after").deadline(LATE_AFTER).await.unwrap_err();
        assert_eq!(of(&sent), (Code::DeadlineExceeded, Outcome::Executed), "{sent}");
        let never = (Code::DeadlineExceeded, Outcome::NotSent);
        assert_eq!(of(&probe.count(3).deadline(LATE).await.unwrap_err()), never);
        assert_eq!(of(&probe.sum("s", stream::pending()).deadline(LATE).await.unwrap_err()), never);
        assert_eq!(of(&probe.mirror("m").deadline(LATE).await.unwrap_err()), never);
        assert_eq!(of(&probe.note("x").deadline(LATE).await.unwrap_err()), never);
        let mut numbers = probe.count(1).metadata("waits", "after").deadline(LATE_AFTER).await.unwrap();
        assert_eq!(numbers.next().await, Some(Ok(0)));
        let last = numbers.next().await.unwrap().unwrap_err();
        assert_eq!(of(&last), (Code::DeadlineExceeded, Outcome::Executed), "{last}");
        assert!(numbers.next().await.is_none());
        assert_eq!(journal.count("count dropped"), 2);
    });
}

#[test]
fn it_sees_the_deadline_of_its_call_and_ends_soon_after() {
    on_one_thread(async {
        let (server, journal) = (Running::start(), Journal::default());
        let probe = client(&server, Watching("w", journal.clone())).await;
        let late = probe.hold("a").deadline(LATE_AFTER).await.unwrap_err();
        assert_eq!(of(&late), (Code::DeadlineExceeded, Outcome::MaybeExecuted), "{late}");
        assert_eq!(journal.count("w hold done"), 1);
        let hopeless = server.client_with(|channel| channel.middleware(Endless).middleware(Closed)).await;
        let late = hopeless.echo("x").deadline(LATE).await.unwrap_err();
        assert_eq!(of(&late), (Code::DeadlineExceeded, Outcome::NotSent), "{late}");
        let spent = client(&server, Endless).await;
        let late = spent.hold("b").deadline(LATE_AFTER).await.unwrap_err();
        assert_eq!(of(&late), (Code::DeadlineExceeded, Outcome::MaybeExecuted), "{late}");
    });
}
