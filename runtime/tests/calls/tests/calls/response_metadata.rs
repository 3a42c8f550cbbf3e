//! What a server sends beside its answer or its stream.

use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use futures_util::StreamExt;
use zsvc::middleware::{
    ClientMiddleware, ClientNext, ClientRequest, Response, ServerMiddleware, ServerNext, ServerRequest,
};
use zsvc::{Code, Error, Metadata, MetadataValue, Outcome, ResponseMetadata};
use zsvc_calls::Journal;
use zsvc_calls::probe::v1::Refused;

use crate::support::{Running, on_one_thread};

/// Returns the names and values, as text.
fn texts(response: &ResponseMetadata) -> Vec<(String, String)> {
    response.get().iter().map(|(name, value)| (name.to_owned(), value.to_string())).collect()
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[test]
fn it_arrives_with_the_answer() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client().await;
        let response = ResponseMetadata::new();
        let blob = Bytes::from_static(&[0, 255]);
        let call = probe.look().metadata("back-a", "1").metadata("back-b", blob.clone());
        call.response_metadata(&response).await.unwrap();
        assert_eq!(response.text("back-a").as_deref(), Some("1"));
        assert_eq!(response.get().get("back-b"), Some(&MetadataValue::Bytes(blob)));
        // The next call begins with none; one that does not ask is none the worse.
        probe.look().response_metadata(&response).await.unwrap();
        assert!(response.get().is_empty());
        probe.look().metadata("back-a", "1").await.unwrap();
    });
}

#[test]
fn it_arrives_with_an_error() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client().await;
        let response = ResponseMetadata::new();
        let refused = probe.refuse(None).metadata("back-why", "closed").response_metadata(&response).await;
        assert_eq!(refused, Err(Error::Declared(Refused::Flatly)));
        assert_eq!(texts(&response), [pair("back-why", "closed")]);
    });
}

/// What is sent first is there before the first item, and what is sent last once the stream has ended.
#[test]
fn it_arrives_before_and_after_the_items_of_a_stream() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client().await;
        let response = ResponseMetadata::new();
        let call = probe.count(100_000).metadata("back-first", "1").metadata("last-end", "2");
        let mut numbers = call.response_metadata(&response).await.unwrap();
        assert_eq!(numbers.next().await, Some(Ok(0)));
        assert_eq!(texts(&response), [pair("back-first", "1")], "credit holds the handler back");
        assert_eq!(numbers.by_ref().count().await, 99_999);
        assert_eq!(texts(&response), [pair("back-first", "1"), pair("last-end", "2")]);
    });
}

/// Sends as much as half of what may be.
struct Half;

impl ServerMiddleware for Half {
    async fn handle(&self, request: ServerRequest, next: ServerNext<'_>) -> Response {
        request.send_metadata("half", vec![0; Metadata::MAX_BYTES / 2]).expect("it is the first");
        next.run(request).await
    }
}

#[test]
fn more_than_may_be_is_refused_where_it_is_sent() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client().await;
        let response = ResponseMetadata::new();
        let long = "x".repeat(Metadata::MAX_BYTES - 100);
        probe.look().metadata("back-long", long).response_metadata(&response).await.unwrap();
        // The middleware of the server and its handler together.
        let server = Running::with(|server| server.middleware(Half));
        let probe = server.client().await;
        let call = probe.look().metadata("back-long", vec![0; Metadata::MAX_BYTES / 2]);
        let status = call.response_metadata(&response).await.unwrap_err();
        // The handler has passed it on.
        assert_eq!((status.code(), status.outcome()), (Code::ResourceExhausted, Outcome::Executed));
        assert!(status.message().contains("at most 16384 may be"), "{status}");
        assert_eq!(response.get().len(), 1);
    });
}

#[test]
fn a_one_way_call_has_none() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client().await;
        probe.note("written all the same").metadata("back-a", "1").delivered().await.unwrap();
        server.journal.has("written all the same").await;
        let lines = server.journal.lines();
        assert!(lines.iter().any(|line| line.contains("a one-way call has no answer")), "{lines:?}");
    });
}

/// A middleware of the client and its caller see the same; each attempt begins with none.
#[test]
fn middleware_of_both_sides_takes_part() {
    struct Numbering(AtomicU32);
    impl ServerMiddleware for Numbering {
        async fn handle(&self, request: ServerRequest, next: ServerNext<'_>) -> Response {
            let attempt = self.0.fetch_add(1, Ordering::Relaxed) + 1;
            request.send_metadata(format!("attempt-{attempt}"), "").unwrap();
            next.run(request).await
        }
    }
    struct Seeing(Journal);
    impl ClientMiddleware for Seeing {
        async fn handle(&self, mut request: ClientRequest, mut next: ClientNext<'_>) -> Response {
            let seen = request.response_metadata();
            let response = next.run(request).await;
            self.0.write(format!("{:?}", texts(&seen)));
            response
        }
    }
    on_one_thread(async {
        let server = Running::with(|server| server.middleware(Numbering(AtomicU32::new(0))));
        let journal = Journal::default();
        let seeing = Seeing(journal.clone());
        let probe = server.client_with(|channel| channel.middleware(seeing)).await;
        let response = ResponseMetadata::new();
        let unavailable = 14;
        let call = probe.fail_at_first("a", 1, unavailable).response_metadata(&response);
        assert_eq!(call.await.unwrap(), 2, "it was made twice");
        assert_eq!(texts(&response), [pair("attempt-2", "")]);
        probe.look().await.unwrap();
        assert_eq!(journal.lines(), [r#"[("attempt-2", "")]"#, r#"[("attempt-3", "")]"#]);
    });
}
