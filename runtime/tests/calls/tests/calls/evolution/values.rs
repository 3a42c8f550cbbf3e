//! Changes to structs, enums and unions: what a peer with the old schema decodes from a new peer's values, and vice
//! versa.
//!
//! The schemas are `svc/old/rows.svc` and `svc/new/rows.svc`; each variant of their `Row` is a change. Each value is
//! sent in both directions: as a parameter that a server reads, and as an answer that a client reads. Changes to
//! methods are in [`super::methods`].

use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use zsvc::{Code, Context, Outcome, Status, UnknownVariant, Value};
use zsvc_calls::new::rows::v1 as new;
use zsvc_calls::old::rows::v1 as old;

use super::serve;
use crate::support::on_one_thread;

/// A server that stores what it receives, and returns what it was created with.
struct Desk<R>(Mutex<Option<R>>);

impl<R> Desk<R> {
    fn with(row: Option<R>) -> Arc<Self> {
        Arc::new(Self(Mutex::new(row)))
    }

    fn put(&self, row: R) {
        *self.0.lock().unwrap() = Some(row);
    }

    fn get(&self) -> Option<R> {
        self.0.lock().unwrap().take()
    }
}

/// What one version decodes from a value that the other has encoded.
pub(super) struct Crossing<R> {
    as_parameter: Result<R, Status>,
    as_answer: Result<R, Status>,
}

impl<R: Debug + PartialEq> Crossing<R> {
    /// Checks that the value was the same in both directions.
    #[track_caller]
    pub(super) fn is(self, expected: R) {
        assert_eq!(self.as_parameter.as_ref(), Ok(&expected));
        assert_eq!(self.as_answer, Ok(expected));
    }

    /// Checks that the value was refused in both directions, for the same reason.
    #[track_caller]
    pub(super) fn both_are_refused(self, reason: &str) {
        // The path in the message continues where the reason starts with one.
        let separator = if reason.starts_with("field `") { ": " } else { "." };
        self.parameter_is_refused(&format!("row{separator}{reason}"));
        let status = self.as_answer.unwrap_err();
        assert_eq!((status.code(), status.outcome()), (Code::Unknown, Outcome::Executed));
        assert_eq!(status.message(), format!("the server's answer can't be read: {reason}"));
    }

    #[track_caller]
    fn parameter_is_refused(&self, message: &str) {
        let status = self.as_parameter.as_ref().unwrap_err();
        assert_eq!((status.code(), status.outcome()), (Code::InvalidArgument, Outcome::NotSent));
        assert_eq!(status.message(), message);
    }
}

/// Defines a server of the version `$reader`, and a function that makes that version decode what `$writer` has
/// encoded.
macro_rules! reader {
    ($name:ident: $reader:ident reads $writer:ident) => {
        impl $reader::Rows for Desk<$reader::Row> {
            async fn take(&self, _: &Context, row: $reader::Row) -> Result<(), Status> {
                self.put(row);
                Ok(())
            }

            async fn give(&self, _: &Context) -> Result<$reader::Row, Status> {
                self.get().ok_or_else(|| Status::not_found("nothing to give"))
            }
        }

        pub(super) async fn $name(row: $writer::Row) -> Crossing<$reader::Row> {
            let desk = Desk::with(None);
            let server = serve([$reader::RowsServer::from_arc(Arc::clone(&desk))]);
            let client = $writer::RowsClient::connect(server).await.unwrap();
            let taken = client.take(row.clone()).await;
            let as_parameter = taken.map(|()| desk.get().expect("the handler has stored the value"));
            let server = serve([$writer::RowsServer::from_arc(Desk::with(Some(row)))]);
            let client = $reader::RowsClient::connect(server).await.unwrap();
            Crossing { as_parameter, as_answer: client.give().await }
        }
    };
}

reader!(old_reads: old reads new);
reader!(new_reads: new reads old);

fn text(text: &str) -> String {
    text.to_owned()
}

/// Returns an unknown variant with the given number and arbitrary contents, for peers of neither version.
fn by_hand(number: u32, value: Value) -> UnknownVariant {
    UnknownVariant { number, value }
}

