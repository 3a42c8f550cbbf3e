//! A struct that holds itself in every way that the IDL allows, with all types that are not in `tape.svc`.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use rmpv::Value;
use uuid::Uuid;

use super::tape::Order;
use crate::codec::{
    Blob, Boxed, Decode, DecodeError, Encode, Fields, List, Map, Nanoseconds, Optional, Plain, Reader,
    Writer, length,
};

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tree {
    pub next: Option<Box<Tree>>,
    pub children: Vec<Tree>,
    pub named: BTreeMap<String, Tree>,
    pub blobs: Vec<Bytes>,
    pub age: Option<Duration>,
    pub id: Option<Uuid>,
    pub order: Option<Order>,
    pub any: Value,
}

impl Default for Tree {
    fn default() -> Self {
        Self {
            next: None,
            children: Vec::new(),
            named: BTreeMap::new(),
            blobs: Vec::new(),
            age: None,
            id: None,
            order: None,
            any: Value::Nil,
        }
    }
}

impl Encode for Tree {
    fn encode(&self, out: &mut Writer) {
        let optional = [
            (5, self.age.is_some()),
            (6, self.id.is_some()),
            (7, self.order.is_some()),
            (8, !self.any.is_nil()),
        ];
        let mut fields = out.fields(length(4, &optional));
        fields.write::<Optional<Boxed<Plain>>, _>(1, &self.next);
        fields.write::<List<Plain>, _>(2, &self.children);
        fields.write::<Map<Plain, Plain>, _>(3, &self.named);
        fields.write::<List<Blob>, _>(4, &self.blobs);
        fields.write::<Optional<Nanoseconds>, _>(5, &self.age);
        fields.write::<Optional<Plain>, _>(6, &self.id);
        fields.write::<Optional<Plain>, _>(7, &self.order);
        fields.write::<Plain, _>(8, &self.any);
        fields.end();
    }
}

impl Decode for Tree {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut fields =
            Fields::new(reader, &["next", "children", "named", "blobs", "age", "id", "order", "any"])?;
        let value = Self {
            next: fields.optional::<Boxed<Plain>, _>(1)?,
            children: fields.or_else::<List<Plain>, _>(2, Vec::new)?,
            named: fields.or_else::<Map<Plain, Plain>, _>(3, BTreeMap::new)?,
            blobs: fields.or_else::<List<Blob>, _>(4, Vec::new)?,
            age: fields.optional::<Nanoseconds, _>(5)?,
            id: fields.optional::<Plain, _>(6)?,
            order: fields.optional::<Plain, _>(7)?,
            any: fields.or_else::<Plain, _>(8, || Value::Nil)?,
        };
        fields.end()?;
        Ok(value)
    }
}

/// Returns a tree with a value in every field.
pub(super) fn tree() -> Tree {
    let leaf = Tree { blobs: vec![Bytes::from_static(b"leaf")], ..Tree::default() };
    Tree {
        next: Some(Box::new(leaf.clone())),
        children: vec![leaf.clone(), Tree::default()],
        named: BTreeMap::from([("a".to_owned(), leaf)]),
        blobs: vec![Bytes::new(), Bytes::from(vec![7; 300])],
        age: Some(Duration::from_millis(1500)),
        id: Some(Uuid::from_u128(0x1234)),
        order: Some(Order::CancelAll),
        any: Value::Array(vec![Value::from(-1), Value::from("x"), Value::Ext(5, vec![1, 2, 3])]),
    }
}
