//! Values to bytes: the [`Writer`] that everything is appended to, and [`Encode`] for types that are written in one way.
//!
//! Nothing here is generic over the target, so that a type is compiled once. The first error is noted in the writer and returned
//! at the end: to pass it on at every field would be most of the code of a struct.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use rmpv::Value;
use serde::Serialize;
use uuid::Uuid;

use super::body::{Attachment, Attachments, Body, MAX_ATTACHMENTS, OUT_OF_LINE_BYTES};
use super::error::{EncodeError, too_deep_to_write};
use super::form::{Plain, WriteForm};
use super::nested::{write_list, write_map, write_set};
use super::stack;
use super::union::UnknownVariant;
use super::write::{FieldWriter, NumberedWriter};
use crate::msgpack::write;

/// A type that is written in one way alone.
pub trait Encode {
    /// Appends the value.
    fn encode(&self, out: &mut Writer);

    /// Reports whether no other value is written the same: not one of an enum that holds the number of another as an unknown one.
    #[inline]
    fn is_distinct(&self) -> bool {
        true
    }
}

/// A buffer that values are appended to.
#[derive(Debug)]
pub struct Writer {
    bytes: Vec<u8>,
    /// Whether long `bytes` are left out of the buffer and become attachments.
    may_attach: bool,
    /// `None` for most values.
    rare: Option<Box<Rare>>,
}

/// What few values have.
#[derive(Debug, Default)]
struct Rare {
    /// Long `bytes`, which are not copied. While writing, `after` is the number of bytes written before each.
    attachments: Attachments,
    /// The first error. Bytes written since then are of no use.
    error: Option<EncodeError>,
}

