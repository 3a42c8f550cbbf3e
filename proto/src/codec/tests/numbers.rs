//! Structs that are maps from field numbers.

use bytes::Bytes;
use rmpv::Value;

use super::tape::{Amount, trade};
use super::{complaint, read, written};
use crate::codec::{
    Blob, Decode, DecodeError, Encode, Fields, Optional, Plain, Reader, Writer, count, decode, encode,
};

/// As generated for `struct Far { first: u8 = 1; amount: Amount? = 200; blob: bytes? = 300; last: string = 65535; }`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Far {
    first: u8,
    amount: Option<Amount>,
    blob: Option<Bytes>,
    last: String,
}

impl Encode for Far {
    fn encode(&self, out: &mut Writer) {
        let mut fields = out.numbered(count(2, &[self.amount.is_some(), self.blob.is_some()]));
        fields.write::<Plain, _>(1, &self.first);
        fields.write_if::<Optional<Plain>, _>(200, self.amount.is_some(), &self.amount);
        fields.write_if::<Optional<Blob>, _>(300, self.blob.is_some(), &self.blob);
        fields.write::<Plain, _>(65535, &self.last);
        fields.end();
    }
}

impl Decode for Far {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let names = &[(1, "first"), (200, "amount"), (300, "blob"), (65535, "last")];
        let mut fields = Fields::sparse(reader, names)?;
        let value = Self {
            first: fields.required::<Plain, _>(1)?,
            amount: fields.optional::<Plain, _>(200)?,
            blob: fields.optional::<Blob, _>(300)?,
            last: fields.required::<Plain, _>(65535)?,
        };
        fields.end()?;
        Ok(value)
    }
}

pub(super) fn far() -> Far {
    let amount = Some(Amount { units: 5, scale: 2, currency: None });
    Far { first: 1, amount, blob: None, last: "end".to_owned() }
}

fn shown(bytes: &[u8]) -> String {
    read::<Plain, Value>(bytes).expect("any MessagePack is a value").to_string()
}

fn map(entries: &[(Value, Value)]) -> Vec<u8> {
    written::<Plain, _>(&Value::Map(entries.to_vec()))
}

#[test]
fn what_is_present_is_written_by_number() {
    let bytes = written::<Plain, _>(&far());
    assert_eq!(shown(&bytes), r#"{1: 1, 200: [5, 2], 65535: "end"}"#);
    assert_eq!(read::<Plain, Far>(&bytes), Ok(far()));
    let least = Far { amount: None, ..far() };
    assert_eq!(shown(&written::<Plain, _>(&least)), r#"{1: 1, 65535: "end"}"#);
}

#[test]
fn long_bytes_are_not_copied() {
    let long = Bytes::from(vec![7; 1 << 20]);
    let whole = Far { blob: Some(long.clone()), ..far() };
    let mut bytes = Vec::new();
    let attachments = encode::<Plain, _>(&whole, &mut bytes).expect("it can be written");
    assert!(bytes.len() < 100, "the blob is beside the rest");
    let body = crate::codec::Body::new(bytes.into(), attachments);
    let found = decode::<Plain, Far>(&body, usize::MAX).expect("what was written");
    assert_eq!(found.blob.as_ref().map(|blob| blob.as_ptr()), Some(long.as_ptr()));
    assert_eq!(found, whole);
}

#[test]
fn an_array_and_names_are_read_as_well() {
    let array = Value::Array([vec![1.into()], vec![Value::Nil; 65533], vec!["end".into()]].concat());
    let least = Far { amount: None, ..far() };
    assert_eq!(read::<Plain, Far>(&written::<Plain, _>(&array)), Ok(least.clone()));
    let names = map(&[("last".into(), "end".into()), ("later".into(), 1.into()), ("first".into(), 1.into())]);
    assert_eq!(read::<Plain, Far>(&names), Ok(least));
    let twice = map(&[("first".into(), 1.into()), ("first".into(), 1.into())]);
    assert_eq!(complaint::<Plain, Far>(&twice), "field `first` is given twice");
}

#[test]
fn a_struct_of_dense_numbers_is_read_from_a_map_too() {
    let entries = map(&[(1.into(), 5.into()), (2.into(), 2.into()), (3.into(), Value::Nil)]);
    assert_eq!(read::<Plain, Amount>(&entries), Ok(Amount { units: 5, scale: 2, currency: None }));
    let newer =
        map(&[(1.into(), 5.into()), (2.into(), 2.into()), (u64::from(u32::MAX).into(), trade_value())]);
    assert_eq!(read::<Plain, Amount>(&newer), Ok(Amount { units: 5, scale: 2, currency: None }));
    let inside = map(&[(1.into(), 1.into()), (200.into(), amount_by_number()), (65535.into(), "end".into())]);
    assert_eq!(read::<Plain, Far>(&inside), Ok(far()));
}

fn amount_by_number() -> Value {
    Value::Map(vec![(1.into(), 5.into()), (2.into(), 2.into())])
}

fn trade_value() -> Value {
    read::<Plain, Value>(&written::<Plain, _>(&trade())).expect("a trade is a value")
}

#[test]
fn numbers_ascend_and_are_numbers() {
    let amount = |entries: &[(Value, Value)]| complaint::<Plain, Amount>(&map(entries));
    assert_eq!(amount(&[]), "field `units` is missing");
    assert_eq!(amount(&[(2.into(), 2.into())]), "field `units` is missing");
    let out_of_order = "field number 2 comes after 3: numbers ascend, and start at 1";
    assert_eq!(
        amount(&[(1.into(), 5.into()), (3.into(), Value::Nil), (2.into(), 2.into())]),
        "field `scale` is missing"
    );
    let late = [(1.into(), 5.into()), (2.into(), 2.into()), (3.into(), Value::Nil), (2.into(), 2.into())];
    assert_eq!(amount(&late), out_of_order);
    for number in [Value::from(0), Value::from(-1)] {
        let said = amount(&[(number.clone(), 5.into())]);
        assert_eq!(said, format!("field number {number} comes after 0: numbers ascend, and start at 1"));
    }
    for key in [Value::Nil, "scale".into(), Value::F64(2.0), Value::Array(Vec::new())] {
        let said = amount(&[(1.into(), 5.into()), (key, 2.into())]);
        assert!(said.ends_with("expected the number of a field"), "{said}");
    }
    assert!(amount(&[(1.into(), "five".into())]).starts_with("units: invalid type"));
}

#[test]
fn bytes_that_end_too_soon_are_refused() {
    let bytes = written::<Plain, _>(&far());
    for end in 0..bytes.len() {
        assert!(read::<Plain, Far>(&bytes[..end]).is_err(), "cut at {end}");
    }
    // More entries than there are bytes.
    assert!(read::<Plain, Far>(&[0xdf, 0xff, 0xff, 0xff, 0xff, 0x01, 0x01]).is_err());
}
