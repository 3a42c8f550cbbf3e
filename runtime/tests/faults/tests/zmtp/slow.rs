//! Messages that take longer than a connection, a client or a server may be silent.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::stream;
use zsvc_faults::faults::v1::LedgerClient;
use zsvc_faults::{LinkRules, Proxy};

use crate::support::{Served, client_with, run};
use crate::{served_with, zmtp};

/// Size of the message in bytes.
const LONG: u32 = 3 << 20;
/// Time in which all of them give up a side that is silent.
const SILENCE: Duration = Duration::from_secs(4);
/// At this rate the message takes more than twice as long.
const SLOW: LinkRules = LinkRules {
    bytes_per_second: Some(340_000),
    delay: Duration::ZERO,
    swallows: false,
    garbles: false,
    half_closed: false,
};

/// Returns a server that gives up clients after [`SILENCE`], and a proxy in front of it.
async fn behind_proxy() -> (Served, Proxy) {
    let silence = SILENCE.as_millis().to_string();
    let server = served_with(&["--heartbeat", "1000", "--peer-timeout", &silence]).await;
    let proxy = Proxy::to(server.endpoint()).unwrap();
    (server, proxy)
}

/// Returns a client that takes a connection for dead after [`SILENCE`], and a server as well.
async fn impatient(proxy: &Proxy) -> LedgerClient {
    client_with(proxy.endpoint(), |channel| {
        zmtp(channel).heartbeat(Duration::from_secs(1)).server_timeout(SILENCE)
    })
    .await
}

#[test]
fn a_long_item_to_a_server_is_a_sign_of_life_while_it_is_sent() {
    run(async {
        let (server, proxy) = behind_proxy().await;
        let ledger = impatient(&proxy).await;
        proxy.set(|rules| rules.to_server = SLOW);
        let began = Instant::now();
        let sum = ledger.gather(1, stream::iter([Bytes::from(vec![7; LONG as usize])])).await;
        assert_eq!(sum, Ok(u64::from(LONG)));
        assert_eq!(server.written(1), 1);
        assert!(began.elapsed() > SILENCE, "otherwise nothing was shown");
    });
}

#[test]
fn a_long_item_to_a_client_is_a_sign_of_life_while_it_is_sent() {
    run(async {
        let (_server, proxy) = behind_proxy().await;
        let ledger = impatient(&proxy).await;
        proxy.set(|rules| rules.to_client = SLOW);
        let began = Instant::now();
        let mut items = ledger.watch(1, LONG).await.unwrap();
        assert_eq!(items.next().await.unwrap().unwrap().len(), LONG as usize);
        assert!(items.next().await.is_none());
        assert!(began.elapsed() > SILENCE, "otherwise nothing was shown");
    });
}

/// A message that has begun and does not go on is no sign of life.
#[test]
fn a_long_item_that_is_stuck_ends_its_call() {
    run(async {
        let (_server, proxy) = behind_proxy().await;
        let ledger = impatient(&proxy).await;
        proxy.set(|rules| rules.to_client = SLOW);
        let mut items = ledger.watch(1, LONG).await.unwrap();
        let stuck = async {
            proxy.carries(u64::from(LONG) / 8).await;
            proxy.set(|rules| rules.to_client.swallows = true);
        };
        let (item, ()) = tokio::join!(items.next(), stuck);
        assert_eq!(item.unwrap().unwrap_err().code(), zsvc::Code::Unavailable);
    });
}
