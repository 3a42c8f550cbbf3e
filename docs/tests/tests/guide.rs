//! Runs the handlers of the guide, which together implement `Tape`, through a local client as in its chapter "Testing".

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::stream;
use tokio::sync::broadcast;
use zsvc::{Context, Error, Sink, Status, Streaming, Timestamp};
use zsvc_docs::blocks::texts;
use zsvc_docs::market::v1::{MarketOrder, Order, Side, Tape, TapeClient, TapeError, Trade};
use zsvc_docs::money::v1::Amount;

struct Floor {
    trades: Mutex<Vec<Trade>>,
    feed: broadcast::Sender<Trade>,
}

/// The functions that the guide's handlers use and that it leaves to `examples/tape`.
impl Floor {
    fn new() -> Self {
        Self { trades: Mutex::default(), feed: broadcast::channel(16).0 }
    }

    fn trades_of(&self, symbol: &str) -> Vec<Trade> {
        let trades = self.trades.lock().unwrap_or_else(PoisonError::into_inner);
        trades.iter().filter(|trade| trade.symbol == symbol).cloned().collect()
    }

    fn last_of(&self, symbol: &str) -> Result<Trade, TapeError> {
        let unknown = || TapeError::UnknownSymbol { symbol: symbol.to_owned() };
        self.trades_of(symbol).pop().ok_or_else(unknown)
    }

    #[allow(clippy::unnecessary_wraps, reason = "the floor of the example may be closed")]
    fn feed(&self) -> Result<broadcast::Receiver<Trade>, TapeError> {
        Ok(self.feed.subscribe())
    }

    #[allow(clippy::unnecessary_wraps, reason = "the floor of the example may be closed")]
    fn publish(&self, trade: Trade) -> Result<(), TapeError> {
        // Fails if there is no `watch`, which is no failure of the trade.
        let _ = self.feed.send(trade.clone());
        self.trades.lock().unwrap_or_else(PoisonError::into_inner).push(trade);
        Ok(())
    }

    fn fill(&self, order: Order) -> Result<Option<Trade>, TapeError> {
        match order {
            Order::Market(MarketOrder { symbol, size, .. }) => {
                Ok(Some(Trade { size, ..self.last_of(&symbol)? }))
            }
            _ => Ok(None),
        }
    }
}

include!(concat!(env!("OUT_DIR"), "/handlers.rs"));

fn trade(symbol: &str, size: u32) -> Trade {
    Trade {
        symbol: symbol.to_owned(),
        price: Amount { units: 10_150, scale: 2, currency: None },
        size,
        at: Timestamp::from_seconds(0),
        venue: None,
        flags: Vec::new(),
        attributes: BTreeMap::new(),
        lot: 1,
    }
}

#[tokio::test]
async fn calls_that_answer_once() {
    let tape = TapeClient::local(Floor::new());
    tape.ping().await.expect("an answer");
    tape.note("lunch").await.expect("room for it");
    let unknown = TapeError::UnknownSymbol { symbol: "ACME".to_owned() };
    assert_eq!(tape.last("ACME").await, Err(Error::Declared(unknown)));
    let taken = tape.import("desk", stream::iter([trade("ACME", 1), trade("INIT", 2)])).await;
    assert_eq!(taken, Ok(2));
    assert_eq!(tape.last("ACME").deadline(Duration::from_secs(10)).await, Ok(trade("ACME", 1)));
    #[expect(deprecated, reason = "the guide shows its handler")]
    let polled = tape.poll("INIT").await;
    assert_eq!(polled, Ok(vec![trade("INIT", 2)]));
}

#[tokio::test]
async fn calls_that_stream_answers() {
    let tape = TapeClient::local(Floor::new());
    let mut watched = tape.watch(["ACME"]).await.expect("room for it");
    tape.import("desk", stream::iter([trade("INIT", 1), trade("ACME", 2)])).await.expect("they are taken");
    assert_eq!(watched.next().await, Some(Ok(trade("ACME", 2))));
    let (orders, mut fills) = tape.converse().await.expect("room for it");
    let order = MarketOrder { symbol: "ACME".to_owned(), side: Side::Buy, size: 7 };
    orders.send(Order::Market(order)).await.expect("the call goes on");
    orders.finish();
    assert_eq!(fills.next().await, Some(Ok(trade("ACME", 7))));
    assert_eq!(fills.next().await, None);
}

#[test]
fn fragments_are_of_the_file_that_the_guide_speaks_of() {
    let tape = include_str!("../../../examples/tape/svc/tape.svc");
    let lines: Vec<&str> = tape.lines().map(str::trim).collect();
    let fragments = texts(include_str!("../../guide.md"), "svc,fragment");
    assert!(!fragments.is_empty());
    for line in fragments.iter().flat_map(|fragment| fragment.lines()) {
        assert!(lines.contains(&line), "`tape.svc` has no line `{line}`");
    }
}

/// The access files of the guide, with the key file that they name.
#[test]
fn access_files_are_read() {
    let files = texts(include_str!("../../guide.md"), "toml,access");
    assert!(!files.is_empty());
    let folder = std::env::temp_dir().join(format!("zsvc-guide-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for temporary files");
    let key = zsvc::curve::generate().expect("random bytes").public_key();
    let key = format!("metadata\ncurve\n    public-key = \"{key}\"\n");
    std::fs::write(folder.join("auditor.key"), key).expect("a file in it");
    for text in files {
        let path = folder.join("access.toml");
        std::fs::write(&path, text).expect("a file in it");
        let access = zsvc::curve::Access::from_file(path).expect("it is one");
        let names: Vec<_> = access.clients().iter().map(|client| client.name().to_owned()).collect();
        assert_eq!(names, ["auditor", "desk"]);
    }
    std::fs::remove_dir_all(folder).expect("it is there");
}
