//! Topics: joining late, going on after a loss, subscribers that do not keep up.

use std::task::{Context, Poll, Waker};

use super::*;
use crate::codec::Plain;
use crate::events::{Filter, KeyField, KeyKind, Notice, Prefixes, Slow, TooSlow};
use crate::method::{Method, MethodKind};

const KEYS: &[KeyField] = &[KeyField::new(1, "symbol", KeyKind::String)];

const fn event(kept: u32, slow: Slow) -> EventType {
    let method = Method::new("market.v1.Price/subscribe", MethodKind::ServerStream);
    EventType::new("market.v1.Price", method).keys(KEYS).kept(kept).slow(slow)
}

static PLAIN: EventType = event(0, Slow::DropOldest);
static LATEST: EventType = event(1, Slow::Conflate);
static STRICT: EventType = event(0, Slow::Disconnect);

/// Returns an event with a key and a body.
pub(in crate::events) fn posted(key: &str, body: u64) -> Posted {
    Posted::encode::<Plain, u64>(&body, |writer| writer.write::<Plain, str>(key), 1 << 20).unwrap()
}

/// Returns what a subscriber of these keys asks for; of all events, if there are none.
pub(in crate::events) fn wanted(keys: &[&str]) -> Wanted {
    let mut filter = Filter::default();
    for key in keys {
        filter.add(1, *key);
    }
    filter.of(&PLAIN).unwrap()
}

const EPOCH: u64 = 7;

fn topic(event: &'static EventType, recent_events: usize) -> Topic {
    Topic::new(event, Limits { recent_events, ..Limits::default() }, EPOCH)
}

fn post(topic: &mut Topic, keys: &str) -> usize {
    let wakers = keys.chars().map(|key| topic.post(posted(&key.to_string(), 0)).wakers.len());
    wakers.sum()
}

fn join(topic: &mut Topic, keys: &[&str], since: Option<u64>) -> Joined {
    topic.join(wanted(keys), since.map(|sequence| Position::new(EPOCH, sequence)), None)
}

/// Takes all that a subscriber to everything is told who joins now.
fn afresh(topic: &mut Topic, since: Option<u64>) -> String {
    let mut joined = join(topic, &[], since);
    told(topic, &mut joined)
}

/// Takes what comes next, if anything does.
fn next(topic: &Topic, joined: &mut Joined) -> Option<Result<Notice, TooSlow>> {
    while !joined.catch_up.is_done() {
        if let Some(notice) = joined.catch_up.pop() {
            return Some(Ok(notice));
        }
        topic.catch_up(&mut joined.catch_up);
    }
    match joined.mailbox.poll_next(&Context::from_waker(Waker::noop())) {
        Poll::Ready(next) => Some(next),
        Poll::Pending => None,
    }
}

/// Takes all that waits, in short: `o7` for the epoch, numbers of events, `-2` for missed ones, `live5`.
fn told(topic: &Topic, joined: &mut Joined) -> String {
    let mut all = Vec::new();
    while let Some(next) = next(topic, joined) {
        all.push(match next {
            Ok(Notice::Opened { epoch, last }) => {
                assert!(last <= topic.position().sequence());
                format!("o{epoch}")
            }
            Ok(Notice::Event(posted)) => posted.sequence().to_string(),
            Ok(Notice::Missed(Some(count))) => format!("-{count}"),
            Ok(Notice::Missed(None)) => "-?".to_owned(),
            Ok(Notice::Live(sequence)) => format!("live{sequence}"),
            Err(TooSlow) => {
                all.push("over".to_owned());
                break;
            }
        });
    }
    all.join(" ")
}

#[test]
fn who_joins_gets_kept_events_and_then_those_that_follow() {
    let mut topic = topic(&LATEST, 10);
    post(&mut topic, "aba");
    let mut joined = [&[][..], &["a"]].map(|keys| join(&mut topic, keys, None));
    post(&mut topic, "c");
    assert_eq!(joined.each_mut().map(|joined| told(&topic, joined)), ["o7 2 3 live3 4", "o7 3 live3"]);
    post(&mut topic, "ab");
    assert_eq!(joined.each_mut().map(|joined| told(&topic, joined)), ["5 6", "5"]);
}

