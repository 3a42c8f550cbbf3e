//! Changes to the errors that methods throw: what a client of one schema makes of an error of a server with the other.
//!
//! The service is `Desk` of `svc/old/errors.svc` and `svc/new/errors.svc`.

use zsvc::{Code, Context, Error, Outcome, Sink, Status, UnknownVariant, Value};
use zsvc_calls::new::errors::v1 as new;
use zsvc_calls::old::errors::v1 as old;

use super::serve;
use crate::support::on_one_thread;

/// Number of the second error of a method on the wire.
const SECOND: u32 = 0x8000_0002;

/// A server of either version, whose methods throw the error of this number.
#[derive(Clone)]
struct Desk;

fn old_missing() -> old::Missing {
    old::Missing::At { place: "home".to_owned() }
}

fn new_missing() -> new::Missing {
    new::Missing::At { place: "home".to_owned() }
}

fn old_denied() -> old::Denied {
    old::Denied::For { why: "closed".to_owned() }
}

fn new_denied() -> new::Denied {
    new::Denied::For { why: "closed".to_owned() }
}

impl old::Desk for Desk {
    async fn begin(&self, _: &Context, _: u32) -> Result<(), Status> {
        Ok(())
    }

    async fn end(&self, _: &Context, _: u32) -> Result<(), Error<old::Missing>> {
        Err(old_missing())?
    }

    async fn second(&self, _: &Context, _: u32) -> Result<(), Error<old::Missing>> {
        Err(old_missing())?
    }

    async fn third(&self, _: &Context, which: u32) -> Result<(), Error<old::DeskThirdError>> {
        match which {
            1 => Err(old_missing())?,
            _ => Err(old_denied())?,
        }
    }

    async fn fewer(&self, _: &Context, which: u32) -> Result<(), Error<old::DeskFewerError>> {
        match which {
            1 => Err(old_missing())?,
            _ => Err(old_denied())?,
        }
    }

    async fn swap(&self, _: &Context, which: u32) -> Result<(), Error<old::DeskSwapError>> {
        match which {
            1 => Err(old_missing())?,
            _ => Err(old_denied())?,
        }
    }

    async fn another(&self, _: &Context, _: u32) -> Result<(), Error<old::DeskAnotherError>> {
        Err(old_denied())?
    }

    async fn second_of_stream(
        &self,
        _: &Context,
        _: u32,
        items: Sink<u32>,
    ) -> Result<(), Error<old::Missing>> {
        items.send(7).await?;
        Err(old_missing())?
    }
}

impl new::Desk for Desk {
    async fn begin(&self, _: &Context, _: u32) -> Result<(), Error<new::Denied>> {
        Err(new_denied())?
    }

    async fn end(&self, _: &Context, _: u32) -> Result<(), Status> {
        Ok(())
    }

    async fn second(&self, _: &Context, which: u32) -> Result<(), Error<new::DeskSecondError>> {
        match which {
            1 => Err(new_missing())?,
            _ => Err(new_denied())?,
        }
    }

    async fn third(&self, _: &Context, which: u32) -> Result<(), Error<new::DeskThirdError>> {
        match which {
            1 => Err(new_missing())?,
            2 => Err(new_denied())?,
            _ => Err(new::Late::By { minutes: 5 })?,
        }
    }

    async fn fewer(&self, _: &Context, _: u32) -> Result<(), Error<new::Missing>> {
        Err(new_missing())?
    }

    async fn swap(&self, _: &Context, which: u32) -> Result<(), Error<new::DeskSwapError>> {
        match which {
            1 => Err(new_denied())?,
            _ => Err(new_missing())?,
        }
    }

    async fn another(&self, _: &Context, _: u32) -> Result<(), Error<new::DeskAnotherError>> {
        Err(new::Late::By { minutes: 5 })?
    }

    async fn second_of_stream(
        &self,
        _: &Context,
        _: u32,
        items: Sink<u32>,
    ) -> Result<(), Error<new::DeskSecondOfStreamError>> {
        items.send(7).await?;
        Err(new_denied())?
    }
}

async fn new_to_old() -> new::DeskClient {
    new::DeskClient::connect(serve([old::DeskServer::new(Desk)])).await.unwrap()
}

async fn old_to_new() -> old::DeskClient {
    old::DeskClient::connect(serve([new::DeskServer::new(Desk)])).await.unwrap()
}

/// Returns what a client knows of an error that it does not know.
fn unknown(number: u32, value: Vec<Value>) -> UnknownVariant {
    UnknownVariant { number, value: Value::Array(value) }
}

#[test]
pub(super) fn let_a_method_throw() {
    on_one_thread(async {
        assert_eq!(new_to_old().await.begin(1).await, Ok(()));
        let status = old_to_new().await.begin(1).await.unwrap_err();
        assert_eq!((status.code(), status.outcome()), (Code::Unknown, Outcome::Executed));
        assert!(status.message().ends_with("does not declare: denied: closed"), "{status}");
    });
}

