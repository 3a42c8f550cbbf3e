//! Bounds, and the paths to what breaks them.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::codec::{
    Bounded, Boxed, Decode, DecodeError, Encode, Fields, List, Map, Optional, Plain, Reader, Validate,
    Violation, Writer, check_inside, check_len, check_range, validate,
};

/// A struct with a bound, as generated code has it.
#[derive(Debug)]
struct Scaled {
    scale: u32,
}

impl Encode for Scaled {
    fn encode(&self, out: &mut Writer) {
        let mut fields = out.fields(1);
        fields.write::<Plain, _>(1, &self.scale);
        fields.end();
    }
}

impl Decode for Scaled {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut fields = Fields::new(reader, &["scale"])?;
        let value = Self { scale: fields.required::<Plain, _>(1)? };
        fields.end()?;
        Ok(value)
    }
}

impl Validate for Scaled {
    fn validate(&self) -> Result<(), Violation> {
        check_range("scale", &self.scale, 0..=255)
    }
}

fn said(result: Result<(), Violation>) -> String {
    result.map_or_else(|violation| violation.to_string(), |()| "fine".to_owned())
}

#[test]
fn lengths() {
    assert_eq!(said(check_len("symbol", &"ACME".to_owned(), 1..=12)), "fine");
    assert_eq!(said(check_len("symbol", &String::new(), 1..=12)), "symbol: length 0 is not in 1..=12");
    assert_eq!(said(check_len("symbol", &"éééé".to_owned(), ..5)), "fine", "characters count, not bytes");
    assert_eq!(said(check_len("symbol", &"ééééé".to_owned(), ..5)), "symbol: length 5 is not in ..5");
    assert_eq!(
        said(check_len("data", &Bytes::from_static("é".as_bytes()), 3..)),
        "data: length 2 is not in 3.."
    );
    assert_eq!(said(check_len("list", &vec![1, 2], 2..=2)), "fine");
    assert_eq!(said(check_len("map", &BTreeMap::from([(1, 2)]), 2..=3)), "map: length 1 is not in 2..=3");
    assert_eq!(said(check_len("map", &BTreeMap::<u8, u8>::new(), ..)), "fine");
}

#[test]
fn ranges() {
    assert_eq!(said(check_range("size", &100_u8, 1..=100)), "fine");
    assert_eq!(said(check_range("size", &101_u8, 1..=100)), "size: 101 is not in 1..=100");
    assert_eq!(said(check_range("size", &-1_i64, 0..)), "size: -1 is not in 0..");
    assert_eq!(said(check_range("share", &0.5, 0.0..1.0)), "fine");
    assert_eq!(said(check_range("share", &1.0, 0.0..1.0)), "share: 1 is not in 0..1");
    assert_eq!(said(check_range("share", &f64::NAN, 0.0..1.0)), "share: NaN is not in 0..1");
    assert_eq!(said(check_range("share", &f32::NAN, ..)), "share: NaN is not in ..");
    assert_eq!(said(check_range("share", &f64::INFINITY, 0.0..)), "fine");
}

#[test]
fn paths_lead_inside() {
    let bad = || Scaled { scale: 300 };
    let fine = || Scaled { scale: 3 };
    let text = "scale: 300 is not in 0..=255";
    assert_eq!(said(validate::<Bounded, _>(&bad())), text);
    assert_eq!(said(check_inside::<Bounded, _>("limit", &bad())), format!("limit.{text}"));
    let list = vec![fine(), fine(), bad()];
    assert_eq!(said(check_inside::<List<Bounded>, _>("orders", &list)), format!("orders[2].{text}"));
    assert_eq!(said(validate::<List<Bounded>, _>(&list)), format!("[2].{text}"));
    let map = BTreeMap::from([("a".to_owned(), vec![]), ("b".to_owned(), vec![Box::new(bad())])]);
    assert_eq!(
        said(check_inside::<Map<Plain, List<Boxed<Bounded>>>, _>("by_name", &map)),
        format!("by_name[\"b\"][0].{text}")
    );
    assert_eq!(said(check_inside::<Optional<Bounded>, _>("one", &Some(bad()))), format!("one.{text}"));
    assert_eq!(said(check_inside::<Optional<Bounded>, _>("one", &None::<Scaled>)), "fine");
    assert_eq!(said(validate::<List<Plain>, _>(&vec![1])), "fine");
}

#[test]
fn reading_does_not_check() {
    let bytes = super::written::<Bounded, _>(&Scaled { scale: 300 });
    assert_eq!(super::read::<Bounded, Scaled>(&bytes).map(|scaled| scaled.scale), Ok(300));
}
