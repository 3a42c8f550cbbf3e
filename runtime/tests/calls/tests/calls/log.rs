//! Log events: what the runtime says of connections and clients, with the feature `tracing`.

use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tracing::Event;
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::Registry;
use zsvc::curve::{Access, Client, CurveClient, CurveServer, generate};
use zsvc::{Channel, Engine, Retry};
use zsvc_calls::probe::v1::ProbeClient;
use zsvc_calls::{Probe, engines};

use crate::raw;
use crate::support::{Running, free_endpoint, on_one_thread};

/// Collects the events of the target `zsvc`, as their level and their fields.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

#[derive(Default)]
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = write!(self.0, " {}={value:?}", field.name());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let _ = write!(self.0, " {}={value}", field.name());
    }
}

impl Layer<Registry> for Log {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, Registry>) {
        if event.metadata().target() == "zsvc" {
            let mut line = Line(event.metadata().level().to_string());
            event.record(&mut line);
            self.0.lock().unwrap().push(line.0);
        }
    }
}

impl Log {
    /// Returns the lines that have all of these words.
    fn lines(&self, words: &[&str]) -> Vec<String> {
        let lines = self.0.lock().unwrap();
        lines.iter().filter(|line| words.iter().all(|word| line.contains(word))).cloned().collect()
    }

    /// Waits for a line that has all of these words.
    async fn has(&self, words: &[&str]) -> String {
        loop {
            if let Some(line) = self.lines(words).pop() {
                return line;
            }
            tokio::task::yield_now().await;
        }
    }
}

fn logged<F: Future<Output = ()>>(test: impl FnOnce(Log) -> F) {
    let log = Log::default();
    let subscriber = tracing_subscriber::registry().with(log.clone());
    let _default = tracing::subscriber::set_default(subscriber);
    on_one_thread(test(log));
}

#[test]
fn a_lost_connection_and_its_return_are_logged() {
    logged(|log| async move {
        let endpoint = free_endpoint();
        let server = Running::again(&endpoint).await;
        let probe = server.client_with(|channel| channel.retry(Retry::none())).await;
        probe.echo("up").await.unwrap();
        assert_eq!(log.lines(&["connection"]), [""; 0], "that it is up the first time is no news");
        server.kill().await;
        let lost = log.has(&["WARN", "lost the connection to a server"]).await;
        assert!(lost.contains(&endpoint) && lost.contains("suppressed=0"), "{lost}");
        let server = Running::again(&endpoint).await;
        log.has(&["INFO", "is back", &endpoint]).await;
        probe.channel().clone().close(Duration::from_secs(5)).await.unwrap();
        drop(probe);
        server.stop().await;
        assert_eq!(log.lines(&["lost the connection"]).len(), 1, "one that is closed is not lost");
    });
}

#[test]
fn a_client_that_is_given_up_is_logged() {
    logged(|log| async move {
        let server = Running::with(|server| server.peer_timeout(Duration::from_millis(200))).lossy();
        let dealer = raw::dealer(server.endpoint());
        dealer.send(raw::call_of_hold("a"), 0).unwrap();
        let line = log.has(&["WARN", "gave up a client with calls in flight"]).await;
        assert!(line.contains("peer=") && line.contains("why=it "), "{line}");
        assert_eq!(server.counters.lost_peers(), 1);
    });
}

/// libzmq does not tell of them.
#[test]
fn a_refused_handshake_is_logged() {
    if engines::of_servers() != Engine::Zmtp {
        return;
    }
    logged(|log| async move {
        let server = Running::start();
        for _ in 0..15 {
            let address = server.endpoint().trim_start_matches("tcp://");
            let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        }
        while server.counters.refused_connections() < 15 {
            tokio::task::yield_now().await;
        }
        let lines = log.lines(&["WARN", "refused a connection", "why="]);
        assert_eq!(lines.len(), 10, "the others are counted: {lines:#?}");
    });
}

#[test]
fn a_server_that_others_reach_without_encryption_is_warned_of_once() {
    logged(|log| async move {
        let warned = &["WARN", "listening without encryption"][..];
        drop([Running::start(), Running::again(&free_endpoint()).await]);
        assert_eq!(log.lines(warned), [""; 0], "no other machine reaches these");
        let open = Running::of(Probe::default(), |server| server.bind("tcp://*:*").bind("tcp://*:*"));
        let lines = log.lines(warned);
        assert!(lines.len() == 1 && lines[0].contains(open.endpoint()), "{lines:#?}");
        let curve = CurveServer::new(generate().unwrap()).any_client();
        let set = |server: zsvc::ServerBuilder| server.engine(Engine::Zmtp).bind("tcp://*:*").curve(curve);
        drop(Running::of(Probe::default(), set));
        assert_eq!(log.lines(warned).len(), 1, "it is encrypted");
    });
}

