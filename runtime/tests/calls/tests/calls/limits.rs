//! Limits: a call past a limit ends in `resource_exhausted`, and its connection stays usable.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use zsvc::{Cause, Code, Dropped, Error, Outcome, Status, Value};
use zsvc_calls::probe::v1::Chest;
use zsvc_calls::{engines, nils};

use crate::raw;
use crate::support::{Running, on_one_thread, poll_once};

fn refused(result: Result<impl std::fmt::Debug, Status>) {
    let status = result.unwrap_err();
    assert_eq!((status.code(), status.outcome()), (Code::ResourceExhausted, Outcome::NotSent), "{status}");
}

#[test]
fn calls_in_flight_of_one_client() {
    on_one_thread(async {
        let server = Running::with(|server| server.max_calls_per_peer(2));
        let (probe, other) = (server.client().await, server.client().await);
        let held = [tokio::spawn(probe.hold("a")), tokio::spawn(probe.hold("a"))];
        server.journal.has_times("a began", 2).await;
        refused(probe.echo("x").no_retry().await);
        assert_eq!(other.echo("another's").await.unwrap(), "another's");
        server.journal.open("a");
        for held in held {
            assert_eq!(held.await.unwrap().unwrap(), "a");
        }
        assert_eq!(probe.echo("room again").await.unwrap(), "room again");
        assert_eq!(server.counters.refused_calls(), 1);
    });
}

#[test]
fn calls_in_flight_of_all_clients() {
    on_one_thread(async {
        let server = Running::with(|server| server.max_calls(2));
        let (probe, other) = (server.client().await, server.client().await);
        let held = [tokio::spawn(probe.hold("a")), tokio::spawn(other.hold("a"))];
        server.journal.has_times("a began", 2).await;
        refused(probe.echo("x").no_retry().await);
        refused(other.echo("x").no_retry().await);
        server.journal.open("a");
        for held in held {
            assert_eq!(held.await.unwrap().unwrap(), "a");
        }
        assert_eq!(other.echo("room again").await.unwrap(), "room again");
    });
}

/// Six clients that take all they can leave a share to those that come later.
#[test]
fn clients_past_their_share_leave_room_for_those_below() {
    on_one_thread(async {
        let server = Running::with(|server| server.max_calls(1_000));
        let mut held = Vec::new();
        for _ in 0..6 {
            let greedy = server.client().await;
            held.extend((0..200).map(|_| tokio::spawn(greedy.hold("a").no_retry())));
            // Each has been answered, or has come to its handler.
            greedy.echo("x").no_retry().await.ok();
        }
        let honest = server.client().await;
        for _ in 0..20 {
            let calls = (0..8).map(|_| honest.echo("x").no_retry());
            for echoed in futures_util::future::join_all(calls).await {
                assert_eq!(echoed.unwrap(), "x");
            }
        }
        assert!(server.counters.refused_calls() >= 400, "{:?}", server.counters);
        server.journal.open("a");
        let mut told = 0;
        for held in held {
            let Err(status) = held.await.unwrap() else { continue };
            let is_told = status.message().contains("past its share") && status.message().contains("1000");
            assert!(is_told && status.retry_after().is_some(), "{status}");
            assert_eq!((status.code(), status.outcome()), (Code::ResourceExhausted, Outcome::NotSent));
            told += 1;
        }
        assert!(told >= 400, "{told}");
    });
}

#[test]
fn one_way_calls_count_too() {
    on_one_thread(async {
        let server = Running::with(|server| server.max_calls(2)).lossy();
        let probe = server.client().await;
        for _ in 0..2 {
            probe.hold_unheard("a").await.unwrap();
        }
        server.journal.has_times("a began", 2).await;
        refused(probe.echo("x").no_retry().await);
        // The one-way call is refused without an answer, but counted.
        probe.note("unheard").await.unwrap();
        refused(probe.echo("x").no_retry().await);
        assert_eq!((server.journal.count("unheard"), server.counters.refused_calls()), (0, 3));
        server.journal.open("a");
        server.journal.has_times("a done", 2).await;
        assert_eq!(probe.echo("room again").await.unwrap(), "room again");
    });
}

#[test]
fn a_client_waits_for_room_within_its_deadline() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client_with(|channel| channel.max_calls(1)).await;
        let mut held = Box::pin(probe.hold("a"));
        assert!(poll_once(&mut held).await.is_none());
        let status = probe.echo("x").deadline(Duration::from_millis(50)).await.unwrap_err();
        assert_eq!((status.code(), status.outcome()), (Code::DeadlineExceeded, Outcome::NotSent));
        server.journal.open("a");
        let (held, echoed) = tokio::join!(held, probe.echo("x"));
        assert_eq!((held.unwrap().as_str(), echoed.unwrap()), ("a", Bytes::from_static(b"x")));
    });
}

