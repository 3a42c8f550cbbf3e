//! Many producers and one server: readings as streams of parameters, signs of life as one-way calls.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::{StreamExt, future, stream};
use zsvc::{Context, Server, Status, Streaming, Timestamp};

zsvc::include_generated!();
use telemetry::v1::{Reading, Summary, Telemetry, TelemetryClient, TelemetryServer};

const SENSORS: u32 = 20;
const READINGS: u32 = 5_000;
const BEATS: u32 = 10;

/// The server's side: what it has heard of each sensor.
#[derive(Default)]
struct Station {
    beats: Mutex<BTreeMap<String, u32>>,
}

impl Station {
    fn beats(&self) -> MutexGuard<'_, BTreeMap<String, u32>> {
        self.beats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Telemetry for Station {
    async fn report(
        &self,
        _: &Context,
        _: String,
        mut readings: Streaming<Reading>,
    ) -> Result<Summary, Status> {
        let (mut count, mut sum, mut max) = (0_u64, 0.0, f64::NEG_INFINITY);
        // One reading at a time: a sensor that is faster than this waits, and no other does.
        while let Some(reading) = readings.next().await {
            let celsius = reading?.celsius;
            count += 1;
            sum += celsius;
            max = f64::max(max, celsius);
        }
        if count == 0 {
            return Err(Status::invalid_argument("a report has one reading at least"));
        }
        #[expect(clippy::cast_precision_loss, reason = "there are not that many")]
        Ok(Summary { readings: count, mean: sum / count as f64, max })
    }

    async fn beat(&self, _: &Context, sensor: String) {
        *self.beats().entry(sensor).or_default() += 1;
    }
}

/// A sensor: sends its readings, and now and then a sign of life beside them.
async fn sensor(telemetry: TelemetryClient, number: u32) -> Result<Summary, Status> {
    let name = format!("sensor-{number}");
    let readings = (0..READINGS).map(move |step| Reading {
        taken: Timestamp::now(),
        celsius: f64::from(number) + f64::from(step) / f64::from(READINGS),
    });
    let report = telemetry.report(&*name, stream::iter(readings));
    let beats = async {
        for _ in 0..BEATS {
            telemetry.beat(&*name).await?;
        }
        Ok(())
    };
    let (summary, ()) = future::try_join(report.into_future(), beats).await?;
    Ok(summary)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let station = std::sync::Arc::new(Station::default());
    let service = TelemetryServer::from_arc(std::sync::Arc::clone(&station));
    let server = Server::builder().service(service).bind("tcp://127.0.0.1:*").listen()?;
    let endpoint = server.endpoints()[0].clone();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(server.serve_until(stopped));

    // Each with a connection of its own, as if they were programs.
    let sensors = (0..SENSORS).map(|number| {
        let endpoint = endpoint.clone();
        async move { sensor(TelemetryClient::connect(endpoint).await?, number).await }
    });
    let summaries: Vec<_> = stream::iter(sensors).buffer_unordered(SENSORS as usize).collect().await;
    let mut total = 0;
    let mut hottest = f64::NEG_INFINITY;
    for summary in summaries {
        let summary = summary?;
        total += summary.readings;
        hottest = hottest.max(summary.max);
    }
    println!("{total} readings of {SENSORS} sensors, {hottest:.1} °C at most");

    drop(stop);
    serving.await??;
    println!("{} signs of life", station.beats().values().sum::<u32>());
    Ok(())
}
