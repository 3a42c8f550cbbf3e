//! Long bytes, which travel out of line.

use bytes::Bytes;
use rmpv::Value;

use super::tree::{Tree, tree};
use super::{text, written};
use crate::codec::body::{Attachments, OUT_OF_LINE_BYTES};
use crate::codec::{
    Blob, Body, Decode, DecodeError, Encode, Fields, Form, List, MAX_ATTACHMENTS, Plain, Reader, WriteForm,
    Writer, decode, decode_prefix, encode,
};

/// Returns a value as it is sent.
fn out_of_line<F: WriteForm<T>, T: ?Sized>(value: &T) -> Body {
    let mut bytes = vec![0xff; 3];
    let attachments = encode::<F, T>(value, &mut bytes).expect("every value of these tests can be written");
    Body::new(Bytes::from(bytes.split_off(3)), attachments)
}

fn blob(length: usize) -> Bytes {
    (0..length).map(|n| n.to_le_bytes()[0]).collect()
}

#[test]
fn long_ones_are_not_copied_either_way() {
    let values =
        [blob(OUT_OF_LINE_BYTES), blob(3), blob(OUT_OF_LINE_BYTES - 1), blob(2 * OUT_OF_LINE_BYTES)].to_vec();
    let body = out_of_line::<List<Blob>, Vec<Bytes>>(&values);
    assert_eq!(body.attachments.as_slice().len(), 2);
    assert_eq!(body.len(), written::<List<Blob>, Vec<Bytes>>(&values).len());
    let read = decode::<List<Blob>, Vec<Bytes>>(&body, usize::MAX).expect("a list of bytes");
    assert_eq!(read, values);
    let own = read.iter().zip(&values).map(|(read, value)| read.as_ptr() == value.as_ptr());
    assert_eq!(own.collect::<Vec<_>>(), [true, false, false, true]);
}

#[test]
fn there_are_no_more_of_them_than_may_be() {
    let values = vec![blob(OUT_OF_LINE_BYTES); MAX_ATTACHMENTS + 1];
    let body = out_of_line::<List<Blob>, Vec<Bytes>>(&values);
    assert_eq!(body.attachments.as_slice().len(), MAX_ATTACHMENTS);
    assert_eq!(decode::<List<Blob>, Vec<Bytes>>(&body, usize::MAX), Ok(values));
}

/// As a reader whose schema has another field there, or none.
#[test]
fn readers_that_do_not_look_for_them_find_them_all_the_same() {
    let tree = Tree { blobs: vec![blob(OUT_OF_LINE_BYTES), blob(OUT_OF_LINE_BYTES)], ..tree() };
    let (body, whole) = (out_of_line::<Plain, Tree>(&tree), Bytes::from(written::<Plain, Tree>(&tree)));
    assert!(!body.is_whole());
    assert_eq!(
        decode::<Plain, Value>(&body, usize::MAX),
        decode::<Plain, Value>(&whole.clone().into(), usize::MAX)
    );
    let skipped = decode::<List<Plain>, Vec<u8>>(&body, usize::MAX).map_err(|error| error.to_string());
    assert_eq!(
        skipped,
        decode::<List<Plain>, Vec<u8>>(&whole.into(), usize::MAX).map_err(|error| error.to_string())
    );
}

#[test]
fn values_end_to_end_have_theirs() {
    let items = [
        vec![blob(5)],
        vec![blob(OUT_OF_LINE_BYTES), blob(OUT_OF_LINE_BYTES + 1)],
        vec![],
        vec![blob(7), blob(OUT_OF_LINE_BYTES)],
    ];
    let (mut bytes, mut attachments) = (Vec::new(), Attachments::none());
    for item in &items {
        let own = encode::<List<Blob>, Vec<Bytes>>(item, &mut bytes).unwrap();
        for attachment in own.as_slice() {
            attachments.push(bytes.len() - attachment.after, attachment.bytes.clone());
        }
    }
    let attachments = attachments.counted_from(bytes.len());
    let mut body = Body::new(bytes.into(), attachments);
    for item in items {
        assert_eq!(decode_prefix::<List<Blob>, Vec<Bytes>>(&mut body, usize::MAX), Ok(item));
    }
    assert!(body.is_empty());
    decode_prefix::<List<Blob>, Vec<Bytes>>(&mut body, usize::MAX).expect_err("nothing is left");
}

