//! Changes to methods, services and packages: the outcome of calls from an old client to a new server, and vice
//! versa.
//!
//! The services are `Calls`, `Removed` and `Added` of `svc/old/rows.svc` and `svc/new/rows.svc`, and
//! `svc/*/branch.svc`. Their handlers, in [`super::desk`], answer with what they decoded. Changes to values are in
//! [`super::values`].

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use zsvc::{Code, Counters, Error, Outcome, Status, Value};
use zsvc_calls::new::branch::v2 as new_branch;
use zsvc_calls::new::rows::v1 as new;
use zsvc_calls::old::branch::v1 as old_branch;
use zsvc_calls::old::rows::v1 as old;

use super::desk::{new_server, new_to_old, old_server, old_to_new};
use crate::support::on_one_thread;

/// Deadline of a call that is expected not to be answered.
const NEVER: Duration = Duration::from_millis(200);

/// Deadline of a call that is answered at once.
const PLENTY: Duration = Duration::from_secs(10);

#[track_caller]
fn refused<T: std::fmt::Debug>(answer: Result<T, Status>, code: Code, message: &str) {
    let status = answer.unwrap_err();
    assert_eq!((status.code(), status.outcome()), (code, Outcome::NotSent), "{status}");
    assert_eq!(status.message(), message);
}

#[track_caller]
fn unimplemented<T: std::fmt::Debug>(answer: Result<T, Status>) {
    let status = answer.unwrap_err();
    assert_eq!((status.code(), status.outcome()), (Code::Unimplemented, Outcome::NotSent), "{status}");
}

#[test]
pub(super) fn append_an_optional_parameter() {
    on_one_thread(async {
        let (newer, older) = (new_to_old().await, old_to_new().await);
        assert_eq!(newer.append_optional(1, Some(2)).await.as_deref(), Ok("1"));
        assert_eq!(older.append_optional(1).await.as_deref(), Ok("1 None"));
        assert_eq!(newer.append_default(1, 2).await.as_deref(), Ok("1"));
        assert_eq!(older.append_default(1).await.as_deref(), Ok("1 5"));
    });
}

#[test]
pub(super) fn move_a_method_to_a_service_that_is_extended() {
    on_one_thread(async {
        assert_eq!(new_to_old().await.move_down("up").await.as_deref(), Ok("up"));
        assert_eq!(old_to_new().await.move_down("down").await.as_deref(), Ok("down"));
    });
}

#[test]
pub(super) fn append_a_mandatory_parameter() {
    on_one_thread(async {
        assert_eq!(new_to_old().await.append_mandatory(1, 2).await.as_deref(), Ok("1"));
        let answer = old_to_new().await.append_mandatory(1).await;
        refused(answer, Code::InvalidArgument, "field `second` is missing");
    });
}

#[test]
pub(super) fn rename_a_parameter() {
    on_one_thread(async {
        let (newer, older) = (new_to_old().await, old_to_new().await);
        assert_eq!(newer.rename(1).await.as_deref(), Ok("before 1"));
        assert_eq!(older.rename(1).await.as_deref(), Ok("after 1"));
        let (to_old, to_new) = (newer.channel(), older.channel());
        assert_eq!(rename_by_name(to_old, "before").await.as_deref(), Ok("before 1"));
        refused(rename_by_name(to_old, "after").await, Code::InvalidArgument, "field `before` is missing");
        assert_eq!(rename_by_name(to_new, "after").await.as_deref(), Ok("after 1"));
        refused(rename_by_name(to_new, "before").await, Code::InvalidArgument, "field `after` is missing");
    });
}

/// Makes a call as in a scripting language: with a map of the parameters.
async fn rename_by_name(channel: &zsvc::Channel, parameter: &str) -> Result<String, Status> {
    static RENAME: zsvc::Method = zsvc::Method::new("rows.v1.Calls/rename", zsvc::MethodKind::Unary);
    let parameters = BTreeMap::from([(parameter.to_owned(), 1_u32)]);
    channel.unary::<zsvc::generated::Plain, _, _>(&RENAME, &parameters).await
}

#[test]
pub(super) fn put_an_alias_in_the_place_of_a_parameter() {
    on_one_thread(async {
        assert_eq!(new_to_old().await.put_alias("ACME").await.as_deref(), Ok("ACME"));
        assert_eq!(old_to_new().await.put_alias("ACME").await.as_deref(), Ok("ACME"));
    });
}

#[test]
pub(super) fn change_words_about_a_method() {
    on_one_thread(async {
        let (newer, older) = (new_to_old().await, old_to_new().await);
        assert_eq!(newer.change_words("same").await.as_deref(), Ok("same"));
        assert_eq!(older.change_words("same").await.as_deref(), Ok("same"));
        // The error is the same; only the message differs between versions.
        let error = newer.fail(2).await.unwrap_err();
        assert_eq!(error, Error::Declared(new::Failure::Reworded));
        assert_eq!(error.to_string(), "new words");
        let error = older.fail(2).await.unwrap_err();
        assert_eq!(error, Error::Declared(old::Failure::Reworded));
        assert_eq!(error.to_string(), "old words");
    });
}

#[test]
pub(super) fn remove_a_declared_error() {
    on_one_thread(async {
        let error = new_to_old().await.fail(1).await.unwrap_err();
        let Error::Declared(new::Failure::Unknown(gone)) = error else { panic!("{error:?}") };
        assert_eq!((gone.number, gone.value), (1, Value::Array(vec![Value::from("old")])));
        let error = old_to_new().await.fail(1).await.unwrap_err();
        assert_eq!(error, Error::Declared(old::Failure::Reworded));
    });
}