#[test]
pub(super) fn add_an_optional_field() {
    on_one_thread(async {
        let full = new::Row::AddOptional { kept: 1, text: Some(text("new")), any: Value::from(2), lot: 3 };
        old_reads(full).await.is(old::Row::AddOptional { kept: 1 });
        let absent = new::Row::AddOptional { kept: 1, text: None, any: Value::Nil, lot: 7 };
        new_reads(old::Row::AddOptional { kept: 1 }).await.is(absent);
    });
}

#[test]
pub(super) fn change_the_layout() {
    on_one_thread(async {
        let far = |far: Option<&str>| old::Far { first: 2, far: far.map(str::to_owned) };
        let (kept, last) = (1, new::Far { first: 2 });
        old_reads(new::Row::ChangeLayout { kept, last: last.clone(), far: Some(3) })
            .await
            .is(old::Row::ChangeLayout { kept, last: far(None) });
        new_reads(old::Row::ChangeLayout { kept, last: far(Some("off")) }).await.is(new::Row::ChangeLayout {
            kept,
            last,
            far: None,
        });
    });
}

#[test]
pub(super) fn add_a_mandatory_field() {
    on_one_thread(async {
        let kept = old::Row::AddMandatory { kept: 1 };
        old_reads(new::Row::AddMandatory { added: 2, kept: 1 }).await.is(kept.clone());
        new_reads(kept).await.both_are_refused("added: invalid type: nil, expected u32");
        let kept = old::Row::AppendMandatory { kept: 1 };
        old_reads(new::Row::AppendMandatory { kept: 1, added: 2 }).await.is(kept.clone());
        new_reads(kept).await.both_are_refused("field `added` is missing");
    });
}

#[test]
pub(super) fn remove_an_optional_field() {
    on_one_thread(async {
        let absent = old::Row::RemoveOptional { text: None, any: Value::Nil, lot: 7, kept: 1 };
        old_reads(new::Row::RemoveOptional { kept: 1 }).await.is(absent);
        let full = old::Row::RemoveOptional { text: Some(text("old")), any: Value::from(2), lot: 3, kept: 1 };
        new_reads(full).await.is(new::Row::RemoveOptional { kept: 1 });
    });
}

#[test]
pub(super) fn remove_a_mandatory_field() {
    on_one_thread(async {
        old_reads(new::Row::RemoveMandatory { kept: 1 }).await.both_are_refused("field `gone` is missing");
        let full = old::Row::RemoveMandatory { kept: 1, gone: text("old") };
        new_reads(full).await.is(new::Row::RemoveMandatory { kept: 1 });
    });
}

#[test]
pub(super) fn make_a_mandatory_field_optional() {
    on_one_thread(async {
        let absent = old_reads(new::Row::BecomeOptional { amount: None }).await;
        absent.both_are_refused("field `amount` is missing");
        let (older, newer) =
            (old::Row::BecomeOptional { amount: 1 }, new::Row::BecomeOptional { amount: Some(1) });
        old_reads(newer.clone()).await.is(older.clone());
        new_reads(older).await.is(newer);
    });
}

#[test]
pub(super) fn give_a_mandatory_field_a_default() {
    on_one_thread(async {
        for amount in [5, 6] {
            let (older, newer) = (old::Row::BecomeDefault { amount }, new::Row::BecomeDefault { amount });
            old_reads(newer.clone()).await.is(older.clone());
            new_reads(older).await.is(newer);
        }
    });
}

#[test]
pub(super) fn make_an_optional_field_mandatory() {
    on_one_thread(async {
        let absent = new_reads(old::Row::BecomeMandatory { amount: None }).await;
        absent.both_are_refused("field `amount` is missing");
        let (older, newer) =
            (old::Row::BecomeMandatory { amount: Some(1) }, new::Row::BecomeMandatory { amount: 1 });
        old_reads(newer.clone()).await.is(older.clone());
        new_reads(older).await.is(newer);
    });
}

