//! Tests that types of other crates are written and read straight on the wire, by `Encode` and `Decode`, and not by serde, which takes
//! several times as long: those of an imported package, and those in the place of generated ones. The types of these tests fail
//! where serde is asked.

use std::collections::BTreeMap;

use zsvc::{Code, Context, Error, Sink, Status, Streaming};
use zsvc_codegen_compiled::by_hand::{ASKED, Own, Slow};
use zsvc_codegen_compiled::by_hand_uses::direct::echo::{All, Any, Echo, EchoClient, Refused};
use zsvc_codegen_compiled::hazards::direct as generated;

/// A type of which the runtime knows how it is written: it is never handed to serde.
const fn is_direct<T: zsvc::generated::Encode + zsvc::generated::Decode>() {}

// Types of other crates that were generated.
const _: () = is_direct::<generated::parts::Part>();
const _: () = is_direct::<zsvc_codegen_compiled::hazards::replaced::Inside>();
const _: () = is_direct::<zsvc_codegen_compiled::hazards::sets::All>();

struct Floor;

impl Echo for Floor {
    async fn all(&self, _: &Context, all: All) -> Result<All, Status> {
        Ok(all)
    }

    async fn one(&self, _: &Context, part: Own, own: Own) -> Result<Own, Error<Refused>> {
        match own.n {
            0 => Ok(part),
            1 => Err(Refused::Of(own).into()),
            _ => Err(Refused::Because { part }.into()),
        }
    }

    async fn many(&self, _: &Context, mut items: Streaming<Own>, sink: Sink<Own>) -> Result<(), Status> {
        while let Some(item) = items.next().await {
            sink.send(item?).await?;
        }
        Ok(())
    }

    async fn slow(&self, _: &Context, slow: Slow) -> Result<Slow, Status> {
        Ok(slow)
    }
}

fn all() -> All {
    All {
        part: Own { n: 1 },
        own: Own { n: 2 },
        parts: vec![Own { n: 3 }, Own { n: 4 }],
        owns: vec![Own { n: 5 }],
        maybe: Some(Own { n: 6 }),
        by_name: BTreeMap::from([("a".to_owned(), Own { n: 7 })]),
        any: Any::Owned { own: Own { n: 8 } },
    }
}

#[tokio::test]
async fn serde_is_not_asked_for_types_of_other_crates() {
    let echo = EchoClient::local(Floor);
    assert_eq!(echo.all(all()).await.expect("an echo"), all());
    let of = All { any: Any::Of(Own { n: 9 }), maybe: None, ..all() };
    assert_eq!(echo.all(of.clone()).await.expect("an echo"), of);
    assert_eq!(echo.one(Own { n: 1 }, Own { n: 0 }).await.expect("a part"), Own { n: 1 });
}

#[tokio::test]
async fn serde_is_not_asked_for_types_of_other_crates_in_errors() {
    let echo = EchoClient::local(Floor);
    match echo.one(Own { n: 1 }, Own { n: 1 }).await {
        Err(Error::Declared(Refused::Of(own))) => assert_eq!(own, Own { n: 1 }),
        other => panic!("{other:?}"),
    }
    match echo.one(Own { n: 7 }, Own { n: 2 }).await {
        Err(Error::Declared(Refused::Because { part })) => assert_eq!(part, Own { n: 7 }),
        other => panic!("{other:?}"),
    }
}

/// So these tests would fail where serde is asked.
#[tokio::test]
async fn serde_is_asked_for_a_type_that_has_nothing_else() {
    let echo = EchoClient::local(Floor);
    let Err(status) = echo.slow(Slow(1)).await else { panic!("it can't be written") };
    assert!(status.to_string().contains(ASKED), "{status}");
    assert_ne!(status.code(), Code::Unimplemented);
}
