//! Requests over real sockets, right and wrong ones.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::http::{Asked, read};
use super::{Connections, Exporter, MAX_CONNECTIONS};

/// Time after which a test hangs.
const TEST_TIMEOUT: Duration = Duration::from_secs(60);
/// What is at once on a busy machine, and less than silent connections have.
const SOON: Duration = Duration::from_secs(10);

/// Runs a test with the address of an exporter.
fn run(test: impl AsyncFnOnce(std::net::SocketAddr)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut exporter = Exporter::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        exporter.max_time = TEST_TIMEOUT;
        let address = exporter.address().unwrap();
        let running = tokio::spawn(exporter.run());
        tokio::time::timeout(TEST_TIMEOUT, test(address)).await.expect("the test hangs");
        running.abort();
    });
}

/// Returns all that a request is answered.
async fn ask(stream: &mut TcpStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[test]
fn numbers_are_told_and_other_requests_are_refused() {
    run(async |address| {
        metrics::counter!("exporter_test_total").absolute(41);
        for (request, status, part) in [
            ("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "200 OK", "\nexporter_test_total 41\n"),
            ("GET /metrics?x=1 HTTP/1.0\r\n\r\n", "200 OK", "text/plain; version=0.0.4"),
            ("GET / HTTP/1.1\r\n\r\n", "404 Not Found", "the numbers are at /metrics"),
            ("POST /metrics HTTP/1.1\r\n\r\n", "405 Method Not Allowed", "Allow: GET, HEAD\r\n"),
            ("\u{1}\r\n\r\n", "400 Bad Request", "no request of HTTP/1.1"),
        ] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let answer = ask(&mut stream, request).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{request}: {answer}");
            assert!(answer.contains(part), "{request}: {answer}");
        }
        let mut stream = TcpStream::connect(address).await.unwrap();
        let answer = ask(&mut stream, "HEAD /metrics HTTP/1.1\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\n"), "{answer}");
    });
}

#[test]
fn a_request_without_end_is_refused() {
    assert_eq!(read(b"GET /metrics HTTP/1.1\r\nA: "), Asked::More);
    let endless = format!("GET /metrics HTTP/1.1\r\nA: {}", "a".repeat(8 * 1024));
    assert!(matches!(read(endless.as_bytes()), Asked::Refused(status, _) if status.starts_with("431")));
    let many = format!("GET /metrics HTTP/1.1\r\n{}\r\n", "A: a\r\n".repeat(65));
    assert!(matches!(read(many.as_bytes()), Asked::Refused(status, _) if status.starts_with("431")));
}

/// Connections that say nothing, or not all of their request, hold up none that asks.
#[test]
fn silent_connections_give_way_at_once() {
    run(async |address| {
        let mut silent = Vec::new();
        for number in 0..3 * MAX_CONNECTIONS {
            let mut stream = TcpStream::connect(address).await.unwrap();
            if number % 2 == 0 {
                // It may be closed already.
                let _ = stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: ").await;
            }
            silent.push(stream);
        }
        for _ in 0..3 {
            let mut next = TcpStream::connect(address).await.unwrap();
            let asking = ask(&mut next, "GET /metrics HTTP/1.1\r\n\r\n");
            // Long before the silent ones have had their time.
            let answer = tokio::time::timeout(SOON, asking).await.expect("it waits for others");
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        }
        // The oldest were closed.
        let mut rest = Vec::new();
        let _ = tokio::time::timeout(SOON, silent[0].read_to_end(&mut rest)).await.expect("it is closed");
    });
}

/// Those that have asked are answered, however many others come, and do not read.
#[test]
fn connections_that_have_asked_keep_their_places() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut connections = Connections::default();
        let (release, released) = tokio::sync::watch::channel(false);
        for _ in 0..MAX_CONNECTIONS {
            let mut released = released.clone();
            connections.add(|asked| async move {
                asked.store(true, Ordering::Release);
                let _ = released.wait_for(|is_released| *is_released).await;
            });
        }
        tokio::task::yield_now().await;
        assert!(!connections.has_room(), "the next one waits");
        release.send(true).unwrap();
        assert!(connections.tasks.join_next().await.unwrap().is_ok(), "it was not ended");
        assert!(connections.has_room());
    });
}
