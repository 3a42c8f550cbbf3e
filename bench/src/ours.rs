//! zsvc as a user has it: generated code, typed values, every option as it is by default.

use std::time::{Duration, Instant};

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::runtime::{Builder, Runtime};
use zsvc::{Bytes, Context, Sink, Status, Streaming};

use crate::{PAYLOAD, Sample, System};

zsvc::include_generated!();
use bench::v1::{Echo, EchoClient, EchoServer};

struct Host;

impl Echo for Host {
    async fn echo(&self, _: &Context, payload: Bytes) -> Result<Bytes, Status> {
        Ok(payload)
    }

    async fn count(&self, _: &Context, items: u64, size: u32, out: Sink<Bytes>) -> Result<(), Status> {
        let item = Bytes::from(vec![7; size as usize]);
        for _ in 0..items {
            out.send(item.clone()).await?;
        }
        Ok(())
    }

    async fn collect(&self, _: &Context, mut items: Streaming<Bytes>) -> Result<u64, Status> {
        let mut count = 0;
        while let Some(item) = items.next().await {
            item?;
            count += 1;
        }
        Ok(count)
    }
}

fn runtime(system: System) -> Runtime {
    let mut builder = if system == System::ZsvcCurrent {
        Builder::new_current_thread()
    } else {
        Builder::new_multi_thread()
    };
    builder.enable_all().build().expect("a runtime")
}

/// Echoes until it is killed.
pub fn serve(system: System) {
    runtime(system).block_on(async {
        let builder = zsvc::Server::builder().service(EchoServer::new(Host)).bind("tcp://127.0.0.1:*");
        let server = builder.listen().expect("a free port");
        println!("{}", server.endpoints()[0]);
        server.serve().await.expect("it serves");
    });
}

/// Keeps so many calls in flight for so long.
pub fn measure(system: System, endpoint: &str, in_flight: usize, time: Duration) -> Sample {
    let endpoint = endpoint.to_owned();
    runtime(system).block_on(async move {
        // A task, as a user's code mostly is: `block_on` runs beside the workers.
        tokio::spawn(async move {
            let client = EchoClient::connect(endpoint).await.expect("the server is there");
            calls(&client, in_flight, time).await
        })
        .await
        .expect("no call panics")
    })
}

async fn calls(client: &EchoClient, in_flight: usize, time: Duration) -> Sample {
    let payload = Bytes::from_static(&[7; PAYLOAD]);
    let call = || async {
        let start = Instant::now();
        client.echo(payload.clone()).await.expect("an answer");
        start.elapsed().as_secs_f64() * 1e6
    };
    let mut times = Vec::new();
    let mut running: FuturesUnordered<_> = (0..in_flight).map(|_| call()).collect();
    let start = Instant::now();
    while start.elapsed() < time {
        times.push(running.next().await.expect("one is in flight"));
        running.push(call());
    }
    Sample { rate: times.len() as f64 / start.elapsed().as_secs_f64(), median: crate::median(&mut times) }
}
