//! A `Tape` whose answers depend only on the parameters.

use std::future::pending;
use std::sync::mpsc::Sender;
use std::time::Duration;

use zsvc::{Context, Error, Sink, Status, Streaming, Timestamp};
use zsvc_calls::market::v1::{Flag, Order, Tape, TapeError, Trade};
use zsvc_calls::money::v1::Amount;
use zsvc_calls::shapes::v1::{Amiss, Shape, Shapes, ShapesFailError};

/// The service of the tests. Some symbols have a special meaning:
///
/// - `NOPE` is unknown, trading of `HALT` is halted;
/// - `SLOW` is never answered, and a stream of `FOREVER` never ends; one of `UNREAD` neither, and a note says that it was ended;
/// - `META` is traded at the venue that the metadata entry `tenant` names;
/// - `PANIC` has its handler panic, with a value that panics when it is dropped;
/// - a poll of `LONG` has an answer of more than [`LONG_BYTES`];
/// - the venue of `BESIDE` is sent beside the trade.
pub(crate) struct Floor {
    /// Receives the texts of notes.
    pub(crate) notes: Sender<String>,
}

/// The text that is answered with a value that can't be encoded.
pub(crate) const UNWRITABLE: &str = "unwritable";
/// Size of the symbol in a long answer.
const LONG_BYTES: usize = 84_000;

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic_as_asked(());
    }
}

/// Panics without the hook, which counts the panics that no test has asked for.
fn panic_as_asked(with: impl Send + 'static) -> ! {
    std::panic::resume_unwind(Box::new(with))
}

/// Sends a note when it is dropped.
struct Noting<'a>(&'a Sender<String>, &'static str);

impl Drop for Noting<'_> {
    fn drop(&mut self) {
        // A test that has ended no longer receives it.
        let _ = self.0.send(self.1.to_owned());
    }
}

/// Returns the trade of the document's listings, with the given symbol.
pub(crate) fn trade(symbol: &str) -> Trade {
    Trade {
        symbol: symbol.to_owned(),
        price: Amount { units: 12_345, scale: 2, currency: Some("EUR".to_owned()) },
        size: 300,
        at: Timestamp::new(1_772_366_400, 250_000_000).expect("that is less than a second"),
        venue: None,
        flags: vec![Flag::Odd],
        attributes: [("desk".to_owned(), "7".to_owned())].into(),
        lot: 1,
    }
}

async fn traded(context: &Context, symbol: &str) -> Result<Trade, Error<TapeError>> {
    match symbol {
        "NOPE" => Err(TapeError::UnknownSymbol { symbol: symbol.to_owned() }.into()),
        "HALT" => Err(TapeError::Halted.into()),
        "SLOW" => pending().await,
        "PANIC" => {
            // Not where its call arrived, but in a task of its own.
            tokio::task::yield_now().await;
            panic_as_asked(Bomb)
        }
        "META" => {
            let venue = context.metadata().text("tenant").map(str::to_owned);
            Ok(Trade { venue, ..trade(symbol) })
        }
        "BESIDE" => {
            context.send_metadata("venue", "7")?;
            Ok(trade(symbol))
        }
        _ => Ok(trade(symbol)),
    }
}

impl Tape for Floor {
    async fn last(&self, context: &Context, symbol: String) -> Result<Trade, Error<TapeError>> {
        traded(context, &symbol).await
    }

    async fn watch(
        &self,
        context: &Context,
        symbols: Vec<String>,
        sink: Sink<Trade>,
    ) -> Result<(), Error<TapeError>> {
        for symbol in symbols {
            let _noting = (symbol == "UNREAD").then(|| Noting(&self.notes, "ended"));
            loop {
                sink.send(traded(context, &symbol).await?).await?;
                if !matches!(&*symbol, "FOREVER" | "UNREAD") {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Returns the sum of all sizes. `nobody` has no account, `poor` no money, and `deaf` does not read the stream.
    async fn import(
        &self,
        _: &Context,
        account: String,
        mut trades: Streaming<Trade>,
    ) -> Result<u64, Status> {
        match account.as_str() {
            "nobody" => return Err(Status::not_found("no such account")),
            "deaf" => pending().await,
            "poor" => {
                let missing = trade("ACME").price;
                return Err(Status::failed_precondition("too little money").with_detail(&missing));
            }
            _ => {}
        }
        let mut sum = 0;
        while let Some(trade) = trades.next().await {
            sum += u64::from(trade?.size);
        }
        Ok(sum)
    }

    async fn converse(
        &self,
        context: &Context,
        mut orders: Streaming<Order>,
        sink: Sink<Trade>,
    ) -> Result<(), Error<TapeError>> {
        while let Some(order) = orders.next().await {
            match order? {
                Order::Limit { symbol, .. } => sink.send(traded(context, &symbol).await?).await?,
                Order::Market(order) => sink.send(traded(context, &order.symbol).await?).await?,
                Order::CancelAll | Order::Unknown(_) => {}
            }
        }
        Ok(())
    }

    async fn ping(&self, _: &Context) -> Result<(), Status> {
        Ok(())
    }

    async fn poll(&self, _: &Context, symbol: String) -> Result<Vec<Trade>, Status> {
        Ok(vec![if symbol == "LONG" { trade(&"x".repeat(LONG_BYTES)) } else { trade(&symbol) }])
    }

    async fn note(&self, _: &Context, text: String) {
        // A test that has ended no longer receives them.
        let _ = self.notes.send(text);
    }
}

impl Shapes for Floor {
    async fn echo(&self, _: &Context, shape: Shape) -> Result<Shape, Status> {
        // More nanoseconds than the wire has bits for.
        let is_unwritable = matches!(&shape, Shape::Text(text) if text == UNWRITABLE);
        Ok(if is_unwritable { Shape::Span(Duration::MAX) } else { shape })
    }

    async fn fail(&self, _: &Context, number: u32) -> Result<(), Error<ShapesFailError>> {
        match number {
            0 => Err(TapeError::UnknownSymbol { symbol: "NOPE".to_owned() })?,
            _ => Err(Amiss::NoShape { number })?,
        }
    }
}