#[test]
fn without_history_who_joins_gets_what_follows() {
    let mut topic = topic(&PLAIN, 10);
    post(&mut topic, "ab");
    let mut joined = join(&mut topic, &[], None);
    post(&mut topic, "c");
    assert_eq!(told(&topic, &mut joined), "o7 live2 3");
}

#[test]
fn after_a_loss_nothing_is_missing_as_long_as_it_is_recent() {
    let mut topic = topic(&PLAIN, 3);
    post(&mut topic, "abab");
    for (since, keys, expected) in [
        (4, &[][..], "o7 live4"),
        (2, &[], "o7 3 4 live4"),
        (1, &[], "o7 2 3 4 live4"),
        (0, &[], "o7 -1 2 3 4 live4"),
        (1, &["a"], "o7 3 live4"),
        (0, &["b"], "o7 -? 2 4 live4"),
    ] {
        let mut joined = join(&mut topic, keys, Some(since));
        assert_eq!(told(&topic, &mut joined), expected, "since {since} {keys:?}");
    }
}

#[test]
fn after_a_long_loss_kept_events_come_first_and_the_rest_is_told_where_it_was() {
    let mut topic = topic(&LATEST, 1);
    post(&mut topic, "abcaab");
    // Kept: 3 (c), 5 (a), 6 (b). Recent: 6. Since 1: 2 to 5 are not recent, 3 and 5 are kept.
    for (since, keys, expected) in [
        (1, &[][..], "o7 -1 3 -1 5 6 live6"),
        (3, &[], "o7 -1 5 6 live6"),
        (1, &["a"], "o7 -? 5 live6"),
        (1, &["d"], "o7 live6"),
        (5, &["c"], "o7 live6"),
        (2, &["c"], "o7 3 live6"),
        (4, &["a"], "o7 5 live6"),
        (4, &[], "o7 5 6 live6"),
    ] {
        let mut joined = join(&mut topic, keys, Some(since));
        assert_eq!(told(&topic, &mut joined), expected, "since {since} {keys:?}");
    }
}

#[test]
fn another_life_and_the_future_are_unknown() {
    let mut topic = topic(&LATEST, 10);
    post(&mut topic, "ab");
    for since in [Position::new(EPOCH + 1, 1), Position::new(EPOCH, 3), Position::new(EPOCH, u64::MAX)] {
        let mut joined = topic.join(wanted(&[]), Some(since), None);
        assert_eq!(told(&topic, &mut joined), "o7 -? 1 2 live2");
    }
}

#[test]
fn an_event_for_some_is_sent_to_these_and_never_kept() {
    let mut topic = topic(&LATEST, 10);
    let [mut alice, mut bob] =
        ["alice", "bob"].map(|name| topic.join(wanted(&[]), None, Some(Identity::new(name))));
    let event = posted("a", 0);
    let is_bob = |identity: Option<&Identity>| identity.is_some_and(|identity| identity.name() == "bob");
    let chosen = topic.audience(&event).choose(is_bob);
    assert!(topic.post_to(event, &chosen).wakers.is_empty(), "no task waits");
    assert_eq!([told(&topic, &mut alice), told(&topic, &mut bob)], ["o7 live0", "o7 live0 1"]);
    assert_eq!(afresh(&mut topic, None), "o7 live1");
    assert_eq!(afresh(&mut topic, Some(0)), "o7 -? live1", "it may have been for this one");
    assert_eq!(afresh(&mut topic, Some(1)), "o7 live1");
}

#[test]
fn who_joins_during_a_choice_is_told_that_the_event_may_be_missing() {
    let mut topic = topic(&PLAIN, 10);
    let mut before = join(&mut topic, &[], None);
    let event = posted("a", 0);
    let chosen = topic.audience(&event).choose(|_| true);
    let [mut during, mut other] = [&["a"][..], &["b"]].map(|keys| join(&mut topic, keys, Some(0)));
    assert_eq!([&mut during, &mut other].map(|joined| told(&topic, joined)), ["o7 live0", "o7 live0"]);
    let came = topic.post_to(event, &chosen);
    assert_eq!(came.wakers.len(), 1, "the one that waits and may have missed it");
    let all = [&mut before, &mut during, &mut other].map(|joined| told(&topic, joined));
    assert_eq!(all, ["o7 live0 1", "-?", ""]);
}

