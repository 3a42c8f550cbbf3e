//! Connections that are slow, narrow, silent in one direction, or cut, by a proxy between client and server.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::stream;
use zsvc::{ChannelDropped, Code, Outcome};
use zsvc_faults::Proxy;

use crate::support::{Served, client, client_with, run, until};

/// Time after which a client gives up a connection that is silent, by default: 3 s until it asks, and 10 s for the answer.
const SILENCE: Duration = Duration::from_secs(13);

const LOST: (Code, Outcome) = (Code::Unavailable, Outcome::MaybeExecuted);

#[test]
fn calls_over_a_slow_connection_take_longer_and_come_to_the_same() {
    run(async {
        let server = Served::start().await;
        let proxy = Proxy::to(server.endpoint()).unwrap();
        let ledger = client(proxy.endpoint()).await;
        proxy.set(|rules| {
            rules.to_server.delay = Duration::from_millis(120);
            rules.to_client.delay = Duration::from_millis(80);
        });
        let calls = (0..50).map(|key| ledger.enter(key, Duration::ZERO));
        for (key, answer) in (0..).zip(futures_util::future::join_all(calls).await) {
            assert_eq!(answer.unwrap(), key);
        }
        let late = ledger.enter(50, Duration::ZERO).deadline(Duration::from_millis(100)).await.unwrap_err();
        assert_eq!(late.code(), Code::DeadlineExceeded);
    });
}

#[test]
fn a_narrow_connection_carries_a_stream_whole_and_is_not_taken_for_dead() {
    run(async {
        let server = Served::with(&[]).await;
        let proxy = Proxy::to(server.endpoint()).unwrap();
        // The credit granted is in transit at once, and heartbeats wait behind it.
        let ledger = client_with(proxy.endpoint(), |channel| channel.stream_window(2_000)).await;
        proxy.set(|rules| {
            rules.to_server.bytes_per_second = Some(1_024);
            rules.to_client.bytes_per_second = Some(1_024);
        });
        // About 15 KB, which take longer than a connection may be silent.
        let began = Instant::now();
        let mut items = ledger.watch(30, 500).await.unwrap();
        let mut count = 0;
        while let Some(item) = items.next().await {
            assert_eq!(item.unwrap().len(), 500);
            count += 1;
        }
        assert_eq!(count, 30);
        assert!(began.elapsed() > SILENCE, "otherwise nothing was shown");
    });
}

#[test]
fn a_connection_that_is_cut_fails_its_calls_at_once_and_comes_back() {
    run(async {
        let server = Served::start().await;
        let proxy = Proxy::to(server.endpoint()).unwrap();
        let ledger = client(proxy.endpoint()).await;
        let direct = server.client().await;
        let waiting = tokio::spawn(ledger.wait().no_deadline());
        until(&direct, |server| server.running == 1).await.unwrap();
        proxy.cut();
        let status = waiting.await.unwrap().unwrap_err();
        assert_eq!((status.code(), status.outcome()), LOST, "{status}");
        assert_eq!(ledger.enter(1, Duration::ZERO).await.unwrap(), 1);
        until(&direct, |server| server.running == 0).await.unwrap();
    });
}

#[test]
fn a_connection_that_swallows_what_the_server_says_is_found_dead_and_comes_back() {
    swallowed(|proxy| proxy.set(|rules| rules.to_client.swallows = true));
}

#[test]
fn a_connection_that_swallows_what_the_client_says_is_found_dead_and_comes_back() {
    swallowed(|proxy| proxy.set(|rules| rules.to_server.swallows = true));
}

fn swallowed(begin: fn(&Proxy)) {
    run(async {
        let server = Served::start().await;
        let proxy = Proxy::to(server.endpoint()).unwrap();
        let ledger = client(proxy.endpoint()).await;
        let direct = server.client().await;
        let waiting = tokio::spawn(ledger.wait().no_deadline());
        until(&direct, |server| server.running == 1).await.unwrap();
        begin(&proxy);
        let status = waiting.await.unwrap().unwrap_err();
        assert_eq!((status.code(), status.outcome()), LOST, "{status}");
        // The server detects it by itself.
        until(&direct, |server| server.running == 0).await.unwrap();
        proxy.heal();
        assert_eq!(ledger.enter(1, Duration::ZERO).no_deadline().await.unwrap(), 1);
    });
}

/// The server is asked once a second what it has read, so that what is counted is what was lost.
#[test]
fn one_way_calls_on_a_silently_dead_connection_are_counted() {
    run(async {
        let server = Served::start().await;
        let proxy = Proxy::to(server.endpoint()).unwrap();
        let ledger = client(proxy.endpoint()).await;
        let counters = ledger.channel().counters();
        for key in 0..20 {
            ledger.note(key).await.unwrap();
        }
        ledger.note(20).delivered().await.unwrap();
        proxy.set(|rules| rules.to_server.swallows = true);
        for key in 21..31 {
            ledger.note(key).await.unwrap();
        }
        let status = ledger.note(31).delivered().no_deadline().await.unwrap_err();
        assert_eq!((status.code(), status.outcome()), LOST, "{status}");
        proxy.heal();
        ledger.note(32).delivered().no_deadline().await.unwrap();
        let direct = server.client().await;
        until(&direct, |server| server.calls >= 22).await.unwrap();
        let counted = [ChannelDropped::OneWay, ChannelDropped::OneWaySent].map(|why| counters.dropped(why));
        assert_eq!(counted.iter().sum::<u64>(), 11, "{counted:?}");
    });
}

#[test]
fn a_connection_whose_half_is_closed_fails_its_calls_at_once_and_comes_back() {
    run(async {
        let server = Served::start().await;
        let direct = server.client().await;
        for half in [false, true] {
            let proxy = Proxy::to(server.endpoint()).unwrap();
            let ledger = client(proxy.endpoint()).await;
            let waiting = tokio::spawn(ledger.wait().no_deadline());
            until(&direct, |server| server.running == 1).await.unwrap();
            proxy.set(|rules| {
                rules.to_client.half_closed = half;
                rules.to_server.half_closed = !half;
            });
            let status = waiting.await.unwrap().unwrap_err();
            assert_eq!((status.code(), status.outcome()), LOST, "{status}");
            proxy.heal();
            assert_eq!(ledger.enter(1, Duration::ZERO).await.unwrap(), 1);
            until(&direct, |server| server.running == 0).await.unwrap();
        }
    });
}

#[test]
fn a_stream_of_a_client_whose_connection_is_cut_never_counts_as_whole() {
    run(async {
        let server = Served::start().await;
        let proxy = Proxy::to(server.endpoint()).unwrap();
        let ledger = client(proxy.endpoint()).await;
        let direct = server.client().await;
        let item = || Bytes::from_static(&[7; 1_000]);
        let endless = stream::repeat_with(item);
        let gathering = tokio::spawn(ledger.gather(1, endless).no_deadline());
        until(&direct, |server| server.running == 1).await.unwrap();
        proxy.cut();
        let status = gathering.await.unwrap().unwrap_err();
        assert_eq!((status.code(), status.outcome()), LOST, "{status}");
        until(&direct, |server| server.running == 0).await.unwrap();
        assert_eq!((server.written(1), direct.look().await.unwrap().gathered), (0, 0));
    });
}
