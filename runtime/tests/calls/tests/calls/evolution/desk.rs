//! Servers with either version of `svc/*/rows.svc` and `svc/*/branch.svc`, whose handlers answer with what they
//! decoded, and clients of the other version. The tests that use them are in [`super::methods`].

use std::sync::Arc;

use futures_util::stream;
use zsvc::{Context, Counters, Error, Server, Sink, Status, Streaming};
use zsvc_calls::new::branch::v2 as new_branch;
use zsvc_calls::new::rows::v1 as new;
use zsvc_calls::old::branch::v1 as old_branch;
use zsvc_calls::old::rows::v1 as old;

use crate::support::ANY_PORT;

/// A server of either version.
struct Desk;

impl old::Calls for Desk {
    async fn append_optional(&self, _: &Context, first: u32) -> Result<String, Status> {
        Ok(format!("{first}"))
    }

    async fn append_default(&self, _: &Context, first: u32) -> Result<String, Status> {
        Ok(format!("{first}"))
    }

    async fn append_mandatory(&self, _: &Context, first: u32) -> Result<String, Status> {
        Ok(format!("{first}"))
    }

    async fn rename(&self, _: &Context, before: u32) -> Result<String, Status> {
        Ok(format!("before {before}"))
    }

    async fn put_alias(&self, _: &Context, name: String) -> Result<String, Status> {
        Ok(name)
    }

    async fn change_words(&self, _: &Context, words: String) -> Result<String, Status> {
        Ok(words)
    }

    async fn fail(&self, _: &Context, variant: u32) -> Result<(), Error<old::Failure>> {
        match variant {
            1 => Err(old::Failure::Gone { why: "old".to_owned() }.into()),
            _ => Err(old::Failure::Reworded.into()),
        }
    }

    async fn begin_to_answer(&self, _: &Context) -> Result<(), Status> {
        Ok(())
    }

    async fn move_down(&self, _: &Context, text: String) -> Result<String, Status> {
        Ok(text)
    }

    async fn remove(&self, _: &Context) -> Result<String, Status> {
        Ok("still there".to_owned())
    }

    async fn old_method(&self, _: &Context) -> Result<String, Status> {
        Ok("still there".to_owned())
    }

    async fn reorder(&self, _: &Context, text: String, number: u32) -> Result<String, Status> {
        Ok(format!("text {text}, number {number}"))
    }

    async fn reorder_alike(&self, _: &Context, first: u32, second: u32) -> Result<String, Status> {
        Ok(format!("first {first}, second {second}"))
    }

    async fn answer_with_stream(&self, _: &Context, items: u32) -> Result<u32, Status> {
        Ok(items)
    }

    async fn answer_without_stream(&self, _: &Context, items: u32, out: Sink<u32>) -> Result<(), Status> {
        out.send_all(stream::iter(0..items)).await
    }

    async fn take_stream(&self, _: &Context, first: u32) -> Result<u32, Status> {
        Ok(first)
    }

    async fn take_no_stream(
        &self,
        _: &Context,
        first: u32,
        mut items: Streaming<u32>,
    ) -> Result<u32, Status> {
        sum(first, &mut items).await
    }

    async fn become_oneway(&self, _: &Context, _: String) -> Result<(), Status> {
        Ok(())
    }

    async fn become_rpc(&self, _: &Context, _: String) {}
}

impl new::Moved for Desk {
    async fn move_down(&self, _: &Context, text: String) -> Result<String, Status> {
        Ok(text)
    }
}

impl new::Calls for Desk {
    async fn append_optional(&self, _: &Context, first: u32, second: Option<u32>) -> Result<String, Status> {
        Ok(format!("{first} {second:?}"))
    }

    async fn append_default(&self, _: &Context, first: u32, second: u32) -> Result<String, Status> {
        Ok(format!("{first} {second}"))
    }

    async fn append_mandatory(&self, _: &Context, first: u32, second: u32) -> Result<String, Status> {
        Ok(format!("{first} {second}"))
    }

