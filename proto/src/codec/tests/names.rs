//! Structs sent as maps from field names.

use rmpv::Value;

use super::tape::{Amount, Order, Trade, trade};
use super::tree::{Tree, tree};
use super::{complaint, read, text, written};
use crate::codec::Plain;

/// Returns a map of names and values, as a scripting language would send it.
fn map(entries: &[(&str, Value)]) -> Vec<u8> {
    let entries = entries.iter().map(|(name, value)| (Value::from(*name), value.clone())).collect();
    written::<Plain, _>(&Value::Map(entries))
}

const TRADE: &[&str] = &["symbol", "price", "size", "at", "venue", "flags", "attributes", "", "", "lot"];
const TREE: &[&str] = &["next", "children", "named", "blobs", "age", "id", "order", "any"];

/// Converts the bytes of a struct from an array to a map of names.
fn named(names: &[&str], bytes: &[u8]) -> Vec<u8> {
    let Ok(Value::Array(fields)) = read::<Plain, Value>(bytes) else { panic!("a struct is an array") };
    let entries = names.iter().zip(fields).filter(|(name, _)| !name.is_empty());
    map(&entries.map(|(name, value)| (*name, value)).collect::<Vec<_>>())
}

#[test]
fn any_struct_may_come_by_name() {
    assert_eq!(read::<Plain, Trade>(&named(TRADE, &written::<Plain, _>(&trade()))), Ok(trade()));
    assert_eq!(read::<Plain, Tree>(&named(TREE, &written::<Plain, _>(&tree()))), Ok(tree()));
}

#[test]
fn names_come_in_any_order_and_may_be_left_out() {
    let bytes = map(&[("scale", 2.into()), ("units", 5.into())]);
    assert_eq!(read::<Plain, Amount>(&bytes), Ok(Amount { units: 5, scale: 2, currency: None }));
    let bytes = map(&[("scale", 2.into()), ("currency", Value::Nil), ("units", 5.into())]);
    assert_eq!(read::<Plain, Amount>(&bytes), Ok(Amount { units: 5, scale: 2, currency: None }));
    assert_eq!(read::<Plain, Tree>(&[0x80]), Ok(Tree::default()));
}

#[test]
fn maps_and_arrays_nest_in_each_other() {
    let price = Value::Map(vec![("units".into(), 5.into()), ("scale".into(), 2.into())]);
    let order = Value::Array(vec![1.into(), Value::Array(vec!["A".into(), 1.into(), price])]);
    let bytes = map(&[("order", order)]);
    let tree = read::<Plain, Tree>(&bytes).expect("a tree with an order");
    let Some(Order::Limit { limit, .. }) = tree.order else { panic!("a limit order") };
    assert_eq!(limit, Amount { units: 5, scale: 2, currency: None });
}

#[test]
fn unknown_names_are_skipped() {
    let bytes = map(&[
        ("later", Value::Array(vec![1.into()])),
        ("units", 5.into()),
        ("", 1.into()),
        ("scale", 2.into()),
    ]);
    assert_eq!(read::<Plain, Amount>(&bytes), Ok(Amount { units: 5, scale: 2, currency: None }));
    // The names of a trade have holes, which an empty name must not fill.
    assert_eq!(complaint::<Plain, Trade>(&map(&[("", 1.into())])), "field `symbol` is missing");
}

#[test]
fn a_kept_value_is_read_as_strictly_as_bytes_are() {
    let id = map(&[("id", "00000000-0000-0000-0000-000000001234".into())]);
    assert!(complaint::<Plain, Tree>(&id).starts_with("id: invalid type: string"), "a uuid is its bytes");
    let blobs = map(&[("blobs", Value::Array(vec!["x".into()]))]);
    assert_eq!(complaint::<Plain, Tree>(&blobs), "blobs[0]: invalid type: string \"x\", expected bytes");
    let next = Value::Map(vec![("age".into(), (-1).into())]);
    let expected = "next.age: invalid value: integer `-1`, expected u64";
    assert_eq!(complaint::<Plain, Tree>(&map(&[("next", next)])), expected);
    let order = Value::Array(vec![2.into()]);
    let expected = "order: variant `Market` comes without its value";
    assert_eq!(complaint::<Plain, Tree>(&map(&[("order", order)])), expected);
    let any = Value::Array(vec![Value::Ext(-1, vec![0; 4]), Value::Map(vec![(Value::Nil, 1.5.into())])]);
    let tree = read::<Plain, Tree>(&map(&[("any", any.clone())]));
    assert_eq!(tree.map(|tree| tree.any), Ok(any));
    let trade = map(&[
        ("symbol", "A".into()),
        ("price", Value::Array(vec![5.into(), 2.into()])),
        ("size", 1.into()),
        ("at", 5.into()),
    ]);
    assert_eq!(
        complaint::<Plain, Trade>(&trade),
        "at: invalid type: no extension type, expected a timestamp, which is MessagePack's extension type -1"
    );
}

#[test]
fn mistakes_are_told_with_their_path() {
    assert_eq!(complaint::<Plain, Amount>(&map(&[("scale", 2.into())])), "field `units` is missing");
    assert_eq!(
        complaint::<Plain, Amount>(&map(&[("units", 5.into()), ("scale", Value::Nil)])),
        "field `scale` is missing"
    );
    assert_eq!(
        complaint::<Plain, Amount>(&map(&[("units", 5.into()), ("scale", 2.into()), ("units", 6.into())])),
        "field `units` is given twice"
    );
    assert_eq!(
        complaint::<Plain, Amount>(&map(&[("units", 5.into()), ("scale", 300.into())])),
        "scale: invalid value: integer `300`, expected u8"
    );
    let price = Value::Map(vec![("units".into(), "x".into())]);
    assert_eq!(
        complaint::<Plain, Trade>(&map(&[("symbol", "A".into()), ("price", price)])),
        "price.units: invalid type: string \"x\", expected i64"
    );
    assert_eq!(
        complaint::<Plain, Amount>(&[0x81, 0xc3, 5]),
        "invalid type: boolean `true`, expected the name of a field"
    );
    let cut = [&[0x81][..], &text("units"), &[0xa5]].concat();
    assert_eq!(complaint::<Plain, Amount>(&cut), "units: the bytes end in the middle of the value");
}