impl Writer {
    /// Creates a writer that appends to `bytes`.
    #[inline]
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, may_attach: false, rare: None }
    }

    /// Creates a writer that appends to `bytes`, but for long `bytes`, which become attachments.
    #[inline]
    pub(super) fn out_of_line(bytes: Vec<u8>) -> Self {
        Self { bytes, may_attach: true, rare: None }
    }

    /// Returns the buffer, and the attachments or the first error.
    #[inline]
    pub(super) fn finish(self) -> (Vec<u8>, Result<Attachments, EncodeError>) {
        match self.rare {
            None => (self.bytes, Ok(Attachments::none())),
            Some(rare) => {
                let result = rare.finish(self.bytes.len());
                (self.bytes, result)
            }
        }
    }

    #[cold]
    pub(super) fn fail(&mut self, error: EncodeError) {
        self.rare.get_or_insert_default().error.get_or_insert(error);
    }

    /// Reports whether a further struct or union may be nested. If not, its fields must not be written.
    pub(super) fn may_nest(&mut self) -> bool {
        let may = !stack::is_exhausted();
        if !may {
            self.fail(EncodeError::new(too_deep_to_write()));
        }
        may
    }

    /// Begins a struct whose array has `length` elements.
    pub fn fields(&mut self, length: usize) -> FieldWriter<'_> {
        let length = if self.may_nest() { length } else { 0 };
        self.array(length);
        FieldWriter::new(self, length)
    }

    /// Begins a struct whose numbers are far apart: a map from numbers, with `count` entries.
    pub fn numbered(&mut self, count: usize) -> NumberedWriter<'_> {
        let may_write = self.may_nest();
        self.map(if may_write { count } else { 0 });
        NumberedWriter::new(self, may_write)
    }

    /// Writes a variant of a union with the value that it carries.
    pub fn variant<F: WriteForm<T>, T: ?Sized>(&mut self, number: u32, value: &T) {
        if self.begin_variant(number) {
            F::encode(value, self);
        }
    }

    /// Writes a variant with a second value after its own, which older readers skip.
    pub fn variant_and<F: WriteForm<T>, T: ?Sized, G: WriteForm<U>, U: ?Sized>(
        &mut self,
        number: u32,
        value: &T,
        added: &U,
    ) {
        // An array of three.
        self.bytes.push(0x93);
        self.uint(number.into());
        F::encode(value, self);
        G::encode(added, self);
    }

    /// Begins a variant with fields of its own, whose array has `length` elements.
    pub fn variant_fields(&mut self, number: u32, length: usize) -> FieldWriter<'_> {
        self.begin_variant(number);
        self.fields(length)
    }

    /// Begins a variant with fields of its own whose numbers are far apart; see [`numbered`](Self::numbered).
    pub fn variant_numbered(&mut self, number: u32, count: usize) -> NumberedWriter<'_> {
        self.begin_variant(number);
        self.numbered(count)
    }

    /// Writes a variant without a value.
    pub fn bare_variant(&mut self, number: u32) {
        self.begin_variant(number);
        self.nil();
    }

    /// Writes a variant that this side's schema does not have.
    pub fn unknown_variant(&mut self, variant: &UnknownVariant) {
        self.variant::<Plain, _>(variant.number, &variant.value);
    }

    fn begin_variant(&mut self, number: u32) -> bool {
        let may = self.may_nest();
        // An array of two.
        self.bytes.push(0x92);
        self.uint(number.into());
        may
    }

    /// Writes a value by its serde implementation, which may be told that the format is for people.
    pub(super) fn via_serde<T: Serialize + ?Sized>(&mut self, value: &T, for_people: bool) {
        let mut serializer = rmp_serde::Serializer::new(&mut self.bytes);
        let written = if for_people {
            value.serialize(&mut serializer.with_human_readable())
        } else {
            value.serialize(&mut serializer)
        };
        if let Err(error) = written {
            self.fail(EncodeError::new(error.to_string()));
        }
    }

    /// Writes a value by its serde implementation, with structs as maps from the names of their fields.
    pub(super) fn via_serde_by_names<T: Serialize + ?Sized>(&mut self, value: &T) {
        let mut serializer = rmp_serde::Serializer::new(&mut self.bytes).with_struct_map();
        if let Err(error) = value.serialize(&mut serializer) {
            self.fail(EncodeError::new(error.to_string()));
        }
    }

    /// Appends bytes that are values already.
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Returns the number of bytes written so far.
    pub(super) fn position(&self) -> usize {
        self.bytes.len()
    }

    /// Returns the byte that was written at a position.
    pub(super) fn byte_at(&self, position: usize) -> Option<u8> {
        self.bytes.get(position).copied()
    }

    pub(super) fn nil(&mut self) {
        write::nil(&mut self.bytes);
    }

    pub(super) fn uint(&mut self, value: u64) {
        write::uint(&mut self.bytes, value);
    }

    fn int(&mut self, value: i64) {
        if let Ok(value) = u64::try_from(value) {
            return self.uint(value);
        }
        let bytes = value.to_be_bytes();
        match value {
            -0x20.. => self.bytes.push(bytes[7]),
            -0x80..-0x20 => self.bytes.extend_from_slice(&[0xd0, bytes[7]]),
            -0x8000..-0x80 => self.bytes.extend_from_slice(&[0xd1, bytes[6], bytes[7]]),
            -0x8000_0000..-0x8000 => {
                self.bytes.extend_from_slice(&[0xd2, bytes[4], bytes[5], bytes[6], bytes[7]]);
            }
            _ => write::marked(&mut self.bytes, 0xd3, bytes),
        }
    }

    fn str(&mut self, value: &str) {
        let header = write::str_header(&mut self.bytes, value.len());
        self.check(&header, value.len());
        self.bytes.extend_from_slice(value.as_bytes());
    }

    pub(super) fn bin(&mut self, value: &[u8]) {
        self.bin_header(value.len());
        self.bytes.extend_from_slice(value);
    }

    /// Writes a binary, which becomes an attachment if it is long.
    #[inline]
    pub(super) fn shared_bin(&mut self, value: &Bytes) {
        if value.len() < OUT_OF_LINE_BYTES { self.bin(value) } else { self.long_bin(value) }
    }

    #[cold]
    fn long_bin(&mut self, value: &Bytes) {
        self.bin_header(value.len());
        self.attach(value);
    }

    /// Writes a value that was encoded before. Its long `bytes` are attached again, or copied where they may not be.
    fn body(&mut self, body: &Body) {
        let mut rest = &body.bytes[..];
        for Attachment { after, bytes } in body.attachments.as_slice() {
            let (before, behind) = rest.split_at(rest.len() - after);
            self.bytes.extend_from_slice(before);
            self.attach(bytes);
            rest = behind;
        }
        self.bytes.extend_from_slice(rest);
    }

    /// Appends the bytes of a binary whose header was written: as an attachment, if there may be one more.
    #[cold]
    fn attach(&mut self, value: &Bytes) {
        let attached = self.rare.as_ref().map_or(0, |rare| rare.attachments.as_slice().len());
        if !self.may_attach || attached >= MAX_ATTACHMENTS {
            return self.bytes.extend_from_slice(value);
        }
        let written = self.bytes.len();
        self.rare.get_or_insert_default().attachments.push(written, value.clone());
    }

    #[inline]
    fn bin_header(&mut self, length: usize) {
        let header = write::bin_header(&mut self.bytes, length);
        self.check(&header, length);
    }

    pub(super) fn array(&mut self, length: usize) {
        let header = write::array_header(&mut self.bytes, length);
        self.check(&header, length);
    }

    pub(super) fn map(&mut self, length: usize) {
        let header = write::map_header(&mut self.bytes, length);
        self.check(&header, length);
    }

    /// Notes the error of a length that no header holds.
    #[inline]
    fn check(&mut self, header: &Result<(), write::TooLong>, length: usize) {
        if header.is_err() {
            self.fail(EncodeError::too_large(length));
        }
    }

    /// Writes an extension of 4, 8 or 12 bytes.
    pub(super) fn extension(&mut self, kind: i8, data: &[u8]) {
        let [kind] = kind.to_be_bytes();
        match data.len() {
            4 => self.bytes.extend_from_slice(&[0xd6, kind]),
            8 => self.bytes.extend_from_slice(&[0xd7, kind]),
            _ => self.bytes.extend_from_slice(&[0xc7, 12, kind]),
        }
        self.bytes.extend_from_slice(data);
    }
}

