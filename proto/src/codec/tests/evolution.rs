//! The table in the language reference: which changes of a schema are compatible, in both directions.

use std::fmt::Debug;

use bytes::Bytes;

use super::tape::{MarketOrder, Order, Side};
use super::{check, complaint, read, written};
use crate::codec::{
    Blob, Decode, DecodeError, Encode, Fields, Form, Optional, Plain, Reader, WriteForm, Writer, length,
};

/// A struct as generated code has it: each field with its number, its form and how it is read and written.
macro_rules! structure {
    ($name:ident { $($field:ident: $type:ty = $number:literal, $read:ident::<$form:ty>($($default:expr)?);)* }, $names:expr, $always:literal) => {
        #[derive(Debug, Clone, PartialEq)]
        struct $name { $($field: $type,)* }

        #[allow(unused_mut, unused_variables, reason = "a struct may have no fields")]
        const _: () = {
        impl Encode for $name {
            fn encode(&self, out: &mut Writer) {
                let present = [$(($number, structure!(@present $read, self.$field)),)*];
                let mut fields = out.fields(length($always, &present));
                $(structure!(@write $read, $form, fields, $number, &self.$field);)*
                fields.end();
            }
        }

        impl Decode for $name {
            fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                let mut fields = Fields::new(reader, &$names)?;
                let value = Self { $($field: fields.$read::<$form, _>($number $(, || $default)?)?,)* };
                fields.end()?;
                Ok(value)
            }
        }
        };
    };
    (@present optional, $value:expr) => { $value.is_some() };
    (@present $read:ident, $value:expr) => { true };
    (@write optional, $form:ty, $fields:ident, $number:literal, $value:expr) => {
        $fields.write::<Optional<$form>, _>($number, $value)
    };
    (@write $read:ident, $form:ty, $fields:ident, $number:literal, $value:expr) => {
        $fields.write::<$form, _>($number, $value)
    };
}

structure!(Old {
    first: u8 = 1, required::<Plain>();
    third: String = 3, required::<Plain>();
}, ["first", "", "third"], 3);

structure!(New {
    first: u8 = 1, required::<Plain>();
    second: Option<Bytes> = 2, optional::<Blob>();
    third: String = 3, required::<Plain>();
    lot: u32 = 5, or_else::<Plain>(7);
    last: Option<Order> = 6, optional::<Plain>();
}, ["first", "second", "third", "", "lot", "last"], 5);

structure!(Renamed {
    primary: u8 = 1, required::<Plain>();
    tertiary: String = 3, required::<Plain>();
}, ["primary", "", "tertiary"], 3);

structure!(Retyped {
    first: String = 1, required::<Plain>();
    third: String = 3, required::<Plain>();
}, ["first", "", "third"], 3);

structure!(NothingLeft {}, [], 0);

fn old() -> Old {
    Old { first: 1, third: "c".to_owned() }
}

fn new() -> New {
    New {
        first: 1,
        second: Some(Bytes::from_static(b"b")),
        third: "c".to_owned(),
        lot: 9,
        last: Some(Order::CancelAll),
    }
}

/// Writes a value by one schema and reads it by another.
fn as_seen_by<A: WriteForm<T>, T: Debug, B: Form<U>, U>(value: &T) -> U {
    read::<B, U>(&written::<A, T>(value)).unwrap_or_else(|error| panic!("{value:?}: {error}"))
}

#[test]
fn an_added_field_is_ignored_by_the_old_and_absent_to_the_new() {
    assert_eq!(as_seen_by::<Plain, _, Plain, Old>(&new()), old());
    let seen = as_seen_by::<Plain, _, Plain, New>(&old());
    assert_eq!(seen, New { second: None, lot: 7, last: None, ..new() });
    assert_eq!(as_seen_by::<Plain, _, Plain, NothingLeft>(&new()), NothingLeft {});
}

#[test]
fn a_removed_field_is_absent_to_the_old_and_ignored_by_the_new() {
    // The same pair the other way round: what was optional or had a default is gone.
    let seen = as_seen_by::<Plain, _, Plain, New>(&old());
    assert_eq!((seen.second, seen.lot, seen.last), (None, 7, None));
    assert_eq!(as_seen_by::<Plain, _, Plain, Old>(&new()), old());
    // A required field that is absent is named.
    assert_eq!(complaint::<Plain, Old>(&written::<Plain, _>(&NothingLeft {})), "field `first` is missing");
}

#[test]
fn an_appended_parameter_is_ignored_by_the_old_and_absent_to_the_new() {
    structure!(OldParams { symbol: String = 1, required::<Plain>(); }, ["symbol"], 1);
    structure!(NewParams {
        symbol: String = 1, required::<Plain>();
        depth: Option<u8> = 2, optional::<Plain>();
    }, ["symbol", "depth"], 1);
    let old = OldParams { symbol: "A".to_owned() };
    let new = NewParams { symbol: "A".to_owned(), depth: Some(5) };
    assert_eq!(as_seen_by::<Plain, _, Plain, OldParams>(&new), old);
    assert_eq!(as_seen_by::<Plain, _, Plain, NewParams>(&old), NewParams { depth: None, ..new });
}

#[test]
fn an_unknown_enum_value_is_kept() {
    check::<Plain, Side>(&Side::Unknown(7), &[7]);
    check::<Plain, Vec<Side>>(
        &vec![Side::Buy, Side::Unknown(u32::MAX)],
        &[0x92, 1, 0xce, 255, 255, 255, 255],
    );
    check::<Plain, Side>(&Side::Unknown(256), &[0xcd, 1, 0]);
}

#[test]
fn an_unknown_variant_is_kept_and_passed_on() {
    // A newer peer's `Stop { symbol, at } = 4`, in a struct that this side relays.
    let bytes = [&[0x96, 1, 0xc0, 0xa1, b'c', 0xc0, 7][..], b"\x92\x04\x92\xa1A\x92\x05\x02"].concat();
    let seen = read::<Plain, New>(&bytes).expect("an unknown variant is no error");
    assert!(matches!(seen.last, Some(Order::Unknown(_))));
    assert_eq!(written::<Plain, _>(&seen), bytes);
    // Fields that both know are the same for both.
    let order = Order::Market(MarketOrder { symbol: "A".to_owned(), side: Side::Unknown(3), size: 1 });
    assert_eq!(as_seen_by::<Plain, _, Plain, Order>(&order), order);
}

#[test]
fn a_name_is_not_on_the_wire() {
    assert_eq!(
        written::<Plain, _>(&old()),
        written::<Plain, _>(&Renamed { primary: 1, tertiary: "c".to_owned() })
    );
    let seen = as_seen_by::<Plain, _, Plain, Renamed>(&old());
    assert_eq!((seen.primary, seen.tertiary), (1, "c".to_owned()));
}

#[test]
fn a_changed_type_is_an_error_and_no_guess() {
    assert_eq!(
        complaint::<Plain, Retyped>(&written::<Plain, _>(&old())),
        "first: invalid type: integer `1`, expected a string"
    );
}
