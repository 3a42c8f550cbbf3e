//! Calls that are spread by a key of the schema, from `router.toml` on, and after a reload.

use std::collections::BTreeMap;
use std::path::Path;

use zsvc::dynamic::{self, RawService, RawValue};
use zsvc::{Bytes, Channel, MethodKind, Retry, Server};
use zsvc_routed::{ANY_PORT, Routing, run};

const METHOD: &str = "keyed.v1.Shelf/put";
const KEYS: u8 = 40;

/// Starts a worker that answers with its name, and returns where it listens.
fn worker(name: &'static str) -> String {
    let method = dynamic::method(METHOD, MethodKind::Unary, None, false);
    let service = RawService::new(vec![method], move |_| {
        // A text of up to 31 bytes.
        let text = [&[0xa0 | u8::try_from(name.len()).unwrap()][..], name.as_bytes()].concat();
        Box::pin(async move { Ok(Some(RawValue::new(text.into()))) })
    });
    let server = Server::builder().service(service).bind(ANY_PORT).listen().unwrap();
    let endpoint = server.endpoints()[0].clone();
    tokio::spawn(server.serve_until(std::future::pending::<()>()));
    endpoint
}

/// Writes a schema and a configuration, and reads it.
fn config(folder: &Path, shard: &str, workers: &[String]) -> zsvc_router::Config {
    let schema = format!(
        "package keyed.v1;\nservice Shelf {{ {shard} rpc put(body: bytes, key: u8, other: u8) -> string; }}\n"
    );
    std::fs::write(folder.join("keyed.svc"), schema).unwrap();
    let workers = workers.iter().enumerate().map(|(number, endpoint)| {
        format!(
            "[[worker]]\nname = \"w{number}\"\nconnect = \"{endpoint}\"\nservices = [\"keyed.v1.Shelf\"]\n"
        )
    });
    let top = format!("listen = [\"{ANY_PORT}\"]\nschemas = [\"keyed.svc\"]\n");
    let text: String = std::iter::once(top).chain(workers).collect();
    zsvc_router::file::parse(&folder.join("router.toml"), &text).unwrap()
}

/// Returns who answers the calls of each value of one of the last two parameters, while the other is any. There is one at a time.
async fn answering(channel: &Channel, is_other: bool) -> BTreeMap<u8, Vec<Bytes>> {
    let method = dynamic::method(METHOD, MethodKind::Unary, None, false);
    let mut answering = BTreeMap::<u8, Vec<Bytes>>::new();
    for value in 0..KEYS {
        for any in [1, 2, 3, 4, 5, 6] {
            let (key, other) = if is_other { (any, value) } else { (value, any) };
            let params = Bytes::from([&[0x93, 0xc4, 1, 7][..], &[key, other]].concat());
            let answer = dynamic::unary(channel, method, &RawValue::new(params)).await.unwrap();
            let (answer, answers) = (answer.into_bytes(), answering.entry(value).or_default());
            if !answers.contains(&answer) {
                answers.push(answer);
            }
        }
    }
    answering
}

fn is_spread(answering: &BTreeMap<u8, Vec<Bytes>>) -> bool {
    answering.values().all(|by| by.len() == 1)
        && answering.values().flatten().any(|by| *by != answering[&0][0])
}

#[test]
fn a_key_of_the_schema_spreads_calls_and_a_reload_changes_it() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let workers = ["one", "two", "three"].map(worker);
        let router = Routing::of(config(folder.path(), "@shard(key)", &workers));
        router.has_up(3).await;
        let channel =
            Channel::builder().endpoint(&router.endpoint).retry(Retry::none()).connect().await.unwrap();
        let before = answering(&channel, false).await;
        assert!(is_spread(&before), "{before:?}");
        assert!(!is_spread(&answering(&channel, true).await));
        router.handle.reload(config(folder.path(), "@shard(other)", &workers)).await.unwrap();
        let after = answering(&channel, true).await;
        assert!(is_spread(&after) && !is_spread(&answering(&channel, false).await), "{after:?}");
        assert_eq!(before, after, "the value alone says whose it is");
        router.handle.reload(config(folder.path(), "", &workers)).await.unwrap();
        assert!(
            !is_spread(&answering(&channel, true).await) && !is_spread(&answering(&channel, false).await)
        );
    });
}