#[test]
pub(super) fn change_the_value_of_a_default() {
    on_one_thread(async {
        for lot in [1, 2, 3] {
            let (older, newer) = (old::Row::ChangeDefault { lot }, new::Row::ChangeDefault { lot });
            old_reads(newer.clone()).await.is(older.clone());
            new_reads(older).await.is(newer);
        }
        // Generated code always encodes the field, so it is absent only from the values of a peer without it.
        let absent = || by_hand(9, Value::Array(Vec::new()));
        old_reads(new::Row::Unknown(absent())).await.is(old::Row::ChangeDefault { lot: 1 });
        new_reads(old::Row::Unknown(absent())).await.is(new::Row::ChangeDefault { lot: 2 });
    });
}

#[test]
pub(super) fn remove_a_value_or_variant() {
    on_one_thread(async {
        let (older, newer) = (old::Side::Buy, new::Side::Buy);
        old_reads(new::Row::RemoveValue { side: newer }).await.is(old::Row::RemoveValue { side: older });
        let short = new::Row::RemoveValue { side: new::Side::Unknown(3) };
        new_reads(old::Row::RemoveValue { side: old::Side::Short }).await.is(short.clone());
        old_reads(short).await.is(old::Row::RemoveValue { side: old::Side::Short });
        let removed = old::Row::RemoveVariant { why: text("old") };
        let unknown = new::Row::Unknown(by_hand(11, Value::Array(vec![Value::from("old")])));
        new_reads(removed.clone()).await.is(unknown.clone());
        old_reads(unknown).await.is(removed);
    });
}

fn renamed() -> (old::Row, new::Row) {
    let older = old::OldName { before: 1, letter: old::OldLetter::Alpha, bound: 100 };
    let newer = new::NewName { after: 1, letter: new::NewLetter::Aleph, bound: 100 };
    (old::Row::OldVariant(older), new::Row::NewVariant(newer))
}

#[test]
pub(super) fn rename_all_about_a_value() {
    on_one_thread(async {
        let (older, newer) = renamed();
        old_reads(newer.clone()).await.is(older.clone());
        new_reads(older).await.is(newer);
    });
}

#[test]
pub(super) fn rename_what_a_peer_sends_by_name() {
    on_one_thread(async {
        let (older, newer) = renamed();
        let named = |name: &str| {
            let fields = [(name, 1), ("letter", 1), ("bound", 100)];
            let fields = fields.map(|(name, number)| (Value::from(name), Value::from(number)));
            by_hand(12, Value::Map(fields.to_vec()))
        };
        old_reads(new::Row::Unknown(named("before"))).await.is(older);
        old_reads(new::Row::Unknown(named("after"))).await.both_are_refused("field `before` is missing");
        new_reads(old::Row::Unknown(named("after"))).await.is(newer);
        new_reads(old::Row::Unknown(named("before"))).await.both_are_refused("field `after` is missing");
    });
}

#[test]
pub(super) fn put_an_alias_in_the_place_of_a_type() {
    on_one_thread(async {
        let older = old::Row::PutAlias { symbol: text("ACME"), prices: vec![1, 2] };
        let newer = new::Row::PutAlias { symbol: text("ACME"), prices: vec![1, 2] };
        old_reads(newer.clone()).await.is(older.clone());
        new_reads(older).await.is(newer);
    });
}

#[test]
pub(super) fn move_a_type_out_of_another_and_into_one() {
    on_one_thread(async {
        let older = old::Row::MoveType {
            inside: old::OldOuter { part: old::OldOuterPart { kind: old::OldOuterKind::First } },
            outside: old::Outside { text: text("ACME") },
        };
        let newer = new::Row::MoveType {
            inside: new::Outer { part: new::Part { kind: new::PartKind::First } },
            outside: new::OuterOutside { text: text("ACME") },
        };
        old_reads(newer.clone()).await.is(older.clone());
        new_reads(older).await.is(newer);
    });
}

