//! [`Request`]: the parameters of a subscription, and the [`Position`] that it goes on from.

use super::filter::Filter;
use crate::codec::{Decode, DecodeError, Encode, Fields, Optional, Plain, Reader, Validate, Writer, length};

/// How far a subscriber has come: the life of a publisher, and the last event of it that the subscriber knows of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Position {
    epoch: u64,
    sequence: u64,
}

impl Position {
    /// Creates a position from the epoch of a publisher and the sequence number of one of its events; 0 stands before the first.
    #[must_use]
    pub const fn new(epoch: u64, sequence: u64) -> Self {
        Self { epoch, sequence }
    }

    /// Returns the number that tells the publisher's life from others, those before a restart among them.
    #[must_use]
    pub const fn epoch(self) -> u64 {
        self.epoch
    }

    /// Returns the sequence number of the last event that is known.
    #[must_use]
    pub const fn sequence(self) -> u64 {
        self.sequence
    }
}

impl Encode for Position {
    fn encode(&self, out: &mut Writer) {
        let mut fields = out.fields(2);
        fields.write::<Plain, _>(1, &self.epoch);
        fields.write::<Plain, _>(2, &self.sequence);
        fields.end();
    }
}

impl Decode for Position {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut fields = Fields::new(reader, &["epoch", "sequence"])?;
        let position =
            Self { epoch: fields.required::<Plain, _>(1)?, sequence: fields.required::<Plain, _>(2)? };
        fields.end()?;
        Ok(position)
    }
}

/// The parameters of the method `package.Event/subscribe`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Request {
    /// Which events are asked for.
    pub filter: Filter,
    /// Where an earlier subscription ended; `None` for one that begins.
    pub since: Option<Position>,
}

impl Encode for Request {
    fn encode(&self, out: &mut Writer) {
        let filter = Some(&self.filter).filter(|filter| !filter.is_empty());
        let optional = [(1, filter.is_some()), (2, self.since.is_some())];
        let mut fields = out.fields(length(0, &optional));
        match filter {
            Some(filter) => fields.write::<Plain, _>(1, filter),
            None => fields.write::<Plain, _>(1, &()),
        }
        fields.write::<Optional<Plain>, Option<Position>>(2, &self.since);
        fields.end();
    }
}

impl Decode for Request {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut fields = Fields::new(reader, &["filter", "since"])?;
        let request = Self {
            filter: fields.or_else::<Plain, _>(1, Filter::default)?,
            since: fields.optional::<Plain, _>(2)?,
        };
        fields.end()?;
        Ok(request)
    }
}

impl Validate for Request {}
