//! Tracing: a span at each end of a call, in one trace across any number of servers.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::Registry;
use zsvc::Code;
use zsvc::middleware::Tracing;
use zsvc_calls::Probe;
use zsvc_calls::probe::v1::{ProbeClient, Route};

use crate::relay::Relay;
use crate::support::{ANY_PORT, Running, on_one_thread};

/// A span with its fields.
#[derive(Debug, Clone, Default)]
struct Opened {
    name: &'static str,
    fields: BTreeMap<&'static str, String>,
}

impl Visit for Opened {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.fields.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.insert(field.name(), value.to_owned());
    }
}

impl Opened {
    fn get(&self, field: &str) -> &str {
        self.fields.get(field).map_or("", String::as_str)
    }
}

/// Collects all spans of the target `zsvc`.
#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Spans>>);

#[derive(Debug, Default)]
struct Spans {
    open: BTreeMap<u64, Opened>,
    closed: Vec<Opened>,
}

impl Captured {
    /// Returns the only span with this name for this method, which must be closed.
    fn one(&self, name: &str, method: &str) -> Opened {
        let spans = self.0.lock().unwrap();
        let fits = |span: &&Opened| span.name == name && span.get("rpc.method") == method;
        let found: Vec<_> = spans.closed.iter().filter(fits).cloned().collect();
        assert_eq!(found.len(), 1, "{name} {method}: {spans:#?}");
        found[0].clone()
    }
}

impl Layer<Registry> for Captured {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, _: Context<'_, Registry>) {
        if attributes.metadata().target() == "zsvc" {
            let mut opened = Opened { name: attributes.metadata().name(), ..Opened::default() };
            attributes.record(&mut opened);
            self.0.lock().unwrap().open.insert(id.into_u64(), opened);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, Registry>) {
        if let Some(opened) = self.0.lock().unwrap().open.get_mut(&id.into_u64()) {
            values.record(opened);
        }
    }

    fn on_close(&self, id: Id, _: Context<'_, Registry>) {
        // The registry reuses its ids.
        let mut spans = self.0.lock().unwrap();
        let closed = spans.open.remove(&id.into_u64());
        spans.closed.extend(closed);
    }
}

/// Runs a test with a subscriber that collects spans, and passes the spans to the test.
fn captured<F: Future<Output = ()>>(test: impl FnOnce(Captured) -> F) {
    let captured = Captured::default();
    let subscriber = tracing_subscriber::registry().with(captured.clone());
    let _default = tracing::subscriber::set_default(subscriber);
    on_one_thread(test(captured));
}

fn server(behind: Option<ProbeClient>) -> Running {
    let probe = Probe { behind, ..Probe::default() };
    Running::of(probe, |server| server.bind(ANY_PORT).middleware(Tracing::new()))
}

async fn client(server: &Running) -> ProbeClient {
    server.client_with(|channel| channel.middleware(Tracing::new())).await
}

#[test]
fn a_call_over_two_servers_is_one_trace_wherever_it_is_awaited() {
    for route in [Route::AtOnce, Route::Later, Route::Spawned] {
        over_two_servers(route);
    }
}

fn over_two_servers(route: Route) {
    captured(|spans| async move {
        let back = server(None);
        let front = server(Some(client(&back).await));
        let probe = client(&front).await;
        let seen = probe.look_behind(route).await.unwrap();
        let outer = spans.one("call", "look_behind");
        let handled = spans.one("handle", "look_behind");
        let inner = spans.one("call", "look");
        let innermost = spans.one("handle", "look");
        assert_eq!(outer.get("parent_id"), "");
        assert_eq!(outer.get("trace_id").len(), 32);
        let chain = [&outer, &handled, &inner, &innermost];
        for pair in chain.windows(2) {
            assert_eq!(pair[0].get("span_id").len(), 16);
            assert_eq!(pair[1].get("parent_id"), pair[0].get("span_id"));
            assert_eq!(pair[1].get("trace_id"), pair[0].get("trace_id"));
        }
        for span in chain {
            assert_eq!((span.get("rpc.system"), span.get("ending"), span.get("error")), ("zsvc", "ok", ""));
        }
        assert_eq!(outer.get("otel.name"), "probe.v1.Probe/look_behind");
        assert_eq!((outer.get("otel.kind"), handled.get("otel.kind")), ("client", "server"));
        // The context that the handler would forward by hand names its own span.
        let own = format!("00-{}-{}-01", innermost.get("trace_id"), innermost.get("span_id"));
        assert_eq!(seen.texts["traceparent"], own);
    });
}

