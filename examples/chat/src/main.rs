//! A chat room: a server, and any number of clients, each with a stream in either direction.
//!
//! `cargo run -p chat -- serve` opens the room; `cargo run -p chat -- join Ada` enters it, says what is typed, and leaves at the end
//! of the input.

mod room;

use std::env;

use tokio::io::{AsyncBufReadExt, BufReader, stdin};
use zsvc::Server;

zsvc::include_generated!();
use chat::v1::{ChatClient, ChatServer};

type Result = std::result::Result<(), Box<dyn std::error::Error>>;

#[tokio::main]
async fn main() -> Result {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let endpoint = |given: &[&str]| given.first().map_or("tcp://127.0.0.1:7100", |it| it).to_owned();
    match arguments.as_slice() {
        ["serve", rest @ ..] => serve(endpoint(rest)).await,
        ["join", name, rest @ ..] => join(name, endpoint(rest)).await,
        _ => Err("say `serve [ENDPOINT]` or `join NAME [ENDPOINT]`".into()),
    }
}

async fn serve(endpoint: String) -> Result {
    let server = Server::builder().service(ChatServer::new(room::Room::new())).bind(endpoint).listen()?;
    println!("the room is open at {}", server.endpoints()[0]);
    Ok(server.serve_until(zsvc::shutdown_signal()).await?)
}

async fn join(name: &str, endpoint: String) -> Result {
    let (say, mut heard) = ChatClient::connect(endpoint).await?.join(name).await?;
    // A task of its own: what is heard must not wait for what is typed.
    let typed = tokio::spawn(async move {
        let mut lines = BufReader::new(stdin()).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if say.send(line).await.is_err() {
                return; // The room has closed, as the other stream says.
            }
        }
        say.finish();
    });
    while let Some(line) = heard.next().await {
        let line = line?;
        println!("{}: {}", line.from, line.text);
    }
    typed.abort();
    Ok(())
}