impl Rare {
    /// Returns the attachments of a value that takes `written` bytes without them, or the first error.
    #[cold]
    fn finish(self, written: usize) -> Result<Attachments, EncodeError> {
        match self.error {
            Some(error) => Err(error),
            None => Ok(self.attachments.counted_from(written)),
        }
    }
}

macro_rules! numbers {
    ($($number:ty => $write:ident),*) => {$(
        impl Encode for $number {
            #[inline]
            fn encode(&self, out: &mut Writer) {
                out.$write((*self).into());
            }
        }
    )*};
}

numbers!(u8 => uint, u16 => uint, u32 => uint, u64 => uint, i8 => int, i16 => int, i32 => int, i64 => int);

impl Encode for bool {
    fn encode(&self, out: &mut Writer) {
        out.bytes.push(if *self { 0xc3 } else { 0xc2 });
    }
}

impl Encode for f32 {
    fn encode(&self, out: &mut Writer) {
        let [a, b, c, d] = self.to_be_bytes();
        out.bytes.extend_from_slice(&[0xca, a, b, c, d]);
    }
}

impl Encode for f64 {
    fn encode(&self, out: &mut Writer) {
        write::marked(&mut out.bytes, 0xcb, self.to_be_bytes());
    }
}

impl Encode for str {
    fn encode(&self, out: &mut Writer) {
        out.str(self);
    }
}

impl Encode for String {
    fn encode(&self, out: &mut Writer) {
        out.str(self);
    }
}

impl Encode for () {
    fn encode(&self, out: &mut Writer) {
        out.nil();
    }
}

impl Encode for Uuid {
    fn encode(&self, out: &mut Writer) {
        out.bin(self.as_bytes());
    }
}

impl Encode for Value {
    fn encode(&self, out: &mut Writer) {
        // A `Vec` takes whatever is written to it.
        let _ = rmpv::encode::write_value(&mut out.bytes, self);
    }
}

impl Encode for Body {
    fn encode(&self, out: &mut Writer) {
        out.body(self);
    }
}

impl<T: Encode> Encode for Option<T> {
    fn encode(&self, out: &mut Writer) {
        match self {
            Some(value) => value.encode(out),
            None => out.nil(),
        }
    }
}

impl<T: Encode> Encode for Box<T> {
    fn encode(&self, out: &mut Writer) {
        (**self).encode(out);
    }
}

impl<T: Encode> Encode for Vec<T> {
    fn encode(&self, out: &mut Writer) {
        write_list::<Plain, T>(self, out);
    }
}

impl<T: Encode> Encode for BTreeSet<T> {
    fn encode(&self, out: &mut Writer) {
        write_set::<Plain, T>(self, out);
    }
}

impl<K: Encode, V: Encode> Encode for BTreeMap<K, V> {
    fn encode(&self, out: &mut Writer) {
        write_map::<Plain, Plain, K, V>(self, out);
    }
}
