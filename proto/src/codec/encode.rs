//! Values to bytes: the [`Writer`] that everything is appended to, and [`Encode`] for what knows how to append itself.
//!
//! Nothing here is generic over what is written to, so that a type is compiled once. What goes wrong is noted in the
//! writer and told at the end: to pass it on at every field would be most of the code of a struct.

use std::collections::BTreeMap;

use bytes::Bytes;
use rmpv::Value;
use serde::Serialize;
use uuid::Uuid;

use super::body::{Attachments, MAX_ATTACHMENTS, OUT_OF_LINE_BYTES};
use super::error::{EncodeError, too_deep_to_write};
use super::form::{Plain, WriteForm};
use super::nested::{write_list, write_map};
use super::stack;
use super::union::UnknownVariant;
use super::write::FieldWriter;

/// A type that is written in one way alone.
pub trait Encode {
    /// Appends the value.
    fn encode(&self, out: &mut Writer);
}

/// Where values are written to.
#[derive(Debug)]
pub struct Writer {
    bytes: Vec<u8>,
    /// Long `bytes` may be left out of them.
    may_attach: bool,
    /// Of most values, nothing.
    rare: Option<Box<Rare>>,
}

/// What few values have.
#[derive(Debug, Default)]
struct Rare {
    /// Long `bytes`, which are not copied, each with the number of bytes that were written before it.
    attachments: Attachments,
    /// What went wrong first. What was written since then is of no use.
    error: Option<EncodeError>,
}

impl Writer {
    /// Appends to `bytes`.
    #[inline]
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, may_attach: false, rare: None }
    }

    /// The same, but for long `bytes`, which are not copied.
    #[inline]
    pub(super) fn out_of_line(bytes: Vec<u8>) -> Self {
        Self { bytes, may_attach: true, rare: None }
    }

    /// All that was written, what lies apart of it, and what went wrong.
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

    /// Whether one more struct or union may be written inside of those that are begun: otherwise its fields must not be.
    pub(super) fn may_nest(&mut self) -> bool {
        let may = !stack::is_exhausted();
        if !may {
            self.fail(EncodeError::new(too_deep_to_write()));
        }
        may
    }

    /// Begins a struct, whose array has so many elements.
    pub fn fields(&mut self, length: usize) -> FieldWriter<'_> {
        let length = if self.may_nest() { length } else { 0 };
        self.array(length);
        FieldWriter::new(self, length)
    }

    /// Writes a variant of a union with the value that it carries.
    pub fn variant<F: WriteForm<T>, T: ?Sized>(&mut self, number: u32, value: &T) {
        if self.begin_variant(number) {
            F::encode(value, self);
        }
    }

    /// Begins a variant with fields of its own, whose array has so many elements.
    pub fn variant_fields(&mut self, number: u32, length: usize) -> FieldWriter<'_> {
        self.begin_variant(number);
        self.fields(length)
    }

    /// Writes a variant that carries nothing.
    pub fn bare_variant(&mut self, number: u32) {
        self.begin_variant(number);
        self.nil();
    }

    /// Writes a variant that was kept.
    pub fn unknown_variant(&mut self, variant: &UnknownVariant) {
        self.variant::<Plain, _>(variant.number, &variant.value);
    }

    fn begin_variant(&mut self, number: u32) -> bool {
        let may = self.may_nest();
        self.bytes.push(0x92);
        self.uint(number.into());
        may
    }

    /// Writes a value by its serde implementation.
    pub(super) fn via_serde<T: Serialize + ?Sized>(&mut self, value: &T) {
        let written = value.serialize(&mut rmp_serde::Serializer::new(&mut self.bytes));
        if let Err(error) = written {
            self.fail(EncodeError::new(error.to_string()));
        }
    }

    pub(super) fn nil(&mut self) {
        self.bytes.push(0xc0);
    }

    pub(super) fn uint(&mut self, value: u64) {
        let bytes = value.to_be_bytes();
        match value {
            0..0x80 => self.bytes.push(bytes[7]),
            0x80..0x100 => self.bytes.extend_from_slice(&[0xcc, bytes[7]]),
            0x100..0x1_0000 => self.bytes.extend_from_slice(&[0xcd, bytes[6], bytes[7]]),
            0x1_0000..0x1_0000_0000 => {
                self.bytes.extend_from_slice(&[0xce, bytes[4], bytes[5], bytes[6], bytes[7]]);
            }
            _ => self.marked(0xcf, bytes),
        }
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
            _ => self.marked(0xd3, bytes),
        }
    }

    fn marked(&mut self, marker: u8, value: [u8; 8]) {
        self.bytes.push(marker);
        self.bytes.extend_from_slice(&value);
    }

    fn str(&mut self, value: &str) {
        let length = value.len();
        match u8::try_from(length) {
            Ok(short @ 0..0x20) => self.bytes.push(0xa0 | short),
            Ok(length) => self.bytes.extend_from_slice(&[0xd9, length]),
            Err(_) => self.length(length, 0xda, 0xdb),
        }
        self.bytes.extend_from_slice(value.as_bytes());
    }

    pub(super) fn bin(&mut self, value: &[u8]) {
        self.bin_header(value.len());
        self.bytes.extend_from_slice(value);
    }

    /// [`Writer::bin`] of what need not be copied where it is long.
    #[inline]
    pub(super) fn shared_bin(&mut self, value: &Bytes) {
        if value.len() < OUT_OF_LINE_BYTES { self.bin(value) } else { self.long_bin(value) }
    }

    #[cold]
    fn long_bin(&mut self, value: &Bytes) {
        let attached = self.rare.as_ref().map_or(0, |rare| rare.attachments.as_slice().len());
        if !self.may_attach || attached >= MAX_ATTACHMENTS {
            return self.bin(value);
        }
        self.bin_header(value.len());
        let written = self.bytes.len();
        self.rare.get_or_insert_default().attachments.push(written, value.clone());
    }

    #[inline]
    fn bin_header(&mut self, length: usize) {
        match u8::try_from(length) {
            Ok(length) => self.bytes.extend_from_slice(&[0xc4, length]),
            Err(_) => self.length(length, 0xc5, 0xc6),
        }
    }

    pub(super) fn array(&mut self, length: usize) {
        match u8::try_from(length) {
            Ok(short @ 0..0x10) => self.bytes.push(0x90 | short),
            _ => self.length(length, 0xdc, 0xdd),
        }
    }

    pub(super) fn map(&mut self, length: usize) {
        match u8::try_from(length) {
            Ok(short @ 0..0x10) => self.bytes.push(0x80 | short),
            _ => self.length(length, 0xde, 0xdf),
        }
    }

    /// A length in 16 bits with one marker, or in 32 with another.
    fn length(&mut self, length: usize, short: u8, long: u8) {
        if let Ok(length) = u16::try_from(length) {
            let [a, b] = length.to_be_bytes();
            self.bytes.extend_from_slice(&[short, a, b]);
        } else if let Ok(length) = u32::try_from(length) {
            let [a, b, c, d] = length.to_be_bytes();
            self.bytes.extend_from_slice(&[long, a, b, c, d]);
        } else {
            self.fail(EncodeError::too_large(length));
        }
    }

    /// An extension, of 4, 8 or 12 bytes.
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
    /// Of a value of so many bytes, but for those that lie apart.
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
        out.marked(0xcb, self.to_be_bytes());
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

impl<K: Encode, V: Encode> Encode for BTreeMap<K, V> {
    fn encode(&self, out: &mut Writer) {
        write_map::<Plain, Plain, K, V>(self, out);
    }
}
