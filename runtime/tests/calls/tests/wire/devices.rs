//! A device between client and server: the unmodified `zmq_proxy`.

use std::thread::{self, JoinHandle};

use futures_util::{StreamExt, stream};
use zsvc::{Code, Error, Outcome};
use zsvc_calls::market::v1::{MarketOrder, Order, Side, TapeClient, TapeError};
use zsvc_calls::shapes::v1::{Shape, ShapesClient};

use crate::floor::trade;
use crate::raw::{bind, socket};
use crate::rig::{Serving, TIMEOUT, assert_no_panics, run};

/// A proxy in front of a server, which runs until it is dropped.
struct Device {
    endpoint: String,
    control: zmq::Socket,
    running: Option<JoinHandle<()>>,
}

impl Device {
    fn before(server: &str) -> Self {
        let mut clients = socket(zmq::ROUTER);
        let mut servers = socket(zmq::DEALER);
        let endpoint = bind(&clients);
        servers.connect(server).expect("the endpoint is valid");
        let control = socket(zmq::PAIR);
        let mut told = socket(zmq::PAIR);
        told.connect(&bind(&control)).expect("it is bound");
        // The proxy waits until it gets a command.
        told.set_rcvtimeo(-1).expect("libzmq has this option");
        let running = thread::spawn(move || {
            zmq::proxy_steerable(&mut clients, &mut servers, &mut told)
                .expect("it runs until it is told to end");
        });
        Self { endpoint, control, running: Some(running) }
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        if self.control.send("TERMINATE", 0).is_ok()
            && let Some(running) = self.running.take()
        {
            let _ = running.join();
        }
    }
}

/// Runs a client that reaches its server through two devices.
fn through_devices(client: impl AsyncFnOnce(TapeClient, &Serving)) {
    let server = Serving::start();
    let inner = Device::before(&server.endpoint);
    let outer = Device::before(&inner.endpoint);
    run(async {
        let tape = TapeClient::connect(outer.endpoint.as_str()).await.expect("a pong comes back");
        client(tape, &server).await;
    });
    assert_no_panics();
}

#[test]
fn unary_calls_pass() {
    through_devices(async |tape, _| {
        assert_eq!(tape.last("ACME").no_deadline().await, Ok(trade("ACME")));
        let error = tape.last("NOPE").no_deadline().await.expect_err("there is no such symbol");
        assert_eq!(error, Error::Declared(TapeError::UnknownSymbol { symbol: "NOPE".to_owned() }));
        let Err(Error::Status(status)) = tape.last("").no_deadline().await else { panic!("it is too short") };
        assert_eq!((status.code(), status.outcome()), (Code::InvalidArgument, Outcome::NotSent));
    });
}

#[test]
fn streams_pass() {
    through_devices(async |tape, _| {
        let symbols = vec!["ACME"; 20_000];
        let trades = tape.watch(symbols).await.expect("the call is on its way");
        assert_eq!(trades.filter(|item| futures_util::future::ready(item.is_ok())).count().await, 20_000);
        let taken = tape.import("desk", stream::iter(vec![trade("ACME"); 20_000])).await;
        assert_eq!(taken, Ok(6_000_000));
    });
}

#[test]
fn attachments_pass() {
    through_devices(async |tape, server| {
        let shapes = ShapesClient::new(tape.channel().clone());
        let blob = Shape::Blob(vec![7; 100_000].into());
        assert_eq!(shapes.echo(blob.clone()).await, Ok(blob));
        assert_eq!(server.counters.unreadable_batches(), 0);
    });
}

#[test]
fn conversations_pass() {
    through_devices(async |tape, _| {
        let (orders, mut fills) = tape.converse().await.expect("the call is on its way");
        for symbol in ["ACME", "INIT"] {
            let order = MarketOrder { symbol: symbol.to_owned(), side: Side::Buy, size: 100 };
            orders.send(Order::Market(order)).await.expect("there is credit");
            assert_eq!(fills.next().await, Some(Ok(trade(symbol))));
        }
        orders.finish();
        assert_eq!(fills.next().await, None);
    });
}

#[test]
fn one_way_calls_and_cancels_pass() {
    through_devices(async |tape, server| {
        tape.note("from afar").await.expect("the one-way call is accepted");
        let mut trades = tape.watch(["FOREVER"]).await.expect("the call is on its way");
        assert_eq!(trades.next().await, Some(Ok(trade("FOREVER"))));
        drop(trades);
        assert_eq!(tape.last("ACME").no_deadline().await, Ok(trade("ACME")));
        tape.channel().clone().close(TIMEOUT).await.expect("everything was read");
        assert_eq!(server.note(), "from afar");
    });
}
