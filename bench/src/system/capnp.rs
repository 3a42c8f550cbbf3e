//! Cap'n Proto by capnp-rpc, over TCP, with its defaults.
//!
//! capnp-rpc keeps a connection on one thread, so both sides run on the current-thread runtime. Values that are not
//! `Send` are wrapped, so that the measures can treat this system like the others: a [`SendWrapper`] panics if it is
//! used on another thread, which can't happen there.

use bytes::Bytes;
use capnp::Error;
use capnp::capability::Rc;
use capnp_rpc::rpc_twoparty_capnp::Side;
use capnp_rpc::twoparty::VatNetwork;
use capnp_rpc::{RpcSystem, new_client};
use futures_util::io::{BufReader, BufWriter};
use send_wrapper::SendWrapper;
use std::cell::Cell;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::compat::{TokioAsyncReadCompatExt, TokioAsyncWriteCompatExt};

use crate::Failure;
use crate::control;
use crate::echo_capnp::{Flag, echo, sink, trade, trade_sink};
use crate::load::Ticket;
use crate::measure::{Client, Streams};

struct Host;

fn write_trade(mut trade: trade::Builder<'_>, symbol: &str) {
    trade.set_symbol(symbol);
    trade.set_size(300);
    trade.set_seconds(1_772_366_400);
    trade.set_nanoseconds(250_000_000);
    trade.set_venue("XETR");
    trade.set_lot(1);
    let mut price = trade.reborrow().init_price();
    price.set_units(12_345);
    price.set_scale(2);
    price.set_currency("EUR");
    let mut flags = trade.reborrow().init_flags(2);
    flags.set(0, Flag::Block);
    flags.set(1, Flag::Odd);
    let mut attributes = trade.init_attributes(2);
    for (index, (name, value)) in (0..).zip([("book", "main"), ("desk", "7")]) {
        let mut attribute = attributes.reborrow().get(index);
        attribute.set_name(name);
        attribute.set_value(value);
    }
}

impl echo::Server for Host {
    async fn echo(
        self: Rc<Self>,
        params: echo::EchoParams,
        mut results: echo::EchoResults,
    ) -> Result<(), Error> {
        results.get().set_payload(params.get()?.get_payload()?);
        Ok(())
    }

    async fn last(
        self: Rc<Self>,
        params: echo::LastParams,
        mut results: echo::LastResults,
    ) -> Result<(), Error> {
        write_trade(results.get().init_trade(), params.get()?.get_symbol()?.to_str()?);
        Ok(())
    }

    async fn items(self: Rc<Self>, params: echo::ItemsParams, _: echo::ItemsResults) -> Result<(), Error> {
        let params = params.get()?;
        let (item, sink) = (vec![7; params.get_size() as usize], params.get_sink()?);
        loop {
            send(&sink, &item).await?;
        }
    }

    async fn trades(self: Rc<Self>, params: echo::TradesParams, _: echo::TradesResults) -> Result<(), Error> {
        let sink = params.get()?.get_sink()?;
        loop {
            let mut request = sink.item_request();
            write_trade(request.get().init_trade(), "ACME");
            request.send().await?;
        }
    }

    async fn collect(
        self: Rc<Self>,
        _: echo::CollectParams,
        mut results: echo::CollectResults,
    ) -> Result<(), Error> {
        results.get().set_sink(new_client(Collected::default()));
        Ok(())
    }

    async fn exchange(
        self: Rc<Self>,
        params: echo::ExchangeParams,
        mut results: echo::ExchangeResults,
    ) -> Result<(), Error> {
        results.get().set_sink(new_client(Back(params.get()?.get_back()?)));
        Ok(())
    }
}

async fn send(sink: &sink::Client, item: &[u8]) -> Result<(), Error> {
    let mut request = sink.item_request();
    request.get().set_payload(item);
    request.send().await
}

/// Counts the received items, and returns the count at the end.
#[derive(Default)]
struct Collected(Cell<u64>);

impl sink::Server for Collected {
    async fn item(self: Rc<Self>, params: sink::ItemParams) -> Result<(), Error> {
        params.get()?.get_payload()?;
        self.0.set(self.0.get() + 1);
        Ok(())
    }

    async fn done(self: Rc<Self>, _: sink::DoneParams, mut results: sink::DoneResults) -> Result<(), Error> {
        results.get().set_count(self.0.get());
        Ok(())
    }
}

/// Sends the received items back.
struct Back(sink::Client);

impl sink::Server for Back {
    async fn item(self: Rc<Self>, params: sink::ItemParams) -> Result<(), Error> {
        send(&self.0, params.get()?.get_payload()?).await
    }
}

/// Counts the received items with the ticket.
struct Counted(Ticket);

