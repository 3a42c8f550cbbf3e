//! A client that asks whether the server understands it learns so before its first call, whatever the server tells.

use zsvc::reflection::{
    FilePart, HasSchema, Incompatible, MethodInfo, Reflection, ReflectionError, ReflectionServer, ServerInfo,
    ServiceInfo,
};
use zsvc::testing::TestServer;
use zsvc::{Channel, Code, Context, Error, Server, Service, Sink, Status};
use zsvc_calls::vault::v1::{VaultClient, VaultMock, VaultServer};
use zsvc_calls::{new, old};

use crate::support::on_one_thread;

/// Implements services of both versions of the schema, whose methods are never called.
mod unserved {
    use super::{Handling, Method, Service, ServiceSchema, Status};
    use zsvc::generated::Incoming;

    /// A service that has a table and a schema.
    pub(super) struct Unserved {
        pub(super) methods: &'static [Method],
        pub(super) schema: &'static ServiceSchema,
    }

    impl Service for Unserved {
        fn methods(&self) -> &'static [Method] {
            self.methods
        }

        fn dispatch(&self, _: usize, call: Incoming) -> Result<Handling, Status> {
            call.unimplemented()
        }

        fn schema(&self) -> Option<&'static ServiceSchema> {
            Some(self.schema)
        }
    }
}

use zsvc::Method;
use zsvc::MethodKind;
use zsvc::generated::Handling;
use zsvc::reflection::ServiceSchema;

static METHODS: [Method; 1] = [Method::new("shop.v1.Shop/done", MethodKind::Unary)];

fn server_of(schema: &'static ServiceSchema) -> TestServer {
    let service = unserved::Unserved { methods: &METHODS, schema };
    TestServer::start(Server::builder().service(service)).unwrap()
}

async fn check<C: HasSchema>(server: &TestServer) -> Result<(), Status> {
    let by_channel = Channel::connect(server.endpoint()).await.unwrap().check_schema::<C>().await;
    let by_builder =
        Channel::builder().endpoint(server.endpoint()).check_schema::<C>().connect().await.map(drop);
    assert_eq!(by_channel, by_builder);
    by_channel
}

#[test]
fn a_client_learns_of_the_first_method_that_fails() {
    use new::shop::v1::ShopClient as New;
    use old::shop::v1::ShopClient as Old;
    on_one_thread(async {
        let (older, newer) = (server_of(Old::schema()), server_of(New::schema()));
        assert_eq!(check::<Old>(&older).await, Ok(()));
        assert_eq!(check::<New>(&newer).await, Ok(()));
        assert_eq!(check::<Old>(&newer).await, Ok(()), "all changes are compatible");
        let status = check::<New>(&older).await.unwrap_err();
        assert_eq!(status.code(), Code::FailedPrecondition);
        let detail: Incompatible = status.detail().expect("it says what is incompatible");
        assert_eq!(
            (detail.service.as_str(), detail.method.as_deref()),
            ("shop.v1.Shop", Some("done")),
            "{status}"
        );
        assert_eq!(detail.code.as_deref(), Some("D0411"));
        assert!(status.message().contains("`shop.v1.Shop/done`"), "{status}");
    });
}

#[test]
fn a_server_without_the_service_or_without_reflection_is_told_from_others() {
    on_one_thread(async {
        let vault =
            TestServer::start(Server::builder().service(VaultServer::new(VaultMock::new())).insecure())
                .unwrap();
        let status = check::<new::shop::v1::ShopClient>(&vault).await.unwrap_err();
        let detail: Incompatible = status.detail().expect("it says what is incompatible");
        assert_eq!((status.code(), detail.method), (Code::FailedPrecondition, None));

        let guarded =
            TestServer::start(Server::builder().service(VaultServer::new(VaultMock::new()))).unwrap();
        let status = check::<VaultClient>(&guarded).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated);

        let silent = Server::builder().service(VaultServer::new(VaultMock::new())).reflection(false);
        let status = check::<VaultClient>(&TestServer::start(silent).unwrap()).await.unwrap_err();
        assert_eq!(
            (status.code(), status.detail::<Incompatible>()),
            (Code::FailedPrecondition, None),
            "{status}"
        );
        assert!(status.message().contains("zsvc.reflection.v1.Reflection"), "{status}");
    });
}

/// Tells of the service `Vault` what a test wants told.
struct Liar(Vec<FilePart>);

impl Reflection for Liar {
    async fn services(&self, _: &Context) -> Result<Vec<ServiceInfo>, Status> {
        let name = VaultClient::schema().service().to_owned();
        Ok(vec![ServiceInfo { name, methods: Vec::<MethodInfo>::new(), fingerprint: Some(vec![0].into()) }])
    }

    async fn schema(
        &self,
        _: &Context,
        _: String,
        sink: Sink<FilePart>,
    ) -> Result<(), Error<ReflectionError>> {
        for part in &self.0 {
            sink.send(part.clone()).await?;
        }
        Ok(())
    }

    async fn server(&self, _: &Context) -> Result<ServerInfo, Status> {
        Err(Status::unimplemented("it is not asked"))
    }
}

#[test]
fn what_a_hostile_server_tells_is_refused_within_bounds() {
    let part = |path: &str, text: &str| FilePart { path: path.to_owned(), text: text.to_owned() };
    let deep =
        format!("package p;\nstruct S {{ f: {}u8{} = 1; }}", "list<".repeat(50_000), ">".repeat(50_000));
    let cases: Vec<(Vec<FilePart>, Code, &str)> = vec![
        (vec![], Code::FailedPrecondition, "does not serve"),
        (vec![part("a.svc", "no schema \u{202e}\0")], Code::FailedPrecondition, "can't be compiled"),
        (vec![part("a.svc", "package a;\nimport \"a.svc\";")], Code::FailedPrecondition, "can't be compiled"),
        (
            vec![
                part("a.svc", "package a;\nimport \"b.svc\";"),
                part("b.svc", "package b;\nimport \"a.svc\";"),
            ],
            Code::FailedPrecondition,
            "can't be compiled",
        ),
        (
            vec![part("../../etc/passwd", "package a;\nimport \"/etc/passwd\";")],
            Code::FailedPrecondition,
            "can't be compiled",
        ),
        (vec![part("", "")], Code::FailedPrecondition, "can't be compiled"),
        (vec![part("a.svc", &deep)], Code::FailedPrecondition, "can't be compiled"),
        (vec![part("a.svc", &"x".repeat(1_000_000)); 5], Code::ResourceExhausted, "more than 4194304 bytes"),
        (
            (0..5_000).map(|number| part(&number.to_string(), "")).collect(),
            Code::ResourceExhausted,
            "or 4096 files",
        ),
        (
            vec![part("a.svc", "package vault.v1;\nservice Vault { rpc look(x: u8) -> string; }")],
            Code::FailedPrecondition,
            "`vault.v1.Vault/look`",
        ),
    ];
    on_one_thread(async {
        for (parts, code, what) in cases {
            let server = Server::builder().service(ReflectionServer::new(Liar(parts)));
            let server = TestServer::start(server).unwrap();
            let status = check::<VaultClient>(&server).await.unwrap_err();
            assert_eq!(status.code(), code, "{status}");
            assert!(status.message().contains(what) && status.message().len() < 4_000, "{what}: {status}");
        }
    });
}
