//! The floor of a toy exchange: a server that implements every method of `svc/tape.svc`.
//!
//! Run with `cargo run -p tape --bin server [ENDPOINT]`. Ctrl-C closes the floor: streams end, calls in flight are
//! answered, and the program ends.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tape::market::v1::{Flag, MAX_SYMBOLS, MarketOrder, Order, Tape, TapeError, TapeServer, Trade};
use tape::money::v1::Amount;
use tokio::sync::broadcast::{self, error::RecvError};
use zsvc::{Context, Error, ServeError, Server, Sink, Status, Streaming, Timestamp};

/// The service: the last trades, and the feed of new ones.
struct Floor {
    state: Mutex<State>,
}

struct State {
    /// Last trades of each symbol, the newest at the end; at most [`KEPT`].
    trades: BTreeMap<String, Vec<Trade>>,
    /// Feed of new trades; `None` once the floor is closed.
    feed: Option<broadcast::Sender<Trade>>,
}

/// Number of trades that the reader of a feed may be behind by.
const BEHIND: usize = 1_024;
/// Number of trades of a symbol that are kept for `poll`.
const KEPT: usize = 10;

impl Floor {
    fn new() -> Self {
        let (feed, _) = broadcast::channel(BEHIND);
        Self { state: Mutex::new(State { trades: BTreeMap::new(), feed: Some(feed) }) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves the state consistent, because each change is a single insertion.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes the feed: no more trades are accepted, and every `watch` ends.
    fn close(&self) {
        self.state().feed = None;
    }

    /// Stores a trade and sends it to every `watch`.
    fn publish(&self, trade: Trade) -> Result<(), TapeError> {
        let mut state = self.state();
        let Some(feed) = &state.feed else { return Err(TapeError::Halted) };
        // Fails if there is no `watch`, which is no failure of the trade.
        let _ = feed.send(trade.clone());
        let kept = state.trades.entry(trade.symbol.clone()).or_default();
        if kept.len() == KEPT {
            kept.remove(0);
        }
        kept.push(trade);
        Ok(())
    }

    fn last_of(&self, symbol: &str) -> Result<Trade, TapeError> {
        let state = self.state();
        let last = state.trades.get(symbol).and_then(|kept| kept.last()).cloned();
        last.ok_or_else(|| TapeError::UnknownSymbol { symbol: symbol.to_owned() })
    }

    /// Returns the trade that fills an order, or `None` if the order needs no trade.
    fn fill(&self, order: Order) -> Result<Option<Trade>, Error<TapeError>> {
        match order {
            Order::Limit { symbol, limit, .. } => Ok(Some(trade(symbol, limit, 1))),
            Order::Market(MarketOrder { symbol, size, .. }) => {
                let price = self.last_of(&symbol)?.price;
                Ok(Some(trade(symbol, price, size)))
            }
            Order::CancelAll => Ok(None),
            // A newer client may send kinds of orders that this server does not know.
            Order::Unknown(order) => {
                let what = format!("orders of kind {} are not traded here", order.number);
                Err(Status::unimplemented(what).into())
            }
        }
    }
}

/// Returns a trade on this floor at the current time.
fn trade(symbol: String, price: Amount, size: u32) -> Trade {
    Trade {
        symbol,
        price,
        size,
        at: Timestamp::now(),
        venue: Some("floor".to_owned()),
        flags: if size < 100 { vec![Flag::Odd] } else { Vec::new() },
        attributes: BTreeMap::new(),
        lot: 1,
    }
}

impl Tape for Floor {
    async fn last(&self, _: &Context, symbol: String) -> Result<Trade, Error<TapeError>> {
        Ok(self.last_of(&symbol)?)
    }

    async fn watch(
        &self,
        _: &Context,
        symbols: Vec<String>,
        out: Sink<Trade>,
    ) -> Result<(), Error<TapeError>> {
        if symbols.len() > MAX_SYMBOLS as usize {
            let what = format!("{} symbols; one may watch {MAX_SYMBOLS}", symbols.len());
            return Err(Status::invalid_argument(what).into());
        }
        let feed = self.state().feed.as_ref().map(broadcast::Sender::subscribe);
        let mut feed = feed.ok_or(TapeError::Halted)?;
        loop {
            match feed.recv().await {
                Ok(trade) if symbols.contains(&trade.symbol) => out.send(trade).await?,
                Ok(_) => {}
                Err(RecvError::Closed) => return Ok(()),
                Err(RecvError::Lagged(trades)) => {
                    return Err(Status::data_loss(format!("too slow: {trades} trades went by")).into());
                }
            }
        }
    }

    async fn import(
        &self,
        _: &Context,
        account: String,
        mut trades: Streaming<Trade>,
    ) -> Result<u64, Status> {
        let mut count = 0;
        while let Some(trade) = trades.next().await {
            // `import` declares no errors, so this one becomes a status.
            self.publish(trade?).map_err(|error| Status::failed_precondition(error.to_string()))?;
            count += 1;
        }
        println!("import: {count} trades for `{account}`");
        Ok(count)
    }

    async fn converse(
        &self,
        _: &Context,
        mut orders: Streaming<Order>,
        out: Sink<Trade>,
    ) -> Result<(), Error<TapeError>> {
        while let Some(order) = orders.next().await {
            if let Some(trade) = self.fill(order?)? {
                self.publish(trade.clone())?;
                out.send(trade).await?;
            }
        }
        Ok(())
    }

    async fn ping(&self, _: &Context) -> Result<(), Status> {
        Ok(())
    }

    async fn poll(&self, _: &Context, symbol: String) -> Result<Vec<Trade>, Status> {
        Ok(self.state().trades.get(&symbol).cloned().unwrap_or_default())
    }

    async fn note(&self, _: &Context, text: String) {
        println!("note: {text}");
    }
}

async fn run(endpoint: String) -> Result<(), ServeError> {
    let floor = Arc::new(Floor::new());
    let service = TapeServer::from_arc(Arc::clone(&floor));
    let server = Server::builder().service(service).bind(endpoint).listen()?;
    println!("the floor is open at {}", server.endpoints()[0]);

    let signal = zsvc::shutdown_signal();
    let stop = async {
        signal.await;
        println!("the floor closes");
        floor.close();
    };
    server.serve_until(stop).await?;
    println!("everybody is out");
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    let endpoint = std::env::args().nth(1).unwrap_or_else(|| tape::ENDPOINT.to_owned());
    match run(endpoint).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("server: {failure}");
            ExitCode::FAILURE
        }
    }
}