#[test]
pub(super) fn let_a_method_throw_no_more() {
    on_one_thread(async {
        assert_eq!(old_to_new().await.end(1).await, Ok(()));
        let status = new_to_old().await.end(1).await.unwrap_err();
        assert_eq!((status.code(), status.outcome()), (Code::Unknown, Outcome::Executed));
        assert!(status.message().ends_with("does not declare: at"), "{status}");
    });
}

#[test]
pub(super) fn append_a_second_error() {
    on_one_thread(async {
        let missing = new::DeskSecondError::from(new_missing());
        assert_eq!(new_to_old().await.second(1).await, Err(Error::Declared(missing)));
        let older = old_to_new().await;
        assert_eq!(older.second(1).await, Err(Error::Declared(old_missing())));
        let denied = unknown(SECOND, vec![1.into(), Value::Array(vec!["closed".into()])]);
        let denied = Error::Declared(old::Missing::Unknown(denied));
        assert_eq!(older.second(2).await, Err(denied.clone()));
        assert_eq!(denied.outcome(), Outcome::Executed);
        let mut items = older.second_of_stream(1).await.unwrap();
        assert_eq!((items.next().await, items.next().await), (Some(Ok(7)), Some(Err(denied))));
        let mut items = new_to_old().await.second_of_stream(1).await.unwrap();
        let missing = new::DeskSecondOfStreamError::Missing(new_missing());
        assert_eq!(
            (items.next().await, items.next().await),
            (Some(Ok(7)), Some(Err(Error::Declared(missing))))
        );
    });
}

#[test]
pub(super) fn append_a_third_error() {
    on_one_thread(async {
        let newer = new_to_old().await;
        let missing = new::DeskThirdError::Missing(new_missing());
        assert_eq!(newer.third(1).await, Err(Error::Declared(missing)));
        let denied = new::DeskThirdError::Denied(new_denied());
        assert_eq!(newer.third(2).await, Err(Error::Declared(denied)));
        let older = old_to_new().await;
        let missing = old::DeskThirdError::Missing(old_missing());
        assert_eq!(older.third(1).await, Err(Error::Declared(missing)));
        let denied = old::DeskThirdError::Denied(old_denied());
        assert_eq!(older.third(2).await, Err(Error::Declared(denied)));
        let late = unknown(SECOND + 1, vec![1.into(), Value::Array(vec![5.into()])]);
        let late = old::DeskThirdError::Unknown(late);
        assert_eq!(older.third(3).await, Err(Error::Declared(late)));
    });
}

#[test]
pub(super) fn remove_the_last_error() {
    on_one_thread(async {
        let missing = old::DeskFewerError::Missing(old_missing());
        assert_eq!(old_to_new().await.fewer(1).await, Err(Error::Declared(missing)));
        let newer = new_to_old().await;
        assert_eq!(newer.fewer(1).await, Err(Error::Declared(new_missing())));
        let denied = unknown(SECOND, vec![1.into(), Value::Array(vec!["closed".into()])]);
        assert_eq!(newer.fewer(2).await, Err(Error::Declared(new::Missing::Unknown(denied))));
    });
}

#[test]
pub(super) fn reorder_errors() {
    on_one_thread(async {
        let (newer, older) = (new_to_old().await, old_to_new().await);
        // `Denied` is taken for `Missing`, whose first variant has nothing: what is there is skipped.
        let nothing = old::DeskSwapError::Missing(old::Missing::Nothing);
        assert_eq!(older.swap(1).await, Err(Error::Declared(nothing)));
        // `Missing` is taken for `Denied`, which has no second variant.
        let at = || unknown(2, vec!["home".into()]);
        let denied = old::DeskSwapError::Denied(old::Denied::Unknown(at()));
        assert_eq!(older.swap(2).await, Err(Error::Declared(denied)));
        let denied = new::DeskSwapError::Denied(new::Denied::Unknown(at()));
        assert_eq!(newer.swap(1).await, Err(Error::Declared(denied)));
        let nothing = new::DeskSwapError::Missing(new::Missing::Nothing);
        assert_eq!(newer.swap(2).await, Err(Error::Declared(nothing)));
    });
}

#[test]
pub(super) fn put_another_error_in_the_place_of_one() {
    on_one_thread(async {
        let refused = |message: &str, status: Status| {
            assert_eq!((status.code(), status.outcome()), (Code::Unknown, Outcome::Executed));
            assert_eq!(status.message(), message);
        };
        let Err(Error::Status(status)) = old_to_new().await.another(1).await else { panic!("it is refused") };
        let why = "why: invalid type: integer `5`, expected a string";
        refused(&format!("the server's declared error `by` can't be read: {why}"), status);
        let Err(Error::Status(status)) = new_to_old().await.another(1).await else { panic!("it is refused") };
        let why = "minutes: invalid type: string";
        refused(&format!("the server's declared error `denied: closed` can't be read: {why}"), status);
    });
}