#[test]
fn a_loss_of_the_topic_itself_is_told_to_all_and_to_who_goes_on_from_before_it() {
    let mut topic = topic(&LATEST, 10);
    let [mut all, mut one] = [&[][..], &["a", "b"]].map(|keys| join(&mut topic, keys, None));
    post(&mut topic, "a");
    assert_eq!([&mut all, &mut one].map(|joined| told(&topic, joined)), ["o7 live0 1", "o7 live0 1"]);
    drop(topic.lose());
    post(&mut topic, "b");
    assert_eq!([&mut all, &mut one].map(|joined| told(&topic, joined)), ["-? 3", "-? 3"]);
    assert_eq!(afresh(&mut topic, Some(1)), "o7 -? 3 live3");
    assert_eq!(afresh(&mut topic, Some(2)), "o7 3 live3");
    assert_eq!(afresh(&mut topic, None), "o7 1 3 live3");
}

#[test]
fn after_a_loss_it_is_told_that_kept_events_were_forgotten() {
    let mut topic = topic(&LATEST, 0);
    post(&mut topic, "ab");
    assert_eq!(topic.forget(posted("b", 0).key()), 1);
    assert_eq!(afresh(&mut topic, Some(1)), "o7 -1 live2");
    assert_eq!(afresh(&mut topic, Some(2)), "o7 live2");
}

#[test]
fn a_task_that_waits_is_woken_once() {
    let mut topic = topic(&PLAIN, 10);
    let mut joined = [&[][..], &["a"], &["b"]].map(|keys| join(&mut topic, keys, None));
    for joined in &mut joined {
        told(&topic, joined);
    }
    assert_eq!(post(&mut topic, "a"), 2);
    assert_eq!(post(&mut topic, "a"), 0, "they have something to do");
    assert_eq!(joined.each_mut().map(|joined| told(&topic, joined)), ["1 2", "1 2", ""]);
}

#[test]
fn who_leaves_gets_nothing_more_and_the_others_stay() {
    let mut topic = topic(&PLAIN, 10);
    let all = [&[][..], &["a"], &["a", "b"], &[], &["a"]];
    let mut joined = all.map(|keys| join(&mut topic, keys, None));
    for joined in &mut joined {
        told(&topic, joined);
    }
    topic.leave(&joined[0].member);
    topic.leave(&joined[1].member);
    assert_eq!((topic.subscribers(), post(&mut topic, "ab")), (3, 3));
    let told = joined.each_mut().map(|joined| told(&topic, joined));
    assert_eq!(told, ["", "", "1 2", "1 2", "1"]);
    for joined in &joined[2..] {
        topic.leave(&joined.member);
    }
    assert_eq!((topic.subscribers(), post(&mut topic, "ab")), (0, 0));
}

#[test]
fn a_slow_subscriber_is_told_and_holds_up_no_other() {
    let limits = Limits { queue_bytes: 2 * posted("a", 0).size(), ..Limits::default() };
    let mut topic = Topic::new(&PLAIN, limits, EPOCH);
    let [mut slow, mut quick] = [(); 2].map(|()| join(&mut topic, &[], None));
    let mut seen = vec![told(&topic, &mut quick)];
    for _ in 0..4 {
        post(&mut topic, "a");
        seen.push(told(&topic, &mut quick));
    }
    let came = topic.post(posted("a", 0));
    assert_eq!((came.dropped, came.ended), (1, 0), "of the slow one");
    seen.push(told(&topic, &mut quick));
    assert_eq!(seen.join(" "), "o7 live0 1 2 3 4 5");
    assert_eq!(told(&topic, &mut slow), "o7 live0 -3 4 5");
}

#[test]
fn a_slow_subscriber_is_dropped_where_the_schema_says_so() {
    let limits = Limits { queue_bytes: 2 * posted("a", 0).size(), ..Limits::default() };
    let mut topic = Topic::new(&STRICT, limits, EPOCH);
    let mut joined = join(&mut topic, &[], None);
    told(&topic, &mut joined);
    let context = Context::from_waker(Waker::noop());
    assert!(joined.mailbox.poll_over(&context).is_pending());
    assert_eq!(post(&mut topic, "ab"), 0, "the task waits for credit, and not for events");
    let came = topic.post(posted("c", 0));
    assert_eq!((came.wakers.len(), came.dropped, came.ended), (1, 0, 1));
    assert!(joined.mailbox.poll_over(&context).is_ready());
    assert_eq!(told(&topic, &mut joined), "over");
    assert_eq!(post(&mut topic, "d"), 0);
}

