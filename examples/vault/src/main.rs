//! A server that encrypts, and clients with different roles, in one program. `svc/vault.svc` says who may call what, `keys` makes the keys
//! on the first run, and `main` hands them out. See `README.md`.

mod keys;

use std::error::Error;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::oneshot;
use zsvc::curve::{CurveClient, CurveServer};
use zsvc::{Channel, ChannelBuilder, Code, Context, Identity, Server, Status};

zsvc::include_generated!();
use vault::v1::{Vault, VaultClient, VaultServer};

/// The server's side: its coins.
#[derive(Default)]
struct Coins(AtomicU64);

impl Vault for Coins {
    async fn deposit(&self, context: &Context, coins: u32) -> Result<u64, Status> {
        let all = self.0.fetch_add(coins.into(), Ordering::Relaxed) + u64::from(coins);
        println!("{:10}{coins} coins from `{}`", "vault", caller(context));
        Ok(all)
    }

    async fn open(&self, context: &Context) -> Result<u64, Status> {
        println!("{:10}opened by `{}`", "vault", caller(context));
        Ok(self.0.swap(0, Ordering::Relaxed))
    }

    async fn is_empty(&self, _: &Context) -> Result<bool, Status> {
        Ok(self.0.load(Ordering::Relaxed) == 0)
    }
}

/// Returns the name that the server has given to the key of the caller.
fn caller(context: &Context) -> String {
    context.identity().map_or_else(String::new, |identity| identity.name().to_owned())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| "vault-keys".to_owned()));
    let [own, alice, bob] = keys::of(&folder, ["vault", "alice", "bob"])?;

    // The server says who its clients are. Nothing of it can be had without one of these keys.
    let curve = CurveServer::new(own.clone())
        .allow_as(alice.public_key(), Identity::new("alice").with_role("clerk"))
        .allow_as(bob.public_key(), Identity::new("bob").with_role("manager"));
    let server = Server::builder()
        .service(VaultServer::new(Coins::default()))
        .bind("tcp://127.0.0.1:*")
        .deny_plaintext()
        .curve(curve)
        .listen()?;
    let endpoint = server.endpoints()[0].clone();
    println!("{:10}listens at {endpoint}", "vault");
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(server.serve_until(stopped));

    // A client has its own key, and the server's public one.
    let channel =
        |key| Channel::builder().endpoint(endpoint.as_str()).curve(CurveClient::new(own.public_key(), key));
    let clerk = VaultClient::new(channel(alice).connect().await?);
    println!("{:10}deposits: {} coins are in it", "alice", clerk.deposit(300).await?);
    match clerk.open().await {
        Err(status) if status.code() == Code::PermissionDenied => {
            println!("{:10}may not open it: {}", "alice", status.message());
        }
        other => return Err(format!("a clerk opened the vault: {other:?}").into()),
    }
    let manager = VaultClient::new(channel(bob).connect().await?);
    println!("{:10}opens it: {} coins", "bob", manager.open().await?);
    println!("{:10}finds it {}", "alice", if clerk.is_empty().await? { "empty" } else { "full" });

    refused(
        "stranger",
        Channel::builder().endpoint(endpoint.as_str()).curve(CurveClient::anonymous(own.public_key())?),
    )
    .await?;
    refused("plain", Channel::builder().endpoint(endpoint.as_str())).await?;

    drop(stop);
    serving.await??;
    println!("{:10}closed", "vault");
    Ok(())
}

/// Connects as one that is not let in.
async fn refused(name: &str, channel: ChannelBuilder) -> Result<(), Box<dyn Error>> {
    match channel.fail_fast().connect().await {
        Err(_) => {
            println!("{name:10}is not let in");
            Ok(())
        }
        Ok(_) => Err(format!("`{name}` was let in").into()),
    }
}
