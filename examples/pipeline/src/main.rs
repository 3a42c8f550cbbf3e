//! A service that calls another: what its caller wants reaches the last one in the chain. Errors come back as they are, a deadline
//! holds for the whole way, and who gives up stops all who work for it.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;
use zsvc::{Context, Error, Server, Service};

zsvc::include_generated!();
use pipeline::v1::{Kitchen, KitchenClient, KitchenError, KitchenServer, Waiter, WaiterClient, WaiterServer};

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The last in the chain. Tells how each dish has ended.
struct Stove {
    told: mpsc::UnboundedSender<String>,
}

impl Kitchen for Stove {
    async fn cook(
        &self,
        context: &Context,
        dish: String,
    ) -> std::result::Result<String, Error<KitchenError>> {
        let takes = match dish.as_str() {
            "soup" => Duration::from_millis(20),
            "roast" => Duration::from_secs(3600),
            _ => return Err(KitchenError::NotOnTheMenu { dish }.into()),
        };
        // A task beside the handler learns how the call ends, also where the handler is dropped.
        let (mut cancelled, told) = (context.cancelled(), self.told.clone());
        let (name, time_left) = (dish.clone(), context.time_left());
        tokio::spawn(async move {
            let time_left = if time_left.is_some() { "has a deadline" } else { "has no deadline" };
            let reason = cancelled.wait().await;
            let _ = told.send(format!("kitchen  {name} {time_left}, and the call is over: {reason}"));
        });
        sleep(takes).await;
        Ok(format!("hot {dish}"))
    }
}

/// The first in the chain: calls the kitchen within the handler, so that the call inherits the deadline and ends with this one.
struct Floor {
    kitchen: KitchenClient,
}

impl Waiter for Floor {
    async fn order(&self, _: &Context, dish: String) -> std::result::Result<String, Error<KitchenError>> {
        let dish = self.kitchen.cook(dish).await?;
        Ok(format!("{dish}, here you are"))
    }
}

/// Starts a server that ends with the returned sender.
fn start(service: impl Service) -> Result<(String, oneshot::Sender<()>)> {
    let server = Server::builder().service(service).bind("tcp://127.0.0.1:*").listen()?;
    let endpoint = server.endpoints()[0].clone();
    let (stop, stopped) = oneshot::channel::<()>();
    tokio::spawn(server.serve_until(stopped));
    Ok((endpoint, stop))
}

#[tokio::main]
async fn main() -> Result {
    let (told, mut tells) = mpsc::unbounded_channel();
    let (kitchen, _kitchen) = start(KitchenServer::new(Stove { told }))?;
    let floor = Floor { kitchen: KitchenClient::connect(kitchen).await? };
    let (waiter, _waiter) = start(WaiterServer::new(floor))?;
    let waiter = WaiterClient::connect(waiter).await?;
    let mut kitchen = async || tells.recv().await.ok_or("the kitchen has gone");

    println!("guest    {}", waiter.order("soup").await?);
    println!("{}", kitchen().await?);

    match waiter.order("rainbow").await {
        Err(Error::Declared(error)) => println!("guest    {error}"),
        other => return Err(format!("it was cooked: {other:?}").into()),
    }

    match waiter.order("roast").deadline(Duration::from_millis(200)).await {
        Err(Error::Status(status)) => println!("guest    {} ({})", status.code(), status.outcome()),
        other => return Err(format!("it was cooked in time: {other:?}").into()),
    }
    println!("{}", kitchen().await?);

    let impatient = tokio::time::timeout(Duration::from_millis(200), waiter.order("roast").no_deadline());
    println!("guest    {}", if impatient.await.is_err() { "leaves" } else { "is served" });
    println!("{}", kitchen().await?);
    Ok(())
}
