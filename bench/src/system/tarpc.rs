//! tarpc with bincode over TCP, with its defaults except for a higher limit on the length of a frame. It has no
//! streams.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use tarpc::serde_transport::tcp;
use tarpc::server::{BaseChannel, Channel};
use tarpc::tokio_serde::formats::Bincode;
use tarpc::{client, context};

use crate::Failure;
use crate::control;
use crate::measure;

/// An amount of money.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Amount {
    units: i64,
    scale: u8,
    currency: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
enum Flag {
    Block,
    Odd,
}

/// Same as `Trade` in `tape.svc`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Trade {
    symbol: String,
    price: Amount,
    size: u32,
    at: (i64, u32),
    venue: Option<String>,
    flags: Vec<Flag>,
    attributes: BTreeMap<String, String>,
    lot: u32,
}

fn trade(symbol: String) -> Trade {
    Trade {
        symbol,
        price: Amount { units: 12_345, scale: 2, currency: Some("EUR".to_owned()) },
        size: 300,
        at: (1_772_366_400, 250_000_000),
        venue: Some("XETR".to_owned()),
        flags: vec![Flag::Block, Flag::Odd],
        attributes: [("book", "main"), ("desk", "7")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        lot: 1,
    }
}

/// The service.
#[tarpc::service]
pub(crate) trait Echo {
    /// Returns the same bytes. `Bytes` and not `Vec<u8>`, which serde writes byte by byte.
    async fn echo(payload: Bytes) -> Bytes;

    /// Returns the last trade of a symbol.
    async fn last(symbol: String) -> Trade;
}

#[derive(Clone)]
struct Host;

impl Echo for Host {
    async fn echo(self, _: context::Context, payload: Bytes) -> Bytes {
        payload
    }

    async fn last(self, _: context::Context, symbol: String) -> Trade {
        trade(symbol)
    }
}

/// Serves until the process ends.
pub(crate) async fn serve() -> Result<(), Failure> {
    let mut incoming = tcp::listen("127.0.0.1:0", Bincode::default).await?;
    incoming.config_mut().max_frame_length(usize::MAX);
    super::announce(&incoming.local_addr().to_string(), Some(control::listen()?))?;
    while let Some(transport) = incoming.next().await {
        let requests = BaseChannel::with_defaults(transport?).execute(Host.serve());
        tokio::spawn(requests.for_each(|answer| async {
            tokio::spawn(answer);
        }));
    }
    Ok(())
}

impl measure::Client for EchoClient {
    async fn connect(endpoint: &str) -> Result<Self, Failure> {
        let mut connecting = tcp::connect(endpoint, Bincode::default);
        connecting.config_mut().max_frame_length(usize::MAX);
        Ok(Self::new(client::Config::default(), connecting.await?).spawn())
    }

    async fn echo(&mut self, payload: Bytes) -> Result<usize, Failure> {
        Ok(EchoClient::echo(self, context::current(), payload).await?.len())
    }

    async fn last(&mut self, symbol: &str) -> Result<usize, Failure> {
        Ok(EchoClient::last(self, context::current(), symbol.to_owned()).await?.symbol.len())
    }
}

/// The measured client.
pub(crate) type TarpcClient = EchoClient;