/// A call that has failed but was not dropped yet must not block those behind it.
#[test]
fn a_call_whose_wait_timed_out_frees_its_place_at_once() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client_with(|channel| channel.max_calls(1)).await;
        let mut held = Box::pin(probe.hold("a"));
        assert!(poll_once(&mut held).await.is_none());
        let mut late = Box::pin(probe.echo("late").deadline(Duration::from_millis(50)));
        assert!(late.as_mut().await.is_err());
        server.journal.open("a");
        held.await.unwrap();
        assert_eq!(probe.echo("next").await.unwrap(), "next");
        drop(late);
    });
}

/// A call that a reply woke, and whose deadline passed before it ran, wakes the next.
#[test]
fn a_call_that_was_woken_too_late_wakes_the_next() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client_with(|channel| channel.max_calls(1)).await;
        let mut held = Box::pin(probe.hold("a"));
        assert!(poll_once(&mut held).await.is_none());
        let mut late = Box::pin(probe.echo("late").deadline(Duration::from_millis(50)));
        assert!(poll_once(&mut late).await.is_none());
        let next = tokio::spawn(probe.echo("next"));
        // The first call in the queue is not polled while it is woken: by the reply, and by its deadline.
        server.journal.open("a");
        held.await.unwrap();
        assert!(
            server.client().await.hold_briefly("b").await.is_err(),
            "`hold_briefly` has a deadline of 100 ms"
        );
        assert!(late.await.is_err());
        assert_eq!(next.await.unwrap().unwrap(), "next");
    });
}

/// The refused calls never wait; the other tasks of the thread must run all the same.
#[test]
fn repeatedly_refused_calls_do_not_starve_other_tasks() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client().await;
        probe.channel().clone().close(Duration::from_secs(10)).await.unwrap();
        let other = tokio::spawn(std::future::ready(()));
        for _ in 0..1_000 {
            assert!(probe.echo("x").await.is_err());
        }
        assert!(other.is_finished());
    });
}

#[test]
fn parameters_too_large_for_the_client_are_not_sent() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client_with(|channel| channel.max_message_size(1_000)).await;
        refused(probe.echo(vec![0; 1_000]).await);
        assert_eq!(probe.echo(vec![0; 900]).await.unwrap().len(), 900);
        assert_eq!(server.counters.refused_calls(), 0);
    });
}

#[test]
fn parameters_too_large_for_the_server_are_refused_and_the_connection_lives_on() {
    on_one_thread(async {
        let server = Running::with(|server| server.max_message_size(1_000));
        let probe = server.client().await;
        let before = probe.look().await.unwrap().peer;
        refused(probe.echo(vec![0; 1_000]).await);
        refused(probe.echo(vec![0; 100_000]).await);
        assert_eq!(probe.look().await.unwrap().peer, before, "the connection was replaced");
    });
}

#[test]
fn an_answer_too_large_is_an_error_of_a_call_that_ran() {
    on_one_thread(async {
        // The metadata are not among the parameters, but the answer contains them.
        let server = Running::with(|server| server.max_message_size(1_000));
        let status = server.client().await.look().metadata("x", vec![0; 2_000]).await.unwrap_err();
        assert_eq!((status.code(), status.outcome()), (Code::ResourceExhausted, Outcome::Executed));
        let server = Running::start();
        let probe = server.client_with(|channel| channel.max_message_size(1_000)).await;
        let status = probe.look().metadata("x", vec![0; 2_000]).await.unwrap_err();
        assert_eq!((status.code(), status.outcome()), (Code::ResourceExhausted, Outcome::Executed));
        assert!(probe.look().await.is_ok());
    });
}

#[test]
fn an_error_too_large_is_another_error_of_a_call_that_ran() {
    on_one_thread(async {
        let server = Running::with(|server| server.max_message_size(1_000));
        // The error adds a few bytes to the text, which alone fits the limit.
        let error = server.client().await.refuse(Some("x".repeat(996))).await.unwrap_err();
        let Error::Status(status) = error else { panic!("{error}") };
        assert_eq!(
            (status.code(), status.outcome()),
            (Code::ResourceExhausted, Outcome::Executed),
            "{status}"
        );
        let server = Running::start();
        let status = server.client().await.fail(5, "x".repeat(1_000_000)).await.unwrap_err();
        assert_eq!((status.code(), status.message().len()), (Code::NotFound, 16 * 1024));
    });
}

