//! Large files over streams, both ways, with progress, and resumed where they were cut off.
//!
//! `cargo run -p files -- serve FOLDER` keeps files; `… put FILE` and `… get NAME INTO` move them.

mod store;
mod transfer;

use std::env;
use std::path::Path;

use zsvc::Server;

zsvc::include_generated!();
use files::v1::{FilesClient, FilesServer};

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

#[tokio::main]
async fn main() -> Result {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let endpoint = |given: &[&str]| given.first().map_or("tcp://127.0.0.1:7100", |it| it).to_owned();
    match arguments.as_slice() {
        ["serve", folder, rest @ ..] => serve(folder, endpoint(rest)).await,
        ["put", file, rest @ ..] => {
            transfer::put(&FilesClient::connect(endpoint(rest)).await?, Path::new(file)).await
        }
        ["get", name, into, rest @ ..] => {
            transfer::get(&FilesClient::connect(endpoint(rest)).await?, name, Path::new(into)).await
        }
        _ => Err("say `serve FOLDER [ENDPOINT]`, `put FILE [ENDPOINT]` or `get NAME INTO [ENDPOINT]`".into()),
    }
}

async fn serve(folder: &str, endpoint: String) -> Result {
    let store = store::Store::new(folder)?;
    let server = Server::builder().service(FilesServer::new(store)).bind(endpoint).listen()?;
    println!("files are kept at {}", server.endpoints()[0]);
    Ok(server.serve_until(zsvc::shutdown_signal()).await?)
}
