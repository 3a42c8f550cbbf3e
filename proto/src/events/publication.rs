//! [`Publication`]: the parameters of the method `package.Event/publish`, by which a client publishes an event.

use std::fmt;
use std::marker::PhantomData;

use bytes::Bytes;

use crate::codec::dynamic::{Raw, RawValue};
use crate::codec::{DecodeError, Encode, Fields, Reader, WriteForm, Writer, max_decoded};

/// The parameters of the method `package.Event/publish`: the event alone, in the form `F`.
pub struct Publication<'e, F, E> {
    event: &'e E,
    form: PhantomData<fn() -> F>,
}

impl<'e, F: WriteForm<E>, E> Publication<'e, F, E> {
    /// Creates the parameters of a call that publishes an event.
    #[must_use]
    pub const fn new(event: &'e E) -> Self {
        Self { event, form: PhantomData }
    }
}

impl<F: WriteForm<E>, E> Encode for Publication<'_, F, E> {
    fn encode(&self, out: &mut Writer) {
        let mut fields = out.fields(1);
        fields.write::<F, E>(1, self.event);
        fields.end();
    }
}

impl<F, E> fmt::Debug for Publication<'_, F, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publication").finish_non_exhaustive()
    }
}

/// Returns the bytes of the event in the parameters of such a call.
///
/// # Errors
/// The bytes are no such parameters.
pub fn event_of(params: &Bytes) -> Result<Bytes, DecodeError> {
    let mut reader = Reader::of_bytes(params, max_decoded(params.len()));
    let mut fields = Fields::new(&mut reader, &["event"])?;
    let event = fields.required::<Raw, RawValue>(1)?.into_bytes();
    fields.end()?;
    if !reader.has_ended() {
        return Err(DecodeError::new(&"something follows the parameters"));
    }
    Ok(event)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{Plain, encode_body};

    #[test]
    fn the_event_is_the_only_parameter() {
        let body = encode_body::<Plain, _>(&Publication::<Plain, _>::new(&7_u64)).unwrap().into_bytes();
        assert_eq!(body[..], [0x91, 7]);
        assert_eq!(event_of(&body).unwrap()[..], [7]);
        let newer = Bytes::from_static(b"\x92\x07\xc3");
        assert_eq!(event_of(&newer).unwrap()[..], [7]);
        let named = Bytes::from_static(b"\x81\xa5event\x07");
        assert_eq!(event_of(&named).unwrap()[..], [7]);
    }

    #[test]
    fn other_parameters_are_refused() {
        let deep = [&[0x91][..], &vec![0x91; 1_000]].concat();
        for bytes in [
            &[][..],
            &[0x90],
            &[0x91],
            &[0x91, 7, 7],
            &[7],
            &[0x91, 0xc1],
            &[0xdd, 255, 255, 255, 255],
            &deep,
        ] {
            assert!(event_of(&Bytes::copy_from_slice(bytes)).is_err(), "{bytes:x?}");
        }
    }
}
