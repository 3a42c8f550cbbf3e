//! A toy exchange behind a router: four processes that fill orders, one that publishes prices, and one address for all who call.
//!
//! Without arguments this program is the router, by `router.toml`, and a trader who follows prices and places orders. The router starts
//! the other processes, which are this program, too.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::sync::oneshot;
use tokio::time::sleep;
use zsvc::{Channel, Context, Delivery, Publisher, Register, Server, Status};
use zsvc_router::{Router, file};

zsvc::include_generated!();
use exchange::v1::{Filled, Orders, OrdersClient, OrdersServer, Price};

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// What is traded, and for how much at first.
const SYMBOLS: [(&str, u64); 3] = [("ACME", 10_000), ("GLOBEX", 7_550), ("INITECH", 1_225)];
/// Number of prices that the trader waits for.
const PRICES: usize = 12;
/// Number of orders that the trader places at once.
const ORDERS: u32 = 100;
/// Number of orders that a clerk fills at a time.
const AT_A_TIME: u32 = 5;

/// Fills orders.
struct Clerk {
    name: String,
}

impl Orders for Clerk {
    async fn place(&self, _: &Context, symbol: String, quantity: u32) -> std::result::Result<Filled, Status> {
        let known = SYMBOLS.iter().find(|(known, _)| *known == symbol);
        let (_, cents) = known.ok_or_else(|| Status::not_found(format!("{symbol} is not traded here")))?;
        sleep(Duration::from_millis(20)).await;
        Ok(Filled { by: self.name.clone(), cents: cents * u64::from(quantity) })
    }
}

/// Registers at the router, and fills orders until the router asks it to end.
async fn clerk(name: String, router: &str) -> Result {
    let register = Register::at(router).name(name.as_str()).capacity(AT_A_TIME);
    let server = Server::builder().service(OrdersServer::new(Clerk { name })).register(register);
    Ok(server.serve_until(zsvc::shutdown_signal()).await?)
}

/// Registers at the router, and publishes prices until the router asks it to end.
async fn ticker(router: &str) -> Result {
    let prices = Publisher::<Price>::new();
    let publish = async {
        for step in 0.. {
            for (symbol, cents) in SYMBOLS {
                let price = Price { symbol: symbol.to_owned(), cents: cents + step };
                if let Err(error) = prices.send(&price) {
                    eprintln!("{symbol}: {error}");
                }
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    let server = Server::builder().events(&prices).register(Register::at(router).name("ticker"));
    tokio::select! {
        ended = server.serve_until(zsvc::shutdown_signal()) => Ok(ended?),
        () = publish => Ok(()),
    }
}

/// Follows prices and places orders, as any client of the exchange does.
async fn trade(endpoint: &str) -> Result {
    let channel = Channel::connect(endpoint).await?;
    let mut prices = channel.subscribe::<Price>().await?;
    let mut seen = 0;
    while let Some(delivery) = prices.next().await {
        if let Delivery::Event(price) = delivery? {
            println!("{:8} {:3}.{:02}", price.symbol, price.cents / 100, price.cents % 100);
            seen += 1;
        }
        if seen >= PRICES {
            break;
        }
    }
    let orders = OrdersClient::new(channel);
    let mut symbols = SYMBOLS.iter().map(|(symbol, _)| *symbol).cycle();
    let placed = (1..=ORDERS).zip(&mut symbols).map(|(quantity, symbol)| {
        let orders = &orders;
        async move { orders.place(symbol, quantity).await }
    });
    let filled = try_join_all(placed).await?;
    let clerks: BTreeSet<_> = filled.iter().map(|filled| filled.by.as_str()).collect();
    let cents: u64 = filled.iter().map(|filled| filled.cents).sum();
    println!(
        "{} orders filled by {} clerks, for {}.{:02}",
        filled.len(),
        clerks.len(),
        cents / 100,
        cents % 100
    );
    Ok(())
}

/// Runs the router, and a trader in front of it.
async fn exchange(endpoint: &str) -> Result {
    // The file as it stands, but for where the program is, and where the router listens.
    let program = std::env::current_exe()?;
    let program = program.to_str().ok_or("the path of this program is no text")?.replace('\\', "/");
    let text = include_str!("../router.toml")
        .replace("../../target/debug/exchange", &program)
        .replace("tcp://127.0.0.1:7200", endpoint);
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("router.toml");
    let config = file::parse(&here, &text)?.observe(|event| eprintln!("router: {event}"));
    let router = Router::bind(config)?;
    let handle = router.handle();
    let (stop, stopped) = oneshot::channel::<()>();
    let routing = tokio::spawn(router.serve_until(stopped));
    // Four clerks and the ticker.
    while handle.workers().len() < 5 {
        sleep(Duration::from_millis(10)).await;
    }
    let traded = trade(endpoint).await;
    drop(stop);
    routing.await??;
    traded
}

#[tokio::main]
async fn main() -> Result {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["clerk", name, router] => clerk((*name).to_owned(), router).await,
        ["ticker", router] => ticker(router).await,
        ["trade", router] => trade(router).await,
        [] => exchange("tcp://127.0.0.1:7200").await,
        [endpoint] => exchange(endpoint).await,
        _ => Err("usage: exchange [ENDPOINT]".into()),
    }
}
