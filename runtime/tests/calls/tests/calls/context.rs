//! What a handler knows of its call: metadata, deadline, method, caller.

use std::time::Duration;

use bytes::Bytes;
use zsvc::{Code, Engine, Metadata, Outcome};
use zsvc_calls::{Probe, engines};

use crate::support::{ANY_PORT, Running, free_endpoint, on_one_thread};

#[test]
fn metadata_arrive_as_text_and_as_bytes() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client().await;
        let blob = Bytes::from_static(&[0, 255, 128]);
        let seen = probe
            .look()
            .metadata("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
            .metadata("empty", "")
            .metadata("blob", blob.clone())
            .metadata("twice", "first")
            .metadata("twice", "second")
            .await
            .unwrap();
        assert_eq!(seen.texts["traceparent"], "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        assert_eq!((seen.texts["empty"].as_str(), seen.texts["twice"].as_str()), ("", "second"));
        assert_eq!((seen.texts.len(), seen.blobs.len()), (3, 1));
        assert_eq!(seen.blobs["blob"], blob);
    });
}

#[test]
fn metadata_past_a_limit_are_not_sent() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client().await;
        let full = (0..Metadata::MAX_ENTRIES).fold(probe.look(), |call, n| call.metadata(n.to_string(), "x"));
        assert_eq!(full.await.unwrap().texts.len(), Metadata::MAX_ENTRIES);
        let many =
            (0..=Metadata::MAX_ENTRIES).fold(probe.look(), |call, n| call.metadata(n.to_string(), "x"));
        let large = probe.look().metadata("name", vec![0; Metadata::MAX_BYTES]);
        for call in [many, large] {
            let status = call.await.unwrap_err();
            assert_eq!((status.code(), status.outcome()), (Code::ResourceExhausted, Outcome::NotSent));
        }
        assert_eq!(server.counters.calls(), 1);
    });
}

#[test]
fn the_remaining_time_is_sent_and_not_the_time_of_day() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client().await;
        let left = probe.look().deadline(Duration::from_secs(10)).await.unwrap().time_left.unwrap();
        assert!(left > Duration::from_secs(2) && left <= Duration::from_secs(10), "{left:?}");
        assert_eq!(probe.look().no_deadline().await.unwrap().time_left, None);
        let default = probe.look().await.unwrap().time_left.unwrap();
        assert!(default > Duration::from_secs(20) && default <= Duration::from_secs(30), "{default:?}");
        let forever = probe.look().deadline(Duration::MAX).await.unwrap().time_left;
        assert_eq!(forever, None, "beyond the range of the clock");
    });
}

#[test]
fn a_channel_sets_the_deadline_of_calls_that_set_none() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client_with(|channel| channel.deadline(Duration::from_secs(5))).await;
        assert!(probe.look().await.unwrap().time_left.unwrap() <= Duration::from_secs(5));
        let probe = server.client_with(zsvc::ChannelBuilder::no_deadline).await;
        assert_eq!(probe.look().await.unwrap().time_left, None);
    });
}

#[test]
fn the_peer_is_the_same_for_one_connection_and_differs_for_another() {
    on_one_thread(async {
        let server = Running::start();
        let (one, other) = (server.client().await, server.client().await);
        let first = one.look().await.unwrap();
        assert_eq!(first.method, "probe.v1.Probe/look");
        assert_eq!(first.peer, one.clone().look().await.unwrap().peer);
        assert_ne!(first.peer, other.look().await.unwrap().peer);
    });
}

#[test]
fn the_address_of_a_caller_is_that_of_its_connection_over_tcp() {
    on_one_thread(async {
        let ipc = free_endpoint();
        let server = Running::of(Probe::default(), |server| server.bind(ANY_PORT).bind(ipc.as_str()));
        let (one, other) = (server.client().await, server.client().await);
        let addresses = [one.look().await.unwrap().address, other.look().await.unwrap().address];
        if engines::of_servers() == Engine::Libzmq {
            return assert_eq!(addresses, [None, None], "libzmq does not tell");
        }
        let addresses = addresses.map(|address| address.expect("it is TCP"));
        assert!(addresses.iter().all(|address| address.starts_with("127.0.0.1:")), "{addresses:?}");
        assert_ne!(addresses[0], addresses[1]);
        assert_eq!(one.look().await.unwrap().address.as_ref(), Some(&addresses[0]));
        let local = zsvc_calls::probe::v1::ProbeClient::connect(ipc).await.unwrap();
        assert_eq!(local.look().await.unwrap().address, None);
    });
}
