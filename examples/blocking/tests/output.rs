//! Runs the client as a user would, against a server of this process.

use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use blocking::counter::v1::{Counter, CounterServer};
use tokio::sync::watch;
use zsvc::{Context, Server, Sink, Status, Streaming};

#[derive(Default)]
struct Sum {
    sum: AtomicU64,
    changes: watch::Sender<u64>,
}

impl Sum {
    fn add_one(&self, number: u32) -> u64 {
        let sum = self.sum.fetch_add(number.into(), Ordering::SeqCst) + u64::from(number);
        self.changes.send_if_modified(|last| std::mem::replace(last, sum) != sum);
        sum
    }
}

impl Counter for Sum {
    async fn add(&self, _: &Context, number: u32) -> Result<u64, Status> {
        Ok(self.add_one(number))
    }

    async fn add_all(&self, _: &Context, mut numbers: Streaming<u32>) -> Result<u64, Status> {
        while let Some(number) = numbers.next().await {
            self.add_one(number?);
        }
        Ok(self.sum.load(Ordering::SeqCst))
    }

    async fn countdown(&self, _: &Context, from: u32, out: Sink<u32>) -> Result<(), Status> {
        for number in (1..=from).rev() {
            out.send(number).await?;
        }
        Ok(())
    }

    async fn watch(&self, _: &Context, out: Sink<u64>) -> Result<(), Status> {
        let mut changes = self.changes.subscribe();
        loop {
            let sum = *changes.borrow_and_update();
            out.send(sum).await?;
            if changes.changed().await.is_err() {
                return Ok(());
            }
        }
    }
}

const LINES: [&str; 11] = [
    "add        1",
    "add_all    10",
    "countdown  3",
    "countdown  2",
    "countdown  1",
    "watch      10",
    "watch      100",
    "thread     100",
    "thread     100",
    "thread     100",
    "thread     100",
];

#[tokio::test]
async fn a_program_without_async_calls_every_kind_of_method() {
    let server =
        Server::builder().service(CounterServer::new(Sum::default())).bind("tcp://127.0.0.1:*").listen();
    let server = server.expect("a port is free");
    let endpoint = server.endpoints()[0].clone();
    let serving = tokio::spawn(server.serve());
    let run = move || Command::new(env!("CARGO_BIN_EXE_blocking")).arg(endpoint).output();
    let output = tokio::task::spawn_blocking(run).await.expect("it returns").expect("the program starts");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(text.lines().collect::<Vec<_>>(), LINES);
    serving.abort();
}
