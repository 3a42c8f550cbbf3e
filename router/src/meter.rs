//! What a router counts, for the recorder of the crate `metrics` that the program has installed.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, gauge};

use crate::board::EventView;
use crate::config::OWN_NAME;
use crate::forwarder::WorkerState;
use crate::io::Hub;

/// Time between two looks.
const PAUSE: Duration = Duration::from_secs(1);

/// What is now, and what it means: of the router, and of each worker.
const GAUGES: [(&str, &str); 6] = [
    ("zsvc_router_clients", "clients that are connected"),
    ("zsvc_router_calls", "calls in flight, those that wait included"),
    ("zsvc_router_waiting_calls", "calls that wait for a worker"),
    (WORKER_UP, "workers of the name that can be reached"),
    (WORKER_CALLS, "calls in flight at the workers of the name"),
    (EVENT_SUBSCRIBERS, "subscriptions to an event that the router has itself"),
];
const EVENT_SUBSCRIBERS: &str = "zsvc_router_event_subscribers";
const EVENTS: &str = "zsvc_router_events_total";
const WORKER_UP: &str = "zsvc_router_worker_up";
const WORKER_CALLS: &str = "zsvc_router_worker_calls";
/// The realm and the name of workers.
type Name = (String, String);
const COUNTER: &str = "zsvc_router_total";

/// Records the numbers again and again.
pub(crate) async fn run(hub: Arc<Hub>) {
    describe();
    let mut known = HashSet::new();
    loop {
        record(&hub, &mut known);
        tokio::time::sleep(PAUSE).await;
    }
}

/// Says what the numbers mean.
fn describe() {
    for (name, meaning) in GAUGES {
        describe_gauge!(name, meaning);
    }
    describe_counter!(COUNTER, "what the router has counted since it was started, by what it is");
    describe_counter!(EVENTS, "events that the router has itself, by what has become of them");
}

/// Records the numbers as they are. `known` are the workers that were there the last time.
fn record(hub: &Hub, known: &mut HashSet<Name>) {
    let (counted, numbers, workers) = hub.with(|forwarder, now| {
        let numbers = [
            (GAUGES[0].0, forwarder.callers()),
            (GAUGES[1].0, forwarder.calls()),
            (GAUGES[2].0, forwarder.queued()),
        ];
        let workers = forwarder.workers(now).filter(|worker| worker.name != OWN_NAME);
        (*forwarder.counters(), numbers, workers.collect::<Vec<_>>())
    });
    for (what, count) in counted.by_name().into_iter().chain(hub.board().counted()) {
        counter!(COUNTER, "what" => what).absolute(count);
    }
    for (name, number) in numbers {
        gauge!(name).set(u32::try_from(number).unwrap_or(u32::MAX));
    }
    hub.board().views().iter().for_each(record_event);
    let mut gone = std::mem::take(known);
    // Those that register may have one name, as all copies of a program with one key have.
    let mut by_name = BTreeMap::<Name, (u32, u32)>::new();
    for worker in workers {
        let is_up = worker.state == WorkerState::Up && !worker.is_silent;
        let (up, calls) = by_name.entry((worker.realm, worker.name)).or_default();
        *up += u32::from(is_up);
        *calls = calls.saturating_add(worker.in_flight);
    }
    for (name, numbers) in by_name {
        gone.remove(&name);
        set(&name, numbers);
        known.insert(name);
    }
    for name in gone {
        set(&name, (0, 0));
    }
}

/// Records the numbers of an event that the router has itself. The router's own endpoint forgets those of one that is there no more.
fn record_event(view: &EventView) {
    let labels = [("realm", view.realm.clone()), ("event", view.event.clone())];
    gauge!(EVENT_SUBSCRIBERS, &labels).set(u32::try_from(view.subscribers).unwrap_or(u32::MAX));
    let counts = [("sent", view.sent), ("dropped", view.dropped), ("disconnected", view.disconnected)];
    for (what, count) in counts {
        let labels =
            [("realm", view.realm.clone()), ("event", view.event.clone()), ("what", what.to_owned())];
        counter!(EVENTS, &labels).absolute(count);
    }
}