#[test]
fn who_knows_topics_alone_gets_what_starts_like_them() {
    let mut topic = topic(&STRICT, 10);
    post(&mut topic, "a");
    let (all, of_b, none) = (Prefixes::default(), Prefixes::default(), Prefixes::default());
    all.add(b"market.v1.Price/").unwrap();
    of_b.add(b"market.v1.Price/b/").unwrap();
    none.add(b"market.v1.Price/b/x").unwrap();
    let tapped = [all, of_b, none].map(|prefixes| topic.tap(Arc::new(prefixes)));
    post(&mut topic, "ab");
    let told = |tapped: &Tapped| {
        let context = Context::from_waker(Waker::noop());
        let next = std::iter::from_fn(|| match tapped.mailbox.poll_next(&context) {
            Poll::Ready(Ok(Notice::Event(posted))) => Some(posted.sequence()),
            Poll::Pending => None,
            other @ Poll::Ready(_) => panic!("{other:?}"),
        });
        next.collect::<Vec<_>>()
    };
    assert_eq!(tapped.each_ref().map(told), [vec![2, 3], vec![3], vec![]]);
    topic.untap(&tapped[0]);
    assert_eq!(post(&mut topic, "b"), 1, "one is left that waits for it");
    assert_eq!(tapped.each_ref().map(told), [vec![], vec![4], vec![]]);
}

#[test]
fn what_is_replaced_before_a_subscriber_has_come_to_it_is_met_as_what_has_replaced_it() {
    let mut topic = topic(&LATEST, 0);
    post(&mut topic, "abcd");
    let mut joined = [&[][..], &["b", "d"]].map(|keys| join(&mut topic, keys, None));
    for joined in &mut joined {
        assert!(matches!(next(&topic, joined), Some(Ok(Notice::Opened { last: 4, .. }))));
    }
    post(&mut topic, "da");
    assert_eq!(joined.each_mut().map(|joined| told(&topic, joined)), ["2 3 live4 5 6", "2 live4 5"]);
}

#[test]
fn what_goes_while_a_subscriber_catches_up_after_a_loss_is_told() {
    for (event, keys, expected) in [
        (&LATEST, &[][..], "o7 1 -1 3 4 live4 5 6"),
        (&LATEST, &["b", "d"], "o7 -? 4 live4 5 6"),
        (&LATEST, &["c"], "o7 3 live4"),
        (&PLAIN, &[], "o7 -2 3 4 live4 5 6"),
        (&PLAIN, &["d"], "o7 -? 4 live4 6"),
    ] {
        let mut topic = topic(event, 4);
        post(&mut topic, "abcd");
        let mut joined = join(&mut topic, keys, Some(0));
        // With these, 1 and 2 are not recent any more, and 2 is not kept.
        post(&mut topic, "bd");
        assert_eq!(told(&topic, &mut joined), expected, "{event:?} {keys:?}");
    }
}

#[test]
fn a_subscriber_catches_up_in_steps_whatever_passes() {
    let mut topic = topic(&LATEST, 0);
    for number in 0..2_000 {
        drop(topic.post(posted(&number.to_string(), number)));
    }
    let many = |count: u64| (0..count).map(|number| (number * 7).to_string()).collect::<Vec<_>>();
    for (keys, passing) in [(many(0), 2_000), (many(3), 3), (many(200), 200)] {
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let mut joined = join(&mut topic, &keys, None);
        let (mut events, mut steps) = (Vec::new(), 0);
        while !joined.catch_up.is_done() {
            topic.catch_up(&mut joined.catch_up);
            steps += 1;
            let found = std::iter::from_fn(|| joined.catch_up.pop()).collect::<Vec<_>>();
            assert!(found.len() <= 33, "{} in one step", found.len());
            events.extend(found.into_iter().filter_map(|notice| match notice {
                Notice::Event(posted) => Some(posted.sequence()),
                _ => None,
            }));
        }
        assert!(events.is_sorted() && events.len() == passing, "{} of {passing}", events.len());
        assert!(steps > passing / 33, "{steps} steps");
    }
}
