//! Which life of a server answers, behind a device that hides its restarts.

use std::time::Instant;

use super::super::sending::MAX_WAITING_BYTES;
use super::*;
use crate::status::Cause;
use crate::wire::RecordKind;

/// Returns the kinds and ids of the records that a session sends.
fn said(session: &mut Session) -> Vec<(u8, u8)> {
    let mut said = Vec::new();
    while let Some(message) = session.poll_transmit() {
        let batch = message.into_batch();
        let mut records = batch.raw_records().unwrap();
        while let Some(record) = records.next().unwrap() {
            let kind = match record.kind() {
                RecordKind::Ping => 9,
                RecordKind::Query => 65,
                _ => 0,
            };
            said.push((kind, u8::try_from(record.id()).unwrap()));
        }
    }
    said
}

/// Behind a device a server is started anew without a word.
#[test]
fn another_life_of_the_server_is_asked_for_the_calls_in_flight() {
    let (mut session, now) = (session_of(3), Instant::now());
    let pong = |id: u32, instance: u8| [0x93, 10, u8::try_from(id).unwrap(), instance];
    let first = session.begin_ping(None, now);
    receive(&mut session, &[&[1][..], &pong(first, 7)].concat(), now);
    let (old, new) = (begin(&mut session, None, now), begin(&mut session, None, now));
    said(&mut session);
    // The same life.
    let second = session.begin_ping(None, now);
    receive(&mut session, &[&[1][..], &pong(second, 7)].concat(), now);
    assert_eq!(said(&mut session), [(9, 4)]);
    // Another one, which says so once; a pong without a ping says nothing.
    let third = session.begin_ping(None, now);
    receive(&mut session, &[&[1][..], &pong(third, 8), &pong(99, 9)].concat(), now);
    assert_eq!(said(&mut session), [(9, 5), (65, 2), (65, 3)]);
    // It has one of them.
    let mut answer = vec![1];
    crate::wire::error(&mut answer, 2, &Failure::Status(crate::wire::not_in_flight()));
    receive(&mut session, &answer, now);
    assert_eq!((outcome(&mut session, old), session.is_call_open(new)), (Some(Outcome::MaybeExecuted), true));
    assert_eq!(session.health(now), HealthState::In);
}

/// A session whose outbox is full can't ask; it does so once there is room, at the next pong.
#[test]
fn another_life_that_is_found_while_there_is_no_room_to_ask_is_found_again() {
    let (mut session, now) = (session_of(3), Instant::now());
    let pong = |id: u32, instance: u8| [&[1][..], &[0x93, 10, u8::try_from(id).unwrap(), instance]].concat();
    let first = session.begin_ping(None, now);
    receive(&mut session, &pong(first, 7), now);
    let call = begin(&mut session, None, now);
    said(&mut session);
    let long = RecordBuilder::call("a.B/note", true, &"x".repeat(2 * MAX_WAITING_BYTES)).unwrap();
    let second = session.begin_ping(None, now);
    session.begin_one_way(None, &Metadata::default(), CallRecord::Once(long), now);
    receive(&mut session, &pong(second, 8), now);
    assert!(said(&mut session).iter().all(|(kind, _)| *kind != 65), "there is no room");
    let third = session.begin_ping(None, now);
    receive(&mut session, &pong(third, 8), now);
    assert!(said(&mut session).contains(&(65, u8::try_from(call).unwrap())));
}

/// A router that has no worker refuses calls with a time to wait: it is itself as good as any.
#[test]
fn what_a_server_says_of_others_does_not_count_against_it() {
    let refused = Status::unavailable("no worker").not_sent();
    for (why, health) in [
        (refused.clone().with_retry_after(Duration::from_secs(1)), HealthState::In),
        (Status::unavailable("lost").maybe_executed().caused_by(Cause::ServerRestarted), HealthState::In),
        (refused, HealthState::Out),
    ] {
        let (mut session, now) = (session_of(20), Instant::now());
        for _ in 0..5 {
            let call = begin(&mut session, None, now);
            said(&mut session);
            let mut answer = vec![1];
            crate::wire::error(&mut answer, call.into(), &Failure::Status(why.clone()));
            receive(&mut session, &answer, now);
        }
        assert_eq!(session.health(now), health, "{why}");
    }
}
