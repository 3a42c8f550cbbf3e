//! Server middleware: what it sees of a call, what it may change, and what it can't break.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use zsvc::middleware::{Response, ServerMiddleware, ServerNext, ServerRequest};
use zsvc::{Code, Dropped, Error, Method, MethodKind, Outcome, ServerBuilder, Status, generated::Plain};
use zsvc_calls::probe::v1::{ProbeClient, Refused};
use zsvc_calls::{Journal, Probe};

use crate::support::{ANY_PORT, Running, on_one_thread, on_threads};

/// Starts a server of the probe whose journal is shared with its middleware.
fn running(set: impl FnOnce(ServerBuilder, Journal) -> ServerBuilder) -> Running {
    let probe = Probe::default();
    let journal = probe.journal.clone();
    Running::of(probe, |server| set(server.bind(ANY_PORT), journal))
}

/// Writes the start and end of calls to the journal.
struct Watching {
    name: &'static str,
    journal: Journal,
}

impl ServerMiddleware for Watching {
    async fn handle(&self, request: ServerRequest, next: ServerNext<'_>) -> Response {
        let (name, method) = (self.name, short(request.method()));
        let entry = self.journal.begin(format!("{name} {method}"));
        let (parameters, traffic) = (request.parameter_bytes(), request.traffic());
        let response = next.run(request).await;
        let (sent, streamed) = (traffic.request_bytes(), traffic.answer_bytes());
        let answered = response.answer_bytes();
        self.journal
            .write(format!("{name} {method}: {parameters} of {sent}, {answered} + {streamed}, {response}"));
        entry.done();
        response
    }
}

fn short(method: &Method) -> &str {
    method.name().rsplit('/').next().unwrap_or_default()
}

fn of(status: &Status) -> (Code, Outcome) {
    (status.code(), status.outcome())
}

async fn call_every_kind(probe: &ProbeClient) {
    assert_eq!(probe.echo("here").await.unwrap(), "here");
    assert_eq!(probe.refuse(None).await, Err(Error::Declared(Refused::Flatly)));
    probe.fail(5, "nothing there").await.unwrap_err();
    let numbers: Vec<_> = probe.count(3).await.unwrap().collect().await;
    assert_eq!(numbers, [Ok(0), Ok(1), Ok(2)]);
    assert_eq!(probe.sum("s", stream::iter(1..=10)).await, Ok(55));
    let (sink, mut back) = probe.mirror("m").await.unwrap();
    sink.send(Bytes::from_static(b"abc")).await.unwrap();
    assert_eq!(back.next().await.unwrap().unwrap(), "abc");
    sink.finish();
    assert!(back.next().await.is_none());
    probe.note("noted").await.unwrap();
}

/// Middleware sees the same for every kind of method, and on every runtime.
async fn every_kind() {
    let server = running(|server, journal| server.middleware(Watching { name: "w", journal }));
    call_every_kind(&server.client().await).await;
    for line in [
        "w echo: 7 of 7, 6 + 0, ok",
        "w refuse: 1 of 1, 3 + 0, declared: refused flatly",
        "w fail: 16 of 16, 0 + 0, not_found: nothing there (executed)",
        "w count: 2 of 2, 0 + 3, ok",
        "w sum: 3 of 13, 1 + 0, ok",
        "w mirror: 3 of 8, 0 + 5, ok",
        "w note: 7 of 7, 0 + 0, ok",
    ] {
        server.journal.has(line).await;
    }
}

#[test]
fn it_wraps_every_kind_of_call() {
    on_one_thread(every_kind());
    on_threads(every_kind());
}

#[test]
fn the_first_is_the_outermost() {
    on_one_thread(async {
        let server = running(|server, journal| {
            let inner = Watching { name: "inner", journal: journal.clone() };
            server.middleware(Watching { name: "outer", journal }).middleware(inner)
        });
        server.journal.open("a");
        assert_eq!(server.client().await.hold("a").await.unwrap(), "a");
        server.journal.has("outer hold done").await;
        let begun = |line: &String| line.ends_with("began") || line.ends_with("done");
        let lines: Vec<String> = server.journal.lines().into_iter().filter(begun).collect();
        let nested = [
            "outer hold began",
            "inner hold began",
            "a began",
            "a done",
            "inner hold done",
            "outer hold done",
        ];
        assert_eq!(lines, nested);
    });
}