#[test]
fn the_trace_and_state_of_a_caller_are_continued() {
    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
    captured(|spans| async move {
        let back = server(None);
        let front = server(Some(client(&back).await));
        let probe = client(&front).await;
        let call = probe.look_behind(Route::AtOnce);
        let seen = call.metadata("traceparent", PARENT).metadata("tracestate", "vendor=1").await.unwrap();
        let outer = spans.one("call", "look_behind");
        assert_eq!(outer.get("parent_id"), "b7ad6b7169203331");
        assert_eq!(outer.get("trace_id"), "0af7651916cd43dd8448eb211c80319c");
        assert!(seen.texts["traceparent"].starts_with("00-0af7651916cd43dd8448eb211c80319c-"));
        assert!(seen.texts["traceparent"].ends_with("-00"), "the trace is not sampled");
        assert_eq!(seen.texts["tracestate"], "vendor=1");
    });
}

#[test]
fn an_invalid_trace_starts_a_new_one() {
    captured(|spans| async move {
        let server = server(None);
        // A client may send an arbitrary trace context.
        let probe = server.client().await;
        let call = probe.look().metadata("traceparent", "00-0-0-00").metadata("tracestate", "vendor=1");
        let seen = call.await.unwrap();
        let span = spans.one("handle", "look");
        assert_eq!((span.get("parent_id"), span.get("trace_id").len()), ("", 32));
        assert_eq!(seen.texts.get("tracestate"), None, "the state belongs to another trace");
        assert!(seen.texts["traceparent"].contains(span.get("trace_id")));
    });
}

#[test]
fn a_span_records_that_its_handler_is_out_of_time() {
    captured(|spans| async move {
        let server = server(None);
        let relay = Relay::to(server.endpoint());
        let probe = ProbeClient::connect(relay.endpoint()).await.unwrap();
        let deaf = async {
            server.journal.has("a began").await;
            // The client's cancellation does not reach the server.
            relay.turn_deaf();
        };
        let (result, ()) = tokio::join!(probe.hold("a").deadline(Duration::from_secs(1)), deaf);
        assert_eq!(result.unwrap_err().code(), Code::DeadlineExceeded);
        server.journal.has("a dropped").await;
        assert_eq!(spans.one("handle", "hold").get("ending"), "deadline_exceeded");
    });
}

#[test]
fn spans_record_how_calls_end() {
    captured(|spans| async move {
        let server = server(None);
        let probe = client(&server).await;
        probe.refuse(None).await.unwrap_err();
        probe.fail(5, "nothing there").await.unwrap_err();
        probe.blow_up(true).await.unwrap_err();
        assert_eq!(probe.count(3).await.unwrap().count().await, 3);
        probe.hold_briefly("a").await.unwrap_err();
        server.journal.has("a dropped").await;
        for name in ["call", "handle"] {
            let ended = |method: &str| spans.one(name, method).get("ending").to_owned();
            assert_eq!(ended("refuse"), "declared");
            assert_eq!(ended("fail"), "not_found");
            assert_eq!(ended("blow_up"), "internal");
            assert_eq!(ended("count"), "ok");
            assert_eq!(spans.one(name, "refuse").get("error"), "declared: refused flatly");
        }
        // At the server, the cancellation may come before its own deadline.
        assert_eq!(spans.one("call", "hold_briefly").get("ending"), "deadline_exceeded");
        let mut stream = probe.hold_stream("b").await.unwrap();
        assert_eq!(stream.next().await, Some(Ok(0)));
        drop(stream);
        server.journal.has("b dropped").await;
        assert_eq!(spans.one("call", "hold_stream").get("ending"), "cancelled");
        assert_eq!(spans.one("handle", "hold_stream").get("ending"), "cancelled");
    });
}