/// Returns how a call failed that is too large for one side, and checks that the message says by how much.
fn too_large(result: Result<impl std::fmt::Debug, Status>, numbers: [&str; 2]) -> Outcome {
    let status = result.unwrap_err();
    assert_eq!((status.code(), status.cause()), (Code::ResourceExhausted, Some(Cause::TooLarge)), "{status}");
    for number in numbers {
        assert!(status.message().contains(number), "{status}");
    }
    status.outcome()
}

/// The call is idempotent, and the next time it would be as large.
#[test]
fn an_answer_too_large_for_either_side_is_made_once() {
    on_one_thread(async {
        let server = Running::with(|server| server.max_message_size(1_000));
        let probe = server.client().await;
        let numbers = ["1503 bytes", "the server sends up to 1000"];
        assert_eq!(too_large(probe.fill_again("a", 1_500).await, numbers), Outcome::Executed);
        assert_eq!((server.journal.count("a"), probe.channel().counters().retries()), (1, 0));
        let server = Running::start();
        let probe = server.client_with(|channel| channel.max_message_size(1_000)).await;
        let numbers = ["1503 bytes", "this client takes up to 1000"];
        assert_eq!(too_large(probe.fill_again("a", 1_500).await, numbers), Outcome::Executed);
        assert_eq!((server.journal.count("a"), probe.channel().counters().retries()), (1, 0));
    });
}

/// Only on `zmtp`: libzmq has no other way than to close the connection. See the test after the next.
#[test]
fn a_message_far_past_the_bound_fails_its_own_call_and_no_other() {
    if engines::of_servers() != zsvc::Engine::Zmtp {
        return;
    }
    on_one_thread(async {
        let server = Running::with(|server| server.max_message_size(1_000)).lossy();
        let probe = server.client().await;
        let held = tokio::spawn(probe.hold("a"));
        server.journal.has("a began").await;
        for size in [300_000, 4 << 20] {
            // As a frame of its own, and as one of a batch.
            let numbers = ["bytes", "the server takes up to 266144"];
            assert_eq!(too_large(probe.echo(vec![7; size]).await, numbers), Outcome::NotSent);
            let text = "x".repeat(size);
            assert_eq!(too_large(probe.fail_at_first(text, 0, 0).await, numbers), Outcome::NotSent);
        }
        probe.note("x".repeat(4 << 20)).await.unwrap();
        let items = futures_util::stream::iter([Bytes::from(vec![7; 4 << 20])]);
        assert_eq!(
            too_large(probe.hold_items("b", items).await, ["4194", "takes up to 266144"]),
            Outcome::MaybeExecuted
        );
        server.journal.open("a");
        assert_eq!(held.await.unwrap().unwrap(), "a", "it was on the same connection");
        assert_eq!(server.counters.dropped(Dropped::OneWay), 1);
        assert_eq!(probe.channel().counters().retries(), 0);
    });
}

/// Only on `zmtp`, for the same reason.
#[test]
fn an_answer_far_past_the_bound_fails_its_own_call_and_no_other() {
    if engines::of_channels() != zsvc::Engine::Zmtp {
        return;
    }
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client_with(|channel| channel.max_message_size(1_000)).await;
        let held = tokio::spawn(probe.hold("a"));
        server.journal.has("a began").await;
        let numbers = ["4194", "this client takes up to 266144"];
        assert_eq!(too_large(probe.fill_again("b", 4 << 20).await, numbers), Outcome::Executed);
        let mut items = probe.pour("c", 1, 4 << 20).await.unwrap();
        assert_eq!(too_large(items.next().await.unwrap(), numbers), Outcome::MaybeExecuted);
        server.journal.open("a");
        assert_eq!(held.await.unwrap().unwrap(), "a", "it was on the same connection");
        assert_eq!((server.journal.count("b"), probe.channel().counters().retries()), (1, 0));
    });
}

/// libzmq closes the connection, and can't say why. So a large call is made again once, in case that it was chance.
#[test]
fn a_message_far_past_the_bound_of_libzmq_is_sent_twice() {
    if engines::of_servers() != zsvc::Engine::Libzmq {
        return;
    }
    on_one_thread(async {
        let server = Running::with(|server| server.max_message_size(1_000));
        let probe = server.client().await;
        let status = probe.echo(vec![0; 4 << 20]).await.unwrap_err();
        assert_eq!((status.code(), status.outcome()), (Code::Unavailable, Outcome::MaybeExecuted));
        assert_eq!(probe.echo("again").await.unwrap(), "again");
        let status = probe.fail_at_first("x".repeat(4 << 20), 0, 0).await.unwrap_err();
        assert_eq!((status.code(), status.cause()), (Code::Unavailable, Some(Cause::ConnectionLost)));
        assert!(status.message().contains("419431"), "{status}");
        assert_eq!(probe.channel().counters().retries(), 1);
        assert_eq!(probe.echo("again").await.unwrap(), "again");
    });
}