/// Refuses calls without the metadata entry `tenant`.
struct Tenants;

impl ServerMiddleware for Tenants {
    async fn handle(&self, mut request: ServerRequest, next: ServerNext<'_>) -> Response {
        let Some(tenant) = request.metadata().text("tenant") else {
            return Status::unauthenticated("send `tenant` in the metadata").into();
        };
        let tier = if tenant == "7" { "gold" } else { "tin" };
        request.metadata_mut().insert("tier", tier);
        next.run(request).await
    }
}

#[test]
fn it_reads_and_adds_metadata() {
    on_one_thread(async {
        let server = running(|server, _| server.middleware(Tenants));
        let probe = server.client().await;
        let seen = probe.look().metadata("tenant", "7").metadata("tier", "platinum").await.unwrap();
        assert_eq!((seen.texts["tenant"].as_str(), seen.texts["tier"].as_str()), ("7", "gold"));
        assert_eq!(seen.method, "probe.v1.Probe/look");
        assert!(seen.time_left.unwrap() <= Duration::from_secs(30));
    });
}

#[test]
fn a_call_that_it_refuses_reaches_no_handler_and_is_not_read() {
    static PUT: Method = Method::new("probe.v1.Probe/put", MethodKind::Unary);
    on_one_thread(async {
        let server = running(|server, _| server.middleware(Tenants)).lossy();
        let probe = server.client().await;
        let refused = (Code::Unauthenticated, Outcome::NotSent);
        assert_eq!(of(&probe.echo("x").await.unwrap_err()), refused);
        // A string where a chest is expected.
        let unreadable = probe.channel().unary::<Plain, u32, Status>(&PUT, &vec!["text".to_owned()]).await;
        assert_eq!(of(&unreadable.unwrap_err()), refused);
        let streamed = probe.count(3).await.unwrap().next().await.unwrap().unwrap_err();
        assert_eq!(of(&streamed), refused);
        assert_eq!(of(&probe.sum("s", stream::pending()).await.unwrap_err()), refused);
        let (_sink, mut back) = probe.mirror("m").await.unwrap();
        assert_eq!(of(&back.next().await.unwrap().unwrap_err()), refused);
        assert_eq!(server.counters.refused_calls(), 5);
        probe.note("unheard").await.unwrap();
        probe.look().metadata("tenant", "7").await.unwrap();
        assert_eq!(server.counters.refused_calls(), 6);
        assert_eq!(server.counters.dropped(Dropped::OneWay), 1);
        assert_eq!(server.journal.lines(), Vec::<String>::new());
    });
}

/// Waits at a gate named after the method before it lets a call through.
struct Gate(Journal);

impl ServerMiddleware for Gate {
    async fn handle(&self, request: ServerRequest, next: ServerNext<'_>) -> Response {
        let gate = format!("gate {}", short(request.method()));
        let entry = self.0.begin(&gate);
        self.0.gate(&gate).await;
        let response = next.run(request).await;
        entry.done();
        response
    }
}

#[test]
fn what_a_client_sends_while_it_waits_is_kept() {
    on_one_thread(async {
        let server = running(|server, journal| server.middleware(Gate(journal)));
        let probe = server.client().await;
        let (sink, mut back) = probe.mirror("m").await.unwrap();
        for item in ["a", "b"] {
            sink.send(Bytes::from_static(item.as_bytes())).await.unwrap();
        }
        sink.finish();
        server.journal.has("gate mirror began").await;
        // Everything that was sent before has arrived by then: records keep their order.
        server.journal.open("gate look");
        probe.look().await.unwrap();
        server.journal.open("gate mirror");
        assert_eq!(back.next().await.unwrap().unwrap(), "a");
        assert_eq!(back.next().await.unwrap().unwrap(), "b");
        assert!(back.next().await.is_none());
        let sum = async { assert_eq!(probe.sum("s", stream::iter(1..=1_000)).await, Ok(500_500)) };
        let open = async {
            server.journal.has("gate sum began").await;
            probe.look().await.unwrap();
            server.journal.open("gate sum");
        };
        tokio::join!(sum, open);
    });
}

