//! gRPC by tonic, over HTTP/2 on TCP loopback, with its defaults (which include `TCP_NODELAY`) except for a higher
//! limit on the size of messages.

use std::pin::Pin;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use prost_types::Timestamp;
use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status, Streaming};

use crate::Failure;
use crate::control;
use crate::load::Ticket;
use crate::measure::{Client, Streams};

mod generated {
    #![allow(missing_docs, unreachable_pub, clippy::pedantic, reason = "generated code")]
    tonic::include_proto!("bench.v1");
}
use generated::echo_client::EchoClient;
use generated::echo_server::{Echo, EchoServer};
use generated::{Amount, Count, Flag, Nothing, Payload, Size, Symbol, Trade};

struct Host;

type Items<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

fn trade(symbol: String) -> Trade {
    Trade {
        symbol,
        price: Some(Amount { units: 12_345, scale: 2, currency: Some("EUR".to_owned()) }),
        size: 300,
        at: Some(Timestamp { seconds: 1_772_366_400, nanos: 250_000_000 }),
        venue: Some("XETR".to_owned()),
        flags: vec![Flag::Block.into(), Flag::Odd.into()],
        attributes: [("book", "main"), ("desk", "7")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        lot: 1,
    }
}

#[tonic::async_trait]
impl Echo for Host {
    type ItemsStream = Items<Payload>;
    type TradesStream = Items<Trade>;
    type ExchangeStream = Items<Payload>;

    async fn echo(&self, request: Request<Payload>) -> Result<Response<Payload>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    async fn last(&self, request: Request<Symbol>) -> Result<Response<Trade>, Status> {
        Ok(Response::new(trade(request.into_inner().symbol)))
    }

    async fn items(&self, request: Request<Size>) -> Result<Response<Self::ItemsStream>, Status> {
        let data = Bytes::from(vec![7; request.into_inner().size as usize]);
        Ok(Response::new(stream::repeat_with(move || Ok(Payload { data: data.clone() })).boxed()))
    }

    async fn trades(&self, _: Request<Nothing>) -> Result<Response<Self::TradesStream>, Status> {
        Ok(Response::new(stream::repeat_with(|| Ok(trade("ACME".to_owned()))).boxed()))
    }

    async fn collect(&self, request: Request<Streaming<Payload>>) -> Result<Response<Count>, Status> {
        let (mut items, mut count) = (request.into_inner(), 0);
        while items.message().await?.is_some() {
            count += 1;
        }
        Ok(Response::new(Count { count }))
    }

    async fn exchange(
        &self,
        request: Request<Streaming<Payload>>,
    ) -> Result<Response<Self::ExchangeStream>, Status> {
        Ok(Response::new(request.into_inner().boxed()))
    }
}

/// Serves until the process ends.
pub(crate) async fn serve() -> Result<(), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    super::announce(&format!("http://{}", listener.local_addr()?), Some(control::listen()?))?;
    // Equivalent to `Server::serve`, which does not report the port.
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let service = EchoServer::new(Host).max_decoding_message_size(usize::MAX);
    Ok(Server::builder().add_service(service).serve_with_incoming(incoming).await?)
}

impl Client for EchoClient<Channel> {
    async fn connect(endpoint: &str) -> Result<Self, Failure> {
        let channel = Endpoint::from_shared(endpoint.to_owned())?.connect().await?;
        Ok(Self::new(channel).max_decoding_message_size(usize::MAX))
    }

    async fn echo(&mut self, data: Bytes) -> Result<usize, Failure> {
        Ok(EchoClient::echo(self, Payload { data }).await?.into_inner().data.len())
    }

    async fn last(&mut self, symbol: &str) -> Result<usize, Failure> {
        let trade = EchoClient::last(self, Symbol { symbol: symbol.to_owned() }).await?;
        Ok(trade.into_inner().symbol.len())
    }
}

impl Streams for EchoClient<Channel> {
    async fn items(&mut self, size: usize, ticket: &Ticket) -> Result<(), Failure> {
        let size = u32::try_from(size)?;
        ticket.read(EchoClient::items(self, Size { size }).await?.into_inner()).await
    }

    async fn trades(&mut self, ticket: &Ticket) -> Result<(), Failure> {
        ticket.read(EchoClient::trades(self, Nothing {}).await?.into_inner()).await
    }

    async fn collect(&mut self, item: Bytes, ticket: Ticket) -> Result<u64, Failure> {
        let items = ticket.repeat(item).map(|data| Payload { data });
        Ok(EchoClient::collect(self, items).await?.into_inner().count)
    }

    async fn exchange(&mut self, item: Bytes, ticket: &Ticket) -> Result<(), Failure> {
        let items = stream::repeat(Payload { data: item });
        ticket.read(EchoClient::exchange(self, items).await?.into_inner()).await
    }
}

/// The measured client.
pub(crate) type TonicClient = EchoClient<Channel>;