#[test]
pub(super) fn begin_to_answer_with_something() {
    on_one_thread(async {
        assert_eq!(old_to_new().await.begin_to_answer().await, Ok(()));
        let status = new_to_old().await.begin_to_answer().await.unwrap_err();
        assert_eq!((status.code(), status.outcome()), (Code::Unknown, Outcome::Executed));
        let expected = "the server's answer can't be read: invalid type: nil, expected u64";
        assert_eq!(status.message(), expected);
    });
}

#[test]
pub(super) fn add_a_method_or_service() {
    on_one_thread(async {
        let status = new_to_old().await.added().await.unwrap_err();
        assert!(status.message().starts_with("the service has no method `rows.v1.Calls/added`"), "{status}");
        unimplemented::<()>(Err(status));
        let added = new::AddedClient::connect(old_server().0).await.unwrap();
        unimplemented(added.call().await);
        // An old client continues with the method that it knows.
        assert_eq!(old_to_new().await.take_no_stream(1, stream::empty()).await, Ok(1));
    });
}

#[test]
pub(super) fn remove_or_rename_a_method() {
    on_one_thread(async {
        let (newer, older) = (new_to_old().await, old_to_new().await);
        unimplemented(older.remove().await);
        unimplemented(older.old_method().await);
        unimplemented(newer.new_method().await);
    });
}

#[test]
pub(super) fn remove_or_rename_a_service_or_package() {
    on_one_thread(async {
        let removed = old::RemovedClient::connect(new_server().0).await.unwrap();
        unimplemented(removed.call().await);
        let renamed = old_branch::BranchClient::connect(new_server().0).await.unwrap();
        unimplemented(renamed.call().await);
        let renamed = new_branch::BranchClient::connect(old_server().0).await.unwrap();
        unimplemented(renamed.call().await);
    });
}

#[test]
pub(super) fn reorder_parameters() {
    on_one_thread(async {
        let (newer, older) = (new_to_old().await, old_to_new().await);
        let expected = "text: invalid type: integer `1`, expected a string";
        refused(newer.reorder(1, "a").await, Code::InvalidArgument, expected);
        let expected = "number: invalid type: string";
        refused(older.reorder("a", 1).await, Code::InvalidArgument, expected);
        // Two parameters of the same type are swapped: only their order identifies them.
        assert_eq!(newer.reorder_alike(2, 1).await.as_deref(), Ok("first 2, second 1"));
        assert_eq!(older.reorder_alike(1, 2).await.as_deref(), Ok("first 2, second 1"));
    });
}

#[test]
pub(super) fn add_or_take_away_a_stream_of_answers() {
    on_one_thread(async {
        let (newer, older) = (new_to_old().await, old_to_new().await);
        // A reply to a call that expects a stream.
        for answer in [
            newer.answer_with_stream(1).await.unwrap().collect::<Vec<_>>().await,
            older.answer_without_stream(1).await.unwrap().collect::<Vec<_>>().await,
        ] {
            let [Err(status)] = answer.as_slice() else { panic!("{answer:?}") };
            assert_eq!(status.code(), Code::Unknown, "{status}");
        }
        // An end of stream for a call that expects a reply. If there are items, which need credit that such a client
        // never grants, not even the end is sent.
        for (items, code) in [(0, Code::Unknown), (1, Code::DeadlineExceeded)] {
            let within = if items == 0 { PLENTY } else { NEVER };
            let status = newer.answer_without_stream(items).deadline(within).await.unwrap_err();
            assert_eq!(status.code(), code, "{status}");
            let status = older.answer_with_stream(items).deadline(within).await.unwrap_err();
            assert_eq!(status.code(), code, "{status}");
        }
    });
}

#[test]
pub(super) fn add_or_take_away_a_stream_parameter() {
    on_one_thread(async {
        let (newer, older) = (new_to_old().await, old_to_new().await);
        // The items are not read.
        assert_eq!(newer.take_stream(1, stream::iter([2, 3])).await, Ok(1));
        assert_eq!(older.take_no_stream(1, stream::iter([2, 3])).await, Ok(1));
        // The stream of a client that does not send one never ends.
        let status = newer.take_no_stream(1).deadline(NEVER).await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
        let status = older.take_stream(1).deadline(NEVER).await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
    });
}

#[test]
pub(super) fn turn_rpc_into_oneway() {
    on_one_thread(async {
        let expected =
            "`rows.v1.Calls/become_oneway` must be called by a record of kind one-way call: it has no answer";
        refused(old_to_new().await.become_oneway("x").await, Code::InvalidArgument, expected);
        one_way_call_of_an_rpc_is_counted_and_gone(old_server(), |endpoint| async {
            let client = new::CallsClient::connect(endpoint).await.unwrap();
            client.become_oneway("x").await.unwrap();
            unimplemented(client.added().await);
        })
        .await;
    });
}

#[test]
pub(super) fn turn_oneway_into_rpc() {
    on_one_thread(async {
        let expected =
            "`rows.v1.Calls/become_rpc` must be called by a record of kind one-way call: it has no answer";
        refused(new_to_old().await.become_rpc("x").await, Code::InvalidArgument, expected);
        one_way_call_of_an_rpc_is_counted_and_gone(new_server(), |endpoint| async {
            let client = old::CallsClient::connect(endpoint).await.unwrap();
            client.become_rpc("x").await.unwrap();
            unimplemented(client.remove().await);
        })
        .await;
    });
}

/// Makes two calls, the second of a method that does not exist, so that the first was processed when both are
/// refused.
async fn one_way_call_of_an_rpc_is_counted_and_gone<C: Future<Output = ()>>(
    (endpoint, counters): (String, Arc<Counters>),
    call_twice: impl FnOnce(String) -> C,
) {
    call_twice(endpoint).await;
    assert_eq!((counters.calls(), counters.refused_calls()), (0, 2));
}