impl sink::Server for Counted {
    async fn item(self: Rc<Self>, params: sink::ItemParams) -> Result<(), Error> {
        params.get()?.get_payload()?;
        self.0.count();
        Ok(())
    }
}

impl trade_sink::Server for Counted {
    async fn item(self: Rc<Self>, params: trade_sink::ItemParams) -> Result<(), Error> {
        params.get()?.get_trade()?.get_symbol()?;
        self.0.count();
        Ok(())
    }
}

/// Serves until the process ends.
pub(crate) async fn serve() -> Result<(), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    super::announce(&listener.local_addr()?.to_string(), Some(control::listen()?))?;
    loop {
        let (stream, _) = listener.accept().await?;
        let host: echo::Client = new_client(Host);
        let system = RpcSystem::new(network(stream, Side::Server)?, Some(host.client));
        tokio::spawn(SendWrapper::new(system));
    }
}

/// Returns the network of a connection, as in the examples of capnp-rpc.
fn network(stream: TcpStream, side: Side) -> Result<Box<Network>, Failure> {
    stream.set_nodelay(true)?;
    let (reader, writer) = stream.into_split();
    let (reader, writer) = (BufReader::new(reader.compat()), BufWriter::new(writer.compat_write()));
    Ok(Box::new(VatNetwork::new(reader, writer, side, capnp::message::ReaderOptions::default())))
}

type Network = VatNetwork<BufReader<tokio_util::compat::Compat<tokio::net::tcp::OwnedReadHalf>>>;

/// The measured client.
#[derive(Clone)]
pub(crate) struct CapnpClient(SendWrapper<echo::Client>);

impl Client for CapnpClient {
    async fn connect(endpoint: &str) -> Result<Self, Failure> {
        let stream = TcpStream::connect(endpoint).await?;
        let mut system = RpcSystem::new(network(stream, Side::Client)?, None);
        let client = Self(SendWrapper::new(system.bootstrap(Side::Server)));
        tokio::spawn(SendWrapper::new(system));
        Ok(client)
    }

    fn echo(&mut self, payload: Bytes) -> impl Future<Output = Result<usize, Failure>> + Send {
        SendWrapper::new(async move {
            let mut request = self.0.echo_request();
            request.get().set_payload(&payload);
            Ok(request.send().promise.await?.get()?.get_payload()?.len())
        })
    }

    fn last(&mut self, symbol: &str) -> impl Future<Output = Result<usize, Failure>> + Send {
        SendWrapper::new(async move {
            let mut request = self.0.last_request();
            request.get().set_symbol(symbol);
            Ok(request.send().promise.await?.get()?.get_trade()?.get_symbol()?.len())
        })
    }
}

impl Streams for CapnpClient {
    fn items(&mut self, size: usize, ticket: &Ticket) -> impl Future<Output = Result<(), Failure>> + Send {
        SendWrapper::new(async move {
            let mut request = self.0.items_request();
            request.get().set_size(u32::try_from(size)?);
            request.get().set_sink(new_client(Counted(ticket.clone())));
            until_stopped(request.send().promise, ticket).await
        })
    }

    fn trades(&mut self, ticket: &Ticket) -> impl Future<Output = Result<(), Failure>> + Send {
        SendWrapper::new(async move {
            let mut request = self.0.trades_request();
            request.get().set_sink(new_client(Counted(ticket.clone())));
            until_stopped(request.send().promise, ticket).await
        })
    }

    fn collect(&mut self, item: Bytes, ticket: Ticket) -> impl Future<Output = Result<u64, Failure>> + Send {
        SendWrapper::new(async move {
            let sink = self.0.collect_request().send().pipeline.get_sink();
            while !ticket.stopped() {
                ticket.count();
                send(&sink, &item).await?;
            }
            Ok(sink.done_request().send().promise.await?.get()?.get_count())
        })
    }

    fn exchange(&mut self, item: Bytes, ticket: &Ticket) -> impl Future<Output = Result<(), Failure>> + Send {
        SendWrapper::new(async move {
            let mut request = self.0.exchange_request();
            request.get().set_back(new_client(Counted(ticket.clone())));
            let sink = request.send().pipeline.get_sink();
            while !ticket.stopped() {
                send(&sink, &item).await?;
            }
            Ok(())
        })
    }
}

/// Interval at which the end of the window is checked. The count is taken by then.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Runs a call until the window is over, then drops it, which ends it at the server.
async fn until_stopped<T>(
    call: impl Future<Output = Result<T, Error>>,
    ticket: &Ticket,
) -> Result<(), Failure> {
    let stopped = async {
        while !ticket.stopped() {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    };
    tokio::select! {
        ended = call => ended.map_or_else(|error| Err(error.into()), |_| Err("the stream ended early".into())),
        () = stopped => Ok(()),
    }
}