#[test]
fn a_key_that_is_refused_is_logged_with_where_it_comes_from_and_without_secrets() {
    logged(|log| async move {
        let [server_key, key] = [(); 2].map(|()| generate().unwrap());
        let curve = CurveServer::new(server_key.clone()).allow(server_key.public_key());
        let server = Running::with(|server| server.engine(Engine::Zmtp).curve(curve));
        let curve = CurveClient::new(server_key.public_key(), key.clone());
        let channel = Channel::builder().endpoint(server.endpoint()).engine(Engine::Zmtp).curve(curve);
        assert!(channel.fail_fast().connect().await.is_err());
        let line = log
            .has(&["WARN", "refused a client that has proved its key", "reason=denied", "address=127.0.0.1:"])
            .await;
        assert!(line.contains(&format!("key={}", key.public_key())), "{line}");
        let secrets = [key.to_z85(), server_key.to_z85()];
        let lines = log.lines(&[]);
        assert!(lines.iter().all(|line| secrets.iter().all(|secret| !line.contains(secret.as_str()))));
    });
}

#[test]
fn a_client_that_is_let_in_and_taken_out_again_is_logged_by_its_name() {
    logged(|log| async move {
        let [server_key, own] = [(); 2].map(|()| generate().unwrap());
        let access = Access::new([Client::new("desk").key(own.public_key())]).unwrap();
        let curve = CurveServer::new(server_key.clone()).access(access.clone());
        let server = Running::with(|server| server.engine(Engine::Zmtp).curve(curve)).lossy();
        let curve = CurveClient::new(server_key.public_key(), own.clone());
        let channel = Channel::builder().endpoint(server.endpoint()).engine(Engine::Zmtp).curve(curve);
        let probe = ProbeClient::new(channel.connect().await.unwrap());
        let key = format!("key={}", own.public_key());
        log.has(&["DEBUG", "let a client in", "client=desk", "mechanism=curve", &key, "address=127.0.0.1:"])
            .await;
        access.remove("desk");
        let out = [
            "INFO",
            "is not let in as it was any more",
            "client=desk",
            "mechanism=curve",
            &key,
            "why=",
            "address=",
        ];
        log.has(&out).await;
        log.has(&[
            "WARN",
            "refused a client that has proved its key",
            "no client with this key is known",
            &key,
        ])
        .await;
        let secrets = [own.to_z85(), server_key.to_z85()];
        let lines = log.lines(&[]);
        assert!(lines.iter().all(|line| secrets.iter().all(|secret| !line.contains(secret.as_str()))));
        drop(probe);
    });
}

/// Both windows fill up: the handler waits until its answers are read.
#[test]
fn a_client_that_sends_all_before_it_reads_is_warned_and_goes_on_when_it_reads() {
    logged(|log| async move {
        let server = Running::start();
        let probe = server.client().await;
        let (sink, mut back) = probe.mirror("a").await.unwrap();
        let item = bytes::Bytes::from(vec![7; 60_000]);
        let sent = tokio::spawn(async move {
            for _ in 0..60 {
                sink.send(item.clone()).await.unwrap();
            }
            sink.finish();
        });
        let line = log.has(&["WARN", "read them while you send"]).await;
        assert!(line.contains("probe.v1.Probe/mirror"), "{line}");
        assert!(!sent.is_finished());
        let mut items = 0;
        while let Some(item) = back.next().await {
            item.unwrap();
            items += 1;
        }
        sent.await.unwrap();
        assert_eq!((items, log.lines(&["read them while"]).len()), (60, 1));
    });
}

#[test]
fn such_a_client_is_warned_also_in_a_runtime_without_timers() {
    logged(|log| async move {
        let server = Running::start();
        let probe = server.client().await;
        let (sink, mut back) = probe.mirror("a").await.unwrap();
        let logs = tracing::dispatcher::get_default(Clone::clone);
        let sent = tokio::task::spawn_blocking(move || {
            let other = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let item = bytes::Bytes::from(vec![7; 60_000]);
            let send = async {
                for _ in 0..60 {
                    sink.send(item.clone()).await.unwrap();
                }
                sink.finish();
            };
            tracing::dispatcher::with_default(&logs, || other.block_on(send));
        });
        log.has(&["WARN", "read them while you send"]).await;
        while let Some(item) = back.next().await {
            item.unwrap();
        }
        sent.await.unwrap();
    });
}

/// Waiting for a slow server is no stall, as long as answers are read.
#[test]
fn a_client_that_reads_while_it_sends_is_not_warned() {
    logged(|log| async move {
        let server = Running::start();
        let probe = server.client().await;
        let (sink, mut back) = probe.mirror("a").await.unwrap();
        let item = bytes::Bytes::from(vec![7; 60_000]);
        let send = async {
            for _ in 0..60 {
                sink.send(item.clone()).await.unwrap();
            }
            sink.finish();
        };
        let read = async {
            let mut items = 0;
            while let Some(item) = back.next().await {
                item.unwrap();
                items += 1;
            }
            items
        };
        assert_eq!(tokio::join!(send, read).1, 60);
        assert_eq!(log.lines(&["read them while"]), [""; 0]);
    });
}
