//! A client of the floor: it calls every method of `svc/tape.svc` and prints the results.
//!
//! Run with `cargo run -p tape --bin client [ENDPOINT]` while the server runs. Without a server it fails within two seconds
//! and says how to start one.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use futures_util::stream;
use tape::market::v1::{Flag, MarketOrder, Order, Side, TapeClient, TapeError, Trade};
use tape::money::v1::Amount;
use zsvc::{Channel, Code, Error, Timestamp};

type Failure = Box<dyn std::error::Error>;

/// Returns an amount of US dollars.
fn dollars(cents: i64) -> Amount {
    Amount { units: cents, scale: 2, currency: Some("USD".to_owned()) }
}

/// Returns a trade of another exchange.
fn imported(symbol: &str, cents: i64, size: u32) -> Trade {
    Trade {
        symbol: symbol.to_owned(),
        price: dollars(cents),
        size,
        at: Timestamp::now(),
        venue: Some("elsewhere".to_owned()),
        flags: if size >= 10_000 { vec![Flag::Block] } else { Vec::new() },
        attributes: BTreeMap::from([("source".to_owned(), "example".to_owned())]),
        lot: 100,
    }
}

/// Formats a trade as one line.
fn shown(trade: &Trade) -> String {
    let Trade { symbol, price, size, venue, flags, .. } = trade;
    let (whole, part) = (price.units / 100, price.units % 100);
    let venue = venue.as_deref().unwrap_or("nowhere");
    format!(
        "{size} {symbol} at {whole}.{part:02} {}, {venue}, {flags:?}",
        price.currency.as_deref().unwrap_or("?")
    )
}

/// Calls `rpc ping()`, whose answer is empty, and `oneway note(…)`, which has no answer.
async fn say_hello(tape: &TapeClient) -> Result<(), Failure> {
    tape.ping().await?;
    println!("ping      the floor is there");
    tape.note("a client has come in").await?;
    println!("note      accepted for sending");
    Ok(())
}

/// Calls `rpc import(…, trades: stream Trade) -> u64`.
async fn import(tape: &TapeClient) -> Result<(), Failure> {
    let trades = [imported("ACME", 10_150, 10_000), imported("INIT", 4_205, 300)];
    let taken = tape.import("desk", stream::iter(trades)).await?;
    println!("import    {taken} trades taken");
    Ok(())
}

/// Calls `rpc last(…) -> Trade throws TapeError`, also with symbols that it refuses.
async fn ask(tape: &TapeClient) -> Result<(), Failure> {
    let trade = tape.last("ACME").await?;
    println!("last      {}", shown(&trade));

    // Calls that are made together leave together.
    let (acme, init) = tokio::try_join!(tape.last("ACME"), tape.last("INIT"))?;
    println!("last      {} and {} in one message", acme.symbol, init.symbol);

    match tape.last("NOPE").await {
        Err(Error::Declared(error @ TapeError::UnknownSymbol { .. })) => println!("last      {error}"),
        other => return Err(format!("`NOPE` should be unknown: {other:?}").into()),
    }
    match tape.last("LONGER-THAN-TWELVE").await {
        Err(Error::Status(status)) => println!("last      {status}"),
        other => return Err(format!("a symbol has 1 to 12 characters: {other:?}").into()),
    }
    Ok(())
}

/// Calls `rpc converse(orders: stream Order) -> stream Trade throws TapeError`.
async fn trade(tape: &TapeClient) -> Result<(), Failure> {
    let (orders, mut fills) = tape.converse().await?;
    orders.send(Order::Limit { symbol: "ACME".to_owned(), side: Side::Buy, limit: dollars(10_149) }).await?;
    let market = MarketOrder { symbol: "ACME".to_owned(), side: Side::Sell, size: 200 };
    orders.send(Order::Market(market)).await?;
    orders.send(Order::CancelAll).await?;
    orders.finish();
    while let Some(fill) = fills.next().await {
        println!("converse  {}", shown(&fill?));
    }
    Ok(())
}

async fn call_everything(tape: &TapeClient) -> Result<(), Failure> {
    say_hello(tape).await?;
    // `rpc watch(…) -> stream Trade`. Trades that the floor publishes from here on wait in the stream.
    let mut watched = tape.watch(["ACME"]).await?;
    import(tape).await?;
    ask(tape).await?;
    trade(tape).await?;
    for _ in 0..3 {
        let trade = watched.next().await.ok_or("the floor stopped calling trades out")??;
        println!("watch     {}", shown(&trade));
    }
    // Cancels the call: the server drops its handler.
    drop(watched);

    #[expect(deprecated, reason = "every method is shown, this one too")]
    let trades = tape.poll("ACME").deadline(Duration::from_secs(1)).await?;
    println!("poll      {} trades of ACME", trades.len());
    Ok(())
}

async fn run(endpoint: &str) -> Result<(), Failure> {
    let channel =
        Channel::builder().endpoint(endpoint).connect_timeout(Duration::from_secs(2)).connect().await;
    let channel = match channel {
        Err(status) if status.code() == Code::Unavailable => {
            let help = "start one with `cargo run -p tape --bin server`";
            return Err(format!("no server at `{endpoint}`; {help}").into());
        }
        other => other?,
    };
    let tape = TapeClient::new(channel.clone());
    call_everything(&tape).await?;
    channel.close(Duration::from_secs(1)).await?;
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    let endpoint = std::env::args().nth(1).unwrap_or_else(|| tape::ENDPOINT.to_owned());
    match run(&endpoint).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("client: {failure}");
            ExitCode::FAILURE
        }
    }
}