#[test]
fn unread_answers() {
    on_one_thread(async {
        let server = Running::with(|server| server.max_message_size(100_000).max_waiting_per_peer(1_600_000));
        let dealer = raw::narrow_dealer(server.endpoint());
        // Calls are handled faster than answers can be sent: the client reads none, and the system holds a few megabytes.
        dealer.send(raw::calls_of_fill(1_000, 90_000), 0).unwrap();
        server.client().await.echo("another's").await.unwrap();
        while server.counters.calls() + server.counters.refused_calls() < 1_001 {
            server.client().await.echo("x").await.unwrap();
        }
        let refused = server.counters.refused_calls();
        assert!((500..1_000).contains(&refused), "{refused} calls were refused");
    });
}

/// All handlers end before any of their answers can be sent.
#[test]
fn answers_past_all_that_may_wait_are_errors_that_say_so() {
    on_one_thread(async {
        let server = Running::with(|server| server.max_waiting(100_000)).lossy();
        let (probe, name) = (server.client().await, "x".repeat(50_000));
        let held: Vec<_> = (0..20).map(|_| tokio::spawn(probe.hold(&name).no_retry())).collect();
        server.journal.has_times(&format!("{name} began"), held.len()).await;
        server.journal.open(&name);
        let mut failed = 0;
        for call in held {
            if let Err(status) = call.await.unwrap() {
                assert_eq!((status.code(), status.outcome()), (Code::ResourceExhausted, Outcome::Executed));
                failed += 1;
            }
        }
        assert!((1..20).contains(&failed), "{failed} answers did not fit the queue");
        assert_eq!(server.counters.dropped(Dropped::NoRoom), failed);
        assert_eq!(probe.echo("room again").await.unwrap(), "room again");
    });
}

#[test]
fn unread_items_whatever_the_credit() {
    on_one_thread(async {
        let server = Running::with(|server| server.max_message_size(100_000)).lossy();
        let dealer = raw::narrow_dealer(server.endpoint());
        dealer.send(raw::call_of_pour("a", 90_000), 0).unwrap();
        server.journal.has("a dropped").await;
        let accepted = server.journal.count("a accepted");
        assert!(accepted < 1_000, "{accepted} items were accepted");
        assert_eq!(server.client().await.echo("another's").await.unwrap(), "another's");
    });
}

/// A side refuses what a message would take in memory before it takes it: parameters, answers and items alike.
#[test]
fn values_that_would_take_too_much_memory() {
    on_one_thread(async {
        let server = Running::with(|server| server.max_message_size(1 << 20));
        let probe = server.client_with(|channel| channel.max_message_size(100_000)).await;
        let large = |result: Result<u32, Status>, max: u32| {
            let status = result.unwrap_err();
            assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
            let numbers = [format!(" {} bytes", 500_000 * size_of::<Value>()), format!("may take {max}")];
            assert!(numbers.iter().all(|number| status.message().contains(number)), "{status}");
        };
        let wide = server.client().await;
        large(wide.weigh(nils(500_000)).await, 8 << 20);
        assert_eq!(server.counters.refused_calls(), 1);
        large(wide.weigh_all(stream::iter([nils(10), nils(500_000)])).await, 8 << 20);
        assert_eq!(wide.weigh(nils(200_000)).await, Ok(200_000));
        assert_eq!(wide.weigh_all(stream::iter([nils(200_000), nils(200_000)])).await, Ok(2));
        // The caller's own limit.
        let status = probe.nils(90_000).await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
        let mut items = probe.nils_in_turn(90_000).await.unwrap();
        let status = items.next().await.expect("it is told").unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
        assert!(status.message().contains("may take 800000"), "{status}");
        assert_eq!(probe.nils(10_000).await.map(|nils| nils.as_array().map(Vec::len)), Ok(Some(10_000)));
        assert_eq!(probe.echo("still here").await.unwrap(), "still here");
    });
}

#[test]
fn values_nested_too_deep() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client().await;
        let chest = |inside| Chest {
            level: 1,
            label: "x".to_owned(),
            inside,
            lid: None,
            by_name: std::collections::BTreeMap::new(),
        };
        let deep = (0..2_000).fold(chest(Vec::new()), |inner, _| chest(vec![inner]));
        let status = probe.put(deep).await.unwrap_err();
        assert_eq!(status.outcome(), Outcome::NotSent, "{status}");
        assert_eq!(probe.put((0..20).fold(chest(Vec::new()), |inner, _| chest(vec![inner]))).await, Ok(1));
    });
}
