//! A server and a client in one program, with every kind of method. Start here: `svc/greeter.svc` describes the
//! service, `Host` implements it, `call_everything` calls it. `examples/tape` has server and client as two programs.
//!
//! With an endpoint, such as `cargo run -p quickstart -- tcp://127.0.0.1:7100`, it serves there until it is told to stop, to be
//! called from a shell by `zsvc call`.

use std::time::Duration;

use futures_util::stream;
use tokio::sync::oneshot;
use zsvc::{Code, Context, Error, Sink, Status, Streaming};

zsvc::include_generated!();
use greeter::v1::{GreetError, Greeter, GreeterClient, GreeterServer, Greeting, Language};

/// The server's side: a type that implements the generated trait.
struct Host;

/// Returns a greeting, or fails with the error that `greet` and `converse` declare.
fn greeting(name: String, language: Language) -> Result<Greeting, GreetError> {
    if name == "Unknown" {
        return Err(GreetError::NoSuchName { name });
    }
    Ok(Greeting { name, language, title: None })
}

impl Greeter for Host {
    async fn greet(
        &self,
        _: &Context,
        name: String,
        language: Language,
    ) -> Result<Greeting, Error<GreetError>> {
        Ok(greeting(name, language)?)
    }

    async fn countdown(&self, _: &Context, from: u32, out: Sink<u32>) -> Result<(), Status> {
        for number in (0..=from).rev() {
            out.send(number).await?;
        }
        Ok(())
    }

    async fn sum(&self, _: &Context, mut numbers: Streaming<u64>) -> Result<u64, Status> {
        let mut sum = 0;
        while let Some(number) = numbers.next().await {
            sum += number?;
        }
        Ok(sum)
    }

    async fn converse(
        &self,
        _: &Context,
        mut names: Streaming<String>,
        out: Sink<Greeting>,
    ) -> Result<(), Error<GreetError>> {
        while let Some(name) = names.next().await {
            out.send(greeting(name?, Language::German)?).await?;
        }
        Ok(())
    }

    async fn ponder(&self, _: &Context) -> Result<(), Status> {
        // The runtime drops this future when the call's deadline passes.
        std::future::pending().await
    }

    async fn note(&self, _: &Context, text: String) {
        println!("oneway          the server notes: {text}");
    }
}

/// Calls each method of the service once, by the generated client, and prints the results.
async fn call_everything(client: &GreeterClient) -> Result<(), Box<dyn std::error::Error>> {
    let greeting = client.greet("Ada", Language::English).await?;
    println!("unary           {greeting:?}");

    match client.greet("Unknown", Language::English).await {
        Err(Error::Declared(GreetError::NoSuchName { name })) => {
            println!("declared error  no such name: {name}");
        }
        other => return Err(format!("an unknown name was greeted: {other:?}").into()),
    }

    let mut numbers = client.countdown(3).await?;
    while let Some(number) = numbers.next().await {
        println!("server stream   {}", number?);
    }

    let sum = client.sum(stream::iter(1..=100)).await?;
    println!("client stream   1 + 2 + … + 100 = {sum}");

    let (names, mut greetings) = client.converse().await?;
    for name in ["Grace", "Linus"] {
        names.send(name.to_owned()).await?;
        if let Some(greeting) = greetings.next().await {
            println!("bidirectional   sent {name}, got {:?}", greeting?);
        }
    }
    names.finish();

    let (a, b) = tokio::try_join!(client.greet("A", Language::English), client.greet("B", Language::German))?;
    println!("two at once     {} and {}: calls made together leave together", a.name, b.name);

    match client.ponder().deadline(Duration::from_millis(50)).await {
        Err(status) if status.code() == Code::DeadlineExceeded => {
            println!("deadline        {} ({})", status.code(), status.outcome());
        }
        other => return Err(format!("there was time enough: {other:?}").into()),
    }

    client.note("that was all").await?;
    Ok(())
}

/// Serves at an endpoint until Ctrl-C or SIGTERM.
async fn serve(endpoint: &str) -> Result<(), Box<dyn std::error::Error>> {
    let server = zsvc::Server::builder().service(GreeterServer::new(Host)).bind(endpoint).listen()?;
    println!("server          listens at {}", server.endpoints()[0]);
    server.serve_until(zsvc::shutdown_signal()).await?;
    println!("server          drained and stopped");
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    if let Some(endpoint) = std::env::args().nth(1) {
        return serve(&endpoint).await;
    }
    let server =
        zsvc::Server::builder().service(GreeterServer::new(Host)).bind("tcp://127.0.0.1:*").listen()?;
    let endpoint = server.endpoints()[0].clone();
    println!("server          listens at {endpoint}");
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(server.serve_until(stopped));

    let client = GreeterClient::connect(endpoint).await?;
    call_everything(&client).await?;

    let _ = stop.send(());
    serving.await??;
    println!("server          drained and stopped");
    Ok(())
}