/// Returns the same bytes, those from every first to every second place out of line.
fn cut(whole: &Bytes, places: &[usize]) -> Body {
    let (mut bytes, mut attachments, mut from) = (Vec::new(), Attachments::none(), 0);
    for (index, place) in places.iter().enumerate() {
        let part = whole.slice(from..*place);
        match index % 2 {
            0 => bytes.extend_from_slice(&part),
            _ => attachments.push(bytes.len(), part),
        }
        from = *place;
    }
    bytes.extend_from_slice(&whole[from..]);
    let attachments = attachments.counted_from(bytes.len());
    Body::new(bytes.into(), attachments)
}

/// In a map from names a value ends before the body does, and an attachment may seem to be where it is not.
#[test]
fn values_by_name_are_what_their_parts_come_to() {
    let two = [&[0x82][..], &text("blob"), &[0xc4, 6, 0, 0, 7, 7, 7, 7], &text("more"), &[0xc4, 2, 9, 9]];
    let whole = Bytes::from(two.concat());
    let expected = outcome::<Plain, Two>(&whole.clone().into());
    assert!(expected.contains("Two"), "it can be read: {expected}");
    for first in 0..=whole.len() {
        for second in first..=whole.len() {
            assert_eq!(outcome::<Plain, Two>(&cut(&whole, &[first, second])), expected, "{first}..{second}");
        }
    }
    let seeming =
        [&[0x82][..], &text("blob"), &[0xc4, 4, 7, 7, 7, 7], &text("more"), &[0xc4, 6, 0, 0]].concat();
    let (seeming, rest) = (Bytes::from(seeming), [0xc4, 2, 9, 9]);
    let attached = Body::new([&seeming[..seeming.len() - 4], &rest].concat().into(), {
        let mut attachments = Attachments::none();
        attachments.push(4, seeming.slice(seeming.len() - 4..));
        attachments
    });
    let whole = attached.joined();
    assert_eq!(outcome::<Plain, Two>(&attached), outcome::<Plain, Two>(&whole));
}

/// A struct of two fields.
#[derive(Debug)]
struct Two(Bytes, Bytes);

impl Encode for Two {
    fn encode(&self, out: &mut Writer) {
        let mut fields = out.fields(2);
        fields.write::<Blob, _>(1, &self.0);
        fields.write::<Blob, _>(2, &self.1);
        fields.end();
    }
}

impl Decode for Two {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut fields = Fields::new(reader, &["blob", "more"])?;
        let value = Self(fields.required::<Blob, _>(1)?, fields.required::<Blob, _>(2)?);
        fields.end()?;
        Ok(value)
    }
}

/// Returns all that is read, as text.
fn outcome<F: Form<T>, T: std::fmt::Debug>(body: &Body) -> String {
    let (mut rest, mut values) = (body.clone(), Vec::new());
    while !rest.is_empty() {
        values.push(decode_prefix::<F, T>(&mut rest, usize::MAX));
        if values.last().is_some_and(Result::is_err) {
            break;
        }
    }
    format!("{:?} {values:?} {:?}", decode::<F, T>(body, usize::MAX), rest.joined().bytes)
}

/// The result is the same however a body is cut, and whether or not it is valid.
#[test]
fn a_body_is_what_its_parts_come_to() {
    let long = Bytes::from(written::<Plain, Tree>(&Tree { blobs: vec![blob(300), blob(0)], ..tree() }));
    let list = Bytes::from(written::<List<Blob>, Vec<Bytes>>(&vec![blob(2), blob(0), blob(4)]));
    let two = Bytes::from([&list[..], &list].concat());
    for place in 0..=long.len() {
        let whole = outcome::<Plain, Tree>(&long.clone().into());
        assert_eq!(outcome::<Plain, Tree>(&cut(&long, &[place, (place + 300).min(long.len())])), whole);
        assert_eq!(outcome::<Plain, Tree>(&cut(&long, &[place, place])), whole);
    }
    for whole in [list.clone(), two, list.slice(..list.len() - 1), list.slice(1..)] {
        let expected = outcome::<List<Blob>, Vec<Bytes>>(&whole.clone().into());
        for first in 0..=whole.len() {
            for second in first..=whole.len() {
                let third = second.midpoint(whole.len());
                for places in
                    [&[first, second][..], &[first, second, second, third], &[first, second, third, third]]
                {
                    let cut = cut(&whole, places);
                    assert_eq!(outcome::<List<Blob>, Vec<Bytes>>(&cut), expected, "{places:?} of {whole:?}");
                }
            }
        }
    }
}