/// Sets the numbers of the workers of a name.
fn set((realm, name): &Name, (up, calls): (u32, u32)) {
    let labels = [("realm", realm.clone()), ("worker", name.clone())];
    gauge!(WORKER_UP, &labels).set(up);
    gauge!(WORKER_CALLS, &labels).set(calls);
}

#[cfg(test)]
mod tests {
    use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};

    use super::*;
    use crate::forwarder::{Limits, NewWorker};

    /// Returns the value of a number, by its name and label.
    fn value(snapshotter: &Snapshotter, name: &str, label: Option<&str>) -> Option<DebugValue> {
        let all = snapshotter.snapshot().into_vec();
        let found = all.into_iter().find(|(key, ..)| {
            let key = key.key();
            key.name() == name && label.is_none_or(|label| key.labels().any(|found| found.value() == label))
        });
        found.map(|(_, _, _, value)| value)
    }

    #[test]
    fn workers_with_one_name_are_added_up_in_their_realm() {
        let recorder = DebuggingRecorder::new();
        let (snapshotter, hub, mut known) =
            (recorder.snapshotter(), Hub::new(Limits::default()), HashSet::new());
        for (realm, number) in [("", 3), ("eu", 1)] {
            for index in 0..number {
                let (name, realm) = ("tape".to_owned(), realm.to_owned());
                let new =
                    NewWorker { name, services: vec!["a.B".to_owned()], capacity: 1, standby: 0, realm };
                let key = hub.with(|forwarder, now| forwarder.add_worker(new, Arc::default(), now)).unwrap();
                if index > 0 {
                    hub.with(|forwarder, now| forwarder.handle_worker_up(key, now));
                }
            }
        }
        metrics::with_local_recorder(&recorder, || record(&hub, &mut known));
        let mut up: Vec<_> = snapshotter
            .snapshot()
            .into_vec()
            .into_iter()
            .filter_map(|(key, _, _, value)| {
                let labels: Vec<_> = key.key().labels().map(|label| label.value().to_owned()).collect();
                let DebugValue::Gauge(value) = value else { return None };
                (key.key().name() == WORKER_UP).then_some((labels, value.into_inner()))
            })
            .collect();
        up.sort_by(|one, other| one.0.cmp(&other.0));
        let labels = |realm: &str| vec![realm.to_owned(), "tape".to_owned()];
        assert_eq!(up, [(labels(""), 2.0), (labels("eu"), 0.0)]);
    }

    #[test]
    fn numbers_and_workers_that_come_and_go_are_recorded() {
        let recorder = DebuggingRecorder::new();
        let (snapshotter, hub, mut known) =
            (recorder.snapshotter(), Hub::new(Limits::default()), HashSet::new());
        let gauge = |name, label| match value(&snapshotter, name, label) {
            Some(DebugValue::Gauge(value)) => Some(value.into_inner()),
            _ => None,
        };
        let new = NewWorker {
            name: "one".to_owned(),
            services: vec!["a.B".to_owned()],
            capacity: 1,
            standby: 0,
            realm: String::new(),
        };
        metrics::with_local_recorder(&recorder, || {
            let key = hub.with(|forwarder, now| forwarder.add_worker(new, Arc::default(), now)).unwrap();
            hub.with(|forwarder, now| forwarder.handle_worker_up(key, now));
            hub.with(|forwarder, _| forwarder.count_unknown());
            record(&hub, &mut known);
            assert_eq!(gauge("zsvc_router_worker_up", Some("one")), Some(1.0));
            hub.with(|forwarder, now| forwarder.remove_worker(key, now));
            record(&hub, &mut known);
        });
        assert_eq!(gauge("zsvc_router_worker_up", Some("one")), Some(0.0));
        assert_eq!(known.len(), 0);
        metrics::with_local_recorder(&recorder, || record(&hub, &mut known));
        let counted = value(&snapshotter, "zsvc_router_total", Some("unknown_callers"));
        assert_eq!(counted, Some(DebugValue::Counter(1)));
    }
}
