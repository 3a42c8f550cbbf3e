//! Tests services that extend others: what is served under which name, by whom, and for whom.

use std::sync::Arc;

use zsvc::{Context, Error, Service, Sink, Status, Streaming};
use zsvc_codegen_compiled::hazards::extends::base::{
    Denied, Health, HealthClient, HealthPingError, HealthServer, NotFound, Nothing,
};
use zsvc_codegen_compiled::hazards::extends::{
    Bare, BareClient, BareMock, BareServer, Floor, FloorServer, FloorWatchError, Life, LifeClient,
    LifeServer, r#match, matchServer,
};

/// Implements `Health` once, and is served under the names of four services.
struct Ours;

impl Health for Ours {
    async fn ping(&self, _: &Context, text: String) -> Result<String, Error<HealthPingError>> {
        match text.as_str() {
            "missing" => Err(NotFound::Item)?,
            "closed" => Err(Denied::Why("closed".to_owned()))?,
            text => Ok(format!("pong {text}")),
        }
    }

    async fn self_(&self, _: &Context) -> Result<(), Status> {
        Err(Status::not_found("of Health"))
    }

    async fn stop(&self, _: &Context) {}
}

impl Nothing for Ours {}

impl Life for Ours {
    async fn self_(&self, _: &Context) -> Result<u8, Status> {
        Ok(7)
    }

    async fn count(&self, _: &Context, mut items: Streaming<u8>) -> Result<u64, Status> {
        let mut sum = 0;
        while let Some(item) = items.next().await {
            sum += u64::from(item?);
        }
        Ok(sum)
    }
}

impl Bare for Ours {}

impl Floor for Ours {
    async fn new(&self, _: &Context, text: String) -> Result<String, Status> {
        Ok(text + "!")
    }

    async fn watch(&self, _: &Context, _: Sink<String>) -> Result<(), Error<FloorWatchError>> {
        Err(NotFound::Item)?
    }
}

impl r#match for Ours {}

fn names(service: &impl Service) -> Vec<&'static str> {
    service.methods().iter().map(zsvc::Method::name).collect()
}

#[test]
fn methods_are_named_by_the_service_that_serves_them() {
    let ours = Arc::new(Ours);
    assert_eq!(
        names(&HealthServer::from_arc(Arc::clone(&ours))),
        ["extends.base.Health/ping", "extends.base.Health/self", "extends.base.Health/stop"]
    );
    assert_eq!(
        names(&BareServer::from_arc(Arc::clone(&ours))),
        ["extends.Bare/ping", "extends.Bare/self", "extends.Bare/stop"]
    );
    assert_eq!(
        names(&FloorServer::from_arc(Arc::clone(&ours))),
        [
            "extends.Floor/new",
            "extends.Floor/watch",
            "extends.Floor/self_",
            "extends.Floor/count",
            "extends.Floor/ping",
            "extends.Floor/self",
            "extends.Floor/stop",
        ]
    );
    assert_eq!(names(&LifeServer::from_arc(Arc::clone(&ours))).len(), 5);
    assert_eq!(names(&matchServer::from_arc(ours)).len(), 7);
}

#[test]
fn who_may_call_is_said_by_the_method_or_by_who_serves_it() {
    let roles = |service: &dyn Service, name: &str| {
        let method = service.methods().iter().find(|method| method.name().ends_with(name));
        method.expect("it is served").required_roles().to_vec()
    };
    let floor = FloorServer::new(Ours);
    assert_eq!(roles(&floor, "/ping"), ["trader"]);
    assert_eq!(roles(&floor, "/new"), ["trader"]);
    assert_eq!(roles(&floor, "/stop"), ["admin"]);
    assert!(roles(&BareServer::new(Ours), "/ping").is_empty());
    // What a service says comes before what the service says that extends it, which says nothing.
    assert_eq!(roles(&matchServer::new(Ours), "/ping"), ["trader"]);
}

#[tokio::test]
async fn one_implementation_is_called_by_each_name() {
    let client = LifeClient::local(Ours);
    assert_eq!(client.ping("a").await.as_deref(), Ok("pong a"));
    assert_eq!(
        client.ping("closed").await,
        Err(Error::Declared(HealthPingError::Denied(Denied::Why("closed".to_owned()))))
    );
    assert_eq!(client.self__().await.map_err(|status| status.code()), Err(zsvc::Code::NotFound));
    assert_eq!(client.self_().await, Ok(7));
    let health = HealthClient::local(Ours);
    assert_eq!(health.ping("missing").await, Err(Error::Declared(HealthPingError::NotFound(NotFound::Item))));
    // A client of one service calls nothing of another, though it is the same method.
    let bare = BareClient::new(health.channel().clone());
    let Err(Error::Status(status)) = bare.ping("a").await else { panic!("`Bare` is not served") };
    assert_eq!(status.code(), zsvc::Code::Unimplemented);
}

#[tokio::test]
async fn a_mock_implements_all_of_it() {
    fn is_health(_: &impl Health) {}
    let mock = BareMock::new().on_ping(|_, text| async move { Ok(text) });
    is_health(&mock);
    let client = HealthClient::local(mock.clone());
    assert_eq!(client.ping("a").await.as_deref(), Ok("a"));
    assert_eq!(mock.ping_calls(), 1);
}