#[test]
fn a_cancelled_call_drops_it() {
    on_one_thread(async {
        let server = running(|server, journal| {
            let watching = Watching { name: "w", journal: journal.clone() };
            server.middleware(watching).middleware(Gate(journal))
        });
        let probe = server.client().await;
        tokio::select! {
            _ = probe.hold("a") => panic!("the call has ended early"),
            () = server.journal.has("gate hold began") => {}
        }
        server.journal.has("gate hold dropped").await;
        server.journal.has("w hold dropped").await;
        server.journal.open("gate hold");
        tokio::select! {
            _ = probe.hold("b") => panic!("the call has ended early"),
            () = server.journal.has("b began") => {}
        }
        server.journal.has("b dropped").await;
        server.journal.has_times("w hold dropped", 2).await;
        assert_eq!(server.journal.count("a began"), 0);
    });
}

#[test]
fn a_deadline_holds_for_it() {
    on_one_thread(async {
        let server = running(|server, journal| server.middleware(Gate(journal)));
        let probe = server.client().await;
        let status = probe.hold_briefly("a").await.unwrap_err();
        assert_eq!(of(&status), (Code::DeadlineExceeded, Outcome::MaybeExecuted));
        server.journal.has("gate hold_briefly dropped").await;
        assert_eq!(server.journal.count("a began"), 0);
    });
}

/// Panics if the metadata ask for it.
struct Clumsy(Journal);

impl ServerMiddleware for Clumsy {
    async fn handle(&self, request: ServerRequest, next: ServerNext<'_>) -> Response {
        let when = request.metadata().text("panic").unwrap_or_default().to_owned();
        assert_ne!(when, "at once", "requested by the test");
        tokio::task::yield_now().await;
        assert_ne!(when, "later", "requested by the test");
        let response = next.run(request).await;
        self.0.write(format!("saw {response}"));
        assert_ne!(when, "after", "requested by the test");
        response
    }
}

#[test]
fn its_panic_ends_the_call_and_no_other() {
    on_one_thread(async {
        let server = running(|server, journal| {
            let watching = Watching { name: "w", journal: journal.clone() };
            server.middleware(watching).middleware(Clumsy(journal))
        });
        let probe = server.client().await;
        for (when, outcome) in
            [("at once", Outcome::NotSent), ("later", Outcome::NotSent), ("after", Outcome::Executed)]
        {
            let status = probe.echo("x").metadata("panic", when).await.unwrap_err();
            assert_eq!(of(&status), (Code::Internal, outcome), "{when}: {status}");
            let streamed = probe.count(2).metadata("panic", when).await.unwrap();
            let last = streamed.collect::<Vec<_>>().await.pop().unwrap().unwrap_err();
            assert_eq!(of(&last), (Code::Internal, outcome), "{when}: {last}");
        }
        let line = "w echo: 4 of 4, 0 + 0, internal: a middleware of the server panicked (not sent)";
        server.journal.has_times(line, 2).await;
        assert_eq!(probe.echo("x").await.unwrap(), "x");
    });
}

#[test]
fn it_sees_the_panic_of_a_handler() {
    on_one_thread(async {
        let server = running(|server, journal| server.middleware(Clumsy(journal)));
        let probe = server.client().await;
        for later in [false, true] {
            let status = probe.blow_up(later).await.unwrap_err();
            assert_eq!(of(&status), (Code::Internal, Outcome::MaybeExecuted));
        }
        let line = "saw internal: the handler panicked (maybe executed)";
        server.journal.has_times(line, 2).await;
        probe.blow_up_unheard().await.unwrap();
        server.journal.has_times(line, 3).await;
        assert_eq!(probe.echo("x").await.unwrap(), "x");
    });
}

/// Replaces the handler's result, after the handler or while it runs.
struct Impatient(Journal);

impl ServerMiddleware for Impatient {
    async fn handle(&self, request: ServerRequest, next: ServerNext<'_>) -> Response {
        let untrue = Status::aborted("enough").with_outcome(Outcome::NotSent);
        if request.method().name().ends_with("echo") {
            assert!(next.run(request).await.is_ok());
            return untrue.into();
        }
        let line = request.metadata().text("until").unwrap_or("never").to_owned();
        tokio::select! {
            response = next.run(request) => response,
            () = self.0.has(&line) => untrue.into(),
        }
    }
}

#[test]
fn it_can_not_say_that_a_handler_did_not_run_which_did() {
    on_one_thread(async {
        let server = running(|server, journal| server.middleware(Impatient(journal)));
        let probe = server.client().await;
        assert_eq!(of(&probe.echo("x").await.unwrap_err()), (Code::Aborted, Outcome::Executed));
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
    });
}