    async fn rename(&self, _: &Context, after: u32) -> Result<String, Status> {
        Ok(format!("after {after}"))
    }

    async fn put_alias(&self, _: &Context, name: new::Symbol) -> Result<new::Symbol, Status> {
        Ok(name)
    }

    async fn change_words(&self, _: &Context, words: String) -> Result<String, Status> {
        Ok(words)
    }

    async fn fail(&self, _: &Context, _: u32) -> Result<(), Error<new::Failure>> {
        Err(new::Failure::Reworded.into())
    }

    async fn begin_to_answer(&self, _: &Context) -> Result<u64, Status> {
        Ok(7)
    }

    async fn new_method(&self, _: &Context) -> Result<String, Status> {
        Ok("there now".to_owned())
    }

    async fn reorder(&self, _: &Context, number: u32, text: String) -> Result<String, Status> {
        Ok(format!("text {text}, number {number}"))
    }

    async fn reorder_alike(&self, _: &Context, second: u32, first: u32) -> Result<String, Status> {
        Ok(format!("first {first}, second {second}"))
    }

    async fn answer_with_stream(&self, _: &Context, items: u32, out: Sink<u32>) -> Result<(), Status> {
        out.send_all(stream::iter(0..items)).await
    }

    async fn answer_without_stream(&self, _: &Context, items: u32) -> Result<u32, Status> {
        Ok(items)
    }

    async fn take_stream(&self, _: &Context, first: u32, mut items: Streaming<u32>) -> Result<u32, Status> {
        sum(first, &mut items).await
    }

    async fn take_no_stream(&self, _: &Context, first: u32) -> Result<u32, Status> {
        Ok(first)
    }

    async fn become_oneway(&self, _: &Context, _: String) {}

    async fn become_rpc(&self, _: &Context, _: String) -> Result<(), Status> {
        Ok(())
    }

    async fn added(&self, _: &Context) -> Result<String, Status> {
        Ok("added".to_owned())
    }
}

async fn sum(first: u32, items: &mut Streaming<u32>) -> Result<u32, Status> {
    let mut sum = first;
    while let Some(item) = items.next().await {
        sum += item?;
    }
    Ok(sum)
}

impl old::Removed for Desk {
    async fn call(&self, _: &Context) -> Result<String, Status> {
        Ok("still there".to_owned())
    }
}

impl new::Added for Desk {
    async fn call(&self, _: &Context) -> Result<String, Status> {
        Ok("there now".to_owned())
    }
}

impl old_branch::Branch for Desk {
    async fn call(&self, _: &Context) -> Result<String, Status> {
        Ok("still there".to_owned())
    }
}

impl new_branch::Branch for Desk {
    async fn call(&self, _: &Context) -> Result<String, Status> {
        Ok("there now".to_owned())
    }
}

/// Starts a server of all old services.
pub(super) fn old_server() -> (String, Arc<Counters>) {
    let server =
        Server::builder().service(old::CallsServer::new(Desk)).service(old::RemovedServer::new(Desk));
    start(server.service(old_branch::BranchServer::new(Desk)).bind(ANY_PORT))
}

/// Starts a server of all new services.
pub(super) fn new_server() -> (String, Arc<Counters>) {
    let server = Server::builder().service(new::CallsServer::new(Desk)).service(new::AddedServer::new(Desk));
    start(server.service(new_branch::BranchServer::new(Desk)).bind(ANY_PORT))
}

fn start(server: zsvc::ServerBuilder) -> (String, Arc<Counters>) {
    let server = server.listen().unwrap();
    let at = (server.endpoints()[0].clone(), server.counters());
    tokio::spawn(server.serve());
    at
}

/// Returns a client of the new schema for a server of the old one.
pub(super) async fn new_to_old() -> new::CallsClient {
    new::CallsClient::connect(old_server().0).await.unwrap()
}

/// Returns a client of the old schema for a server of the new one.
pub(super) async fn old_to_new() -> old::CallsClient {
    old::CallsClient::connect(new_server().0).await.unwrap()
}
