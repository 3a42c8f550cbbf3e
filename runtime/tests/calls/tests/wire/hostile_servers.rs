//! Servers that violate the protocol, against a real client: each call ends exactly once, and the next one works.

use futures_util::{StreamExt, stream};
use rmpv::Value;
use zsvc::{Code, Error, Outcome, Status};
use zsvc_calls::market::v1::{TapeClient, TapeError, Trade};

use crate::damage::{Random, huge_announcements, server_records, trade_bytes, truncations, wrong_types};
use crate::floor::trade;
use crate::raw::{Router, batch, kind, packed, record};
use crate::rig::{against, silent_client};

fn reply(id: u64) -> Value {
    record![kind::REPLY, id, Value::Binary(trade_bytes())]
}

/// Sends a valid answer to the next call.
fn answer_well(router: &mut Router) {
    let id = router.next_call();
    router.say(&[reply(id)]);
}

async fn good_call(tape: &TapeClient) {
    assert_eq!(tape.last("ACME").no_deadline().await, Ok(trade("ACME")));
}

/// Checks that a call fails with this status, and that the next call does not.
fn fails(answer: impl FnOnce(&Router, u64), code: Code, outcome: Outcome) {
    against(
        |endpoint| async move {
            let tape = silent_client(endpoint);
            let status = failed(tape.last("ACME").no_deadline().await);
            assert_eq!((status.code(), status.outcome()), (code, outcome), "{status}");
            good_call(&tape).await;
        },
        |router| {
            let id = router.next_call();
            answer(router, id);
            answer_well(router);
        },
    );
}

fn failed(result: Result<Trade, Error<TapeError>>) -> Status {
    match result {
        Err(Error::Status(status)) => status,
        other => panic!("a status and not {other:?}"),
    }
}

/// Checks that a call succeeds although the server sends something else before the answer.
fn does_not_mind(before: impl FnOnce(&Router, u64)) {
    against(
        |endpoint| async move {
            let tape = silent_client(endpoint);
            good_call(&tape).await;
            good_call(&tape).await;
        },
        |router| {
            let id = router.next_call();
            before(router, id);
            router.say(&[reply(id)]);
            answer_well(router);
        },
    );
}

#[test]
fn only_the_first_answer_counts() {
    against(
        |endpoint| async move {
            let tape = silent_client(endpoint);
            good_call(&tape).await;
            good_call(&tape).await;
        },
        |router| {
            let id = router.next_call();
            router.say(&[reply(id), record![kind::ERROR, id, 5, "no"], reply(id), record![kind::END, id]]);
            router.say(&[record![kind::REPLY, id, Value::Binary(vec![0xc1])]]);
            answer_well(router);
        },
    );
}

#[test]
fn answers_of_the_wrong_kind_end_a_call() {
    fails(|router, id| router.say(&[record![kind::END, id]]), Code::Unknown, Outcome::MaybeExecuted);
    against(
        |endpoint| async move {
            let tape = silent_client(endpoint);
            let mut trades = tape.watch(["ACME"]).await.expect("the call is on its way");
            let Some(Err(Error::Status(status))) = trades.next().await else { panic!("no end without end") };
            assert_eq!(status.code(), Code::Unknown);
            assert_eq!(trades.next().await, None);
            good_call(&tape).await;
        },
        |router| {
            let id = router.next_call();
            router.say(&[reply(id)]);
            answer_well(router);
        },
    );
}

#[test]
fn records_of_no_call_are_ignored() {
    does_not_mind(|router, id| {
        router.say(&[record![kind::PONG, id], record![kind::CREDIT, id, 5]]);
        router.say(&[record![kind::ITEMS, id, Value::Binary(vec![0xc1])]]);
        for other in [0, 999, u64::from(u32::MAX), u64::from(u32::MAX) + 1 + id, u64::MAX] {
            for record in server_records(other).into_iter().filter(|record| !is_batch_error(record)) {
                router.say(&[record]);
            }
        }
    });
}

fn is_batch_error(record: &Value) -> bool {
    record[0].as_u64() == Some(kind::ERROR) && record[1].as_u64() == Some(0)
}

#[test]
fn records_that_only_clients_send_are_ignored() {
    does_not_mind(|router, id| {
        let body = || Value::Binary(vec![0x90]);
        router.say(&[record![kind::CALL, id, "a/b", body()], record![kind::ONE_WAY, 0, "a/b", body()]]);
        router.say(&[record![kind::CANCEL, id]]);
    });
}

