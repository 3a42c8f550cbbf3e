//! [`Numbers`]: what this process counts, as text for Prometheus.

use std::io;
use std::sync::OnceLock;
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use metrics_util::MetricKindMask;

/// What the names begin with of numbers of single workers and events.
const OF_WORKERS: [&str; 2] = ["zsvc_router_worker_", "zsvc_router_event_"];
/// Time after which the numbers of a worker or event go that is gone. Those of what is there are set each second.
const OF_WORKERS_FOR: Duration = Duration::from_secs(60);

/// What this process counts. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Numbers {
    all: PrometheusHandle,
    of_workers: PrometheusHandle,
}

/// Records what this process counts: the numbers of single workers and events apart, since there may be others all the time.
#[derive(Debug)]
struct Split {
    all: PrometheusRecorder,
    of_workers: PrometheusRecorder,
}

impl Numbers {
    /// Returns the numbers of this process, which are recorded from the first call on.
    ///
    /// # Errors
    /// The program records them elsewhere.
    pub(super) fn of_this_process() -> io::Result<Self> {
        static NUMBERS: OnceLock<Option<Numbers>> = OnceLock::new();
        let numbers = NUMBERS.get_or_init(|| {
            let (split, numbers) = Split::new(OF_WORKERS_FOR);
            metrics::set_global_recorder(split).ok().map(|()| numbers)
        });
        let why = "the program has installed another recorder of metrics; export its numbers by that";
        numbers.clone().ok_or_else(|| io::Error::new(io::ErrorKind::AlreadyExists, why))
    }

    /// Returns the numbers as text.
    pub(super) fn render(&self) -> String {
        let mut text = self.all.render();
        text.push_str(&self.of_workers.render());
        text
    }

    /// Forgets numbers that nothing sets any more, also where they are not asked for.
    pub(super) fn forget_old(&self) {
        self.all.run_upkeep();
        // Which is when it looks for them.
        drop(self.of_workers.render());
    }
}

impl Split {
    fn new(of_workers_for: Duration) -> (Self, Numbers) {
        let all = PrometheusBuilder::new().build_recorder();
        let of_workers = PrometheusBuilder::new()
            .idle_timeout(MetricKindMask::GAUGE, Some(of_workers_for))
            .build_recorder();
        let numbers = Numbers { all: all.handle(), of_workers: of_workers.handle() };
        (Self { all, of_workers }, numbers)
    }

    fn of(&self, name: &str) -> &PrometheusRecorder {
        if OF_WORKERS.iter().any(|prefix| name.starts_with(prefix)) { &self.of_workers } else { &self.all }
    }
}

impl Recorder for Split {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, description: SharedString) {
        self.of(name.as_str()).describe_counter(name, unit, description);
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, description: SharedString) {
        self.of(name.as_str()).describe_gauge(name, unit, description);
    }

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, description: SharedString) {
        self.of(name.as_str()).describe_histogram(name, unit, description);
    }

    fn register_counter(&self, key: &Key, metadata: &Metadata<'_>) -> Counter {
        self.of(key.name()).register_counter(key, metadata)
    }

    fn register_gauge(&self, key: &Key, metadata: &Metadata<'_>) -> Gauge {
        self.of(key.name()).register_gauge(key, metadata)
    }

    fn register_histogram(&self, key: &Key, metadata: &Metadata<'_>) -> Histogram {
        self.of(key.name()).register_histogram(key, metadata)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use metrics::{counter, gauge};

    use super::Split;

    #[test]
    fn numbers_of_workers_that_are_gone_are_forgotten_and_the_others_are_kept() {
        let (split, numbers) = Split::new(Duration::from_millis(50));
        let until = Instant::now() + Duration::from_secs(20);
        metrics::with_local_recorder(&split, || {
            gauge!("zsvc_router_clients").set(3);
            counter!("zsvc_router_total", "what" => "stray").absolute(0);
            gauge!("zsvc_router_worker_up", "worker" => "gone").set(1);
            gauge!("zsvc_router_event_subscribers", "event" => "gone").set(5);
            assert!(numbers.render().contains("zsvc_router_worker_up{worker=\"gone\"} 1"));
            while numbers.render().contains("gone") {
                assert!(Instant::now() < until, "it is never forgotten");
                gauge!("zsvc_router_worker_up", "worker" => "there").set(1);
                std::thread::yield_now();
            }
        });
        let text = numbers.render();
        for line in [
            "zsvc_router_clients 3\n",
            "zsvc_router_total{what=\"stray\"} 0\n",
            "zsvc_router_worker_up{worker=\"there\"} 1\n",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }
}
