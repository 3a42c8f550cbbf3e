//! An item of a subscription's stream: [`Notice`], as a server writes it, and [`Delivered`], as a client reads it.
//!
//! Both are the union `Delivery` of the protocol. A server has the bytes of an event, and a client its type.

use std::marker::PhantomData;
use std::sync::Arc;

use super::posted::Posted;
use crate::codec::{Body, DecodeError, Encode, Form, Optional, Payload, Plain, Reader, WriteForm, Writer};

const EVENT: u32 = 1;
const MISSED: u32 = 2;
const LIVE: u32 = 3;
const OPENED: u32 = 4;

/// An item of a subscription's stream, at its server.
#[derive(Debug, Clone)]
pub enum Notice {
    /// The first item.
    Opened {
        /// The life of the publisher, by its number.
        epoch: u64,
        /// Sequence number of its last event.
        last: u64,
    },
    /// An event.
    Event(Arc<Posted>),
    /// This number of events that were asked for is missing here; `None` if it is not known how many, which may be none.
    Missed(Option<u64>),
    /// All events that had been kept were sent; what follows is published from now on. Holds the sequence number of the last
    /// event before.
    Live(u64),
}

/// What surrounds an event in its item, at most, in bytes.
const ITEM_OVERHEAD: usize = 64;

impl Notice {
    /// Returns it if its item surely fits into a message of `max_bytes`; otherwise that one event is missing, since an item that can't be
    /// sent would end the stream, and each later one that goes on from there.
    #[must_use]
    pub fn within(self, max_bytes: usize) -> Self {
        match self {
            Self::Event(posted) if posted.body().len().saturating_add(ITEM_OVERHEAD) > max_bytes => {
                Self::Missed(Some(1))
            }
            notice => notice,
        }
    }
}

impl Encode for Notice {
    fn encode(&self, out: &mut Writer) {
        match self {
            Self::Event(posted) => {
                let mut fields = out.variant_fields(EVENT, 2);
                fields.write::<Plain, u64>(1, &posted.sequence());
                fields.write::<Plain, Body>(2, posted.body());
                fields.end();
            }
            Self::Missed(count) => out.variant::<Plain, Option<u64>>(MISSED, count),
            Self::Live(sequence) => out.variant::<Plain, u64>(LIVE, sequence),
            Self::Opened { epoch, last } => {
                out.variant_and::<Plain, u64, Plain, u64>(OPENED, epoch, last);
            }
        }
    }
}

/// An item of a subscription's stream, at its client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivered<E> {
    /// The first item.
    Opened {
        /// The life of the publisher, by its number.
        epoch: u64,
        /// Sequence number of its last event, unless the server is too old to say.
        last: Option<u64>,
    },
    /// An event, with its sequence number.
    Event(u64, E),
    /// This number of events that were asked for is missing here; `None` if it is not known how many, which may be none.
    Missed(Option<u64>),
    /// All events that had been kept have come. Holds the sequence number of the last event before.
    Live(u64),
    /// Something that a newer server says, to be passed over.
    Unknown,
}

/// The form of [`Delivered`] whose events have the form `F`. What a client writes is the same, for peers in tests.
#[derive(Debug)]
pub struct Deliveries<F>(PhantomData<F>);

const NAMES: &[&str] = &["sequence", "event"];

impl<F: Form<E>, E> Form<Delivered<E>> for Deliveries<F> {
    fn decode(reader: &mut Reader<'_>) -> Result<Delivered<E>, DecodeError> {
        let (number, mut payload) = Payload::new(reader)?;
        match number {
            EVENT => {
                let mut fields = payload.fields(NAMES)?;
                let sequence = fields.required::<Plain, _>(1)?;
                let event = fields.required::<F, _>(2)?;
                fields.end()?;
                payload.end()?;
                Ok(Delivered::Event(sequence, event))
            }
            MISSED => payload.value::<Optional<Plain>, _>("Missed").map(Delivered::Missed),
            LIVE => payload.value::<Plain, _>("Live").map(Delivered::Live),
            OPENED => {
                let (epoch, last) = payload.value_and::<Plain, _, Plain, _>("Opened")?;
                Ok(Delivered::Opened { epoch, last })
            }
            _ => payload.unknown(number).map(|_| Delivered::Unknown),
        }
    }
}

impl<F: WriteForm<E>, E> WriteForm<Delivered<E>> for Deliveries<F> {
    fn encode(value: &Delivered<E>, out: &mut Writer) {
        match value {
            Delivered::Event(sequence, event) => {
                let mut fields = out.variant_fields(EVENT, 2);
                fields.write::<Plain, u64>(1, sequence);
                fields.write::<F, E>(2, event);
                fields.end();
            }
            Delivered::Missed(count) => Notice::Missed(*count).encode(out),
            Delivered::Live(sequence) => Notice::Live(*sequence).encode(out),
            Delivered::Opened { epoch, last: Some(last) } => {
                Notice::Opened { epoch: *epoch, last: *last }.encode(out);
            }
            Delivered::Opened { epoch, last: None } => out.variant::<Plain, u64>(OPENED, epoch),
            Delivered::Unknown => out.bare_variant(u32::MAX),
        }
    }
}
