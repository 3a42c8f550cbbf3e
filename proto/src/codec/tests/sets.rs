//! Sets, and the keys of maps, which are alike.

use std::collections::{BTreeMap, BTreeSet};

use super::tape::Side;
use super::{check, complaint, failed_write};
use crate::codec::{Plain, Set};

#[test]
fn enums_are_in_the_order_of_declaration_and_unknown_ones_last() {
    check::<Plain, _>(&BTreeSet::from([Side::Unknown(0), Side::Sell, Side::Buy]), &[0x93, 1, 2, 0]);
    check::<Set<Plain>, _>(&BTreeSet::from([Side::Unknown(9), Side::Unknown(7)]), &[0x92, 7, 9]);
    check::<Plain, _>(&BTreeMap::from([(Side::Unknown(0), 5), (Side::Buy, 6)]), &[0x82, 1, 6, 0, 5]);
}

#[test]
fn what_would_be_there_twice_is_neither_written_nor_read() {
    let told = "[1] in a set or as a key of a map is the number of a known value";
    let twice = failed_write::<Plain, _>(&BTreeSet::from([Side::Buy, Side::Unknown(1)])).to_string();
    assert!(twice.contains(told), "{twice}");
    let key = failed_write::<Plain, _>(&BTreeMap::from([(Side::Unknown(1), 5)])).to_string();
    assert!(key.contains(told), "{key}");
    let twice = complaint::<Plain, BTreeSet<Side>>(&[0x92, 1, 1]);
    assert_eq!(twice, "[1]: this element is in the set already");
}