#[test]
fn kinds_from_64_on_and_more_elements_are_skipped() {
    does_not_mind(|router, id| {
        router.say(&[record![64, id, "whatever"], record![u64::MAX, 0]]);
        router.say(&[record![kind::CREDIT, id, 5, Value::Nil, record![record![]], "more"]]);
        router.send([1]);
    });
}

#[test]
fn an_unknown_kind_ends_only_its_call() {
    against(
        |endpoint| async move {
            let tape = silent_client(endpoint);
            let (one, other) = tokio::join!(tape.last("ACME").no_deadline(), tape.last("INIT").no_deadline());
            let status = failed(one);
            assert_eq!((status.code(), status.outcome()), (Code::Unimplemented, Outcome::MaybeExecuted));
            assert_eq!(other, Ok(trade("ACME")));
        },
        |router| {
            let (one, other) = (router.next_call(), router.next_call());
            router.say(&[record![12, one, "whatever"], reply(other)]);
        },
    );
}

#[test]
fn a_batch_that_cannot_be_read_ends_the_calls_that_were_sent() {
    let code_of = |bytes: Vec<u8>| {
        fails(move |router, _| router.send(bytes), Code::Unknown, Outcome::MaybeExecuted);
    };
    code_of(vec![]);
    code_of(vec![2, 0x92, 10, 1]);
    code_of(vec![1, 0xc0]);
    code_of(batch(&[Value::from("no record")]));
}

#[test]
fn errors_may_omit_elements() {
    let error = |record: fn(u64) -> Value, code, outcome| {
        fails(move |router, id| router.say(&[record(id)]), code, outcome);
    };
    error(|id| record![kind::ERROR, id, 5], Code::NotFound, Outcome::MaybeExecuted);
    error(|id| record![kind::ERROR, id, 5, Value::Nil, 0], Code::NotFound, Outcome::NotSent);
    error(|id| record![kind::ERROR, id, 200, "?", 9], Code::Unknown, Outcome::MaybeExecuted);
    error(|id| record![kind::ERROR, id, u64::MAX, "?", u64::MAX], Code::Unknown, Outcome::MaybeExecuted);
    // A declared error without its body, and one that can't be decoded.
    error(|id| record![kind::ERROR, id, 0, "declared", 2], Code::Unknown, Outcome::MaybeExecuted);
    fails(
        |router, id| router.say(&[record![kind::ERROR, id, 0, "?", 2, Value::Binary(vec![0xc1])]]),
        Code::Unknown,
        Outcome::Executed,
    );
}

#[test]
fn undecodable_answers_are_reported() {
    for body in [&b""[..], b"\xc0", b"\x90", b"\x9a\xa4ACME", b"\xc1", b"\xdd\xff\xff\xff\xff"] {
        fails(
            |router, id| router.say(&[record![kind::REPLY, id, Value::Binary(body.to_vec())]]),
            Code::Unknown,
            Outcome::Executed,
        );
    }
}

#[test]
fn frames_before_the_batch_are_ignored() {
    does_not_mind(|router, id| {
        router.send_frames(&[b"", &batch(&[record![kind::CREDIT, id, 1]])]);
        router.send_frames(&[b"", b"\xff", &[7; 3000], &[1]]);
    });
}

#[test]
fn items_without_credit_end_their_call() {
    against(
        |endpoint| async move {
            let tape = silent_client(endpoint);
            let trades = tape.watch(["ACME"]).await.expect("the call is on its way");
            let end = trades.filter(|item| futures_util::future::ready(item.is_err())).next().await;
            let Some(Err(Error::Status(status))) = end else { panic!("it ends badly, not with {end:?}") };
            assert_eq!(status.code(), Code::ResourceExhausted);
            good_call(&tape).await;
        },
        |router| {
            let id = router.next_call();
            let window = trade_bytes().repeat((1 << 20) / trade_bytes().len() + 1);
            // In one batch, so that nothing of it is read before everything has arrived.
            let items = record![kind::ITEMS, id, Value::Binary(window)];
            router.say(&[items.clone(), items]);
            assert_eq!(router.next_of(kind::CANCEL).id(), id);
            answer_well(router);
        },
    );
}

#[test]
fn any_amount_of_credit_is_accepted() {
    against(
        |endpoint| async move {
            let tape = silent_client(endpoint);
            let sum = tape.import("desk", stream::iter(vec![trade("ACME"); 5_000])).await;
            assert_eq!(sum, Ok(7));
        },
        |router| {
            let id = router.next_call();
            router.say(&[record![kind::CREDIT, id, u64::MAX], record![kind::CREDIT, id, u64::MAX]]);
            router.next_of(kind::END);
            router.say(&[record![kind::REPLY, id, Value::Binary(vec![7])]]);
        },
    );
}

