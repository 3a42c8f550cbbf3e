//! Tests values of constants and defaults, and flags: operations of sets, bits of newer schemas, what is written and how they are shown.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{check, read};
use rmpv::Value;
use zsvc_codegen_compiled::hazards::flags::{
    Access, Empty, Filled, Info, MAGIC, NAMES, RIGHTS, Refused, Rights, RightsPart, Tree, USUAL,
};

/// A flag that the schema does not name.
const NEWER: Access = Access::from_bits(1 << 40);

fn rights() -> Rights {
    Rights {
        access: Access::READ | Access::SHARE,
        part: RightsPart::TAIL,
        many: vec![Access::empty(), NEWER],
        by_name: BTreeMap::from([("ann".to_owned(), Access::WRITE)]),
        maybe: None,
        none: Empty::from_bits(u64::MAX),
    }
}

#[test]
fn flags_are_an_integer_with_all_their_bits() {
    let text =
        "[9223372036854775809, 2147483648, [0, 1099511627776], {\"ann\": 2}, nil, 18446744073709551615]";
    check(&rights(), text);
    let of = |value: Value| read::<Access>(&value);
    assert_eq!(of(3.into()), Ok(Access::READ | Access::WRITE));
    assert!(of((-1).into()).expect_err("no bits").contains("-1"));
    assert!(of("Read".into()).is_err());
}

#[test]
fn operations_are_those_of_sets() {
    let both = Access::READ | Access::WRITE;
    assert_eq!((both.bits(), Access::all().bits()), (0b11, 0b111 | 1 << 63));
    assert!(both.contains(Access::READ) && !Access::READ.contains(both) && both.contains(Access::empty()));
    assert!(both.intersects(Access::READ) && !both.intersects(Access::SHARE | NEWER));
    assert_eq!((both & Access::WRITE, both - Access::WRITE), (Access::WRITE, Access::READ));
    let mut some = Access::default();
    assert!(some.is_empty());
    some.insert(Access::READ);
    some.set(NEWER, true);
    some |= Access::WRITE;
    assert_eq!(some.iter().collect::<Vec<_>>(), [Access::READ, Access::WRITE, NEWER]);
    assert_eq!((some.unknown(), some.iter().collect::<Access>()), (NEWER, some));
    some.set(NEWER, false);
    some.remove(Access::READ);
    some -= Access::SHARE;
    assert_eq!(some, Access::WRITE);
    some &= Access::READ;
    assert_eq!(some, Access::empty());
    assert_eq!(Empty::all(), Empty::empty());
}

#[test]
fn flags_are_shown_by_their_names() {
    let some = Access::WRITE | Access::READ | NEWER;
    assert_eq!(some.to_string(), "Read | Write | 0x10000000000");
    assert_eq!(format!("{some:?}"), "Access(Read | Write | 0x10000000000)");
    assert_eq!(
        (format!("{:?}", Access::empty()), NEWER.to_string()),
        ("Access(0)".to_owned(), "0x10000000000".to_owned())
    );
    let refused = Refused::NotAll { wanted: Access::WRITE, had: Access::empty() };
    assert_eq!(refused.to_string(), "Write of 0");
}

#[test]
fn json_has_names_and_numbers_of_what_has_none() {
    let json = serde_json::to_string(&rights()).expect("every value has JSON");
    assert!(json.contains(r#""access":["Read","Share"],"part":["Tail"],"many":[[],[40]]"#), "{json}");
    assert_eq!(serde_json::from_str::<Rights>(&json).expect("what was written"), rights());
    for (text, told) in [
        (r#"["Read", "Rite"]"#, r#"[1]: unknown flag "Rite""#),
        (r#"["Read", 0]"#, "[1]: flag \"0\" is given twice"),
        ("[-1]", "[0]: invalid type: the number `-1`, expected the name of a flag"),
        ("3", "invalid type: the number `3`, expected a list of flags"),
    ] {
        let error = serde_json::from_str::<Access>(text).expect_err(text).to_string();
        assert!(error.starts_with(told), "{error}");
    }
}

#[test]
fn constants_and_defaults_have_all_their_parts() {
    let expected = Rights {
        access: Access::READ | Access::SHARE,
        part: RightsPart::TAIL,
        many: vec![Access::empty(), Access::WRITE],
        by_name: BTreeMap::from([("ann".to_owned(), Access::WRITE)]),
        maybe: None,
        none: Empty::empty(),
    };
    assert_eq!((&*RIGHTS, MAGIC, USUAL), (&expected, &b"\x00\xff"[..], Access::READ));
    let names = BTreeSet::from(["a".to_owned(), "b".to_owned()]);
    assert_eq!(*NAMES, names);
    let info = |name: &str| Info { name: name.to_owned(), tree: None, inside: None };
    let filled = Filled {
        magic: MAGIC.into(),
        names,
        numbers: BTreeMap::from([(-1, vec![]), (1, vec![1.5])]),
        info: info("x"),
        maybes: vec![Some(1), Some(2)],
        rights: expected,
    };
    assert_eq!((Filled::default(), read::<Filled>(&Value::Array(Vec::new()))), (filled.clone(), Ok(filled)));
    let node = Value::Array(vec![2.into(), Value::Nil]);
    let more = vec![Info { tree: Some(true), ..info("a") }, info("b")];
    let expected = Tree::Node { info: info("root").into(), more, tree: None };
    assert_eq!(read::<Tree>(&node), Ok(expected));
}