#[test]
pub(super) fn tighten_bounds() {
    on_one_thread(async {
        let older = |number, word| old::Row::Tighten { number, text: text(word) };
        let newer = |number, word| new::Row::Tighten { number, text: text(word) };
        old_reads(newer(10, "four")).await.is(older(10, "four"));
        new_reads(older(10, "four")).await.is(newer(10, "four"));
        let number = new_reads(older(11, "four")).await;
        number.parameter_is_refused("row.number: 11 is not in ..=10");
        let long = new_reads(older(10, "longer")).await;
        long.parameter_is_refused("row.text: length 6 is not in ..=4");
        // A client accepts out-of-bounds values from its server.
        assert_eq!(number.as_answer, Ok(newer(11, "four")));
        assert_eq!(long.as_answer, Ok(newer(10, "longer")));
    });
}

#[test]
pub(super) fn widen_bounds() {
    on_one_thread(async {
        let older = |number, word| old::Row::Widen { number, text: text(word) };
        let newer = |number, word| new::Row::Widen { number, text: text(word) };
        new_reads(older(10, "four")).await.is(newer(10, "four"));
        old_reads(newer(10, "four")).await.is(older(10, "four"));
        let number = old_reads(newer(11, "four")).await;
        number.parameter_is_refused("row.number: 11 is not in ..=10");
        let long = old_reads(newer(10, "longer")).await;
        long.parameter_is_refused("row.text: length 6 is not in ..=4");
        assert_eq!(number.as_answer, Ok(older(11, "four")));
        assert_eq!(long.as_answer, Ok(older(10, "longer")));
    });
}

#[test]
#[expect(deprecated, reason = "the deprecation is the change under test")]
pub(super) fn change_words_about_a_value() {
    on_one_thread(async {
        let (older, newer) = (old::Row::ChangeWords { kept: 1 }, new::Row::ChangeWords { kept: 1 });
        old_reads(newer.clone()).await.is(older.clone());
        new_reads(older).await.is(newer);
    });
}

#[test]
pub(super) fn change_a_type_to_one_of_another_form() {
    on_one_thread(async {
        let newer = old_reads(new::Row::ChangeForm { changed: 5 }).await;
        newer.both_are_refused("changed: invalid type: integer `5`, expected a string");
        let older = new_reads(old::Row::ChangeForm { changed: text("5") }).await;
        older.both_are_refused("changed: invalid type: string");
    });
}

#[test]
pub(super) fn change_a_type_to_one_of_the_same_form() {
    on_one_thread(async {
        // A number that fits is decoded as the other type, whatever it was meant to be.
        let (older, newer) = (old::Row::ChangeWidth { changed: 255 }, new::Row::ChangeWidth { changed: 255 });
        old_reads(newer.clone()).await.is(older.clone());
        new_reads(older).await.is(newer);
        let wide = new_reads(old::Row::ChangeWidth { changed: 256 }).await;
        wide.both_are_refused("changed: invalid value: integer `256`, expected u8");
        let pair = new::Row::ChangeMeaning { changed: new::Pair { first: 1, second: 2 } };
        old_reads(pair.clone()).await.is(old::Row::ChangeMeaning { changed: vec![1, 2] });
        new_reads(old::Row::ChangeMeaning { changed: vec![1, 2, 3] }).await.is(pair);
        let short = new_reads(old::Row::ChangeMeaning { changed: vec![1] }).await;
        short.both_are_refused("changed: field `second` is missing");
    });
}

#[test]
pub(super) fn reuse_a_number() {
    on_one_thread(async {
        // The two can't be distinguished on the wire: that is why numbers are reserved.
        let (older, newer) = (old::Row::ReuseNumber { length: 3 }, new::Row::ReuseNumber { weight: 3 });
        old_reads(newer.clone()).await.is(older.clone());
        new_reads(older).await.is(newer);
        let red = old_reads(new::Row::ReuseNumberOtherwise { colour: text("red") }).await;
        red.both_are_refused("length: invalid type: string");
        let three = new_reads(old::Row::ReuseNumberOtherwise { length: 3 }).await;
        three.both_are_refused("colour: invalid type: integer `3`, expected a string");
    });
}
