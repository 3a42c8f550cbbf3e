//! zsvc as a user has it: generated code, typed values, and the default of every option.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Handle;
use zsvc::{Channel, Context, ServerBuilder, Sink, Status, Streaming, Timestamp};

use crate::Failure;
use crate::control::{self, RECEIVED};
use crate::load::Ticket;
use crate::measure::{self, Client, Measure, Streams, Task};
use crate::sample::Reading;

zsvc::include_generated!();
pub(crate) use bench::v1::EchoClient;
use bench::v1::{Echo, EchoServer};
use market::v1::{Flag, Trade};
use money::v1::Amount;
pub(crate) use ticks::v1::Tick;

struct Host;

/// Returns a trade with a value in every field.
fn trade(symbol: String) -> Trade {
    Trade {
        symbol,
        price: Amount { units: 12_345, scale: 2, currency: Some("EUR".to_owned()) },
        size: 300,
        at: Timestamp::new(1_772_366_400, 250_000_000).unwrap_or(Timestamp::EPOCH),
        venue: Some("XETR".to_owned()),
        flags: vec![Flag::Block, Flag::Odd],
        attributes: [("book", "main"), ("desk", "7")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        lot: 1,
    }
}

impl Echo for Host {
    async fn echo(&self, _: &Context, payload: Bytes) -> Result<Bytes, Status> {
        Ok(payload)
    }

    async fn last(&self, _: &Context, symbol: String) -> Result<Trade, Status> {
        Ok(trade(symbol))
    }

    async fn items(&self, _: &Context, size: u32, out: Sink<Bytes>) -> Result<(), Status> {
        let item = Bytes::from(vec![7; size as usize]);
        loop {
            out.send(item.clone()).await?;
        }
    }

    async fn trades(&self, _: &Context, out: Sink<Trade>) -> Result<(), Status> {
        loop {
            out.send(trade("ACME".to_owned())).await?;
        }
    }

    async fn collect(&self, _: &Context, mut items: Streaming<Bytes>) -> Result<u64, Status> {
        let mut count = 0;
        while let Some(item) = items.next().await {
            item?;
            count += 1;
        }
        Ok(count)
    }

    async fn exchange(
        &self,
        _: &Context,
        mut items: Streaming<Bytes>,
        out: Sink<Bytes>,
    ) -> Result<(), Status> {
        while let Some(item) = items.next().await {
            out.send(item?).await?;
        }
        Ok(())
    }

    async fn note(&self, _: &Context, _payload: Bytes) {
        RECEIVED.fetch_add(1, Ordering::Relaxed);
    }
}

/// Switches off the services that a server has by itself, and with the statistics what they need: calls are neither counted nor timed.
pub(crate) fn without_own_services(server: ServerBuilder) -> ServerBuilder {
    server.reflection(false).health(false).stats(false)
}

/// Serves until the process ends, with settings other than the defaults.
pub(crate) async fn serve(set: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Result<(), Failure> {
    let builder = zsvc::Server::builder().service(EchoServer::new(Host)).bind("tcp://127.0.0.1:*");
    let server = set(builder).listen()?;
    let endpoint = server.endpoints().first().ok_or("the server has no endpoint")?;
    super::announce(endpoint, Some(control::listen()?))?;
    Ok(server.serve().await?)
}

/// Takes the measure that the task names.
pub(crate) async fn drive(task: Task) -> Result<Vec<Reading>, Failure> {
    if task.measure != Measure::OneWay {
        return measure::streams::<EchoClient>(task).await;
    }
    let client = <EchoClient as Client>::connect(&task.endpoint).await?;
    let runtime = Handle::current();
    // A blocking thread may wait for the server while the runtime continues to send.
    let send =
        move |time| runtime.block_on(tokio::spawn(notes(client.clone(), task.measure.payload(), time)))?;
    tokio::task::spawn_blocking(move || measure::one_way(&task, send)).await?
}

async fn notes(client: EchoClient, payload: Bytes, time: Duration) -> Result<u64, Failure> {
    let ticket = Ticket::for_time(time);
    while !ticket.stopped() {
        client.note(payload.clone()).await?;
        ticket.count();
    }
    Ok(ticket.counted())
}

impl Client for EchoClient {
    async fn connect(endpoint: &str) -> Result<Self, Failure> {
        Ok(EchoClient::connect(endpoint).await?)
    }

    async fn echo(&mut self, payload: Bytes) -> Result<usize, Failure> {
        Ok(EchoClient::echo(self, payload).await?.len())
    }

    async fn last(&mut self, symbol: &str) -> Result<usize, Failure> {
        Ok(EchoClient::last(self, symbol).await?.symbol.len())
    }
}

/// A client whose connection is encrypted.
#[derive(Clone)]
pub(crate) struct Encrypted(EchoClient);

impl Client for Encrypted {
    async fn connect(endpoint: &str) -> Result<Self, Failure> {
        let channel = Channel::builder().endpoint(endpoint).curve(super::keys::of_client());
        Ok(Self(EchoClient::new(channel.connect().await?)))
    }

    async fn echo(&mut self, payload: Bytes) -> Result<usize, Failure> {
        Client::echo(&mut self.0, payload).await
    }

    async fn last(&mut self, symbol: &str) -> Result<usize, Failure> {
        Client::last(&mut self.0, symbol).await
    }
}

impl Streams for EchoClient {
    async fn items(&mut self, size: usize, ticket: &Ticket) -> Result<(), Failure> {
        ticket.read(EchoClient::items(self, u32::try_from(size)?).await?).await
    }

    async fn trades(&mut self, ticket: &Ticket) -> Result<(), Failure> {
        ticket.read(EchoClient::trades(self).await?).await
    }

    async fn collect(&mut self, item: Bytes, ticket: Ticket) -> Result<u64, Failure> {
        Ok(EchoClient::collect(self, ticket.repeat(item)).await?)
    }

    async fn exchange(&mut self, item: Bytes, ticket: &Ticket) -> Result<(), Failure> {
        let (sink, back) = EchoClient::exchange(self).await?;
        let sender = tokio::spawn(async move {
            // Sending continues until the call is dropped, and fails then.
            while sink.send(item.clone()).await.is_ok() {}
        });
        let read = ticket.read(back).await;
        sender.await?;
        read
    }
}