#[test]
fn a_server_may_answer_before_the_client_is_done() {
    against(
        |endpoint| async move {
            let tape = silent_client(endpoint);
            assert_eq!(tape.import("desk", stream::repeat(trade("ACME"))).await, Ok(7));
            good_call(&tape).await;
        },
        |router| {
            let id = router.next_call();
            router.say(&[record![kind::REPLY, id, Value::Binary(vec![7])]]);
            answer_well(router);
        },
    );
}

#[test]
fn undecodable_items_end_their_stream() {
    against(
        |endpoint| async move {
            let tape = silent_client(endpoint);
            let mut trades = tape.watch(["ACME"]).await.expect("the call is on its way");
            assert_eq!(trades.next().await, Some(Ok(trade("ACME"))));
            let Some(Err(Error::Status(status))) = trades.next().await else { panic!("it is no trade") };
            assert_eq!(status.code(), Code::Unknown);
            assert_eq!(trades.next().await, None);
            drop(trades);
            good_call(&tape).await;
        },
        |router| {
            let id = router.next_call();
            let items = [&trade_bytes()[..], b"\xc1"].concat();
            router.say(&[record![kind::ITEMS, id, Value::Binary(items)]]);
            assert_eq!(router.next_of(kind::CANCEL).id(), id, "the client no longer reads");
            answer_well(router);
        },
    );
}

/// Makes calls as long as the server has batches to answer them with, each followed by a valid answer. After that,
/// calls get a valid answer alone.
fn besieged(batches: impl FnOnce(&mut dyn FnMut(&[Vec<u8>])) + Send) {
    against(
        |endpoint| async move {
            let mut tape = silent_client(endpoint.as_str());
            let mut connected = false;
            loop {
                let call = tape.last("ACME").no_deadline();
                // A call waits for the next server after one has announced that it drains, except with `fail_fast`.
                let call = if std::mem::replace(&mut connected, true) { call.fail_fast() } else { call };
                // The result does not matter, only that the call ends.
                match call.await {
                    Ok(trade) if trade.symbol == LAST_SYMBOL => {
                        break tape.note("enough").await.expect("the one-way call is accepted");
                    }
                    // One of the batches announced that the server drains.
                    Err(error) if error.outcome() == Outcome::NotSent => {
                        tape = silent_client(endpoint.as_str());
                        connected = false;
                    }
                    _ => {}
                }
            }
        },
        |router| {
            batches(&mut |batches| {
                let id = router.next_call();
                for bytes in batches {
                    router.send(bytes);
                }
                router.say(&[reply(id)]);
            });
            let last = [&b"\x9a\xa5"[..], LAST_SYMBOL.as_bytes(), &trade_bytes()[6..]].concat();
            // Calls that failed long ago are among those that arrive.
            loop {
                let record = router.next();
                match record.kind() {
                    kind::CALL => {
                        router.say(&[record![kind::REPLY, record.id(), Value::Binary(last.clone())]]);
                    }
                    kind::ONE_WAY => break,
                    _ => {}
                }
            }
        },
    );
}

/// The symbol of the trade that ends [`besieged`].
const LAST_SYMBOL: &str = "AMENS";

#[test]
fn records_that_end_too_soon_do_no_harm() {
    besieged(|answer| {
        for record in server_records(1) {
            truncations(&record).for_each(|cut| answer(&[cut]));
        }
    });
}

#[test]
fn elements_of_wrong_types_do_no_harm() {
    besieged(|answer| {
        for record in server_records(1) {
            for wrong in wrong_types(&record) {
                answer(&[batch(&[wrong])]);
            }
        }
    });
}

#[test]
fn announced_lengths_are_not_trusted() {
    besieged(|answer| huge_announcements().into_iter().for_each(|bytes| answer(&[bytes])));
}

#[test]
fn noise_does_no_harm() {
    besieged(|answer| {
        let mut random = Random::new(0x5eed_0004);
        for _ in 0..500 {
            let batches: Vec<_> = (0..20).map(|_| random.noise()).collect();
            answer(&batches);
        }
    });
}

#[test]
fn changed_records_do_no_harm() {
    besieged(|answer| {
        let mut random = Random::new(0x5eed_0005);
        for call in 0..500_u64 {
            let good: Vec<_> =
                server_records(call).iter().map(|record| [&[1], &packed(record)[..]].concat()).collect();
            let batches: Vec<_> = (0..20)
                .map(|_| {
                    let base = random.below(good.len());
                    random.mutated(&good[base])
                })
                .collect();
            answer(&batches);
        }
    });
}
