//! The driver of the conformance suite for Rust: it serves and calls what lines on its standard input say, and writes what comes of it.
//! `docs/conformance.md` is the contract.

mod calls;
mod described;
mod order;
mod served;
mod subscribing;
mod told;

use std::collections::HashMap;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader, stdin};
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, JoinSet};
use zsvc::{Channel, Retry, Server};

zsvc::include_generated!();

use calls::Calling;
use conformance::v1::{ConformanceClient, ConformanceServer};
use order::{Options, Order};
use served::Served;

/// Why the driver can't go on: a line that it does not understand, or a server that does not start.
type Wrong = Box<dyn std::error::Error>;

/// A server that runs.
struct Serving {
    drain: Option<oneshot::Sender<()>>,
    task: AbortHandle,
}

/// The servers, clients and calls that there are.
#[derive(Default)]
struct Driver {
    servers: HashMap<String, Serving>,
    clients: HashMap<String, ConformanceClient>,
    calls: HashMap<String, Calling>,
    tasks: JoinSet<()>,
}

impl Driver {
    /// Does what a line says.
    fn follow(&mut self, order: Order) -> Result<(), Wrong> {
        match order {
            Order::Serve { of, options } => self.serve(of, &options)?,
            Order::Drain { of } => {
                if let Some(drain) = self.servers.get_mut(&of).and_then(|server| server.drain.take()) {
                    // A server that has ended by itself has nothing to drain.
                    let _ = drain.send(());
                }
            }
            Order::Stop { of } => {
                if let Some(server) = self.servers.remove(&of) {
                    server.task.abort();
                }
            }
            Order::Connect { of, endpoint, options } => {
                self.clients.insert(of, ConformanceClient::new(connect(endpoint, &options)?));
            }
            Order::Close { of } => drop(self.clients.remove(&of)),
            Order::Call(call) => {
                let client = self.clients.get(&call.client).ok_or("there is no such client")?;
                let calling = match call.method.as_str() {
                    "Tick/subscribe" => subscribing::ticks(client.channel(), &call)?,
                    "Beat/subscribe" => subscribing::beats(client.channel(), &call)?,
                    _ => calls::make(client, &call)?,
                };
                self.calls.insert(call.of, calling);
            }
            Order::Send { of, item } => self.call(&of)?.send(&item)?,
            Order::Finish { of } => self.call(&of)?.finish(),
            Order::Read { of } => self.call(&of)?.read(),
            Order::Cancel { of } => self.call(&of)?.cancel(),
        }
        Ok(())
    }

    fn call(&mut self, of: &str) -> Result<&mut Calling, Wrong> {
        self.calls.get_mut(of).ok_or_else(|| format!("there is no call `{of}`").into())
    }

    fn serve(&mut self, of: String, options: &Options) -> Result<(), Wrong> {
        let server = configured_server(options).listen()?;
        told::endpoint(&of, &server.endpoints()[0]);
        let (drain, drained) = oneshot::channel::<()>();
        let task = self.tasks.spawn(async move {
            // A driver that has dropped the sender wants the server to go on.
            let stop = async {
                if drained.await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            if let Err(error) = server.serve_until(stop).await {
                eprintln!("the server has failed: {error}");
            }
        });
        self.servers.insert(of, Serving { drain: Some(drain), task });
        Ok(())
    }
}

/// Returns a server with the options that a case gives.
fn configured_server(options: &Options) -> zsvc::ServerBuilder {
    let handlers = Served::default();
    let publishing = Server::builder().events(&handlers.ticks).events(&handlers.beats);
    let mut server = publishing.service(ConformanceServer::new(handlers)).bind("tcp://127.0.0.1:*");
    let sized = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let queued = options.get("max_queued").and_then(serde_json::Value::as_u64).map_or(0, sized);
    for (name, value) in options {
        let number = value.as_u64().unwrap_or_default();
        let time = Duration::from_secs_f64(value.as_f64().unwrap_or_default());
        server = match name.as_str() {
            "max_message_size" => server.max_message_size(sized(number)),
            "max_calls" => server.max_calls(sized(number)),
            "max_calls_per_peer" => server.max_calls_per_peer(sized(number)),
            "max_waiting_per_peer" => server.max_waiting_per_peer(sized(number)),
            "max_running" => server.max_running(sized(number), queued),
            "max_queued" => server,
            "stream_window" => server.stream_window(number),
            "peer_timeout" => server.peer_timeout(time),
            "grace" => server.grace(time),
            other => panic!("a server has no option `{other}`"),
        };
    }
    server
}

/// Returns a channel with the options that a case gives.
fn connect(endpoint: String, options: &Options) -> Result<Channel, Wrong> {
    let mut channel = Channel::builder().endpoint(endpoint);
    for (name, value) in options {
        let number = value.as_u64().unwrap_or_default();
        let time = Duration::from_secs_f64(value.as_f64().unwrap_or_default());
        let sized = usize::try_from(number).unwrap_or(usize::MAX);
        channel = match name.as_str() {
            "max_message_size" => channel.max_message_size(sized),
            "max_calls" => channel.max_calls(sized),
            "stream_window" => channel.stream_window(number),
            "server_timeout" => channel.server_timeout(time),
            "timeout" => channel.deadline(time),
            "retry" if value == false => channel.retry(Retry::none()),
            other => return Err(format!("a client has no option `{other}`").into()),
        };
    }
    Ok(channel.connect_lazy()?)
}

#[tokio::main]
async fn main() -> Result<(), Wrong> {
    // What handlers panic with is a case's wish, and no news.
    std::panic::set_hook(Box::new(|info| {
        if info.payload().downcast_ref::<served::Bug>().is_none() {
            eprintln!("{info}");
        }
    }));
    let mut driver = Driver::default();
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let order = serde_json::from_str(&line).map_err(|error| format!("{error}: {line}"))?;
        driver.follow(order)?;
    }
    // Servers and clients end with the process.
    Ok(())
}
